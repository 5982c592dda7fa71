// SPDX-License-Identifier: MIT
// A model: the hyperparameters and weights of one file, bound and shape-checked once. Immutable.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "gguf.h"

struct model; // models/model_impl.h for the rooms that compute

// What `info` and the sessions need to know.
struct model_shape {
    const char *arch; // row name
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim_k, head_dim_v, n_ff, n_vocab, n_ctx;
    uint64_t n_params; // elements of all tensors
};
