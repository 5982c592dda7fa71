// SPDX-License-Identifier: MIT
// Searching one scale for elements that share it, and the integer scales of sub-blocks with the scale of these.
//
// For given codes the best scale is a quotient of two sums, for a given scale the best codes are the nearest ones, so
// the two are improved in turn from several starts; the error has many local minima, and the starts decide.
#include "quant/search.h"

#include <math.h>
#include <stdlib.h>

uint16_t search_half(float x) {
    x = x > HALF_MAX ? HALF_MAX : x < -HALF_MAX ? -HALF_MAX : x;
    return num_f32_to_f16(x);
}

static const int8_t e2m1[16] = {-12, -8, -6, -4, -3, -2, -1, 0, 0, 1, 2, 3, 4, 6, 8, 12};
const struct search_levels search_e2m1 = {.lo = -12, .hi = 12, .uneven = e2m1};

// The level nearest to each of 16 numbers. Counted loops of 16 without branches become vector code.
static void round_even(const struct search_levels *l, const float v[16], float out[16]) {
    const float lo = (float)l->lo, hi = (float)l->hi;
    for (int i = 0; i < 16; i++) {
        float c = v[i] > lo ? v[i] : lo;
        c = c < hi ? c : hi;
        out[i] = num_round(c);
    }
}

static void round_uneven(const int8_t level[16], const float v[16], float out[16]) {
    for (int i = 0; i < 16; i++)
        out[i] = (float)level[0];
    for (int k = 1; k < 16; k++) {
        const float middle = (float)(level[k - 1] + level[k]) * 0.5f, gap = (float)(level[k] - level[k - 1]);
        for (int i = 0; i < 16; i++)
            out[i] += v[i] > middle ? gap : 0.0f;
    }
}

static float sum16(const float *a) {
    return quant_sum16(a);
}

struct search_fit search_nearest(const struct search_levels *l, const float *x, const float *w, size_t n, float scale,
                                 int8_t *level) {
    float error[16] = {0}, slope[16] = {0}, square[16] = {0};
    const float inverse = fabsf(scale) > 0x1p-100f ? 1.0f / scale : 0.0f;
    for (size_t at = 0; at < n; at += 16) {
        float v[16], r[16];
        for (int i = 0; i < 16; i++)
            v[i] = x[at + (size_t)i] * inverse;
        if (l->uneven)
            round_uneven(l->uneven, v, r);
        else
            round_even(l, v, r);
        for (int i = 0; i < 16; i++) {
            float miss = x[at + (size_t)i] - scale * r[i], weighted = w[at + (size_t)i] * r[i];
            error[i] += w[at + (size_t)i] * miss * miss;
            slope[i] += weighted * miss;
            square[i] += weighted * r[i];
        }
        for (int i = 0; level && i < 16; i++)
            level[at + (size_t)i] = (int8_t)r[i];
    }
    return (struct search_fit){sum16(error), sum16(slope), sum16(square)};
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
        for (int k = 0; k < effort->starts && fit->error > 0; k++) {
            float stretch = effort->least + (effort->most - effort->least) * (float)k / (float)effort->starts;
            float scale = top / (ends[side] * stretch);
            struct search_fit f = search_nearest(l, x, w, n, scale, NULL);
            if (promise(&f) < promise(fit)) {
                *fit = f;
                best = scale;
            }
        }
    return improve(l, x, w, n, best, fit);
}

uint16_t search_half_scale(const struct search_levels *l, const struct search_effort *effort, const float *x,
                           const float *w, size_t n, int8_t *level) {
    struct search_fit fit;
    uint16_t half = search_half(search_scale(l, effort, x, w, n, &fit)), best = half;
    float error = search_nearest(l, x, w, n, num_f16_to_f32(half), NULL).error;
    // The codes at the rounded scale may ask for a neighbour of it.
    for (int step = -1; step <= 1; step += 2) {
        uint16_t next = (uint16_t)(half + step);
        if ((half & 0x7fff) == 0 || (next & 0x7fff) >= 0x7c00)
            continue;
        float e = search_nearest(l, x, w, n, num_f16_to_f32(next), NULL).error;
        if (e < error) {
            error = e;
            best = next;
        }
    }
    search_nearest(l, x, w, n, num_f16_to_f32(best), level);
    return best;
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
