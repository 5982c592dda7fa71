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

// The weights of a block, 1 on average; all 1 where the importance says nothing.
static void prepare_weights(const float *importance, size_t n, float *w) {
    double sum = 0;
    for (size_t i = 0; importance && i < n; i++)
        sum += importance[i] > 0 ? (double)importance[i] : 0;
    bool plain = !(sum > 0 && sum < INFINITY);
    for (size_t i = 0; i < n; i++) {
        w[i] = plain ? 1.0f : (float)((double)importance[i] * (double)n / sum);
        w[i] = w[i] > LEAST_WEIGHT ? w[i] : LEAST_WEIGHT;
    }
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
        prepare_weights(importance ? importance + at : NULL, f->block_len, w);
        f->encode(x + at, w, block);
    }
    return true;
}
