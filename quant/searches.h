// SPDX-License-Identifier: MIT
// The searches that encoders call, as compiled for one kind of processor. All give the same bits.
#pragma once

#include "quant/lattice.h"
#include "quant/search.h"

struct searches {
    __typeof__(search_weights) *weights;
    __typeof__(search_errors) *errors;
    __typeof__(search_nearest) *nearest;
    __typeof__(search_half_scale) *half_scale;
    __typeof__(search_block) *block;
    __typeof__(search_affine_half) *affine_half;
    __typeof__(search_affine_block) *affine_block;
    __typeof__(search_ternary) *ternary;
    __typeof__(lattice_search) *lattice;
};

// The fastest for a machine with the features (cpu_features()); 0 is any machine.
const struct searches *searches_for(unsigned features);
