// SPDX-License-Identifier: MIT
// The AVX2 level: the shared operations in its vectors, and its matrix products.
#if defined(__x86_64__)
#include "backends/cpu/avx2.h"

#include <string.h>

#include "backends/cpu/avx2_begin.h"
#include "backends/cpu/v16_avx2.h"

#include "backends/cpu/attend_v16.h"
#include "backends/cpu/recur_v16.h"
#include "backends/cpu/avx2_end.h"

void kernels_fill_avx2(struct kernels *k) {
    fill_ops(k);
    k->attend = attend;
    k->merge = merge;
    k->recur = recur;
    k->conv = conv;
    avx2_fill_dot(k);
    avx2_fill_gemm(k);
    avx2_fill_float(k);
}

#endif
