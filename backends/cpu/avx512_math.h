// SPDX-License-Identifier: MIT
// Pieces that the AVX-512 files share; included between avx512_begin.h and avx512_end.h.
#pragma once

#include "base/num.h"

// Loops over registers must be unrolled whole, or the registers become memory.
#define UNROLL _Pragma("GCC unroll 16")
#define INLINE static inline __attribute__((always_inline))

// Lanes 0 .. n - 1, n <= 16.
INLINE __mmask16 lanes(size_t n) {
    return (__mmask16)((1u << n) - 1);
}

// The tree of quant_sum8.
INLINE float sum8(__m256 a) {
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

// The tree of quant_sum16.
INLINE float sum16(__m512 a) {
    return sum8(_mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)));
}

// num_exp, lane by lane.
INLINE __m512 exp16(__m512 x) {
    x = _mm512_min_ps(_mm512_set1_ps(NUM_EXP_MAX), x);
    x = _mm512_max_ps(_mm512_set1_ps(NUM_EXP_MIN), x);
    const __m512 magic = _mm512_set1_ps(NUM_MAGIC), one = _mm512_set1_ps(1.0f);
    __m512 shifted = _mm512_fmadd_ps(x, _mm512_set1_ps(NUM_LOG2E), magic);
    __m512 n = _mm512_sub_ps(shifted, magic);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-NUM_LN2_HI), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-NUM_LN2_LO), r);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(NUM_EXP_C6), r, _mm512_set1_ps(NUM_EXP_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(NUM_EXP_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(NUM_EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(NUM_EXP_C2));
    p = _mm512_fmadd_ps(p, r, one);
    p = _mm512_fmadd_ps(p, r, one);
    __m512i k = _mm512_sub_epi32(_mm512_castps_si512(shifted), _mm512_castps_si512(magic));
    __m512i half = _mm512_srai_epi32(k, 1), bias = _mm512_set1_epi32(127);
    __m512i a = _mm512_slli_epi32(_mm512_add_epi32(half, bias), 23);
    __m512i b = _mm512_slli_epi32(_mm512_add_epi32(_mm512_sub_epi32(k, half), bias), 23);
    return _mm512_mul_ps(_mm512_mul_ps(p, _mm512_castsi512_ps(a)), _mm512_castsi512_ps(b));
}

INLINE __m512 negate(__m512 x) {
    return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f));
}
