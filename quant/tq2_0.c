// SPDX-License-Identifier: MIT
// TQ2_0: 256 elements in 66 bytes (2.0625 bits each), from ggml: ternary numbers of two bits.
//
//     qs 64 bytes  two runs of 32 bytes for 128 elements each; bit pair p of byte i of a run: element i + 32 p
//     d  half
//
// element = d * (code - 1)
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_tq2_0(const void *block, struct quant_block256 *out) {
    const struct block_tq2_0 *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 1;
    memset(out->scale, 1, sizeof out->scale);
    for (int i = 0; i < 256; i++)
        out->q[i] = b->qs[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

void quant_encode_tq2_0(const struct searches *s, const float *x, const float *weights, void *block) {
    struct block_tq2_0 *b = block;
    int8_t digit[256];
    b->d = s->ternary(x, weights, digit);
    memset(b->qs, 0, sizeof b->qs);
    for (int i = 0; i < 256; i++)
        b->qs[i / 128 * 32 + i % 32] |= (uint8_t)((digit[i] + 1) << i % 128 / 32 * 2);
}
