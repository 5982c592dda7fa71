// SPDX-License-Identifier: MIT
// AVX-512: the orders of a column that one-column kernels of 32-blocks and of 256-blocks both want. Included between
// avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/vector.h"

INLINE __m512i load512(const void *p) {
    return _mm512_loadu_si512(p);
}

INLINE __m512i two_vectors(__m256i a, __m256i b) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
}

INLINE __m512i two_256(const char *a, const char *b) {
    return two_vectors(_mm256_loadu_si256((const void *)a), _mm256_loadu_si256((const void *)b));
}

// Vector k: elements 32 k .. 32 k + 31, then those 128 behind them.
INLINE void order_planes(const int8_t *x, __m512i out[4]) {
    UNROLL for (int k = 0; k < 4; k++) out[k] = two_256((const char *)x + 32 * k, (const char *)x + 32 * k + 128);
}

// Of each 128 elements the first sixteen of each 32, then the second ones.
INLINE void order_halves(const int8_t *x, __m512i out[4]) {
    UNROLL for (int i = 0; i < 2; i++) {
        __m512i a = load512(x + 128 * i), b = load512(x + 128 * i + 64);
        out[2 * i] = _mm512_shuffle_i32x4(a, b, 0x88);
        out[2 * i + 1] = _mm512_shuffle_i32x4(a, b, 0xdd);
    }
}
