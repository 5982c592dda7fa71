// SPDX-License-Identifier: MIT
// AVX-512: the codes of a run of 32 or 16 elements for sixteen rows at once, as panels want them: vector g holds
// elements 4 g .. 4 g + 3 of each row. Packed codes are turned before they are spread to bytes, which halves the work.
// Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_codes32.h"
#include "backends/cpu/avx512_gemm.h"

// At at[r] + skip stands the block of row r.
typedef void turned_reader(const char *const at[16], size_t skip, __m512i q[8]);

// Word k of sixteen bytes of each row.
INLINE void turn_words(const char *const at[16], size_t skip, __m512i word[4]) {
    __m512i z[4];
    UNROLL for (int i = 0; i < 4; i++) {
        z[i] = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(at[i] + skip)));
        z[i] = _mm512_inserti32x4(z[i], _mm_loadu_si128((const void *)(at[i + 4] + skip)), 1);
        z[i] = _mm512_inserti32x4(z[i], _mm_loadu_si128((const void *)(at[i + 8] + skip)), 2);
        z[i] = _mm512_inserti32x4(z[i], _mm_loadu_si128((const void *)(at[i + 12] + skip)), 3);
    }
    turn_four(z, word);
}

// Low nibbles are the first half of a run, high ones the second.
INLINE void turn_nibbles(const char *const at[16], size_t skip, __m512i q[8]) {
    const __m512i low = _mm512_set1_epi8(15);
    __m512i word[4];
    turn_words(at, skip, word);
    UNROLL for (int i = 0; i < 4; i++) {
        q[i] = _mm512_and_si512(word[i], low);
        q[i + 4] = _mm512_and_si512(_mm512_srli_epi16(word[i], 4), low);
    }
}

// Adds 16 where the fifth bit is set: bit e of the word at `skip` is that of element e.
INLINE void turn_fifth_bits(const char *const at[16], size_t skip, __m512i q[8]) {
    const __m512i each = _mm512_set1_epi64(0x1f1e1d1c3f3e3d3c); // byte i of row 0 from bit i - 4 on, of row 1 32 more
    __m512i word[4];
    turn_words(at, skip, word);
    UNROLL for (int g = 0; g < 8; g++) {
        __m512i bits = _mm512_multishift_epi64_epi8(_mm512_add_epi8(each, _mm512_set1_epi8((char)(4 * g))), word[0]);
        q[g] = _mm512_ternarylogic_epi64(q[g], bits, _mm512_set1_epi8(16), 0xf8); // q | (bits & 16)
    }
}

INLINE void turned_q4_0(const char *const at[16], size_t skip, __m512i q[8]) {
    turn_nibbles(at, skip + offsetof(struct block_q4_0, qs), q);
}

INLINE void turned_q4_1(const char *const at[16], size_t skip, __m512i q[8]) {
    turn_nibbles(at, skip + offsetof(struct block_q4_1, qs), q);
}

INLINE void turned_q5_0(const char *const at[16], size_t skip, __m512i q[8]) {
    turn_nibbles(at, skip + offsetof(struct block_q5_0, qs), q);
    turn_fifth_bits(at, skip + offsetof(struct block_q5_0, qh), q);
}

INLINE void turned_q5_1(const char *const at[16], size_t skip, __m512i q[8]) {
    turn_nibbles(at, skip + offsetof(struct block_q5_1, qs), q);
    turn_fifth_bits(at, skip + offsetof(struct block_q5_1, qh), q);
}

INLINE void turned_q8_0(const char *const at[16], size_t skip, __m512i q[8]) {
    turn_words(at, skip + offsetof(struct block_q8_0, qs), q);
    turn_words(at, skip + offsetof(struct block_q8_0, qs) + 16, q + 4);
    UNROLL for (int i = 0; i < 8; i++) q[i] = _mm512_xor_si512(q[i], _mm512_set1_epi8(-128));
}

INLINE void turned_iq4_nl(const char *const at[16], size_t skip, __m512i q[8]) {
    turn_nibbles(at, skip + offsetof(struct block_iq4_nl, qs), q);
    UNROLL for (int i = 0; i < 8; i++) q[i] = levels_of(q[i], grid_nonlinear, 128);
}

INLINE void turned_mxfp4(const char *const at[16], size_t skip, __m512i q[8]) {
    turn_nibbles(at, skip + offsetof(struct block_mxfp4, qs), q);
    UNROLL for (int i = 0; i < 8; i++) q[i] = levels_of(q[i], grid_e2m1, 12);
}
