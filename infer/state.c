// SPDX-License-Identifier: MIT
// Recurrent state and its copies. See infer/state.h.
#include "infer/state.h"

#include <string.h>

bool state_open(struct state *s, const struct model *m, struct backend *b, struct arena *a, struct err *e) {
    const uint32_t n = model_shape(m)->n_slots;
    *s = (struct state){.backend = b, .slots = arena_alloc(a, n, sizeof *s->slots)};
    if (!s->slots)
        return err_memory(e, n * sizeof *s->slots, "the session");
    for (uint32_t i = 0; i < n; i++)
        s->size += round_up(model_state_size(m, i), 16);
    s->memory = b->ops->alloc(b, (STATE_COPIES + 1) * s->size * sizeof *s->memory);
    if (!s->memory)
        return err_memory(e, (STATE_COPIES + 1) * s->size * sizeof *s->memory, "the recurrent state");
    float *at = s->memory;
    for (uint32_t i = 0; i < n; i++) {
        s->slots[i] = at;
        at += round_up(model_state_size(m, i), 16);
    }
    return true;
}

void state_close(struct state *s) {
    if (s->memory)
        s->backend->ops->free(s->backend, s->memory, (STATE_COPIES + 1) * s->size * sizeof *s->memory);
}

static float *copy_of(const struct state *s, unsigned i) {
    return s->memory + (i + 1) * s->size;
}

void state_keep(struct state *s, size_t n) {
    if (!s->size)
        return;
    memcpy(copy_of(s, s->next), s->memory, s->size * sizeof *s->memory);
    s->position[s->next] = n;
    s->next = (s->next + 1) % STATE_COPIES;
}

size_t state_rewind(struct state *s, size_t n) {
    size_t best = 0;
    if (!s->size)
        return n;
    for (unsigned i = 0; i < STATE_COPIES; i++) {
        if (s->position[i] > n)
            s->position[i] = 0; // of a history that is about to be another
        else if (s->position[i] > best) {
            best = s->position[i];
            memcpy(s->memory, copy_of(s, i), s->size * sizeof *s->memory);
        }
    }
    if (best == 0)
        memset(s->memory, 0, s->size * sizeof *s->memory);
    return best;
}
