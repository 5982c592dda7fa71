// SPDX-License-Identifier: MIT
// Q5_0: 32 elements in 22 bytes (5.5 bits each), from ggml.
//
//     d  half          scale
//     qh 4 bytes       bit i: the fifth bit of element i
//     qs 16 bytes      byte i: low nibble element i, high nibble element i + 16
//
// element = d * (code - 16)
#include "quant/blocks.h"

void quant_read_q5_0(const void *block, struct quant_block32 *out) {
    const struct block_q5_0 *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 16;
    for (int i = 0; i < 16; i++) {
        out->q[i] = (uint8_t)((b->qs[i] & 15) | (b->qh >> i & 1) << 4);
        out->q[i + 16] = (uint8_t)(b->qs[i] >> 4 | (b->qh >> (i + 16) & 1) << 4);
    }
}
