// SPDX-License-Identifier: MIT
// As many floats at a time as the registers have that the file is compiled for: four, or with SEARCH_AVX2 eight. Code
// that works on eight numbers in REGISTERS registers gives the same bits with both.
#pragma once

#include "quant/vec4.h"

#if defined(SEARCH_AVX2)
#include <immintrin.h>

typedef float wide __attribute__((vector_size(32)));
typedef int32_t wide_mask __attribute__((vector_size(32)));
#define WIDE 8

static inline wide wide_load(const float *p) {
    return (wide)_mm256_loadu_ps(p);
}

static inline void wide_store(float *p, wide v) {
    _mm256_storeu_ps(p, (__m256)v);
}

static inline wide wide_all(float x) {
    return (wide)_mm256_set1_ps(x);
}

// A bit for each lane.
static inline unsigned wide_bits(wide_mask m) {
    return (unsigned)_mm256_movemask_ps((__m256)m);
}

static inline wide wide_max(wide a, wide b) {
    return (wide)_mm256_max_ps((__m256)a, (__m256)b);
}

static inline wide wide_min(wide a, wide b) {
    return (wide)_mm256_min_ps((__m256)a, (__m256)b);
}

static inline wide wide_sqrt(wide v) {
    return (wide)_mm256_sqrt_ps((__m256)v);
}

static inline float wide_largest(wide v) {
    float a[8];
    wide_store(a, v);
    return vec4_largest(vec4_max(vec4_load(a), vec4_load(a + 4)));
}

// The sum of all, in one order for every width.
static inline float wide_sum(const wide v[1]) {
    float a[8];
    wide_store(a, v[0]);
    return vec4_sum(vec4_load(a) + vec4_load(a + 4));
}
#else
typedef vec4 wide;
typedef vec4_mask wide_mask;
#define WIDE 4
#define wide_load vec4_load
#define wide_store vec4_store
#define wide_all vec4_all
#define wide_bits vec4_bits
#define wide_largest vec4_largest
#define wide_max vec4_max
#define wide_min vec4_min
#define wide_sqrt vec4_sqrt

static inline float wide_sum(const wide v[2]) {
    return vec4_sum(v[0] + v[1]);
}
#endif

#define REGISTERS (8 / WIDE)

static inline wide wide_choose(wide_mask m, wide yes, wide no) {
    return (wide)((m & (wide_mask)yes) | (~m & (wide_mask)no));
}

static inline wide wide_abs(wide v) {
    return (wide)((wide_mask)v & 0x7fffffff);
}

// Ties to even; magnitudes below 2^22.
static inline wide wide_round(wide v) {
    const wide magic = wide_all(12582912.0f);
    return (v + magic) - magic;
}

// Integers that fit.
static inline void wide_store_i8(int8_t *p, wide v) {
    wide_mask i = __builtin_convertvector(v, wide_mask);
#if defined(SEARCH_AVX2)
    __m128i half = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)i), _mm256_extracti128_si256((__m256i)i, 1));
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(half, half));
#elif defined(__SSE2__)
    __m128i half = _mm_packs_epi32((__m128i)i, (__m128i)i);
    int32_t four = _mm_cvtsi128_si32(_mm_packs_epi16(half, half));
    memcpy(p, &four, sizeof four);
#else
    for (int j = 0; j < WIDE; j++)
        p[j] = (int8_t)i[j];
#endif
}
