// SPDX-License-Identifier: MIT
// The feed-forward network, for the blocks that have one inside.
#pragma once

#include "models/model_impl.h"

struct ffn {
    struct weight gate, up, down; // gate is empty where there is none
    struct norm sub_norm;         // before down
    const float *act_divisor;     // [n_ff], reciprocals; or NULL
    float limit;                  // of the activations; 0: none
    bool sparse;
    float sparsity;                 // where sparse: how many deviations above their mean gates begin
    const struct tape_xielu *xielu; // the activation's numbers, where it is that one; or NULL
};

struct ffn_names {
    const char *gate, *up, *down; // with % for the layer
};

// Binds the matrices by their names; sizes are those of the tensors, which must agree with each other. When it is not
// required and absent, f->down stays empty.
bool ffn_bind_named(struct model *m, const struct ffn_names *n, uint32_t layer, bool required, struct ffn *f,
                    struct err *e);
// y [rows][n_embd] of x [rows][n_embd].
void ffn_emit_named(struct emitter *em, const struct ffn *f, const float *x, float *y);
// up = activation(gate) * up, or activation(up) where gate is NULL, for n elements a row; limit: as the architecture
// limits them, 0: not.
void ffn_emit_act(struct emitter *em, enum activation activation, float limit, const float *gate, float *up,
                  uint32_t n);
