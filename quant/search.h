// SPDX-License-Identifier: MIT
// Searches that the encoders share: scales, sub-scales and codes that make the error weighted by importance small. All
// of them are deterministic: plain arithmetic in a fixed order.
//
// x, w: the elements and their weights; lengths are multiples of 16. Errors are sums of w (x - decoded)^2.
#pragma once

#include "quant/blocks.h"

// The nearest half-precision number that is finite.
uint16_t search_half(float x);

// The numbers that codes stand for, in ascending order: lo .. hi, or uneven ones where `uneven` is given.
struct search_levels {
    int lo, hi;
    const int8_t *uneven; // [16]
};

// How well levels fit at a scale, and what it takes to improve the scale.
struct search_fit {
    float error;  // sum of w (x - scale l)^2
    float slope;  // sum of w l (x - scale l)
    float square; // sum of w l^2
};

// The levels nearest to x / scale, written to `level` unless that is NULL.
struct search_fit search_nearest(const struct search_levels *l, const float *x, const float *w, size_t n, float scale,
                                 int8_t *level);

// How far a search goes: starts from scales of max|x| / (largest level * stretch), `starts` of them for either sign,
// stretch from `least` to `most`.
struct search_effort {
    int starts;
    float least, most;
};

// The scale, of either sign, that fits best; *fit is what it gives.
float search_scale(const struct search_levels *l, const struct search_effort *effort, const float *x, const float *w,
                   size_t n, struct search_fit *fit);
// The same for a scale in half precision, with the levels.
uint16_t search_half_scale(const struct search_levels *l, const struct search_effort *effort, const float *x,
                           const float *w, size_t n, int8_t *level);

// A block of 256 in sub-blocks of sub_len with integer scales from least to most.
struct search_block {
    struct search_levels levels;
    struct search_effort effort;
    int sub_len, least, most;
};

// Element i is d * scale[i / sub_len] * level[i].
uint16_t search_block(const struct search_block *b, const float x[256], const float w[256], int8_t scale[16],
                      int8_t level[256]);
