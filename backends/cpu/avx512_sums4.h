// SPDX-License-Identifier: MIT
// AVX-512: how kernels whose lanes are sums of four rows or runs end. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/v16_avx512.h"

// Four vectors of four lanes for each of four sums: sum q of vector s goes to lane 4 q + s.
INLINE __m512i sums_of_fours(const __m512i v[4]) {
    __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
    __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
    return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

// Four vectors of 16 lanes to four sums.
INLINE __m128i int_sums_of_four(const __m512i v[4]) {
    __m512i z = sums_of_fours(v);
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
