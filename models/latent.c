// SPDX-License-Identifier: MIT
// Latent attention (DeepSeek-V2, 2024): keys and values of all heads come from one short vector c of the token, and one
// rotated key r serves all heads. With the matrices of keys and values given head by head (attn_k_b, attn_v_b), queries
// are brought into the space of c, so that only (c, r) is kept, as one head whose values are the beginning of its keys;
// with the older attn_kv_b, keys and values are made and kept for each head.
#include "base/num.h"
#include "models/model_impl.h"

struct latent {
    uint32_t heads, nope, rot, dim_v, rank; // a head's query is nope + rot wide
    struct weight q_a, q_b, q;              // in two steps, or one
    struct weight kv_a_c, kv_a_r;           // rows of attn_kv_a_mqa
    struct norm q_norm, kv_norm;
    struct weight k_b, v_b; // [heads][rank][nope], [heads][dim_v][rank]; or empty, and then
    struct weight kv_b;     // [heads][nope + dim_v][rank]
    struct weight out, gate;
    float scale;
};

static bool read_latent(struct model *m, uint32_t layer, struct latent *w, uint32_t *q_rank, struct err *e) {
    uint32_t dim = m->shape.head_dim_k;
    w->dim_v = m->shape.head_dim_v;
    w->rot = m->rot;
    const struct range_row rows[] = {
        {"attention.head_count", &w->heads, 1, MAX_HEADS, true},
        {"attention.kv_lora_rank", &w->rank, 1, MAX_HEAD_DIM, true},
        {"attention.q_lora_rank", q_rank, 0, MAX_WIDTH, false},
        {"attention.key_length_mla", &dim, 1, MAX_HEAD_DIM, false},
        {"attention.value_length_mla", &w->dim_v, 1, MAX_HEAD_DIM, false},
    };
    ERR_FORWARD(bind_ranges(m, layer, rows, ARRAY_LEN(rows), e));
    ERR_IF(w->rot > dim || w->rot % 2 || w->rank + w->rot > MAX_HEAD_DIM, e, ERR_INPUT,
           "%s: key %s.rope.dimension_count: %u, expected an even number up to %u", m->file->path, m->arch->name,
           w->rot, dim);
    w->nope = dim - w->rot;
    w->scale = 1 / num_sqrt((float)dim);
    return true;
}

static bool bind_queries(struct model *m, uint32_t layer, struct latent *w, uint32_t rank, struct err *e) {
    const uint32_t n = w->heads * (w->nope + w->rot), n_embd = m->shape.n_embd;
    if (!rank || (bind_has(m, "blk.%.attn_q", layer) && !bind_has(m, "blk.%.attn_q_a", layer)))
        return bind_matrix(m, "blk.%.attn_q", layer, n, n_embd, BIND_MUST, &w->q, e);
    ERR_FORWARD(bind_norm(m, "blk.%.attn_q_a_norm", layer, rank, true, &w->q_norm, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.attn_q_a", layer, rank, n_embd, BIND_MUST, &w->q_a, e));
    return bind_matrix(m, "blk.%.attn_q_b", layer, n, rank, BIND_MUST, &w->q_b, e);
}

static bool bind_keys(struct model *m, uint32_t layer, struct latent *w, struct err *e) {
    struct weight both;
    ERR_FORWARD(bind_matrix(m, "blk.%.attn_kv_a_mqa", layer, w->rank + w->rot, m->shape.n_embd, BIND_MUST, &both, e));
    w->kv_a_c = bind_rows(&both, 0, w->rank);
    w->kv_a_r = bind_rows(&both, w->rank, w->rot);
    ERR_FORWARD(bind_norm(m, "blk.%.attn_kv_a_norm", layer, w->rank, true, &w->kv_norm, e));
    if (bind_has(m, "blk.%.attn_kv_b", layer))
        return bind_matrix(m, "blk.%.attn_kv_b", layer, w->heads * (w->nope + w->dim_v), w->rank, BIND_MUST, &w->kv_b,
                           e);
    ERR_FORWARD(bind_matrices(m, "blk.%.attn_k_b", layer, w->heads, w->rank, w->nope, BIND_MUST, &w->k_b, e));
    return bind_matrices(m, "blk.%.attn_v_b", layer, w->heads, w->dim_v, w->rank, BIND_MUST, &w->v_b, e);
}

static bool latent_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct latent *w = *weights = bind_alloc(m, sizeof *w, e);
    uint32_t q_rank = 0;
    if (!w)
        return false;
    ERR_FORWARD(read_latent(m, layer, w, &q_rank, e));
    ERR_FORWARD(bind_queries(m, layer, w, q_rank, e));
    ERR_FORWARD(bind_keys(m, layer, w, e));
    if (m->arch->gate == GATE_SIGMOID)
        ERR_FORWARD(bind_matrix(m, "blk.%.attn_gate", layer, w->heads, m->shape.n_embd, BIND_MUST, &w->gate, e));
    ERR_FORWARD(
        bind_matrix(m, "blk.%.attn_output", layer, m->shape.n_embd, w->heads * w->dim_v, BIND_MUST, &w->out, e));
    w->scale *= m->yarn_scale * m->yarn_scale;
    const bool absorbed = w->k_b.data;
    m->layers[layer].kv = absorbed ? (struct model_kv){1, w->rank + w->rot, w->rank, true, 0}
                                   : (struct model_kv){w->heads, w->nope + w->rot, w->dim_v, false, 0};
    return true;
}

// q [rows][heads][nope + rot], its end rotated; c [rows][rank], normed; r [rows][rot], rotated.
static void emit_qcr(struct emitter *em, uint32_t layer, const struct latent *w, const float *x, float *q, float *c,
                     float *r) {
    const enum rope_kind kind = em->m->neox ? ROPE_NEOX : ROPE_NORM;
    if (w->q_a.data) {
        float *low = emit_rows(em, w->q_a.rows);
        tape_matmul3(em->t, x, &w->q_a, low, &w->kv_a_c, c, &w->kv_a_r, r);
        emit_norm(em, &w->q_norm, low, 1, w->q_a.rows, low);
        tape_matmul(em->t, low, &w->q_b, q);
    } else {
        tape_matmul3(em->t, x, &w->q, q, &w->kv_a_c, c, &w->kv_a_r, r);
    }
    emit_norm(em, &w->kv_norm, c, 1, w->rank, c);
    if (!em->m->layers[layer].rope)
        return;
    tape_rope(em->t, (struct tape_rope){q, em->angles, w->heads, w->nope + w->rot, w->rot, w->nope, kind});
    tape_rope(em->t, (struct tape_rope){r, em->angles, 1, w->rot, w->rot, 0, kind});
}

static void emit_attend(struct emitter *em, uint32_t layer, const struct latent *w, const float *q, const float *k,
                        const float *v, float *y) {
    const struct kv_layer *kv = &em->batch->kv[layer];
    tape_store(em->t, k, v, kv, em->batch->pos);
    tape_attend(em->t, (struct tape_attend){
                           .q = q, .y = y, .kv = kv, .pos = em->batch->pos, .heads = w->heads, .scale = w->scale});
}

// out [rows][heads * dim_v] with the latent vectors as keys and values.
static void emit_absorbed(struct emitter *em, uint32_t layer, const struct latent *w, const float *q, const float *c,
                          const float *r, float *out) {
    const uint32_t dim = w->nope + w->rot, wide = w->rank + w->rot, heads = w->heads;
    float *nope = emit_rows(em, heads * w->nope), *into = emit_rows(em, heads * w->rank);
    float *query = emit_rows(em, heads * wide), *key = emit_rows(em, wide), *mixed = emit_rows(em, heads * w->rank);
    tape_copy(em->t, (struct tape_copy){q, nope, heads, w->nope, heads * dim, dim, heads * w->nope, w->nope});
    tape_matmuls(em->t, (struct tape_matmul){.x = nope, .n = 1, .w = {&w->k_b}, .y = {into}, .heads = heads});
    tape_copy(em->t, (struct tape_copy){into, query, heads, w->rank, heads * w->rank, w->rank, heads * wide, wide});
    tape_copy(em->t,
              (struct tape_copy){q + w->nope, query + w->rank, heads, w->rot, heads * dim, dim, heads * wide, wide});
    tape_copy(em->t, (struct tape_copy){c, key, 1, w->rank, w->rank, 0, wide, 0});
    tape_copy(em->t, (struct tape_copy){r, key + w->rank, 1, w->rot, w->rot, 0, wide, 0});
    emit_attend(em, layer, w, query, key, NULL, mixed);
    tape_matmuls(em->t, (struct tape_matmul){.x = mixed, .n = 1, .w = {&w->v_b}, .y = {out}, .heads = heads});
}

// out with keys and values of every head.
static void emit_expanded(struct emitter *em, uint32_t layer, const struct latent *w, const float *q, const float *c,
                          const float *r, float *out) {
    const uint32_t dim = w->nope + w->rot, heads = w->heads, part = w->nope + w->dim_v;
    float *kv = emit_rows(em, heads * part), *k = emit_rows(em, heads * dim), *v = emit_rows(em, heads * w->dim_v);
    tape_matmul(em->t, c, &w->kv_b, kv);
    tape_copy(em->t, (struct tape_copy){kv, k, heads, w->nope, heads * part, part, heads * dim, dim});
    tape_copy(em->t, (struct tape_copy){r, k + w->nope, heads, w->rot, w->rot, 0, heads * dim, dim});
    tape_copy(em->t,
              (struct tape_copy){kv + w->nope, v, heads, w->dim_v, heads * part, part, heads * w->dim_v, w->dim_v});
    emit_attend(em, layer, w, q, k, v, out);
}

static void latent_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct latent *w = weights;
    float *q = emit_rows(em, w->heads * (w->nope + w->rot)), *c = emit_rows(em, w->rank), *r = emit_rows(em, w->rot);
    float *out = emit_rows(em, w->heads * w->dim_v);
    emit_qcr(em, layer, w, x, q, c, r);
    emit_temper(em, layer, w->heads * (w->nope + w->rot), q);
    if (w->k_b.data)
        emit_absorbed(em, layer, w, q, c, r, out);
    else
        emit_expanded(em, layer, w, q, c, r, out);
    if (w->gate.data) {
        float *gate = emit_rows(em, w->heads);
        tape_matmul(em->t, x, &w->gate, gate);
        tape_act(em->t, (struct tape_act){.activation = ACTIVATION_SIGMOID,
                                          .a = gate,
                                          .b = out,
                                          .y = out,
                                          .groups = w->heads,
                                          .len = w->dim_v,
                                          .a_len = 1});
    }
    tape_matmul(em->t, out, &w->out, y);
}

const struct block block_latent = {"latent attention", latent_bind, latent_emit};
