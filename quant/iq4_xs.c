// SPDX-License-Identifier: MIT
// IQ4_XS: 256 elements in 136 bytes (4.25 bits each), from ggml: the levels of IQ4_NL in eight sub-blocks of 32 with a
// scale of six bits.
//
//     d        half
//     scales_h 16 bits   bit pair j: the upper bits of scale j
//     scales_l 4 bytes   byte j: low nibble of scale 2 j, then of 2 j + 1
//     qs       128 bytes byte i of run j of 16: low nibble element 32 j + i, high nibble 32 j + i + 16
//
// element = d * (scale - 32) * level[code]
#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

void quant_read_iq4_xs(const void *block, struct quant_block256 *out) {
    const struct block_iq4_xs *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 128;
    for (int j = 0; j < 8; j++) {
        int scale = (b->scales_l[j / 2] >> j % 2 * 4 & 15) | (b->scales_h >> 2 * j & 3) << 4;
        out->scale[2 * j] = out->scale[2 * j + 1] = (int8_t)(scale - 32);
    }
    for (int i = 0; i < 128; i++) {
        int element = i / 16 * 32 + i % 16;
        out->q[element] = (uint8_t)(grid_nonlinear[b->qs[i] & 15] + 128);
        out->q[element + 16] = (uint8_t)(grid_nonlinear[b->qs[i] >> 4] + 128);
    }
}

void quant_encode_iq4_xs(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct search_block search = {
        .levels = {.lo = -127, .hi = 113, .uneven = grid_nonlinear},
        .effort = {16, 0.75f, 1.5f, 3},
        .sub_len = 32,
        .least = -32,
        .most = 31,
    };
    struct block_iq4_xs *b = block;
    int8_t scale[16], level[256];
    b->d = s->block(&search, x, weights, scale, level);
    b->scales_h = 0;
    memset(b->scales_l, 0, sizeof b->scales_l);
    for (int j = 0; j < 8; j++) {
        int code = scale[j] + 32;
        b->scales_l[j / 2] |= (uint8_t)((code & 15) << j % 2 * 4);
        b->scales_h = (uint16_t)(b->scales_h | code >> 4 << 2 * j);
    }
    for (int i = 0; i < 128; i++) {
        const int8_t *pair = level + i / 16 * 32 + i % 16;
        b->qs[i] = (uint8_t)(grid_nonlinear_code(pair[0]) | grid_nonlinear_code(pair[16]) << 4);
    }
}
