// SPDX-License-Identifier: MIT
// Q1_0: 128 elements in 18 bytes (1.125 bits each), from ggml: signs.
//
//     d  half
//     qs 16 bytes  bit i % 8 of byte i / 8: element i
//
// element = d * (2 bit - 1), read as four runs of 32 with the same scale
#include "quant/blocks.h"

void quant_read_q1_0(const void *block, struct quant_block32 *out) {
    const struct block_q1_0 *b = block;
    for (int r = 0; r < 4; r++) {
        out[r].d = num_f16_to_f32(b->d);
        out[r].zero = 1;
        for (int i = 0; i < 32; i++)
            out[r].q[i] = (uint8_t)((b->qs[4 * r + i / 8] >> i % 8 & 1) << 1);
    }
}
