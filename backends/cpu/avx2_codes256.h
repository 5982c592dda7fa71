// SPDX-License-Identifier: MIT
// AVX2, few columns, formats with one float scale per 256 elements: sums of four blocks, one of each of four rows.
// Formats without codebooks. Included between avx2_begin.h and avx2_end.h.
#pragma once

#include "backends/cpu/avx2_halves.h"

#define FOUR 4

// The sums of sub-scale * code * x of the blocks at w, each in any lanes; x in the format's order, with its sums of
// sixteen elements as they lie.
typedef void lanes_reader(const char *const w[FOUR], const int8_t *x, const int16_t *bs, __m256i sum[FOUR]);
// The sums of minimum * x.
typedef __m128i mins_sums(const char *const w[FOUR], const int16_t *bs);

INLINE __m256i load_256(const void *p) {
    return _mm256_loadu_si256(p);
}

// a + b, added now: a compiler that makes a tree of a chain of these runs out of registers.
INLINE __m256i chained(__m256i a, __m256i b) {
    __m256i sum = _mm256_add_epi32(a, b);
    __asm__("" : "+x"(sum));
    return sum;
}

INLINE __m128i sums_of_four(const __m256i z[FOUR]) {
    __m256i a = _mm256_add_epi32(_mm256_unpacklo_epi32(z[0], z[1]), _mm256_unpackhi_epi32(z[0], z[1]));
    __m256i b = _mm256_add_epi32(_mm256_unpacklo_epi32(z[2], z[3]), _mm256_unpackhi_epi32(z[2], z[3]));
    __m256i c = _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    return _mm_add_epi32(_mm256_castsi256_si128(c), _mm256_extracti128_si256(c, 1));
}

// Half-precision numbers at the beginning of four blocks, or, at their end: loads and unpacking cost less than
// insertions.
INLINE __m128 four_halves(const char *const w[FOUR]) {
    __m128i v[FOUR];
    UNROLL for (int r = 0; r < FOUR; r++) v[r] = _mm_loadu_si128((const void *)w[r]);
    __m128i low = _mm_unpacklo_epi16(v[0], v[1]), high = _mm_unpacklo_epi16(v[2], v[3]);
    return _mm_cvtph_ps(_mm_unpacklo_epi32(low, high));
}

INLINE __m128 four_last_halves(const char *const w[FOUR], size_t block_size) {
    __m128i v[FOUR];
    UNROLL for (int r = 0; r < FOUR; r++) v[r] = _mm_loadu_si128((const void *)(w[r] + block_size - 16));
    __m128i low = _mm_unpackhi_epi16(v[0], v[1]), high = _mm_unpackhi_epi16(v[2], v[3]);
    v[0] = _mm_unpackhi_epi32(low, high);
    return _mm_cvtph_ps(_mm_unpackhi_epi64(v[0], v[0]));
}

// Pairs of halves in the words of four blocks: the four first ones, then the others.
INLINE __m256 halves_of_pairs(__m128i pairs) {
    const __m128i sort = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    return _mm256_cvtph_ps(_mm_shuffle_epi8(pairs, sort));
}

INLINE __m256 four_last_pairs(const char *const w[FOUR], size_t block_size) {
    __m128i v[FOUR];
    UNROLL for (int r = 0; r < FOUR; r++) v[r] = _mm_loadu_si128((const void *)(w[r] + block_size - 16));
    return halves_of_pairs(_mm_unpackhi_epi64(_mm_unpackhi_epi32(v[0], v[1]), _mm_unpackhi_epi32(v[2], v[3])));
}

INLINE void order_plain(const int8_t *x, int8_t *out) {
    memcpy(out, x, 256);
}

// What Q4_K and Q5_K begin with, of four blocks: four sub-scales or minimums of each in a word.
struct heads {
    __m128i d, scales_low, scales_high, mins_low, mins_high;
};

INLINE struct heads heads_of(const char *const w[FOUR]) {
    const __m128i six = _mm_set1_epi8(0x3f), two = _mm_set1_epi8(0x30), nibble = _mm_set1_epi8(15);
    __m128i v[FOUR];
    UNROLL for (int r = 0; r < FOUR; r++) v[r] = _mm_loadu_si128((const void *)w[r]);
    __m128i a = _mm_unpacklo_epi32(v[0], v[1]), b = _mm_unpacklo_epi32(v[2], v[3]);
    __m128i c = _mm_unpackhi_epi32(v[0], v[1]), e = _mm_unpackhi_epi32(v[2], v[3]);
    __m128i s0 = _mm_unpackhi_epi64(a, b), s1 = _mm_unpacklo_epi64(c, e), s2 = _mm_unpackhi_epi64(c, e);
    return (struct heads){
        .d = _mm_unpacklo_epi64(a, b),
        .scales_low = _mm_and_si128(s0, six),
        .scales_high = _mm_or_si128(_mm_and_si128(s2, nibble), _mm_and_si128(_mm_srli_epi16(s0, 2), two)),
        .mins_low = _mm_and_si128(s1, six),
        .mins_high =
            _mm_or_si128(_mm_and_si128(_mm_srli_epi16(s2, 4), nibble), _mm_and_si128(_mm_srli_epi16(s1, 2), two)),
    };
}

INLINE __m128i mins_of_heads(const char *const w[FOUR], const int16_t *bs) {
    const struct heads h = heads_of(w);
    __m128i x = _mm_hadd_epi16(_mm_loadu_si128((const void *)bs), _mm_loadu_si128((const void *)(bs + 8)));
    __m256i low = _mm256_madd_epi16(_mm256_cvtepu8_epi16(h.mins_low), _mm256_broadcastq_epi64(x));
    __m256i high = _mm256_cvtepu8_epi16(h.mins_high);
    high = _mm256_madd_epi16(high, _mm256_broadcastq_epi64(_mm_unpackhi_epi64(x, x)));
    __m256i sum = _mm256_add_epi32(low, high);
    return _mm_hadd_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}

// Sub-scale s of row r in the low half, s + 4 in the high half.
INLINE __m256i head_scale(const struct heads *h, int r, int s) {
    __m256i v = _mm256_set_m128i(h->scales_high, h->scales_low);
    return _mm256_shuffle_epi8(v, _mm256_set1_epi16((short)(0x8000 | (4 * r + s))));
}

// The low or high nibbles of sub-block s, its half, and of the sub-block four behind it.
INLINE __m256i codes_of_head(const char *qs, int s, int half) {
    __m256i v = two_128(qs + 32 * (s / 2) + 16 * half, 64);
    return _mm256_and_si256(s % 2 ? _mm256_srli_epi16(v, 4) : v, _mm256_set1_epi8(15));
}

INLINE void lanes_q4_k(const char *const w[FOUR], const int8_t *x, const int16_t *bs, __m256i sum[FOUR]) {
    const struct heads h = heads_of(w);
    (void)bs;
    UNROLL for (int r = 0; r < FOUR; r++) {
        const char *qs = w[r] + offsetof(struct block_q4_k, qs);
        sum[r] = _mm256_setzero_si256();
        UNROLL for (int s = 0; s < 4; s++) {
            __m256i a = _mm256_maddubs_epi16(codes_of_head(qs, s, 0), load_256(x + 64 * s));
            __m256i b = _mm256_maddubs_epi16(codes_of_head(qs, s, 1), load_256(x + 64 * s + 32));
            sum[r] = chained(sum[r], _mm256_madd_epi16(_mm256_add_epi16(a, b), head_scale(&h, r, s)));
        }
    }
}

// The fifth bits of sub-blocks 0 .. 3 in the low half, of 4 .. 7 in the high half: bits 0 .. 3 of a byte.
INLINE __m256i fifth_of_head(const char *qh, int half) {
    __m256i v = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(qh + 16 * half)));
    return _mm256_srlv_epi32(v, _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4));
}

INLINE void lanes_q5_k(const char *const w[FOUR], const int8_t *x, const int16_t *bs, __m256i sum[FOUR]) {
    const struct heads h = heads_of(w);
    (void)bs;
    UNROLL for (int r = 0; r < FOUR; r++) {
        const char *qs = w[r] + offsetof(struct block_q5_k, qs), *qh = w[r] + offsetof(struct block_q5_k, qh);
        sum[r] = _mm256_setzero_si256();
        UNROLL for (int s = 0; s < 4; s++) {
            __m256i pairs[2];
            UNROLL for (int i = 0; i < 2; i++) {
                __m256i fifth = _mm256_slli_epi16(fifth_of_head(qh, i), 4 - s);
                fifth = _mm256_and_si256(fifth, _mm256_set1_epi8(16));
                pairs[i] = _mm256_maddubs_epi16(_mm256_or_si256(codes_of_head(qs, s, i), fifth),
                                                load_256(x + 64 * s + 32 * i));
            }
            __m256i both = _mm256_add_epi16(pairs[0], pairs[1]);
            sum[r] = chained(sum[r], _mm256_madd_epi16(both, head_scale(&h, r, s)));
        }
    }
}

// Sums or sub-scales of sixteen elements: the even ones in the low half, the odd ones in the high half.
INLINE __m256i even_odd_sums(const int16_t *bs) {
    const __m256i sort =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(load_256(bs), sort), 0xd8);
}

INLINE __m256i even_odd_scales(__m128i scales) {
    const __m128i sort = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    return _mm256_cvtepi8_epi16(_mm_shuffle_epi8(scales, sort));
}

// Sub-scales 2 c and 2 c + 1 to the two halves.
INLINE __m256i two_scales(__m256i even_odd, int c) {
    return _mm256_shuffle_epi8(even_odd, _mm256_set1_epi16((short)(0x0100 + 0x0202 * c)));
}

// Formats with sixteen sub-scales and codes in the order of the elements; the zero of codes is 2^zero.
INLINE void lanes_of_16(codes_reader *codes, scales_reader *scales, int zero, const char *const w[FOUR],
                        const int8_t *x, const int16_t *bs, __m256i sum[FOUR]) {
    UNROLL for (int r = 0; r < FOUR; r++) {
        const __m256i s = even_odd_scales(scales(w[r]));
        sum[r] = _mm256_setzero_si256();
        if (zero) {
            __m256i times = _mm256_slli_epi32(_mm256_madd_epi16(s, even_odd_sums(bs)), zero);
            sum[r] = _mm256_sub_epi32(sum[r], times);
        }
        UNROLL for (int c = 0; c < 8; c++) {
            __m256i pairs = _mm256_maddubs_epi16(codes(w[r], c), load_256(x + 32 * c));
            sum[r] = chained(sum[r], _mm256_madd_epi16(pairs, two_scales(s, c)));
        }
    }
}

INLINE void lanes_q2_k(const char *const w[FOUR], const int8_t *x, const int16_t *bs, __m256i sum[FOUR]) {
    lanes_of_16(codes_q2_k, scales_q2_k, 0, w, x, bs, sum);
}

INLINE __m128i mins_sums_q2_k(const char *const w[FOUR], const int16_t *bs) {
    __m256i v[FOUR];
    UNROLL for (int r = 0; r < FOUR; r++) v[r] = _mm256_madd_epi16(_mm256_cvtepu8_epi16(mins_q2_k(w[r])), load_256(bs));
    return sums_of_four(v);
}

// Two bits of each of sixteen numbers lie in the last four bytes, four bits in the eight before.
INLINE __m128i packed_scales_q3_k(const char *b) {
    const char *p = b + offsetof(struct block_q3_k, scales);
    __m128i low = _mm_loadl_epi64((const void *)p), high = _mm_set1_epi32(word_at(p + 8));
    low = _mm_unpacklo_epi64(low, _mm_srli_epi16(low, 4));
    high = _mm_srlv_epi32(_mm_sllv_epi32(high, _mm_setr_epi32(4, 2, 0, 0)), _mm_setr_epi32(0, 0, 0, 2));
    low = _mm_or_si128(_mm_and_si128(low, _mm_set1_epi8(15)), _mm_and_si128(high, _mm_set1_epi8(0x30)));
    return _mm_sub_epi8(low, _mm_set1_epi8(32));
}

INLINE void lanes_q3_k(const char *const w[FOUR], const int8_t *x, const int16_t *bs, __m256i sum[FOUR]) {
    lanes_of_16(codes_q3_k, packed_scales_q3_k, 2, w, x, bs, sum);
}

INLINE void lanes_q6_k(const char *const w[FOUR], const int8_t *x, const int16_t *bs, __m256i sum[FOUR]) {
    lanes_of_16(codes_q6_k, scales_q6_k, 5, w, x, bs, sum);
}

// Sub-block i in the low half, i + 4 in the high half: the low nibbles are the first half of it.
INLINE void lanes_iq4_xs(const char *const w[FOUR], const int8_t *x, const int16_t *bs, __m256i sum[FOUR]) {
    (void)bs;
    UNROLL for (int r = 0; r < FOUR; r++) {
        const __m256i scales = _mm256_cvtepi8_epi16(scales_iq4_xs(w[r]));
        sum[r] = _mm256_setzero_si256();
        UNROLL for (int i = 0; i < 4; i++) {
            const __m256i scale = _mm256_shuffle_epi8(scales, _mm256_set1_epi16((short)(0x0100 + 0x0404 * i)));
            __m256i v = two_128(w[r] + offsetof(struct block_iq4_xs, qs) + 16 * i, 64);
            __m256i low = levels16(grid_nonlinear, 0, _mm256_and_si256(v, _mm256_set1_epi8(15)));
            v = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
            __m256i high = levels16(grid_nonlinear, 0, v);
            low = signed_products(low, x + 64 * i);
            high = signed_products(high, x + 64 * i + 32);
            sum[r] = chained(sum[r], _mm256_madd_epi16(low, scale));
            sum[r] = chained(sum[r], _mm256_madd_epi16(high, scale));
        }
    }
}

INLINE __m256i three_times(__m256i v) {
    return _mm256_add_epi8(_mm256_add_epi8(v, v), v);
}

// The integer part of 3 * byte / 256: whether it is above 85, and above 170.
INLINE __m256i first_digit(__m256i v) {
    const __m256i one = _mm256_set1_epi8(1);
    __m256i low = _mm256_min_epu8(_mm256_subs_epu8(v, _mm256_set1_epi8(85)), one);
    return _mm256_add_epi8(low, _mm256_min_epu8(_mm256_subs_epu8(v, _mm256_set1_epi8((char)170)), one));
}

// Bytes whose first digits are the codes, as codes_tq1_0 numbers the vectors: every further digit is the first one of
// three times as much, modulo 256.
INLINE void ternary_bytes(const char *b, __m256i v[8]) {
    const char *qs = b + offsetof(struct block_tq1_0, qs);
    __m256i rest[5]; // 16 bytes, then four times the last four
    v[0] = load_256(qs);
    rest[0] = _mm256_set_m128i(_mm_set1_epi32(word_at(b + offsetof(struct block_tq1_0, qh))),
                               _mm_loadu_si128((const void *)(qs + 32)));
    UNROLL for (int i = 1; i < 5; i++) {
        v[i] = three_times(v[i - 1]);
        rest[i] = three_times(rest[i - 1]);
    }
    v[5] = _mm256_permute2x128_si256(rest[0], rest[1], 0x20);
    v[6] = _mm256_permute2x128_si256(rest[2], rest[3], 0x20);
    v[7] = _mm256_blend_epi32(_mm256_blend_epi32(rest[4], rest[0], 0x10), rest[1], 0x20);
    v[7] = _mm256_blend_epi32(_mm256_blend_epi32(v[7], rest[2], 0x40), rest[3], 0x80);
}

// Ternary formats have no sub-scales; codes are 1 more than the elements.
INLINE void lanes_tq1_0(const char *const w[FOUR], const int8_t *x, const int16_t *bs, __m256i sum[FOUR]) {
    const __m256i all = _mm256_madd_epi16(load_256(bs), _mm256_set1_epi16(-1));
    UNROLL for (int r = 0; r < FOUR; r++) {
        __m256i v[8], pairs = _mm256_setzero_si256();
        ternary_bytes(w[r], v);
        UNROLL for (int c = 0; c < 8; c++) pairs =
            _mm256_add_epi16(pairs, _mm256_maddubs_epi16(first_digit(v[c]), load_256(x + 32 * c)));
        sum[r] = chained(all, add_in_pairs(pairs));
    }
}

INLINE void lanes_tq2_0(const char *const w[FOUR], const int8_t *x, const int16_t *bs, __m256i sum[FOUR]) {
    const __m256i all = _mm256_madd_epi16(load_256(bs), _mm256_set1_epi16(-1));
    UNROLL for (int r = 0; r < FOUR; r++) {
        __m256i pairs = _mm256_setzero_si256();
        UNROLL for (int c = 0; c < 8; c++) pairs =
            _mm256_add_epi16(pairs, _mm256_maddubs_epi16(codes_tq2_0(w[r], c), load_256(x + 32 * c)));
        sum[r] = chained(all, add_in_pairs(pairs));
    }
}
