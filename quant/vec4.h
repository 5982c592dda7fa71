// SPDX-License-Identifier: MIT
// Four floats at a time, in the compilers' own vector type, for the searches of the encoders: what they look at again
// and again is too slow one by one, and compilers do not see by themselves that it goes together. Nothing depends on
// the machine but the speed: where the compiler's type has no word for an operation, the processor's own is taken.
#pragma once

#include <math.h>
#include <string.h>

#include "base/base.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef float vec4 __attribute__((vector_size(16)));
typedef int32_t vec4_mask __attribute__((vector_size(16)));

static inline vec4 vec4_load(const float *p) {
    vec4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vec4_store(float *p, vec4 v) {
    memcpy(p, &v, sizeof v);
}

static inline vec4 vec4_all(float x) {
    return (vec4){x, x, x, x};
}

static inline vec4 vec4_choose(vec4_mask m, vec4 yes, vec4 no) {
    return (vec4)((m & (vec4_mask)yes) | (~m & (vec4_mask)no));
}

static inline vec4 vec4_abs(vec4 v) {
    return (vec4)((vec4_mask)v & 0x7fffffff);
}

// Neither is NaN.
static inline vec4 vec4_max(vec4 a, vec4 b) {
#if defined(__SSE2__)
    return (vec4)_mm_max_ps((__m128)a, (__m128)b);
#elif defined(__aarch64__)
    return (vec4)vmaxq_f32((float32x4_t)a, (float32x4_t)b);
#else
    return vec4_choose(a > b, a, b);
#endif
}

static inline vec4 vec4_min(vec4 a, vec4 b) {
#if defined(__SSE2__)
    return (vec4)_mm_min_ps((__m128)a, (__m128)b);
#elif defined(__aarch64__)
    return (vec4)vminq_f32((float32x4_t)a, (float32x4_t)b);
#else
    return vec4_choose(a < b, a, b);
#endif
}

static inline vec4 vec4_sqrt(vec4 v) {
#if defined(__SSE2__)
    return (vec4)_mm_sqrt_ps((__m128)v);
#elif defined(__aarch64__)
    return (vec4)vsqrtq_f32((float32x4_t)v);
#else
    return (vec4){sqrtf(v[0]), sqrtf(v[1]), sqrtf(v[2]), sqrtf(v[3])};
#endif
}

static inline bool vec4_all_true(vec4_mask m) {
    uint64_t two[2];
    memcpy(two, &m, sizeof two);
    return (two[0] & two[1]) == UINT64_MAX;
}

// A bit for each lane.
static inline unsigned vec4_bits(vec4_mask m) {
#if defined(__SSE2__)
    return (unsigned)_mm_movemask_ps((__m128)m);
#else
    m &= (vec4_mask){1, 2, 4, 8};
    return (unsigned)(m[0] | m[1] | m[2] | m[3]);
#endif
}

// Ties to even; magnitudes below 2^22.
static inline vec4 vec4_round(vec4 v) {
    const vec4 magic = vec4_all(12582912.0f);
    return (v + magic) - magic;
}

static inline float vec4_sum(vec4 v) {
    return (v[0] + v[2]) + (v[1] + v[3]);
}

static inline float vec4_largest(vec4 v) {
    float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
}
