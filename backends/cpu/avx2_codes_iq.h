// SPDX-License-Identifier: MIT
// The readers of avx2_codes.h for the formats whose elements are points of a codebook. A point's values are indices
// into a few numbers, so a lookup of two bytes and a shuffle give eight (or four) elements.
#pragma once

#include "backends/cpu/avx2_codes.h"

#define ZERO_IQ2 43 // the largest value
#define ZERO_IQ3 62
#define ZERO_IQ3_S 15

// zero + v, or zero - v where the sign is set.
INLINE __m256i with_signs(__m256i v, __m256i sign, int zero) {
    v = _mm256_sub_epi8(_mm256_xor_si256(v, sign), sign);
    return _mm256_add_epi8(v, _mm256_set1_epi8((char)zero));
}

// Four signs of seven bits in 28 bits to four bytes, the eighth making the number of set bits even.
INLINE int32_t four_signs(uint32_t v) {
    v = (v & 0x7f) | (v << 1 & 0x7f00) | (v << 2 & 0x7f0000) | (v << 3 & 0x7f000000);
    uint32_t p = v ^ v >> 4;
    p ^= p >> 2;
    p ^= p >> 1;
    return (int32_t)(v | (p & 0x01010101) << 7);
}

// Four points of eight values.
INLINE uint64_t four_points(unsigned a, unsigned b, unsigned c, unsigned d) {
    return a | (uint64_t)b << 16 | (uint64_t)c << 32 | (uint64_t)d << 48;
}

INLINE __m256i values_iq2(uint64_t points) {
    const uint8_t *v = grid_values_iq2;
    return look_up_pairs(points, pair_table(v[0], v[1], v[2], v[3]));
}

INLINE __m256i codes_iq2_xxs(const char *b, int c) {
    const struct block_iq2_xxs *k = (const void *)b;
    const uint8_t *p = k->runs[c].points;
    const uint16_t *grid = grid_iq2_xxs;
    __m256i v = values_iq2(four_points(grid[p[0]], grid[p[1]], grid[p[2]], grid[p[3]]));
    return with_signs(v, bits_to_bytes(four_signs(k->runs[c].signs)), ZERO_IQ2);
}

INLINE __m256i codes_iq2_xs(const char *b, int c) {
    const uint16_t *grid = grid_iq2_xs;
    const char *qs = b + offsetof(struct block_iq2_xs, qs) + 8 * c;
    unsigned p[4], signs = 0;
    UNROLL for (int l = 0; l < 4; l++) {
        p[l] = half_at(qs + 2 * l);
        signs |= p[l] >> 9 << 7 * l;
    }
    __m256i v = values_iq2(four_points(grid[p[0] & 511], grid[p[1] & 511], grid[p[2] & 511], grid[p[3] & 511]));
    return with_signs(v, bits_to_bytes(four_signs(signs)), ZERO_IQ2);
}

INLINE __m256i codes_iq2_s(const char *b, int c) {
    const struct block_iq2_s *k = (const void *)b;
    const uint8_t *p = k->qs + 4 * c;
    const uint16_t *grid = grid_iq2_s;
    unsigned h = k->qh[c];
    __m256i v = values_iq2(four_points(grid[p[0] | (h << 8 & 0x300)], grid[p[1] | (h << 6 & 0x300)],
                                       grid[p[2] | (h << 4 & 0x300)], grid[p[3] | (h << 2 & 0x300)]));
    return with_signs(v, bits_to_bytes(word_at(k->signs + 4 * c)), ZERO_IQ2);
}

// Twelve-bit numbers in 32-bit lanes, each to four numbers of three bits in bytes.
INLINE __m256i spread_triples(__m256i v) {
    __m256i even = _mm256_and_si256(v, _mm256_set1_epi32(0x1c7)), odd = _mm256_and_si256(v, _mm256_set1_epi32(0xe38));
    even = _mm256_or_si256(even, _mm256_slli_epi32(even, 10));
    odd = _mm256_or_si256(_mm256_slli_epi32(odd, 5), _mm256_slli_epi32(odd, 15));
    return _mm256_or_si256(_mm256_and_si256(even, _mm256_set1_epi32(0x00070007)),
                           _mm256_and_si256(odd, _mm256_set1_epi32(0x07000700)));
}

// Eight points of four values.
INLINE __m256i values_iq3(const uint16_t point[8], const uint8_t values[8]) {
    __m256i v = spread_triples(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)point)));
    long long table;
    memcpy(&table, values, sizeof table);
    return _mm256_shuffle_epi8(_mm256_set1_epi64x(table), v);
}

INLINE __m256i codes_iq3_xxs(const char *b, int c) {
    const struct block_iq3_xxs *k = (const void *)b;
    uint16_t point[8];
    UNROLL for (int l = 0; l < 8; l++) point[l] = grid_iq3_xxs[k->qs[8 * c + l]];
    return with_signs(values_iq3(point, grid_values_iq3_xxs), bits_to_bytes(four_signs(k->signs[c])), ZERO_IQ3);
}

INLINE __m256i codes_iq3_s(const char *b, int c) {
    const struct block_iq3_s *k = (const void *)b;
    uint16_t point[8];
    unsigned h = k->qh[c];
    UNROLL for (int l = 0; l < 8; l++) point[l] = grid_iq3_s[k->qs[8 * c + l] | (h << (8 - l) & 0x100)];
    __m256i sign = bits_to_bytes(word_at(k->signs + 4 * c));
    return with_signs(values_iq3(point, grid_values_iq3_s), sign, ZERO_IQ3_S);
}

// Codes around GRID_ZERO_IQ1: eight times the index of a value, plus 1, plus the shift; more holds 1 plus the shift.
INLINE __m256i values_iq1(uint64_t points, __m256i more) {
    return _mm256_add_epi8(look_up_pairs(points, pair_table(0, 8, 16, 24)), more);
}

INLINE __m256i codes_iq1_s(const char *b, int c) {
    const struct block_iq1_s *k = (const void *)b;
    const uint8_t *p = k->qs + 4 * c;
    unsigned h = k->qh[c];
    uint64_t points = four_points(grid_iq1[p[0] | (h << 8 & 0x700)], grid_iq1[p[1] | (h << 5 & 0x700)],
                                  grid_iq1[p[2] | (h << 2 & 0x700)], grid_iq1[p[3] | (h >> 1 & 0x700)]);
    return values_iq1(points, _mm256_set1_epi8(h >> 15 ? 0 : 2));
}

INLINE __m256i codes_iq1_m(const char *b, int c) {
    const struct block_iq1_m *k = (const void *)b;
    const uint8_t *p = k->qs + 4 * c;
    unsigned h = half_at((const char *)k->qh + 2 * c), up = ~h;
    uint64_t points = four_points(grid_iq1[p[0] | (h << 8 & 0x700)], grid_iq1[p[1] | (h << 4 & 0x700)],
                                  grid_iq1[p[2] | (h & 0x700)], grid_iq1[p[3] | (h >> 4 & 0x700)]);
    unsigned more = (up >> 2 & 2) | (up << 2 & 0x200) | (up << 6 & 0x20000) | (up << 10 & 0x2000000);
    return values_iq1(points, eight_times(_mm256_set1_epi32((int)more)));
}

// Scales that a power of two divides.
#define PART_READER(sym, part)                                                                                         \
    INLINE float d_##sym(const char *b, int c) {                                                                       \
        (void)c;                                                                                                       \
        return _cvtsh_ss(half_at(b + offsetof(struct block_##sym, d))) * (part);                                       \
    }
PART_READER(iq2_xxs, 0.125f)
PART_READER(iq2_xs, 0.125f)
PART_READER(iq2_s, 0.125f)
PART_READER(iq3_xxs, 0.25f)
PART_READER(iq3_s, 1.0f)
PART_READER(iq1_s, 0.125f)

INLINE float d_iq1_m(const char *b, int c) {
    uint64_t s;
    (void)c;
    memcpy(&s, b + offsetof(struct block_iq1_m, scales), sizeof s);
    return _cvtsh_ss((uint16_t)((s >> 12 & 0xf) | (s >> 24 & 0xf0) | (s >> 36 & 0xf00) | (s >> 48 & 0xf000))) * 0.125f;
}

// 2 n + 1.
INLINE __m128i odd(__m128i n) {
    return _mm_add_epi8(_mm_add_epi8(n, n), _mm_set1_epi8(1));
}

// Every fourth byte's upper nibble twice four times: scales in the upper bits of 32-bit numbers `stride` words apart.
INLINE __m128i scales_above(const char *p, int stride) {
    uint64_t s = 0;
    UNROLL for (int j = 0; j < 8; j++) s |= (uint64_t)((uint32_t)word_at(p + 4 * stride * j) >> 28) << 8 * j;
    __m128i v = _mm_cvtsi64_si128((long long)s);
    return odd(_mm_unpacklo_epi8(v, v));
}

INLINE __m128i scales_iq2_xxs(const char *b) {
    return scales_above(b + offsetof(struct block_iq2_xxs, runs) + 4, 2);
}

INLINE __m128i scales_iq3_xxs(const char *b) {
    return scales_above(b + offsetof(struct block_iq3_xxs, signs), 1);
}

// Sixteen scales of four bits, low nibbles first.
INLINE __m128i scales_of_nibbles(const char *p) {
    __m128i v = _mm_loadl_epi64((const void *)p);
    v = _mm_unpacklo_epi8(v, _mm_srli_epi16(v, 4));
    return odd(_mm_and_si128(v, _mm_set1_epi8(15)));
}

INLINE __m128i scales_iq2_xs(const char *b) {
    return scales_of_nibbles(b + offsetof(struct block_iq2_xs, scales));
}

INLINE __m128i scales_iq2_s(const char *b) {
    return scales_of_nibbles(b + offsetof(struct block_iq2_s, scales));
}

INLINE __m128i scales_iq3_s(const char *b) {
    __m128i v = _mm_cvtsi32_si128(word_at(b + offsetof(struct block_iq3_s, scales)));
    v = _mm_and_si128(_mm_unpacklo_epi8(v, _mm_srli_epi16(v, 4)), _mm_set1_epi8(15));
    return odd(_mm_unpacklo_epi8(v, v));
}

INLINE __m128i scales_iq1_s(const char *b) {
    __m128i v = _mm_loadu_si128((const void *)(b + offsetof(struct block_iq1_s, qh)));
    return odd(twice16(_mm_and_si128(_mm_srli_epi16(v, 12), _mm_set1_epi16(7))));
}

INLINE __m128i scales_iq1_m(const char *b) {
    __m128i v = _mm_loadl_epi64((const void *)(b + offsetof(struct block_iq1_m, scales)));
    v = _mm_and_si128(v, _mm_set1_epi16(0xfff));
    return odd(_mm256_castsi256_si128(spread_triples(_mm256_castsi128_si256(_mm_cvtepu16_epi32(v)))));
}
