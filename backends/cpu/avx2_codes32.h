// SPDX-License-Identifier: MIT
// AVX2, few columns: eight runs of a row in a format with a float scale per run of 32 or 16 elements. The low half of a
// vector of codes is of runs 0 .. 3, the high half of 4 .. 7, so that the sums of eight runs end in their lanes without
// crossing halves. Included between avx2_begin.h and avx2_end.h.
#pragma once

#include "backends/cpu/avx2_halves.h"

// Blocks of 16 bytes of codes follow each other `size` bytes apart; what is read of eight runs at w:
struct format32 {
    // Vector `part` of group `group`: 32 codes, unsigned with a zero, or signed where they are wide. The products of a
    // group's vectors are added up. Each half of a group holds 4 / groups runs, in order.
    __m256i (*codes)(const char *w, int group, int part);
    // The activations of eight runs in the order of the vectors.
    void (*order)(const int8_t *x, int8_t *out);
    __m256 (*d)(const char *w), (*m)(const char *w); // scales, and minimums; m NULL: none
    size_t size;                                     // bytes of eight runs
    int run_len, groups, parts, zero;
    int fit;           // how often two of a group's sums can be added in 16 bits; 0: signed codes of eight bits, none
    bool signed_order; // the order is order_signed: codes are above -128
};

INLINE __m256i nibble_of(__m256i v, int part) {
    return _mm256_and_si256(part ? _mm256_srli_epi16(v, 4) : v, _mm256_set1_epi8(15));
}

// Bits 4 .. 7 of run `group`, or its bits 0 .. 3, and those of run group + 4.
#define NIBBLES_OF(sym, w, group, part)                                                                                \
    nibble_of(two_128((w) + (size_t)(group) * sizeof(struct block_##sym) + offsetof(struct block_##sym, qs),           \
                      4 * sizeof(struct block_##sym)),                                                                 \
              part)

INLINE __m256i step_q4_0(const char *w, int group, int part) {
    return NIBBLES_OF(q4_0, w, group, part);
}

INLINE __m256i step_q4_1(const char *w, int group, int part) {
    return NIBBLES_OF(q4_1, w, group, part);
}

INLINE __m256i step_iq4_nl(const char *w, int group, int part) {
    return levels16(grid_nonlinear, 0, NIBBLES_OF(iq4_nl, w, group, part));
}

INLINE __m256i step_mxfp4(const char *w, int group, int part) {
    return levels16(grid_e2m1, 12, NIBBLES_OF(mxfp4, w, group, part));
}

// Adds 16 where the fifth bit is set: bits 16 part .. 16 part + 15 of the words at qh and `distance` bytes on.
INLINE __m256i with_fifth_bits(__m256i v, const char *qh, size_t distance, int part) {
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    const __m256i at = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
    __m256i words = _mm256_blend_epi32(_mm256_set1_epi32(word_at(qh)), _mm256_set1_epi32(word_at(qh + distance)), 0xf0);
    words = _mm256_shuffle_epi8(words, _mm256_add_epi8(at, _mm256_set1_epi8((char)(2 * part))));
    __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(words, bit), bit);
    return _mm256_or_si256(v, _mm256_and_si256(set, _mm256_set1_epi8(16)));
}

#define FIVE_BITS(sym)                                                                                                 \
    INLINE __m256i step_##sym(const char *w, int group, int part) {                                                    \
        const size_t size = sizeof(struct block_##sym);                                                                \
        const char *qh = w + (size_t)group * size + offsetof(struct block_##sym, qh);                                  \
        return with_fifth_bits(NIBBLES_OF(sym, w, group, part), qh, 4 * size, part);                                   \
    }
FIVE_BITS(q5_0)
FIVE_BITS(q5_1)

INLINE __m256i step_q8_0(const char *w, int group, int part) {
    const size_t size = sizeof(struct block_q8_0);
    return two_128(w + (size_t)group * size + offsetof(struct block_q8_0, qs) + 16 * part, 4 * size);
}

// Two runs of 16 are sixteen bytes: the low nibbles of eight bytes, then the high ones.
INLINE __m256i step_nvfp4(const char *w, int group, int part) {
    const char *qs = w + offsetof(struct block_nvfp4, qs) + 16 * group;
    return levels16(grid_e2m1, 12, nibble_of(two_128(qs, sizeof(struct block_nvfp4)), part));
}

// Bit `part` of each byte of two blocks; 2 where it is set.
INLINE __m256i step_q1_0(const char *w, int group, int part) {
    (void)group;
    __m256i v = two_128(w + offsetof(struct block_q1_0, qs), sizeof(struct block_q1_0));
    return _mm256_and_si256(part ? _mm256_srli_epi16(v, part - 1) : _mm256_slli_epi16(v, 1), _mm256_set1_epi8(2));
}

// Bit pair `part` of each byte of blocks `group` and group + 2.
INLINE __m256i step_q2_0(const char *w, int group, int part) {
    const size_t size = sizeof(struct block_q2_0);
    __m256i v = two_128(w + (size_t)group * size + offsetof(struct block_q2_0, qs), 2 * size);
    return _mm256_and_si256(part ? _mm256_srli_epi16(v, 2 * part) : v, _mm256_set1_epi8(3));
}

// Of two runs of 16 the first eight elements, then the others.
INLINE void order_quarters(const int8_t *x, int8_t *out) {
    UNROLL for (int g = 0; g < 2; g++) {
        __m128i a = load_16(x + 32 * g), b = load_16(x + 32 * g + 16);
        __m128i c = load_16(x + 64 + 32 * g), d = load_16(x + 64 + 32 * g + 16);
        put_halves(out + 64 * g, _mm_unpacklo_epi64(a, b), _mm_unpacklo_epi64(c, d));
        put_halves(out + 64 * g + 32, _mm_unpackhi_epi64(a, b), _mm_unpackhi_epi64(c, d));
    }
}

// Elements 4 i + k of 64 to vector k of four.
INLINE void turn_fours(const int8_t *x, __m128i out[4]) {
    const __m128i sort = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m128i v[4];
    UNROLL for (int i = 0; i < 4; i++) v[i] = _mm_shuffle_epi8(load_16(x + 16 * i), sort);
    __m128i a = _mm_unpacklo_epi32(v[0], v[1]), b = _mm_unpacklo_epi32(v[2], v[3]);
    __m128i c = _mm_unpackhi_epi32(v[0], v[1]), d = _mm_unpackhi_epi32(v[2], v[3]);
    out[0] = _mm_unpacklo_epi64(a, b);
    out[1] = _mm_unpackhi_epi64(a, b);
    out[2] = _mm_unpacklo_epi64(c, d);
    out[3] = _mm_unpackhi_epi64(c, d);
}

INLINE void order_fours(const int8_t *x, int8_t *out) {
    UNROLL for (int g = 0; g < 2; g++) {
        __m128i low[4], high[4];
        turn_fours(x + 64 * g, low);
        turn_fours(x + 128 + 64 * g, high);
        UNROLL for (int k = 0; k < 4; k++) put_halves(out + 128 * g + 32 * k, low[k], high[k]);
    }
}

// Elements 8 i + k of 128 to vector k of eight: of fours, k and k + 4 take turns.
INLINE void turn_eights(const int8_t *x, __m128i out[8]) {
    const __m128i sort = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    __m128i a[4], b[4];
    turn_fours(x, a);
    turn_fours(x + 64, b);
    UNROLL for (int k = 0; k < 4; k++) {
        a[k] = _mm_shuffle_epi8(a[k], sort);
        b[k] = _mm_shuffle_epi8(b[k], sort);
        out[k] = _mm_unpacklo_epi64(a[k], b[k]);
        out[k + 4] = _mm_unpackhi_epi64(a[k], b[k]);
    }
}

INLINE void order_eights(const int8_t *x, int8_t *out) {
    __m128i low[8], high[8];
    turn_eights(x, low);
    turn_eights(x + 128, high);
    UNROLL for (int k = 0; k < 8; k++) put_halves(out + 32 * k, low[k], high[k]);
}

// Half-precision numbers `size` bytes apart, at the beginning of blocks of more than 16 bytes: loads and unpacking cost
// less than insertions.
INLINE __m128i four_halves_at(const char *p, size_t size) {
    __m128i v[4];
    UNROLL for (int i = 0; i < 4; i++) v[i] = load_16(p + (size_t)i * size);
    return _mm_unpacklo_epi32(_mm_unpacklo_epi16(v[0], v[1]), _mm_unpacklo_epi16(v[2], v[3]));
}

INLINE __m256 eight_halves_at(const char *p, size_t size) {
    return _mm256_cvtph_ps(_mm_unpacklo_epi64(four_halves_at(p, size), four_halves_at(p + 4 * size, size)));
}

// The scale or minimum of each of eight blocks.
#define EIGHT_HALVES(sym, name)                                                                                        \
    INLINE __m256 name##8_##sym(const char *w) {                                                                       \
        return eight_halves_at(w + offsetof(struct block_##sym, name), sizeof(struct block_##sym));                    \
    }
EIGHT_HALVES(q4_0, d)
EIGHT_HALVES(q4_1, d)
EIGHT_HALVES(q4_1, m)
EIGHT_HALVES(q5_0, d)
EIGHT_HALVES(q5_1, d)
EIGHT_HALVES(q5_1, m)
EIGHT_HALVES(q8_0, d)
EIGHT_HALVES(iq4_nl, d)

// Half of 2^(e - 127), in integers: under 2 the number is subnormal.
INLINE __m256 d8_mxfp4(const char *w) {
    const size_t size = sizeof(struct block_mxfp4);
    __m128i v[4];
    UNROLL for (int i = 0; i < 4; i++) v[i] =
        _mm_unpacklo_epi8(load_16(w + 2 * (size_t)i * size), load_16(w + (2 * (size_t)i + 1) * size));
    __m128i bytes = _mm_unpacklo_epi32(_mm_unpacklo_epi16(v[0], v[1]), _mm_unpacklo_epi16(v[2], v[3]));
    __m256i e = _mm256_cvtepu8_epi32(bytes), two = _mm256_set1_epi32(2);
    __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    __m256i subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x200000), e);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, subnormal, _mm256_cmpgt_epi32(two, e)));
}

INLINE __m256 d8_nvfp4(const char *w) {
    __m128i v = _mm_insert_epi32(_mm_cvtsi32_si128(word_at(w)), word_at(w + sizeof(struct block_nvfp4)), 1);
    v = _mm_cvtepu8_epi16(v);
    v = _mm_andnot_si128(_mm_cmpeq_epi16(v, _mm_set1_epi16(0x7f)), v);
    v = _mm_slli_epi16(_mm_and_si128(v, _mm_set1_epi16(0x7f)), 7);
    return _mm256_mul_ps(_mm256_cvtph_ps(v), _mm256_set1_ps(128.0f));
}

INLINE __m256 d8_q1_0(const char *w) {
    __m128 low = _mm_set1_ps(_cvtsh_ss(half_at(w))),
           high = _mm_set1_ps(_cvtsh_ss(half_at(w + sizeof(struct block_q1_0))));
    return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
}

INLINE __m256 d8_q2_0(const char *w) {
    __m128i v = four_halves_at(w, sizeof(struct block_q2_0));
    return _mm256_cvtph_ps(_mm_unpacklo_epi16(v, v));
}

// One row a format: X(symbol, blocks of eight runs, elements of a run, order, groups, parts, zero, fit, minimums,
// whether the order is order_signed).
#define FORMATS32(X)                                                                                                   \
    X(q4_0, 8, 32, order_halves, 4, 2, 8, 2, NULL, false)                                                              \
    X(q4_1, 8, 32, order_halves, 4, 2, 0, 2, m8_q4_1, false)                                                           \
    X(q5_0, 8, 32, order_halves, 4, 2, 16, 1, NULL, false)                                                             \
    X(q5_1, 8, 32, order_halves, 4, 2, 0, 1, m8_q5_1, false)                                                           \
    X(q8_0, 8, 32, order_halves, 4, 2, 0, 0, NULL, false)                                                              \
    X(iq4_nl, 8, 32, order_signed, 4, 2, 0, 0, NULL, true)                                                             \
    X(mxfp4, 8, 32, order_halves, 4, 2, 12, 1, NULL, false)                                                            \
    X(nvfp4, 2, 16, order_quarters, 2, 2, 12, 1, NULL, false)                                                          \
    X(q1_0, 2, 32, order_eights, 1, 8, 1, 1, NULL, false)                                                              \
    X(q2_0, 4, 32, order_fours, 2, 4, 1, 1, NULL, false)
