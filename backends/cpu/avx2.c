// SPDX-License-Identifier: MIT
// The AVX2 level: the shared operations in its vectors, and its matrix products.
#if defined(__x86_64__)
#include "backends/cpu/avx2.h"

#include <string.h>

#include "backends/cpu/avx2_begin.h"
#include "backends/cpu/v16_avx2.h"

#include "backends/cpu/attend_v16.h"
#include "backends/cpu/recur_v16.h"
#include "backends/cpu/peak.h"
#define STEP_INT(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)))
PEAK_LOOP(peak_int, __m256i, __m256i, _mm256_setzero_si256(), _mm256_set1_epi8, STEP_INT)

#define STEP_FLOAT(sum, a, b) _mm256_fmadd_ps(a, b, sum)
PEAK_LOOP(peak_float, __m256, __m256, _mm256_setzero_ps(), _mm256_set1_ps, STEP_FLOAT)

#include "backends/cpu/avx2_end.h"

void kernels_fill_avx2(struct kernels *k) {
    fill_ops(k);
    k->attend = attend;
    k->merge = merge;
    k->recur = recur;
    k->conv = conv;
    k->peak_int = (struct kernel_peak){"vpmaddubsw + vpmaddwd + vpaddd ymm", 64 * PEAK_CHAINS, peak_int};
    k->peak_float = (struct kernel_peak){"vfmadd ymm", 16 * PEAK_CHAINS, peak_float};
    avx2_fill_dot32(k);
    avx2_fill_dot256(k);
    avx2_fill_gemm(k);
    avx2_fill_float(k);
}

#endif
