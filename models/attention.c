// SPDX-License-Identifier: MIT
// Multi-head attention with shared keys and values (Vaswani et al. 2017; Ainslie et al. 2023), in the variants that
// decoders have: norms of queries and keys, rotary positions before or behind them, slopes, sinks, gates.
#include <stdio.h>

#include "base/num.h"
#include "models/recurrent.h"

struct attention {
    uint32_t heads, kv_heads, dim_k, dim_v, rot;
    struct weight q, k, v, o, gate;
    struct norm q_norm, k_norm; // of each head, or of all heads together (norm_width)
    struct norm v_norm;         // of each head of the values
    struct norm out_norm;       // before o
    uint32_t source;            // layer whose keys and values are seen: another's where k is empty
    bool q_norm_whole, k_norm_whole, q_norm_of_group, k_norm_of_group;
    const float *q_gain; // [heads] or NULL
    const float *sinks;  // [heads] or NULL
    const float *slopes; // [heads] or NULL
    uint32_t q_wide;     // a head's rows of q: its query, and a gate behind it where there is one
    float scale;
};

// Whose keys and values the layer uses: its own, or behind those that have some the last of its kind that has.
static bool find_source(struct model *m, uint32_t layer, struct attention *a, struct err *e) {
    a->source = layer;
    if (!m->n_own_kv || layer < m->n_own_kv)
        return true;
    for (a->source = m->n_own_kv; a->source-- > 0;)
        if (m->layers[a->source].windowed == m->layers[layer].windowed) {
            a->kv_heads = m->layers[a->source].kv.n_heads;
            return true;
        }
    return err_set(e, ERR_INPUT, "%s: key %s.attention.shared_kv_layers: no layer before layer %u has keys of its kind",
                   m->file->path, m->arch->name, layer);
}

static bool read_heads(struct model *m, uint32_t layer, struct attention *a, struct err *e) {
    const struct model_shape *s = &m->shape;
    bool windowed = m->layers[layer].windowed;
    a->heads = 0;
    a->dim_k = windowed ? m->head_dim_k_window : s->head_dim_k;
    a->dim_v = windowed ? m->head_dim_v_window : s->head_dim_v;
    a->rot = windowed ? m->rot_window : m->rot;
    const struct range_row heads[] = {{"attention.head_count", &a->heads, 1, MAX_HEADS, true}};
    ERR_FORWARD(bind_ranges(m, layer, heads, 1, e));
    a->kv_heads = a->heads;
    const struct range_row kv[] = {{"attention.head_count_kv", &a->kv_heads, 1, a->heads, false}};
    ERR_FORWARD(bind_ranges(m, layer, kv, 1, e));
    ERR_FORWARD(find_source(m, layer, a, e));
    ERR_IF(a->heads % a->kv_heads, e, ERR_INPUT, "%s: key %s.attention.head_count_kv: %u heads do not divide into %u",
           m->file->path, s->arch, a->heads, a->kv_heads);
    ERR_IF(!a->dim_k || !a->dim_v, e, ERR_INPUT, "%s: key %s.attention.key_length: %u and %u, expected 1 to %u",
           m->file->path, s->arch, a->dim_k, a->dim_v, MAX_HEAD_DIM);
    bool turns = m->layers[layer].rope;
    ERR_IF(turns && (a->rot > a->dim_k || a->rot < 2 || a->rot % 2), e, ERR_INPUT,
           "%s: key %s.rope.dimension_count: %u, expected an even number up to %u", m->file->path, s->arch, a->rot,
           a->dim_k);
    ERR_IF(turns && m->arch->flags & ARCH_FULL_ROPE && a->rot != a->dim_k, e, ERR_INPUT,
           "%s: key %s.rope.dimension_count: %u, expected %u", m->file->path, s->arch, a->rot, a->dim_k);
    return true;
}

static bool bind_fused(struct model *m, uint32_t layer, struct attention *a, unsigned flags, struct err *e) {
    const uint32_t q = a->heads * a->dim_k, k = a->kv_heads * a->dim_k, v = a->kv_heads * a->dim_v;
    const enum fused_qkv how = m->arch->qkv;
    const uint32_t rows = how >= QKV_FUSED_WIDE ? 3 * q : q + k + v;
    struct weight all;
    ERR_FORWARD(bind_matrix(m, "blk.%.attn_qkv", layer, rows, m->shape.n_embd, flags, &all, e));
    a->q = bind_rows(&all, 0, q);
    a->k = bind_rows(&all, q, k);
    a->v = bind_rows(&all, how == QKV_FUSED_THIRDS ? 2 * q : q + k, v);
    // A fused matrix may come with separate biases.
    ERR_FORWARD(all.bias || bind_floats(m, "blk.%.attn_q", "bias", layer, q, false, &a->q.bias, e));
    ERR_FORWARD(all.bias || bind_floats(m, "blk.%.attn_k", "bias", layer, k, false, &a->k.bias, e));
    return all.bias || bind_floats(m, "blk.%.attn_v", "bias", layer, v, false, &a->v.bias, e);
}

// Queries, keys and values in a matrix each, or in one.
static bool bind_qkv(struct model *m, uint32_t layer, struct attention *a, struct err *e) {
    const uint32_t n_embd = m->shape.n_embd;
    const unsigned bias = m->arch->flags & ARCH_BIAS_QKV      ? BIND_BIAS_MUST
                          : m->arch->flags & ARCH_NO_BIAS_QKV ? 0
                                                              : BIND_BIAS;
    const unsigned flags = BIND_MUST | bias;
    if (bind_has(m, "blk.%.attn_qkv", layer) || m->arch->qkv != QKV_MAY)
        return bind_fused(m, layer, a, flags, e);
    const uint32_t wide = m->arch->gate == GATE_IN_QUERY ? 2 : 1;
    const bool may_be_k = m->arch->qk & V_MAY_BE_K && a->dim_k == a->dim_v;
    ERR_FORWARD(bind_matrix(m, "blk.%.attn_q", layer, wide * a->heads * a->dim_k, n_embd, flags, &a->q, e));
    if (a->source != layer)
        return true;
    ERR_FORWARD(bind_matrix(m, "blk.%.attn_k", layer, a->kv_heads * a->dim_k, n_embd, flags, &a->k, e));
    return bind_matrix(m, "blk.%.attn_v", layer, a->kv_heads * a->dim_v, n_embd, may_be_k ? bias : flags, &a->v, e);
}

static bool has_bias(const struct model *m, const char *name, uint32_t layer) {
    char full[64];
    snprintf(full, sizeof full, "%s.bias", name);
    return bind_has(m, full, layer);
}

// A norm of queries or keys: one head's width for all heads, each head's own, or the width of all heads together.
static bool bind_head_norm(struct model *m, const char *name, uint32_t layer, uint32_t heads, uint32_t dim,
                           struct norm *n, bool *whole, bool *of_group, struct err *e) {
    const struct arch *a = m->arch;
    uint32_t rows = bind_dim(m, name, layer, 1), len = bind_dim(m, name, layer, 0);
    *whole = len == heads * dim && rows == 1;
    *of_group = rows == heads && heads > 1;
    if (m->bare_qk_norm) {
        *n = (struct norm){.there = m->layers[layer].rope, .kind = m->norm, .eps = m->eps};
        *whole = *of_group = false;
        return true;
    }
    const bool must = a->qk & QK_NORM || has_bias(m, name, layer);
    ERR_FORWARD(bind_norm(m, name, layer, *whole || *of_group ? heads * dim : dim, must, n, e));
    n->kind = a->qk & QK_NORM_LAYER ? NORM_LAYER : n->kind;
    return true;
}

static bool bind_norms(struct model *m, uint32_t layer, struct attention *a, struct err *e) {
    ERR_FORWARD(bind_head_norm(m, "blk.%.attn_q_norm", layer, a->heads, a->dim_k, &a->q_norm, &a->q_norm_whole,
                               &a->q_norm_of_group, e));
    if (m->arch->qk & V_NORM)
        a->v_norm = (struct norm){.there = true, .kind = m->norm, .eps = m->eps};
    if (a->source == layer && (a->q_norm.there || m->arch->qk & QK_NORM))
        ERR_FORWARD(bind_head_norm(m, "blk.%.attn_k_norm", layer, a->kv_heads, a->dim_k, &a->k_norm, &a->k_norm_whole,
                                   &a->k_norm_of_group, e));
    return bind_norm(m, "blk.%.attn_sub_norm", layer, a->heads * a->dim_v, false, &a->out_norm, e);
}

// Slopes of a bias that falls with distance (Press et al. 2021): a geometric series, with every second number of a
// finer one where heads are not a power of two.
static bool make_slopes(struct model *m, struct attention *a, struct err *e) {
    uint32_t whole = 1;
    float *slopes = bind_alloc(m, a->heads * sizeof *slopes, e);
    if (!slopes)
        return false;
    while (whole * 2 <= a->heads)
        whole *= 2;
    double first = num_pow(2, -(double)m->alibi / whole), second = num_pow(2, -(double)m->alibi / 2 / whole);
    for (uint32_t h = 0; h < a->heads; h++)
        slopes[h] = (float)(h < whole ? num_pow(first, h + 1) : num_pow(second, 2 * (h - whole) + 1));
    a->slopes = slopes;
    return true;
}

static bool bind_gate(struct model *m, uint32_t layer, struct attention *a, struct err *e) {
    const uint32_t whole = a->heads * a->dim_v, rows = bind_dim(m, "blk.%.attn_gate", layer, 1);
    return bind_matrix(m, "blk.%.attn_gate", layer, rows == a->heads ? a->heads : whole, m->shape.n_embd, BIND_MUST,
                       &a->gate, e);
}

static bool bind_extras(struct model *m, uint32_t layer, struct attention *a, struct err *e) {
    const unsigned flags = m->arch->flags;
    if (m->bare_qk_norm)
        ERR_FORWARD(bind_floats(m, "blk.%.attn_q_norm", "weight", layer, a->heads, false, &a->q_gain, e));
    ERR_FORWARD(bind_floats(m, "blk.%.attn_sinks", "weight", layer, a->heads, flags & ARCH_SINKS, &a->sinks, e));
    if (m->alibi > 0)
        ERR_FORWARD(make_slopes(m, a, e));
    return m->arch->gate == GATE_NONE || m->arch->gate == GATE_IN_QUERY || bind_gate(m, layer, a, e);
}

static bool attention_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct attention *a = *weights = bind_alloc(m, sizeof *a, e);
    const unsigned bias = m->arch->flags & ARCH_BIAS_O                         ? BIND_BIAS_MUST
                          : m->arch->flags & (ARCH_NO_BIASES | ARCH_NO_BIAS_O) ? 0
                                                                               : BIND_BIAS;
    if (!a)
        return false;
    ERR_FORWARD(read_heads(m, layer, a, e));
    ERR_FORWARD(bind_qkv(m, layer, a, e));
    if (a->source != layer) // whatever the file has of them
        a->k = a->v = (struct weight){0};
    ERR_FORWARD(bind_norms(m, layer, a, e));
    ERR_FORWARD(bind_extras(m, layer, a, e));
    ERR_FORWARD(
        bind_matrix(m, "blk.%.attn_output", layer, m->shape.n_embd, a->heads * a->dim_v, BIND_MUST | bias, &a->o, e));
    a->scale = m->attention_scale > 0               ? m->attention_scale
               : m->arch->flags & ARCH_SCALE_BY_DIM ? 1 / (float)a->dim_k
                                                    : 1 / num_sqrt((float)a->dim_k);
    if (a->source == layer)
        m->layers[layer].kv =
            (struct model_kv){a->kv_heads, a->dim_k, a->dim_v, false, m->causal ? m->layers[layer].window : 0};
    return true;
}

static void emit_head_norm(struct emitter *em, const struct norm *n, float *x, uint32_t heads, uint32_t dim, bool whole,
                           bool of_group) {
    if (n->there)
        tape_norm(em->t, (struct tape_norm){.kind = n->kind,
                                            .x = x,
                                            .w = n->w,
                                            .b = n->b,
                                            .y = x,
                                            .eps = n->eps,
                                            .groups = whole ? 1 : heads,
                                            .len = whole ? heads * dim : dim,
                                            .w_of_group = of_group});
}

static void emit_head_norms(struct emitter *em, const struct attention *a, float *q, float *k) {
    emit_head_norm(em, &a->q_norm, q, a->heads, a->dim_k, a->q_norm_whole, a->q_norm_of_group);
    emit_head_norm(em, &a->k_norm, k, a->kv_heads, a->dim_k, a->k_norm_whole, a->k_norm_of_group);
}

static void emit_positions(struct emitter *em, uint32_t layer, const struct attention *a, float *q, float *k) {
    const struct model *m = em->m;
    const float *angles = m->layers[layer].windowed ? em->angles_window : em->angles;
    enum rope_kind kind = m->neox ? ROPE_NEOX : ROPE_NORM;
    bool late = m->arch->qk & QK_NORM_LATE;
    if (!late)
        emit_head_norms(em, a, q, k);
    if (m->layers[layer].rope) {
        tape_rope(em->t, (struct tape_rope){q, angles, a->heads, a->dim_k, a->rot, 0, kind});
        if (a->k.data)
            tape_rope(em->t, (struct tape_rope){k, angles, a->kv_heads, a->dim_k, a->rot, 0, kind});
    }
    if (late)
        emit_head_norms(em, a, q, k);
}

void emit_temper(struct emitter *em, uint32_t layer, uint32_t n, float *q) {
    const struct model *m = em->m;
    bool only_without_rope = m->arch->rope_layers != ROPE_ALL;
    if (m->temper_scale != 0 && m->temper_period && !(only_without_rope && m->layers[layer].rope))
        tape_temper(em->t, (struct tape_temper){q, n, em->batch->pos, m->temper_offset, (float)m->temper_period,
                                                m->temper_scale});
}

static void emit_gate(struct emitter *em, const struct attention *a, const float *x, float *out) {
    const bool per_head = a->gate.rows == a->heads;
    float *gate = emit_rows(em, a->gate.rows);
    enum activation activation = em->m->arch->gate == GATE_SOFTPLUS ? ACTIVATION_SOFTPLUS : ACTIVATION_SIGMOID;
    tape_matmul(em->t, x, &a->gate, gate);
    tape_act(em->t, (struct tape_act){.activation = activation,
                                      .a = gate,
                                      .b = out,
                                      .y = out,
                                      .groups = per_head ? a->heads : 1,
                                      .len = per_head ? a->dim_v : a->gate.rows,
                                      .a_len = per_head ? 1 : a->gate.rows});
}

// Queries and gates that lie by turns are parted: *q becomes the queries, and the gates are returned.
static const float *emit_parting(struct emitter *em, const struct attention *a, float **q) {
    const uint32_t n = a->heads * a->dim_k, dim = a->dim_k;
    float *gate = emit_rows(em, n), *query = emit_rows(em, n);
    tape_copy(em->t, (struct tape_copy){*q, query, a->heads, dim, 2 * n, 2 * dim, n, dim});
    tape_copy(em->t, (struct tape_copy){*q + dim, gate, a->heads, dim, 2 * n, 2 * dim, n, dim});
    *q = query;
    return gate;
}

static void emit_products(struct emitter *em, const struct attention *a, const float *x, float *q, float *k, float *v) {
    if (a->v.data)
        tape_matmul3(em->t, x, &a->q, q, &a->k, k, &a->v, v);
    else if (a->k.data)
        tape_matmul2(em->t, x, &a->q, q, &a->k, k);
    else
        tape_matmul(em->t, x, &a->q, q);
}

static void emit_clamps(struct emitter *em, const struct attention *a, float *q, float *k, float *v) {
    const float most = em->m->clamp_qkv;
    if (!(most > 0))
        return;
    tape_clamp(em->t, (struct tape_clamp){q, a->q.rows, -most, most});
    tape_clamp(em->t, (struct tape_clamp){k, a->k.rows, -most, most});
    tape_clamp(em->t, (struct tape_clamp){v, a->v.rows, -most, most});
}

static void emit_value_norm(struct emitter *em, const struct attention *a, const float *k, float *v) {
    if (a->v_norm.there && a->k.data)
        emit_norm(em, &a->v_norm, a->v.data ? v : k, a->kv_heads, a->dim_v, v);
}

static void attention_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct attention *a = weights;
    const struct model *m = em->m;
    const struct kv_layer *kv = &em->batch->kv[a->source];
    float *q = emit_rows(em, a->q.rows), *k = emit_rows(em, a->k.rows), *v = emit_rows(em, a->kv_heads * a->dim_v);
    float *out = emit_rows(em, a->heads * a->dim_v);
    emit_products(em, a, x, q, k, v);
    const float *gate = m->arch->gate == GATE_IN_QUERY ? emit_parting(em, a, &q) : NULL;
    emit_clamps(em, a, q, k, v);
    emit_value_norm(em, a, k, v);
    emit_positions(em, layer, a, q, k);
    emit_temper(em, layer, a->heads * a->dim_k, q);
    if (a->q_gain)
        tape_scale(em->t, (struct tape_scale){q, a->q_gain, a->heads, a->dim_k, true, 1});
    if (a->k.data)
        tape_store(em->t, k, v, kv, em->batch->pos);
    tape_attend(em->t, (struct tape_attend){.q = q,
                                            .y = out,
                                            .kv = kv,
                                            .pos = em->batch->pos,
                                            .heads = a->heads,
                                            .window = m->layers[layer].window,
                                            .scale = a->scale,
                                            .window_kind = m->arch->window_kind,
                                            .softcap = m->attention_softcap,
                                            .n_keys = m->causal ? 0 : em->batch->pos + em->batch->rows,
                                            .slopes = a->slopes,
                                            .sinks = a->sinks});
    if (m->value_scale != 1)
        tape_scale(em->t, (struct tape_scale){out, NULL, 1, a->heads * a->dim_v, false, m->value_scale});
    if (a->gate.data)
        emit_gate(em, a, x, out);
    if (gate)
        emit_gated(em, ACTIVATION_SIGMOID, gate, out, a->heads * a->dim_v, out);
    if (a->out_norm.there)
        emit_norm(em, &a->out_norm, out, 1, a->heads * a->dim_v, out);
    tape_matmul(em->t, out, &a->o, y);
}

const struct block block_attention = {"attention", attention_bind, attention_emit};
