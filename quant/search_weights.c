// SPDX-License-Identifier: MIT
// How much each element of a block counts in a search.
#include "quant/search.h"

#include <math.h>

#include "quant/lanes.h"

// An element that the statistics never saw still counts a little, so that it is not encoded as anything at all.
#define LEAST_WEIGHT 1e-5f
#define LEAST_SUM 1e-30f // of weights; below it they say nothing

// Writes `from`, scaled to 1 on average, to w; false when that cannot be.
static bool normalize(const float *from, size_t n, float *w) {
    const wide zero = {0}, least = wide_all(LEAST_WEIGHT);
    wide sum[REGISTERS] = {{0}};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t u = 0; u < REGISTERS; u++) {
            wide v = wide_load(from + i + u * WIDE);
            sum[u] += wide_choose(v > zero, v, zero);
        }
    const float total = wide_sum(sum), factor = (float)n / total;
    if (!(total > LEAST_SUM && total < INFINITY))
        return false;
    for (size_t i = 0; i < n; i += WIDE) {
        wide v = wide_load(from + i) * factor;
        wide_store(w + i, wide_choose(v > least, v, least));
    }
    return true;
}

// Large elements are taken to matter more, with statistics and without: cutting them off for the sake of many small
// ones costs models more than the error tells.
static void weigh_by_size(const float *x, size_t n, float *w) {
    const float inverse = lanes_inverse(fabsf(search_largest(x, n)));
    wide square[REGISTERS] = {{0}};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t u = 0; u < REGISTERS; u++) {
            wide v = wide_load(x + i + u * WIDE) * inverse;
            square[u] += v * v;
        }
    const float sum = wide_sum(square), factor = sum > 0 ? (float)n / sum : 0;
    for (size_t i = 0; i < n; i += WIDE) {
        wide v = wide_load(x + i) * inverse;
        wide_store(w + i, wide_sqrt(1 + v * v * factor));
    }
}

void search_weights(bool by_size, const float *x, const float *importance, size_t n, float *w) {
    float given[QUANT_MAX_BLOCK];
    if (by_size)
        weigh_by_size(x, n, w);
    for (size_t i = 0; !by_size && i < n; i += WIDE)
        wide_store(w + i, wide_all(1));
    if (importance && normalize(importance, n, given))
        for (size_t i = 0; i < n; i += WIDE)
            wide_store(w + i, wide_load(w + i) * wide_load(given + i));
    normalize(w, n, w);
}
