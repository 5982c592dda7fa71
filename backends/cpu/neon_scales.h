// SPDX-License-Identifier: MIT
// NEON: the sub-scales and minimums of blocks of 256 as bytes, sixteen of them or eight (the upper half is undefined),
// and the scales that are not half-precision numbers; how the rows of neon_formats.h describe a format.
#pragma once

#include "backends/cpu/neon_codes.h"

typedef int8x16_t scales_reader(const char *b);

static_assert(offsetof(struct block_q5_k, dmin) == offsetof(struct block_q4_k, dmin), "q5_k");
static_assert(offsetof(struct block_q5_k, scales) == offsetof(struct block_q4_k, scales), "q5_k");

INLINE int8x16_t eight(uint32_t low, uint32_t high) {
    return vreinterpretq_s8_u32((uint32x4_t){low, high, 0, 0});
}

// Low nibbles at even places, high nibbles at odd ones.
INLINE uint8x16_t nibbles_in_turn(uint8x8_t v) {
    uint8x8_t low = vand_u8(v, vdup_n_u8(15)), high = v >> 4;
    return vcombine_u8(vzip1_u8(low, high), vzip2_u8(low, high));
}

// 2 s + 1
INLINE int8x16_t odd(uint8x16_t s) {
    return s8(vorrq_u8(vaddq_u8(s, s), vdupq_n_u8(1)));
}

INLINE int8x16_t scales_one(const char *b) {
    (void)b;
    return vdupq_n_s8(1);
}

INLINE int8x16_t scales_q2_k(const char *b) {
    return s8(nibbles(b + offsetof(struct block_q2_k, scales), false));
}

INLINE int8x16_t mins_q2_k(const char *b) {
    return s8(nibbles(b + offsetof(struct block_q2_k, scales), true));
}

INLINE int8x16_t scales_q3_k(const char *b) {
    const int8x16_t shift = {0, 0, 0, 0, -2, -2, -2, -2, -4, -4, -4, -4, -6, -6, -6, -6};
    const char *s = b + offsetof(struct block_q3_k, scales);
    uint8x8_t low = vld1_u8((const void *)s);
    uint8x16_t high = vshlq_u8(vreinterpretq_u8_u32(vdupq_n_u32(word_at(s + 8))), shift);
    high = vandq_u8(high, vdupq_n_u8(3)) << 4;
    return vsubq_s8(s8(vorrq_u8(vcombine_u8(vand_u8(low, vdup_n_u8(15)), low >> 4), high)), vdupq_n_s8(32));
}

// Six bits each (quant/scales6.c).
INLINE int8x16_t scales_q4_k(const char *b) {
    const char *s = b + offsetof(struct block_q4_k, scales);
    return eight(word_at(s) & 0x3f3f3f3f, (word_at(s + 8) & 0x0f0f0f0f) | (word_at(s) >> 2 & 0x30303030));
}

INLINE int8x16_t mins_q4_k(const char *b) {
    const char *s = b + offsetof(struct block_q4_k, scales);
    return eight(word_at(s + 4) & 0x3f3f3f3f, (word_at(s + 8) >> 4 & 0x0f0f0f0f) | (word_at(s + 4) >> 2 & 0x30303030));
}

INLINE int8x16_t scales_q6_k(const char *b) {
    return s8(bytes_at(b + offsetof(struct block_q6_k, scales)));
}

INLINE int8x16_t scales_iq4_xs(const char *b) {
    const int16x8_t shift = {0, -2, -4, -6, -8, -10, -12, -14};
    uint8x16_t low = nibbles_in_turn(vcreate_u8(word_at(b + offsetof(struct block_iq4_xs, scales_l))));
    uint16x8_t pairs = vshlq_u16(vdupq_n_u16(half_at(b + offsetof(struct block_iq4_xs, scales_h))), shift);
    uint8x8_t high = vand_u8(vmovn_u16(pairs), vdup_n_u8(3)) << 4;
    return vsubq_s8(s8(vorrq_u8(low, vcombine_u8(high, high))), vdupq_n_s8(32));
}

// The upper four bits of eight words.
INLINE int8x16_t odd_of_words(uint32x4_t a, uint32x4_t b) {
    uint8x8_t s = vmovn_u16(vcombine_u16(vmovn_u32(a >> 28), vmovn_u32(b >> 28)));
    return odd(vcombine_u8(s, s));
}

INLINE int8x16_t scales_iq2_xxs(const char *b) {
    const char *runs = b + offsetof(struct block_iq2_xxs, runs);
    uint32x4_t v[4];
    UNROLL for (int i = 0; i < 4; i++) v[i] = vreinterpretq_u32_u8(bytes_at(runs + 16 * i));
    return odd_of_words(vuzp2q_u32(v[0], v[1]), vuzp2q_u32(v[2], v[3]));
}

INLINE int8x16_t scales_iq3_xxs(const char *b) {
    const char *signs = b + offsetof(struct block_iq3_xxs, signs);
    return odd_of_words(vreinterpretq_u32_u8(bytes_at(signs)), vreinterpretq_u32_u8(bytes_at(signs + 16)));
}

INLINE int8x16_t scales_iq2_xs(const char *b) {
    return odd(nibbles_in_turn(vld1_u8((const void *)(b + offsetof(struct block_iq2_xs, scales)))));
}

INLINE int8x16_t scales_iq2_s(const char *b) {
    return odd(nibbles_in_turn(vld1_u8((const void *)(b + offsetof(struct block_iq2_s, scales)))));
}

INLINE int8x16_t scales_iq3_s(const char *b) {
    return odd(nibbles_in_turn(vcreate_u8(word_at(b + offsetof(struct block_iq3_s, scales)))));
}

INLINE int8x16_t scales_iq1_s(const char *b) {
    uint16x8_t qh = vreinterpretq_u16_u8(bytes_at(b + offsetof(struct block_iq1_s, qh)));
    uint8x8_t s = vmovn_u16(vandq_u16(qh >> 12, vdupq_n_u16(7)));
    return odd(vcombine_u8(s, s));
}

INLINE int8x16_t scales_iq1_m(const char *b) {
    const int16x8_t shift = {0, -3, -6, -9, 0, -3, -6, -9};
    const char *s = b + offsetof(struct block_iq1_m, scales);
    uint16_t v[4];
    memcpy(v, s, sizeof v);
    uint16x8_t low = vshlq_u16(vcombine_u16(vdup_n_u16(v[0]), vdup_n_u16(v[1])), shift);
    uint16x8_t high = vshlq_u16(vcombine_u16(vdup_n_u16(v[2]), vdup_n_u16(v[3])), shift);
    return odd(vandq_u8(vcombine_u8(vmovn_u16(low), vmovn_u16(high)), vdupq_n_u8(7)));
}

// The half-precision number that IQ1_M keeps in the upper bits of its four words.
INLINE float d_iq1_m(const char *b) {
    uint64_t s;
    memcpy(&s, b + offsetof(struct block_iq1_m, scales), sizeof s);
    uint16_t h = (uint16_t)((s >> 12 & 15) | (s >> 24 & 0xf0) | (s >> 36 & 0xf00) | (s >> 48 & 0xf000));
    return half_float((const char *)&h) * 0.125f;
}

// 2^(e - 128)
INLINE float scale_mxfp4(const char *b, int run) {
    (void)run;
    uint32_t e = *(const uint8_t *)b;
    return num_float(e < 2 ? 0x200000u << e : (e - 1) << 23);
}

// Half of an E4M3 number: its bits are those of a half-precision number 2^8 times smaller. 0x7f is 0.
INLINE float scale_nvfp4(const char *b, int run) {
    uint8_t e4m3 = ((const uint8_t *)b)[run];
    uint16_t h = (uint16_t)(e4m3 == 0x7f ? 0 : (e4m3 & 0x7f) << 7);
    return half_float((const char *)&h) * 128;
}

struct run_format {
    codes_reader *codes;
    size_t block_size;
    int len, runs;
    float (*scale)(const char *block, int run); // NULL: the half-precision number at the front
    bool has_min;
};

#define RUN_INIT(sym, len, runs, scale, has_min)                                                                       \
    { codes_##sym, sizeof(struct block_##sym), len, runs, scale, has_min }

struct block_format {
    codes_reader *codes;
    scales_reader *scales, *mins; // mins NULL: none
    float (*d)(const char *b);    // NULL: factor times the half-precision number at d_at
    float factor;
    size_t block_size, d_at, dmin_at;
    int sub;
};

#define BLOCK_INIT(sym, sub, scales, mins, d, factor, d_at, dmin_at)                                                   \
    { codes_##sym, scales, mins, d, factor, sizeof(struct block_##sym), d_at, dmin_at, sub }
