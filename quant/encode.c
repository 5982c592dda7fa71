// SPDX-License-Identifier: MIT
// Encoding of rows: what all formats share, which is checking the numbers and weighing them. A
// format's own file turns the floats of one block into its bytes.
#include <math.h>

#include "base/cpu.h"
#include "quant/vec4.h"
#include "quant/searches.h"

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

bool quant_encode_for(unsigned features, const struct quant_format *f, const float *x, const float *importance,
                      size_t n, void *row, size_t *bad) {
    const struct searches *s = searches_for(features);
    const bool by_size = f->index != QUANT_q1_0; // one bit has nothing to choose but one size for all
    if (!check(f, x, n, bad))
        return false;
    if (f->write_float) {
        f->write_float(x, row, n);
        return true;
    }
    char *block = row;
    for (size_t at = 0; at < n; at += f->block_len, block += f->block_size) {
        float w[QUANT_MAX_BLOCK];
        s->weights(by_size, x + at, importance ? importance + at : NULL, f->block_len, w);
        f->encode(s, x + at, w, block);
    }
    return true;
}

bool quant_encode(const struct quant_format *f, const float *x, const float *importance, size_t n, void *row,
                  size_t *bad) {
    return quant_encode_for(cpu_features(), f, x, importance, n, row, bad);
}
