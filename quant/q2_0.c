// SPDX-License-Identifier: MIT
// Q2_0: 64 elements in 18 bytes (2.25 bits each), from ggml: levels -1, 0, 1, 2.
//
//     d  half
//     qs 16 bytes  bit pair i % 4 of byte i / 4: element i
//
// element = d * (code - 1), read as two runs of 32 with the same scale
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q2_0(const void *block, struct quant_block32 *out) {
    const struct block_q2_0 *b = block;
    for (int r = 0; r < 2; r++) {
        out[r].d = num_f16_to_f32(b->d);
        out[r].zero = 1;
        for (int i = 0; i < 32; i++)
            out[r].q[i] = b->qs[8 * r + i / 4] >> i % 4 * 2 & 3;
    }
}

void quant_encode_q2_0(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct search_levels levels = {.lo = -1, .hi = 2};
    static const struct search_effort effort = {8, 0.6f, 2.7f, 3};
    struct block_q2_0 *b = block;
    int8_t q[64];
    b->d = s->half_scale(&levels, &effort, x, weights, 64, q);
    memset(b->qs, 0, sizeof b->qs);
    for (int i = 0; i < 64; i++)
        b->qs[i / 4] |= (uint8_t)((q[i] + 1) << i % 4 * 2);
}
