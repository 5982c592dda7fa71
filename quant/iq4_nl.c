// SPDX-License-Identifier: MIT
// IQ4_NL: 32 elements in 18 bytes (4.5 bits each), from ggml: codes look up one of sixteen uneven levels.
//
//     d  half
//     qs 16 bytes  byte i: low nibble element i, high nibble element i + 16
//
// element = d * level[code]
#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

void quant_read_iq4_nl(const void *block, struct quant_block32 *out) {
    const struct block_iq4_nl *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 128;
    for (int i = 0; i < 16; i++) {
        out->q[i] = (uint8_t)(grid_nonlinear[b->qs[i] & 15] + 128);
        out->q[i + 16] = (uint8_t)(grid_nonlinear[b->qs[i] >> 4] + 128);
    }
}

void quant_encode_iq4_nl(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct search_levels levels = {.lo = -127, .hi = 113, .uneven = grid_nonlinear};
    static const struct search_effort effort = {16, 0.75f, 1.5f, 3};
    struct block_iq4_nl *b = block;
    int8_t level[32];
    b->d = s->half_scale(&levels, &effort, x, weights, 32, level);
    for (int i = 0; i < 16; i++)
        b->qs[i] = (uint8_t)(grid_nonlinear_code(level[i]) | grid_nonlinear_code(level[i + 16]) << 4);
}
