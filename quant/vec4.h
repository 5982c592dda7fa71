// SPDX-License-Identifier: MIT
// Four floats at a time, in the compilers' own vector type, for the searches of the encoders: what they look at again
// and again is too slow one by one, and compilers do not see by themselves that it goes together.
#pragma once

#include <string.h>

#include "base/base.h"

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

static inline vec4 vec4_clamp(vec4 v, vec4 lo, vec4 hi) {
    v = vec4_choose(v > lo, v, lo);
    return vec4_choose(v < hi, v, hi);
}

// Ties to even; magnitudes below 2^22.
static inline vec4 vec4_round(vec4 v) {
    const vec4 magic = vec4_all(12582912.0f);
    return (v + magic) - magic;
}

static inline float vec4_sum(vec4 v) {
    return (v[0] + v[2]) + (v[1] + v[3]);
}
