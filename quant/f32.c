// SPDX-License-Identifier: MIT
// F32: IEEE 754 binary32, little-endian.
#include "quant/blocks.h"

void quant_read_f32(const void *row, float *out, size_t n) {
    memcpy(out, row, n * sizeof *out);
}

void quant_write_f32(const float *x, void *row, size_t n) {
    memcpy(row, x, n * sizeof *x);
}
