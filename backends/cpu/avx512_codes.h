// SPDX-License-Identifier: MIT
// AVX-512: the codes of 64 consecutive elements of a row as 64 unsigned bytes in their order, a reader per format.
// Both the direct kernels and the panels are made from these. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/v16_avx512.h"
#include "quant/grids.h"

// Formats of 32 elements: two blocks, at b and behind it.
typedef __m512i codes32_reader(const char *b);
// Formats of 256 elements: elements 64 c .. 64 c + 63 of the block at b.
typedef __m512i codes256_reader(const char *b, int c);

// The low nibbles of 16 bytes, then the high ones, for two blocks `size` bytes apart.
INLINE __m512i nibbles_of_two(const char *qs, size_t size) {
    __m256i a = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)qs));
    __m256i b = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(qs + size)));
    __m512i v = _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
    v = _mm512_mask_srli_epi16(v, 0xff00ff00, v, 4);
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}

// Adds 16 where the fifth bits of two blocks are set.
INLINE __m512i fifth_bits(__m512i v, const char *qh, size_t size) {
    uint32_t a, b;
    memcpy(&a, qh, sizeof a);
    memcpy(&b, qh + size, sizeof b);
    return _mm512_mask_add_epi8(v, (uint64_t)b << 32 | a, v, _mm512_set1_epi8(16));
}

INLINE __m512i codes_q4_0(const char *b) {
    return nibbles_of_two(b + offsetof(struct block_q4_0, qs), sizeof(struct block_q4_0));
}

INLINE __m512i codes_q4_1(const char *b) {
    return nibbles_of_two(b + offsetof(struct block_q4_1, qs), sizeof(struct block_q4_1));
}

INLINE __m512i codes_q5_0(const char *b) {
    __m512i v = nibbles_of_two(b + offsetof(struct block_q5_0, qs), sizeof(struct block_q5_0));
    return fifth_bits(v, b + offsetof(struct block_q5_0, qh), sizeof(struct block_q5_0));
}

INLINE __m512i codes_q5_1(const char *b) {
    __m512i v = nibbles_of_two(b + offsetof(struct block_q5_1, qs), sizeof(struct block_q5_1));
    return fifth_bits(v, b + offsetof(struct block_q5_1, qh), sizeof(struct block_q5_1));
}

INLINE __m512i codes_q8_0(const char *b) {
    const char *qs = b + offsetof(struct block_q8_0, qs);
    __m256i low = _mm256_loadu_si256((const void *)qs);
    __m256i high = _mm256_loadu_si256((const void *)(qs + sizeof(struct block_q8_0)));
    return _mm512_xor_si512(_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1), _mm512_set1_epi8(-128));
}

INLINE __m512i codes_iq4_nl(const char *b) {
    __m512i v = nibbles_of_two(b + offsetof(struct block_iq4_nl, qs), sizeof(struct block_iq4_nl));
    const __m512i levels = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)grid_nonlinear));
    return _mm512_xor_si512(_mm512_shuffle_epi8(levels, v), _mm512_set1_epi8(-128));
}

INLINE __m512i codes_q4_k(const char *b, int c) {
    const void *run = b + offsetof(struct block_q4_k, qs) + 32 * c;
    __m512i v = _mm512_broadcast_i64x4(_mm256_loadu_si256(run));
    v = _mm512_mask_srli_epi16(v, 0xffff0000, v, 4);
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}

INLINE __m512i codes_q5_k(const char *b, int c) {
    const void *run = b + offsetof(struct block_q5_k, qs) + 32 * c, *qh = b + offsetof(struct block_q5_k, qh);
    __m512i low = _mm512_broadcast_i64x4(_mm256_loadu_si256(run));
    low = _mm512_and_si512(_mm512_mask_srli_epi16(low, 0xffff0000, low, 4), _mm512_set1_epi8(15));
    // Bits 2 c and 2 c + 1 of the two halves go to bit 4.
    __m512i high = _mm512_broadcast_i64x4(_mm256_loadu_si256(qh));
    const long long left = 4 - 2 * c, right = 2 * c - 4;
    if (c < 2)
        high =
            _mm512_sllv_epi64(high, _mm512_setr_epi64(left, left, left, left, left - 1, left - 1, left - 1, left - 1));
    else
        high = _mm512_srlv_epi64(
            high, _mm512_setr_epi64(right, right, right, right, right + 1, right + 1, right + 1, right + 1));
    return _mm512_ternarylogic_epi64(low, high, _mm512_set1_epi8(16), 0xf8); // low | (high & 16)
}

INLINE __m512i codes_q6_k(const char *b, int c) {
    const char *ql = b + offsetof(struct block_q6_k, ql) + 64 * (c / 2);
    const char *qh = b + offsetof(struct block_q6_k, qh) + 32 * (c / 2);
    __m512i low = _mm512_loadu_si512(ql), high = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)qh));
    if (c % 2) {
        low = _mm512_srli_epi16(low, 4);
        high = _mm512_srlv_epi64(high, _mm512_setr_epi64(0, 0, 0, 0, 2, 2, 2, 2));
    } else {
        high = _mm512_sllv_epi64(high, _mm512_setr_epi64(4, 4, 4, 4, 2, 2, 2, 2));
    }
    low = _mm512_and_si512(low, _mm512_set1_epi8(15));
    return _mm512_ternarylogic_epi64(low, high, _mm512_set1_epi8(0x30), 0xf8); // low | (high & 0x30)
}

// Sixteen halves, `at` bytes behind sixteen places, widened.
INLINE __m512 halves16(const char *const p[16], size_t at) {
    uint16_t h[16];
    UNROLL for (int i = 0; i < 16; i++) h[i] = half_at(p[i] + at);
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)h));
}

// n <= 8 halves `stride` bytes apart, widened; the lanes behind them are 0.
INLINE __m256 halves8(const char *p, size_t stride, size_t n) {
    __m128i h = _mm_setzero_si128();
#define HALF(i) h = i < n ? _mm_insert_epi16(h, half_at(p + i * stride), i) : h
    HALF(0);
    HALF(1);
    HALF(2);
    HALF(3);
    HALF(4);
    HALF(5);
    HALF(6);
    HALF(7);
#undef HALF
    return _mm256_cvtph_ps(h);
}

// n <= 8 pairs of halves, `stride` bytes apart: the first of each pair in *a, the second in *b.
INLINE void half_pairs8(const char *p, size_t stride, size_t n, __m256 *a, __m256 *b) {
    __m128i v[2] = {_mm_setzero_si128(), _mm_setzero_si128()};
    int32_t pair[8] = {0};
    UNROLL for (size_t i = 0; i < 8; i++) if (i < n) memcpy(&pair[i], p + i * stride, sizeof pair[i]);
    const __m128i sort = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    UNROLL for (int i = 0; i < 2; i++) v[i] =
        _mm_shuffle_epi8(_mm_setr_epi32(pair[4 * i], pair[4 * i + 1], pair[4 * i + 2], pair[4 * i + 3]), sort);
    *a = _mm256_cvtph_ps(_mm_unpacklo_epi64(v[0], v[1]));
    *b = _mm256_cvtph_ps(_mm_unpackhi_epi64(v[0], v[1]));
}
