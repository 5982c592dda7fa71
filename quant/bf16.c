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

// Ties to even; x is finite.
static uint16_t to_bf16(float x) {
    uint32_t bits = num_bits(x);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void quant_write_bf16(const float *x, void *row, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h = to_bf16(x[i]);
        memcpy((char *)row + i * sizeof h, &h, sizeof h);
    }
}
