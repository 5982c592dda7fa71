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
#include "quant/search.h"

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

// The code of one of the levels of grid_e2m1.
static int code_of(int level) {
    int code = 0;
    while (grid_e2m1[code] != level)
        code++;
    return code;
}

// Four exponents: at the largest, level 12 is beyond the largest element, and the levels of a larger one would all be
// among its own.
void quant_encode_mxfp4(const float *x, const float *weights, void *block) {
    struct block_mxfp4 *b = block;
    float top = 0, unit[32], least = INFINITY;
    int8_t level[32] = {0};
    for (int i = 0; i < 32; i++)
        top = fabsf(x[i]) > top ? fabsf(x[i]) : top;
    int exponent = top > 0 ? ilogbf(top) : -200;
    // The arithmetic is done near 1, so that errors of the largest and smallest numbers have squares.
    for (int i = 0; i < 32; i++)
        unit[i] = ldexpf(x[i], -exponent);
    b->e = 0;
    for (int step = -5; step <= -2; step++) {
        int e = exponent + step + 128;
        if (e < 0 || e > LARGEST_E)
            continue;
        struct search_fit f = search_nearest(&search_e2m1, unit, weights, 32, ldexpf(1, step), NULL);
        if (f.error < least) {
            least = f.error;
            b->e = (uint8_t)e;
        }
    }
    search_nearest(&search_e2m1, unit, weights, 32, ldexpf(1, b->e - 128 - exponent), level);
    for (int i = 0; i < 16; i++)
        b->qs[i] = (uint8_t)(code_of(level[i]) | code_of(level[i + 16]) << 4);
}
