// SPDX-License-Identifier: MIT
// Q8_0: 32 elements in 34 bytes (8.5 bits each), from ggml.
//
//     d  half          scale
//     qs 32 int8       element i
//
// element = d * qs
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q8_0(const void *block, struct quant_block32 *out) {
    const struct block_q8_0 *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 128;
    for (int i = 0; i < 32; i++)
        out->q[i] = (uint8_t)(b->qs[i] + 128);
}

void quant_encode_q8_0(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct search_levels levels = {.lo = -127, .hi = 127};
    static const struct search_effort effort = {8, 1.0f, 1.04f, 0};
    struct block_q8_0 *b = block;
    b->d = s->half_scale(&levels, &effort, x, weights, 32, b->qs);
}
