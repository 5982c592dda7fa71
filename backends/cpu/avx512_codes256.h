// SPDX-License-Identifier: MIT
// AVX-512: formats with one float scale per block of 256 elements, K and TQ formats and IQ4_XS: a reader per format for
// the codes of 64 consecutive elements as unsigned bytes, one for the sub-scales, and one row for all. The formats with
// codebooks are in avx512_grids.h. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/v16_avx512.h"
#include "quant/grids.h"

// The elements of the block at b.
typedef void codes256_reader(const char *b, __m512i q[4]);
// Sixteen bytes, one per sixteen elements: scales (signed) or minimums.
typedef __m128i scales256_reader(const char *b);
// The block's scale.
typedef uint16_t half_reader(const char *b);

// Nibbles: the low ones of 32 bytes, then the high ones.
INLINE __m512i nibbles_of_32(const char *qs) {
    __m512i v = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)qs));
    v = _mm512_mask_srli_epi16(v, 0xffff0000, v, 4);
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}

// Bits `first` and up of 32 bytes, then bits `second` (> first) and up of the same: shifted to bit `to`, both to the
// right or both to the left. Other bits are noise.
INLINE __m512i shifted_twice(const char *p, int first, int second, int to) {
    __m512i v = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)p));
    const long long a = first - to, b = second - to;
    if (a >= 0)
        return _mm512_srlv_epi64(v, _mm512_setr_epi64(a, a, a, a, b, b, b, b));
    return _mm512_sllv_epi64(v, _mm512_setr_epi64(-a, -a, -a, -a, -b, -b, -b, -b));
}

// low | (high & bits)
INLINE __m512i add_bits(__m512i low, __m512i high, int bits) {
    return _mm512_ternarylogic_epi64(low, high, _mm512_set1_epi8((char)bits), 0xf8);
}

// Two-bit codes of Q2_K, Q3_K and TQ2_0: 32 bytes hold 128 elements, the first 32 in the lowest bits.
INLINE __m512i pairs_of_bits(const char *qs, int i) {
    __m512i v = shifted_twice(qs + 32 * (i / 2), 4 * (i % 2), 4 * (i % 2) + 2, 0);
    return _mm512_and_si512(v, _mm512_set1_epi8(3));
}

// Eight bytes, each twice.
INLINE __m128i bytes_twice(__m128i v) {
    return _mm_unpacklo_epi8(v, v);
}

// The nibbles of `n` bytes (4 or 8) in order, low before high.
INLINE __m128i nibbles_in_order(const char *p, size_t n) {
    uint64_t bytes = 0;
    memcpy(&bytes, p, n);
    __m128i v = _mm_cvtsi64_si128((long long)bytes);
    return _mm_and_si128(_mm_unpacklo_epi8(v, _mm_srli_epi16(v, 4)), _mm_set1_epi8(15));
}

// 2 s + 1
INLINE __m128i odd_scales(__m128i s) {
    return _mm_add_epi8(_mm_add_epi8(s, s), _mm_set1_epi8(1));
}

INLINE __m512i quarter_q2_k(const char *b, int i) {
    return pairs_of_bits(b + offsetof(struct block_q2_k, qs), i);
}

INLINE __m128i scales_q2_k(const char *b) {
    return _mm_and_si128(_mm_loadu_si128((const void *)b), _mm_set1_epi8(15));
}

INLINE __m512i quarter_q3_k(const char *b, int i) {
    __m512i high = shifted_twice(b + offsetof(struct block_q3_k, hmask), 2 * i, 2 * i + 1, 2);
    return add_bits(pairs_of_bits(b + offsetof(struct block_q3_k, qs), i), high, 4);
}

INLINE __m128i scales_q3_k(const char *b) {
    uint64_t low;
    uint32_t high;
    memcpy(&low, b + offsetof(struct block_q3_k, scales), sizeof low);
    memcpy(&high, b + offsetof(struct block_q3_k, scales) + sizeof low, sizeof high);
    __m128i s =
        _mm_and_si128(_mm_srlv_epi64(_mm_set1_epi64x((long long)low), _mm_setr_epi32(0, 0, 4, 0)), _mm_set1_epi8(15));
    __m128i h = _mm_and_si128(_mm_srlv_epi32(_mm_set1_epi32((int)high), _mm_setr_epi32(0, 2, 4, 6)), _mm_set1_epi8(3));
    return _mm_sub_epi8(_mm_or_si128(s, _mm_slli_epi16(h, 4)), _mm_set1_epi8(32));
}

INLINE uint16_t half_q3_k(const char *b) {
    return half_at(b + offsetof(struct block_q3_k, d));
}

INLINE __m512i quarter_q4_k(const char *b, int i) {
    return nibbles_of_32(b + offsetof(struct block_q4_k, qs) + 32 * i);
}

INLINE __m512i quarter_q5_k(const char *b, int i) {
    __m512i high = shifted_twice(b + offsetof(struct block_q5_k, qh), 2 * i, 2 * i + 1, 4);
    return add_bits(nibbles_of_32(b + offsetof(struct block_q5_k, qs) + 32 * i), high, 16);
}

INLINE __m512i quarter_q6_k(const char *b, int i) {
    __m512i low = _mm512_loadu_si512(b + offsetof(struct block_q6_k, ql) + 64 * (i / 2));
    low = _mm512_and_si512(i % 2 ? _mm512_srli_epi16(low, 4) : low, _mm512_set1_epi8(15));
    __m512i high = shifted_twice(b + offsetof(struct block_q6_k, qh) + 32 * (i / 2), 4 * (i % 2), 4 * (i % 2) + 2, 4);
    return add_bits(low, high, 0x30);
}

INLINE uint16_t half_q6_k(const char *b) {
    return half_at(b + offsetof(struct block_q6_k, d));
}

// Sixteen low nibbles, then sixteen high ones, for two sub-blocks.
INLINE __m512i quarter_iq4_xs(const char *b, int i) {
    const char *qs = b + offsetof(struct block_iq4_xs, qs) + 32 * i;
    __m256i bytes = _mm256_loadu_si256((const void *)qs);
    __m512i v = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 1, 0, 1, 2, 3, 2, 3), _mm512_castsi256_si512(bytes));
    v = _mm512_and_si512(_mm512_mask_srli_epi16(v, 0xff00ff00, v, 4), _mm512_set1_epi8(15));
    const __m128i codes = _mm_xor_si128(_mm_loadu_si128((const void *)grid_nonlinear), _mm_set1_epi8(-128));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(codes), v);
}

INLINE __m128i eight_scales_iq4_xs(const char *b) {
    __m128i high = _mm_srlv_epi16(_mm_set1_epi16((short)half_at(b + offsetof(struct block_iq4_xs, scales_h))),
                                  _mm_setr_epi16(0, 2, 4, 6, 8, 10, 12, 14));
    high = _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi16(3)), 4);
    __m128i low = nibbles_in_order(b + offsetof(struct block_iq4_xs, scales_l), 4);
    __m128i s = _mm_or_si128(low, _mm_packus_epi16(high, high));
    return _mm_sub_epi8(s, _mm_set1_epi8(32));
}

INLINE uint16_t half_iq4_xs(const char *b) {
    return half_at(b);
}

// The integer parts of 3 * byte / 256: 86 and 171 are the least bytes with 1 and 2, which averages of byte - 1 tell
// apart in their two upper bits.
INLINE __m512i ternary_digits(__m256i low, __m256i high) {
    __m512i v = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    v = _mm512_subs_epu8(v, _mm512_set1_epi8(1));
    v = _mm512_avg_epu8(v, _mm512_avg_epu8(v, _mm512_setzero_si512()));
    return _mm512_and_si512(_mm512_srli_epi16(v, 6), _mm512_set1_epi8(3));
}

INLINE __m256i two_halves(__m128i low, __m128i high) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

// The next digit comes with three times the bytes, modulo 256.
INLINE void codes_tq1_0(const char *b, __m512i q[4]) {
    __m256i a[5];
    __m128i c[5];
    int32_t qh;
    a[0] = _mm256_loadu_si256((const void *)b);
    c[0] = _mm_loadu_si128((const void *)(b + 32));
    UNROLL for (int k = 1; k < 5; k++) {
        a[k] = _mm256_add_epi8(a[k - 1], _mm256_add_epi8(a[k - 1], a[k - 1]));
        c[k] = _mm_add_epi8(c[k - 1], _mm_add_epi8(c[k - 1], c[k - 1]));
    }
    memcpy(&qh, b + offsetof(struct block_tq1_0, qh), sizeof qh);
    const __m256i powers = _mm256_setr_epi16(1, 1, 1, 1, 3, 3, 3, 3, 9, 9, 9, 9, 27, 27, 27, 27);
    __m256i last = _mm256_mullo_epi16(_mm256_cvtepu8_epi16(_mm_set1_epi32(qh)), powers);
    q[0] = ternary_digits(a[0], a[1]);
    q[1] = ternary_digits(a[2], a[3]);
    q[2] = ternary_digits(a[4], two_halves(c[0], c[1]));
    q[3] = ternary_digits(two_halves(c[2], c[3]), two_halves(c[4], _mm256_cvtepi16_epi8(last)));
}

INLINE uint16_t half_tq1_0(const char *b) {
    return half_at(b + offsetof(struct block_tq1_0, d));
}

INLINE __m512i quarter_tq2_0(const char *b, int i) {
    return pairs_of_bits(b + offsetof(struct block_tq2_0, qs), i);
}

INLINE uint16_t half_tq2_0(const char *b) {
    return half_at(b + offsetof(struct block_tq2_0, d));
}

// A reader of the block from one of elements 64 i .. 64 i + 63.
#define WHOLE_BLOCK(sym)                                                                                               \
    INLINE void codes_##sym(const char *b, __m512i q[4]) {                                                             \
        UNROLL for (int i = 0; i < 4; i++) q[i] = quarter_##sym(b, i);                                                 \
    }
WHOLE_BLOCK(q2_k)
WHOLE_BLOCK(q3_k)
WHOLE_BLOCK(q4_k)
WHOLE_BLOCK(q5_k)
WHOLE_BLOCK(q6_k)
WHOLE_BLOCK(iq4_xs)
WHOLE_BLOCK(tq2_0)
