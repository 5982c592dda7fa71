// SPDX-License-Identifier: MIT
// What convolutions and recurrences keep from token to token. Every token overwrites it, so going back needs a copy:
// the last few places worth going back to are kept whole.
#pragma once

#include "backends/backend.h"
#include "models/model.h"

#define STATE_COPIES 3

struct state {
    struct backend *backend;
    float *memory;                 // that of all slots, then the copies'
    size_t size;                   // floats of all slots; 0 where the model has none
    float **slots;                 // [n_slots]
    size_t position[STATE_COPIES]; // of the copies; 0: none
    unsigned next;                 // copy to be given up
};

// Zeroed, as before the first token. The tables live in the arena.
bool state_open(struct state *s, const struct model *m, struct backend *b, struct arena *a, struct err *e);
void state_close(struct state *s);
// Keeps a copy of the state, which is that behind the first n ids.
void state_keep(struct state *s, size_t n);
// Goes back to where at most the first n ids had been seen, and returns how many.
size_t state_rewind(struct state *s, size_t n);
