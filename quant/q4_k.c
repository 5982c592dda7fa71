// SPDX-License-Identifier: MIT
// Q4_K: 256 elements in 144 bytes (4.5 bits each), from ggml: eight sub-blocks of 32 with scale and minimum of 6 bits.
//
//     d, dmin half      scale of the scales, of the minimums
//     scales  12 bytes  six bits each (scales6.c)
//     qs      128 bytes four runs of 32 bytes; byte i of run r: low nibble element 64 r + i, high nibble 64 r + 32 + i
//
// element = d * scale * nibble - dmin * minimum
#include "quant/blocks.h"
#include "quant/searches.h"

void quant_read_q4_k(const void *block, struct quant_block256 *out) {
    const struct block_q4_k *b = block;
    out->d = num_f16_to_f32(b->d);
    out->dmin = num_f16_to_f32(b->dmin);
    out->has_min = true;
    quant_read_scales6(b->scales, out);
    for (int i = 0; i < 128; i++) {
        int element = i / 32 * 64 + i % 32;
        out->q[element] = b->qs[i] & 15;
        out->q[element + 32] = b->qs[i] >> 4;
    }
}

void quant_encode_q4_k(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct search_affine_block search = {.hi = 15, .sub_len = 32, .most = 63};
    struct block_q4_k *b = block;
    uint8_t scale[16], min[16];
    int8_t q[256];
    uint16_t d, dmin;
    s->affine_block(&search, x, weights, &d, &dmin, scale, min, q);
    b->d = d;
    b->dmin = dmin;
    quant_write_scales6(scale, min, b->scales);
    for (int i = 0; i < 128; i++) {
        int element = i / 32 * 64 + i % 32;
        b->qs[i] = (uint8_t)(q[element] | q[element + 32] << 4);
    }
}
