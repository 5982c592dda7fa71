// SPDX-License-Identifier: MIT
// Q4_1: 32 elements in 20 bytes (5 bits each), from ggml.
//
//     d, m half        scale, minimum
//     qs   16 bytes    byte i: low nibble element i, high nibble element i + 16
//
// element = d * nibble + m
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q4_1(const void *block, struct quant_block32 *out) {
    const struct block_q4_1 *b = block;
    out->d = num_f16_to_f32(b->d);
    out->m = num_f16_to_f32(b->m);
    out->has_min = true;
    for (int i = 0; i < 16; i++) {
        out->q[i] = b->qs[i] & 15;
        out->q[i + 16] = b->qs[i] >> 4;
    }
}

void quant_encode_q4_1(const struct searches *s, const float *x, const float *weights, void *block) {
    struct block_q4_1 *b = block;
    int8_t q[32];
    uint16_t d, m;
    s->affine_half(15, x, weights, 32, &d, &m, q);
    b->d = d;
    b->m = m;
    for (int i = 0; i < 16; i++)
        b->qs[i] = (uint8_t)(q[i] | q[i + 16] << 4);
}
