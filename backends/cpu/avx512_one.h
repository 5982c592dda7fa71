// SPDX-License-Identifier: MIT
// AVX-512, one column of activations: what a format says, orders of the column, and the formats without codebooks.
// Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_grids.h"
#include "backends/cpu/avx512_orders.h"
#include "backends/cpu/avx512_sums4.h"

// A column's block, written once for all rows of a job: 256 elements in the format's order (64 more in some), and
// what else the sums of every row need of it.
struct one_column {
    __m512i x[5], more[4];
};

struct places;

struct one {
    // The sums of sub-scale * code * x of four blocks, each in any lanes, times 2^shift. NULL: read and row instead.
    void (*lanes)(const char *const w[4], const char *table, const struct one_column *c, __m512i sum[4]);
    // Where the points of a block stand in the table, found while the block before is multiplied; and then its sums.
    void (*read)(const char *w, struct places *p);
    __m512i (*row)(const char *w, const struct places *p, const char *table, const struct one_column *c);
    int shift;
    void (*column)(const int8_t *x, const int16_t *bs, struct one_column *c);
    // The sums of minimum * x of four blocks, each in the lanes of a quarter; NULL: none.
    __m512i (*mins)(const char *const w[4], const struct one_column *c);
    __m256 (*d)(const char *const w[4]); // the scales of four blocks, then those of their minimums
    size_t block_size;
    float factor;               // of the scales
    void (*table)(char *table); // the points of a codebook, written once for the rows of a job; NULL: none
};

// Not again for every use, as compilers prefer: most loads from blocks lie in two lines of the cache.
INLINE __m512i load_once(const void *p) {
    __m512i v = _mm512_loadu_si512(p);
    __asm__("" : "+v"(v));
    return v;
}

// Vector k: the elements 4 i + k.
INLINE void order_fours(const int8_t *x, __m512i out[4]) {
    const __m512i sort = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const __m512i of_two = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
    __m512i v[4], even[2], odd[2]; // vectors 0 and 1, vectors 2 and 3 of a half of the block
    UNROLL for (int i = 0; i < 4; i++) v[i] = _mm512_shuffle_epi8(load512(x + 64 * i), sort);
    UNROLL for (int i = 0; i < 2; i++) {
        even[i] = _mm512_permutex2var_epi32(v[2 * i], of_two, v[2 * i + 1]);
        odd[i] = _mm512_permutex2var_epi32(v[2 * i], _mm512_add_epi32(of_two, _mm512_set1_epi32(2)), v[2 * i + 1]);
    }
    out[0] = _mm512_shuffle_i64x2(even[0], even[1], 0x44);
    out[1] = _mm512_shuffle_i64x2(even[0], even[1], 0xee);
    out[2] = _mm512_shuffle_i64x2(odd[0], odd[1], 0x44);
    out[3] = _mm512_shuffle_i64x2(odd[0], odd[1], 0xee);
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

// The heads of four blocks, one to each quarter.
INLINE __m512i four_heads(const char *const w[4]) {
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)w[0]));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)w[1]), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)w[2]), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)w[3]), 3);
}

// Codes of two bits stand where they lie in their bytes, but for the last ones, which would be too large: they are so
// many times what they mean. Sub-scales are 16, 4, 1 and 1 times theirs.
INLINE int times_in_place(int k) {
    return k < 3 ? 1 << 2 * k : 16;
}

INLINE __m512i codes_in_place(__m512i qs, int k) {
    return _mm512_and_si512(k < 3 ? qs : shifted_down(qs, 2), _mm512_set1_epi8((char)(3 * times_in_place(k))));
}

INLINE void lanes_q2_k(const char *const w[4], const char *table, const struct one_column *c, __m512i sum[4]) {
    const __m512i up = _mm512_broadcast_i32x4(_mm_setr_epi16(4, 2, 0, 0, 4, 2, 0, 0));
    const __m512i scales = _mm512_sllv_epi16(_mm512_and_si512(four_heads(w), _mm512_set1_epi8(15)), up);
    const long long e = 0x0001000100010001;
    const __m512i at[2] = {_mm512_setr_epi64(0, 2 * e, e, 3 * e, 8 * e, 10 * e, 9 * e, 11 * e),
                           _mm512_setr_epi64(4 * e, 6 * e, 5 * e, 7 * e, 12 * e, 14 * e, 13 * e, 15 * e)};
    (void)table;
    __m512i qs[4], v[4][2];
    UNROLL for (int r = 0; r < 4; r++) {
        qs[r] = load_once(w[r] + offsetof(struct block_q2_k, qs));
        sum[r] = _mm512_setzero_si512();
    }
    UNROLL for (int k = 0; k < 4; k++) UNROLL for (int r = 0; r < 4; r++) {
        v[r][k % 2] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes_in_place(qs[r], k), c->x[k]);
        if (k % 2) {
            __m512i words = _mm512_add_epi16(at[k / 2], _mm512_set1_epi16((short)(16 * r)));
            words = _mm512_maskz_permutexvar_epi8(0x5555555555555555, words, scales);
            sum[r] = _mm512_dpwssd_epi32(sum[r], _mm512_packs_epi32(v[r][0], v[r][1]), words);
        }
    }
}

// Beside the elements: their sums in two parts of eight bits.
INLINE void column_q2_k(const int8_t *x, const int16_t *bs, struct one_column *c) {
    const __m256i sums = _mm256_loadu_si256((const void *)bs);
    order_planes(x, c->x);
    c->more[0] = _mm512_broadcast_i32x4(_mm256_cvtepi16_epi8(_mm256_srai_epi16(sums, 7)));
    c->more[1] = _mm512_broadcast_i32x4(_mm256_cvtepi16_epi8(_mm256_and_si256(sums, _mm256_set1_epi16(127))));
}

INLINE __m512i mins_sums_q2_k(const char *const w[4], const struct one_column *c) {
    const __m512i mins = _mm512_and_si512(_mm512_srli_epi16(four_heads(w), 4), _mm512_set1_epi8(15));
    __m512i v = _mm512_slli_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), mins, c->more[0]), 7);
    return _mm512_dpbusd_epi32(v, mins, c->more[1]);
}

INLINE __m256 d_q2_k(const char *const w[4]) {
    const __m128i sort = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    const size_t d = offsetof(struct block_q2_k, d);
    static_assert(offsetof(struct block_q2_k, dmin) == offsetof(struct block_q2_k, d) + 2, "q2_k");
    __m128i v = _mm_cvtsi32_si128((int)word32_at(w[0] + d));
    UNROLL for (int r = 1; r < 4; r++) {
        const __m128i next = _mm_set1_epi32((int)word32_at(w[r] + d));
        v = _mm_mask_mov_epi32(v, (__mmask8)(1 << r), next);
    }
    return _mm256_cvtph_ps(_mm_shuffle_epi8(v, sort));
}

// Codes of three bits: the lower two as in Q2_K, the third above them. Beside the elements: less so many times the zero
// of codes, 4, times the products' sums of each vector.
INLINE void column_q3_k(const int8_t *x, const int16_t *bs, struct one_column *c) {
    const __m512i none = _mm512_setzero_si512();
    (void)bs;
    order_planes(x, c->x);
    UNROLL for (int k = 0; k < 4; k++) {
        const __m512i zero = _mm512_set1_epi8((char)(4 * times_in_place(k)));
        c->more[k] = _mm512_sub_epi32(none, _mm512_dpbusd_epi32(none, zero, c->x[k]));
    }
}

// The last sixteen bytes of four blocks, one to each quarter: two of codes, the sub-scales, and the scale.
INLINE __m512i four_ends_q3_k(const char *const w[4]) {
    const char *ends[4];
    UNROLL for (int r = 0; r < 4; r++) ends[r] = w[r] + sizeof(struct block_q3_k) - 16;
    return four_heads(ends);
}

INLINE __m256 d_q3_k(const char *const w[4]) {
    const __m512i last = _mm512_castsi128_si512(_mm_setr_epi16(7, 15, 23, 31, 7, 15, 23, 31));
    return _mm256_cvtph_ps(_mm512_castsi512_si128(_mm512_permutexvar_epi16(last, four_ends_q3_k(w))));
}

// The sub-scales of two rows each, in 16 bits, 16, 4, 1 and 1 times.
INLINE void four_scales_q3_k(const char *const w[4], __m512i scales[2]) {
    const __m512i ends = four_ends_q3_k(w);
    const __m128i of_low = _mm_setr_epi8(2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9);
    const __m128i of_high = _mm_setr_epi8(10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13);
    const __m512i up = _mm512_broadcast_i32x4(_mm_setr_epi16(4, 4, 2, 2, 0, 0, 0, 0));
    __m512i low = _mm512_shuffle_epi8(ends, _mm512_broadcast_i32x4(of_low));
    __m512i high = _mm512_shuffle_epi8(ends, _mm512_broadcast_i32x4(of_high));
    low = _mm512_srlv_epi64(low, _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0, 4, 0)));
    high = _mm512_rolv_epi32(high, _mm512_broadcast_i32x4(_mm_setr_epi32(4, 2, 0, 30)));
    low = merge_bits(high, 0x30, _mm512_and_si512(low, _mm512_set1_epi8(15)));
    low = _mm512_sub_epi8(low, _mm512_set1_epi8(32));
    scales[0] = _mm512_sllv_epi16(_mm512_cvtepi8_epi16(_mm512_castsi512_si256(low)), up);
    scales[1] = _mm512_sllv_epi16(_mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(low, 1)), up);
}

INLINE void lanes_q3_k(const char *const w[4], const char *table, const struct one_column *c, __m512i sum[4]) {
    const long long e = 0x0001000100010001;
    const __m512i at[2] = {_mm512_setr_epi64(0, 2 * e, e, 3 * e, 8 * e, 10 * e, 9 * e, 11 * e),
                           _mm512_setr_epi64(4 * e, 6 * e, 5 * e, 7 * e, 12 * e, 14 * e, 13 * e, 15 * e)};
    const __m512i to_third = _mm512_setr_epi64(3, 3, 3, 3, 63, 63, 63, 63);
    __m512i scales[2];
    (void)table;
    four_scales_q3_k(w, scales);
    __m512i qs[4], high[4], v[4][2];
    UNROLL for (int r = 0; r < 4; r++) {
        qs[r] = load_once(w[r] + offsetof(struct block_q3_k, qs));
        high[r] = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)w[r]));
        high[r] = _mm512_rolv_epi64(high[r], to_third); // bit k, or 4 + k, to bit k + 3
        sum[r] = _mm512_setzero_si512();
    }
    UNROLL for (int k = 0; k < 4; k++) UNROLL for (int r = 0; r < 4; r++) {
        __m512i third = k == 0 ? shifted_down(high[r], 1) : k == 2 ? _mm512_slli_epi16(high[r], 1) : high[r];
        __m512i codes = merge_bits(third, 4 * times_in_place(k), codes_in_place(qs[r], k));
        v[r][k % 2] = _mm512_dpbusd_epi32(c->more[k], codes, c->x[k]);
        if (k % 2) {
            __m512i words = _mm512_add_epi16(at[k / 2], _mm512_set1_epi16((short)(r % 2 * 16)));
            words = _mm512_permutexvar_epi16(words, scales[r / 2]);
            sum[r] = _mm512_dpwssd_epi32(sum[r], _mm512_packs_epi32(v[r][0], v[r][1]), words);
        }
    }
}

// Beside the elements: less 128, the zero of codes, times the products' sums of vectors 2 i and 2 i + 1.
INLINE void column_iq4_xs(const int8_t *x, const int16_t *bs, struct one_column *c) {
    const __m512i zero = _mm512_set1_epi8(-128), none = _mm512_setzero_si512();
    (void)bs;
    order_halves(x, c->x);
    UNROLL for (int i = 0; i < 2; i++) {
        __m512i sum = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(none, zero, c->x[2 * i]), zero, c->x[2 * i + 1]);
        c->more[i] = _mm512_sub_epi32(none, sum);
    }
}

// The low nibbles of 64 bytes are the first halves of four sub-blocks, the high ones the second halves.
INLINE void lanes_iq4_xs(const char *const w[4], const char *table, const struct one_column *c, __m512i sum[4]) {
    const __m512i levels =
        _mm512_broadcast_i32x4(_mm_xor_si128(_mm_loadu_si128((const void *)grid_nonlinear), _mm_set1_epi8(-128)));
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i at = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    __m512i scales[4], v[4][2];
    (void)table;
    UNROLL for (int r = 0; r < 4; r++) scales[r] =
        _mm512_castsi256_si512(_mm256_cvtepi8_epi32(eight_scales_iq4_xs(w[r])));
    UNROLL for (int i = 0; i < 2; i++) UNROLL for (int r = 0; r < 4; r++) {
        __m512i qs = load_once(w[r] + offsetof(struct block_iq4_xs, qs) + 64 * i);
        __m512i low = _mm512_shuffle_epi8(levels, _mm512_and_si512(qs, nibble));
        __m512i high = _mm512_shuffle_epi8(levels, _mm512_and_si512(_mm512_srli_epi16(qs, 4), nibble));
        v[r][i] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(c->more[i], low, c->x[2 * i]), high, c->x[2 * i + 1]);
        __m512i lanes_of = _mm512_add_epi32(at, _mm512_set1_epi32(4 * i));
        v[r][i] = _mm512_mullo_epi32(v[r][i], _mm512_permutexvar_epi32(lanes_of, scales[r]));
    }
    UNROLL for (int r = 0; r < 4; r++) sum[r] = _mm512_add_epi32(v[r][0], v[r][1]);
}

// Vector k: the k-th digits of all bytes of a block. Where a byte has none, zeros. Beside them 256 times their sum.
INLINE void column_tq1_0(const int8_t *x, const int16_t *bs, struct one_column *c) {
    const char *p = (const char *)x;
    UNROLL for (int k = 0; k < 5; k++) {
        const __m128i last = k < 4 ? _mm_cvtsi32_si128((int)word32_at(p + 240 + 4 * k)) : _mm_setzero_si128();
        const __m256i high =
            _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)(p + 160 + 16 * k))), last, 1);
        c->x[k] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const void *)(p + 32 * k))), high, 1);
    }
    const __m256i all = _mm256_madd_epi16(_mm256_loadu_si256((const void *)bs), _mm256_set1_epi16(256));
    c->more[0] = _mm512_zextsi256_si512(all);
}

// Three times a byte is 256 times its digit, and the byte that has the next digit: so no digit is ever taken out.
INLINE void lanes_tq1_0(const char *const w[4], const char *table, const struct one_column *c, __m512i sum[4]) {
    __m512i v[4], rest[4];
    (void)table;
    UNROLL for (int r = 0; r < 4; r++) {
        v[r] = _mm512_maskz_loadu_epi8((1ull << offsetof(struct block_tq1_0, d)) - 1, w[r]);
        sum[r] = _mm512_setzero_si512();
        rest[r] = c->more[0];
    }
    UNROLL for (int k = 0; k < 5; k++) UNROLL for (int r = 0; r < 4; r++) {
        sum[r] = _mm512_dpbusd_epi32(sum[r], v[r], c->x[k]);
        v[r] = _mm512_add_epi8(v[r], _mm512_add_epi8(v[r], v[r]));
        rest[r] = _mm512_dpbusd_epi32(rest[r], v[r], c->x[k]);
    }
    UNROLL for (int r = 0; r < 4; r++) sum[r] =
        _mm512_add_epi32(_mm512_add_epi32(sum[r], sum[r]), _mm512_sub_epi32(sum[r], rest[r]));
}
