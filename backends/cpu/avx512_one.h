// SPDX-License-Identifier: MIT
// AVX-512, one column of activations: what a format says, orders of the column, and the formats without codebooks.
// Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_grids.h"
#include "backends/cpu/avx512_sums4.h"

// A column's block: 256 elements in the format's order, and what the sums of every row begin with, in the lanes that
// the format says.
struct one_column {
    __m512i x[4], start[2];
};

struct one {
    // The sums of sub-scale * code * x of four blocks, each in any lanes.
    void (*lanes)(const char *const w[4], const __m512i points[4][2], const struct one_column *c, __m512i sum[4]);
    void (*order)(const int8_t *x, int8_t *out); // 256 elements
    struct one_column (*column)(const int8_t *x, const int16_t *bs);
    // The sums of minimum * x of four blocks, and what they are multiplied by; NULL: none.
    __m128i (*mins)(const char *const w[4], const int16_t *bs, __m128 *dmin);
    half_reader *half;
    size_t block_size;
    float factor;
    // Formats with a codebook: the points of four blocks, in one or two vectors each, from its planes; NULL: none.
    void (*points)(const char *const w[4], const char *planes, __m512i out[4][2]);
    const uint16_t *grid;
    size_t n_points;
    bool of_4; // values, not of eight
};

INLINE __m512i load512(const void *p) {
    return _mm512_loadu_si512(p);
}

// Not again for every use, as compilers prefer: most loads from blocks lie in two lines of the cache.
INLINE __m512i load_once(const void *p) {
    __m512i v = _mm512_loadu_si512(p);
    __asm__("" : "+v"(v));
    return v;
}

// Vector k: elements 32 k .. 32 k + 31, then those 128 behind them.
INLINE void order_planes(const int8_t *x, int8_t *out) {
    UNROLL for (int k = 0; k < 4; k++) {
        _mm256_storeu_si256((void *)(out + 64 * k), _mm256_loadu_si256((const void *)(x + 32 * k)));
        _mm256_storeu_si256((void *)(out + 64 * k + 32), _mm256_loadu_si256((const void *)(x + 32 * k + 128)));
    }
}

// Of each 128 elements the first sixteen of each 32, then the second ones.
INLINE void order_halves(const int8_t *x, int8_t *out) {
    UNROLL for (int i = 0; i < 256; i += 128) {
        __m512i a = load512(x + i), b = load512(x + i + 64);
        _mm512_storeu_si512(out + i, _mm512_shuffle_i32x4(a, b, 0x88));
        _mm512_storeu_si512(out + i + 64, _mm512_shuffle_i32x4(a, b, 0xdd));
    }
}

// Vector k: the elements 4 i + k.
INLINE void order_fours(const int8_t *x, int8_t *out) {
    const __m512i sort = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const __m512i of_two = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
    __m512i v[4], even[2], odd[2]; // vectors 0 and 1, vectors 2 and 3 of a half of the block
    UNROLL for (int i = 0; i < 4; i++) v[i] = _mm512_shuffle_epi8(load512(x + 64 * i), sort);
    UNROLL for (int i = 0; i < 2; i++) {
        even[i] = _mm512_permutex2var_epi32(v[2 * i], of_two, v[2 * i + 1]);
        odd[i] = _mm512_permutex2var_epi32(v[2 * i], _mm512_add_epi32(of_two, _mm512_set1_epi32(2)), v[2 * i + 1]);
    }
    _mm512_storeu_si512(out, _mm512_shuffle_i64x2(even[0], even[1], 0x44));
    _mm512_storeu_si512(out + 64, _mm512_shuffle_i64x2(even[0], even[1], 0xee));
    _mm512_storeu_si512(out + 128, _mm512_shuffle_i64x2(odd[0], odd[1], 0x44));
    _mm512_storeu_si512(out + 192, _mm512_shuffle_i64x2(odd[0], odd[1], 0xee));
}

INLINE struct one_column column_of(const int8_t *x) {
    return (struct one_column){{load512(x), load512(x + 64), load512(x + 128), load512(x + 192)},
                               {_mm512_setzero_si512(), _mm512_setzero_si512()}};
}

INLINE struct one_column column_plain(const int8_t *x, const int16_t *bs) {
    (void)bs;
    return column_of(x);
}

// start[i]: less `zero` times the products' sums of vectors 2 i and 2 i + 1.
INLINE struct one_column less_zero(const int8_t *x, int zero) {
    struct one_column c = column_of(x);
    const __m512i z = _mm512_set1_epi8((char)zero);
    UNROLL for (int i = 0; i < 2; i++) {
        __m512i sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), z, c.x[2 * i]);
        c.start[i] = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_dpbusd_epi32(sum, z, c.x[2 * i + 1]));
    }
    return c;
}

INLINE __m512i shifted_down(__m512i v, int bits) {
    return _mm512_srl_epi16(v, _mm_cvtsi32_si128(bits));
}

// (a & bits) | b
INLINE __m512i merge_bits(__m512i a, int bits, __m512i b) {
    return _mm512_ternarylogic_epi64(b, a, _mm512_set1_epi8((char)bits), 0xf8);
}

// (v & 14) | 1: 2 s + 1 of a scale of three bits that lies one bit up; 30: of four bits.
INLINE __m512i odd_of(__m512i v, int bits) {
    return _mm512_ternarylogic_epi32(_mm512_set1_epi32(1), v, _mm512_set1_epi32(bits), 0xf8);
}

// The sub-block of the bytes of 128 bits at a time of vector k, in the order of planes: that of vector 0 and 2 k.
INLINE __m512i planes_sub_blocks(__m512i of_vectors) {
    const long long one = 0x0101010101010101;
    return _mm512_add_epi8(of_vectors, _mm512_setr_epi64(0, 0, one, one, 8 * one, 8 * one, 9 * one, 9 * one));
}

// A code times its sub-scale is a byte: each 128 bits of the table hold the multiples of their four sub-scales.
INLINE void lanes_q2_k(const char *const w[4], const __m512i points[4][2], const struct one_column *c, __m512i sum[4]) {
    const char no = -128;
    const __m512i at = planes_sub_blocks(
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, no, 0, no, 2, no, 2, no, 4, no, 4, no, 6, no, 6, no)));
    __m512i table[4], qs[4];
    (void)points;
    UNROLL for (int r = 0; r < 4; r++) {
        __m512i scales = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)w[r]));
        scales = _mm512_shuffle_epi8(_mm512_and_si512(scales, _mm512_set1_epi8(15)), at);
        table[r] = _mm512_mullo_epi16(scales, _mm512_set1_epi32(0x03020100));
        qs[r] = load_once(w[r] + offsetof(struct block_q2_k, qs));
        sum[r] = _mm512_setzero_si512();
    }
    UNROLL for (int k = 0; k < 4; k++) UNROLL for (int r = 0; r < 4; r++) {
        __m512i codes = merge_bits(shifted_down(qs[r], 2 * k), 3, _mm512_set1_epi8((char)(4 * k)));
        sum[r] = _mm512_dpbusd_epi32(sum[r], _mm512_shuffle_epi8(table[r], codes), c->x[k]);
    }
}

// The sums of x have two parts of eight bits.
INLINE __m128i sums_of_mins(__m512i mins, const int16_t *bs) {
    const __m256i sums = _mm256_loadu_si256((const void *)bs);
    __m512i high = _mm512_broadcast_i32x4(_mm256_cvtepi16_epi8(_mm256_srai_epi16(sums, 7)));
    __m512i low = _mm512_broadcast_i32x4(_mm256_cvtepi16_epi8(_mm256_and_si256(sums, _mm256_set1_epi16(127))));
    __m512i v = _mm512_slli_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), mins, high), 7);
    v = _mm512_dpbusd_epi32(v, mins, low);
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0x4e));
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0xb1));
    const __m512i quarters = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castsi512_si128(_mm512_permutexvar_epi32(quarters, v));
}

INLINE __m128i offsets_q2_k(const char *const w[4], const int16_t *bs, __m128 *dmin) {
    uint16_t d[4];
    UNROLL for (int r = 0; r < 4; r++) d[r] = half_at(w[r] + offsetof(struct block_q2_k, dmin));
    *dmin = four_halves(d);
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)w[0]));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)w[1]), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)w[2]), 2);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)w[3]), 3);
    return sums_of_mins(_mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15)), bs);
}

// start[0]: less four times the sums of x, in 16 bits.
INLINE struct one_column column_q3_k(const int8_t *x, const int16_t *bs) {
    struct one_column c = column_of(x);
    __m256i four = _mm256_slli_epi16(_mm256_loadu_si256((const void *)bs), 2);
    c.start[0] = _mm512_zextsi256_si512(_mm256_sub_epi16(_mm256_setzero_si256(), four));
    return c;
}

INLINE void lanes_q3_k(const char *const w[4], const __m512i points[4][2], const struct one_column *c, __m512i sum[4]) {
    const long long e = 0x0001000100010001;
    const __m512i at[2] = {_mm512_setr_epi64(0, 2 * e, e, 3 * e, 8 * e, 10 * e, 9 * e, 11 * e),
                           _mm512_setr_epi64(4 * e, 6 * e, 5 * e, 7 * e, 12 * e, 14 * e, 13 * e, 15 * e)};
    __m512i qs[4], high[4], scales[4], v[4][2];
    (void)points;
    UNROLL for (int r = 0; r < 4; r++) {
        qs[r] = load_once(w[r] + offsetof(struct block_q3_k, qs));
        high[r] = shifted_twice(w[r] + offsetof(struct block_q3_k, hmask), 0, 4, 0); // bit k belongs to vector k
        scales[r] = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(scales_q3_k(w[r])));
        sum[r] = _mm512_dpwssd_epi32(_mm512_setzero_si512(), scales[r], c->start[0]);
    }
    UNROLL for (int k = 0; k < 4; k++) UNROLL for (int r = 0; r < 4; r++) {
        __m512i low = _mm512_and_si512(shifted_down(qs[r], 2 * k), _mm512_set1_epi8(3));
        __m512i third = k < 2 ? _mm512_slli_epi16(high[r], k ? 1 : 2) : shifted_down(high[r], k - 2);
        v[r][k % 2] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), merge_bits(third, 4, low), c->x[k]);
        if (k % 2)
            sum[r] = _mm512_dpwssd_epi32(sum[r], _mm512_packs_epi32(v[r][0], v[r][1]),
                                         _mm512_permutexvar_epi16(at[k / 2], scales[r]));
    }
}

INLINE struct one_column column_iq4_xs(const int8_t *x, const int16_t *bs) {
    (void)bs;
    return less_zero(x, -128);
}

// The low nibbles of 64 bytes are the first halves of four sub-blocks, the high ones the second halves.
INLINE void lanes_iq4_xs(const char *const w[4], const __m512i points[4][2], const struct one_column *c,
                         __m512i sum[4]) {
    const __m512i levels =
        _mm512_broadcast_i32x4(_mm_xor_si128(_mm_loadu_si128((const void *)grid_nonlinear), _mm_set1_epi8(-128)));
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i at = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    __m512i scales[4], v[4][2];
    (void)points;
    UNROLL for (int r = 0; r < 4; r++) scales[r] =
        _mm512_castsi256_si512(_mm256_cvtepi8_epi32(eight_scales_iq4_xs(w[r])));
    UNROLL for (int i = 0; i < 2; i++) UNROLL for (int r = 0; r < 4; r++) {
        __m512i qs = load_once(w[r] + offsetof(struct block_iq4_xs, qs) + 64 * i);
        __m512i low = _mm512_shuffle_epi8(levels, _mm512_and_si512(qs, nibble));
        __m512i high = _mm512_shuffle_epi8(levels, _mm512_and_si512(_mm512_srli_epi16(qs, 4), nibble));
        v[r][i] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(c->start[i], low, c->x[2 * i]), high, c->x[2 * i + 1]);
        __m512i lanes_of = _mm512_add_epi32(at, _mm512_set1_epi32(4 * i));
        v[r][i] = _mm512_mullo_epi32(v[r][i], _mm512_permutexvar_epi32(lanes_of, scales[r]));
    }
    UNROLL for (int r = 0; r < 4; r++) sum[r] = _mm512_add_epi32(v[r][0], v[r][1]);
}
