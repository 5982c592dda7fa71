// SPDX-License-Identifier: MIT
// Linear attention by the delta rule (Yang et al. 2024): a state that maps keys to values is corrected towards each new
// pair and decays, by one factor a head (gated delta net of Qwen3-Next) or one for each element of the key (Kimi delta
// attention).
#include "base/num.h"
#include "models/recurrent.h"

// What both kinds share: heads of keys and of values, the rates of decay, the norm of the result.
struct delta {
    uint32_t k_heads, v_heads, dim_k, dim_v, width;
    struct weight qkv, z;           // conv input, gate of the result
    struct weight qkvz, beta_alpha; // the same and the next two, interleaved by head of keys; or empty
    struct weight beta, alpha;      // [v_heads]
    struct conv conv;
    const float *a; // [v_heads], negative
    struct norm norm;
    struct weight out;
    bool modulo; // value head h goes with key head h % k_heads
};

static bool read_delta(struct model *m, struct delta *w, struct err *e) {
    uint32_t inner = 0;
    const struct range_row rows[] = {
        {"ssm.state_size", &w->dim_k, 1, 4096, true},
        {"ssm.group_count", &w->k_heads, 1, MAX_HEADS, true},
        {"ssm.time_step_rank", &w->v_heads, 1, MAX_HEADS, true},
        {"ssm.conv_kernel", &w->width, 1, 64, true},
        {"ssm.inner_size", &inner, 1, MAX_WIDTH, true},
    };
    ERR_FORWARD(bind_ranges(m, 0, rows, ARRAY_LEN(rows), e));
    w->dim_v = inner / w->v_heads;
    ERR_IF(inner % w->v_heads || w->v_heads % w->k_heads || w->dim_v > 4096, e, ERR_INPUT,
           "%s: key %s.ssm.time_step_rank: %u channels do not divide into %u heads in groups of %u", m->file->path,
           m->arch->name, inner, w->v_heads, w->k_heads);
    return true;
}

static uint32_t channels_of(const struct delta *w) {
    return 2 * w->k_heads * w->dim_k + w->v_heads * w->dim_v;
}

static bool bind_inputs(struct model *m, uint32_t layer, struct delta *w, struct err *e) {
    const uint32_t n_embd = m->shape.n_embd, value = w->v_heads * w->dim_v;
    if (!bind_has(m, "blk.%.attn_qkv", layer))
        return bind_matrix(m, "blk.%.ssm_in", layer, channels_of(w) + value, n_embd, BIND_MUST, &w->qkvz, e);
    ERR_FORWARD(bind_matrix(m, "blk.%.attn_qkv", layer, channels_of(w), n_embd, BIND_MUST, &w->qkv, e));
    return bind_matrix(m, "blk.%.attn_gate", layer, value, n_embd, BIND_MUST, &w->z, e);
}

static bool bind_rates(struct model *m, uint32_t layer, struct delta *w, struct err *e) {
    const uint32_t n_embd = m->shape.n_embd, heads = w->v_heads;
    w->modulo = !bind_has(m, "blk.%.ssm_ba", layer);
    if (!w->modulo)
        return bind_matrix(m, "blk.%.ssm_ba", layer, 2 * heads, n_embd, BIND_MUST, &w->beta_alpha, e);
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_beta", layer, heads, n_embd, BIND_MUST, &w->beta, e));
    return bind_matrix(m, "blk.%.ssm_alpha", layer, heads, n_embd, BIND_MUST, &w->alpha, e);
}

static bool delta_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct delta *w = *weights = bind_alloc(m, sizeof *w, e);
    if (!w)
        return false;
    ERR_FORWARD(read_delta(m, w, e));
    ERR_FORWARD(bind_inputs(m, layer, w, e));
    ERR_FORWARD(bind_rates(m, layer, w, e));
    ERR_FORWARD(conv_bind(m, "blk.%.ssm_conv1d", layer, channels_of(w), w->width, false, &w->conv, e));
    ERR_FORWARD(bind_bias(m, "blk.%.ssm_dt", layer, w->v_heads, true, &w->alpha.bias, e));
    ERR_FORWARD(bind_floats(m, "blk.%.ssm_a", NULL, layer, w->v_heads, true, &w->a, e));
    ERR_FORWARD(bind_norm(m, "blk.%.ssm_norm", layer, w->dim_v, true, &w->norm, e));
    m->layers[layer].state_size = round_up(conv_state_size(&w->conv), 16) + (size_t)w->v_heads * w->dim_v * w->dim_k;
    return bind_matrix(m, "blk.%.ssm_out", layer, m->shape.n_embd, w->v_heads * w->dim_v, BIND_MUST, &w->out, e);
}

// Stretches of `len` for every head of keys, from `first` on in each head's part of `part` floats, dense to y.
static void emit_heads(struct emitter *em, const struct delta *w, const float *x, uint32_t part, uint32_t first,
                       uint32_t len, float *y, uint32_t y_row) {
    tape_copy(em->t, (struct tape_copy){x + first, y, w->k_heads, len, w->k_heads * part, part, y_row, len});
}

// Convolution input and gate, from their matrices or from the interleaved one.
static void emit_inputs(struct emitter *em, const struct delta *w, const float *x, float *qkv, float *z) {
    const uint32_t per = w->v_heads / w->k_heads * w->dim_v, part = 2 * w->dim_k + 2 * per, row = channels_of(w);
    if (!w->qkvz.data) {
        tape_matmul2(em->t, x, &w->qkv, qkv, &w->z, z);
        return;
    }
    float *all = emit_rows(em, w->qkvz.rows);
    tape_matmul(em->t, x, &w->qkvz, all);
    emit_heads(em, w, all, part, 0, w->dim_k, qkv, row);
    emit_heads(em, w, all, part, w->dim_k, w->dim_k, qkv + w->k_heads * w->dim_k, row);
    emit_heads(em, w, all, part, 2 * w->dim_k, per, qkv + 2 * w->k_heads * w->dim_k, row);
    emit_heads(em, w, all, part, 2 * w->dim_k + per, per, z, w->v_heads * w->dim_v);
}

// beta = sigmoid(.), decay = exp(a softplus(alpha + bias)).
static void emit_rates(struct emitter *em, const struct delta *w, const float *x, float *beta, float *decay) {
    const uint32_t heads = w->v_heads, per = heads / w->k_heads;
    if (w->beta_alpha.data) {
        float *all = emit_rows(em, 2 * heads);
        tape_matmul(em->t, x, &w->beta_alpha, all);
        emit_heads(em, w, all, 2 * per, 0, per, beta, heads);
        emit_heads(em, w, all, 2 * per, per, per, decay, heads);
        tape_add(em->t, (struct tape_add){w->alpha.bias, decay, heads, 1, true});
    } else {
        tape_matmul2(em->t, x, &w->beta, beta, &w->alpha, decay);
    }
    emit_act(em, ACTIVATION_SIGMOID, beta, heads, beta);
    emit_act(em, ACTIVATION_SOFTPLUS, decay, heads, decay);
    tape_scale(em->t, (struct tape_scale){decay, w->a, 1, heads, false, 1});
    emit_act(em, ACTIVATION_EXP, decay, heads, decay);
}

// Each of n vectors of dim to length 1, as rms norm with eps / dim gives it.
static void emit_unit(struct emitter *em, float *x, uint32_t n, uint32_t dim) {
    float eps = em->m->eps / (float)dim;
    tape_norm(em->t, (struct tape_norm){.kind = NORM_RMS, .x = x, .y = x, .groups = n, .len = dim, .eps = eps});
    tape_scale(em->t, (struct tape_scale){x, NULL, n, dim, false, 1 / num_sqrt((float)dim)});
}

static void delta_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct delta *w = weights;
    const uint32_t row = channels_of(w), keys = w->k_heads * w->dim_k, values = w->v_heads * w->dim_v;
    float *state = em->batch->state[layer];
    float *qkv = emit_rows(em, row), *u = emit_rows(em, row), *z = emit_rows(em, values), *out = emit_rows(em, values);
    float *q = emit_rows(em, keys), *k = emit_rows(em, keys);
    float *beta = emit_rows(em, w->v_heads), *decay = emit_rows(em, w->v_heads);
    emit_inputs(em, w, x, qkv, z);
    emit_rates(em, w, x, beta, decay);
    conv_emit(em, &w->conv, qkv, row, state, u);
    emit_slice(em, u, row, 0, keys, q);
    emit_slice(em, u, row, keys, keys, k);
    emit_unit(em, q, w->k_heads, w->dim_k);
    emit_unit(em, k, w->k_heads, w->dim_k);
    tape_recur(em->t, (struct tape_recur){.kind = RECUR_DELTA,
                                          .decay_kind = DECAY_HEAD,
                                          .heads = w->v_heads,
                                          .dk = w->dim_k,
                                          .dv = w->dim_v,
                                          .groups = w->k_heads,
                                          .modulo = w->modulo,
                                          .q = q,
                                          .k = k,
                                          .v = u + 2 * keys,
                                          .q_row = keys,
                                          .k_row = keys,
                                          .v_row = row,
                                          .decay = decay,
                                          .beta = beta,
                                          .y = out,
                                          .state = state + round_up(conv_state_size(&w->conv), 16),
                                          .scale = 1 / num_sqrt((float)w->dim_k)});
    emit_norm(em, &w->norm, out, w->v_heads, w->dim_v, out);
    emit_gated(em, em->m->arch->delta_gate, z, out, values, out);
    tape_matmul(em->t, out, &w->out, y);
}

const struct block block_delta = {"gated delta net", delta_bind, delta_emit};

// Kimi delta attention: three convolutions, a decay for each element of the key from a low-rank product, and a gate
// from another; or both products in one matrix each (Ling 3).
struct kda {
    uint32_t heads, dim;
    struct weight q, k, v, beta, out;
    struct conv conv[3];
    struct weight f_a, f_b, g_a, g_b; // the second of a pair may be empty
    const float *dt_bias, *a;         // [heads * dim], [heads]
    float lower_bound;                // of the decay's logarithm; 0: none
    struct norm norm;
};

// A product in one step or two; the inner width is the first matrix's.
static bool bind_low_rank(struct model *m, const char *first, const char *second, uint32_t layer, uint32_t n,
                          struct weight *a, struct weight *b, struct err *e) {
    const bool two = bind_has(m, second, layer);
    const uint32_t inner = two ? bind_dim(m, second, layer, 0) : n;
    ERR_FORWARD(bind_matrix(m, first, layer, inner, m->shape.n_embd, BIND_MUST, a, e));
    return !two || bind_matrix(m, second, layer, n, inner, BIND_MUST, b, e);
}

static bool bind_kda_inputs(struct model *m, uint32_t layer, struct kda *w, uint32_t width, struct err *e) {
    const uint32_t n = w->heads * w->dim, n_embd = m->shape.n_embd;
    struct weight all;
    ERR_FORWARD(bind_matrix(m, "blk.%.attn_qkv", layer, 3 * n, n_embd, 0, &all, e));
    if (all.data) {
        w->q = bind_rows(&all, 0, n);
        w->k = bind_rows(&all, n, n);
        w->v = bind_rows(&all, 2 * n, n);
    } else {
        ERR_FORWARD(bind_matrix(m, "blk.%.attn_q", layer, n, n_embd, BIND_MUST, &w->q, e));
        ERR_FORWARD(bind_matrix(m, "blk.%.attn_k", layer, n, n_embd, BIND_MUST, &w->k, e));
        ERR_FORWARD(bind_matrix(m, "blk.%.attn_v", layer, n, n_embd, BIND_MUST, &w->v, e));
    }
    ERR_FORWARD(conv_bind(m, "blk.%.ssm_conv1d_q", layer, n, width, false, &w->conv[0], e));
    ERR_FORWARD(conv_bind(m, "blk.%.ssm_conv1d_k", layer, n, width, false, &w->conv[1], e));
    return conv_bind(m, "blk.%.ssm_conv1d_v", layer, n, width, false, &w->conv[2], e);
}

static bool read_kda(struct model *m, struct kda *w, uint32_t *width, struct err *e) {
    w->heads = m->shape.n_heads;
    const struct range_row rows[] = {{"kda.head_dim", &w->dim, 1, 4096, true}, {"ssm.conv_kernel", width, 1, 64, true}};
    ERR_FORWARD(bind_ranges(m, 0, rows, ARRAY_LEN(rows), e));
    ERR_IF(!w->heads, e, ERR_INPUT, "%s: key %s.attention.head_count: 0, expected 1 to %u", m->file->path,
           m->arch->name, MAX_HEADS);
    if (m->arch->flags & ARCH_SAFE_GATE)
        ERR_FORWARD(bind_f32(m, "kda.gate_lower_bound", true, &w->lower_bound, e));
    return true;
}

static bool kda_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct kda *w = *weights = bind_alloc(m, sizeof *w, e);
    uint32_t width = 0;
    if (!w)
        return false;
    ERR_FORWARD(read_kda(m, w, &width, e));
    const uint32_t n = w->heads * w->dim;
    ERR_FORWARD(bind_kda_inputs(m, layer, w, width, e));
    ERR_FORWARD(bind_low_rank(m, "blk.%.ssm_f_a", "blk.%.ssm_f_b", layer, n, &w->f_a, &w->f_b, e));
    ERR_FORWARD(bind_low_rank(m, "blk.%.ssm_g_a", "blk.%.ssm_g_b", layer, n, &w->g_a, &w->g_b, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_beta", layer, w->heads, m->shape.n_embd, BIND_MUST, &w->beta, e));
    ERR_FORWARD(bind_bias(m, "blk.%.ssm_dt", layer, n, true, &w->dt_bias, e));
    ERR_FORWARD(bind_floats(m, "blk.%.ssm_a", NULL, layer, w->heads, true, &w->a, e));
    ERR_FORWARD(bind_norm(m, "blk.%.ssm_norm", layer, w->dim, true, &w->norm, e));
    m->layers[layer].state_size = 3 * round_up(conv_state_size(&w->conv[0]), 16) + (size_t)n * w->dim;
    return bind_matrix(m, "blk.%.attn_output", layer, m->shape.n_embd, n, BIND_MUST, &w->out, e);
}

static void emit_low_rank(struct emitter *em, const struct weight *a, const struct weight *b, const float *x,
                          float *y) {
    float *inner = b->data ? emit_rows(em, a->rows) : y;
    tape_matmul(em->t, x, a, inner);
    if (b->data)
        tape_matmul(em->t, inner, b, y);
}

// decay = exp(a softplus(f + bias)), or exp(bound sigmoid(a (f + bias))).
static void emit_kda_decay(struct emitter *em, const struct kda *w, const float *x, float *decay) {
    const uint32_t n = w->heads * w->dim;
    emit_low_rank(em, &w->f_a, &w->f_b, x, decay);
    tape_add(em->t, (struct tape_add){w->dt_bias, decay, n, 1, true});
    if (w->lower_bound == 0)
        emit_act(em, ACTIVATION_SOFTPLUS, decay, n, decay);
    tape_scale(em->t, (struct tape_scale){decay, w->a, w->heads, w->dim, true, 1});
    if (w->lower_bound != 0) {
        emit_act(em, ACTIVATION_SIGMOID, decay, n, decay);
        tape_scale(em->t, (struct tape_scale){decay, NULL, 1, n, false, w->lower_bound});
    }
    emit_act(em, ACTIVATION_EXP, decay, n, decay);
}

static void kda_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct kda *w = weights;
    const uint32_t n = w->heads * w->dim;
    float *in[3], *u[3], *state = em->batch->state[layer];
    float *decay = emit_rows(em, n), *gate = emit_rows(em, n), *beta = emit_rows(em, w->heads);
    float *out = emit_rows(em, n);
    for (int i = 0; i < 3; i++) {
        in[i] = emit_rows(em, n);
        u[i] = emit_rows(em, n);
    }
    tape_matmul3(em->t, x, &w->q, in[0], &w->k, in[1], &w->v, in[2]);
    for (int i = 0; i < 3; i++, state += round_up(conv_state_size(&w->conv[0]), 16))
        conv_emit(em, &w->conv[i], in[i], n, state, u[i]);
    emit_kda_decay(em, w, x, decay);
    tape_matmul(em->t, x, &w->beta, beta);
    emit_act(em, ACTIVATION_SIGMOID, beta, w->heads, beta);
    emit_unit(em, u[0], w->heads, w->dim);
    emit_unit(em, u[1], w->heads, w->dim);
    tape_recur(em->t, (struct tape_recur){.kind = RECUR_DELTA,
                                          .decay_kind = DECAY_KEY,
                                          .heads = w->heads,
                                          .dk = w->dim,
                                          .dv = w->dim,
                                          .groups = w->heads,
                                          .q = u[0],
                                          .k = u[1],
                                          .v = u[2],
                                          .q_row = n,
                                          .k_row = n,
                                          .v_row = n,
                                          .decay = decay,
                                          .beta = beta,
                                          .y = out,
                                          .state = state,
                                          .scale = 1 / num_sqrt((float)w->dim)});
    emit_norm(em, &w->norm, out, w->heads, w->dim, out);
    emit_low_rank(em, &w->g_a, &w->g_b, x, gate);
    emit_gated(em, ACTIVATION_SIGMOID, gate, out, n, out);
    tape_matmul(em->t, out, &w->out, y);
}

const struct block block_kda = {"kimi delta attention", kda_bind, kda_emit};
