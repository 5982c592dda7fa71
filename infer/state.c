// SPDX-License-Identifier: MIT
// Recurrent state and its copies. See infer/state.h.
#include "infer/state.h"

#include <string.h>

// Bytes that copies may take, and how many there are at least.
#define COPIES_SIZE ((size_t)32 << 20)
#define MIN_COPIES 3

static size_t copy_len(const struct state *s) {
    return s->size + round_up(s->n_logits, 16);
}

static size_t memory_size(const struct state *s) {
    return (s->size + s->n_copies * copy_len(s)) * sizeof *s->memory;
}

static unsigned count_copies(const struct state *s) {
    size_t n = s->size ? COPIES_SIZE / (copy_len(s) * sizeof *s->memory) : 0;
    return s->size ? (unsigned)min_size(max_size(n, MIN_COPIES), STATE_MAX_COPIES) : 0;
}

bool state_open(struct state *s, const struct model *m, struct backend *b, struct arena *a, struct err *e) {
    const uint32_t n = model_shape(m)->n_slots;
    *s =
        (struct state){.backend = b, .slots = arena_alloc(a, n, sizeof *s->slots), .n_logits = model_shape(m)->n_vocab};
    if (!s->slots)
        return err_memory(e, n * sizeof *s->slots, "the session");
    for (uint32_t i = 0; i < n; i++)
        s->size += round_up(model_state_size(m, i), 16);
    s->n_copies = count_copies(s);
    s->memory = b->ops->alloc(b, memory_size(s));
    if (!s->memory)
        return err_memory(e, memory_size(s), "the recurrent state");
    float *at = s->memory;
    for (uint32_t i = 0; i < n; i++) {
        s->slots[i] = at;
        at += round_up(model_state_size(m, i), 16);
    }
    for (unsigned i = 0; i < s->n_copies; i++)
        s->copies[i].memory = at + i * copy_len(s);
    return true;
}

void state_close(struct state *s) {
    if (s->memory)
        s->backend->ops->free(s->backend, s->memory, memory_size(s));
}

// What it costs to give a copy up for one at n: how far apart the places are that it lies between, by its distance from
// the end. First goes what is there already, then what is free.
static double cost_of(const struct state *s, const struct state_copy *c, size_t n) {
    size_t before = 0, end = n;
    for (unsigned i = 0; i < s->n_copies; i++)
        end = max_size(end, s->copies[i].position);
    size_t behind = end;
    for (unsigned i = 0; i < s->n_copies; i++) {
        size_t other = s->copies[i].position;
        before = other < c->position ? max_size(before, other) : before;
        behind = other > c->position ? min_size(behind, other) : behind;
    }
    if (c->position == n || c->position == 0)
        return c->position ? -2 : -1;
    return (double)(behind - before) / (double)(end - c->position + 1);
}

struct state_copy *state_make_room(struct state *s, size_t n) {
    struct state_copy *best = &s->copies[0];
    for (unsigned i = 1; i < s->n_copies; i++)
        if (cost_of(s, &s->copies[i], n) < cost_of(s, best, n))
            best = &s->copies[i];
    best->position = n;
    return best;
}

void state_keep(struct state *s, size_t n, const float *logits) {
    if (!s->size)
        return;
    struct state_copy *c = state_make_room(s, n);
    memcpy(c->memory, s->memory, s->size * sizeof *s->memory);
    c->has_logits = logits != NULL;
    if (logits)
        memcpy(c->memory + s->size, logits, s->n_logits * sizeof *logits);
}

size_t state_rewind(struct state *s, size_t n) {
    const struct state_copy *best = NULL;
    if (!s->size)
        return n;
    for (unsigned i = 0; i < s->n_copies; i++) {
        struct state_copy *c = &s->copies[i];
        if (c->position > n)
            c->position = 0; // of a history that is about to be another
        else if (c->position && (!best || c->position > best->position))
            best = c;
    }
    if (best)
        memcpy(s->memory, best->memory, s->size * sizeof *s->memory);
    else
        memset(s->memory, 0, s->size * sizeof *s->memory);
    return best ? best->position : 0;
}

const float *state_logits(const struct state *s, size_t n) {
    for (unsigned i = 0; i < s->n_copies; i++)
        if (s->copies[i].position == n && s->copies[i].has_logits)
            return s->copies[i].memory + s->size;
    return NULL;
}
