// SPDX-License-Identifier: MIT
// AVX2, few columns: vectors whose halves are of blocks or sub-blocks four apart, and the columns for them. Included
// between avx2_begin.h and avx2_end.h.
#pragma once

#include "backends/cpu/avx2_codes.h"

// The 16 bytes at p and those `distance` bytes on.
INLINE __m256i two_128(const char *p, size_t distance) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)p)),
                                   _mm_loadu_si128((const void *)(p + distance)), 1);
}

INLINE __m256i add_in_pairs(__m256i v) {
    return _mm256_madd_epi16(v, _mm256_set1_epi16(1));
}

INLINE __m128i load_16(const void *p) {
    return _mm_loadu_si128(p);
}

// The activations of two halves of a vector.
INLINE void put_halves(int8_t *out, __m128i low, __m128i high) {
    _mm_storeu_si128((void *)out, low);
    _mm_storeu_si128((void *)(out + 16), high);
}

// Sixteen elements of the first half of 256, sixteen of the second half, the next sixteen of the first ...
INLINE void order_halves(const int8_t *x, int8_t *out) {
    UNROLL for (int i = 0; i < 8; i++) put_halves(out + 32 * i, load_16(x + 16 * i), load_16(x + 128 + 16 * i));
}

// The same for signed codes: behind it all sizes, without signs.
INLINE void order_signed(const int8_t *x, int8_t *out) {
    order_halves(x, out);
    UNROLL for (int i = 0; i < 256; i += 32) {
        __m256i v = _mm256_abs_epi8(_mm256_loadu_si256((const void *)(out + i)));
        _mm256_storeu_si256((void *)(out + 256 + i), v);
    }
}

// Codes above -128 times activations at x of order_signed, added in pairs in 16 bits.
INLINE __m256i signed_products(__m256i codes, const int8_t *x) {
    __m256i size = _mm256_loadu_si256((const void *)(x + 256));
    return _mm256_maddubs_epi16(size, _mm256_sign_epi8(codes, _mm256_loadu_si256((const void *)x)));
}
