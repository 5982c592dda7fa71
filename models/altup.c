// SPDX-License-Identifier: MIT
// Gemma 3n: alternating updates (Baykal et al. 2023). A token has several streams, of which one goes through a layer;
// all are predicted before it and corrected by what it changed, with factors that the active stream chooses. Beside
// attention stands a product of low rank (Menghani et al. 2024, LAuReL).
#include "base/num.h"
#include "models/quirks.h"
#include "models/recurrent.h"

struct altup_weights {
    struct weight router, predict, correct;
    struct norm router_norm, per_layer_norm;
    const float *scale; // [n_embd] of the active stream before the layer's embedding
    void *per_layer;
};

struct altup {
    uint32_t n, active;
    struct weight proj, unembed; // of the streams behind the first, [n - 1][n_embd][n_embd]
    const float *ones, *others;  // [n] 1, 1, 1, ... and 0, 1, 1, ...
    struct altup_weights *layers;
};

static bool make_factors(struct model *m, struct altup *a, struct err *e) {
    float *ones = bind_alloc(m, 2 * a->n * sizeof *ones, e);
    if (!ones)
        return false;
    for (uint32_t i = 0; i < 2 * a->n; i++)
        ones[i] = i != a->n;
    a->ones = ones;
    a->others = ones + a->n;
    return true;
}

bool altup_adjust(struct model *m, struct err *e) {
    const uint32_t n = m->shape.n_embd, n_layers = m->shape.n_layers;
    struct altup *a = m->special = bind_alloc(m, sizeof *a, e);
    uint32_t shared = n_layers > 20 ? n_layers - 20 : 0; // as files without the key have it
    if (!a)
        return false;
    const struct range_row rows[] = {{"altup.num_inputs", &a->n, 2, 64, true},
                                     {"attention.shared_kv_layers", &shared, 0, n_layers - 1, false}};
    ERR_FORWARD(bind_ranges(m, 0, rows, ARRAY_LEN(rows), e));
    const struct range_row active[] = {{"altup.active_idx", &a->active, 0, a->n - 1, true}};
    ERR_FORWARD(bind_ranges(m, 0, active, 1, e));
    m->n_own_kv = n_layers - shared;
    m->attention_scale = 1;
    ERR_FORWARD(bind_matrices(m, "altup_proj", 0, a->n - 1, n, n, BIND_MUST, &a->proj, e));
    ERR_FORWARD(bind_matrices(m, "altup_unembd_proj", 0, a->n - 1, n, n, BIND_MUST, &a->unembed, e));
    a->layers = bind_alloc(m, n_layers * sizeof *a->layers, e);
    return a->layers && make_factors(m, a, e);
}

struct laurel {
    struct weight down, up;
    struct norm norm;
};

static bool laurel_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    const uint32_t n = m->shape.n_embd, rank = bind_dim(m, "blk.%.laurel_l", layer, 1);
    struct laurel *l = *weights = bind_alloc(m, sizeof *l, e);
    ERR_FORWARD(l && bind_matrix(m, "blk.%.laurel_l", layer, rank, n, BIND_MUST, &l->down, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.laurel_r", layer, n, rank, BIND_MUST, &l->up, e));
    return bind_norm(m, "blk.%.laurel_post_norm", layer, n, true, &l->norm, e);
}

static void laurel_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct laurel *l = weights;
    float *narrow = emit_rows(em, l->down.rows);
    (void)layer;
    tape_matmul(em->t, x, &l->down, narrow);
    tape_matmul(em->t, narrow, &l->up, y);
    emit_norm(em, &l->norm, y, 1, em->m->shape.n_embd, y);
    tape_add(em->t, (struct tape_add){x, y, em->m->shape.n_embd, 1, false});
}

static const struct block block_laurel = {"laurel", laurel_bind, laurel_emit};

static bool bind_streams(struct model *m, uint32_t layer, struct err *e) {
    const struct altup *a = m->special;
    struct altup_weights *l = &a->layers[layer];
    const uint32_t n = m->shape.n_embd;
    ERR_IF(!m->per_layer, e, ERR_INPUT, "%s: key %s.embedding_length_per_layer_input: missing", m->file->path,
           m->arch->name);
    ERR_FORWARD(bind_matrix(m, "blk.%.altup_router", layer, a->n, n, BIND_MUST, &l->router, e));
    ERR_FORWARD(bind_norm(m, "blk.%.altup_router_norm", layer, n, true, &l->router_norm, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.altup_predict_coef", layer, a->n * a->n, a->n, BIND_MUST, &l->predict, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.altup_correct_coef", layer, a->n, a->n, BIND_MUST, &l->correct, e));
    ERR_FORWARD(bind_floats(m, "blk.%.altup_correct_scale", "weight", layer, n, true, &l->scale, e));
    ERR_FORWARD(block_per_layer.bind(m, layer, &l->per_layer, e));
    return bind_norm(m, "blk.%.post_norm", layer, n, true, &l->per_layer_norm, e);
}

bool altup_layer(struct model *m, uint32_t layer, struct err *e) {
    ERR_FORWARD(bind_streams(m, layer, e));
    ERR_FORWARD(layer_add(m, layer, "blk.%.attn_norm", NULL, NULL, e));
    ERR_FORWARD(layer_join(m, layer, NULL, "blk.%.post_attention_norm", &block_attention, e));
    ERR_FORWARD(layer_join(m, layer, NULL, NULL, &block_laurel, e));
    m->layers[layer].subs[0].sum_scale = 1 / num_sqrt(2);
    return layer_add(m, layer, "blk.%.ffn_norm", "blk.%.post_ffw_norm", &block_ffn, e);
}

// y[i] = x[i] times its matrix, made as long as `like`, for the streams behind the first.
static void emit_projected(struct emitter *em, const struct altup *a, const struct weight *w, const float *like,
                           const float *x, float *y) {
    const uint32_t n = em->m->shape.n_embd, others = a->n - 1;
    tape_matmuls(em->t, (struct tape_matmul){.x = x, .n = 1, .w = {w}, .y = {y}, .heads = others});
    tape_norm(em->t, (struct tape_norm){.kind = NORM_L2,
                                        .x = y,
                                        .y = y,
                                        .groups = others,
                                        .len = n,
                                        .like = like,
                                        .eps = num_sqrt(1e-5f * (float)n)});
}

// streams [rows][n][n_embd] of the embedding x; repeated and y are room for those behind the first.
static void emit_streams(struct emitter *em, const struct altup *a, const float *x, float *streams, float *repeated,
                         float *y) {
    const uint32_t n = em->m->shape.n_embd, others = a->n - 1;
    tape_copy(em->t, (struct tape_copy){x, repeated, others, n, n, 0, others * n, n});
    emit_projected(em, a, &a->proj, x, repeated, y);
    tape_copy(em->t, (struct tape_copy){x, streams, 1, n, n, 0, a->n * n, 0});
    tape_copy(em->t, (struct tape_copy){y, streams + n, others, n, others * n, n, a->n * n, n});
}

// x = the mean of the streams, those behind the first through their matrices; rest and y are room for them.
static void emit_mean(struct emitter *em, const struct altup *a, const float *streams, float *x, float *rest, float *y,
                      float *ones) {
    const uint32_t n = em->m->shape.n_embd, others = a->n - 1;
    emit_slice(em, streams, a->n * n, 0, n, x);
    emit_slice(em, streams, a->n * n, n, others * n, rest);
    emit_projected(em, a, &a->unembed, x, rest, y);
    tape_copy(em->t, (struct tape_copy){a->ones, ones, 1, others, 0, 0, others, 0});
    tape_mix(em->t, (struct tape_mix){y, ones, x, others, 1, n});
    tape_scale(em->t, (struct tape_scale){x, NULL, 1, n, false, 1 / (float)a->n});
}

// Factors that x chooses by a layer's router and then by w.
static void emit_factors(struct emitter *em, const struct altup *a, const struct altup_weights *l,
                         const struct weight *w, const float *x, float *factors) {
    const uint32_t n = em->m->shape.n_embd;
    float *normed = emit_rows(em, n), *choice = emit_rows(em, a->n);
    emit_norm(em, &l->router_norm, x, 1, n, normed);
    tape_scale(em->t, (struct tape_scale){normed, NULL, 1, n, false, 1 / (float)n});
    tape_matmul(em->t, normed, &l->router, choice);
    emit_act(em, ACTIVATION_TANH, choice, a->n, choice);
    tape_matmul(em->t, choice, w, factors);
}

// streams[i] += factors[i] * x
static void emit_spread(struct emitter *em, const struct altup *a, const float *factors, const float *x,
                        float *streams) {
    tape_mix(em->t, (struct tape_mix){x, factors, streams, 1, a->n, em->m->shape.n_embd});
}

// The embedding of the layer, gated by the active stream, is added to the streams behind the first.
static void emit_own(struct emitter *em, const struct altup *a, uint32_t layer, float *x, float *streams) {
    const struct altup_weights *l = &a->layers[layer];
    const uint32_t n = em->m->shape.n_embd;
    float *y = emit_rows(em, n), *others = emit_rows(em, a->n);
    emit_slice(em, streams, a->n * n, a->active * n, n, x);
    tape_scale(em->t, (struct tape_scale){x, l->scale, 1, n, false, 1});
    block_per_layer.emit(em, layer, l->per_layer, x, y);
    emit_norm(em, &l->per_layer_norm, y, 1, n, y);
    tape_copy(em->t, (struct tape_copy){a->others, others, 1, a->n, 0, 0, a->n, 0});
    emit_spread(em, a, others, y, streams);
}

// One layer: from streams to the next.
static void emit_streams_layer(struct emitter *em, const struct altup *a, uint32_t layer, const float *streams,
                               float *next) {
    const struct altup_weights *l = &a->layers[layer];
    const uint32_t n = em->m->shape.n_embd, all = a->n * n;
    const size_t mark = em->used;
    float *x = emit_rows(em, n), *change = emit_rows(em, n), *factors = emit_rows(em, a->n * a->n);
    emit_slice(em, streams, all, a->active * n, n, x);
    emit_factors(em, a, l, &l->predict, x, factors);
    emit_slice(em, streams, all, 0, all, next);
    tape_mix(em->t, (struct tape_mix){streams, factors, next, a->n, a->n, n});
    emit_slice(em, next, all, a->active * n, n, x);
    emit_slice(em, next, all, a->active * n, n, change);
    emit_layer(em, layer, x);
    tape_scale(em->t, (struct tape_scale){change, NULL, 1, n, false, -1});
    tape_add(em->t, (struct tape_add){x, change, n, 1, false});
    emit_factors(em, a, l, &l->correct, x, factors);
    tape_add(em->t, (struct tape_add){a->ones, factors, a->n, 1, true});
    emit_spread(em, a, factors, change, next);
    emit_own(em, a, layer, x, next);
    em->used = mark;
}

void altup_emit_layers(struct emitter *em, float *x) {
    const struct altup *a = em->m->special;
    const uint32_t n = em->m->shape.n_embd;
    float *streams = emit_rows(em, (size_t)a->n * n), *next = emit_rows(em, (size_t)a->n * n);
    // Not shared with the layers' memory: the row operations at either end are one stretch with theirs, in which
    // threads are at different rows, and these rows are wider.
    float *rest = emit_rows(em, (size_t)(a->n - 1) * n), *y = emit_rows(em, (size_t)(a->n - 1) * n);
    float *ones = emit_rows(em, a->n - 1);
    emit_streams(em, a, x, streams, rest, y);
    for (uint32_t i = 0; i < em->m->shape.n_layers; i++) {
        emit_streams_layer(em, a, i, streams, next);
        float *last = streams;
        streams = next;
        next = last;
    }
    emit_mean(em, a, streams, x, rest, y, ones);
    emit_norm(em, &em->m->output_norm, x, 1, n, x);
}
