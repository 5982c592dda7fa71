// SPDX-License-Identifier: MIT
// BF16: the upper half of an IEEE 754 binary32, little-endian.
#include "quant/blocks.h"

void quant_read_bf16(const void *row, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, (const char *)row + i * sizeof h, sizeof h);
        out[i] = num_bf16_to_f32(h);
    }
}
