// SPDX-License-Identifier: MIT
// AVX-512: the readers of formats with codebooks. Points are gathered from the packed codebooks, eight points of eight
// values or sixteen of four for 64 elements; their fields are spread to bytes and turned to values by a table look-up
// in a register. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_codes256.h"

// Eight points of eight values of two bits each by their 32-bit indices, spread to bytes. Four points are read at each
// place: grids have three more at their end.
INLINE __m512i spread_fields8(const uint16_t *grid, __m256i index) {
    __m512i v = _mm512_i32gather_epi64(index, grid, 2);
    v = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x0e0c0a0806040200), v);
    return _mm512_and_si512(v, _mm512_set1_epi8(3));
}

// Sixteen points of four values of three bits each, spread to bytes.
INLINE __m512i spread_fields4(const uint16_t *grid, __m512i index) {
    __m512i v = _mm512_i32gather_epi32(index, grid, 2);
    v = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x2926232009060300), v);
    return _mm512_and_si512(v, _mm512_set1_epi8(7));
}

// Codes around GRID_ZERO from indices of values and a bit of sign each.
INLINE __m512i signed_values(__m512i index, const uint8_t *values, size_t n_values, uint64_t signs) {
    uint64_t bytes = 0;
    memcpy(&bytes, values, n_values);
    const __m512i zero = _mm512_set1_epi8(GRID_ZERO);
    __m512i v = _mm512_shuffle_epi8(_mm512_set1_epi64((long long)bytes), index);
    return _mm512_mask_sub_epi8(_mm512_add_epi8(zero, v), signs, zero, v);
}

// Sets the eighth bit of bytes whose seven bits have an odd number of ones.
INLINE __m256i even_signs(__m256i seven) {
    const __m128i odd = _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0);
    const __m256i table = _mm256_broadcastsi128_si256(odd);
    __m256i low = _mm256_and_si256(seven, _mm256_set1_epi8(15));
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(seven, 4), _mm256_set1_epi8(7));
    __m256i parity = _mm256_xor_si256(_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high));
    return _mm256_or_si256(_mm256_and_si256(seven, _mm256_set1_epi8(127)), parity);
}

// The signs of a block from eight words with four times seven bits each, from bit `at` of a 64-bit lane on.
INLINE __m256i signs_of_words(__m512i words, int at) {
    const __m512i fields = _mm512_set1_epi64(0x150e0700 + 0x01010101ll * at);
    return even_signs(_mm512_cvtepi64_epi32(_mm512_multishift_epi64_epi8(fields, words)));
}

// The i-th 64 bits.
INLINE uint64_t quarter(__m256i v, int i) {
    __m128i half = i / 2 ? _mm256_extracti128_si256(v, 1) : _mm256_castsi256_si128(v);
    return (uint64_t)_mm_cvtsi128_si64(i % 2 ? _mm_unpackhi_epi64(half, half) : half);
}

INLINE uint64_t word64_at(const char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE uint32_t word32_at(const char *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE __m128i eight_bytes(const char *p) {
    return _mm_loadl_epi64((const void *)p);
}

// A run of IQ2_XXS is eight bytes: four points, then signs and the scale.
INLINE __m512i codes_iq2_xxs(const char *b, int i) {
    __m512i runs = _mm512_loadu_si512(b + offsetof(struct block_iq2_xxs, runs));
    __m256i points = _mm512_cvtepi64_epi32(runs);
    __m128i half = i / 2 ? _mm256_extracti128_si256(points, 1) : _mm256_castsi256_si128(points);
    __m256i index = _mm256_cvtepu8_epi32(i % 2 ? _mm_unpackhi_epi64(half, half) : half);
    uint64_t signs = quarter(signs_of_words(runs, 32), i);
    return signed_values(spread_fields8(grid_iq2_xxs, index), grid_values_iq2, 4, signs);
}

INLINE __m128i scales_iq2_xxs(const char *b) {
    __m512i runs = _mm512_loadu_si512(b + offsetof(struct block_iq2_xxs, runs));
    return odd_scales(bytes_twice(_mm512_cvtepi64_epi8(_mm512_srli_epi64(runs, 60))));
}

INLINE __m512i codes_iq2_xs(const char *b, int i) {
    const char *qs = b + offsetof(struct block_iq2_xs, qs);
    __m128i words = _mm_loadu_si128((const void *)(qs + 16 * i));
    __m256i index = _mm256_cvtepu16_epi32(_mm_and_si128(words, _mm_set1_epi16(511)));
    __m256i seven = _mm512_cvtepi16_epi8(_mm512_srli_epi16(_mm512_loadu_si512(qs), 9));
    uint64_t signs = quarter(even_signs(seven), i);
    return signed_values(spread_fields8(grid_iq2_xs, index), grid_values_iq2, 4, signs);
}

INLINE __m128i scales_iq2_xs(const char *b) {
    return odd_scales(nibbles_in_order(b + offsetof(struct block_iq2_xs, scales), 8));
}

INLINE __m512i codes_iq2_s(const char *b, int i) {
    __m128i low = _mm_cvtepu8_epi16(eight_bytes(b + offsetof(struct block_iq2_s, qs) + 8 * i));
    // Two bits of qh each, moved to bits 8 and 9.
    __m128i qh = _mm_cvtepu8_epi16(_mm_cvtsi32_si128(half_at(b + offsetof(struct block_iq2_s, qh) + 2 * i)));
    qh = _mm_shuffle_epi8(qh, _mm_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3));
    qh = _mm_sllv_epi16(qh, _mm_setr_epi16(8, 6, 4, 2, 8, 6, 4, 2));
    __m128i index = _mm_or_si128(low, _mm_and_si128(qh, _mm_set1_epi16(0x300)));
    uint64_t signs = word64_at(b + offsetof(struct block_iq2_s, signs) + 8 * i);
    return signed_values(spread_fields8(grid_iq2_s, _mm256_cvtepu16_epi32(index)), grid_values_iq2, 4, signs);
}

INLINE __m128i scales_iq2_s(const char *b) {
    return odd_scales(nibbles_in_order(b + offsetof(struct block_iq2_s, scales), 8));
}

INLINE __m512i codes_iq3_xxs(const char *b, int i) {
    __m512i index =
        _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(b + offsetof(struct block_iq3_xxs, qs) + 16 * i)));
    __m256i words = _mm256_loadu_si256((const void *)(b + offsetof(struct block_iq3_xxs, signs)));
    uint64_t signs = quarter(signs_of_words(_mm512_cvtepu32_epi64(words), 0), i);
    return signed_values(spread_fields4(grid_iq3_xxs, index), grid_values_iq3_xxs, 8, signs);
}

INLINE __m128i scales_iq3_xxs(const char *b) {
    __m256i words = _mm256_loadu_si256((const void *)(b + offsetof(struct block_iq3_xxs, signs)));
    return odd_scales(bytes_twice(_mm256_cvtepi32_epi8(_mm256_srli_epi32(words, 28))));
}

INLINE __m512i codes_iq3_s(const char *b, int i) {
    __m512i index =
        _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(b + offsetof(struct block_iq3_s, qs) + 16 * i)));
    __mmask16 high = half_at(b + offsetof(struct block_iq3_s, qh) + 2 * i);
    index = _mm512_mask_or_epi32(index, high, index, _mm512_set1_epi32(256));
    uint64_t signs = word64_at(b + offsetof(struct block_iq3_s, signs) + 8 * i);
    return signed_values(spread_fields4(grid_iq3_s, index), grid_values_iq3_s, 8, signs);
}

INLINE __m128i scales_iq3_s(const char *b) {
    return odd_scales(bytes_twice(nibbles_in_order(b + offsetof(struct block_iq3_s, scales), 4)));
}

// Fields 0, 1, 2 are values -1, 0, 1; codes are GRID_ZERO_IQ1 + 8 * value + 1, or - 1 where the point is moved down.
INLINE __m512i ternary_values(__m128i index, __mmask8 down) {
    __m512i fields = spread_fields8(grid_iq1, _mm256_cvtepu16_epi32(index));
    __m512i up = _mm512_shuffle_epi8(_mm512_set1_epi64(0x120a02), fields);
    return _mm512_mask_sub_epi64(up, down, up, _mm512_set1_epi8(2));
}

INLINE __m512i codes_iq1_s(const char *b, int i) {
    __m128i low = _mm_cvtepu8_epi16(eight_bytes(b + offsetof(struct block_iq1_s, qs) + 8 * i));
    // Three bits of qh each, moved to bits 8 to 10.
    uint32_t qh = word32_at(b + offsetof(struct block_iq1_s, qh) + 4 * i);
    __m128i words =
        _mm_shuffle_epi8(_mm_cvtsi32_si128((int)qh), _mm_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3));
    __m128i high = _mm_srlv_epi16(words, _mm_setr_epi16(0, 3, 6, 9, 0, 3, 6, 9));
    high = _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi16(7)), 8);
    return ternary_values(_mm_or_si128(low, high), _mm_movepi16_mask(words));
}

INLINE __m128i scales_iq1_s(const char *b) {
    __m128i words = _mm_loadu_si128((const void *)(b + offsetof(struct block_iq1_s, qh)));
    words = _mm_and_si128(_mm_srli_epi16(words, 12), _mm_set1_epi16(7));
    return odd_scales(bytes_twice(_mm_packus_epi16(words, words)));
}

INLINE __m512i codes_iq1_m(const char *b, int i) {
    __m128i low = _mm_cvtepu8_epi16(eight_bytes(b + offsetof(struct block_iq1_m, qs) + 8 * i));
    __m128i high = _mm_cvtepu8_epi16(nibbles_in_order(b + offsetof(struct block_iq1_m, qh) + 4 * i, 4));
    __mmask8 down = _mm_test_epi16_mask(high, _mm_set1_epi16(8));
    high = _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi16(7)), 8);
    return ternary_values(_mm_or_si128(low, high), down);
}

INLINE __m128i scales_iq1_m(const char *b) {
    __m128i words = eight_bytes(b + offsetof(struct block_iq1_m, scales));
    __m256i four = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(_mm_unpacklo_epi16(words, words)),
                                               _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
    four = _mm256_srlv_epi16(four, _mm256_setr_epi16(0, 3, 6, 9, 0, 3, 6, 9, 0, 3, 6, 9, 0, 3, 6, 9));
    return odd_scales(_mm256_cvtepi16_epi8(_mm256_and_si256(four, _mm256_set1_epi16(7))));
}

INLINE uint16_t half_iq1_m(const char *b) {
    uint64_t v = word64_at(b + offsetof(struct block_iq1_m, scales));
    return (uint16_t)((v >> 12 & 0xf) | (v >> 24 & 0xf0) | (v >> 36 & 0xf00) | (v >> 48 & 0xf000));
}

// The half is a block's first word.
INLINE uint16_t half_first(const char *b) {
    return half_at(b);
}

#define half_iq1_s half_first
#define half_iq2_xxs half_first
#define half_iq2_xs half_first
#define half_iq2_s half_first
#define half_iq3_xxs half_first
#define half_iq3_s half_first

// One row a format: X(symbol, scales, minimums, factor, zero, largest code).
#define FORMATS256(X)                                                                                                  \
    X(q2_k, scales_q2_k, mins_q2_k, 1, 0, 3)                                                                           \
    X(q3_k, scales_q3_k, NULL, 1, 4, 7)                                                                                \
    X(q4_k, scales_q4_k, mins_q4_k, 1, 0, 15)                                                                          \
    X(q5_k, scales_q4_k, mins_q4_k, 1, 0, 31)                                                                          \
    X(q6_k, scales_q6_k, NULL, 1, 32, 63)                                                                              \
    X(iq1_s, scales_iq1_s, NULL, 0.125f, GRID_ZERO_IQ1, 18)                                                            \
    X(iq1_m, scales_iq1_m, NULL, 0.125f, GRID_ZERO_IQ1, 18)                                                            \
    X(iq2_xxs, scales_iq2_xxs, NULL, 0.125f, GRID_ZERO, 107)                                                           \
    X(iq2_xs, scales_iq2_xs, NULL, 0.125f, GRID_ZERO, 107)                                                             \
    X(iq2_s, scales_iq2_s, NULL, 0.125f, GRID_ZERO, 107)                                                               \
    X(iq3_xxs, scales_iq3_xxs, NULL, 0.25f, GRID_ZERO, 126)                                                            \
    X(iq3_s, scales_iq3_s, NULL, 1, GRID_ZERO, 79)                                                                     \
    X(iq4_xs, scales_iq4_xs, NULL, 1, 128, 241)                                                                        \
    X(tq1_0, NULL, NULL, 1, 1, 2)                                                                                      \
    X(tq2_0, NULL, NULL, 1, 1, 3)
