// SPDX-License-Identifier: MIT
// AVX-512: formats with one float scale per run of 32 (or 16) elements: the scales of eight runs, and one row for all.
// Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/v16_avx512.h"
#include "quant/grids.h"

// The scales of eight runs, and what is added to each element in formats that have it.
typedef void scales32_reader(const char *w, __m256 *d, __m256 *m);

struct format32 {
    scales32_reader *scales;
    size_t bytes8; // of eight runs
    int run_len;   // 32 or 16
    int zero;      // the code of 0
    bool has_min;
};

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

INLINE void scales_q4_0(const char *w, __m256 *d, __m256 *m) {
    (void)m;
    scales_of_halves(w, sizeof(struct block_q4_0), d);
}

INLINE void scales_q4_1(const char *w, __m256 *d, __m256 *m) {
    scales_of_pairs(w, sizeof(struct block_q4_1), d, m);
}

INLINE void scales_q5_0(const char *w, __m256 *d, __m256 *m) {
    (void)m;
    scales_of_halves(w, sizeof(struct block_q5_0), d);
}

INLINE void scales_q5_1(const char *w, __m256 *d, __m256 *m) {
    scales_of_pairs(w, sizeof(struct block_q5_1), d, m);
}

INLINE void scales_q8_0(const char *w, __m256 *d, __m256 *m) {
    (void)m;
    scales_of_halves(w, sizeof(struct block_q8_0), d);
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

INLINE void scales_q1_0(const char *w, __m256 *d, __m256 *m) {
    const size_t size = sizeof(struct block_q1_0);
    (void)m;
    __m128 two = _mm_cvtph_ps(_mm_insert_epi16(_mm_cvtsi32_si128(half_at(w)), half_at(w + size), 1));
    *d = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(two), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
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
