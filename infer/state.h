// SPDX-License-Identifier: MIT
// What convolutions and recurrences keep from token to token. Every token overwrites it, so going back needs a copy:
// some places are kept whole, the closer to each other the nearer to the end, so that going back to any place costs no
// more than evaluating again a part of what lies behind it.
#pragma once

#include "backends/backend.h"
#include "models/model.h"

#define STATE_MAX_COPIES 16

struct state_copy {
    float *memory;   // [size] of all slots, then [n_vocab] logits
    size_t position; // ids before it; 0: none is kept
    bool has_logits;
};

struct state {
    struct backend *backend;
    float *memory;   // that of all slots, then the copies'
    size_t size;     // floats of all slots; 0 where the model has none
    size_t n_logits; // floats
    float **slots;   // [n_slots]
    unsigned n_copies;
    struct state_copy copies[STATE_MAX_COPIES];
};

// Zeroed, as before the first token. The tables live in the arena.
bool state_open(struct state *s, const struct model *m, struct backend *b, struct arena *a, struct err *e);
void state_close(struct state *s);
// Room for a copy of the state behind the first n >= 1 ids, which the caller fills; another one may be given up for it.
struct state_copy *state_make_room(struct state *s, size_t n);
// Keeps a copy of the state, which is that behind the first n ids, with the logits there, or NULL.
void state_keep(struct state *s, size_t n, const float *logits);
// Goes back to where at most the first n ids had been seen, and returns how many.
size_t state_rewind(struct state *s, size_t n);
// The logits that are kept behind the first n ids, or NULL.
const float *state_logits(const struct state *s, size_t n);
