// SPDX-License-Identifier: MIT
// The forward pass of a decoder or encoder (Vaswani et al. 2017; Touvron et al. 2023), written onto a tape; and what a
// pass needs, found by writing one down without running it.
#include <stdlib.h>

#include "models/model_impl.h"

float *emit_take(struct emitter *em, size_t n) {
    float *at = em->base + em->used;
    em->used += round_up(n, 16);
    em->most = em->used > em->most ? em->used : em->most;
    return at;
}

float *emit_rows(struct emitter *em, size_t n) {
    return emit_take(em, n * em->batch->rows);
}

void emit_norm(struct emitter *em, const struct norm *n, const float *x, uint32_t groups, uint32_t len, float *y) {
    tape_norm(em->t,
              (struct tape_norm){
                  .kind = n->kind, .x = x, .w = n->w, .b = n->b, .y = y, .groups = groups, .len = len, .eps = n->eps});
}

const float *emit_normed(struct emitter *em, const struct norm *n, const float *x, float *y) {
    if (!n->there)
        return x;
    emit_norm(em, n, x, 1, em->m->shape.n_embd, y);
    return y;
}

static float *emit_angles(struct emitter *em, const struct rope *r) {
    const double *theta = r->dynamic > 0 ? em->batch->theta : r->theta;
    float *table = emit_rows(em, r->rot);
    if (r->rot)
        tape_angles(em->t, (struct tape_angles){theta, table, r->rot / 2, em->batch->pos, r->scale});
    return table;
}

// x = embedding of the ids, with what is done to it before the first layer.
static void emit_embedding(struct emitter *em, float *x) {
    const struct model *m = em->m;
    const struct model_batch *b = em->batch;
    tape_embed(em->t, (struct tape_embed){.table = &m->embed, .ids = b->ids, .y = x, .scale = m->embed_scale});
    if (m->positions.data)
        tape_embed(em->t, (struct tape_embed){.table = &m->positions, .y = x, .scale = 1, .pos = b->pos, .add = true});
    if (m->type)
        tape_add(em->t, (struct tape_add){m->type, x, m->shape.n_embd, 1, true});
    if (m->embed_norm.there)
        emit_norm(em, &m->embed_norm, x, 1, m->shape.n_embd, x);
    if (m->arch->flags & ARCH_LAYER_SKIP) {
        float *copy = emit_rows(em, m->shape.n_embd);
        tape_copy(em->t, (struct tape_copy){x, copy, 1, m->shape.n_embd, m->shape.n_embd, 0, m->shape.n_embd, 0});
        em->embedding = copy;
    }
    if (m->per_layer)
        per_layer_emit(em, x);
}

// An encoder that stands before a decoder has a pass of its own.
static uint32_t first_layer(const struct model *m) {
    return m->shape.decoder_start >= 0 ? m->n_encoder : 0;
}

// All layers, once for each loop; a loop's keys and values lie in slots of their own.
static void emit_layers(struct emitter *em, float *x) {
    const struct model *m = em->m;
    const struct model_batch *whole = em->batch;
    struct model_batch batch = *whole;
    em->batch = &batch;
    for (uint32_t loop = 0; loop < m->n_loops; loop++) {
        for (uint32_t i = first_layer(m); i < m->shape.n_layers; i++) {
            em->last = loop + 1 == m->n_loops && i + 1 == m->shape.n_layers;
            emit_layer(em, i, x);
        }
        if (m->norm_between_loops && loop + 1 < m->n_loops)
            emit_norm(em, &m->output_norm, x, 1, m->shape.n_embd, x);
        batch.kv += m->shape.n_layers;
        batch.state += m->shape.n_layers;
    }
    em->batch = whole;
}

static float *emit_forward(struct emitter *em) {
    float *x = emit_rows(em, em->m->shape.n_embd), *h = emit_rows(em, em->m->shape.n_embd);
    bool stretched = em->batch->n_ctx > em->m->rope_long.from_ctx;
    em->angles = emit_angles(em, stretched ? &em->m->rope_long : &em->m->rope);
    em->angles_window = emit_angles(em, &em->m->rope_window);
    emit_embedding(em, x);
    if (em->m->arch->emit_layers) {
        em->m->arch->emit_layers(em, x); // ends in the norm
        return x;
    }
    emit_layers(em, x);
    if (!em->m->output_norm.there)
        return x;
    const size_t first = (size_t)em->skip * em->m->shape.n_embd;
    if (em->skip < em->batch->rows)
        emit_norm(em, &em->m->output_norm, x + first, 1, em->m->shape.n_embd, h + first);
    return h;
}

float *model_forward(const struct model *m, struct tape *t, const struct model_batch *batch) {
    struct emitter em = {.m = m, .t = t, .batch = batch, .base = batch->activations};
    tape_clear(t, batch->rows);
    return emit_forward(&em);
}

static float *emit_encode(struct emitter *em) {
    const struct model *m = em->m;
    float *x = emit_rows(em, m->shape.n_embd), *h = emit_rows(em, m->shape.n_embd);
    emit_embedding(em, x);
    for (uint32_t i = 0; i < m->n_encoder; i++)
        emit_layer(em, i, x);
    emit_norm(em, &m->encoder_norm, x, 1, m->shape.n_embd, h);
    m->arch->remember(em, h);
    return h;
}

float *model_encode(const struct model *m, struct tape *t, const struct model_batch *batch) {
    struct emitter em = {.m = m, .t = t, .batch = batch, .base = batch->activations};
    tape_clear(t, batch->rows);
    return emit_encode(&em);
}

void model_head(const struct model *m, struct tape *t, const float *hidden, uint32_t rows, float *logits) {
    tape_clear(t, rows);
    tape_matmul(t, hidden, &m->head, logits);
    if (m->logit_scale != 1)
        tape_scale(t, (struct tape_scale){logits, NULL, 1, m->head.rows, false, m->logit_scale});
    if (m->softcap > 0)
        tape_softcap(t, logits, m->head.rows, m->softcap);
}

static uint32_t max_u32(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

// What the backend must hold ready for a product.
static void measure_product(const struct tape_op *op, struct backend_limits *l) {
    const struct tape_matmul *o = &op->matmul;
    size_t records = (size_t)op->rows * max_u32(o->heads, 1);
    if (o->groups.n_experts && !o->of_slots)
        records *= o->groups.n_used;
    for (uint32_t i = 0; i < o->n; i++) {
        const enum quant_act act = o->w[i]->format->act;
        size_t size = records * quant_act_layout(act, o->w[i]->cols).size;
        size_t rounded = act == ACT_F32 ? records * quant_act_layout(ACT_BF16, o->w[i]->cols).size : 0;
        bool in_place = act == ACT_F32 && (!o->groups.n_experts || o->of_slots);
        l->max_cols = max_u32(l->max_cols, o->w[i]->cols);
        if (!in_place && size > l->max_input[act])
            l->max_input[act] = size;
        if (rounded > l->max_input[ACT_BF16])
            l->max_input[ACT_BF16] = rounded;
    }
}

static void measure_tape(struct model *m, const struct tape *t) {
    struct backend_limits *l = &m->needs.limits;
    for (size_t i = 0; i < t->n; i++)
        if (t->ops[i].code == TAPE_MATMUL)
            measure_product(&t->ops[i], l);
    for (uint32_t i = 0; i < m->shape.n_layers; i++)
        l->max_head_dim = max_u32(l->max_head_dim, max_u32(m->layers[i].kv.dim_k, m->layers[i].kv.dim_v));
}

// Most tokens of a model that takes all at once.
#define MAX_WHOLE 8192

// Pointers of a pass that is never run: an address that is not null, so that offsets from it are as good as any.
#define NOWHERE ((float *)(uintptr_t)4096)

// Writes a pass of the most rows onto a tape that grows until it fits, and notes what it needs.
static bool measure_pass(struct model *m, struct tape *t, struct emitter *em, float *(*emit)(struct emitter *em),
                         struct err *e) {
    for (t->cap = 64 + 32 * (size_t)m->shape.n_slots;; t->cap *= 2) {
        free(t->ops);
        t->ops = calloc(t->cap, sizeof *t->ops);
        if (!t->ops)
            return err_memory(e, t->cap * sizeof *t->ops, "the tape");
        em->used = 0;
        tape_clear(t, em->batch->rows);
        emit(em);
        if (!t->overflow)
            break;
    }
    m->needs.tape_cap = max_size(m->needs.tape_cap, t->n + 4); // more than what follows a pass takes
    measure_tape(m, t);
    return true;
}

static void measure_finish(struct model *m, struct tape *t, struct emitter *em) {
    static const enum pooling ends[] = {POOLING_MEAN, POOLING_RANK};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        em->used = 0;
        tape_clear(t, 1);
        emit_finish(em, ends[i]);
        measure_tape(m, t);
    }
}

bool model_measure(struct model *m, struct err *e) {
    const struct kv_layer *kv = calloc(m->shape.n_slots, sizeof *kv);
    float **state = calloc(m->shape.n_slots, sizeof *state);
    const bool whole = !m->causal || m->shape.decoder_start >= 0;
    m->needs.max_rows = !whole || m->shape.n_ctx < TAPE_MAX_ROWS ? TAPE_MAX_ROWS
                        : m->shape.n_ctx < MAX_WHOLE             ? m->shape.n_ctx
                                                                 : MAX_WHOLE;
    const struct model_batch batch = {.rows = m->needs.max_rows, .wanted = m->needs.max_rows, .kv = kv, .state = state};
    struct tape t = {0};
    struct emitter em = {.m = m, .t = &t, .batch = &batch, .base = NOWHERE};
    bool ok = kv && state ? measure_pass(m, &t, &em, emit_forward, e)
                          : err_memory(e, m->shape.n_slots * sizeof *kv, "the model");
    ok = ok && (m->shape.decoder_start < 0 || measure_pass(m, &t, &em, emit_encode, e));
    if (ok) {
        model_head(m, &t, NOWHERE, TAPE_MAX_ROWS, NOWHERE);
        measure_tape(m, &t);
        measure_finish(m, &t, &em);
        m->needs.activations = em.most;
    }
    free((void *)(uintptr_t)kv);
    free(state);
    free(t.ops);
    return ok;
}
