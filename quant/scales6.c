// SPDX-License-Identifier: MIT
// Scales and minimums of six bits, shared by Q4_K and Q5_K: eight each in twelve bytes.
//
//     sub-blocks 0..3   byte j: low six bits scale; byte j + 4: low six bits minimum
//     sub-blocks 4..7   byte j + 4: low nibble scale, high nibble minimum; the upper two bits of the scale on top of
//     byte
//                       j - 4, those of the minimum on top of byte j
#include "quant/blocks.h"

void quant_read_scales6(const uint8_t s[12], struct quant_block256 *out) {
    for (int j = 0; j < 8; j++) {
        int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        int min = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
        out->scale[2 * j] = out->scale[2 * j + 1] = (int8_t)scale;
        out->min[2 * j] = out->min[2 * j + 1] = (uint8_t)min;
    }
}

void quant_write_scales6(const uint8_t scale[8], const uint8_t min[8], uint8_t s[12]) {
    for (int j = 0; j < 4; j++) {
        s[j] = (uint8_t)(scale[j] | scale[j + 4] >> 4 << 6);
        s[j + 4] = (uint8_t)(min[j] | min[j + 4] >> 4 << 6);
        s[j + 8] = (uint8_t)((scale[j + 4] & 15) | min[j + 4] << 4);
    }
}
