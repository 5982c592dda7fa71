// SPDX-License-Identifier: MIT
// Eight candidates of a search side by side, each in a lane of its own: a lane adds up elements in their order, so
// nothing depends on how many lanes a register has.
#pragma once

#include "quant/wide.h"

#define LANES 8
#define LANES_LEAST 0x1p-100f // a smaller scale has no inverse that is safe to use

static inline float lanes_inverse(float scale) {
    return (scale < 0 ? -scale : scale) > LANES_LEAST ? 1.0f / scale : 0.0f;
}

static inline wide lanes_inverses(wide scale) {
    return wide_choose(wide_abs(scale) > LANES_LEAST, 1.0f / scale, wide_all(0));
}

// Puts a value among the n with the smallest errors, in order; of equals the first stays ahead.
static inline void lanes_keep(int n, float *kept, float *errors, float value, float error) {
    int at = n;
    while (at > 0 && error < errors[at - 1])
        at--;
    if (at == n || (at > 0 && value == kept[at - 1]))
        return;
    for (int k = n - 1; k > at; k--) {
        kept[k] = kept[k - 1];
        errors[k] = errors[k - 1];
    }
    kept[at] = value;
    errors[at] = error;
}
