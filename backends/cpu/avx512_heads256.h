// SPDX-License-Identifier: MIT
// AVX-512: what stands beside the codes in blocks of 256 of sixteen rows, in lanes that are rows. Included between
// avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_grids.h"
#include "backends/cpu/avx512_turned32.h"

// Sub-scale i is byte `each` * i of a row's words, minimum i is byte i.
struct head {
    __m512i scales[4], mins[4];
    size_t each;
    __m512 d, dmin;
};

// Reads the blocks of sixteen rows, of which row r begins at w + r * stride.
typedef void head_reader(const char *w, size_t stride, struct head *h);

// The low halves of words.
INLINE __m512 halves_of(__m512i words) {
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words));
}

// The last word of blocks of `size` bytes.
INLINE __m512i last_words(const char *w, size_t stride, size_t size) {
    __m512i word[4];
    turn_words(w + size - 16, stride, word);
    return word[3];
}

INLINE __m512 last_halves(const char *w, size_t stride, size_t size) {
    return halves_of(_mm512_srli_epi32(last_words(w, stride, size), 16));
}

INLINE __m512i masked_bytes(__m512i v, int bits) {
    return _mm512_and_si512(v, _mm512_set1_epi8((char)bits));
}

INLINE void head_q2_k(const char *w, size_t stride, struct head *h) {
    const __m512i last = last_words(w, stride, sizeof(struct block_q2_k));
    turn_words(w + offsetof(struct block_q2_k, scales), stride, h->mins);
    UNROLL for (int i = 0; i < 4; i++) h->mins[i] = masked_bytes(_mm512_srli_epi16(h->mins[i], 4), 15);
    h->d = halves_of(last);
    h->dmin = halves_of(_mm512_srli_epi32(last, 16));
}

// Twelve bytes, four low bits of sixteen sub-scales and then two high ones, and the scale.
INLINE void head_q3_k(const char *w, size_t stride, struct head *h) {
    __m512i word[4], s[3];
    turn_words(w + sizeof(struct block_q3_k) - 16, stride, word);
    UNROLL for (int i = 0; i < 3; i++) s[i] =
        _mm512_or_si512(_mm512_srli_epi32(word[i], 16), _mm512_slli_epi32(word[i + 1], 16));
    UNROLL for (unsigned i = 0; i < 4; i++) {
        const __m512i low = masked_bytes(_mm512_srli_epi32(s[i % 2], i / 2 * 4), 15);
        const __m512i high = _mm512_slli_epi16(masked_bytes(_mm512_srli_epi32(s[2], 2 * i), 3), 4);
        h->scales[i] = _mm512_sub_epi8(_mm512_or_si512(low, high), _mm512_set1_epi8(32));
    }
    h->each = 1;
    h->d = halves_of(_mm512_srli_epi32(word[3], 16));
}

// The scales, and in twelve bytes eight sub-scales and minimums of six bits.
INLINE void head_q4_k(const char *w, size_t stride, struct head *h) {
    __m512i s[4];
    turn_words(w, stride, s);
    h->scales[0] = masked_bytes(s[1], 63);
    h->mins[0] = masked_bytes(s[2], 63);
    h->scales[1] = add_bits(masked_bytes(s[3], 15), _mm512_srli_epi32(s[1], 2), 48);
    h->mins[1] = add_bits(masked_bytes(_mm512_srli_epi32(s[3], 4), 15), _mm512_srli_epi32(s[2], 2), 48);
    h->each = 1;
    h->d = halves_of(s[0]);
    h->dmin = halves_of(_mm512_srli_epi32(s[0], 16));
}

#define head_q5_k head_q4_k

INLINE void head_q6_k(const char *w, size_t stride, struct head *h) {
    turn_words(w + offsetof(struct block_q6_k, scales), stride, h->scales);
    h->each = 1;
    h->d = last_halves(w, stride, sizeof(struct block_q6_k));
}

// The scale, two high bits of eight sub-scales, four low bits of them.
INLINE void head_iq4_xs(const char *w, size_t stride, struct head *h) {
    const __m512i low = _mm512_set1_epi64(0x2c2824200c080400), high = _mm512_set1_epi64(0x32302e2c12100e0c);
    __m512i word[4];
    turn_words(w, stride, word);
    UNROLL for (int i = 0; i < 2; i++) {
        const __m512i from_low = _mm512_add_epi8(low, _mm512_set1_epi8((char)(16 * i)));
        const __m512i from_high = _mm512_add_epi8(high, _mm512_set1_epi8((char)(8 * i)));
        const __m512i s = add_bits(masked_bytes(_mm512_multishift_epi64_epi8(from_low, word[1]), 15),
                                   _mm512_multishift_epi64_epi8(from_high, word[0]), 48);
        h->scales[i] = _mm512_sub_epi8(s, _mm512_set1_epi8(32));
    }
    h->each = 1;
    h->d = halves_of(word[0]);
}

INLINE void head_tq1_0(const char *w, size_t stride, struct head *h) {
    h->d = last_halves(w, stride, sizeof(struct block_tq1_0));
}

INLINE void head_tq2_0(const char *w, size_t stride, struct head *h) {
    h->d = last_halves(w, stride, sizeof(struct block_tq2_0));
}

// A format whose rows are read one by one; `each`: sub-scales of sixteen elements that are as one.
INLINE void head_by_rows(half_reader *half, scales256_reader *scales, float factor, size_t each, const char *w,
                         size_t stride, struct head *h) {
    uint16_t d[16];
    UNROLL for (size_t r = 0; r < 16; r++) d[r] = half(w + r * stride);
    h->d = _mm512_mul_ps(_mm512_cvtph_ps(_mm256_loadu_si256((const void *)d)), _mm512_set1_ps(factor));
    h->each = each;
    if (!each)
        return;
    __m512i z[4];
    UNROLL for (size_t i = 0; i < 4; i++) {
        const char *at = w + i * stride;
        const __m256i low = _mm256_set_m128i(scales(at + 4 * stride), scales(at));
        const __m256i high = _mm256_set_m128i(scales(at + 12 * stride), scales(at + 8 * stride));
        z[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
    turn_four(z, h->scales);
}

#define HEAD_BY_ROWS(sym, factor, each)                                                                                \
    INLINE void head_##sym(const char *w, size_t stride, struct head *h) {                                             \
        head_by_rows(half_##sym, scales_##sym, factor, each, w, stride, h);                                            \
    }
HEAD_BY_ROWS(iq1_s, 0.125f, 0)
HEAD_BY_ROWS(iq1_m, 0.125f, 0)
HEAD_BY_ROWS(iq2_xxs, 0.125f, 2)
HEAD_BY_ROWS(iq2_xs, 0.125f, 1)
HEAD_BY_ROWS(iq2_s, 0.125f, 1)
HEAD_BY_ROWS(iq3_xxs, 0.25f, 2)
HEAD_BY_ROWS(iq3_s, 1, 2)
