// SPDX-License-Identifier: MIT
// AVX2: the codes of 32 consecutive elements of a row as 32 unsigned bytes in their order, and the scales of a block, a
// reader per format. Both the direct kernels and the panels are made from these. Included between a level's begin and
// end headers.
#pragma once

#include "backends/cpu/v16_avx2.h"
#include "quant/grids.h"

// Elements 32 c .. 32 c + 31 of the block at b.
typedef __m256i codes_reader(const char *b, int c);
// The scale or minimum of the block at b; of its run c of 16 where runs have their own.
typedef float scale_reader(const char *b, int c);
// The sixteen sub-scales or minimums of a block of 256.
typedef __m128i scales_reader(const char *b);

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

// Four bytes, each to eight places.
INLINE __m256i eight_times(__m256i v) {
    const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    return _mm256_shuffle_epi8(v, byte);
}

// All ones in the bytes whose bit is set.
INLINE __m256i bits_to_bytes(int32_t bits) {
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    return _mm256_cmpeq_epi8(_mm256_and_si256(eight_times(_mm256_set1_epi32(bits)), bit), bit);
}

// Adds 16 where the fifth bit of an element is set.
INLINE __m256i fifth_bits(__m256i v, const char *qh) {
    return _mm256_or_si256(v, _mm256_and_si256(bits_to_bytes(word_at(qh)), _mm256_set1_epi8(16)));
}

// Two-bit numbers, 32 of them, the first in the lowest bits of the first byte, to the values that table holds for
// 0, 1, 2, 3 at 0, 1, 2, 3 and at 0, 4, 8, 12.
INLINE __m256i look_up_pairs(uint64_t pairs, __m128i table) {
    const __m256i four_times =
        _mm256_setr_epi64x(0x0101010100000000, 0x0303030302020202, 0x0505050504040404, 0x0707070706060606);
    __m256i v = _mm256_shuffle_epi8(_mm256_set1_epi64x((long long)pairs), four_times);
    v = _mm256_blend_epi16(v, _mm256_srli_epi16(v, 4), 0xaa);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), _mm256_and_si256(v, _mm256_set1_epi16(0x0c03)));
}

INLINE __m128i pair_table(int a, int b, int c, int d) {
    return _mm_setr_epi8((char)a, (char)b, (char)c, (char)d, (char)b, 0, 0, 0, (char)c, 0, 0, 0, (char)d, 0, 0, 0);
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

// The levels of a codebook of sixteen, moved by zero.
INLINE __m256i levels16(const int8_t grid[16], int zero, __m256i codes) {
    __m128i levels = _mm_add_epi8(_mm_loadu_si128((const void *)grid), _mm_set1_epi8((char)zero));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(levels), codes);
}

INLINE __m256i codes_iq4_nl(const char *b, int c) {
    (void)c;
    return levels16(grid_nonlinear, 128, nibbles(b + offsetof(struct block_iq4_nl, qs)));
}

INLINE __m256i codes_mxfp4(const char *b, int c) {
    (void)c;
    return levels16(grid_e2m1, 12, nibbles(b + offsetof(struct block_mxfp4, qs)));
}

// Two runs of 16: the low nibbles of eight bytes, then the high ones.
INLINE __m256i codes_nvfp4(const char *b, int c) {
    __m256i v = nibbles(b + offsetof(struct block_nvfp4, qs) + 16 * c);
    return levels16(grid_e2m1, 12, _mm256_permute4x64_epi64(v, 0xd8));
}

INLINE __m256i codes_q1_0(const char *b, int c) {
    __m256i set = bits_to_bytes(word_at(b + offsetof(struct block_q1_0, qs) + 4 * c));
    return _mm256_and_si256(set, _mm256_set1_epi8(2));
}

INLINE __m256i codes_q2_0(const char *b, int c) {
    uint64_t pairs;
    memcpy(&pairs, b + offsetof(struct block_q2_0, qs) + 8 * c, sizeof pairs);
    return look_up_pairs(pairs, pair_table(0, 1, 2, 3));
}

// Runs of 32 bytes for 128 elements: bit pair p of byte i is element i + 32 p.
INLINE __m256i pairs_of_run(const char *qs, int c) {
    __m256i v = _mm256_loadu_si256((const void *)(qs + 32 * (c / 4)));
    return _mm256_and_si256(_mm256_srli_epi16(v, 2 * (c % 4)), _mm256_set1_epi8(3));
}

INLINE __m256i codes_q2_k(const char *b, int c) {
    return pairs_of_run(b + offsetof(struct block_q2_k, qs), c);
}

INLINE __m256i codes_tq2_0(const char *b, int c) {
    return pairs_of_run(b + offsetof(struct block_tq2_0, qs), c);
}

INLINE __m256i codes_q3_k(const char *b, int c) {
    __m256i high = _mm256_loadu_si256((const void *)(b + offsetof(struct block_q3_k, hmask)));
    high = c < 2 ? _mm256_slli_epi16(high, 2 - c) : _mm256_srli_epi16(high, c - 2);
    return _mm256_or_si256(pairs_of_run(b + offsetof(struct block_q3_k, qs), c),
                           _mm256_and_si256(high, _mm256_set1_epi8(4)));
}

INLINE __m256i codes_iq4_xs(const char *b, int c) {
    return levels16(grid_nonlinear, 128, nibbles(b + offsetof(struct block_iq4_xs, qs) + 16 * c));
}

// The integer part of 3 * (byte * power mod 256) / 256.
INLINE __m256i ternary_digits(__m256i bytes, __m256i powers) {
    const __m256i low = _mm256_set1_epi16(255), three = _mm256_set1_epi16(3);
    __m256i even = _mm256_and_si256(_mm256_mullo_epi16(bytes, powers), low);
    __m256i odd = _mm256_and_si256(_mm256_mullo_epi16(_mm256_srli_epi16(bytes, 8), powers), low);
    even = _mm256_srli_epi16(_mm256_mullo_epi16(even, three), 8);
    return _mm256_or_si256(even, _mm256_andnot_si256(low, _mm256_mullo_epi16(odd, three)));
}

// Five digits a byte: 32 bytes, then 16; last, four digits of each of 4 bytes.
INLINE __m256i codes_tq1_0(const char *b, int c) {
    const char *qs = b + offsetof(struct block_tq1_0, qs);
    static const short power[5] = {1, 3, 9, 27, 81};
    if (c < 5)
        return ternary_digits(_mm256_loadu_si256((const void *)qs), _mm256_set1_epi16(power[c]));
    __m128i bytes = _mm_loadu_si128((const void *)(qs + 32));
    if (c < 7)
        return ternary_digits(_mm256_broadcastsi128_si256(bytes),
                              _mm256_set_m128i(_mm_set1_epi16(power[2 * c - 9]), _mm_set1_epi16(power[2 * c - 10])));
    __m128i last = _mm_set1_epi32(word_at(b + offsetof(struct block_tq1_0, qh)));
    return ternary_digits(_mm256_set_m128i(last, bytes),
                          _mm256_set_m128i(_mm_setr_epi16(1, 1, 3, 3, 9, 9, 27, 27), _mm_set1_epi16(81)));
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

// Half-precision scales and minimums.
#define HALF_READER(sym, name, field)                                                                                  \
    INLINE float name##_##sym(const char *b, int c) {                                                                  \
        (void)c;                                                                                                       \
        return _cvtsh_ss(half_at(b + offsetof(struct block_##sym, field)));                                            \
    }
HALF_READER(q4_0, d, d)
HALF_READER(q4_1, d, d)
HALF_READER(q4_1, m, m)
HALF_READER(q5_0, d, d)
HALF_READER(q5_1, d, d)
HALF_READER(q5_1, m, m)
HALF_READER(q8_0, d, d)
HALF_READER(iq4_nl, d, d)
HALF_READER(q1_0, d, d)
HALF_READER(q2_0, d, d)
HALF_READER(q2_k, d, d)
HALF_READER(q2_k, m, dmin)
HALF_READER(q3_k, d, d)
HALF_READER(q4_k, d, d)
HALF_READER(q4_k, m, dmin)
HALF_READER(q5_k, d, d)
HALF_READER(q5_k, m, dmin)
HALF_READER(q6_k, d, d)
HALF_READER(iq4_xs, d, d)
HALF_READER(tq1_0, d, d)
HALF_READER(tq2_0, d, d)

// Half of 2^(e - 127), in integers: under 2 the number is subnormal.
INLINE float d_mxfp4(const char *b, int c) {
    uint8_t e = (uint8_t)*b;
    (void)c;
    return num_float(e < 2 ? 0x200000u << e : (e - 1u) << 23);
}

// Half of four bits of exponent, bias 7, and three of mantissa: a half-precision number with another bias; 0x7f is 0.
INLINE float d_nvfp4(const char *b, int c) {
    uint8_t d = (uint8_t)b[c];
    return d == 0x7f ? 0.0f : _cvtsh_ss((uint16_t)((d & 0x7f) << 7)) * 128.0f;
}

INLINE __m128i scales_q2_k(const char *b) {
    __m128i v = _mm_loadu_si128((const void *)(b + offsetof(struct block_q2_k, scales)));
    return _mm_and_si128(v, _mm_set1_epi8(15));
}

INLINE __m128i mins_q2_k(const char *b) {
    __m128i v = _mm_loadu_si128((const void *)(b + offsetof(struct block_q2_k, scales)));
    return _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(15));
}

INLINE __m128i scales_q3_k(const char *b) {
    const uint32_t low = 0x0f0f0f0f, two = 0x30303030;
    uint32_t s[3];
    memcpy(s, b + offsetof(struct block_q3_k, scales), sizeof s);
    __m128i v = _mm_setr_epi32((int)((s[0] & low) | (s[2] << 4 & two)), (int)((s[1] & low) | (s[2] << 2 & two)),
                               (int)((s[0] >> 4 & low) | (s[2] & two)), (int)((s[1] >> 4 & low) | (s[2] >> 2 & two)));
    return _mm_sub_epi8(v, _mm_set1_epi8(32));
}

// Eight six-bit numbers spread to sixteen bytes, each twice: scales from the packed 12 bytes, then the minimums.
INLINE __m128i twice(uint32_t low, uint32_t high) {
    __m128i v = _mm_cvtsi64_si128((long long)((uint64_t)high << 32 | low));
    return _mm_unpacklo_epi8(v, v);
}

INLINE __m128i scales_q4_k(const char *b) {
    uint32_t s[3];
    memcpy(s, b + offsetof(struct block_q4_k, scales), sizeof s);
    return twice(s[0] & 0x3f3f3f3f, (s[2] & 0x0f0f0f0f) | (s[0] >> 2 & 0x30303030));
}

INLINE __m128i mins_q4_k(const char *b) {
    uint32_t s[3];
    memcpy(s, b + offsetof(struct block_q4_k, scales), sizeof s);
    return twice(s[1] & 0x3f3f3f3f, (s[2] >> 4 & 0x0f0f0f0f) | (s[1] >> 2 & 0x30303030));
}

INLINE __m128i scales_q5_k(const char *b) {
    return scales_q4_k(b);
}

INLINE __m128i mins_q5_k(const char *b) {
    return mins_q4_k(b);
}

// Sixteen-bit numbers whose low bits are wanted, to bytes that stand there twice.
INLINE __m128i twice16(__m128i v) {
    return _mm_or_si128(v, _mm_slli_epi16(v, 8));
}

INLINE __m128i scales_iq4_xs(const char *b) {
    const __m128i two_bits = _mm_set1_epi16(0x30);
    __m128i low = _mm_cvtepu8_epi16(_mm_cvtsi32_si128(word_at(b + offsetof(struct block_iq4_xs, scales_l))));
    low = _mm_unpacklo_epi16(_mm_and_si128(low, _mm_set1_epi16(15)), _mm_srli_epi16(low, 4));
    // Bit pair j of the upper bits goes to bits 4 and 5 of number j: shifts to the left, then to the right.
    __m128i high = _mm_set1_epi16((short)half_at(b + offsetof(struct block_iq4_xs, scales_h)));
    const __m128i places = _mm_setr_epi16(1 << 4, 1 << 2, 1, 1 << 14, 1 << 12, 1 << 10, 1 << 8, 1 << 6);
    __m128i left = _mm_mullo_epi16(high, places), right = _mm_mulhi_epu16(high, places);
    high = _mm_and_si128(_mm_blend_epi16(left, right, 0xf8), two_bits);
    return _mm_sub_epi8(twice16(_mm_or_si128(low, high)), _mm_set1_epi8(32));
}

INLINE __m128i scales_tq1_0(const char *b) {
    (void)b;
    return _mm_set1_epi8(1);
}

INLINE __m128i scales_tq2_0(const char *b) {
    return scales_tq1_0(b);
}
