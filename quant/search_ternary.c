// SPDX-License-Identifier: MIT
// Searching the scale for digits -1, 0, 1. The digits that are not 0 are those of elements above half the scale, and
// the best scale for them is their mean: from several bounds for "large", the two are improved in turn.
#include "quant/search.h"

#include <math.h>

#include "quant/lanes.h"

// Sums over the elements that are larger than a bound; of w x, and of w.
struct above {
    float sum, total;
};

static float gain_of(struct above a) {
    return a.total > 0 ? a.sum * (a.sum / a.total) : 0;
}

static struct above sum_above(const float *size, const float *weighted, const float *w, float bound) {
    wide sum[REGISTERS] = {{0}}, total[REGISTERS] = {{0}};
    for (int i = 0; i < 256; i += LANES)
        for (int u = 0; u < REGISTERS; u++) {
            wide_mask m = wide_load(size + i + WIDE * u) > bound;
            sum[u] += (wide)(m & (wide_mask)wide_load(weighted + i + WIDE * u));
            total[u] += (wide)(m & (wide_mask)wide_load(w + i + WIDE * u));
        }
    return (struct above){wide_sum(sum), wide_sum(total)};
}

static void sums_above(const float *size, const float *weighted, const float *w, const float bound[LANES],
                       struct above out[LANES]) {
    wide bounds[REGISTERS], sum[REGISTERS] = {{0}}, total[REGISTERS] = {{0}};
    float s[LANES], t[LANES];
    for (int u = 0; u < REGISTERS; u++)
        bounds[u] = wide_load(bound + WIDE * u);
    for (int i = 0; i < 256; i++)
        for (int u = 0; u < REGISTERS; u++) {
            wide_mask m = wide_all(size[i]) > bounds[u];
            sum[u] += (wide)(m & (wide_mask)wide_all(weighted[i]));
            total[u] += (wide)(m & (wide_mask)wide_all(w[i]));
        }
    for (int u = 0; u < REGISTERS; u++) {
        wide_store(s + WIDE * u, sum[u]);
        wide_store(t + WIDE * u, total[u]);
    }
    for (int j = 0; j < LANES; j++)
        out[j] = (struct above){s[j], t[j]};
}

// Parts of the largest element and multiples of the mean, as bounds.
static void start_bounds(const float *size, float bound[LANES]) {
    static const float of_mean[] = {0, 0.25f, 0.5f, 0.75f, 1.0f}, of_top[] = {0.25f, 0.5f, 0.75f};
    vec4 sum = {0}, top = {0};
    for (int i = 0; i < 256; i += 4) {
        sum += vec4_load(size + i);
        top = vec4_max(top, vec4_load(size + i));
    }
    for (int j = 0; j < 5; j++)
        bound[j] = vec4_sum(sum) * (1.0f / 256) * of_mean[j];
    for (int j = 0; j < 3; j++)
        bound[5 + j] = vec4_largest(top) * of_top[j];
}

uint16_t search_ternary(const float x[256], const float w[256], int8_t digit[256]) {
    static const struct search_levels levels = {.lo = -1, .hi = 1};
    float size[256], weighted[256], bound[LANES];
    struct above tried[LANES], best = {0};
    for (int i = 0; i < 256; i += 4) {
        vec4 v = vec4_abs(vec4_load(x + i));
        vec4_store(size + i, v);
        vec4_store(weighted + i, v * vec4_load(w + i));
    }
    start_bounds(size, bound);
    sums_above(size, weighted, w, bound, tried);
    for (int j = 0; j < LANES; j++)
        best = gain_of(tried[j]) > gain_of(best) ? tried[j] : best;
    for (int round = 0; round < ROUNDS && best.total > 0; round++) {
        struct above next = sum_above(size, weighted, w, best.sum / best.total * 0.5f);
        if (!(gain_of(next) > gain_of(best)))
            break;
        best = next;
    }
    uint16_t half = search_half(best.total > 0 ? best.sum / best.total : 0);
    search_nearest(&levels, x, w, 256, num_f16_to_f32(half), digit);
    return half;
}
