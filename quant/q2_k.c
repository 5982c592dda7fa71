// SPDX-License-Identifier: MIT
// Q2_K: 256 elements in 84 bytes (2.625 bits each), from ggml: sixteen sub-blocks of 16 with scale and minimum of four
// bits.
//
//     scales  16 bytes  sub-block j: low nibble scale, high nibble minimum
//     qs      64 bytes  two runs of 32 bytes for 128 elements each; bit pair p of byte i of a run: element i + 32 p
//     d, dmin half      scale of the scales, of the minimums
//
// element = d * scale * code - dmin * minimum
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q2_k(const void *block, struct quant_block256 *out) {
    const struct block_q2_k *b = block;
    out->d = num_f16_to_f32(b->d);
    out->dmin = num_f16_to_f32(b->dmin);
    out->has_min = true;
    for (int j = 0; j < 16; j++) {
        out->scale[j] = b->scales[j] & 15;
        out->min[j] = b->scales[j] >> 4;
    }
    for (int i = 0; i < 256; i++)
        out->q[i] = b->qs[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

void quant_encode_q2_k(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct search_affine_block search = {.hi = 3, .sub_len = 16, .most = 15};
    struct block_q2_k *b = block;
    uint8_t scale[16], min[16];
    int8_t q[256];
    uint16_t d, dmin;
    s->affine_block(&search, x, weights, &d, &dmin, scale, min, q);
    memset(b, 0, sizeof *b);
    b->d = d;
    b->dmin = dmin;
    for (int j = 0; j < 16; j++)
        b->scales[j] = (uint8_t)(scale[j] | min[j] << 4);
    for (int i = 0; i < 256; i++)
        b->qs[i / 128 * 32 + i % 32] |= (uint8_t)(q[i] << i % 128 / 32 * 2);
}
