// SPDX-License-Identifier: MIT
// AVX-512, one column: the formats with codebooks. The points of a codebook lie in two planes, the first and the second
// byte of each, and bytes are looked up by permutations for every 128 points. Then 64 bytes hold four values each, and
// a permutation of a table that looks at the bits of one of them gives that value of all 64. With elements in
// order_fours, lane i belongs to the sub-block i of sixteen elements. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_one.h"

// (a & bits) | b of words.
INLINE __m512i merge_words(__m512i a, int bits, __m512i b) {
    return _mm512_ternarylogic_epi64(b, a, _mm512_set1_epi16((short)bits), 0xf8);
}

// The planes of n points: of each 128 the first bytes, then the second ones. Of points of four values a byte gets two.
INLINE void planes_of(const uint16_t *grid, size_t n, bool of_4, char *planes) {
    const __m512i even =
        _mm512_set_epi8(126, 124, 122, 120, 118, 116, 114, 112, 110, 108, 106, 104, 102, 100, 98, 96, 94, 92, 90, 88,
                        86, 84, 82, 80, 78, 76, 74, 72, 70, 68, 66, 64, 62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40,
                        38, 36, 34, 32, 30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    for (size_t i = 0; i < n; i += 64) {
        __m512i v[2] = {load512(grid + i), load512(grid + i + 32)};
        char *out = planes + i / 128 * 256 + i % 128;
        for (int k = 0; of_4 && k < 2; k++)
            v[k] = merge_words(_mm512_slli_epi16(v[k], 2), 0x3f00, _mm512_and_si512(v[k], _mm512_set1_epi16(0x3f)));
        _mm512_store_si512(out, _mm512_permutex2var_epi8(v[0], even, v[1]));
        _mm512_store_si512(out + 128, _mm512_permutex2var_epi8(v[0], _mm512_add_epi8(even, _mm512_set1_epi8(1)), v[1]));
    }
}

// Both bytes of 64 points.
struct points {
    __m512i first, second;
};

// Two vectors of indices modulo 128, or four, and in which 128 of the codebook their points are.
struct wanted {
    __m512i index[4], chunk[4];
};

// Where points are in the 128 called `chunk`: their bytes. Elsewhere nothing changes.
INLINE void look_up(const char *planes, int chunk, const struct wanted *w, int vectors, struct points p[4]) {
    const char *at = planes + 256 * chunk;
    __m512i a = load512(at), b = load512(at + 64), c = load512(at + 128), d = load512(at + 192);
    // Or compilers read the whole codebook before their loops, and put it into memory again.
    __asm__ volatile("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d));
    UNROLL for (int i = 0; i < vectors; i++) {
        __mmask64 here = _mm512_cmpeq_epi8_mask(w->chunk[i], _mm512_set1_epi8((char)chunk));
        p[i].first = _mm512_mask2_permutex2var_epi8(a, p[i].first, here, b);
        p[i].second = _mm512_mask2_permutex2var_epi8(c, p[i].second, here, d);
    }
}

// Of a codebook of `chunks` 128s. Where there are many, two chains, as each permutation waits for the one before.
INLINE void look_up_all(const char *planes, int chunks, const struct wanted *w, int vectors, struct points p[4]) {
    struct points q[4];
    const int half = chunks > 4 ? chunks / 2 : chunks;
    UNROLL for (int i = 0; i < vectors; i++) p[i] = q[i] = (struct points){w->index[i], w->index[i]};
    UNROLL for (int i = 0; i < half; i++) {
        look_up(planes, i, w, vectors, p);
        if (half < chunks)
            look_up(planes, half + i, w, vectors, q);
    }
    if (half == chunks)
        return;
    UNROLL for (int i = 0; i < vectors; i++) {
        __mmask64 upper = _mm512_test_epi8_mask(w->chunk[i], _mm512_set1_epi8((char)half));
        p[i].first = _mm512_mask_mov_epi8(p[i].first, upper, q[i].first);
        p[i].second = _mm512_mask_mov_epi8(p[i].second, upper, q[i].second);
    }
}

// The points of four rows, found two rows to a vector, to a vector for each with a point in each word.
INLINE void words_of_rows(const struct points p[2], __m512i out[4][2]) {
    const __m512i at =
        _mm512_set_epi8(95, 31, 94, 30, 93, 29, 92, 28, 91, 27, 90, 26, 89, 25, 88, 24, 87, 23, 86, 22, 85, 21, 84, 20,
                        83, 19, 82, 18, 81, 17, 80, 16, 79, 15, 78, 14, 77, 13, 76, 12, 75, 11, 74, 10, 73, 9, 72, 8,
                        71, 7, 70, 6, 69, 5, 68, 4, 67, 3, 66, 2, 65, 1, 64, 0);
    UNROLL for (int i = 0; i < 2; i++) {
        out[2 * i][0] = _mm512_permutex2var_epi8(p[i].first, at, p[i].second);
        out[2 * i + 1][0] =
            _mm512_permutex2var_epi8(p[i].first, _mm512_add_epi8(at, _mm512_set1_epi8(32)), p[i].second);
    }
}

INLINE void points_of_pairs(const char *planes, int chunks, const struct wanted *w, __m512i out[4][2]) {
    struct points p[4];
    look_up_all(planes, chunks, w, 2, p);
    words_of_rows(p, out);
}

INLINE void points_of_rows(const char *planes, int chunks, const struct wanted *w, __m512i out[4][2]) {
    struct points p[4];
    look_up_all(planes, chunks, w, 4, p);
    UNROLL for (int r = 0; r < 4; r++) {
        out[r][0] = p[r].first;
        out[r][1] = p[r].second;
    }
}

INLINE __m256i two_128(const char *a, const char *b) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)a)),
                                   _mm_loadu_si128((const void *)b), 1);
}

// The 128s of points: the upper bit of a byte of their indices, and above it `bits` of what the fields give.
INLINE __m512i chunks_of(__m512i index, __m512i fields, int bits) {
    return merge_bits(fields, bits, _mm512_and_si512(_mm512_srli_epi16(index, 7), _mm512_set1_epi8(1)));
}

// The points of four rows, from the planes of the format's codebook.
INLINE void points_iq2_xxs(const char *const w[4], const char *planes, __m512i out[4][2]) {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const size_t at = offsetof(struct block_iq2_xxs, runs);
    struct wanted v;
    UNROLL for (int i = 0; i < 2; i++) {
        v.index[i] = _mm512_permutex2var_epi32(load512(w[2 * i] + at), even, load512(w[2 * i + 1] + at));
        v.chunk[i] = chunks_of(v.index[i], _mm512_setzero_si512(), 0);
    }
    points_of_pairs(planes, 2, &v, out);
}

INLINE void points_iq2_xs(const char *const w[4], const char *planes, __m512i out[4][2]) {
    const size_t at = offsetof(struct block_iq2_xs, qs);
    struct wanted v;
    UNROLL for (int i = 0; i < 2; i++) {
        const __m512i a = load_once(w[2 * i] + at), b = load_once(w[2 * i + 1] + at);
        v.index[i] = two_vectors(_mm512_cvtepi16_epi8(a), _mm512_cvtepi16_epi8(b));
        v.chunk[i] = _mm512_and_si512(
            two_vectors(_mm512_cvtepi16_epi8(_mm512_srli_epi16(a, 7)), _mm512_cvtepi16_epi8(_mm512_srli_epi16(b, 7))),
            _mm512_set1_epi8(3));
    }
    points_of_pairs(planes, 4, &v, out);
}

// Byte k of qh has two bits for each of the points 4 k .. 4 k + 3.
INLINE void points_iq2_s(const char *const w[4], const char *planes, __m512i out[4][2]) {
    const size_t qs = offsetof(struct block_iq2_s, qs), qh = offsetof(struct block_iq2_s, qh);
    const __m512i at = _mm512_set1_epi64(0x0d0b09070503013f); // one bit below
    struct wanted v;
    UNROLL for (int i = 0; i < 2; i++) {
        const char *a = w[2 * i], *b = w[2 * i + 1];
        __m512i bits = _mm512_cvtepu16_epi64(_mm_unpacklo_epi64(eight_bytes(a + qh), eight_bytes(b + qh)));
        v.index[i] = two_256(a + qs, b + qs);
        v.chunk[i] = chunks_of(v.index[i], _mm512_multishift_epi64_epi8(at, bits), 6);
    }
    points_of_pairs(planes, 8, &v, out);
}

INLINE void points_iq3_xxs(const char *const w[4], const char *planes, __m512i out[4][2]) {
    struct wanted v;
    UNROLL for (int r = 0; r < 4; r++) {
        v.index[r] = load_once(w[r] + offsetof(struct block_iq3_xxs, qs));
        v.chunk[r] = chunks_of(v.index[r], _mm512_setzero_si512(), 0);
    }
    points_of_rows(planes, 2, &v, out);
}

INLINE void points_iq3_s(const char *const w[4], const char *planes, __m512i out[4][2]) {
    struct wanted v;
    UNROLL for (int r = 0; r < 4; r++) {
        uint64_t upper = word64_at(w[r] + offsetof(struct block_iq3_s, qh));
        v.index[r] = load_once(w[r] + offsetof(struct block_iq3_s, qs));
        v.chunk[r] = chunks_of(v.index[r], _mm512_maskz_set1_epi8(upper, 2), 2);
    }
    points_of_rows(planes, 4, &v, out);
}

// The sums of x over sixteen elements.
INLINE __m512i sums_of_16(const int16_t *bs) {
    return _mm512_cvtepi16_epi32(_mm256_loadu_si256((const void *)bs));
}

// Points of eight values of two bits, elements in order_fours: lane i belongs to the sub-block i of sixteen elements.
// Value k of a byte turned to one of the four bytes of `values`; k = 3 wants points moved down by six bits.
INLINE __m512i value_table(uint32_t values, int k) {
    const __m512i each = _mm512_set1_epi32((int)values);
    const long long one = 0x0101010101010101;
    if (k == 1)
        return _mm512_shuffle_epi8(each, _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0x01010101, 0x02020202, 0x03030303)));
    if (k == 2)
        return _mm512_shuffle_epi8(each, _mm512_setr_epi64(0, 0, one, one, 2 * one, 2 * one, 3 * one, 3 * one));
    return each;
}

INLINE __m512i value_of_8(__m512i points, uint32_t values, int k) {
    return _mm512_permutexvar_epi8(k == 3 ? _mm512_srli_epi16(points, 6) : points, value_table(values, k));
}

// What four rows' blocks say beside their points.
struct signed_rows {
    __m512i signs[4]; // sign i of point p is bit i of the bytes 2 p and 2 p + 1
    __m512i scales[4];
};

// Codes around GRID_ZERO whose signs are set become negative. The rows go side by side, as each sum is a chain.
INLINE void lanes_of_8(const __m512i points[4][2], const struct signed_rows *s, const struct one_column *c,
                       __m512i sum[4]) {
    uint32_t values;
    memcpy(&values, grid_values_iq2, sizeof values);
    values += GRID_ZERO * 0x01010101u;
    UNROLL for (int r = 0; r < 4; r++) sum[r] = c->more[0];
    UNROLL for (int k = 0; k < 4; k++) UNROLL for (int r = 0; r < 4; r++) {
        __mmask64 minus = _mm512_test_epi8_mask(s->signs[r], _mm512_set1_epi16((short)(0x1001u << k)));
        sum[r] = _mm512_dpbusd_epi32(sum[r], with_signs(value_of_8(points[r][0], values, k), minus), c->x[k]);
    }
    UNROLL for (int r = 0; r < 4; r++) sum[r] = _mm512_mullo_epi32(sum[r], s->scales[r]);
}

// Beside the elements: less GRID_ZERO times their sums.
INLINE void column_grid(const int8_t *x, const int16_t *bs, struct one_column *c) {
    order_fours(x, c->x);
    c->more[0] = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sums_of_16(bs), 6));
}

// 2 s + 1 of sixteen scales of four bits, in eight bytes.
INLINE __m512i sixteen_scales(const char *p) {
    const __m512i at = _mm512_set1_epi64(0x101010031010103f); // one bit below the nibbles
    return odd_of(_mm512_multishift_epi64_epi8(at, _mm512_cvtepu8_epi64(_mm_loadl_epi64((const void *)p))), 30);
}

// Eight bytes a run: four points, then four times seven signs and the scale.
INLINE void lanes_iq2_xxs(const char *const w[4], const char *table, const struct one_column *c, __m512i sum[4]) {
    __m512i points[4][2];
    points_iq2_xxs(w, table, points);
    struct signed_rows s;
    UNROLL for (int r = 0; r < 4; r++) {
        const __m512i runs = load_once(w[r] + offsetof(struct block_iq2_xxs, runs));
        s.signs[r] = even_signs(_mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x35352e2e27272020), runs));
        s.scales[r] = odd_of(_mm512_srli_epi32(_mm512_shuffle_epi32(runs, 0xf5), 27), 30);
    }
    lanes_of_8(points, &s, c, sum);
}

INLINE void lanes_iq2_xs(const char *const w[4], const char *table, const struct one_column *c, __m512i sum[4]) {
    __m512i points[4][2];
    points_iq2_xs(w, table, points);
    struct signed_rows s;
    UNROLL for (int r = 0; r < 4; r++) {
        const __m512i words = load_once(w[r] + offsetof(struct block_iq2_xs, qs));
        s.signs[r] = even_signs(_mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x3939292919190909), words));
        s.scales[r] = sixteen_scales(w[r] + offsetof(struct block_iq2_xs, scales));
    }
    lanes_of_8(points, &s, c, sum);
}

// Each of 32 bytes twice.
INLINE __m512i bytes_doubled(const char *p) {
    __m512i words = bytes_to_16(p);
    return _mm512_or_si512(words, _mm512_slli_epi16(words, 8));
}

INLINE void lanes_iq2_s(const char *const w[4], const char *table, const struct one_column *c, __m512i sum[4]) {
    __m512i points[4][2];
    points_iq2_s(w, table, points);
    struct signed_rows s;
    UNROLL for (int r = 0; r < 4; r++) {
        s.signs[r] = bytes_doubled(w[r] + offsetof(struct block_iq2_s, signs));
        s.scales[r] = sixteen_scales(w[r] + offsetof(struct block_iq2_s, scales));
    }
    lanes_of_8(points, &s, c, sum);
}

// The same with four values of three bits in two bytes of a point.
INLINE void lanes_of_4(const __m512i points[4][2], const uint8_t values8[8], const struct signed_rows *s,
                       const struct one_column *c, __m512i sum[4]) {
    const __m512i zero = _mm512_set1_epi8(GRID_ZERO),
                  v = _mm512_set1_epi64((long long)word64_at((const char *)values8));
    const long long one = 0x0101010101010101;
    const __m512i upper = _mm512_setr_epi64(0, one, 2 * one, 3 * one, 4 * one, 5 * one, 6 * one, 7 * one);
    const __m512i table[2] = {_mm512_add_epi8(v, zero), _mm512_add_epi8(_mm512_shuffle_epi8(v, upper), zero)};
    UNROLL for (int r = 0; r < 4; r++) sum[r] = c->more[0];
    UNROLL for (int k = 0; k < 4; k++) UNROLL for (int r = 0; r < 4; r++) {
        __m512i codes = _mm512_permutexvar_epi8(points[r][k / 2], table[k % 2]);
        __mmask64 minus = _mm512_test_epi8_mask(s->signs[r], _mm512_set1_epi16((short)(0x1001u << k)));
        sum[r] = _mm512_dpbusd_epi32(sum[r], with_signs(codes, minus), c->x[k]);
    }
    UNROLL for (int r = 0; r < 4; r++) sum[r] = _mm512_mullo_epi32(sum[r], s->scales[r]);
}

// A word for each 32 elements: four times seven signs, and the scale.
INLINE void lanes_iq3_xxs(const char *const w[4], const char *table, const struct one_column *c, __m512i sum[4]) {
    __m512i points[4][2];
    points_iq3_xxs(w, table, points);
    struct signed_rows s;
    UNROLL for (int r = 0; r < 4; r++) {
        __m256i eight = _mm256_loadu_si256((const void *)(w[r] + offsetof(struct block_iq3_xxs, signs)));
        __m512i words = _mm512_cvtepu32_epi64(eight);
        s.signs[r] = even_signs(_mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x15150e0e07070000), words));
        s.scales[r] = odd_of(_mm512_srli_epi32(_mm512_shuffle_epi32(words, 0xa0), 27), 30);
    }
    lanes_of_4(points, grid_values_iq3_xxs, &s, c, sum);
}

INLINE void lanes_iq3_s(const char *const w[4], const char *table, const struct one_column *c, __m512i sum[4]) {
    __m512i points[4][2];
    points_iq3_s(w, table, points);
    const __m512i at = _mm512_setr_epi32(31, 31, 3, 3, 7, 7, 11, 11, 15, 15, 19, 19, 23, 23, 27, 27);
    struct signed_rows s;
    UNROLL for (int r = 0; r < 4; r++) {
        __m512i scales = _mm512_set1_epi32((int)word32_at(w[r] + offsetof(struct block_iq3_s, scales)));
        s.signs[r] = bytes_doubled(w[r] + offsetof(struct block_iq3_s, signs));
        s.scales[r] = odd_of(_mm512_rorv_epi32(scales, at), 30);
    }
    lanes_of_4(points, grid_values_iq3_s, &s, c, sum);
}

#define TABLE(sym, grid, n, of_4)                                                                                      \
    INLINE void table_##sym(char *table) {                                                                             \
        planes_of(grid, n, of_4, table);                                                                               \
    }
TABLE(iq2_xxs, grid_iq2_xxs, 256, false)
TABLE(iq2_xs, grid_iq2_xs, 512, false)
TABLE(iq2_s, grid_iq2_s, 1024, false)
TABLE(iq3_xxs, grid_iq3_xxs, 256, true)
TABLE(iq3_s, grid_iq3_s, 512, true)

// One row a format: X(symbol, power of two of its sums, column, minimums, factor, codebook).
#define FORMATS_ONE(X)                                                                                                 \
    X(q2_k, 4, column_q2_k, mins_sums_q2_k, 1, NULL)                                                                   \
    X(q3_k, 4, column_q3_k, NULL, 1, NULL)                                                                             \
    X(iq4_xs, 0, column_iq4_xs, NULL, 1, NULL)                                                                         \
    X(tq1_0, 8, column_tq1_0, NULL, 1, NULL)                                                                           \
    X(iq2_xxs, 0, column_grid, NULL, 0.125f, table_iq2_xxs)                                                            \
    X(iq2_xs, 0, column_grid, NULL, 0.125f, table_iq2_xs)                                                              \
    X(iq2_s, 0, column_grid, NULL, 0.125f, table_iq2_s)                                                                \
    X(iq3_xxs, 0, column_grid, NULL, 0.25f, table_iq3_xxs)                                                             \
    X(iq3_s, 0, column_grid, NULL, 1, table_iq3_s)
