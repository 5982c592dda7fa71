// SPDX-License-Identifier: MIT
// Q6_K: 256 elements in 210 bytes (6.5625 bits each), from ggml: sixteen sub-blocks of 16 with a scale of 8 bits.
//
//     ql     128 bytes  low four bits: two runs of 64 bytes for 128 elements each; byte i of a run: low nibble element
//     i,
//                       high nibble element i + 64
//     qh     64 bytes   upper two bits: two runs of 32 bytes; bit pair p of byte i: element i + 32 p of the run
//     scales 16 int8
//     d      half
//
// element = d * scale * (code - 32)
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q6_k(const void *block, struct quant_block256 *out) {
    const struct block_q6_k *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 32;
    memcpy(out->scale, b->scales, sizeof out->scale);
    for (int i = 0; i < 256; i++) {
        int run = i / 128, at = i % 128;
        int low = b->ql[64 * run + at % 64] >> (at < 64 ? 0 : 4) & 15;
        int high = b->qh[32 * run + at % 32] >> 2 * (at / 32) & 3;
        out->q[i] = (uint8_t)(low | high << 4);
    }
}

void quant_encode_q6_k(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct search_block search = {
        .levels = {.lo = -32, .hi = 31}, .effort = {8, 0.9f, 1.15f, 1}, .sub_len = 16, .least = -128, .most = 127};
    struct block_q6_k *b = block;
    int8_t level[256];
    memset(b, 0, sizeof *b);
    b->d = s->block(&search, x, weights, b->scales, level);
    for (int i = 0; i < 256; i++) {
        int run = i / 128, at = i % 128, code = level[i] + 32;
        b->ql[64 * run + at % 64] |= (uint8_t)((code & 15) << (at < 64 ? 0 : 4));
        b->qh[32 * run + at % 32] |= (uint8_t)(code >> 4 << 2 * (at / 32));
    }
}
