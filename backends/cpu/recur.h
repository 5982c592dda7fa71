// SPDX-License-Identifier: MIT
// Where recurrences and convolutions find their operands, for the scalar code and the vectors.
#pragma once

#include "backends/tape.h"

// The group whose keys and queries a head reads.
static inline uint32_t recur_group(const struct tape_recur *o, uint32_t head) {
    return o->modulo ? head % o->groups : head / (o->heads / o->groups);
}

static inline uint32_t conv_history(const struct tape_conv *o) {
    return (o->width - 1) * o->dilation;
}

// Row `at` of the inputs, counted from the state's first row on: of the state or, behind it, of the batch.
static inline const float *conv_row(const struct tape_conv *o, uint32_t at) {
    const uint32_t history = conv_history(o);
    return at >= history ? o->x + (size_t)(at - history) * o->x_stride : o->state + (size_t)at * o->channels;
}

// What tap j reads for token t.
static inline const float *conv_input(const struct tape_conv *o, uint32_t t, uint32_t j) {
    return conv_row(o, t + j * o->dilation);
}
