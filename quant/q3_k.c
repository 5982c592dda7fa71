// SPDX-License-Identifier: MIT
// Q3_K: 256 elements in 110 bytes (3.4375 bits each), from ggml: sixteen sub-blocks of 16 with a scale of six bits.
//
//     hmask  32 bytes  bit p of byte i: the third bit of element i + 32 p
//     qs     64 bytes  two runs of 32 bytes for 128 elements each; bit pair p of byte i of a run: element i + 32 p
//     scales 12 bytes  low four bits: sub-blocks 0..7 low nibbles of bytes 0..7, 8..15 high nibbles; upper two bits:
//     bit
//                      pair j / 4 of byte 8 + j % 4
//     d      half
//
// element = d * (scale - 32) * (code - 4)
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q3_k(const void *block, struct quant_block256 *out) {
    const struct block_q3_k *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 4;
    for (int j = 0; j < 16; j++) {
        int low = b->scales[j % 8] >> j / 8 * 4 & 15, high = b->scales[8 + j % 4] >> j / 4 * 2 & 3;
        out->scale[j] = (int8_t)((low | high << 4) - 32);
    }
    for (int i = 0; i < 256; i++) {
        int low = b->qs[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3, high = b->hmask[i % 32] >> i / 32 & 1;
        out->q[i] = (uint8_t)(low | high << 2);
    }
}

void quant_encode_q3_k(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct search_block search = {
        .levels = {.lo = -4, .hi = 3}, .effort = {12, 0.7f, 1.8f, 2}, .sub_len = 16, .least = -32, .most = 31};
    struct block_q3_k *b = block;
    int8_t scale[16], level[256];
    memset(b, 0, sizeof *b);
    b->d = s->block(&search, x, weights, scale, level);
    for (int j = 0; j < 16; j++) {
        int code = scale[j] + 32;
        b->scales[j % 8] |= (uint8_t)((code & 15) << j / 8 * 4);
        b->scales[8 + j % 4] |= (uint8_t)(code >> 4 << j / 4 * 2);
    }
    for (int i = 0; i < 256; i++) {
        int code = level[i] + 4;
        b->qs[i / 128 * 32 + i % 32] |= (uint8_t)((code & 3) << i % 128 / 32 * 2);
        b->hmask[i % 32] |= (uint8_t)(code >> 2 << i / 32);
    }
}
