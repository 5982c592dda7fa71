// SPDX-License-Identifier: MIT
// AVX-512: the codes of 64 elements of a block of 256 for sixteen rows at once: vector g holds four elements of each
// row. Where nibbles or pairs of bits are all, packed codes are turned before they are spread to bytes. Included
// between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_grids.h"
#include "backends/cpu/avx512_turned32.h"

// Step i of a block of sixteen rows, whose row r begins at w + r * stride. A block's steps are read in order; `rest`
// keeps what a step leaves for those behind it, 64 vectors at most.
typedef void step_reader(const char *w, size_t stride, size_t i, __m512i *rest, __m512i q[16]);

// 32 bytes of each row as eight words.
INLINE void turn_eight_words(const char *w, size_t stride, __m512i word[8]) {
    turn_words(w, stride, word);
    turn_words(w + 16, stride, word + 4);
}

// A format whose rows are read one by one.
INLINE void step_by_rows(codes256_reader *read, const char *w, size_t stride, size_t i, __m512i *rest, __m512i q[16]) {
    for (size_t r = 0; i == 0 && r < 16; r++) {
        __m512i row[4];
        read(w + r * stride, row);
        UNROLL for (size_t k = 0; k < 4; k++) rest[16 * k + r] = row[k];
    }
    turn_rows(rest + 16 * i, q);
}

INLINE void low_and_high(const __m512i word[8], __m512i q[16]) {
    const __m512i low = _mm512_set1_epi8(15);
    UNROLL for (int g = 0; g < 8; g++) {
        q[g] = _mm512_and_si512(word[g], low);
        q[8 + g] = _mm512_and_si512(_mm512_srli_epi16(word[g], 4), low);
    }
}

// Adds `bits` of what is left of a vector turned by so many bits to the left.
INLINE __m512i add_turned(__m512i q, __m512i high, size_t left, int bits) {
    return add_bits(q, _mm512_rolv_epi32(high, _mm512_set1_epi32((int)(left % 32))), bits);
}

INLINE void step_q4_k(const char *w, size_t stride, size_t i, __m512i *rest, __m512i q[16]) {
    __m512i word[8];
    (void)rest;
    turn_eight_words(w + offsetof(struct block_q4_k, qs) + 32 * i, stride, word);
    low_and_high(word, q);
}

INLINE void step_q5_k(const char *w, size_t stride, size_t i, __m512i *rest, __m512i q[16]) {
    __m512i word[8];
    if (i == 0)
        turn_eight_words(w + offsetof(struct block_q5_k, qh), stride, rest);
    turn_eight_words(w + offsetof(struct block_q5_k, qs) + 32 * i, stride, word);
    low_and_high(word, q);
    UNROLL for (int g = 0; g < 8; g++) {
        q[g] = add_turned(q[g], rest[g], 32 + 4 - 2 * i, 16);
        q[8 + g] = add_turned(q[8 + g], rest[g], 32 + 3 - 2 * i, 16);
    }
}

// Elements 32 j .. 32 j + 31 of a half, and those 64 behind them.
INLINE void step_q6_k(const char *w, size_t stride, size_t i, __m512i *rest, __m512i q[16]) {
    const size_t half = i / 2, j = i % 2;
    __m512i word[8];
    if (j == 0)
        turn_eight_words(w + offsetof(struct block_q6_k, qh) + 32 * half, stride, rest);
    turn_eight_words(w + offsetof(struct block_q6_k, ql) + 32 * i, stride, word);
    low_and_high(word, q);
    UNROLL for (int g = 0; g < 8; g++) {
        q[g] = add_turned(q[g], rest[g], 4 - 2 * j, 0x30);
        q[8 + g] = add_turned(q[8 + g], rest[g], 32 - 2 * j, 0x30);
    }
}

INLINE void step_iq4_xs(const char *w, size_t stride, size_t i, __m512i *rest, __m512i q[16]) {
    (void)rest;
    turn_nibbles(w + offsetof(struct block_iq4_xs, qs) + 32 * i, stride, q);
    turn_nibbles(w + offsetof(struct block_iq4_xs, qs) + 32 * i + 16, stride, q + 8);
    UNROLL for (int g = 0; g < 16; g++) q[g] = levels_of(q[g], grid_nonlinear, 128);
}

INLINE void step_tq2_0(const char *w, size_t stride, size_t i, __m512i *rest, __m512i q[16]) {
    const __m512i low = _mm512_set1_epi8(3);
    if (i % 2 == 0)
        turn_eight_words(w + offsetof(struct block_tq2_0, qs) + 16 * i, stride, rest);
    UNROLL for (int g = 0; g < 8; g++) {
        __m512i v = i % 2 ? _mm512_srli_epi16(rest[g], 4) : rest[g];
        q[g] = _mm512_and_si512(v, low);
        q[8 + g] = _mm512_and_si512(_mm512_srli_epi16(v, 2), low);
    }
}

// Codes times sub-scales: byte 4 s + c of the table is s * c.
INLINE void step_q2_k(const char *w, size_t stride, size_t i, __m512i *rest, __m512i q[16]) {
    const __m512i table = _mm512_setr_epi32(0, 0x03020100, 0x06040200, 0x09060300, 0x0c080400, 0x0f0a0500, 0x120c0600,
                                            0x150e0700, 0x18100800, 0x1b120900, 0x1e140a00, 0x21160b00, 0x24180c00,
                                            0x271a0d00, 0x2a1c0e00, 0x2d1e0f00);
    const __m512i each = _mm512_set1_epi64(0x0404040400000000), low = _mm512_set1_epi8(3);
    if (i == 0)
        turn_words(w + offsetof(struct block_q2_k, scales), stride, rest + 8);
    if (i % 2 == 0)
        turn_eight_words(w + offsetof(struct block_q2_k, qs) + 16 * i, stride, rest);
    UNROLL for (int k = 0; k < 4; k++) {
        const __m512i bytes =
            _mm512_add_epi8(each, _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0, 0x08080808, 0x08080808)));
        __m512i scale = _mm512_shuffle_epi8(rest[8 + i], _mm512_add_epi8(bytes, _mm512_set1_epi8((char)k)));
        scale = _mm512_and_si512(_mm512_slli_epi16(scale, 2), _mm512_set1_epi8(60));
        UNROLL for (int g = 0; g < 4; g++) {
            __m512i v = k / 2 ? _mm512_srli_epi16(rest[k % 2 * 4 + g], 2) : rest[k % 2 * 4 + g];
            v = _mm512_and_si512(i % 2 ? _mm512_srli_epi16(v, 4) : v, low);
            q[4 * k + g] = _mm512_permutexvar_epi8(_mm512_or_si512(v, scale), table);
        }
    }
}

INLINE void step_q3_k(const char *w, size_t stride, size_t i, __m512i *rest, __m512i q[16]) {
    const __m512i low = _mm512_set1_epi8(3);
    if (i == 0)
        turn_eight_words(w + offsetof(struct block_q3_k, hmask), stride, rest + 8);
    if (i % 2 == 0)
        turn_eight_words(w + offsetof(struct block_q3_k, qs) + 16 * i, stride, rest);
    UNROLL for (int g = 0; g < 8; g++) {
        __m512i v = i % 2 ? _mm512_srli_epi16(rest[g], 4) : rest[g];
        q[g] = add_turned(_mm512_and_si512(v, low), rest[8 + g], 32 + 2 - 2 * i, 4);
        q[8 + g] = add_turned(_mm512_and_si512(_mm512_srli_epi16(v, 2), low), rest[8 + g], 32 + 1 - 2 * i, 4);
    }
}
