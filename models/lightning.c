// SPDX-License-Identifier: MIT
// Lightning attention (MiniMax-01, 2025): linear attention whose state decays by a factor of the head and the layer.
#include "base/num.h"
#include "models/recurrent.h"

struct lightning {
    uint32_t heads, dim;
    struct weight qkv, gate, out;
    struct norm norm;
    const float *decay; // [heads]
};

// exp(-slope), slopes as ALiBi has them, smaller in later layers.
static bool make_decay(struct model *m, uint32_t layer, struct lightning *w, struct err *e) {
    float *decay = bind_alloc(m, w->heads * sizeof *decay, e);
    if (!decay)
        return false;
    double start = num_pow(2, -num_pow(2, 3 - num_log(w->heads) / num_log(2))), last = m->shape.n_layers - 1;
    double scale = 1 - (last > 0 ? layer / last : 0) + 1e-5;
    for (uint32_t h = 0; h < w->heads; h++)
        decay[h] = num_exp((float)(-num_pow(start, h + 1) * scale));
    w->decay = decay;
    return true;
}

static bool lightning_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct lightning *w = *weights = bind_alloc(m, sizeof *w, e);
    const uint32_t n_embd = m->shape.n_embd;
    if (!w)
        return false;
    w->dim = m->shape.head_dim_k;
    const struct range_row rows[] = {{"attention.head_count", &w->heads, 1, MAX_HEADS, true}};
    ERR_FORWARD(bind_ranges(m, layer, rows, 1, e));
    const uint32_t n = w->heads * w->dim;
    ERR_FORWARD(make_decay(m, layer, w, e));
    ERR_FORWARD(bind_norm(m, "blk.%.attn_norm_2", layer, n, true, &w->norm, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.attn_qkv", layer, 3 * n, n_embd, BIND_MUST, &w->qkv, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.attn_gate", layer, n, n_embd, BIND_MUST, &w->gate, e));
    m->layers[layer].state_size = (size_t)n * w->dim;
    return bind_matrix(m, "blk.%.attn_output", layer, n_embd, n, BIND_MUST, &w->out, e);
}

static void lightning_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct lightning *w = weights;
    const uint32_t n = w->heads * w->dim, row = 3 * n, dim = w->dim;
    float *qkv = emit_rows(em, row), *v = emit_rows(em, n), *gate = emit_rows(em, n), *out = emit_rows(em, n);
    float *q = emit_rows(em, n), *k = emit_rows(em, n), *decay = emit_rows(em, w->heads);
    tape_matmul2(em->t, x, &w->qkv, qkv, &w->gate, gate);
    emit_act(em, ACTIVATION_SILU, qkv, row, qkv);
    // Each head's query, key and value lie side by side.
    tape_copy(em->t, (struct tape_copy){qkv, q, w->heads, dim, row, 3 * dim, n, dim});
    tape_copy(em->t, (struct tape_copy){qkv + dim, k, w->heads, dim, row, 3 * dim, n, dim});
    tape_copy(em->t, (struct tape_copy){qkv + 2 * dim, v, w->heads, dim, row, 3 * dim, n, dim});
    tape_copy(em->t, (struct tape_copy){w->decay, decay, 1, w->heads, 0, 0, w->heads, 0});
    tape_recur(em->t, (struct tape_recur){.kind = RECUR_LINEAR,
                                          .decay_kind = DECAY_HEAD,
                                          .heads = w->heads,
                                          .dk = dim,
                                          .dv = dim,
                                          .groups = w->heads,
                                          .q = q,
                                          .k = k,
                                          .v = v,
                                          .q_row = n,
                                          .k_row = n,
                                          .v_row = n,
                                          .decay = decay,
                                          .y = out,
                                          .state = em->batch->state[layer],
                                          .scale = 1});
    emit_norm(em, &w->norm, out, 1, n, out);
    emit_gated(em, ACTIVATION_SIGMOID, gate, out, n, out);
    tape_matmul(em->t, out, &w->out, y);
}

const struct block block_lightning = {"lightning attention", lightning_bind, lightning_emit};
