// SPDX-License-Identifier: MIT
// Q1_0: 128 elements in 18 bytes (1.125 bits each), from ggml: signs.
//
//     d  half
//     qs 16 bytes  bit i % 8 of byte i / 8: element i
//
// element = d * (2 bit - 1), read as four runs of 32 with the same scale
#include <math.h>

#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q1_0(const void *block, struct quant_block32 *out) {
    const struct block_q1_0 *b = block;
    for (int r = 0; r < 4; r++) {
        out[r].d = num_f16_to_f32(b->d);
        out[r].zero = 1;
        for (int i = 0; i < 32; i++)
            out[r].q[i] = (uint8_t)((b->qs[4 * r + i / 8] >> i % 8 & 1) << 1);
    }
}

// The best scale for signs is the mean magnitude.
void quant_encode_q1_0(const struct searches *s, const float *x, const float *weights, void *block) {
    (void)s; // there is nothing to search
    struct block_q1_0 *b = block;
    float sum = 0, total = 0;
    memset(b, 0, sizeof *b);
    for (int i = 0; i < 128; i++) {
        sum += weights[i] * fabsf(x[i]);
        total += weights[i];
        b->qs[i / 8] |= (uint8_t)((x[i] >= 0) << i % 8);
    }
    b->d = search_half(sum / total);
}
