// SPDX-License-Identifier: MIT
// MXFP4: 32 elements in 17 bytes (4.25 bits each): the OCP Microscaling format with elements E2M1 and scales E8M0, in
// ggml's order.
//
//     e  1 byte    the scale is 2^(e - 127)
//     qs 16 bytes  byte i: low nibble element i, high nibble element i + 16; a sign and one of 0, 1/2, 1, 3/2, 2, 3, 4,
//     6
//
// element = 2^(e - 127) * value, read as 2^(e - 128) * (2 value)
#include <math.h>

#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

// The largest exponent at which level 12 is finite.
#define LARGEST_E 252

// 2^(e - 128): for e under 2 a subnormal number.
static float half_scale(uint8_t e) {
    return num_float(e < 2 ? 0x200000u << e : (e - 1u) << 23);
}

void quant_read_mxfp4(const void *block, struct quant_block32 *out) {
    const struct block_mxfp4 *b = block;
    out->d = half_scale(b->e);
    out->zero = 12;
    for (int i = 0; i < 16; i++) {
        out->q[i] = (uint8_t)(grid_e2m1[b->qs[i] & 15] + 12);
        out->q[i + 16] = (uint8_t)(grid_e2m1[b->qs[i] >> 4] + 12);
    }
}

// The exponent of the number, as far as it and its inverse are normal numbers.
static int exponent_of(float x) {
    int biased = (int)(num_bits(x) >> 23 & 255);
    return biased < 1 ? -126 : biased > 253 ? 126 : biased - 127;
}

// 2^e for e in -126 .. 127.
static float power_of_two(int e) {
    return num_float((uint32_t)(e + 127) << 23);
}

// Four exponents: at the largest, level 12 is beyond the largest element, and the levels of a larger one would all be
// among its own. The arithmetic is done near 1, so that errors of the largest and smallest numbers have squares.
void quant_encode_mxfp4(const struct searches *s, const float *x, const float *weights, void *block) {
    static const float scale[8] = {0x1p-5f, 0x1p-4f, 0x1p-3f, 0x1p-2f, 0x1p-5f, 0x1p-4f, 0x1p-3f, 0x1p-2f};
    struct block_mxfp4 *b = block;
    float unit[32], error[8], least = INFINITY;
    int8_t level[32];
    const int exponent = exponent_of(search_largest(x, 32));
    const float one = power_of_two(-exponent);
    for (int i = 0; i < 32; i++)
        unit[i] = x[i] * one;
    s->errors(&search_e2m1, unit, weights, 32, scale, error);
    b->e = 0;
    for (int k = 0; k < 4; k++) {
        int e = exponent + k - 5 + 128;
        if (e >= 0 && e <= LARGEST_E && error[k] < least) {
            least = error[k];
            b->e = (uint8_t)e;
        }
    }
    s->nearest(&search_e2m1, unit, weights, 32, power_of_two(b->e - 128 - exponent), level);
    for (int i = 0; i < 16; i++)
        b->qs[i] = (uint8_t)(grid_e2m1_code(level[i]) | grid_e2m1_code(level[i + 16]) << 4);
}
