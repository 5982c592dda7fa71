// SPDX-License-Identifier: MIT
// Sixteen floats in two AVX registers: the vector that ops_v16.h and attend_v16.h are written in. Included between
// avx2_begin.h and avx2_end.h.
#pragma once

#include "backends/cpu/x86_common.h"

#define V16_TILE 2        // 2 x 2 accumulators of two registers each, and 8 for operands, fit the 16 registers
#define V16_FEW 2         // rows of a tile of few queries
#define V16_ROW_VECTORS 1 // of a tile of many queries, times 4 keys

typedef struct {
    __m256 low, high;
} v16;

#define BOTH(expression_low, expression_high) ((v16){expression_low, expression_high})

INLINE v16 v16_load(const float *p) {
    return BOTH(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
}

// n < 16 floats, the other lanes 0; nothing behind them is touched.
INLINE v16 v16_load_n(const float *p, size_t n) {
    float copy[16] = {0};
    memcpy(copy, p, n * sizeof *p);
    return v16_load(copy);
}

INLINE void v16_store(float *p, v16 a) {
    _mm256_storeu_ps(p, a.low);
    _mm256_storeu_ps(p + 8, a.high);
}

INLINE void v16_store_n(float *p, v16 a, size_t n) {
    float copy[16];
    v16_store(copy, a);
    memcpy(p, copy, n * sizeof *p);
}

INLINE v16 v16_set1(float x) {
    return BOTH(_mm256_set1_ps(x), _mm256_set1_ps(x));
}

INLINE v16 v16_add(v16 a, v16 b) {
    return BOTH(_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high));
}

INLINE v16 v16_sub(v16 a, v16 b) {
    return BOTH(_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high));
}

INLINE v16 v16_mul(v16 a, v16 b) {
    return BOTH(_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high));
}

INLINE v16 v16_div(v16 a, v16 b) {
    return BOTH(_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high));
}

INLINE v16 v16_fma(v16 a, v16 b, v16 c) {
    return BOTH(_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high));
}

// a > b ? a : b and a < b ? a : b, lane by lane: b where either is NaN.
INLINE v16 v16_max(v16 a, v16 b) {
    return BOTH(_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high));
}

INLINE v16 v16_min(v16 a, v16 b) {
    return BOTH(_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high));
}

INLINE v16 v16_abs(v16 a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return BOTH(_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high));
}

INLINE v16 v16_neg(v16 a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return BOTH(_mm256_xor_ps(sign, a.low), _mm256_xor_ps(sign, a.high));
}

// All ones in the lanes whose bit is set.
INLINE __m256 bits_to_lanes(uint32_t bits) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), bit), bit));
}

// Lanes from a where the bit is set, else from b.
INLINE v16 v16_pick(uint32_t bits, v16 a, v16 b) {
    return BOTH(_mm256_blendv_ps(b.low, a.low, bits_to_lanes(bits)),
                _mm256_blendv_ps(b.high, a.high, bits_to_lanes(bits >> 8)));
}

// Lanes 0 and 1 exchanged, 2 and 3, ...
INLINE v16 v16_swap_pairs(v16 a) {
    return BOTH(_mm256_permute_ps(a.low, 0xb1), _mm256_permute_ps(a.high, 0xb1));
}

// Eight floats, each in two lanes that follow each other.
INLINE v16 v16_load_twice(const float *p) {
    __m256 v = _mm256_loadu_ps(p), x = _mm256_unpacklo_ps(v, v), y = _mm256_unpackhi_ps(v, v);
    return BOTH(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
}

INLINE float v16_largest(v16 a) {
    __m256 m = _mm256_max_ps(a.low, a.high);
    __m128 n = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1));
    n = _mm_max_ps(n, _mm_movehl_ps(n, n));
    return _mm_cvtss_f32(_mm_max_ss(n, _mm_movehdup_ps(n)));
}

INLINE __m256 times_power8(__m256 p, __m256 shifted) {
    __m256i k = _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(0x4b400000));
    __m256i half = _mm256_srai_epi32(k, 1), bias = _mm256_set1_epi32(127);
    __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i b = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(k, half), bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(a)), _mm256_castsi256_ps(b));
}

// p * 2^k in the two factors of num_exp; k is what `shifted` holds above NUM_MAGIC.
INLINE v16 v16_times_power(v16 p, v16 shifted) {
    return BOTH(times_power8(p.low, shifted.low), times_power8(p.high, shifted.high));
}

INLINE v16 v16_load_f16(const uint16_t *p) {
    return BOTH(_mm256_cvtph_ps(_mm_loadu_si128((const void *)p)),
                _mm256_cvtph_ps(_mm_loadu_si128((const void *)(p + 8))));
}

INLINE void v16_store_f16(uint16_t *p, v16 a) {
    _mm_storeu_si128((void *)p, _mm256_cvtps_ph(a.low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    _mm_storeu_si128((void *)(p + 8), _mm256_cvtps_ph(a.high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

// Rounded to integers, ties to even, as bytes; |a| <= 127. Returns their sum.
INLINE int32_t v16_store_i8(int8_t *p, v16 a) {
    __m256i w = _mm256_packs_epi32(_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high));
    w = _mm256_permute4x64_epi64(w, 0xd8);
    _mm_storeu_si128((void *)p, _mm_packs_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1)));
    __m256i pairs = _mm256_madd_epi16(w, _mm256_set1_epi16(1));
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

// Sixteen int32, and sixteen times four codes, signed.
typedef struct {
    __m256i low, high;
} v16i, v16codes;

INLINE v16i v16i_start(int zero, int sum_of_x) {
    (void)zero, (void)sum_of_x;
    return (v16i){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

INLINE v16codes v16_codes_bytes(const uint8_t *p) {
    const __m256i sign = _mm256_set1_epi8(-128);
    return (v16codes){_mm256_xor_si256(_mm256_loadu_si256((const void *)p), sign),
                      _mm256_xor_si256(_mm256_loadu_si256((const void *)(p + 32)), sign)};
}

INLINE __m256i nibbles8(const uint8_t *p, int high) {
    __m256i c = _mm256_loadu_si256((const void *)p);
    c = _mm256_and_si256(high ? _mm256_srli_epi16(c, 4) : c, _mm256_set1_epi8(15));
    return _mm256_sub_epi8(c, _mm256_set1_epi8(8));
}

// The low (0) or high (1) halves of the bytes.
INLINE v16codes v16_codes_nibbles(const uint8_t *p, int high) {
    return (v16codes){nibbles8(p, high), nibbles8(p + 32, high)};
}

// Products of two bytes stay below 2^15: 2 * 128 * 127.
INLINE __m256i dot8(__m256i sum, __m256i codes, __m256i x) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// sum[i] += codes[4 i ...] . x[0 ... 3], |x| <= 127
INLINE v16i v16i_dot(v16i sum, v16codes codes, const int8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return (v16i){dot8(sum.low, codes.low, _mm256_set1_epi32(four)),
                  dot8(sum.high, codes.high, _mm256_set1_epi32(four))};
}

INLINE v16 v16_from_i32(v16i a) {
    return BOTH(_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high));
}

INLINE v16 v16_from_i8(__m128i a) {
    return BOTH(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(a)),
                _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(a, 8))));
}

// The two halves added: the first step of quant_sum16.
INLINE __m256 v16_halves(v16 a) {
    return _mm256_add_ps(a.low, a.high);
}

// V16_TILE sums, each by the tree of quant_sum16.
INLINE void v16_sums(const v16 a[V16_TILE], float *out) {
    out[0] = sum8(v16_halves(a[0]));
    out[1] = sum8(v16_halves(a[1]));
}

#include "backends/cpu/v16_x86.h"
