// SPDX-License-Identifier: MIT
// The AVX-512 level: the shared operations in its vectors, and its matrix products.
#if defined(__x86_64__)
#include "backends/cpu/avx512.h"

#include <string.h>

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/v16_avx512.h"

#include "backends/cpu/attend_v16.h"
#include "backends/cpu/recur_v16.h"
#include "backends/cpu/avx512_end.h"

void kernels_fill_avx512(struct kernels *k) {
    fill_ops(k);
    k->attend = attend;
    k->merge = merge;
    k->recur = recur;
    k->conv = conv;
    avx512_fill_dot_float(k);
    avx512_fill_dot32(k);
    avx512_fill_dot256(k);
    avx512_fill_gemm_float(k);
    avx512_fill_gemm32(k);
    avx512_fill_gemm256(k);
}

#endif
