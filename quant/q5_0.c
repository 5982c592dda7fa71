// SPDX-License-Identifier: MIT
// Q5_0: 32 elements in 22 bytes (5.5 bits each), from ggml.
//
//     d  half          scale
//     qh 4 bytes       bit i: the fifth bit of element i
//     qs 16 bytes      byte i: low nibble element i, high nibble element i + 16
//
// element = d * (code - 16)
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q5_0(const void *block, struct quant_block32 *out) {
    const struct block_q5_0 *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 16;
    for (int i = 0; i < 16; i++) {
        out->q[i] = (uint8_t)((b->qs[i] & 15) | (b->qh >> i & 1) << 4);
        out->q[i + 16] = (uint8_t)(b->qs[i] >> 4 | (b->qh >> (i + 16) & 1) << 4);
    }
}

void quant_encode_q5_0(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct search_levels levels = {.lo = -16, .hi = 15};
    static const struct search_effort effort = {16, 0.9f, 1.3f, 3};
    struct block_q5_0 *b = block;
    int8_t q[32];
    b->d = s->half_scale(&levels, &effort, x, weights, 32, q);
    b->qh = 0;
    for (int i = 0; i < 16; i++) {
        int low = q[i] + 16, high = q[i + 16] + 16;
        b->qs[i] = (uint8_t)((low & 15) | (high & 15) << 4);
        b->qh |= (uint32_t)(low >> 4) << i | (uint32_t)(high >> 4) << (i + 16);
    }
}
