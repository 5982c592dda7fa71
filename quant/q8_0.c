// SPDX-License-Identifier: MIT
// Q8_0: 32 elements in 34 bytes (8.5 bits each), from ggml.
//
//     d  half          scale
//     qs 32 int8       element i
//
// element = d * qs
#include "quant/blocks.h"

void quant_read_q8_0(const void *block, struct quant_block32 *out) {
    const struct block_q8_0 *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 128;
    for (int i = 0; i < 32; i++)
        out->q[i] = (uint8_t)(b->qs[i] + 128);
}
