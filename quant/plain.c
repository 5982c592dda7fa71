// SPDX-License-Identifier: MIT
// I8, I16, I32, I64 and F64: plain numbers, little-endian. No weights are made of them; tools decode them to float32.
#include "quant/blocks.h"

#define PLAIN(sym, type)                                                                                               \
    void quant_read_##sym(const void *row, float *out, size_t n) {                                                     \
        for (size_t i = 0; i < n; i++) {                                                                               \
            type v;                                                                                                    \
            memcpy(&v, (const char *)row + i * sizeof v, sizeof v);                                                    \
            out[i] = (float)v;                                                                                         \
        }                                                                                                              \
    }

PLAIN(i8, int8_t)
PLAIN(i16, int16_t)
PLAIN(i32, int32_t)
PLAIN(i64, int64_t)
PLAIN(f64, double)
