// SPDX-License-Identifier: MIT
// Q4_0: 32 elements in 18 bytes (4.5 bits each), from ggml.
//
//     d  half          scale
//     qs 16 bytes      byte i: low nibble element i, high nibble element i + 16
//
// element = d * (nibble - 8)
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q4_0(const void *block, struct quant_block32 *out) {
    const struct block_q4_0 *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 8;
    for (int i = 0; i < 16; i++) {
        out->q[i] = b->qs[i] & 15;
        out->q[i + 16] = b->qs[i] >> 4;
    }
}

void quant_encode_q4_0(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct search_levels levels = {.lo = -8, .hi = 7};
    static const struct search_effort effort = {16, 0.8f, 1.5f, 3};
    struct block_q4_0 *b = block;
    int8_t q[32];
    b->d = s->half_scale(&levels, &effort, x, weights, 32, q);
    for (int i = 0; i < 16; i++)
        b->qs[i] = (uint8_t)((q[i] + 8) | (q[i + 16] + 8) << 4);
}
