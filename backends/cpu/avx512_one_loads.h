// SPDX-License-Identifier: MIT
// AVX-512, one column: the formats with the largest codebooks. A point is eight bytes of a table that is written once
// for the rows of a job, and one load puts it into its place: a look-up by permutations takes one for every 128 points,
// and the gather instruction longer still. Vector k holds the points 4 s + k, so the sub-blocks of 32 elements are
// numbers of 64 bits. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_one_grids.h"

INLINE void order_points(const int8_t *x, __m512i out[4]) {
    const __m512i at[2] = {_mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13), _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15)};
    const __m512i v[4] = {load512(x), load512(x + 64), load512(x + 128), load512(x + 192)};
    UNROLL for (int i = 0; i < 2; i++) {
        __m512i low = _mm512_permutex2var_epi64(v[0], at[i], v[1]), high = _mm512_permutex2var_epi64(v[2], at[i], v[3]);
        out[2 * i] = _mm512_shuffle_i64x2(low, high, 0x44);
        out[2 * i + 1] = _mm512_shuffle_i64x2(low, high, 0xee);
    }
}

// Beside the elements: the sums of sixteen, in 16 bits.
INLINE void column_iq1_s(const int8_t *x, const int16_t *bs, struct one_column *c) {
    order_points(x, c->x);
    c->more[0] = _mm512_zextsi256_si512(_mm256_loadu_si256((const void *)bs));
}

// Beside the elements: the sums of eight.
INLINE void column_iq1_m(const int8_t *x, const int16_t *bs, struct one_column *c) {
    __m128i sums[4];
    (void)bs;
    order_points(x, c->x);
    UNROLL for (int i = 0; i < 4; i++) {
        __m512i fours = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), load512(x + 64 * i));
        sums[i] = _mm512_cvtepi64_epi16(_mm512_add_epi32(fours, _mm512_srli_epi64(fours, 32)));
    }
    c->more[0] = two_vectors(_mm256_set_m128i(sums[1], sums[0]), _mm256_set_m128i(sums[3], sums[2]));
}

// Eight times the index of a value.
INLINE void table_iq1(char *table) {
    const __m512i spread = _mm512_set1_epi64(0x0e0c0a0806040200), values = _mm512_set1_epi32(0x100800);
    for (int j = 0; j < 2048; j += 32)
        UNROLL for (int i = j; i < j + 32; i += 8) {
            __m512i points = _mm512_cvtepu16_epi64(_mm_loadu_si128((const void *)(grid_iq1 + i)));
            points = _mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(spread, points), values);
            _mm512_store_si512(table + 8 * i, points);
        }
}

// Where 32 points stand in the table, in bytes, two to a number.
struct places {
    _Alignas(64) uint32_t pair[16];
};

INLINE __m256i with_point(__m256i v, __mmask8 lane, const char *p) {
    return _mm256_mask_blend_epi64(lane, v, _mm256_set1_epi64x((long long)word64_at(p)));
}

// The four vectors of half h of a block.
INLINE void four_vectors(const char *table, const struct places *p, int h, __m256i v[4]) {
    UNROLL for (int s = 0; s < 4; s++) UNROLL for (int k = 0; k < 4; k += 2) {
        const uint32_t pair = p->pair[8 * h + 2 * s + k / 2];
        const char *a = table + (uint16_t)pair, *b = table + (pair >> 16);
        v[k] = s ? with_point(v[k], (__mmask8)(1 << s), a) : _mm256_castsi128_si256(eight_bytes(a));
        v[k + 1] = s ? with_point(v[k + 1], (__mmask8)(1 << s), b) : _mm256_castsi128_si256(eight_bytes(b));
    }
}

INLINE __m256i half_of(__m512i v, int h) {
    return h ? _mm512_extracti64x4_epi64(v, 1) : _mm512_castsi512_si256(v);
}

// Bytes and bits above them, which `up` moves to their places.
INLINE void put_places(const char *bytes, __m512i upper, __m512i up, struct places *p) {
    const __m512i low = _mm512_slli_epi16(bytes_to_16(bytes), 3);
    const __m512i v = merge_words(_mm512_sllv_epi16(upper, up), 0x3800, low);
    _mm256_store_si256((void *)p, half_of(v, 0));
    _mm256_store_si256((void *)(p->pair + 8), half_of(v, 1));
}

INLINE __m256i words_at(__m128i words, __m256i at) {
    return _mm256_permutexvar_epi16(at, _mm256_castsi128_si256(words));
}

// The sums of two halves of vectors, each number of 64 bits belonging to one sub-block, times its sub-scale.
INLINE __m256i add_scaled(__m256i sum, __m256i low, __m256i high, __m256i scales) {
    return _mm256_dpwssd_epi32(sum, _mm256_packs_epi32(low, high), scales);
}

INLINE void read_iq1_s(const char *w, struct places *p) {
    const __m128i qh = _mm_loadu_si128((const void *)(w + offsetof(struct block_iq1_s, qh)));
    put_places(w + offsetof(struct block_iq1_s, qs),
               _mm512_permutexvar_epi16(each_four_times(), _mm512_castsi128_si512(qh)),
               _mm512_set1_epi64(0x000200050008000b), p);
}

INLINE __m512i row_iq1_s(const char *w, const struct places *p, const char *table, const struct one_column *c) {
    const __m256i twice = _mm256_setr_epi32(0, 0x10001, 0x20002, 0x30003, 0x40004, 0x50005, 0x60006, 0x70007);
    const __m256i packed = _mm256_setr_epi32(0, 0x10001, 0x40004, 0x50005, 0x20002, 0x30003, 0x60006, 0x70007);
    const __m128i qh = _mm_loadu_si128((const void *)(w + offsetof(struct block_iq1_s, qh)));
    __m128i scales = _mm_ternarylogic_epi32(_mm_set1_epi16(1), _mm_srli_epi16(qh, 11), _mm_set1_epi16(14), 0xf8);
    // Values are around 8, and moved up or down by 1 in a sub-block.
    __m128i zero = _mm_or_si128(_mm_srai_epi16(qh, 15), _mm_set1_epi16(1)); // -1 down
    zero = _mm_mullo_epi16(_mm_sub_epi16(zero, _mm_set1_epi16(8)), scales);
    __m256i v[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    UNROLL for (int h = 0; h < 2; h++) {
        __m256i points[4];
        four_vectors(table, p, h, points);
        UNROLL for (int k = 0; k < 4; k++) v[h] = _mm256_dpbusd_epi32(v[h], points[k], half_of(c->x[k], h));
    }
    __m256i all =
        _mm256_dpwssd_epi32(_mm256_setzero_si256(), words_at(zero, twice), _mm512_castsi512_si256(c->more[0]));
    return _mm512_zextsi256_si512(add_scaled(all, v[0], v[1], words_at(scales, packed)));
}

// 2 s + 1 of sixteen scales of three bits.
INLINE __m256i scale_words_iq1_m(const char *w) {
    const __m256i at = _mm256_setr_epi32(0, 0, 0x10001, 0x10001, 0x20002, 0x20002, 0x30003, 0x30003);
    __m128i words = _mm_slli_epi16(eight_bytes(w + offsetof(struct block_iq1_m, scales)), 1);
    __m256i v = _mm256_srlv_epi16(words_at(words, at), _mm256_set1_epi64x(0x0009000600030000));
    return _mm256_ternarylogic_epi32(_mm256_set1_epi16(1), v, _mm256_set1_epi16(14), 0xf8);
}

// Four bits for each point: three of its index, and whether it is moved down.
INLINE __m512i nibbles_iq1_m(const char *w) {
    __m512i v = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(w + offsetof(struct block_iq1_m, qh))));
    return _mm512_or_si512(v, _mm512_slli_epi32(v, 12));
}

INLINE void read_iq1_m(const char *w, struct places *p) {
    put_places(w + offsetof(struct block_iq1_m, qs), nibbles_iq1_m(w), _mm512_set1_epi16(11), p);
}

INLINE __m512i row_iq1_m(const char *w, const struct places *p, const char *table, const struct one_column *c) {
    const __m256i packed = _mm256_setr_epi32(0, 0x20002, 0x80008, 0xa000a, 0x40004, 0x60006, 0xc000c, 0xe000e);
    const __m512i of_points = _mm512_cvtepu8_epi16(_mm256_setr_epi8(
        0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15));
    const __m256i scales = scale_words_iq1_m(w);
    __m512i s = _mm512_permutexvar_epi16(of_points, _mm512_castsi256_si512(scales));
    __mmask32 down = _mm512_test_epi16_mask(nibbles_iq1_m(w), _mm512_set1_epi16(8));
    __m512i zero = _mm512_mask_sub_epi16(s, down, _mm512_setzero_si512(), s);
    zero = _mm512_sub_epi16(zero, _mm512_slli_epi16(s, 3));
    __m256i v[2][2], all = _mm256_setzero_si256();
    UNROLL for (int h = 0; h < 2; h++) {
        __m256i points[4];
        four_vectors(table, p, h, points);
        UNROLL for (int k = 0; k < 4; k++) v[k / 2][h] =
            _mm256_dpbusd_epi32(k % 2 ? v[k / 2][h] : _mm256_setzero_si256(), points[k], half_of(c->x[k], h));
    }
    UNROLL for (int i = 0; i < 2; i++) all = add_scaled(
        all, v[i][0], v[i][1], _mm256_permutexvar_epi16(_mm256_add_epi16(packed, _mm256_set1_epi16((short)i)), scales));
    return _mm512_dpwssd_epi32(_mm512_zextsi256_si512(all), zero, c->more[0]);
}

// X(symbol, factor, codebook)
#define FORMATS_LOADS(X)                                                                                               \
    X(iq1_s, 0.125f, table_iq1)                                                                                        \
    X(iq1_m, 0.125f, table_iq1)
