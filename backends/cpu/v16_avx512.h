// SPDX-License-Identifier: MIT
// Sixteen floats in one AVX-512 register: the vector that ops_v16.h and attend_v16.h are written in. Included between
// avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/x86_common.h"

#define V16_TILE 4        // 4 x 4 accumulators and 8 operands fit the 32 registers
#define V16_FEW 6         // rows of a tile of few queries, times V16_TILE: 24 accumulators and 6 operands
#define V16_ROW_VECTORS 2 // of a tile of many queries, times 4 keys

typedef __m512 v16;

// Lanes 0 .. n - 1, n <= 16.
INLINE __mmask16 lanes(size_t n) {
    return (__mmask16)((1u << n) - 1);
}

INLINE v16 v16_load(const float *p) {
    return _mm512_loadu_ps(p);
}

// n < 16 floats, the other lanes 0; nothing behind them is touched.
INLINE v16 v16_load_n(const float *p, size_t n) {
    return _mm512_maskz_loadu_ps(lanes(n), p);
}

INLINE void v16_store(float *p, v16 a) {
    _mm512_storeu_ps(p, a);
}

INLINE void v16_store_n(float *p, v16 a, size_t n) {
    _mm512_mask_storeu_ps(p, lanes(n), a);
}

INLINE v16 v16_set1(float x) {
    return _mm512_set1_ps(x);
}

INLINE v16 v16_add(v16 a, v16 b) {
    return _mm512_add_ps(a, b);
}

INLINE v16 v16_sub(v16 a, v16 b) {
    return _mm512_sub_ps(a, b);
}

INLINE v16 v16_mul(v16 a, v16 b) {
    return _mm512_mul_ps(a, b);
}

INLINE v16 v16_div(v16 a, v16 b) {
    return _mm512_div_ps(a, b);
}

INLINE v16 v16_fma(v16 a, v16 b, v16 c) {
    return _mm512_fmadd_ps(a, b, c);
}

// a > b ? a : b and a < b ? a : b, lane by lane: b where either is NaN.
INLINE v16 v16_max(v16 a, v16 b) {
    return _mm512_max_ps(a, b);
}

INLINE v16 v16_min(v16 a, v16 b) {
    return _mm512_min_ps(a, b);
}

INLINE v16 v16_abs(v16 a) {
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a);
}

INLINE v16 v16_neg(v16 a) {
    return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f));
}

// Lanes from a where the bit is set, else from b.
INLINE v16 v16_pick(uint32_t bits, v16 a, v16 b) {
    return _mm512_mask_mov_ps(b, (__mmask16)bits, a);
}

// Lanes 0 and 1 exchanged, 2 and 3, ...
INLINE v16 v16_swap_pairs(v16 a) {
    return _mm512_permute_ps(a, 0xb1);
}

// Eight floats, each in two lanes that follow each other.
INLINE v16 v16_load_twice(const float *p) {
    const __m512i lanes_of = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return _mm512_permutexvar_ps(lanes_of, _mm512_castps256_ps512(_mm256_loadu_ps(p)));
}

INLINE float v16_largest(v16 a) {
    return _mm512_reduce_max_ps(a);
}

// p * 2^k in the two factors of num_exp; k is what `shifted` holds above NUM_MAGIC.
INLINE v16 v16_times_power(v16 p, v16 shifted) {
    return _mm512_scalef_ps(p, _mm512_sub_ps(shifted, _mm512_set1_ps(NUM_MAGIC))); // rounds once, as the factors do
}

INLINE v16 v16_load_f16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p));
}

INLINE void v16_store_f16(uint16_t *p, v16 a) {
    _mm256_storeu_si256((void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

// Rounded to integers, ties to even, as bytes; |a| <= 127. Returns their sum.
INLINE int32_t v16_store_i8(int8_t *p, v16 a) {
    __m128i q = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a));
    _mm_storeu_si128((void *)p, q);
    __m256i pairs = _mm256_madd_epi16(_mm256_cvtepi8_epi16(q), _mm256_set1_epi16(1));
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

// Sixteen int32, and sixteen times four codes of eight bits, of which v16i_dot takes `zero` off by what its sum begins
// with.
typedef __m512i v16i, v16codes;

INLINE v16i v16i_start(int zero, int sum_of_x) {
    return _mm512_set1_epi32(-zero * sum_of_x);
}

INLINE v16codes v16_codes_bytes(const uint8_t *p) {
    return _mm512_loadu_si512(p);
}

// The low (0) or high (1) halves of the bytes.
INLINE v16codes v16_codes_nibbles(const uint8_t *p, int high) {
    __m512i c = _mm512_loadu_si512(p);
    return _mm512_and_si512(high ? _mm512_srli_epi16(c, 4) : c, _mm512_set1_epi8(15));
}

// sum[i] += codes[4 i ...] . x[0 ... 3], |x| <= 127
INLINE v16i v16i_dot(v16i sum, v16codes codes, const int8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(four));
}

INLINE v16 v16_from_i32(v16i a) {
    return _mm512_cvtepi32_ps(a);
}

INLINE v16 v16_from_i8(__m128i a) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(a));
}

// The two halves added: the first step of quant_sum16.
INLINE __m256 v16_halves(v16 a) {
    return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
}

// V16_TILE sums, each by the tree of quant_sum16.
INLINE void v16_sums(const v16 a[V16_TILE], float *out) {
    __m256 x = _mm256_add_ps(_mm256_permute2f128_ps(v16_halves(a[0]), v16_halves(a[1]), 0x20),
                             _mm256_permute2f128_ps(v16_halves(a[0]), v16_halves(a[1]), 0x31));
    __m256 y = _mm256_add_ps(_mm256_permute2f128_ps(v16_halves(a[2]), v16_halves(a[3]), 0x20),
                             _mm256_permute2f128_ps(v16_halves(a[2]), v16_halves(a[3]), 0x31));
    __m256 z = _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x44), _mm256_shuffle_ps(x, y, 0xee)); // 0 0 2 2 | 1 1 3 3
    z = _mm256_add_ps(z, _mm256_movehdup_ps(z));
    __m128 low = _mm256_castps256_ps128(z), high = _mm256_extractf128_ps(z, 1);
    _mm_storeu_ps(out, _mm_shuffle_ps(_mm_unpacklo_ps(low, high), _mm_unpackhi_ps(low, high), 0x44));
}

#include "backends/cpu/v16_x86.h"
