// SPDX-License-Identifier: MIT
// Searching one scale for elements that share it.
//
// For given codes the best scale is a quotient of two sums, for a given scale the best codes are the nearest ones. Many
// scales are tried first, side by side in the lanes of vectors; the best of them is improved in turn with its codes.
#include "quant/search.h"

#include <math.h>

#include "quant/lanes.h"

uint16_t search_half(float x) {
    x = x > HALF_MAX ? HALF_MAX : x < -HALF_MAX ? -HALF_MAX : x;
    return num_f32_to_f16(x);
}

uint16_t search_half_unit(float x) {
    const uint16_t half = search_half(x);
    return (half & 0x7fff) == 0 && x != 0 ? half | 1 : half;
}

static const int8_t e2m1[16] = {-12, -8, -6, -4, -3, -2, -1, 0, 0, 1, 2, 3, 4, 6, 8, 12};
const struct search_levels search_e2m1 = {.lo = -12, .hi = 12, .uneven = e2m1, .e2m1 = true};

bool search_is_constant(const float *x, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0])
            return false;
    return true;
}

float search_largest(const float *x, size_t n) {
    vec4 lo = vec4_load(x), hi = lo;
    for (size_t i = 4; i < n; i += 4) {
        lo = vec4_min(lo, vec4_load(x + i));
        hi = vec4_max(hi, vec4_load(x + i));
    }
    const float top = vec4_largest(hi), bottom = -vec4_largest(-lo);
    return top >= -bottom ? top : bottom;
}

// The error of zeros.
static float power_of(const float *x, const float *w, size_t n) {
    wide sum[REGISTERS] = {{0}};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t u = 0; u < REGISTERS; u++) {
            wide v = wide_load(x + i + u * WIDE);
            sum[u] += wide_load(w + i + u * WIDE) * v * v;
        }
    return wide_sum(sum);
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

#if defined(SEARCH_AVX2)
// For each number the entry of a table in two registers: of the upper one where `upper`, at its place.
static inline wide look_up(wide low, wide high, wide_mask upper, wide_mask place) {
    const __m256 a = _mm256_permutevar8x32_ps((__m256)low, (__m256i)place);
    const __m256 b = _mm256_permutevar8x32_ps((__m256)high, (__m256i)place);
    return (wide)_mm256_blendv_ps(a, b, (__m256)upper);
}

// By bisection: the half of the levels is found first, then the place in it.
static inline wide round_uneven(const int8_t level[16], wide v) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)level);
    const wide low = (wide)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    const wide high = (wide)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)));
    const wide after_low = (wide)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 1)));
    const wide after_high = (wide)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 9)));
    const wide middle_low = (low + after_low) * 0.5f, middle_high = (high + after_high) * 0.5f;
    const wide_mask upper = v > middle_low[7];
    wide_mask place = (v > look_up(middle_low, middle_high, upper, (wide_mask){0} + 3)) & 4;
    place += (v > look_up(middle_low, middle_high, upper, place + 1)) & 2;
    place += (v > look_up(middle_low, middle_high, upper, place)) & 1;
    return look_up(low, high, upper, place);
}
#else
static inline wide round_uneven(const int8_t level[16], wide v) {
    wide out = wide_all((float)level[0]);
    for (int k = 1; k < 16; k++) {
        const float middle = (float)(level[k - 1] + level[k]) * 0.5f, gap = (float)(level[k] - level[k - 1]);
        out += (wide)((wide_mask)wide_all(gap) & (v > middle));
    }
    return out;
}
#endif

// The halves of E2M1: integers below 2, and above it two significant bits, by Veltkamp's splitting.
static inline wide round_e2m1(wide v) {
    wide a = wide_min(wide_abs(v), wide_all(12)), big = a * (0x1p22f + 1);
    wide r = wide_choose(a < 2, wide_round(a), big - (big - a));
    return (wide)((wide_mask)r | ((wide_mask)v & INT32_MIN));
}

// How levels lie: what the loops below are made for.
enum spacing { EVEN, UNEVEN, E2M1 };

static enum spacing spacing_of(const struct search_levels *l) {
    return l->e2m1 ? E2M1 : l->uneven ? UNEVEN : EVEN;
}

// The level nearest to each number.
static inline wide round_to(const struct search_levels *l, enum spacing s, wide v) {
    if (s == E2M1)
        return round_e2m1(v);
    if (s == UNEVEN)
        return round_uneven(l->uneven, v);
    return wide_round(wide_min(wide_max(v, wide_all((float)l->lo)), wide_all((float)l->hi)));
}

static inline struct search_fit nearest(const struct search_levels *l, enum spacing s, const float *x, const float *w,
                                        size_t n, float scale, int8_t *level) {
    wide error[REGISTERS] = {{0}}, slope[REGISTERS] = {{0}}, square[REGISTERS] = {{0}};
    const float inverse = lanes_inverse(scale);
    for (size_t i = 0; i < n; i += LANES)
        for (size_t u = 0; u < REGISTERS; u++) {
            wide at = wide_load(x + i + u * WIDE), weight = wide_load(w + i + u * WIDE);
            wide r = round_to(l, s, at * inverse), miss = at - scale * r, weighted = weight * r;
            error[u] += weight * miss * miss;
            slope[u] += weighted * miss;
            square[u] += weighted * r;
            if (level)
                wide_store_i8(level + i + u * WIDE, r);
        }
    return (struct search_fit){wide_sum(error), wide_sum(slope), wide_sum(square)};
}

struct search_fit search_nearest(const struct search_levels *l, const float *x, const float *w, size_t n, float scale,
                                 int8_t *level) {
    switch (spacing_of(l)) {
    case E2M1:
        return nearest(l, E2M1, x, w, n, scale, level);
    case UNEVEN:
        return nearest(l, UNEVEN, x, w, n, scale, level);
    default:
        return nearest(l, EVEN, x, w, n, scale, level);
    }
}

static inline void errors(const struct search_levels *l, enum spacing s, const float *x, const float *w, size_t n,
                          const float scale[LANES], float error[LANES]) {
    wide d[REGISTERS], inverse[REGISTERS], sum[REGISTERS] = {{0}};
    for (int u = 0; u < REGISTERS; u++) {
        d[u] = wide_load(scale + WIDE * u);
        inverse[u] = lanes_inverses(d[u]);
    }
    for (size_t i = 0; i < n; i++) {
        wide at = wide_all(x[i]), weight = wide_all(w[i]);
        for (int u = 0; u < REGISTERS; u++) {
            wide miss = at - d[u] * round_to(l, s, at * inverse[u]);
            sum[u] += weight * miss * miss;
        }
    }
    for (int u = 0; u < REGISTERS; u++)
        wide_store(error + WIDE * u, sum[u]);
}

void search_errors(const struct search_levels *l, const float *x, const float *w, size_t n, const float scale[LANES],
                   float error[LANES]) {
    switch (spacing_of(l)) {
    case E2M1:
        errors(l, E2M1, x, w, n, scale, error);
        break;
    case UNEVEN:
        errors(l, UNEVEN, x, w, n, scale, error);
        break;
    default:
        errors(l, EVEN, x, w, n, scale, error);
    }
}

// For the codes at each scale the sums cross of w x l and square of w l^2 give their best scale, cross / square, and
// what it takes off the error of zeros, cross^2 / square.
static inline void best_scales(const struct search_levels *l, enum spacing s, const float *x, const float *w, size_t n,
                               const float inverses[LANES], float scale[LANES], float gain[LANES]) {
    wide inverse[REGISTERS], c[REGISTERS] = {{0}}, q[REGISTERS] = {{0}};
    for (int u = 0; u < REGISTERS; u++)
        inverse[u] = wide_load(inverses + WIDE * u);
    for (size_t i = 0; i < n; i++) {
        wide at = wide_all(x[i]), weight = wide_all(w[i]);
        for (int u = 0; u < REGISTERS; u++) {
            wide r = round_to(l, s, at * inverse[u]), weighted = weight * r;
            c[u] += weighted * at;
            q[u] += weighted * r;
        }
    }
    for (int u = 0; u < REGISTERS; u++) {
        wide best = c[u] / q[u];
        wide_store(scale + WIDE * u, best);
        wide_store(gain + WIDE * u, wide_choose(q[u] > 0, c[u] * best, wide_all(0)));
    }
}

static void try_scales(const struct search_levels *l, const float *x, const float *w, size_t n,
                       const float inverse[LANES], float scale[LANES], float gain[LANES]) {
    switch (spacing_of(l)) {
    case E2M1:
        best_scales(l, E2M1, x, w, n, inverse, scale, gain);
        break;
    case UNEVEN:
        best_scales(l, UNEVEN, x, w, n, inverse, scale, gain);
        break;
    default:
        best_scales(l, EVEN, x, w, n, inverse, scale, gain);
    }
}

// Follows the fit from a scale while it gets better.
static float improve(const struct search_levels *l, const float *x, const float *w, size_t n, float scale, int rounds,
                     struct search_fit *fit) {
    for (int i = 0; i < rounds && fit->square > 0 && fit->error > 0; i++) {
        float next = scale + fit->slope / fit->square;
        struct search_fit f = search_nearest(l, x, w, n, next, NULL);
        if (!(f.error < fit->error))
            break;
        *fit = f;
        scale = next;
    }
    return scale;
}

// The inverses of the starts from number `start` on; those from effort->starts on have the other end of the levels. The
// first start of an end is the scale at which the largest element is the last level: decoded rows come from there.
static void list_starts(const struct search_effort *effort, int start, const struct search_levels *l, float top,
                        float inverse[LANES]) {
    static const float lane[LANES] = {0, 1, 2, 3, 4, 5, 6, 7};
    const float starts = (float)effort->starts, range = effort->most - effort->least;
    for (int u = 0; u < LANES; u += WIDE) {
        const wide number = wide_load(lane + u) + (float)start;
        const wide_mask other = number >= starts;
        const wide at = wide_choose(other, number - starts, number);
        const wide end = wide_choose(other, wide_all((float)l->lo), wide_all((float)l->hi));
        const wide stretch = effort->least + range * (at - 1) / (starts - 2);
        wide_store(inverse + u, end * wide_choose(at > 0, stretch, wide_all(1)) / top);
    }
}

float search_scale(const struct search_levels *l, const struct search_effort *effort, const float *x, const float *w,
                   size_t n, struct search_fit *fit) {
    const float top = search_largest(x, n);
    // Where levels of either sign are the same, so are scales.
    const int starts = fabsf(top) > LANES_LEAST ? effort->starts * (l->lo == -l->hi ? 1 : 2) : 0;
    float best = 0, scale = 0;
    for (int start = 0; start < starts; start += LANES) {
        float inverse[LANES], scales[LANES], gain[LANES];
        list_starts(effort, start, l, top, inverse);
        try_scales(l, x, w, n, inverse, scales, gain);
        for (int j = 0; j < LANES; j++)
            if (gain[j] > best) {
                best = gain[j];
                scale = scales[j];
            }
    }
    *fit = search_nearest(l, x, w, n, scale, NULL);
    return improve(l, x, w, n, scale, effort->rounds, fit);
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
    const float top = search_largest(x, n);
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
    const float power = power_of(x, w, n);
    struct half_scale best = {search_half(search_scale(l, effort, x, w, n, &fit)), 0};
    best.error = search_nearest(l, x, w, n, num_f16_to_f32(best.half), level).error;
    if (best.error < power && !(fit.error < power * ROUNDING))
        return best.half;
    if (!(best.error < power))
        best = (struct half_scale){0, power};
    if (fit.error < power * ROUNDING)
        consider_levels(&best, l, x, w, n);
    search_nearest(l, x, w, n, num_f16_to_f32(best.half), level);
    return best.half;
}
