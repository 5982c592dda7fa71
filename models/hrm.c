// SPDX-License-Identifier: MIT
// HRM-Text: two stacks of layers, low and high, run in turn over the same tokens. Each pass keeps keys and values of
// its own; a stack's input is the sum of what both gave last.
#include "models/quirks.h"

struct hrm {
    uint32_t per_stack, h_cycles, l_cycles;
    const float *low_init; // [n_embd]
};

bool hrm_adjust(struct model *m, struct err *e) {
    struct hrm *h = m->special = bind_alloc(m, sizeof *h, e);
    if (!h)
        return false;
    const struct range_row rows[] = {
        {"hrm.layers_per_stack", &h->per_stack, 1, MAX_LAYERS, true},
        {"hrm.h_cycles", &h->h_cycles, 1, MAX_LAYERS, true},
        {"hrm.l_cycles", &h->l_cycles, 1, MAX_LAYERS, true},
    };
    ERR_FORWARD(bind_ranges(m, 0, rows, ARRAY_LEN(rows), e));
    m->n_slots = m->shape.n_layers; // block_count counts passes
    uint64_t passes = (uint64_t)h->per_stack * h->h_cycles * (h->l_cycles + 1);
    ERR_IF(passes != m->n_slots, e, ERR_INPUT, "%s: key %s.block_count: %u, expected %llu passes", m->file->path,
           m->arch->name, m->n_slots, (unsigned long long)passes);
    m->shape.n_layers = 2 * h->per_stack;
    return bind_floats(m, "hrm.z_l_init", "weight", 0, m->shape.n_embd, true, &h->low_init, e);
}

// One pass of a stack: z = norm(layers(z + other)).
static void emit_stack(struct emitter *em, const struct hrm *h, uint32_t slot, uint32_t layer, const float *other,
                       float *z) {
    const uint32_t n = em->m->shape.n_embd;
    tape_add(em->t, (struct tape_add){other, z, n, 1, false});
    struct model_batch batch = *em->batch;
    const struct model_batch *whole = em->batch;
    em->batch = &batch;
    batch.kv += slot - layer; // layer i of the stack keeps its keys in slot + i
    batch.state += slot - layer;
    for (uint32_t i = 0; i < h->per_stack; i++)
        emit_layer(em, layer + i, z);
    em->batch = whole;
    emit_norm(em, &em->m->output_norm, z, 1, n, z);
}

void hrm_emit_layers(struct emitter *em, float *x) {
    const struct hrm *h = em->m->special;
    const uint32_t n = em->m->shape.n_embd;
    float *low = emit_rows(em, n);
    uint32_t slot = 0;
    tape_copy(em->t, (struct tape_copy){h->low_init, low, 1, n, 0, 0, n, 0});
    for (uint32_t i = 0; i < h->h_cycles; i++) {
        for (uint32_t j = 0; j < h->l_cycles; j++, slot += h->per_stack)
            emit_stack(em, h, slot, 0, x, low);
        emit_stack(em, h, slot, h->per_stack, low, x);
        slot += h->per_stack;
    }
}
