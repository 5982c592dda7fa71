// SPDX-License-Identifier: MIT
// Searching one scale for elements that share it, and the integer scales of sub-blocks with the scale of these.
//
// For given codes the best scale is a quotient of two sums, for a given scale the best codes are the nearest ones, so
// the two are improved in turn from several starts; the error has many local minima, and the starts decide.
#include "quant/search.h"

#include <math.h>
#include <stdlib.h>

#include "quant/vec4.h"

uint16_t search_half(float x) {
    x = x > HALF_MAX ? HALF_MAX : x < -HALF_MAX ? -HALF_MAX : x;
    return num_f32_to_f16(x);
}

static const int8_t e2m1[16] = {-12, -8, -6, -4, -3, -2, -1, 0, 0, 1, 2, 3, 4, 6, 8, 12};
const struct search_levels search_e2m1 = {.lo = -12, .hi = 12, .uneven = e2m1};

bool search_is_constant(const float *x, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0])
            return false;
    return true;
}

uint16_t search_product(float size, int most_k, int most_l, const int8_t *uneven, bool above, int *k, int *l) {
    float least = INFINITY;
    uint16_t best = 0;
    *k = *l = 1;
    for (int i = most_k; i > 0; i--)
        for (int j = uneven ? 16 : most_l; j > 0; j--) {
            int level = uneven ? uneven[j - 1] : j;
            uint16_t half = level > 0 ? search_half(size / (float)(i * level)) : 0;
            float miss = num_f16_to_f32(half) * (float)(i * level) - size;
            if (above && miss < 0)
                continue;
            if (fabsf(miss) < least) {
                least = fabsf(miss);
                best = half;
                *k = i;
                *l = level;
            }
        }
    return best;
}

static vec4 round_uneven(const int8_t level[16], vec4 v) {
    vec4 out = vec4_all((float)level[0]);
    for (int k = 1; k < 16; k++) {
        const float middle = (float)(level[k - 1] + level[k]) * 0.5f, gap = (float)(level[k] - level[k - 1]);
        out += (vec4)((vec4_mask)vec4_all(gap) & (v > middle));
    }
    return out;
}

// The level nearest to each number.
static vec4 round_to(const struct search_levels *l, vec4 v) {
    if (l->uneven)
        return round_uneven(l->uneven, v);
    return vec4_round(vec4_clamp(v, vec4_all((float)l->lo), vec4_all((float)l->hi)));
}

struct search_fit search_nearest(const struct search_levels *l, const float *x, const float *w, size_t n, float scale,
                                 int8_t *level) {
    vec4 error = {0}, slope = {0}, square = {0};
    const float inverse = fabsf(scale) > 0x1p-100f ? 1.0f / scale : 0.0f;
    for (size_t i = 0; i < n; i += 4) {
        vec4 at = vec4_load(x + i), weight = vec4_load(w + i), r = round_to(l, at * inverse);
        vec4 miss = at - scale * r, weighted = weight * r;
        error += weight * miss * miss;
        slope += weighted * miss;
        square += weighted * r;
        for (size_t j = 0; level && j < 4; j++)
            level[i + j] = (int8_t)r[j];
    }
    return (struct search_fit){vec4_sum(error), vec4_sum(slope), vec4_sum(square)};
}

// Follows the fit from a scale while it gets better.
static float improve(const struct search_levels *l, const float *x, const float *w, size_t n, float scale,
                     struct search_fit *fit) {
    for (int i = 0; i < 8 && fit->square > 0; i++) {
        float next = scale + fit->slope / fit->square;
        struct search_fit f = search_nearest(l, x, w, n, next, NULL);
        if (!(f.error < fit->error))
            break;
        *fit = f;
        scale = next;
    }
    return scale;
}

static float largest(const float *x, size_t n) {
    float top = 0;
    for (size_t i = 0; i < n; i++)
        top = fabsf(x[i]) > fabsf(top) ? x[i] : top;
    return top;
}

// Error that the fit promises once the scale is improved for the same codes.
static float promise(const struct search_fit *f) {
    return f->square > 0 ? f->error - f->slope * f->slope / f->square : f->error;
}

float search_scale(const struct search_levels *l, const struct search_effort *effort, const float *x, const float *w,
                   size_t n, struct search_fit *fit) {
    const float top = largest(x, n), ends[2] = {(float)l->lo, (float)l->hi};
    float best = 0;
    *fit = search_nearest(l, x, w, n, 0, NULL);
    for (int side = 0; side < 2 && ends[side] != 0; side++)
        for (int k = -1; k < effort->starts && fit->error > 0; k++) {
            // First the scale at which the largest element is the largest level: decoded rows come from there.
            float stretch = effort->least + (effort->most - effort->least) * (float)k / (float)effort->starts;
            stretch = k < 0 ? 1.0f : stretch;
            float scale = top / (ends[side] * stretch);
            struct search_fit f = search_nearest(l, x, w, n, scale, NULL);
            if (promise(&f) < promise(fit)) {
                *fit = f;
                best = scale;
            }
        }
    return improve(l, x, w, n, best, fit);
}

// A half-precision scale and its error.
struct half_scale {
    uint16_t half;
    float error;
};

static void consider(struct half_scale *best, uint16_t half, const struct search_levels *l, const float *x,
                     const float *w, size_t n) {
    float error = search_nearest(l, x, w, n, num_f16_to_f32(half), NULL).error;
    if (error < best->error)
        *best = (struct half_scale){half, error};
}

// Elements that are 0 or of one size fit many scales; the one that suffers least from being rounded is wanted.
static void consider_levels(struct half_scale *best, const struct search_levels *l, const float *x, const float *w,
                            size_t n) {
    const float top = largest(x, n);
    for (int i = l->lo; i <= l->hi && best->error > 0; i++) {
        int level = l->uneven && i - l->lo < 16 ? l->uneven[i - l->lo] : i;
        if (level != 0 && (!l->uneven || i - l->lo < 16))
            consider(best, search_half(top / (float)level), l, x, w, n);
    }
}

#define ROUNDING 1e-9f // of the power of the elements: an error below it is nothing next to that of rounding scales

uint16_t search_half_scale(const struct search_levels *l, const struct search_effort *effort, const float *x,
                           const float *w, size_t n, int8_t *level) {
    struct search_fit fit;
    const float power = search_nearest(l, x, w, n, 0, NULL).error;
    uint16_t half = search_half(search_scale(l, effort, x, w, n, &fit));
    struct half_scale best = {0, power};
    consider(&best, half, l, x, w, n);
    // The codes at the rounded scale may ask for a neighbour of it.
    if ((half & 0x7fff) > 0 && best.error > 0)
        consider(&best, (uint16_t)(half - 1), l, x, w, n);
    if ((half & 0x7fff) < 0x7bff && best.error > 0)
        consider(&best, (uint16_t)(half + 1), l, x, w, n);
    if (fit.error < power * ROUNDING)
        consider_levels(&best, l, x, w, n);
    search_nearest(l, x, w, n, num_f16_to_f32(best.half), level);
    return best.half;
}

struct magnitude {
    float size, weight;
};

static int larger_first(const void *a, const void *b) {
    const struct magnitude *p = a, *q = b;
    if (p->size != q->size)
        return p->size > q->size ? -1 : 1;
    return (p->weight < q->weight) - (p->weight > q->weight);
}

// The digits that are not 0 are those of the largest elements, and the scale is their mean: all counts are tried.
uint16_t search_ternary(const float x[256], const float w[256], int8_t digit[256]) {
    static const struct search_levels levels = {.lo = -1, .hi = 1};
    struct magnitude m[256];
    double sum = 0, total = 0, best = 0, scale = 0;
    for (int i = 0; i < 256; i++)
        m[i] = (struct magnitude){fabsf(x[i]), w[i]};
    qsort(m, 256, sizeof *m, larger_first);
    for (int i = 0; i < 256; i++) {
        sum += (double)m[i].weight * (double)m[i].size;
        total += (double)m[i].weight;
        if (sum * sum > best * total) {
            best = sum * sum / total;
            scale = sum / total;
        }
    }
    uint16_t half = search_half((float)scale);
    search_nearest(&levels, x, w, 256, num_f16_to_f32(half), digit);
    return half;
}
