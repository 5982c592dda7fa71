// SPDX-License-Identifier: MIT
// AVX-512: how kernels whose lanes are four rows of 256-blocks end. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/v16_avx512.h"

// Four vectors of 16 lanes to four sums.
INLINE __m128i int_sums_of_four(__m512i a, __m512i b, __m512i c, __m512i d) {
    __m512i x = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i y = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i z = _mm512_add_epi32(_mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y));
    __m256i h = _mm256_add_epi32(_mm512_castsi512_si256(z), _mm512_extracti64x4_epi64(z, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
}

INLINE __m128 four_halves(const uint16_t h[4]) {
    __m128i v = _mm_cvtsi32_si128(h[0]);
    v = _mm_insert_epi16(_mm_insert_epi16(_mm_insert_epi16(v, h[1], 1), h[2], 2), h[3], 3);
    return _mm_cvtph_ps(v);
}

// The tree of quant_sum8.
INLINE __m128 sum8_of_four(const __m128 a[8]) {
    __m128 even = _mm_add_ps(_mm_add_ps(a[0], a[4]), _mm_add_ps(a[2], a[6]));
    __m128 odd = _mm_add_ps(_mm_add_ps(a[1], a[5]), _mm_add_ps(a[3], a[7]));
    return _mm_add_ps(even, odd);
}
