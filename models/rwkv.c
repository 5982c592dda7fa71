// SPDX-License-Identifier: MIT
// RWKV 6 and 7 (Peng et al. 2024, 2025) and their hybrids with the feed-forward of Qwen2. A layer is a time mix, a
// recurrence whose decay depends on the token, and a channel mix. What they multiply is the token's vector x drawn
// towards the one before it (token shift): x + mu * (previous x - x), with a mu for each matrix.
#include "base/num.h"
#include "models/quirks.h"
#include "models/recurrent.h"

#define MAX_PARTS 6
#define GROUP_EPS 64e-5f // of the norm of each head, whatever the other norms have

// activation(x A) B + bias, through a narrow middle.
struct low_rank {
    struct weight down, up;
    enum activation inner;
};

// Versions of x: the inputs of the decay, the key, the value, the receptance, the gate, and of the rate of learning.
// Files have them in an order of their version.
enum part { PART_W, PART_K, PART_V, PART_R, PART_G, PART_A };
static const uint32_t order6[] = {[PART_W] = 0, [PART_K] = 1, [PART_V] = 2, [PART_R] = 3, [PART_G] = 4};
static const uint32_t order7[] = {[PART_W] = 1, [PART_K] = 2, [PART_V] = 3, [PART_R] = 0, [PART_G] = 5, [PART_A] = 4};

struct time_mix {
    uint32_t heads, kv_heads, dim, n;
    const uint32_t *order;
    const float *lerp[MAX_PARTS]; // mu of each part, in the file's order
    struct weight r, k, v, out;
    struct norm norm; // of each head; or not there
    struct low_rank decay;
    // Version 6: the mu of a token are mix_up tanh(mix_down (x with mu lerp_x)), with the parts' lerp as biases.
    const float *lerp_x, *bonus;
    struct weight mix_down, mix_up, gate;
    // Version 7.
    struct low_rank rate, value, low_gate;
    const float *k_k, *k_a, *r_k;
};

struct channel_mix {
    size_t state; // where in the layer's the shift's is
    const float *lerp_k, *lerp_r;
    struct weight key, value, receptance;
};

// The previous row less the present one, as a convolution of two taps.
bool rwkv_adjust(struct model *m, struct err *e) {
    const uint32_t n = m->shape.n_embd;
    float *taps = m->special = bind_alloc(m, (size_t)n * 2 * sizeof *taps, e);
    for (uint32_t i = 0; taps && i < n; i++) {
        taps[2 * i] = 1;
        taps[2 * i + 1] = -1;
    }
    return taps;
}

static float *emit_shift(struct emitter *em, const float *x, float *state) {
    const uint32_t n = em->m->shape.n_embd;
    float *sx = emit_rows(em, n);
    conv_emit(em, &(struct conv){.w = em->m->special, .channels = n, .width = 2, .dilation = 1}, x, n, state, sx);
    return sx;
}

// y = x + mu * sx
static void emit_lerp(struct emitter *em, const float *x, const float *sx, const float *mu, float *y) {
    const uint32_t n = em->m->shape.n_embd;
    emit_slice(em, sx, n, 0, n, y);
    tape_scale(em->t, (struct tape_scale){y, mu, 1, n, false, 1});
    tape_add(em->t, (struct tape_add){x, y, n, 1, false});
}

static bool bind_low_rank(struct model *m, const char *down, const char *up, const char *bias, uint32_t layer,
                          const char *rank_key, struct low_rank *l, struct err *e) {
    const uint32_t n = m->shape.n_embd;
    uint32_t rank = 0;
    const struct range_row rows[] = {{rank_key, &rank, 1, MAX_WIDTH, true}};
    ERR_FORWARD(bind_ranges(m, layer, rows, 1, e));
    ERR_FORWARD(bind_matrix(m, down, layer, rank, n, BIND_MUST, &l->down, e));
    ERR_FORWARD(bind_matrix(m, up, layer, n, rank, BIND_MUST, &l->up, e));
    return !bias || bind_floats(m, bias, "weight", layer, n, true, &l->up.bias, e);
}

static void emit_low_rank(struct emitter *em, const struct low_rank *l, const float *x, float *y) {
    float *inner = emit_rows(em, l->down.rows);
    tape_matmul(em->t, x, &l->down, inner);
    if (l->inner != ACTIVATION_NONE)
        emit_act(em, l->inner, inner, l->down.rows, inner);
    tape_matmul(em->t, inner, &l->up, y);
}

static bool read_heads(struct model *m, uint32_t layer, struct time_mix *w, struct err *e) {
    const uint32_t n = w->n = m->shape.n_embd;
    const struct range_row rows[] = {{"wkv.head_size", &w->dim, 1, MAX_HEAD_DIM, true}};
    ERR_FORWARD(bind_ranges(m, layer, rows, 1, e));
    ERR_IF(n % w->dim, e, ERR_INPUT, "%s: key %s.wkv.head_size: %u does not divide the width %u", m->file->path,
           m->arch->name, w->dim, n);
    w->heads = w->kv_heads = n / w->dim;
    ERR_IF(w->heads > MAX_HEADS, e, ERR_INPUT, "%s: key %s.wkv.head_size: %u makes %u heads, expected at most %u",
           m->file->path, m->arch->name, w->dim, w->heads, MAX_HEADS);
    return true;
}

// Parts of one tensor, or in older files a tensor each.
static bool bind_lerps(struct model *m, uint32_t layer, struct time_mix *w, uint32_t parts, struct err *e) {
    static const char *const names[] = {"blk.%.time_mix_lerp_w", "blk.%.time_mix_lerp_k", "blk.%.time_mix_lerp_v",
                                        "blk.%.time_mix_lerp_r", "blk.%.time_mix_lerp_g"};
    const float *fused;
    bool apart = parts == ARRAY_LEN(names) && w->order == order6 && bind_has(m, names[0], layer);
    ERR_FORWARD(
        bind_floats(m, "blk.%.time_mix_lerp_fused", "weight", layer, (uint64_t)parts * w->n, !apart, &fused, e));
    for (uint32_t i = 0; i < parts; i++) {
        if (fused)
            w->lerp[i] = fused + (size_t)i * w->n;
        else
            ERR_FORWARD(bind_floats(m, names[i], "weight", layer, w->n, true, &w->lerp[i], e));
    }
    return true;
}

// The state of a layer: the shift's, then the recurrence's; the channel mix puts its own behind.
static bool bind_common(struct model *m, uint32_t layer, struct time_mix *w, bool pure, struct err *e) {
    const uint32_t n = w->n, n_kv = w->kv_heads * w->dim;
    ERR_FORWARD(bind_matrix(m, "blk.%.time_mix_receptance", layer, n, n, BIND_MUST | BIND_BIAS, &w->r, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.time_mix_key", layer, n_kv, n, BIND_MUST | BIND_BIAS, &w->k, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.time_mix_value", layer, n_kv, n, BIND_MUST | BIND_BIAS, &w->v, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.time_mix_output", layer, n, n, BIND_MUST, &w->out, e));
    ERR_FORWARD(bind_norm(m, "blk.%.time_mix_ln", layer, n, pure, &w->norm, e));
    w->norm.kind = NORM_LAYER;
    w->norm.eps = GROUP_EPS;
    m->layers[layer].state_size = round_up(n, 16) + (size_t)n * w->dim;
    return true;
}

// Heads of keys and values that several heads share are repeated for each.
static float *emit_repeated(struct emitter *em, const struct time_mix *w, float *x) {
    const uint32_t times = w->heads / w->kv_heads, n_kv = w->kv_heads * w->dim;
    float *y = times > 1 ? emit_rows(em, w->n) : x;
    for (uint32_t i = 0; times > 1 && i < times; i++)
        tape_copy(em->t, (struct tape_copy){x, y + (size_t)i * w->dim, w->kv_heads, w->dim, n_kv, w->dim, w->n,
                                            times * w->dim});
    return y;
}

static void emit_recurrence(struct emitter *em, uint32_t layer, const struct time_mix *w, struct tape_recur o) {
    o.decay_kind = DECAY_KEY;
    o.heads = o.groups = w->heads;
    o.dk = o.dv = w->dim;
    o.q_row = o.k_row = o.v_row = w->n;
    o.state = em->batch->state[layer] + round_up(w->n, 16);
    tape_recur(em->t, o);
    if (w->norm.there)
        tape_norm(em->t, (struct tape_norm){.kind = w->norm.kind,
                                            .x = o.y,
                                            .w = w->norm.w,
                                            .b = w->norm.b,
                                            .y = o.y,
                                            .groups = w->heads,
                                            .len = w->dim,
                                            .w_of_group = true,
                                            .eps = w->norm.eps});
}

static bool read_kv_heads(struct model *m, uint32_t layer, struct time_mix *w, struct err *e) {
    const struct range_row rows[] = {{"attention.head_count_kv", &w->kv_heads, 1, w->heads, false}};
    ERR_FORWARD(bind_ranges(m, layer, rows, 1, e));
    ERR_IF(w->heads % w->kv_heads, e, ERR_INPUT, "%s: key %s.attention.head_count_kv: %u does not divide %u heads",
           m->file->path, m->arch->name, w->kv_heads, w->heads);
    return true;
}

static bool bind_mixing(struct model *m, uint32_t layer, struct time_mix *w, struct err *e) {
    const uint32_t n = w->n, parts = ARRAY_LEN(order6);
    uint32_t extra = 0;
    const struct range_row rows[] = {{"time_mix_extra_dim", &extra, 1, MAX_WIDTH, true}};
    ERR_FORWARD(bind_ranges(m, layer, rows, 1, e));
    ERR_FORWARD(bind_floats(m, "blk.%.time_mix_lerp_x", "weight", layer, n, true, &w->lerp_x, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.time_mix_w1", layer, parts * extra, n, BIND_MUST, &w->mix_down, e));
    ERR_FORWARD(bind_matrices(m, "blk.%.time_mix_w2", layer, parts, n, extra, BIND_MUST, &w->mix_up, e));
    return bind_lerps(m, layer, w, parts, e);
}

// Models made of a transformer have no norm of heads and no bonus; the others must.
static bool time6_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct time_mix *w = *weights = bind_alloc(m, sizeof *w, e);
    const bool pure = m->norm == NORM_LAYER;
    if (!w)
        return false;
    w->order = order6;
    w->decay.inner = ACTIVATION_TANH;
    ERR_FORWARD(read_heads(m, layer, w, e));
    ERR_FORWARD(read_kv_heads(m, layer, w, e));
    ERR_FORWARD(bind_mixing(m, layer, w, e));
    ERR_FORWARD(bind_common(m, layer, w, pure, e));
    ERR_FORWARD(bind_low_rank(m, "blk.%.time_mix_decay_w1", "blk.%.time_mix_decay_w2", "blk.%.time_mix_decay", layer,
                              "time_decay_extra_dim", &w->decay, e));
    ERR_FORWARD(bind_floats(m, "blk.%.time_mix_first", "weight", layer, w->n, pure, &w->bonus, e));
    return bind_matrix(m, "blk.%.time_mix_gate", layer, w->n, w->n, BIND_MUST, &w->gate, e);
}

// What a token adds to the mu of its parts: [rows][parts][n].
static const float *emit_mixing(struct emitter *em, const struct time_mix *w, const float *x, const float *sx) {
    const uint32_t parts = w->mix_up.count;
    float *mu = emit_rows(em, (size_t)parts * w->n), *y = emit_rows(em, w->n), *inner = emit_rows(em, w->mix_down.rows);
    emit_lerp(em, x, sx, w->lerp_x, y);
    tape_matmul(em->t, y, &w->mix_down, inner);
    emit_act(em, ACTIVATION_TANH, inner, w->mix_down.rows, inner);
    tape_matmuls(em->t, (struct tape_matmul){.x = inner, .n = 1, .w = {&w->mix_up}, .y = {mu}, .heads = parts});
    return mu;
}

// The token's vector and its shift, as the products of a time mix read them.
struct shifted {
    const float *x, *sx;
    const float *mu; // what is added to the parts' own, or NULL
    float *y;        // room for the part at hand
};

static const float *emit_part(struct emitter *em, const struct time_mix *w, const struct shifted *s, enum part part) {
    const uint32_t n = w->n, i = w->order[part];
    if (!s->mu) {
        emit_lerp(em, s->x, s->sx, w->lerp[i], s->y);
        return s->y;
    }
    emit_slice(em, s->mu, w->mix_up.count * n, i * n, n, s->y);
    tape_add(em->t, (struct tape_add){w->lerp[i], s->y, n, 1, true});
    emit_gated(em, ACTIVATION_NONE, s->sx, s->y, n, s->y);
    tape_add(em->t, (struct tape_add){s->x, s->y, n, 1, false});
    return s->y;
}

static float *emit_product(struct emitter *em, const struct time_mix *w, const struct shifted *s, enum part part,
                           const struct weight *by) {
    float *y = emit_rows(em, by->rows);
    tape_matmul(em->t, emit_part(em, w, s, part), by, y);
    return y;
}

static float *emit_low_part(struct emitter *em, const struct time_mix *w, const struct shifted *s, enum part part,
                            const struct low_rank *by) {
    float *y = emit_rows(em, w->n);
    emit_low_rank(em, by, emit_part(em, w, s, part), y);
    return y;
}

#define DECAY7 (-0.606531f) // decays from 0.545, which is exp(-exp(-0.5)), to 1

// exp(factor * activation(w)) of every element of a key.
static float *emit_decay(struct emitter *em, const struct time_mix *w, const struct shifted *s,
                         enum activation activation, float factor) {
    float *decay = emit_low_part(em, w, s, PART_W, &w->decay);
    emit_act(em, activation, decay, w->n, decay);
    tape_scale(em->t, (struct tape_scale){decay, NULL, 1, w->n, false, factor});
    emit_act(em, ACTIVATION_EXP, decay, w->n, decay);
    return decay;
}

static void time6_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct time_mix *w = weights;
    const float *sx = emit_shift(em, x, em->batch->state[layer]);
    const struct shifted s = {x, sx, emit_mixing(em, w, x, sx), emit_rows(em, w->n)};
    float *decay = emit_decay(em, w, &s, ACTIVATION_EXP, -1);
    float *k = emit_repeated(em, w, emit_product(em, w, &s, PART_K, &w->k));
    float *v = emit_repeated(em, w, emit_product(em, w, &s, PART_V, &w->v));
    float *r = emit_product(em, w, &s, PART_R, &w->r), *g = emit_product(em, w, &s, PART_G, &w->gate);
    if (!w->bonus) { // gated linear attention: k (1 - decay)
        emit_gated(em, ACTIVATION_NONE, decay, k, w->n, s.y);
        tape_add(em->t, (struct tape_add){s.y, k, w->n, -1, false});
    }
    emit_recurrence(em, layer, w,
                    (struct tape_recur){.kind = w->bonus ? RECUR_RWKV6 : RECUR_LINEAR,
                                        .q = r,
                                        .k = k,
                                        .v = v,
                                        .decay = decay,
                                        .bonus = w->bonus,
                                        .y = s.y,
                                        .scale = w->bonus ? 1 : 1 / num_sqrt((float)w->dim)});
    emit_gated(em, w->bonus ? ACTIVATION_SILU : ACTIVATION_SIGMOID, g, s.y, w->n, s.y);
    tape_matmul(em->t, s.y, &w->out, y);
}

const struct block block_rwkv6 = {"rwkv 6 time mix", time6_bind, time6_emit};

// The gate may be absent in models made of a transformer, and the first layer needs no share of its own value.
static bool bind_low_ranks(struct model *m, uint32_t layer, struct time_mix *w, bool gated, struct err *e) {
    ERR_FORWARD(bind_low_rank(m, "blk.%.time_mix_w1", "blk.%.time_mix_w2", "blk.%.time_mix_w0", layer,
                              "attention.decay_lora_rank", &w->decay, e));
    ERR_FORWARD(bind_low_rank(m, "blk.%.time_mix_a1", "blk.%.time_mix_a2", "blk.%.time_mix_a0", layer,
                              "attention.iclr_lora_rank", &w->rate, e));
    if (layer > 0)
        ERR_FORWARD(bind_low_rank(m, "blk.%.time_mix_v1", "blk.%.time_mix_v2", "blk.%.time_mix_v0", layer,
                                  "attention.value_residual_mix_lora_rank", &w->value, e));
    return !gated || bind_low_rank(m, "blk.%.time_mix_g1", "blk.%.time_mix_g2", NULL, layer, "attention.gate_lora_rank",
                                   &w->low_gate, e);
}

static bool time7_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct time_mix *w = *weights = bind_alloc(m, sizeof *w, e);
    const bool pure = m->norm == NORM_LAYER, gated = pure || bind_has(m, "blk.%.time_mix_g1", layer);
    if (!w)
        return false;
    w->order = order7;
    w->decay.inner = ACTIVATION_TANH;
    w->low_gate.inner = ACTIVATION_SIGMOID;
    w->rate.inner = w->value.inner = ACTIVATION_NONE;
    ERR_FORWARD(read_heads(m, layer, w, e));
    ERR_FORWARD(bind_lerps(m, layer, w, gated ? 6 : 5, e));
    ERR_FORWARD(bind_common(m, layer, w, pure, e));
    ERR_FORWARD(bind_low_ranks(m, layer, w, gated, e));
    ERR_FORWARD(bind_floats(m, "blk.%.time_mix_k_k", "weight", layer, w->n, true, &w->k_k, e));
    ERR_FORWARD(bind_floats(m, "blk.%.time_mix_k_a", "weight", layer, w->n, true, &w->k_a, e));
    return bind_floats(m, "blk.%.time_mix_r_k", "weight", layer, w->n, true, &w->r_k, e);
}

// Values are drawn towards those of the first layer.
static float *emit_value7(struct emitter *em, uint32_t layer, const struct time_mix *w, const struct shifted *s) {
    const uint32_t n = w->n;
    float *v = emit_product(em, w, s, PART_V, &w->v);
    if (layer == 0) {
        emit_slice(em, v, n, 0, n, em->first_value);
        return v;
    }
    float *share = emit_rows(em, n), *apart = emit_rows(em, n);
    emit_low_rank(em, &w->value, s->y, share); // the part of the value
    emit_slice(em, em->first_value, n, 0, n, apart);
    tape_add(em->t, (struct tape_add){v, apart, n, -1, false});
    emit_gated(em, ACTIVATION_SIGMOID, share, apart, n, apart);
    tape_add(em->t, (struct tape_add){apart, v, n, 1, false});
    return v;
}

// k * w, a copy.
static float *emit_scaled(struct emitter *em, const float *k, const float *w, uint32_t n) {
    float *y = emit_rows(em, n);
    emit_slice(em, k, n, 0, n, y);
    tape_scale(em->t, (struct tape_scale){y, w, 1, n, false, 1});
    return y;
}

// What the recurrence takes: it forgets along a = -kk, learns along b = kk * rate, and writes k, drawn towards k *
// rate.
static void emit_keys7(struct emitter *em, const struct time_mix *w, float *k, float *rate, float **a, float **b) {
    const uint32_t n = w->n;
    float *kk = *a = emit_scaled(em, k, w->k_k, n), *scaled = emit_scaled(em, k, w->k_a, n), *part = emit_rows(em, n);
    tape_norm(em->t,
              (struct tape_norm){.kind = NORM_L2, .x = kk, .y = kk, .groups = w->heads, .len = w->dim, .eps = 1e-12f});
    emit_gated(em, ACTIVATION_NONE, rate, scaled, n, part);
    tape_add(em->t, (struct tape_add){part, k, n, 1, false});
    tape_add(em->t, (struct tape_add){scaled, k, n, -1, false});
    *b = emit_rows(em, n);
    emit_gated(em, ACTIVATION_NONE, rate, kk, n, *b);
    tape_scale(em->t, (struct tape_scale){kk, NULL, 1, n, false, -1});
}

// y += v (k * r_k . r) of every head: what the token itself gives. Scales k and v.
static void emit_bonus7(struct emitter *em, const struct time_mix *w, float *k, const float *r, float *v, float *y) {
    float *along = emit_rows(em, w->heads);
    tape_scale(em->t, (struct tape_scale){k, w->r_k, 1, w->n, false, 1});
    tape_dot(em->t, (struct tape_dot){k, r, along, w->heads, w->dim, 1});
    tape_act(
        em->t,
        (struct tape_act){
            .activation = ACTIVATION_NONE, .a = along, .b = v, .y = v, .groups = w->heads, .len = w->dim, .a_len = 1});
    tape_add(em->t, (struct tape_add){v, y, w->n, 1, false});
}

static void time7_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct time_mix *w = weights;
    const struct shifted s = {x, emit_shift(em, x, em->batch->state[layer]), NULL, emit_rows(em, w->n)};
    float *r = emit_product(em, w, &s, PART_R, &w->r), *decay = emit_decay(em, w, &s, ACTIVATION_SIGMOID, DECAY7), *a,
          *b;
    float *k = emit_product(em, w, &s, PART_K, &w->k), *v = emit_value7(em, layer, w, &s);
    float *rate = emit_low_part(em, w, &s, PART_A, &w->rate);
    float *gate = w->low_gate.up.data ? emit_low_part(em, w, &s, PART_G, &w->low_gate) : NULL;
    emit_act(em, ACTIVATION_SIGMOID, rate, w->n, rate);
    emit_keys7(em, w, k, rate, &a, &b);
    emit_recurrence(
        em, layer, w,
        (struct tape_recur){
            .kind = RECUR_RWKV7, .q = r, .k = k, .v = v, .decay = decay, .a = a, .b = b, .y = s.y, .scale = 1});
    emit_bonus7(em, w, k, r, v, s.y);
    if (gate)
        emit_gated(em, ACTIVATION_NONE, gate, s.y, w->n, s.y);
    tape_matmul(em->t, s.y, &w->out, y);
}

const struct block block_rwkv7 = {"rwkv 7 time mix", time7_bind, time7_emit};

static bool channel_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct channel_mix *w = *weights = bind_alloc(m, sizeof *w, e);
    const uint32_t n = m->shape.n_embd, n_ff = m->shape.n_ff;
    if (!w)
        return false;
    w->state = round_up(m->layers[layer].state_size, 16);
    m->layers[layer].state_size = w->state + n;
    ERR_FORWARD(bind_floats(m, "blk.%.channel_mix_lerp_k", "weight", layer, n, true, &w->lerp_k, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.channel_mix_key", layer, n_ff, n, BIND_MUST, &w->key, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.channel_mix_value", layer, n, n_ff, BIND_MUST, &w->value, e));
    if (m->arch->recurrent != &block_rwkv6)
        return true;
    ERR_FORWARD(bind_floats(m, "blk.%.channel_mix_lerp_r", "weight", layer, n, true, &w->lerp_r, e));
    return bind_matrix(m, "blk.%.channel_mix_receptance", layer, n, n, BIND_MUST, &w->receptance, e);
}

// relu(x K)^2 V, in version 6 times sigmoid(x R).
static void channel_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct channel_mix *w = weights;
    const uint32_t n = em->m->shape.n_embd, n_ff = w->key.rows;
    float *sx = emit_shift(em, x, em->batch->state[layer] + w->state), *part = emit_rows(em, n);
    float *inner = emit_rows(em, n_ff), *r = emit_rows(em, n);
    emit_lerp(em, x, sx, w->lerp_k, part);
    tape_matmul(em->t, part, &w->key, inner);
    emit_act(em, ACTIVATION_RELU2, inner, n_ff, inner);
    tape_matmul(em->t, inner, &w->value, y);
    if (!w->lerp_r)
        return;
    emit_lerp(em, x, sx, w->lerp_r, part);
    tape_matmul(em->t, part, &w->receptance, r);
    emit_gated(em, ACTIVATION_SIGMOID, r, y, n, y);
}

static const struct block block_channel = {"rwkv channel mix", channel_bind, channel_emit};

// Version 6 halves its stream after every so many layers, to keep half precision from overflowing.
static bool bind_rescale(struct model *m, uint32_t layer, struct err *e) {
    uint32_t every = 0;
    const struct range_row rows[] = {{"rescale_every_n_layers", &every, 0, MAX_LAYERS, false}};
    if (m->arch->recurrent != &block_rwkv6)
        return true;
    ERR_FORWARD(bind_ranges(m, layer, rows, 1, e));
    if (!every || (layer + 1) % every)
        return true;
    float *half = bind_alloc(m, sizeof *half, e);
    if (half)
        *half = 0.5f;
    m->layers[layer].out_scale = half;
    return half;
}

bool rwkv_layer(struct model *m, uint32_t layer, struct err *e) {
    ERR_FORWARD(layer_add(m, layer, "blk.%.attn_norm", NULL, m->arch->recurrent, e));
    ERR_FORWARD(layer_add(m, layer, "blk.%.attn_norm_2", NULL, &block_channel, e));
    return bind_rescale(m, layer, e);
}

// One after the other, with the first layer's values kept for the others.
void rwkv7_emit_layers(struct emitter *em, float *x) {
    const uint32_t n = em->m->shape.n_embd;
    em->first_value = emit_rows(em, n);
    for (uint32_t i = 0; i < em->m->shape.n_layers; i++)
        emit_layer(em, i, x);
    emit_norm(em, &em->m->output_norm, x, 1, n, x);
}
