// SPDX-License-Identifier: MIT
// Encoding of rows: what all formats share. A format's own file turns the floats of one block into its bytes.
#include <math.h>

#include "quant/blocks.h"

bool quant_can_encode(const struct quant_format *f) {
    return f->index == QUANT_f32 || f->index == QUANT_q8_0;
}

static void encode_q8_0(const float *x, struct block_q8_0 *b) {
    float top = 0;
    for (int i = 0; i < 32; i++)
        top = fabsf(x[i]) > top ? fabsf(x[i]) : top;
    b->d = num_f32_to_f16(top / 127);
    for (int i = 0; i < 32; i++)
        b->qs[i] = (int8_t)num_round(top > 0 ? x[i] * (127 / top) : 0);
}

bool quant_encode(const struct quant_format *f, const float *x, const float *importance, size_t n, void *row,
                  size_t *bad) {
    (void)importance;
    for (*bad = 0; *bad < n; ++*bad)
        if (!isfinite(x[*bad]))
            return false;
    if (f->index == QUANT_f32)
        memcpy(row, x, n * sizeof *x);
    else
        for (size_t i = 0; i < n / 32; i++)
            encode_q8_0(x + 32 * i, (struct block_q8_0 *)row + i);
    return true;
}
