// SPDX-License-Identifier: MIT
// AVX-512: the readers of formats with codebooks. Up to 512 points fit vectors: a look-up is a permutation of words for
// every 64 of them. Points of larger codebooks are read one by one: the gather instruction takes longer. The fields of
// points are spread to bytes and turned to values by one more permutation. Included between avx512_begin.h and
// avx512_end.h.
#pragma once

#include "backends/cpu/avx512_codes256.h"

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

INLINE __m512i bytes_to_16(const char *p) {
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)p));
}

// 0 to 7, each in four words.
INLINE __m512i each_four_times(void) {
    const long long one = 0x0001000100010001;
    return _mm512_setr_epi64(0, one, 2 * one, 3 * one, 4 * one, 5 * one, 6 * one, 7 * one);
}

INLINE __m512i points_of_64(const uint16_t *grid, __m512i index) {
    return _mm512_permutex2var_epi16(_mm512_loadu_si512(grid), index, _mm512_loadu_si512(grid + 32));
}

// Points by their indices, 32 words.
INLINE __m512i points_of_256(const uint16_t *grid, __m512i index) {
    __mmask32 odd = _mm512_test_epi16_mask(index, _mm512_set1_epi16(64));
    __mmask32 high = _mm512_test_epi16_mask(index, _mm512_set1_epi16(128));
    __m512i a = _mm512_mask_blend_epi16(odd, points_of_64(grid, index), points_of_64(grid + 64, index));
    __m512i b = _mm512_mask_blend_epi16(odd, points_of_64(grid + 128, index), points_of_64(grid + 192, index));
    return _mm512_mask_blend_epi16(high, a, b);
}

INLINE __m512i points_of_512(const uint16_t *grid, __m512i index) {
    __mmask32 high = _mm512_test_epi16_mask(index, _mm512_set1_epi16(256));
    return _mm512_mask_blend_epi16(high, points_of_256(grid, index), points_of_256(grid + 256, index));
}

// What goes from vectors to addresses or masks goes by way of memory: that is faster than moves between registers, and
// the barrier keeps compilers from making moves of it.
#define THROUGH_MEMORY(array) __asm__("" : "+m"(array))

// Eight points from a codebook of any size.
INLINE __m128i points_by_loads(const uint16_t *grid, const uint16_t index[8]) {
    __m128i v = _mm_cvtsi32_si128(grid[index[0]]);
    v = _mm_insert_epi16(v, grid[index[1]], 1);
    v = _mm_insert_epi16(v, grid[index[2]], 2);
    v = _mm_insert_epi16(v, grid[index[3]], 3);
    v = _mm_insert_epi16(v, grid[index[4]], 4);
    v = _mm_insert_epi16(v, grid[index[5]], 5);
    v = _mm_insert_epi16(v, grid[index[6]], 6);
    return _mm_insert_epi16(v, grid[index[7]], 7);
}

// A block's 32 points of eight, each in a 64-bit lane of its own; other bits of a lane are noise.
INLINE void spread_points(__m512i points, __m512i out[4]) {
    const __m512i lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    UNROLL for (int i = 0; i < 4; i++) out[i] =
        _mm512_permutexvar_epi16(_mm512_add_epi64(lane, _mm512_set1_epi64(8 * i)), points);
}

// The same by the indices of the points.
INLINE void load_points(const uint16_t *grid, __m512i indices, __m512i out[4]) {
    uint16_t index[32];
    _mm256_storeu_si256((void *)index, _mm512_castsi512_si256(indices));
    _mm256_storeu_si256((void *)(index + 16), _mm512_extracti64x4_epi64(indices, 1));
    THROUGH_MEMORY(index);
    UNROLL for (size_t i = 0; i < 4; i++) out[i] = _mm512_cvtepu16_epi64(points_by_loads(grid, index + 8 * i));
}

// The values of eight points of eight fields of two bits; `values` repeats four bytes, so what is above a field does
// not matter.
INLINE __m512i values_of_8(__m512i points, __m512i values) {
    points = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x0e0c0a0806040200), points);
    return _mm512_permutexvar_epi8(points, values);
}

// The values of sixteen points of four fields of three bits, a point in 32 bits; `values` repeats eight bytes.
INLINE __m512i values_of_4(__m512i points, __m512i values) {
    points = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x2926232009060300), points);
    return _mm512_permutexvar_epi8(points, values);
}

// Codes around GRID_ZERO: zero + value becomes zero - value where the sign is set.
INLINE __m512i with_signs(__m512i codes, uint64_t signs) {
    return _mm512_mask_sub_epi8(codes, signs, _mm512_set1_epi8((char)(2 * GRID_ZERO)), codes);
}

// Points of eight to codes, in place.
INLINE void codes_of_8(__m512i q[4], const uint64_t signs[4]) {
    int32_t bytes;
    memcpy(&bytes, grid_values_iq2, sizeof bytes);
    const __m512i values = _mm512_add_epi8(_mm512_set1_epi32(bytes), _mm512_set1_epi8(GRID_ZERO));
    UNROLL for (int i = 0; i < 4; i++) q[i] = with_signs(values_of_8(q[i], values), signs[i]);
}

// Two times 32 points of four to codes.
INLINE void codes_of_4(const __m512i points[2], const uint8_t values8[8], const uint64_t signs[4], __m512i q[4]) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i values =
        _mm512_add_epi8(_mm512_set1_epi64((long long)word64_at((const char *)values8)), _mm512_set1_epi8(GRID_ZERO));
    UNROLL for (int i = 0; i < 4; i++) {
        __m512i v = _mm512_permutexvar_epi16(_mm512_add_epi32(lane, _mm512_set1_epi32(16 * (i % 2))), points[i / 2]);
        q[i] = with_signs(values_of_4(v, values), signs[i]);
    }
}

// Bytes of seven signs to eight, so that the number of ones is even; their eighth bits do not matter.
#define SIGNS_1(n) (uint8_t)((n) | (n ^ n >> 1 ^ n >> 2 ^ n >> 3 ^ n >> 4 ^ n >> 5 ^ n >> 6) % 2 << 7)
#define SIGNS_4(n) SIGNS_1(n), SIGNS_1((n + 1)), SIGNS_1((n + 2)), SIGNS_1((n + 3))
#define SIGNS_16(n) SIGNS_4(n), SIGNS_4((n + 4)), SIGNS_4((n + 8)), SIGNS_4((n + 12))
#define SIGNS_64(n) SIGNS_16(n), SIGNS_16((n + 16)), SIGNS_16((n + 32)), SIGNS_16((n + 48))
INLINE __m512i even_signs(__m512i seven) {
    static const _Alignas(64) uint8_t signs[128] = {SIGNS_64(0), SIGNS_64(64)};
    return _mm512_permutex2var_epi8(_mm512_load_si512(signs), seven, _mm512_load_si512(signs + 64));
}

// The signs of a block from eight words with four times seven bits each, from bit `at` of a 64-bit lane on.
INLINE __m256i signs_of_words(__m512i words, int at) {
    const __m512i fields = _mm512_set1_epi64(0x150e0700 + 0x01010101ll * at);
    return _mm512_cvtepi64_epi32(even_signs(_mm512_multishift_epi64_epi8(fields, words)));
}

// A run of IQ2_XXS is eight bytes: four points, then signs and the scale.
INLINE void codes_iq2_xxs(const char *b, __m512i q[4]) {
    uint64_t signs[4];
    __m512i runs = _mm512_loadu_si512(b + offsetof(struct block_iq2_xxs, runs));
    _mm256_storeu_si256((void *)signs, signs_of_words(runs, 32));
    THROUGH_MEMORY(signs);
    spread_points(points_of_256(grid_iq2_xxs, _mm512_cvtepu8_epi16(_mm512_cvtepi64_epi32(runs))), q);
    codes_of_8(q, signs);
}

INLINE __m128i scales_iq2_xxs(const char *b) {
    __m512i runs = _mm512_loadu_si512(b + offsetof(struct block_iq2_xxs, runs));
    return odd_scales(bytes_twice(_mm512_cvtepi64_epi8(_mm512_srli_epi64(runs, 60))));
}

INLINE void codes_iq2_xs(const char *b, __m512i q[4]) {
    uint64_t signs[4];
    __m512i words = _mm512_loadu_si512(b + offsetof(struct block_iq2_xs, qs));
    _mm256_storeu_si256((void *)signs, _mm512_cvtepi16_epi8(even_signs(_mm512_srli_epi16(words, 9))));
    THROUGH_MEMORY(signs);
    spread_points(points_of_512(grid_iq2_xs, words), q);
    codes_of_8(q, signs);
}

INLINE __m128i scales_iq2_xs(const char *b) {
    return odd_scales(nibbles_in_order(b + offsetof(struct block_iq2_xs, scales), 8));
}

INLINE void codes_iq2_s(const char *b, __m512i q[4]) {
    uint64_t signs[4];
    memcpy(signs, b + offsetof(struct block_iq2_s, signs), sizeof signs);
    // Byte k of qh has two bits for each of the points 4 k .. 4 k + 3, moved to bits 8 and 9.
    const __m512i bytes = _mm512_or_si512(each_four_times(), _mm512_set1_epi16((short)0xff00));
    __m512i qh = _mm512_set1_epi64((long long)word64_at(b + offsetof(struct block_iq2_s, qh)));
    qh = _mm512_sllv_epi16(_mm512_shuffle_epi8(qh, bytes), _mm512_set1_epi64(0x0002000400060008));
    qh = _mm512_and_si512(qh, _mm512_set1_epi16(0x300));
    load_points(grid_iq2_s, _mm512_or_si512(qh, bytes_to_16(b + offsetof(struct block_iq2_s, qs))), q);
    codes_of_8(q, signs);
}

INLINE __m128i scales_iq2_s(const char *b) {
    return odd_scales(nibbles_in_order(b + offsetof(struct block_iq2_s, scales), 8));
}

INLINE void codes_iq3_xxs(const char *b, __m512i q[4]) {
    uint64_t signs[4];
    __m256i words = _mm256_loadu_si256((const void *)(b + offsetof(struct block_iq3_xxs, signs)));
    _mm256_storeu_si256((void *)signs, signs_of_words(_mm512_cvtepu32_epi64(words), 0));
    THROUGH_MEMORY(signs);
    const char *qs = b + offsetof(struct block_iq3_xxs, qs);
    const __m512i points[2] = {points_of_256(grid_iq3_xxs, bytes_to_16(qs)),
                               points_of_256(grid_iq3_xxs, bytes_to_16(qs + 32))};
    codes_of_4(points, grid_values_iq3_xxs, signs, q);
}

INLINE __m128i scales_iq3_xxs(const char *b) {
    __m256i words = _mm256_loadu_si256((const void *)(b + offsetof(struct block_iq3_xxs, signs)));
    return odd_scales(bytes_twice(_mm256_cvtepi32_epi8(_mm256_srli_epi32(words, 28))));
}

INLINE void codes_iq3_s(const char *b, __m512i q[4]) {
    uint64_t signs[4];
    __m512i points[2];
    memcpy(signs, b + offsetof(struct block_iq3_s, signs), sizeof signs);
    UNROLL for (size_t i = 0; i < 2; i++) {
        __m512i index = bytes_to_16(b + offsetof(struct block_iq3_s, qs) + 32 * i);
        __mmask32 high = word32_at(b + offsetof(struct block_iq3_s, qh) + 4 * i);
        points[i] =
            _mm512_mask_blend_epi16(high, points_of_256(grid_iq3_s, index), points_of_256(grid_iq3_s + 256, index));
    }
    codes_of_4(points, grid_values_iq3_s, signs, q);
}

INLINE __m128i scales_iq3_s(const char *b) {
    return odd_scales(bytes_twice(nibbles_in_order(b + offsetof(struct block_iq3_s, scales), 4)));
}

// Fields 0, 1, 2 are values -1, 0, 1; codes are GRID_ZERO_IQ1 + 8 * value + 1, or - 1 where the point is moved down.
INLINE void ternary_codes(__m512i indices, __mmask32 moved, __m512i q[4]) {
    uint8_t down[4];
    memcpy(down, &moved, sizeof down);
    THROUGH_MEMORY(down);
    load_points(grid_iq1, indices, q);
    UNROLL for (int i = 0; i < 4; i++) {
        __m512i up = values_of_8(q[i], _mm512_set1_epi32(0x120a02));
        q[i] = _mm512_mask_sub_epi64(up, down[i], up, _mm512_set1_epi8(2));
    }
}

INLINE void codes_iq1_s(const char *b, __m512i q[4]) {
    // A word of qh has three bits for each of four points, moved to bits 8 to 10.
    __m128i qh = _mm_loadu_si128((const void *)(b + offsetof(struct block_iq1_s, qh)));
    __m512i words = _mm512_permutexvar_epi16(each_four_times(), _mm512_castsi128_si512(qh));
    __m512i high = _mm512_srlv_epi16(words, _mm512_set1_epi64(0x0009000600030000));
    high = _mm512_slli_epi16(_mm512_and_si512(high, _mm512_set1_epi16(7)), 8);
    __m512i low = bytes_to_16(b + offsetof(struct block_iq1_s, qs));
    ternary_codes(_mm512_or_si512(low, high), _mm512_movepi16_mask(words), q);
}

INLINE __m128i scales_iq1_s(const char *b) {
    __m128i words = _mm_loadu_si128((const void *)(b + offsetof(struct block_iq1_s, qh)));
    words = _mm_and_si128(_mm_srli_epi16(words, 12), _mm_set1_epi16(7));
    return odd_scales(bytes_twice(_mm_packus_epi16(words, words)));
}

INLINE void codes_iq1_m(const char *b, __m512i q[4]) {
    // A nibble of qh for each point: three bits of the index, and whether it is moved down.
    __m256i pairs = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(b + offsetof(struct block_iq1_m, qh))));
    __m512i nibbles = _mm512_cvtepu16_epi32(pairs);
    nibbles = _mm512_or_si512(nibbles, _mm512_slli_epi32(nibbles, 12));
    __m512i high = _mm512_slli_epi16(_mm512_and_si512(nibbles, _mm512_set1_epi16(7)), 8);
    __m512i low = bytes_to_16(b + offsetof(struct block_iq1_m, qs));
    ternary_codes(_mm512_or_si512(low, high), _mm512_test_epi16_mask(nibbles, _mm512_set1_epi16(8)), q);
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
