// SPDX-License-Identifier: MIT
// AVX2: the codes of 32 consecutive elements of a row as 32 unsigned bytes in their order, and the scales of a block, a
// reader per format. Both the direct kernels and the panels are made from these. Included between a level's begin and
// end headers.
#pragma once

#include "backends/cpu/v16_avx2.h"
#include "quant/grids.h"

// Elements 32 c .. 32 c + 31 of the block at b.
typedef __m256i codes_reader(const char *b, int c);
// A scale or minimum of the block at b.
typedef float scale_reader(const char *b);
// The sixteen sub-scales or minimums of a block of 256.
typedef __m128i scales_reader(const char *b);

INLINE float half(const char *p) {
    return _cvtsh_ss(half_at(p));
}

INLINE int32_t word_at(const void *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

// The low nibbles of 16 bytes, then the high ones.
INLINE __m256i nibbles(const char *qs) {
    __m128i v = _mm_loadu_si128((const void *)qs);
    return _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(v, 4), v), _mm256_set1_epi8(15));
}

// Adds 16 where the fifth bit of an element is set.
INLINE __m256i fifth_bits(__m256i v, const char *qh) {
    int32_t bits;
    memcpy(&bits, qh, sizeof bits);
    const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i h = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), byte), bit);
    return _mm256_or_si256(v, _mm256_and_si256(_mm256_cmpeq_epi8(h, bit), _mm256_set1_epi8(16)));
}

INLINE __m256i codes_q4_0(const char *b, int c) {
    (void)c;
    return nibbles(b + offsetof(struct block_q4_0, qs));
}

INLINE __m256i codes_q4_1(const char *b, int c) {
    (void)c;
    return nibbles(b + offsetof(struct block_q4_1, qs));
}

INLINE __m256i codes_q5_0(const char *b, int c) {
    (void)c;
    return fifth_bits(nibbles(b + offsetof(struct block_q5_0, qs)), b + offsetof(struct block_q5_0, qh));
}

INLINE __m256i codes_q5_1(const char *b, int c) {
    (void)c;
    return fifth_bits(nibbles(b + offsetof(struct block_q5_1, qs)), b + offsetof(struct block_q5_1, qh));
}

INLINE __m256i codes_q8_0(const char *b, int c) {
    (void)c;
    __m256i v = _mm256_loadu_si256((const void *)(b + offsetof(struct block_q8_0, qs)));
    return _mm256_xor_si256(v, _mm256_set1_epi8(-128));
}

INLINE __m256i codes_iq4_nl(const char *b, int c) {
    (void)c;
    const __m256i levels = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)grid_nonlinear));
    __m256i v = _mm256_shuffle_epi8(levels, nibbles(b + offsetof(struct block_iq4_nl, qs)));
    return _mm256_xor_si256(v, _mm256_set1_epi8(-128));
}

INLINE __m256i codes_q4_k(const char *b, int c) {
    __m256i v = _mm256_loadu_si256((const void *)(b + offsetof(struct block_q4_k, qs) + 32 * (c / 2)));
    return _mm256_and_si256(c % 2 ? _mm256_srli_epi16(v, 4) : v, _mm256_set1_epi8(15));
}

INLINE __m256i codes_q5_k(const char *b, int c) {
    __m256i low = _mm256_loadu_si256((const void *)(b + offsetof(struct block_q5_k, qs) + 32 * (c / 2)));
    __m256i high = _mm256_loadu_si256((const void *)(b + offsetof(struct block_q5_k, qh)));
    low = _mm256_and_si256(c % 2 ? _mm256_srli_epi16(low, 4) : low, _mm256_set1_epi8(15));
    high = c < 4 ? _mm256_slli_epi16(high, 4 - c) : _mm256_srli_epi16(high, c - 4);
    return _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8(16)));
}

INLINE __m256i codes_q6_k(const char *b, int c) {
    __m256i low = _mm256_loadu_si256((const void *)(b + offsetof(struct block_q6_k, ql) + 64 * (c / 4) + 32 * (c % 2)));
    __m256i high = _mm256_loadu_si256((const void *)(b + offsetof(struct block_q6_k, qh) + 32 * (c / 4)));
    low = _mm256_and_si256(c % 4 < 2 ? low : _mm256_srli_epi16(low, 4), _mm256_set1_epi8(15));
    high = c % 4 == 0   ? _mm256_slli_epi16(high, 4)
           : c % 4 == 1 ? _mm256_slli_epi16(high, 2)
           : c % 4 == 2 ? high
                        : _mm256_srli_epi16(high, 2);
    return _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8(0x30)));
}

// n halves `stride` bytes apart, widened; the lanes behind them are 0.
INLINE __m256 halves8(const char *p, size_t stride, size_t n) {
    uint16_t h[8] = {0};
    for (size_t i = 0; i < n; i++)
        h[i] = half_at(p + i * stride);
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *)h));
}

// Half-precision scales and minimums.
#define HALF_READER(name, sym, field)                                                                                  \
    INLINE float name(const char *b) {                                                                                 \
        return half(b + offsetof(struct block_##sym, field));                                                          \
    }
HALF_READER(d_q4_0, q4_0, d)
HALF_READER(d_q4_1, q4_1, d)
HALF_READER(m_q4_1, q4_1, m)
HALF_READER(d_q5_0, q5_0, d)
HALF_READER(d_q5_1, q5_1, d)
HALF_READER(m_q5_1, q5_1, m)
HALF_READER(d_q8_0, q8_0, d)
HALF_READER(d_iq4_nl, iq4_nl, d)
HALF_READER(d_q4_k, q4_k, d)
HALF_READER(m_q4_k, q4_k, dmin)
HALF_READER(d_q5_k, q5_k, d)
HALF_READER(m_q5_k, q5_k, dmin)
HALF_READER(d_q6_k, q6_k, d)

INLINE __m128i scales_q5_k(const char *b) {
    return scales_q4_k(b);
}

INLINE __m128i mins_q5_k(const char *b) {
    return mins_q4_k(b);
}
