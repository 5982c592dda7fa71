// SPDX-License-Identifier: MIT
// Searches that the encoders share: scales, sub-scales and codes that make the error weighted by importance small. All
// of them are deterministic: plain arithmetic in a fixed order.
//
// x, w: the elements and their weights; lengths are multiples of 16. Errors are sums of w (x - decoded)^2.
#pragma once

#include "quant/blocks.h"

// Rounds of improving that are worth their time for elements with an offset.
#define ROUNDS 4

// The nearest half-precision number that is finite.
uint16_t search_half(float x);
// The same, but the least one of its sign for a number too small: the scale of integer scales can do with them.
uint16_t search_half_unit(float x);

// True when all elements are the same number; such rows fit any level but for the rounding of scales to half precision.
bool search_is_constant(const float *x, size_t n);
// The element of the largest magnitude, the positive one of equals; n a multiple of 4.
float search_largest(const float *x, size_t n);
// The product k * l, k = 1 .. most_k, l = 1 .. most_l (or one of the 16 positive ones of `uneven`), by which `size`
// divides with the least change from rounding the quotient to half precision; with `above`, among those whose result is
// not below `size`. The quotient is returned.
uint16_t search_product(float size, int most_k, int most_l, const int8_t *uneven, bool above, int *k, int *l);

// The weights of n elements, a multiple of 8 and at most QUANT_MAX_BLOCK: sqrt(1 + x^2 / mean x^2) if `by_size`, times
// the importance unless that is NULL or says nothing; 1 on average.
void search_weights(bool by_size, const float *x, const float *importance, size_t n, float *w);

// The numbers that codes stand for, in ascending order: lo .. hi, or uneven ones where `uneven` is given.
struct search_levels {
    int lo, hi;
    const int8_t *uneven; // [16]
    bool e2m1;            // the levels of search_e2m1
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

// The errors at eight scales.
void search_errors(const struct search_levels *l, const float *x, const float *w, size_t n, const float scale[8],
                   float error[8]);

// How far a search goes: starts from scales of max|x| / (largest level * stretch), `starts` of them for either sign (in
// all a multiple of 8): stretch 1, and from `least` to `most`.
struct search_effort {
    int starts;
    float least, most;
    int rounds; // of improving the best
};

// The scale, of either sign, that fits best; *fit is what it gives.
float search_scale(const struct search_levels *l, const struct search_effort *effort, const float *x, const float *w,
                   size_t n, struct search_fit *fit);
// The same for a scale in half precision, with the levels.
uint16_t search_half_scale(const struct search_levels *l, const struct search_effort *effort, const float *x,
                           const float *w, size_t n, int8_t *level);

// Twice the values of E2M1, in order.
extern const struct search_levels search_e2m1;

// The scale in half precision, and digits -1, 0, 1, that fit 256 elements best.
uint16_t search_ternary(const float x[256], const float w[256], int8_t digit[256]);

// A block of 256 in sub-blocks of sub_len with integer scales from least to most.
struct search_block {
    struct search_levels levels;
    struct search_effort effort;
    int sub_len, least, most;
};

// Element i is d * scale[i / sub_len] * level[i].
uint16_t search_block(const struct search_block *b, const float x[256], const float w[256], int8_t scale[16],
                      int8_t level[256]);

// Levels 0 .. hi with a scale and an offset: element = scale * level + offset. How well they fit, and the sums for
// improving both.
struct search_affine {
    float scale, offset;
    float error;
    float slope, square; // sums of w l (x - decoded), w l^2
    float miss, level;   // sums of w (x - decoded), w l
};

// The levels nearest at f->scale and f->offset; fills the rest of *f.
void search_affine_nearest(struct search_affine *f, int hi, const float *x, const float *w, size_t n, int8_t *level);
// The errors at eight scales and offsets.
void search_affine_errors(int hi, const float *x, const float *w, size_t n, const float scale[8], const float offset[8],
                          float error[8]);
// The scale, not negative, and offset that fit best for at most 32 elements; an offset above 0 only where
// `free_offset`.
struct search_affine search_affine(int hi, bool free_offset, const float *x, const float *w, size_t n);
// The same for one block with scale and offset in half precision.
void search_affine_half(int hi, const float *x, const float *w, size_t n, uint16_t *scale, uint16_t *offset,
                        int8_t *level);

// A block of 256 in sub-blocks of sub_len; integer scales and minimums from 0 to `most`.
struct search_affine_block {
    int hi, sub_len, most;
};

// Element i is d * scale[i / sub_len] * level[i] - dmin * min[i / sub_len].
void search_affine_block(const struct search_affine_block *b, const float x[256], const float w[256], uint16_t *d,
                         uint16_t *dmin, uint8_t scale[16], uint8_t min[16], int8_t level[256]);
