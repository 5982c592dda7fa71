// SPDX-License-Identifier: MIT
// NEON: what stands in the blocks of every format. Codes come sixteen at a time as signed bytes, the format's zero
// taken off, in the order of the elements.
#pragma once

#include <arm_neon.h>

#include "backends/cpu/vector.h"
#include "quant/grids.h"

// Elements 16 i .. 16 i + 15 of the block at b.
typedef int8x16_t codes_reader(const char *b, int i);

INLINE uint8x16_t bytes_at(const char *p) {
    return vld1q_u8((const void *)p);
}

INLINE uint32_t word_at(const char *p) {
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

INLINE float half_float(const char *p) {
    __fp16 h;
    memcpy(&h, p, sizeof h);
    return (float)h;
}

INLINE int8x16_t s8(uint8x16_t v) {
    return vreinterpretq_s8_u8(v);
}

// The low nibbles of sixteen bytes, or the high ones.
INLINE uint8x16_t nibbles(const char *qs, bool high) {
    uint8x16_t v = bytes_at(qs);
    return high ? v >> 4 : vandq_u8(v, vdupq_n_u8(15));
}

// Four bytes, each four times; the two low bytes, each eight times.
INLINE uint8x16_t four_times(uint32_t bytes) {
    const uint8x16_t order = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
    return vqtbl1q_u8(vreinterpretq_u8_u32(vdupq_n_u32(bytes)), order);
}

INLINE uint8x16_t eight_times(uint32_t bytes) {
    const uint8x16_t order = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    return vqtbl1q_u8(vreinterpretq_u8_u32(vdupq_n_u32(bytes)), order);
}

// All ones in the lanes whose bit of sixteen is set.
INLINE uint8x16_t bit_lanes(uint32_t bits) {
    const uint8x16_t bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    return vtstq_u8(eight_times(bits), bit);
}

// Sixteen bit pairs.
INLINE uint8x16_t pair_lanes(uint32_t pairs) {
    const int8x16_t shift = {0, -2, -4, -6, 0, -2, -4, -6, 0, -2, -4, -6, 0, -2, -4, -6};
    return vandq_u8(vshlq_u8(four_times(pairs), shift), vdupq_n_u8(3));
}

// v, negative where the bit is set.
INLINE int8x16_t negative_where(uint32_t bits, int8x16_t v) {
    int8x16_t m = s8(bit_lanes(bits));
    return vsubq_s8(veorq_s8(v, m), m);
}

INLINE int8x16_t codes_q4_0(const char *b, int i) {
    return vsubq_s8(s8(nibbles(b + offsetof(struct block_q4_0, qs), i)), vdupq_n_s8(8));
}

INLINE int8x16_t codes_q4_1(const char *b, int i) {
    return s8(nibbles(b + offsetof(struct block_q4_1, qs), i));
}

INLINE int8x16_t codes_q5_0(const char *b, int i) { // 16 is taken off where the fifth bit is clear
    uint8x16_t bits = bit_lanes(word_at(b + offsetof(struct block_q5_0, qh)) >> 16 * i);
    return s8(vorrq_u8(nibbles(b + offsetof(struct block_q5_0, qs), i), vbicq_u8(vdupq_n_u8(0xf0), bits)));
}

INLINE int8x16_t codes_q5_1(const char *b, int i) {
    uint8x16_t bits = bit_lanes(word_at(b + offsetof(struct block_q5_1, qh)) >> 16 * i);
    return s8(vorrq_u8(nibbles(b + offsetof(struct block_q5_1, qs), i), vandq_u8(vdupq_n_u8(16), bits)));
}

INLINE int8x16_t codes_q8_0(const char *b, int i) {
    return s8(bytes_at(b + offsetof(struct block_q8_0, qs) + 16 * i));
}

INLINE int8x16_t codes_iq4_nl(const char *b, int i) {
    return vqtbl1q_s8(vld1q_s8(grid_nonlinear), nibbles(b + offsetof(struct block_iq4_nl, qs), i));
}

INLINE int8x16_t codes_mxfp4(const char *b, int i) {
    return vqtbl1q_s8(vld1q_s8(grid_e2m1), nibbles(b + offsetof(struct block_mxfp4, qs), i));
}

INLINE int8x16_t codes_nvfp4(const char *b, int i) {
    uint8x8_t v = vld1_u8((const void *)(b + offsetof(struct block_nvfp4, qs) + 8 * i));
    return vqtbl1q_s8(vld1q_s8(grid_e2m1), vcombine_u8(vand_u8(v, vdup_n_u8(15)), v >> 4));
}

INLINE int8x16_t codes_q1_0(const char *b, int i) { // 1, or -1 where the bit is clear
    return s8(vornq_u8(vdupq_n_u8(1), bit_lanes(half_at(b + offsetof(struct block_q1_0, qs) + 2 * i))));
}

INLINE int8x16_t codes_q2_0(const char *b, int i) {
    return vsubq_s8(s8(pair_lanes(word_at(b + offsetof(struct block_q2_0, qs) + 4 * i))), vdupq_n_s8(1));
}

// Q2_K, Q3_K, TQ2_0: two runs of 32 bytes with bit pairs.
INLINE uint8x16_t run_pairs(const char *qs, int i) {
    return vandq_u8(bytes_at(qs + i / 8 * 32 + i % 2 * 16) >> (uint8_t)(i % 8 / 2 * 2), vdupq_n_u8(3));
}

// Bit p of bytes 0..31: elements 32 p and on; all ones where it is set.
INLINE uint8x16_t run_bits(const char *bits, int i) {
    return vtstq_u8(bytes_at(bits + i % 2 * 16), vdupq_n_u8((uint8_t)(1 << i / 2)));
}

INLINE int8x16_t codes_q2_k(const char *b, int i) {
    return s8(run_pairs(b + offsetof(struct block_q2_k, qs), i));
}

INLINE int8x16_t codes_q3_k(const char *b, int i) { // 4 is taken off where the third bit is clear
    uint8x16_t bits = run_bits(b + offsetof(struct block_q3_k, hmask), i);
    return s8(vorrq_u8(run_pairs(b + offsetof(struct block_q3_k, qs), i), vbicq_u8(vdupq_n_u8(0xfc), bits)));
}

INLINE int8x16_t codes_q4_k(const char *b, int i) {
    return s8(nibbles(b + offsetof(struct block_q4_k, qs) + i / 4 * 32 + i % 2 * 16, i % 4 / 2));
}

INLINE int8x16_t codes_q5_k(const char *b, int i) {
    uint8x16_t low = nibbles(b + offsetof(struct block_q5_k, qs) + i / 4 * 32 + i % 2 * 16, i % 4 / 2);
    uint8x16_t bits = run_bits(b + offsetof(struct block_q5_k, qh), i);
    return s8(vorrq_u8(low, vandq_u8(vdupq_n_u8(16), bits)));
}

INLINE int8x16_t codes_q6_k(const char *b, int i) {
    uint8x16_t low = nibbles(b + offsetof(struct block_q6_k, ql) + i / 8 * 64 + i % 4 * 16, i % 8 / 4);
    uint8x16_t high = bytes_at(b + offsetof(struct block_q6_k, qh) + i / 8 * 32 + i % 2 * 16);
    high = vandq_u8(high >> (uint8_t)(i % 8 / 2 * 2), vdupq_n_u8(3));
    return vsubq_s8(s8(vorrq_u8(low, high << 4)), vdupq_n_s8(32));
}

INLINE int8x16_t codes_iq4_xs(const char *b, int i) {
    return vqtbl1q_s8(vld1q_s8(grid_nonlinear), nibbles(b + offsetof(struct block_iq4_xs, qs) + i / 2 * 16, i % 2));
}

INLINE int8x16_t codes_tq2_0(const char *b, int i) {
    return vsubq_s8(s8(run_pairs(b + offsetof(struct block_tq2_0, qs), i)), vdupq_n_s8(1));
}

INLINE int8x16_t codes_tq1_0(const char *b, int i) {
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    const uint8x16_t last = {1, 1, 1, 1, 3, 3, 3, 3, 9, 9, 9, 9, 27, 27, 27, 27};
    const char *qs = b + offsetof(struct block_tq1_0, qs);
    uint8x16_t v;
    if (i < 10)
        v = vmulq_u8(bytes_at(qs + i % 2 * 16), vdupq_n_u8(powers[i / 2]));
    else if (i < 15)
        v = vmulq_u8(bytes_at(qs + 32), vdupq_n_u8(powers[i - 10]));
    else
        v = vmulq_u8(vreinterpretq_u8_u32(vdupq_n_u32(word_at(b + offsetof(struct block_tq1_0, qh)))), last);
    // The digit 3 v / 256 is 1 from 86 on and 2 from 171 on; comparisons give -1.
    int8x16_t one = s8(vcgeq_u8(v, vdupq_n_u8(86))), two = s8(vcgeq_u8(v, vdupq_n_u8(171)));
    return vsubq_s8(vsubq_s8(vdupq_n_s8(-1), one), two);
}

// The even signs of grid_signs for four points at once: seven bits each to a byte each.
INLINE uint32_t even_signs(uint32_t v) {
    uint32_t s = (v & 0x7f) | (v & 0x7f << 7) << 1 | (v & 0x7f << 14) << 2 | (v & 0x7f << 21) << 3;
    uint32_t parity = s ^ s >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return s | (parity & 0x01010101) << 7;
}

// Two points of eight values.
INLINE int8x16_t two_points(uint32_t p, uint32_t q, uint32_t signs) {
    uint32_t values;
    memcpy(&values, grid_values_iq2, sizeof values);
    uint8x16_t table = vreinterpretq_u8_u32(vdupq_n_u32(values));
    return negative_where(signs, s8(vqtbl1q_u8(table, pair_lanes(p | q << 16))));
}

INLINE int8x16_t codes_iq2_xxs(const char *b, int i) {
    const char *run = b + offsetof(struct block_iq2_xxs, runs) + i / 2 * 8;
    const uint8_t *p = (const uint8_t *)run + i % 2 * 2;
    return two_points(grid_iq2_xxs[p[0]], grid_iq2_xxs[p[1]], even_signs(word_at(run + 4)) >> i % 2 * 16);
}

INLINE int8x16_t codes_iq2_xs(const char *b, int i) {
    uint32_t both = word_at(b + offsetof(struct block_iq2_xs, qs) + 4 * i), low = both & 0xffff, high = both >> 16;
    return two_points(grid_iq2_xs[low & 511], grid_iq2_xs[high & 511], even_signs(low >> 9 | high >> 9 << 7));
}

INLINE int8x16_t codes_iq2_s(const char *b, int i) {
    const uint8_t *p = (const uint8_t *)b + offsetof(struct block_iq2_s, qs) + 2 * i;
    uint32_t high = *((const uint8_t *)b + offsetof(struct block_iq2_s, qh) + i / 2) >> i % 2 * 4;
    uint32_t signs = half_at(b + offsetof(struct block_iq2_s, signs) + 2 * i);
    return two_points(grid_iq2_s[p[0] | (high & 3) << 8], grid_iq2_s[p[1] | (high & 12) << 6], signs);
}

// Four points of four values: three bits each go to a byte each.
INLINE int8x16_t four_points(const uint8_t values[8], uint16x4_t points, uint32_t signs) {
    const int16x8_t shift = {0, -6, 0, -6, 0, -6, 0, -6};
    uint16x8_t v = vshlq_u16(vcombine_u16(vzip1_u16(points, points), vzip2_u16(points, points)), shift);
    uint8x16_t index = vandq_u8(vreinterpretq_u8_u16(vsliq_n_u16(v, v >> 3, 8)), vdupq_n_u8(7));
    uint8x8_t half = vld1_u8(values);
    return negative_where(signs, s8(vqtbl1q_u8(vcombine_u8(half, half), index)));
}

INLINE int8x16_t codes_iq3_xxs(const char *b, int i) {
    const uint8_t *p = (const uint8_t *)b + offsetof(struct block_iq3_xxs, qs) + 4 * i;
    uint16x4_t points = {grid_iq3_xxs[p[0]], grid_iq3_xxs[p[1]], grid_iq3_xxs[p[2]], grid_iq3_xxs[p[3]]};
    uint32_t signs = word_at(b + offsetof(struct block_iq3_xxs, signs) + i / 2 * 4);
    return four_points(grid_values_iq3_xxs, points, even_signs(signs) >> i % 2 * 16);
}

INLINE int8x16_t codes_iq3_s(const char *b, int i) {
    const uint8_t *p = (const uint8_t *)b + offsetof(struct block_iq3_s, qs) + 4 * i;
    uint32_t high = *((const uint8_t *)b + offsetof(struct block_iq3_s, qh) + i / 2) >> i % 2 * 4;
    uint16x4_t points = {grid_iq3_s[p[0] | (high & 1) << 8], grid_iq3_s[p[1] | (high & 2) << 7],
                         grid_iq3_s[p[2] | (high & 4) << 6], grid_iq3_s[p[3] | (high & 8) << 5]};
    return four_points(grid_values_iq3_s, points, half_at(b + offsetof(struct block_iq3_s, signs) + 2 * i));
}

// Two points of IQ1, eight times their values, moved up by 1, or down where the point's bit of `down` is set.
INLINE int8x16_t moved_points(uint32_t p, uint32_t q, uint32_t down) {
    const int8x16_t values = {-8, 0, 8, 16};
    uint32_t moves = 0x0101 | (0xff & -(down & 1)) | (0xff00 & -(down >> 1 & 1));
    return vaddq_s8(vqtbl1q_s8(values, pair_lanes(p | q << 16)), s8(eight_times(moves)));
}

INLINE int8x16_t codes_iq1_s(const char *b, int i) {
    const uint8_t *p = (const uint8_t *)b + offsetof(struct block_iq1_s, qs) + 2 * i;
    uint32_t qh = half_at(b + offsetof(struct block_iq1_s, qh) + i / 2 * 2), high = qh >> i % 2 * 6;
    return moved_points(grid_iq1[p[0] | (high & 7) << 8], grid_iq1[p[1] | (high & 56) << 5], qh >> 15 ? 3 : 0);
}

INLINE int8x16_t codes_iq1_m(const char *b, int i) {
    const uint8_t *p = (const uint8_t *)b + offsetof(struct block_iq1_m, qs) + 2 * i;
    uint32_t qh = *((const uint8_t *)b + offsetof(struct block_iq1_m, qh) + i);
    return moved_points(grid_iq1[p[0] | (qh & 7) << 8], grid_iq1[p[1] | (qh & 112) << 4],
                        (qh >> 3 & 1) | (qh >> 6 & 2));
}
