// SPDX-License-Identifier: MIT
// What running a model will mean on this machine: said before it is run.
#pragma once

#include "gguf.h"

struct info_machine {
    uint64_t read;           // bytes of weights that one token reads
    uint64_t n_ctx, context; // a usual context, and what it takes: keys, values, states and working memory; 0: unknown
    uint64_t free;           // bytes that a program can still take
    uint64_t experts, used;  // of a layer, and how many of them a token sees; 0: none
    bool fits;               // weights and context have room; if not, weights are read from the file as they are used
};

// From the header alone; the model's tensors are bound where it is one that pith can run, nothing is read of them.
struct info_machine info_machine(const struct gguf *g);
