// SPDX-License-Identifier: MIT
// Q5_1: 32 elements in 24 bytes (6 bits each), from ggml.
//
//     d, m half        scale, minimum
//     qh   4 bytes     bit i: the fifth bit of element i
//     qs   16 bytes    byte i: low nibble element i, high nibble element i + 16
//
// element = d * code + m
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q5_1(const void *block, struct quant_block32 *out) {
    const struct block_q5_1 *b = block;
    out->d = num_f16_to_f32(b->d);
    out->m = num_f16_to_f32(b->m);
    out->has_min = true;
    for (int i = 0; i < 16; i++) {
        out->q[i] = (uint8_t)((b->qs[i] & 15) | (b->qh >> i & 1) << 4);
        out->q[i + 16] = (uint8_t)(b->qs[i] >> 4 | (b->qh >> (i + 16) & 1) << 4);
    }
}

void quant_encode_q5_1(const struct searches *s, const float *x, const float *weights, void *block) {
    struct block_q5_1 *b = block;
    int8_t q[32];
    uint16_t d, m;
    s->affine_half(31, x, weights, 32, &d, &m, q);
    b->d = d;
    b->m = m;
    b->qh = 0;
    for (int i = 0; i < 16; i++) {
        b->qs[i] = (uint8_t)((q[i] & 15) | (q[i + 16] & 15) << 4);
        b->qh |= (uint32_t)(q[i] >> 4) << i | (uint32_t)(q[i + 16] >> 4) << (i + 16);
    }
}
