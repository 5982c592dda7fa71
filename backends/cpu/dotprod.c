// SPDX-License-Identifier: MIT
// The dotprod level: integer products with SDOT, which adds four products of bytes to each of four sums.
#if defined(__aarch64__)
#include "backends/cpu/neon.h"

#include "backends/cpu/dotprod_begin.h"
#ifndef NO_DOTPROD
#include "backends/cpu/neon_dot.h"

INLINE int32x4_t dot16(int32x4_t acc, int8x16_t codes, int8x16_t x) {
    return vdotq_s32(acc, codes, x);
}
#else
static void fill_dot(struct kernels *k) {
    (void)k;
}
#endif
#include "backends/cpu/arm_end.h"

void kernels_fill_dotprod(struct kernels *k) {
    fill_dot(k);
    dotprod_fill_gemm(k);
}

#endif
