// SPDX-License-Identifier: MIT
// The NEON level: integer products with the multiplications that every 64-bit ARM has.
#if defined(__aarch64__)
#include "backends/cpu/neon.h"
#include "backends/cpu/neon_dot.h"

// Sixteen bits hold two products: 2 * 128 * 127.
INLINE int32x4_t dot16(int32x4_t acc, int8x16_t codes, int8x16_t x) {
    int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(x));
    return vpadalq_s16(acc, vmlal_high_s8(low, codes, x));
}

void neon_fill_dot(struct kernels *k) {
    fill_dot(k);
}

#endif
