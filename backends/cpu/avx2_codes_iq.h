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

// The signs of a block, a bit for each element. Where seven bits are stored for eight elements, the eighth bit makes
// the number of set bits even. Chunks are read one by one, but a compiler makes these once for all of them.
INLINE __m256i even_signs(__m256i seven) {
    const __m256i parity = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
    const __m256i low = _mm256_set1_epi8(15);
    __m256i a = _mm256_shuffle_epi8(parity, _mm256_and_si256(seven, low));
    __m256i b = _mm256_shuffle_epi8(parity, _mm256_and_si256(_mm256_srli_epi16(seven, 4), low));
    return _mm256_or_si256(seven, _mm256_xor_si256(a, b));
}

// From 28 bits of each of eight numbers.
INLINE __m256i signs_of_28(__m256i v) {
    __m256i a = _mm256_and_si256(v, _mm256_set1_epi32(0x7f));
    __m256i b = _mm256_and_si256(_mm256_slli_epi32(v, 1), _mm256_set1_epi32(0x7f00));
    __m256i c = _mm256_and_si256(_mm256_slli_epi32(v, 2), _mm256_set1_epi32(0x7f0000));
    __m256i d = _mm256_and_si256(_mm256_slli_epi32(v, 3), _mm256_set1_epi32(0x7f000000));
    return even_signs(_mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d)));
}

// All ones in the bytes of elements 32 c .. 32 c + 31 whose sign is set.
INLINE __m256i sign_bytes(__m256i signs, int c) {
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i v = eight_times(_mm256_permutevar8x32_epi32(signs, _mm256_set1_epi32(c)));
    return _mm256_cmpeq_epi8(_mm256_and_si256(v, bit), bit);
}

INLINE __m256i signs_iq2_xxs(const char *b) {
    const char *p = b + offsetof(struct block_iq2_xxs, runs);
    __m256 low = _mm256_castsi256_ps(_mm256_loadu_si256((const void *)p));
    __m256 high = _mm256_castsi256_ps(_mm256_loadu_si256((const void *)(p + 32)));
    __m256i v = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd)); // odd words, in the order 0 1 4 5 2 3 6 7
    return signs_of_28(_mm256_permute4x64_epi64(v, 0xd8));
}

INLINE __m256i signs_iq2_xs(const char *b) {
    const char *p = b + offsetof(struct block_iq2_xs, qs);
    __m256i low = _mm256_srli_epi16(_mm256_loadu_si256((const void *)p), 9);
    __m256i high = _mm256_srli_epi16(_mm256_loadu_si256((const void *)(p + 32)), 9);
    return even_signs(_mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8));
}

INLINE __m256i signs_iq3_xxs(const char *b) {
    return signs_of_28(_mm256_loadu_si256((const void *)(b + offsetof(struct block_iq3_xxs, signs))));
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
    return with_signs(v, sign_bytes(signs_iq2_xxs(b), c), ZERO_IQ2);
}

INLINE __m256i codes_iq2_xs(const char *b, int c) {
    const uint16_t *grid = grid_iq2_xs;
    uint64_t p;
    memcpy(&p, b + offsetof(struct block_iq2_xs, qs) + 8 * c, sizeof p);
    __m256i v = values_iq2(four_points(grid[p & 511], grid[p >> 16 & 511], grid[p >> 32 & 511], grid[p >> 48 & 511]));
    return with_signs(v, sign_bytes(signs_iq2_xs(b), c), ZERO_IQ2);
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

// Eight points of four values, four to a number.
INLINE __m256i values_iq3(uint64_t low, uint64_t high, const uint8_t values[8]) {
    __m256i v = spread_triples(_mm256_cvtepu16_epi32(_mm_set_epi64x((long long)high, (long long)low)));
    long long table;
    memcpy(&table, values, sizeof table);
    return _mm256_shuffle_epi8(_mm256_set1_epi64x(table), v);
}

INLINE __m256i codes_iq3_xxs(const char *b, int c) {
    const uint16_t *grid = grid_iq3_xxs;
    const uint8_t *p = (const uint8_t *)b + offsetof(struct block_iq3_xxs, qs) + 8 * c;
    __m256i v = values_iq3(four_points(grid[p[0]], grid[p[1]], grid[p[2]], grid[p[3]]),
                           four_points(grid[p[4]], grid[p[5]], grid[p[6]], grid[p[7]]), grid_values_iq3_xxs);
    return with_signs(v, sign_bytes(signs_iq3_xxs(b), c), ZERO_IQ3);
}

// Points p[0..3] with the upper bits of their indices in bits 0..3 of h.
INLINE uint64_t four_points_iq3_s(const uint8_t *p, unsigned h) {
    const uint16_t *grid = grid_iq3_s;
    return four_points(grid[p[0] | (h << 8 & 0x100)], grid[p[1] | (h << 7 & 0x100)], grid[p[2] | (h << 6 & 0x100)],
                       grid[p[3] | (h << 5 & 0x100)]);
}

INLINE __m256i codes_iq3_s(const char *b, int c) {
    const struct block_iq3_s *k = (const void *)b;
    const uint8_t *p = k->qs + 8 * c;
    unsigned h = k->qh[c];
    __m256i v = values_iq3(four_points_iq3_s(p, h), four_points_iq3_s(p + 4, h >> 4), grid_values_iq3_s);
    return with_signs(v, bits_to_bytes(word_at(k->signs + 4 * c)), ZERO_IQ3_S);
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
