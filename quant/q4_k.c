// SPDX-License-Identifier: MIT
// Q4_K: 256 elements in 144 bytes (4.5 bits each), from ggml: eight sub-blocks of 32 with scale and minimum of 6 bits.
//
//     d, dmin half      scale of the scales, of the minimums
//     scales  12 bytes  sub-blocks 0..3: byte j scale, byte j + 4 minimum, six bits each; sub-blocks 4..7: byte j + 4
//     low
//                       nibble scale, high nibble minimum, their upper two bits on top of bytes j - 4 and j
//     qs      128 bytes four runs of 32 bytes; byte i of run r: low nibble element 64 r + i, high nibble 64 r + 32 + i
//
// element = d * scale * nibble - dmin * minimum
#include "quant/blocks.h"

static void read_scales(const uint8_t s[12], struct quant_block256 *out) {
    for (int j = 0; j < 8; j++) {
        int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        int min = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
        out->scale[2 * j] = out->scale[2 * j + 1] = (int8_t)scale;
        out->min[2 * j] = out->min[2 * j + 1] = (uint8_t)min;
    }
}

void quant_read_q4_k(const void *block, struct quant_block256 *out) {
    const struct block_q4_k *b = block;
    out->d = num_f16_to_f32(b->d);
    out->dmin = num_f16_to_f32(b->dmin);
    out->has_min = true;
    read_scales(b->scales, out);
    for (int i = 0; i < 128; i++) {
        int element = i / 32 * 64 + i % 32;
        out->q[element] = b->qs[i] & 15;
        out->q[element + 32] = b->qs[i] >> 4;
    }
}
