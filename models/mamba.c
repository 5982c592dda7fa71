// SPDX-License-Identifier: MIT
// Selective state spaces: Mamba (Gu, Dao 2023), Mamba-2 (Dao, Gu 2024), and PLaMo-2's mixture of both. Every channel or
// head keeps a state that decays by exp(dt A), takes in dt x B^T and is read by C; dt, B and C depend on the token.
#include "models/recurrent.h"

struct mamba {
    uint32_t inner, heads, head_dim, state, groups, rank;
    struct weight z, x, dt; // of ssm_in; dt of it only in Mamba-2
    struct weight b, c, low_dt, dt_of_low;
    struct conv conv;
    struct norm dt_norm, b_norm, c_norm, out_norm;
    const float *a, *d; // see bind; [heads] or [inner]
    struct weight in, out;
};

static bool read_sizes(struct model *m, struct mamba *w, uint32_t *width, bool groups, struct err *e) {
    const struct range_row rows[] = {
        {"ssm.inner_size", &w->inner, 1, MAX_WIDTH, true},    {"ssm.state_size", &w->state, 1, 4096, true},
        {"ssm.time_step_rank", &w->rank, 1, MAX_WIDTH, true}, {"ssm.conv_kernel", width, 1, 64, true},
        {"ssm.group_count", &w->groups, 1, w->inner, true},
    };
    ERR_FORWARD(bind_ranges(m, 0, rows, 4, e));
    w->groups = 1;
    const struct range_row more[] = {{"ssm.group_count", &w->groups, 1, w->inner, true}};
    return !groups || bind_ranges(m, 0, more, 1, e);
}

// The state of a layer: the convolution's, then the recurrence's.
static void declare_state(struct model *m, uint32_t layer, const struct mamba *w) {
    m->layers[layer].state_size = round_up(conv_state_size(&w->conv), 16) + (size_t)w->inner * w->state;
}

static float *recur_state(const struct emitter *em, uint32_t layer, const struct mamba *w) {
    return em->batch->state[layer] + round_up(conv_state_size(&w->conv), 16);
}

// y += d x, then the gate: y = silu(z) y.
static void emit_skip_and_gate(struct emitter *em, const struct mamba *w, float *x, const float *z, float *y) {
    tape_scale(em->t, (struct tape_scale){x, w->d, w->heads, w->head_dim, true, 1});
    tape_add(em->t, (struct tape_add){x, y, w->inner, 1, false});
    emit_gated(em, ACTIVATION_SILU, z, y, w->inner, y);
}

// Norms of dt, B and C are there or not (Jamba), or without weights by a key (Falcon-Mamba).
static bool bind_low_norms(struct model *m, uint32_t layer, struct mamba *w, uint32_t rank, bool must, struct err *e) {
    bool bare = false;
    ERR_FORWARD(bind_bool(m, "ssm.dt_b_c_rms", false, &bare, e));
    ERR_FORWARD(bind_norm(m, "blk.%.ssm_dt_norm", layer, rank, must, &w->dt_norm, e));
    ERR_FORWARD(bind_norm(m, "blk.%.ssm_b_norm", layer, w->state, must, &w->b_norm, e));
    ERR_FORWARD(bind_norm(m, "blk.%.ssm_c_norm", layer, w->state, must, &w->c_norm, e));
    w->dt_norm.there |= bare;
    w->b_norm.there |= bare;
    w->c_norm.there |= bare;
    return true;
}

static void emit_low_norms(struct emitter *em, const struct mamba *w, float *dt, uint32_t rank, float *b, float *c) {
    if (w->dt_norm.there)
        emit_norm(em, &w->dt_norm, dt, 1, rank, dt);
    if (w->b_norm.there)
        emit_norm(em, &w->b_norm, b, 1, w->state, b);
    if (w->c_norm.there)
        emit_norm(em, &w->c_norm, c, 1, w->state, c);
}

static bool mamba_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct mamba *w = *weights = bind_alloc(m, sizeof *w, e);
    struct weight in, low;
    uint32_t width = 0;
    if (!w)
        return false;
    ERR_FORWARD(read_sizes(m, w, &width, false, e));
    w->heads = w->inner;
    w->head_dim = 1;
    const uint32_t inner = w->inner, n_embd = m->shape.n_embd;
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_in", layer, 2 * inner, n_embd, BIND_MUST, &in, e));
    w->x = bind_rows(&in, 0, inner);
    w->z = bind_rows(&in, inner, inner);
    ERR_FORWARD(conv_bind(m, "blk.%.ssm_conv1d", layer, inner, width, true, &w->conv, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_x", layer, w->rank + 2 * w->state, inner, BIND_MUST, &low, e));
    w->low_dt = bind_rows(&low, 0, w->rank);
    w->b = bind_rows(&low, w->rank, w->state);
    w->c = bind_rows(&low, w->rank + w->state, w->state);
    ERR_FORWARD(bind_low_norms(m, layer, w, w->rank, m->arch->flags & ARCH_SSM_NORMS, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_dt", layer, inner, w->rank, BIND_MUST | BIND_BIAS_MUST, &w->dt_of_low, e));
    ERR_FORWARD(bind_floats(m, "blk.%.ssm_a", NULL, layer, (uint64_t)inner * w->state, true, &w->a, e));
    ERR_FORWARD(bind_floats(m, "blk.%.ssm_d", NULL, layer, inner, true, &w->d, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_out", layer, n_embd, inner, BIND_MUST, &w->out, e));
    declare_state(m, layer, w);
    return true;
}

static void mamba_emit(struct emitter *em, uint32_t layer, const void *weights, const float *h, float *out) {
    const struct mamba *w = weights;
    float *x = emit_rows(em, w->inner), *z = emit_rows(em, w->inner), *y = emit_rows(em, w->inner);
    float *low = emit_rows(em, w->rank), *b = emit_rows(em, w->state), *c = emit_rows(em, w->state);
    float *dt = emit_rows(em, w->inner), *u = emit_rows(em, w->inner);
    tape_matmul2(em->t, h, &w->x, x, &w->z, z);
    conv_emit(em, &w->conv, x, w->inner, em->batch->state[layer], u);
    tape_matmul3(em->t, u, &w->low_dt, low, &w->b, b, &w->c, c);
    emit_low_norms(em, w, low, w->rank, b, c);
    tape_matmul(em->t, low, &w->dt_of_low, dt);
    emit_act(em, ACTIVATION_SOFTPLUS, dt, w->inner, dt);
    tape_recur(em->t, (struct tape_recur){.kind = RECUR_LINEAR,
                                          .decay_kind = DECAY_RATE,
                                          .heads = w->inner,
                                          .dk = w->state,
                                          .dv = 1,
                                          .groups = 1,
                                          .q = c,
                                          .k = b,
                                          .v = u,
                                          .q_row = w->state,
                                          .k_row = w->state,
                                          .v_row = w->inner,
                                          .rate = w->a,
                                          .beta = dt,
                                          .y = y,
                                          .state = recur_state(em, layer, w),
                                          .scale = 1});
    emit_skip_and_gate(em, w, u, z, y);
    tape_matmul(em->t, y, &w->out, out);
}

const struct block block_mamba = {"mamba", mamba_bind, mamba_emit};

static bool check_heads(const struct model *m, const struct mamba *w, struct err *e) {
    ERR_IF(w->inner % w->heads || w->heads % w->groups || w->inner % w->groups, e, ERR_INPUT,
           "%s: key %s.ssm.time_step_rank: %u channels, %u heads and %u groups do not divide", m->file->path,
           m->arch->name, w->inner, w->heads, w->groups);
    return true;
}

static bool mamba2_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct mamba *w = *weights = bind_alloc(m, sizeof *w, e);
    struct weight in;
    uint32_t width = 0;
    if (!w)
        return false;
    ERR_FORWARD(read_sizes(m, w, &width, true, e));
    w->heads = w->rank;
    ERR_FORWARD(check_heads(m, w, e));
    w->head_dim = w->inner / w->heads;
    const uint32_t inner = w->inner, n_embd = m->shape.n_embd, channels = inner + 2 * w->groups * w->state;
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_in", layer, inner + channels + w->heads, n_embd, BIND_MUST, &in, e));
    w->z = bind_rows(&in, 0, inner);
    w->x = bind_rows(&in, inner, channels);
    w->dt = bind_rows(&in, inner + channels, w->heads);
    bool bias = m->arch->flags & ARCH_CONV_BIAS;
    ERR_FORWARD(conv_bind(m, "blk.%.ssm_conv1d", layer, channels, width, bias, &w->conv, e));
    ERR_FORWARD(bind_bias(m, "blk.%.ssm_dt", layer, w->heads, true, &w->dt.bias, e));
    ERR_FORWARD(bind_floats(m, "blk.%.ssm_a", NULL, layer, w->heads, true, &w->a, e));
    ERR_FORWARD(bind_floats(m, "blk.%.ssm_d", NULL, layer, w->heads, true, &w->d, e));
    ERR_FORWARD(bind_norm(m, "blk.%.ssm_norm", layer, inner, m->arch->flags & ARCH_SSM_NORMS, &w->out_norm, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_out", layer, n_embd, inner, BIND_MUST, &w->out, e));
    declare_state(m, layer, w);
    return true;
}

// decay = exp(dt a), one factor a head.
static float *emit_decay(struct emitter *em, const struct mamba *w, const float *dt) {
    float *decay = emit_rows(em, w->heads);
    emit_slice(em, dt, w->heads, 0, w->heads, decay);
    tape_scale(em->t, (struct tape_scale){decay, w->a, w->heads, 1, true, 1});
    emit_act(em, ACTIVATION_EXP, decay, w->heads, decay);
    return decay;
}

static void mamba2_emit(struct emitter *em, uint32_t layer, const void *weights, const float *h, float *out) {
    const struct mamba *w = weights;
    const uint32_t channels = w->conv.channels, inner = w->inner;
    float *z = emit_rows(em, inner), *xbc = emit_rows(em, channels), *dt = emit_rows(em, w->heads);
    float *u = emit_rows(em, channels), *x = emit_rows(em, inner), *y = emit_rows(em, inner);
    tape_matmul3(em->t, h, &w->z, z, &w->x, xbc, &w->dt, dt);
    conv_emit(em, &w->conv, xbc, channels, em->batch->state[layer], u);
    emit_act(em, ACTIVATION_SOFTPLUS, dt, w->heads, dt);
    float *decay = emit_decay(em, w, dt);
    tape_recur(em->t, (struct tape_recur){.kind = RECUR_LINEAR,
                                          .decay_kind = DECAY_HEAD,
                                          .heads = w->heads,
                                          .dk = w->state,
                                          .dv = w->head_dim,
                                          .groups = w->groups,
                                          .q = u + inner + w->groups * w->state,
                                          .k = u + inner,
                                          .v = u,
                                          .q_row = channels,
                                          .k_row = channels,
                                          .v_row = channels,
                                          .decay = decay,
                                          .beta = dt,
                                          .y = y,
                                          .state = recur_state(em, layer, w),
                                          .scale = 1});
    emit_slice(em, u, channels, 0, inner, x);
    emit_skip_and_gate(em, w, x, z, y);
    if (w->out_norm.there)
        tape_norm(em->t, (struct tape_norm){.kind = w->out_norm.kind,
                                            .x = y,
                                            .w = w->out_norm.w,
                                            .y = y,
                                            .groups = w->groups,
                                            .len = inner / w->groups,
                                            .w_of_group = true,
                                            .eps = w->out_norm.eps});
    tape_matmul(em->t, y, &w->out, out);
}

const struct block block_mamba2 = {"mamba-2", mamba2_bind, mamba2_emit};

// PLaMo-2: dt, B and C by a low-rank product as in Mamba, one decay a head as in Mamba-2; z and x lie head by head.
static bool plamo2_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct mamba *w = *weights = bind_alloc(m, sizeof *w, e);
    struct weight low;
    uint32_t width = 0;
    if (!w)
        return false;
    ERR_FORWARD(read_sizes(m, w, &width, false, e));
    w->heads = w->rank;
    ERR_FORWARD(check_heads(m, w, e));
    w->head_dim = w->inner / w->heads;
    const uint32_t inner = w->inner, n_embd = m->shape.n_embd;
    w->rank = n_embd / 16 > 64 ? n_embd / 16 : 64;
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_in", layer, 2 * inner, n_embd, BIND_MUST, &w->in, e));
    ERR_FORWARD(conv_bind(m, "blk.%.ssm_conv1d", layer, inner, width, false, &w->conv, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_x", layer, w->rank + 2 * w->state, inner, BIND_MUST, &low, e));
    w->b = bind_rows(&low, 0, w->state);
    w->c = bind_rows(&low, w->state, w->state);
    w->low_dt = bind_rows(&low, 2 * w->state, w->rank);
    ERR_FORWARD(bind_low_norms(m, layer, w, w->rank, true, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_dt", layer, w->heads, w->rank, BIND_MUST | BIND_BIAS_MUST, &w->dt_of_low, e));
    ERR_FORWARD(bind_floats(m, "blk.%.ssm_a", NULL, layer, w->heads, true, &w->a, e));
    ERR_FORWARD(bind_floats(m, "blk.%.ssm_d", NULL, layer, w->heads, true, &w->d, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.ssm_out", layer, n_embd, inner, BIND_MUST, &w->out, e));
    declare_state(m, layer, w);
    return true;
}

static void plamo2_emit(struct emitter *em, uint32_t layer, const void *weights, const float *h, float *out) {
    const struct mamba *w = weights;
    const uint32_t inner = w->inner, dim = w->head_dim;
    float *zx = emit_rows(em, 2 * inner), *z = emit_rows(em, inner), *x = emit_rows(em, inner);
    float *u = emit_rows(em, inner), *y = emit_rows(em, inner), *dt = emit_rows(em, w->heads);
    float *low = emit_rows(em, w->rank), *b = emit_rows(em, w->state), *c = emit_rows(em, w->state);
    tape_matmul(em->t, h, &w->in, zx);
    tape_copy(em->t, (struct tape_copy){zx, z, w->heads, dim, 2 * inner, 2 * dim, inner, dim});
    tape_copy(em->t, (struct tape_copy){zx + dim, x, w->heads, dim, 2 * inner, 2 * dim, inner, dim});
    conv_emit(em, &w->conv, x, inner, em->batch->state[layer], u);
    tape_matmul3(em->t, u, &w->low_dt, low, &w->b, b, &w->c, c);
    emit_low_norms(em, w, low, w->rank, b, c);
    tape_matmul(em->t, low, &w->dt_of_low, dt);
    emit_act(em, ACTIVATION_SOFTPLUS, dt, w->heads, dt);
    float *decay = emit_decay(em, w, dt);
    tape_recur(em->t, (struct tape_recur){.kind = RECUR_LINEAR,
                                          .decay_kind = DECAY_HEAD,
                                          .heads = w->heads,
                                          .dk = w->state,
                                          .dv = dim,
                                          .groups = 1,
                                          .q = c,
                                          .k = b,
                                          .v = u,
                                          .q_row = w->state,
                                          .k_row = w->state,
                                          .v_row = inner,
                                          .decay = decay,
                                          .beta = dt,
                                          .y = y,
                                          .state = recur_state(em, layer, w),
                                          .scale = 1});
    emit_skip_and_gate(em, w, u, z, y);
    tape_matmul(em->t, y, &w->out, out);
}

const struct block block_plamo2 = {"plamo-2", plamo2_bind, plamo2_emit};
