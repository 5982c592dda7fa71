// SPDX-License-Identifier: MIT
// Encoding of rows: what all formats share, which is checking the numbers and preparing the weights of importance. A
// format's own file turns the floats of one block into its bytes.
#include <math.h>

#include "quant/blocks.h"

// An element that the statistics never saw still counts a little, so that it is not encoded as anything at all.
#define LEAST_WEIGHT 1e-5f

bool quant_can_encode(const struct quant_format *f) {
    return f->write_float || f->encode;
}

static bool check(const struct quant_format *f, const float *x, size_t n, size_t *bad) {
    for (*bad = 0; *bad < n; ++*bad)
        if (!(fabsf(x[*bad]) <= f->largest))
            return false;
    return true;
}

// Makes the weights 1 on average; false when that cannot be.
static bool normalize(float *w, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += w[i] > 0 ? (double)w[i] : 0;
    if (!(sum > 0 && sum < INFINITY))
        return false;
    for (size_t i = 0; i < n; i++) {
        w[i] = (float)((double)w[i] * (double)n / sum);
        w[i] = w[i] > LEAST_WEIGHT ? w[i] : LEAST_WEIGHT;
    }
    return true;
}

// Without statistics large elements are taken to matter more: cutting them off for the sake of many small ones costs
// models more than the plain error tells. A format of one bit has nothing to choose but one size for all.
static void weigh_by_size(const struct quant_format *f, const float *x, float *w) {
    double square = 0;
    for (size_t i = 0; i < f->block_len; i++)
        square += (double)x[i] * (double)x[i];
    square /= (double)f->block_len;
    for (size_t i = 0; i < f->block_len; i++)
        w[i] = square > 0 && f->index != QUANT_q1_0 ? (float)sqrt(1 + (double)x[i] * (double)x[i] / square) : 1.0f;
}

static void prepare_weights(const struct quant_format *f, const float *importance, const float *x, float *w) {
    if (importance) {
        memcpy(w, importance, f->block_len * sizeof *w);
        if (normalize(w, f->block_len))
            return;
    }
    weigh_by_size(f, x, w);
    normalize(w, f->block_len);
}

bool quant_encode(const struct quant_format *f, const float *x, const float *importance, size_t n, void *row,
                  size_t *bad) {
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
        f->encode(x + at, w, block);
    }
    return true;
}
