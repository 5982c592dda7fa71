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
#include "backends/cpu/peak.h"

#define STEP_INT(sum, a, b) vdotq_s32(sum, a, b)
PEAK_LOOP(peak_int, int32x4_t, int8x16_t, vdupq_n_s32(0), vdupq_n_s8, STEP_INT)

static void fill(struct kernels *k) {
    fill_dot(k);
    k->peak_int = (struct kernel_peak){"sdot", 32 * PEAK_CHAINS, peak_int};
}
#else
static void fill(struct kernels *k) {
    (void)k;
}
#endif
#include "backends/cpu/arm_end.h"

void kernels_fill_dotprod(struct kernels *k) {
    fill(k);
    dotprod_fill_gemm(k);
}

#endif
