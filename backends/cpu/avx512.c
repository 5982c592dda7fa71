// SPDX-License-Identifier: MIT
// The AVX-512 level: the shared operations in its vectors, and its matrix products.
#if defined(__x86_64__)
#include "backends/cpu/avx512.h"

#include <string.h>

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/v16_avx512.h"

#include "backends/cpu/attend_v16.h"
#include "backends/cpu/recur_v16.h"
#include "backends/cpu/peak.h"
#define STEP_INT(sum, a, b) _mm512_dpbusd_epi32(sum, a, b)
PEAK_LOOP(peak_int, __m512i, __m512i, _mm512_setzero_si512(), _mm512_set1_epi8, STEP_INT)

#define STEP_FLOAT(sum, a, b) _mm512_fmadd_ps(a, b, sum)
PEAK_LOOP(peak_float, __m512, __m512, _mm512_setzero_ps(), _mm512_set1_ps, STEP_FLOAT)

#include "backends/cpu/avx512_end.h"

void kernels_fill_avx512(struct kernels *k) {
    fill_ops(k);
    k->attend = attend;
    k->merge = merge;
    k->recur = recur;
    k->conv = conv;
    k->peak_int = (struct kernel_peak){"vpdpbusd zmm", 128 * PEAK_CHAINS, peak_int};
    k->peak_float = (struct kernel_peak){"vfmadd zmm", 32 * PEAK_CHAINS, peak_float};
    avx512_fill_dot_float(k);
    avx512_fill_dot256(k);
    avx512_fill_one(k);
    avx512_fill_one32(k);
    avx512_fill_gemm_float(k);
    avx512_fill_gemm32(k);
    avx512_fill_gemm256(k);
}

#endif
