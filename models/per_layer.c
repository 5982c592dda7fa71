// SPDX-License-Identifier: MIT
// Embeddings for each layer (Gemma 3n, Gemma 4): a token has a short vector for every layer, of which only its row is
// ever read from the file; a projection of the embedding is added, and each layer takes its part through a gate.
#include "base/num.h"
#include "models/recurrent.h"

struct per_layer {
    uint32_t width;
    struct weight table, proj; // [n_vocab][n_layers * width], [n_layers * width][n_embd]
    struct norm norm;
};

bool per_layer_bind(struct model *m, struct err *e) {
    uint32_t width = 0;
    const struct range_row rows[] = {{"embedding_length_per_layer_input", &width, 0, MAX_WIDTH, false}};
    if (!(m->arch->keys & KEY_PER_LAYER))
        return true;
    ERR_FORWARD(bind_ranges(m, 0, rows, 1, e));
    if (!width)
        return true;
    struct per_layer *p = m->per_layer = bind_alloc(m, sizeof *p, e);
    if (!p)
        return false;
    const uint32_t all = m->shape.n_layers * width;
    p->width = width;
    ERR_FORWARD(bind_matrix(m, "per_layer_token_embd", 0, m->shape.n_vocab, all, BIND_MUST, &p->table, e));
    ERR_FORWARD(bind_matrix(m, "per_layer_model_proj", 0, all, m->shape.n_embd, BIND_MUST, &p->proj, e));
    return bind_norm(m, "per_layer_proj_norm", 0, width, true, &p->norm, e);
}

void per_layer_emit(struct emitter *em, const float *x) {
    const struct per_layer *p = em->m->per_layer;
    const uint32_t n = em->m->shape.n_layers, all = n * p->width;
    float *y = emit_rows(em, all), *own = emit_rows(em, all);
    tape_embed(em->t, (struct tape_embed){
                          .table = &p->table, .ids = em->batch->ids, .y = own, .scale = num_sqrt((float)p->width)});
    tape_matmul(em->t, x, &p->proj, y);
    tape_scale(em->t, (struct tape_scale){y, NULL, 1, all, false, 1 / num_sqrt((float)em->m->shape.n_embd)});
    emit_norm(em, &p->norm, y, n, p->width, y);
    tape_add(em->t, (struct tape_add){own, y, all, 1, false});
    tape_scale(em->t, (struct tape_scale){y, NULL, 1, all, false, 1 / num_sqrt(2)});
    em->per_layer = y;
}

// y = proj(activation(gate x) * the layer's embedding)
struct gated {
    struct weight gate, proj;
};

static bool gated_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    const uint32_t n = m->shape.n_embd, width = m->per_layer->width;
    struct gated *g = *weights = bind_alloc(m, sizeof *g, e);
    ERR_FORWARD(g && bind_matrix(m, "blk.%.inp_gate", layer, width, n, BIND_MUST, &g->gate, e));
    return bind_matrix(m, "blk.%.proj", layer, n, width, BIND_MUST, &g->proj, e);
}

static void gated_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct gated *g = weights;
    const uint32_t width = em->m->per_layer->width;
    float *gate = emit_rows(em, width), *own = emit_rows(em, width);
    tape_matmul(em->t, x, &g->gate, gate);
    emit_slice(em, em->per_layer, em->m->shape.n_layers * width, layer * width, width, own);
    emit_gated(em, em->m->activation, gate, own, width, gate);
    tape_matmul(em->t, gate, &g->proj, y);
}

const struct block block_per_layer = {"per-layer embedding", gated_bind, gated_emit};
