// SPDX-License-Identifier: MIT
// What the blocks that keep a state between tokens share: causal convolutions and the step behind them.
#pragma once

#include "models/model_impl.h"

// A convolution of `channels` channels with `width` taps, `dilation` rows apart; its state holds (width - 1) * dilation
// rows.
struct conv {
    const float *w, *b; // [channels][width], [channels] or NULL
    uint32_t channels, width, dilation;
    bool silu;
};

// "NAME.weight" and, where the file has it or must have it, "NAME.bias".
bool conv_bind(struct model *m, const char *name, uint32_t layer, uint32_t channels, uint32_t width, bool bias,
               struct conv *c, struct err *e);
size_t conv_state_size(const struct conv *c);
// y [rows][channels] of x, whose rows lie x_row floats apart.
void conv_emit(struct emitter *em, const struct conv *c, const float *x, uint32_t x_row, float *state, float *y);

// y = activation(x) for n elements a row.
void emit_act(struct emitter *em, enum activation activation, const float *x, uint32_t n, float *y);
// y = activation(gate) * x.
void emit_gated(struct emitter *em, enum activation activation, const float *gate, const float *x, uint32_t n,
                float *y);
// n floats from each row of x, rows x_row apart, from `first` on, dense into y.
void emit_slice(struct emitter *em, const float *x, uint32_t x_row, uint32_t first, uint32_t n, float *y);
