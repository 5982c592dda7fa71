// SPDX-License-Identifier: MIT
// AVX-512: the codes of a run of 32 or 16 elements for sixteen rows at once, as panels want them: vector g holds
// elements 4 g .. 4 g + 3 of each row. Packed codes are turned before they are spread to bytes, which halves the work.
// Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_codes32.h"
#include "backends/cpu/avx512_gemm.h"

// Elements 32 i .. 32 i + 31 of eight runs of sixteen rows; row r begins at w + r * stride.
typedef void turned_reader(const char *w, size_t stride, size_t i, __m512i q[8]);

INLINE __m128i sixteen_bytes(const char *p) {
    return _mm_loadu_si128((const void *)p);
}

// Word k of sixteen bytes of each row. Inserting two quarters into a half is two halves' work of the four that putting
// them into the whole vector takes.
INLINE void turn_words(const char *w, size_t stride, __m512i word[4]) {
    __m512i z[4];
    UNROLL for (size_t i = 0; i < 4; i++) {
        const char *q = w + 8 * stride;
        __asm__("" : "+r"(w), "+r"(q)); // or all sixteen addresses are made before: there are no registers for them
        __m256i low = _mm256_set_m128i(sixteen_bytes(w + 4 * stride), sixteen_bytes(w));
        __m256i high = _mm256_set_m128i(sixteen_bytes(q + 4 * stride), sixteen_bytes(q));
        z[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
        w += stride;
    }
    turn_four(z, word);
}

// Low nibbles are the first half of a run, high ones the second.
INLINE void turn_nibbles(const char *w, size_t stride, __m512i q[8]) {
    const __m512i low = _mm512_set1_epi8(15);
    __m512i word[4];
    turn_words(w, stride, word);
    UNROLL for (int i = 0; i < 4; i++) {
        q[i] = _mm512_and_si512(word[i], low);
        q[i + 4] = _mm512_and_si512(_mm512_srli_epi16(word[i], 4), low);
    }
}

// A word of each of sixteen rows.
INLINE __m512i sixteen_words(const char *w, size_t stride) {
    __m128i v[4];
    UNROLL for (size_t i = 0; i < 4; i++) {
        const char *p = w + 4 * i * stride;
        v[i] = _mm_cvtsi32_si128(word32(p));
        v[i] = _mm_insert_epi32(v[i], word32(p + stride), 1);
        v[i] = _mm_insert_epi32(v[i], word32(p + 2 * stride), 2);
        v[i] = _mm_insert_epi32(v[i], word32(p + 3 * stride), 3);
    }
    __m512i all = _mm512_inserti32x4(_mm512_castsi128_si512(v[0]), v[1], 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(all, v[2], 2), v[3], 3);
}

// Adds 16 where the fifth bit is set: bit e of the word at w is that of element e.
INLINE void turn_fifth_bits(const char *w, size_t stride, __m512i q[8]) {
    const __m512i each = _mm512_set1_epi64(0x1f1e1d1c3f3e3d3c); // byte i of row 0 from bit i - 4 on, of row 1 32 more
    const __m512i word = sixteen_words(w, stride);
    UNROLL for (int g = 0; g < 8; g++) {
        __m512i bits = _mm512_multishift_epi64_epi8(_mm512_add_epi8(each, _mm512_set1_epi8((char)(4 * g))), word);
        q[g] = _mm512_ternarylogic_epi64(q[g], bits, _mm512_set1_epi8(16), 0xf8); // q | (bits & 16)
    }
}

INLINE void turned_q4_0(const char *w, size_t stride, size_t i, __m512i q[8]) {
    turn_nibbles(w + i * sizeof(struct block_q4_0) + offsetof(struct block_q4_0, qs), stride, q);
}

INLINE void turned_q4_1(const char *w, size_t stride, size_t i, __m512i q[8]) {
    turn_nibbles(w + i * sizeof(struct block_q4_1) + offsetof(struct block_q4_1, qs), stride, q);
}

INLINE void turned_q5_0(const char *w, size_t stride, size_t i, __m512i q[8]) {
    w += i * sizeof(struct block_q5_0);
    turn_nibbles(w + offsetof(struct block_q5_0, qs), stride, q);
    turn_fifth_bits(w + offsetof(struct block_q5_0, qh), stride, q);
}

INLINE void turned_q5_1(const char *w, size_t stride, size_t i, __m512i q[8]) {
    w += i * sizeof(struct block_q5_1);
    turn_nibbles(w + offsetof(struct block_q5_1, qs), stride, q);
    turn_fifth_bits(w + offsetof(struct block_q5_1, qh), stride, q);
}

INLINE void turned_q8_0(const char *w, size_t stride, size_t i, __m512i q[8]) {
    w += i * sizeof(struct block_q8_0);
    turn_words(w + offsetof(struct block_q8_0, qs), stride, q);
    turn_words(w + offsetof(struct block_q8_0, qs) + 16, stride, q + 4);
    UNROLL for (int g = 0; g < 8; g++) q[g] = _mm512_xor_si512(q[g], _mm512_set1_epi8(-128));
}

INLINE void turned_iq4_nl(const char *w, size_t stride, size_t i, __m512i q[8]) {
    turn_nibbles(w + i * sizeof(struct block_iq4_nl) + offsetof(struct block_iq4_nl, qs), stride, q);
    UNROLL for (int g = 0; g < 8; g++) q[g] = levels_of(q[g], grid_nonlinear, 128);
}

INLINE void turned_mxfp4(const char *w, size_t stride, size_t i, __m512i q[8]) {
    turn_nibbles(w + i * sizeof(struct block_mxfp4) + offsetof(struct block_mxfp4, qs), stride, q);
    UNROLL for (int g = 0; g < 8; g++) q[g] = levels_of(q[g], grid_e2m1, 12);
}

// Two runs of sixteen, each eight bytes: low nibbles, then high ones.
INLINE void turned_nvfp4(const char *w, size_t stride, size_t i, __m512i q[8]) {
    const __m512i low = _mm512_set1_epi8(15);
    __m512i word[4];
    turn_words(w + i / 2 * sizeof(struct block_nvfp4) + offsetof(struct block_nvfp4, qs) + 16 * (i % 2), stride, word);
    UNROLL for (int k = 0; k < 4; k++) {
        const int g = k / 2 * 4 + k % 2;
        q[g] = levels_of(_mm512_and_si512(word[k], low), grid_e2m1, 12);
        q[g + 2] = levels_of(_mm512_and_si512(_mm512_srli_epi16(word[k], 4), low), grid_e2m1, 12);
    }
}

// Group g is four bits; 2 where a bit is set.
INLINE void turned_q1_0(const char *w, size_t stride, size_t i, __m512i q[8]) {
    const __m512i each = _mm512_set1_epi64(0x2221201f0201003f); // byte k of row 0 from bit k - 1 on, of row 1 32 more
    __m512i bits =
        sixteen_words(w + i / 4 * sizeof(struct block_q1_0) + offsetof(struct block_q1_0, qs) + i % 4 * 4, stride);
    UNROLL for (int g = 0; g < 8; g++) {
        __m512i from = _mm512_add_epi8(each, _mm512_set1_epi8((char)(4 * g)));
        q[g] = _mm512_and_si512(_mm512_multishift_epi64_epi8(from, bits), _mm512_set1_epi8(2));
    }
}

// Group g is a byte.
INLINE void turned_q2_0(const char *w, size_t stride, size_t i, __m512i q[8]) {
    const __m512i each = _mm512_set1_epi64(0x2624222006040200);
    w += i / 2 * sizeof(struct block_q2_0) + offsetof(struct block_q2_0, qs) + i % 2 * 8;
    UNROLL for (int k = 0; k < 2; k++) {
        __m512i words = sixteen_words(w + 4 * (size_t)k, stride);
        UNROLL for (int g = 0; g < 4; g++) {
            __m512i from = _mm512_add_epi8(each, _mm512_set1_epi8((char)(8 * g)));
            q[4 * k + g] = _mm512_and_si512(_mm512_multishift_epi64_epi8(from, words), _mm512_set1_epi8(3));
        }
    }
}

// Out[i] is element i of each of sixteen vectors.
INLINE void turn_eight(const __m256 row[16], __m512 out[8]) {
    __m512 z[8], t[8];
    UNROLL for (int i = 0; i < 8; i++) {
        int low = i < 4 ? i : i + 4;
        z[i] = _mm512_insertf32x8(_mm512_castps256_ps512(row[low]), row[low + 4], 1);
    }
    UNROLL for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_ps(z[i], z[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(z[i], z[i + 1]);
    }
    // Elements k and k + 4 of rows 0 .. 7 and 8 .. 15, four rows to a quarter.
    UNROLL for (int k = 0; k < 4; k++) {
        __m512d a = _mm512_castps_pd(t[k / 2]), b = _mm512_castps_pd(t[k / 2 + 2]);
        __m512d c = _mm512_castps_pd(t[k / 2 + 4]), d = _mm512_castps_pd(t[k / 2 + 6]);
        __m512 first = _mm512_castpd_ps(k % 2 ? _mm512_unpackhi_pd(a, b) : _mm512_unpacklo_pd(a, b));
        __m512 last = _mm512_castpd_ps(k % 2 ? _mm512_unpackhi_pd(c, d) : _mm512_unpacklo_pd(c, d));
        out[k] = _mm512_shuffle_f32x4(first, last, 0x88);
        out[k + 4] = _mm512_shuffle_f32x4(first, last, 0xdd);
    }
}

// Copies `have` bytes at `at` of `rows` rows from `first` on to rows of `size` bytes, filled up with zeros. The last
// row of the job stands in for rows that are not there. Returns `size`.
static size_t copy_runs(const struct dot_job *j, uint32_t first, uint32_t rows, size_t at, size_t have, size_t size,
                        char *copy) {
    for (uint32_t r = 0; r < rows; r++, copy += size) {
        memcpy(copy, panel_row(j, first + r) + at, have);
        memset(copy + have, 0, size - have);
    }
    return size;
}
