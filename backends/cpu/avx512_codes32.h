// SPDX-License-Identifier: MIT
// AVX-512: formats with one float scale per run of 32 (or 16) elements. A reader per format gives the codes of 64
// elements as unsigned bytes, and the scales of eight runs; the direct kernels and the panels are made from these.
// Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/v16_avx512.h"
#include "quant/grids.h"

// Runs of 32: the first (half 0) or second (half 1) sixteen elements of four runs, a run to each quarter of the vector.
// Runs of 16 (`half` is 0): four runs.
typedef __m512i codes32_reader(const char *w, int half);
// The scales of eight runs, and what is added to each element in formats that have it.
typedef void scales32_reader(const char *w, __m256 *d, __m256 *m);

struct format32 {
    codes32_reader *codes;
    scales32_reader *scales;
    size_t bytes8; // of eight runs
    int run_len;   // 32 or 16
    int zero;      // the code of 0
    bool has_min;
};

// Sixteen bytes of each of four blocks.
INLINE __m512i four_quarters(const char *p, size_t stride) {
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)p));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + stride)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 2 * stride)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 3 * stride)), 3);
}

// The low nibbles (half 0) or the high ones of sixteen bytes of each of four blocks.
INLINE __m512i four_nibbles(const char *qs, size_t stride, int half) {
    __m512i v = four_quarters(qs, stride);
    return _mm512_and_si512(half ? _mm512_srli_epi16(v, 4) : v, _mm512_set1_epi8(15));
}

// Adds 16 where the fifth bit is set; qh lies `at` bytes (at most 12) behind the start of a block.
INLINE __m512i fifth_bits(__m512i v, const char *w, size_t stride, int at, int half) {
    const char first = (char)(at + 2 * half), second = (char)(first + 1);
    const __m128i spread = _mm_setr_epi8(first, first, first, first, first, first, first, first, second, second, second,
                                         second, second, second, second, second);
    __m512i bytes = _mm512_shuffle_epi8(four_quarters(w, stride), _mm512_broadcast_i32x4(spread));
    __mmask64 set = _mm512_test_epi8_mask(bytes, _mm512_set1_epi64((long long)0x8040201008040201));
    return _mm512_mask_add_epi8(v, set, v, _mm512_set1_epi8(16));
}

INLINE __m512i levels_of(__m512i index, const int8_t *levels, int zero) {
    __m128i codes = _mm_add_epi8(_mm_loadu_si128((const void *)levels), _mm_set1_epi8((char)zero));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(codes), index);
}

// Where the head of block i of eight lies: windows of 64 bytes that hold `per` heads each; the last may begin earlier
// than after the one before it, so that nothing behind the eight blocks is read.
INLINE size_t heads_per_window(size_t stride) {
    return 60 / stride + 1;
}

INLINE size_t window_at(size_t stride, size_t i) {
    size_t per = heads_per_window(stride), at = i / per * per * stride;
    return at + 64 > 8 * stride ? 8 * stride - 64 : at;
}

// The word offset of block i's head in its window.
INLINE short head_word(size_t stride, size_t i) {
    return (short)((i * stride - window_at(stride, i)) / 2);
}

// The first words (low half) and second words (high half) of eight blocks an even number of bytes apart.
INLINE __m256i head_words(const char *w, size_t stride) {
#define AT(i) head_word(stride, i)
    const __m256i first = _mm256_setr_epi16(AT(0), AT(1), AT(2), AT(3), AT(4), AT(5), AT(6), AT(7), AT(0), AT(1), AT(2),
                                            AT(3), AT(4), AT(5), AT(6), AT(7));
#undef AT
    const __m256i one = _mm256_setr_epi16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const __m512i at = _mm512_castsi256_si512(_mm256_add_epi16(first, one));
    size_t per = heads_per_window(stride);
    __m512i v = _mm512_permutexvar_epi16(at, _mm512_loadu_si512(w));
    UNROLL for (size_t i = per; i < 8; i += per) {
        unsigned lanes8 = (0xffu << i) & 0xff;
        v = _mm512_mask_permutexvar_epi16(v, lanes8 | lanes8 << 8, at, _mm512_loadu_si512(w + window_at(stride, i)));
    }
    return _mm512_castsi512_si256(v);
}

INLINE void scales_of_halves(const char *w, size_t stride, __m256 *d) {
    *d = _mm256_cvtph_ps(_mm256_castsi256_si128(head_words(w, stride)));
}

INLINE void scales_of_pairs(const char *w, size_t stride, __m256 *d, __m256 *m) {
    __m256i words = head_words(w, stride);
    *d = _mm256_cvtph_ps(_mm256_castsi256_si128(words));
    *m = _mm256_cvtph_ps(_mm256_extracti128_si256(words, 1));
}

INLINE __m512i codes_q4_0(const char *w, int half) {
    return four_nibbles(w + offsetof(struct block_q4_0, qs), sizeof(struct block_q4_0), half);
}

INLINE void scales_q4_0(const char *w, __m256 *d, __m256 *m) {
    (void)m;
    scales_of_halves(w, sizeof(struct block_q4_0), d);
}

INLINE __m512i codes_q4_1(const char *w, int half) {
    return four_nibbles(w + offsetof(struct block_q4_1, qs), sizeof(struct block_q4_1), half);
}

INLINE void scales_q4_1(const char *w, __m256 *d, __m256 *m) {
    scales_of_pairs(w, sizeof(struct block_q4_1), d, m);
}

INLINE __m512i codes_q5_0(const char *w, int half) {
    __m512i v = four_nibbles(w + offsetof(struct block_q5_0, qs), sizeof(struct block_q5_0), half);
    return fifth_bits(v, w, sizeof(struct block_q5_0), offsetof(struct block_q5_0, qh), half);
}

INLINE void scales_q5_0(const char *w, __m256 *d, __m256 *m) {
    (void)m;
    scales_of_halves(w, sizeof(struct block_q5_0), d);
}

INLINE __m512i codes_q5_1(const char *w, int half) {
    __m512i v = four_nibbles(w + offsetof(struct block_q5_1, qs), sizeof(struct block_q5_1), half);
    return fifth_bits(v, w, sizeof(struct block_q5_1), offsetof(struct block_q5_1, qh), half);
}

INLINE void scales_q5_1(const char *w, __m256 *d, __m256 *m) {
    scales_of_pairs(w, sizeof(struct block_q5_1), d, m);
}

INLINE __m512i codes_q8_0(const char *w, int half) {
    const char *qs = w + offsetof(struct block_q8_0, qs) + 16 * half;
    return _mm512_xor_si512(four_quarters(qs, sizeof(struct block_q8_0)), _mm512_set1_epi8(-128));
}

INLINE void scales_q8_0(const char *w, __m256 *d, __m256 *m) {
    (void)m;
    scales_of_halves(w, sizeof(struct block_q8_0), d);
}

INLINE __m512i codes_iq4_nl(const char *w, int half) {
    __m512i v = four_nibbles(w + offsetof(struct block_iq4_nl, qs), sizeof(struct block_iq4_nl), half);
    return levels_of(v, grid_nonlinear, 128);
}

INLINE __m512i codes_mxfp4(const char *w, int half) {
    __m512i v = four_nibbles(w + offsetof(struct block_mxfp4, qs), sizeof(struct block_mxfp4), half);
    return levels_of(v, grid_e2m1, 12);
}

// Half of 2^(e - 127), as in quant/mxfp4.c.
INLINE void scales_mxfp4(const char *w, __m256 *d, __m256 *m) {
    const size_t size = sizeof(struct block_mxfp4);
    const char a = (char)size, b = (char)(2 * size), c = (char)(3 * size);
    const __m512i at = _mm512_castsi128_si512(_mm_setr_epi8(0, a, b, c, 0, a, b, c, 0, 0, 0, 0, 0, 0, 0, 0));
    (void)m;
    __m512i bytes = _mm512_permutexvar_epi8(at, _mm512_loadu_si512(w));
    bytes = _mm512_mask_permutexvar_epi8(bytes, 0xf0, at, _mm512_loadu_si512(w + 4 * size));
    __m256i e = _mm256_cvtepu8_epi32(_mm512_castsi512_si128(bytes));
    __m256i usual = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    __mmask8 tiny = _mm256_cmplt_epi32_mask(e, _mm256_set1_epi32(2));
    *d = _mm256_castsi256_ps(_mm256_mask_sllv_epi32(usual, tiny, _mm256_set1_epi32(0x200000), e));
}

// A run of 16 is eight bytes: the low nibbles, then the high ones.
INLINE __m512i codes_nvfp4(const char *w, int half) {
    (void)half;
    __m256i qs = _mm256_loadu_si256((const void *)(w + offsetof(struct block_nvfp4, qs)));
    __m512i v = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3), _mm512_castsi256_si512(qs));
    v = _mm512_mask_srli_epi16(v, 0xf0f0f0f0, v, 4);
    return levels_of(_mm512_and_si512(v, _mm512_set1_epi8(15)), grid_e2m1, 12);
}

// Half of an unsigned e4m3 number, as in quant/nvfp4.c.
INLINE void scales_nvfp4(const char *w, __m256 *d, __m256 *m) {
    int32_t low, high;
    (void)m;
    memcpy(&low, w, sizeof low);
    memcpy(&high, w + sizeof(struct block_nvfp4), sizeof high);
    __m256i all = _mm256_cvtepu8_epi32(_mm_setr_epi32(low, high, 0, 0));
    __m256i v = _mm256_and_si256(all, _mm256_set1_epi32(0x7f));
    __m256 usual = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_slli_epi32(v, 20), _mm256_set1_epi32(119 << 23)));
    __m256 tiny = _mm256_mul_ps(_mm256_cvtepi32_ps(v), _mm256_set1_ps(0x1p-10f));
    usual = _mm256_mask_mov_ps(usual, _mm256_cmplt_epi32_mask(v, _mm256_set1_epi32(8)), tiny);
    *d = _mm256_maskz_mov_ps(_mm256_cmpneq_epi32_mask(all, _mm256_set1_epi32(0x7f)), usual);
}

// Four runs are one block; 2 where a bit is set.
INLINE __m512i codes_q1_0(const char *w, int half) {
    const long long each = 0x0101010101010101;
    const __m512i at =
        _mm512_add_epi8(_mm512_setr_epi64(0, each, 4 * each, 5 * each, 8 * each, 9 * each, 12 * each, 13 * each),
                        _mm512_set1_epi8((char)(2 * half)));
    __m512i v = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)(w + offsetof(struct block_q1_0, qs))));
    v = _mm512_shuffle_epi8(v, at);
    __mmask64 set = _mm512_test_epi8_mask(v, _mm512_set1_epi64((long long)0x8040201008040201));
    return _mm512_maskz_set1_epi8(set, 2);
}

INLINE void scales_q1_0(const char *w, __m256 *d, __m256 *m) {
    const size_t size = sizeof(struct block_q1_0);
    (void)m;
    __m128 two = _mm_cvtph_ps(_mm_insert_epi16(_mm_cvtsi32_si128(half_at(w)), half_at(w + size), 1));
    *d = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(two), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
}

// Two runs are one block; a byte holds four consecutive elements.
INLINE __m512i codes_q2_0(const char *w, int half) {
    const char *qs = w + offsetof(struct block_q2_0, qs);
    const __m512i at =
        _mm512_add_epi8(_mm512_broadcast_i64x4(_mm256_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 8, 8, 8,
                                                                8, 9, 9, 9, 9, 10, 10, 10, 10, 11, 11, 11, 11)),
                        _mm512_set1_epi8((char)(4 * half)));
    __m256i a = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)qs));
    __m256i b = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(qs + sizeof(struct block_q2_0))));
    __m512i v = _mm512_shuffle_epi8(_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1), at);
    // Byte i of eight is taken from bit 8 i + 2 (i mod 4) on.
    v = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x3e342a201e140a00), v);
    return _mm512_and_si512(v, _mm512_set1_epi8(3));
}

INLINE void scales_q2_0(const char *w, __m256 *d, __m256 *m) {
    (void)m;
    __m128i h = _mm_cvtsi32_si128(half_at(w));
    h = _mm_insert_epi16(h, half_at(w + sizeof(struct block_q2_0)), 1);
    h = _mm_insert_epi16(h, half_at(w + 2 * sizeof(struct block_q2_0)), 2);
    h = _mm_insert_epi16(h, half_at(w + 3 * sizeof(struct block_q2_0)), 3);
    __m256 four = _mm256_castps128_ps256(_mm_cvtph_ps(h));
    *d = _mm256_permutevar8x32_ps(four, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}

// One row a format: X(symbol, bytes of eight runs, elements of a run, zero, has a minimum).
#define FORMATS32(X)                                                                                                   \
    X(q4_0, 8 * sizeof(struct block_q4_0), 32, 8, false)                                                               \
    X(q4_1, 8 * sizeof(struct block_q4_1), 32, 0, true)                                                                \
    X(q5_0, 8 * sizeof(struct block_q5_0), 32, 16, false)                                                              \
    X(q5_1, 8 * sizeof(struct block_q5_1), 32, 0, true)                                                                \
    X(q8_0, 8 * sizeof(struct block_q8_0), 32, 128, false)                                                             \
    X(iq4_nl, 8 * sizeof(struct block_iq4_nl), 32, 128, false)                                                         \
    X(mxfp4, 8 * sizeof(struct block_mxfp4), 32, 12, false)                                                            \
    X(nvfp4, 2 * sizeof(struct block_nvfp4), 16, 12, false)                                                            \
    X(q1_0, 2 * sizeof(struct block_q1_0), 32, 1, false)                                                               \
    X(q2_0, 4 * sizeof(struct block_q2_0), 32, 1, false)

INLINE void scales_iq4_nl(const char *w, __m256 *d, __m256 *m) {
    (void)m;
    scales_of_halves(w, sizeof(struct block_iq4_nl), d);
}
