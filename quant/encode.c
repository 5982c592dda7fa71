// SPDX-License-Identifier: MIT
// Encoding of rows: what all formats share, which is checking the numbers and preparing the weights of importance. A
// format's own file turns the floats of one block into its bytes.
#include <math.h>

#include "base/cpu.h"
#include "quant/lanes.h"
#include "quant/searches.h"

// An element that the statistics never saw still counts a little, so that it is not encoded as anything at all.
#define LEAST_WEIGHT 1e-5f
#define LEAST_SUM 1e-30f // of weights; below it they say nothing

bool quant_can_encode(const struct quant_format *f) {
    return f->write_float || f->encode;
}

static bool check(const struct quant_format *f, const float *x, size_t n, size_t *bad) {
    const vec4 largest = vec4_all(f->largest);
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        if (!vec4_all_true(vec4_abs(vec4_load(x + i)) <= largest))
            break;
    for (*bad = i; *bad < n; ++*bad)
        if (!(fabsf(x[*bad]) <= f->largest))
            return false;
    return true;
}

// Makes the weights 1 on average; false when that cannot be.
static bool normalize(float *w, size_t n) {
    const vec4 zero = {0}, least = vec4_all(LEAST_WEIGHT);
    vec4 sum = {0};
    for (size_t i = 0; i < n; i += 4) {
        vec4 v = vec4_load(w + i);
        sum += vec4_choose(v > zero, v, zero);
    }
    const float total = vec4_sum(sum);
    if (!(total > LEAST_SUM && total < INFINITY))
        return false;
    for (size_t i = 0; i < n; i += 4) {
        vec4 v = vec4_load(w + i) * ((float)n / total);
        vec4_store(w + i, vec4_choose(v > least, v, least));
    }
    return true;
}

// Large elements are taken to matter more, with statistics and without: cutting them off for the sake of many small
// ones costs models more than the error tells. A format of one bit has nothing to choose but one size for all.
static void weigh_by_size(const struct quant_format *f, const float *x, float *w) {
    const float top = fabsf(search_largest(x, f->block_len)), inverse = lanes_inverse(top);
    vec4 square = {0};
    for (size_t i = 0; i < f->block_len; i += 4) {
        vec4 v = vec4_load(x + i) * inverse;
        square += v * v;
    }
    const float sum = vec4_sum(square);
    const bool equal = !(sum > 0) || f->index == QUANT_q1_0;
    for (size_t i = 0; i < f->block_len; i += 4) {
        vec4 v = vec4_load(x + i) * inverse;
        vec4_store(w + i, equal ? vec4_all(1) : vec4_sqrt(1 + v * v * ((float)f->block_len / sum)));
    }
}

static void prepare_weights(const struct quant_format *f, const float *importance, const float *x, float *w) {
    float given[QUANT_MAX_BLOCK];
    weigh_by_size(f, x, w);
    if (importance) {
        memcpy(given, importance, f->block_len * sizeof *given);
        if (normalize(given, f->block_len))
            for (size_t i = 0; i < f->block_len; i += 4)
                vec4_store(w + i, vec4_load(w + i) * vec4_load(given + i));
    }
    normalize(w, f->block_len);
}

bool quant_encode_for(unsigned features, const struct quant_format *f, const float *x, const float *importance,
                      size_t n, void *row, size_t *bad) {
    const struct searches *s = searches_for(features);
    if (!check(f, x, n, bad))
        return false;
    if (f->write_float) {
        f->write_float(x, row, n);
        return true;
    }
    char *block = row;
    for (size_t at = 0; at < n; at += f->block_len, block += f->block_size) {
        float w[QUANT_MAX_BLOCK];
        prepare_weights(f, importance ? importance + at : NULL, x + at, w);
        f->encode(s, x + at, w, block);
    }
    return true;
}

bool quant_encode(const struct quant_format *f, const float *x, const float *importance, size_t n, void *row,
                  size_t *bad) {
    return quant_encode_for(cpu_features(), f, x, importance, n, row, bad);
}
