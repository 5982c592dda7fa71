// SPDX-License-Identifier: MIT
// Sixteen floats in four NEON registers: the vector that ops_v16.h and attend_v16.h are written in.
#pragma once

#include <arm_neon.h>

#include "backends/cpu/vector.h"

#define V16_TILE 2        // 2 x 2 accumulators of four registers each, and 12 for operands, fit the 32 registers
#define V16_FEW 2         // rows of a tile of few queries
#define V16_ROW_VECTORS 1 // of a tile of many queries, times 4 keys

typedef struct {
    float32x4_t r[4];
} v16;

// The expression for each register i.
#define ALL(expression)                                                                                                \
    v16 out;                                                                                                           \
    UNROLL for (int i = 0; i < 4; i++) out.r[i] = expression;                                                          \
    return out

INLINE v16 v16_load(const float *p) {
    ALL(vld1q_f32(p + 4 * i));
}

// n < 16 floats, the other lanes 0; nothing behind them is touched.
INLINE v16 v16_load_n(const float *p, size_t n) {
    float copy[16] = {0};
    memcpy(copy, p, n * sizeof *p);
    return v16_load(copy);
}

INLINE void v16_store(float *p, v16 a) {
    UNROLL for (int i = 0; i < 4; i++) vst1q_f32(p + 4 * i, a.r[i]);
}

INLINE void v16_store_n(float *p, v16 a, size_t n) {
    float copy[16];
    v16_store(copy, a);
    memcpy(p, copy, n * sizeof *p);
}

INLINE v16 v16_set1(float x) {
    ALL(vdupq_n_f32(x));
}

INLINE v16 v16_add(v16 a, v16 b) {
    ALL(vaddq_f32(a.r[i], b.r[i]));
}

INLINE v16 v16_sub(v16 a, v16 b) {
    ALL(vsubq_f32(a.r[i], b.r[i]));
}

INLINE v16 v16_mul(v16 a, v16 b) {
    ALL(vmulq_f32(a.r[i], b.r[i]));
}

INLINE v16 v16_div(v16 a, v16 b) {
    ALL(vdivq_f32(a.r[i], b.r[i]));
}

INLINE v16 v16_fma(v16 a, v16 b, v16 c) {
    ALL(vfmaq_f32(c.r[i], a.r[i], b.r[i]));
}

// a > b ? a : b and a < b ? a : b, lane by lane: b where either is NaN, which the instructions FMAX and FMIN do not do.
INLINE v16 v16_max(v16 a, v16 b) {
    ALL(vbslq_f32(vcgtq_f32(a.r[i], b.r[i]), a.r[i], b.r[i]));
}

INLINE v16 v16_min(v16 a, v16 b) {
    ALL(vbslq_f32(vcltq_f32(a.r[i], b.r[i]), a.r[i], b.r[i]));
}

INLINE v16 v16_abs(v16 a) {
    ALL(vabsq_f32(a.r[i]));
}

INLINE v16 v16_neg(v16 a) {
    ALL(vnegq_f32(a.r[i]));
}

// Lanes from a where the bit is set, else from b.
INLINE v16 v16_pick(uint32_t bits, v16 a, v16 b) {
    const uint32x4_t bit = {1, 2, 4, 8};
    ALL(vbslq_f32(vtstq_u32(vdupq_n_u32(bits >> 4 * i), bit), a.r[i], b.r[i]));
}

// Lanes 0 and 1 exchanged, 2 and 3, ...
INLINE v16 v16_swap_pairs(v16 a) {
    ALL(vrev64q_f32(a.r[i]));
}

// Eight floats, each in two lanes that follow each other.
INLINE v16 v16_load_twice(const float *p) {
    float32x4_t low = vld1q_f32(p), high = vld1q_f32(p + 4);
    return (v16){{vzip1q_f32(low, low), vzip2q_f32(low, low), vzip1q_f32(high, high), vzip2q_f32(high, high)}};
}

INLINE float v16_largest(v16 a) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.r[0], a.r[1]), vmaxq_f32(a.r[2], a.r[3])));
}

INLINE float32x4_t times_power4(float32x4_t p, float32x4_t shifted) {
    int32x4_t k = vsubq_s32(vreinterpretq_s32_f32(shifted), vdupq_n_s32(0x4b400000));
    int32x4_t half = vshrq_n_s32(k, 1), bias = vdupq_n_s32(127);
    int32x4_t a = vshlq_n_s32(vaddq_s32(half, bias), 23);
    int32x4_t b = vshlq_n_s32(vaddq_s32(vsubq_s32(k, half), bias), 23);
    return vmulq_f32(vmulq_f32(p, vreinterpretq_f32_s32(a)), vreinterpretq_f32_s32(b));
}

// p * 2^k in the two factors of num_exp; k is what `shifted` holds above NUM_MAGIC.
INLINE v16 v16_times_power(v16 p, v16 shifted) {
    ALL(times_power4(p.r[i], shifted.r[i]));
}

INLINE v16 v16_load_f16(const uint16_t *p) {
    ALL(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))));
}

INLINE void v16_store_f16(uint16_t *p, v16 a) {
    UNROLL for (int i = 0; i < 4; i++) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.r[i])));
}

// Rounded to integers, ties to even, as bytes; |a| <= 127. Returns their sum.
INLINE int32_t v16_store_i8(int8_t *p, v16 a) {
    int16x8_t w[2];
    UNROLL for (int i = 0; i < 2; i++) w[i] =
        vcombine_s16(vmovn_s32(vcvtnq_s32_f32(a.r[2 * i])), vmovn_s32(vcvtnq_s32_f32(a.r[2 * i + 1])));
    vst1q_s8(p, vcombine_s8(vmovn_s16(w[0]), vmovn_s16(w[1])));
    return vaddvq_s16(vaddq_s16(w[0], w[1]));
}

// Sixteen int32, and sixteen times four codes, signed.
typedef struct {
    int32x4_t r[4];
} v16i;

typedef struct {
    int8x16_t r[4];
} v16codes;

INLINE v16i v16i_start(int zero, int sum_of_x) {
    (void)zero, (void)sum_of_x;
    return (v16i){{vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}};
}

INLINE int8x16_t signed_bytes(const uint8_t *p) {
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(128)));
}

INLINE int8x16_t signed_nibbles(const uint8_t *p, int high) {
    uint8x16_t c = vld1q_u8(p);
    return vsubq_s8(vreinterpretq_s8_u8(high ? vshrq_n_u8(c, 4) : vandq_u8(c, vdupq_n_u8(15))), vdupq_n_s8(8));
}

INLINE v16codes v16_codes_bytes(const uint8_t *p) {
    v16codes c;
    UNROLL for (int i = 0; i < 4; i++) c.r[i] = signed_bytes(p + 16 * i);
    return c;
}

// The low (0) or high (1) halves of the bytes.
INLINE v16codes v16_codes_nibbles(const uint8_t *p, int high) {
    v16codes c;
    UNROLL for (int i = 0; i < 4; i++) c.r[i] = signed_nibbles(p + 16 * i, high);
    return c;
}

// sum[i] += codes[4 i ...] . x[0 ... 3], |x| <= 127: two products fit 16 bits.
INLINE v16i v16i_dot(v16i sum, v16codes codes, const int8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    int8x16_t q = vreinterpretq_s8_s32(vdupq_n_s32(four));
    UNROLL for (int i = 0; i < 4; i++) {
        int16x8_t low = vmull_s8(vget_low_s8(codes.r[i]), vget_low_s8(q)), high = vmull_high_s8(codes.r[i], q);
        sum.r[i] = vpadalq_s16(sum.r[i], vpaddq_s16(low, high));
    }
    return sum;
}

INLINE v16 v16_from_i32(v16i a) {
    ALL(vcvtq_f32_s32(a.r[i]));
}

INLINE v16 v16_from_i8(int8x16_t a) {
    int16x8_t low = vmovl_s8(vget_low_s8(a)), high = vmovl_high_s8(a);
    return v16_from_i32((v16i){
        {vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)}});
}

// Sixteen codes of values, less their zero.
INLINE v16 v16_value_bytes(const uint8_t *p) {
    return v16_from_i8(signed_bytes(p));
}

// The low (0) or high (1) halves of the bytes.
INLINE v16 v16_value_nibbles(const uint8_t *p, int high) {
    return v16_from_i8(signed_nibbles(p, high));
}

typedef struct {
    float32x4_t low, high;
} v8;

// The two halves added: the first step of quant_sum16.
INLINE v8 v16_halves(v16 a) {
    return (v8){vaddq_f32(a.r[0], a.r[2]), vaddq_f32(a.r[1], a.r[3])};
}

// The tree of quant_sum8.
INLINE float sum8(v8 a) {
    float32x4_t b = vaddq_f32(a.low, a.high);
    return vpadds_f32(vadd_f32(vget_low_f32(b), vget_high_f32(b)));
}

// V16_TILE sums, each by the tree of quant_sum16.
INLINE void v16_sums(const v16 a[V16_TILE], float *out) {
    out[0] = sum8(v16_halves(a[0]));
    out[1] = sum8(v16_halves(a[1]));
}
