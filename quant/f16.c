// SPDX-License-Identifier: MIT
// F16: IEEE 754 binary16, little-endian.
#include "quant/blocks.h"

void quant_read_f16(const void *row, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, (const char *)row + i * sizeof h, sizeof h);
        out[i] = num_f16_to_f32(h);
    }
}

void quant_write_f16(const float *x, void *row, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h = num_f32_to_f16(x[i]);
        memcpy((char *)row + i * sizeof h, &h, sizeof h);
    }
}
