// SPDX-License-Identifier: MIT
// Mixtures of experts (Shazeer et al. 2017): a router chooses a few feed-forward networks for each token, and what they
// give is added by weight, in the order of their rank; beside them there may be networks that every token goes through.
#include "base/num.h"
#include "models/ffn.h"

struct experts {
    uint32_t n_used, n_groups, n_groups_used;
    struct weight router;
    struct norm router_norm;  // of the step's x; or none: the router reads what the experts read
    const float *choice_bias; // [n_experts] or NULL
    struct weight gate, up, down;
    struct weight latent_down, latent_up; // the experts work in a narrower space (Nemotron); or empty
    struct ffn shared, dense;             // empty where there are none
    struct weight shared_gate;            // [1][n_embd]
    float limit;
};

static const struct ffn_names shared_names = {"blk.%.ffn_gate_shexp", "blk.%.ffn_up_shexp", "blk.%.ffn_down_shexp"};
static const struct ffn_names dense_names = {"blk.%.ffn_gate", "blk.%.ffn_up", "blk.%.ffn_down"};

static bool read_counts(struct model *m, uint32_t layer, struct experts *x, struct err *e) {
    const struct range_row rows[] = {
        {"expert_used_count", &x->n_used, 1, m->n_experts, true},
        {"expert_group_count", &x->n_groups, 0, m->n_experts, false},
        {"expert_group_used_count", &x->n_groups_used, 0, m->n_experts, false},
    };
    ERR_FORWARD(bind_ranges(m, layer, rows, ARRAY_LEN(rows), e));
    ERR_IF(x->n_groups > 1 && (m->n_experts % x->n_groups || !x->n_groups_used || x->n_groups_used >= x->n_groups), e,
           ERR_INPUT, "%s: key %s.expert_group_count: %u of %u groups of %u experts cannot be chosen", m->file->path,
           m->arch->name, x->n_groups_used, x->n_groups, m->n_experts);
    return true;
}

static bool bind_stacks(struct model *m, uint32_t layer, struct experts *x, struct err *e) {
    const uint32_t n = m->n_experts, down = bind_dim(m, "blk.%.ffn_down_exps", layer, 0),
                   up = bind_dim(m, "blk.%.ffn_up_exps", layer, 1), gate = bind_dim(m, "blk.%.ffn_gate_exps", layer, 1);
    const uint32_t fused = bind_dim(m, "blk.%.ffn_gate_up_exps", layer, 1) / 2;
    uint32_t said = 0;
    struct err ignored;
    bind_u32_at(m, "expert_feed_forward_length", layer, false, &said, &ignored);
    // The odd one out is named.
    const uint32_t n_ff = up && up == gate ? up : fused && fused == said ? fused : down ? down : m->shape.n_ff;
    const uint32_t width = x->latent_down.data ? x->latent_down.rows : m->shape.n_embd;
    const unsigned flags = BIND_MUST | (m->arch->moe & MOE_BIAS ? BIND_BIAS_MUST : BIND_BIAS);
    struct weight both;
    ERR_FORWARD(bind_matrices(m, "blk.%.ffn_down_exps", layer, n, width, n_ff, flags, &x->down, e));
    ERR_FORWARD(bind_matrices(m, "blk.%.ffn_gate_up_exps", layer, n, 2 * n_ff, width, BIND_BIAS, &both, e));
    if (both.data) {
        x->gate = bind_rows(&both, 0, n_ff);
        x->up = bind_rows(&both, n_ff, n_ff);
        return true;
    }
    ERR_FORWARD(bind_matrices(m, "blk.%.ffn_up_exps", layer, n, n_ff, width, flags, &x->up, e));
    return m->ffn == FFN_PLAIN || bind_matrices(m, "blk.%.ffn_gate_exps", layer, n, n_ff, width, flags, &x->gate, e);
}

// What every token goes through beside its experts.
static bool bind_beside(struct model *m, uint32_t layer, struct experts *x, struct err *e) {
    ERR_FORWARD(ffn_bind_named(m, &shared_names, layer, false, &x->shared, e));
    if (x->shared.down.data)
        ERR_FORWARD(bind_matrix(m, "blk.%.ffn_gate_inp_shexp", layer, 1, m->shape.n_embd, 0, &x->shared_gate, e));
    return !(m->arch->moe & MOE_DENSE) || ffn_bind_named(m, &dense_names, layer, false, &x->dense, e);
}

static bool read_limits(struct model *m, uint32_t layer, struct experts *x, struct err *e) {
    x->limit = x->shared.limit = m->arch->limit == LIMIT_OAI ? 7 : 0;
    if (!(m->arch->keys & KEY_LIMITS))
        return true;
    ERR_FORWARD(bind_f32_at(m, "swiglu_clamp_exp", layer, false, &x->limit, e));
    return bind_f32_at(m, "swiglu_clamp_shexp", layer, false, &x->shared.limit, e);
}

// The norm before the router, whose weights come divided.
static bool bind_router_norm(struct model *m, uint32_t layer, struct norm *n, struct err *e) {
    const uint32_t n_embd = m->shape.n_embd;
    const float *scale, root = num_sqrt((float)n_embd);
    float *w = bind_alloc(m, n_embd * sizeof *w, e);
    ERR_FORWARD(w && bind_floats(m, "blk.%.ffn_gate_inp", "scale", layer, n_embd, true, &scale, e));
    for (uint32_t i = 0; i < n_embd; i++)
        w[i] = scale[i] / root;
    *n = (struct norm){.there = true, .kind = m->norm, .w = w, .eps = m->eps};
    return true;
}

static bool bind_router(struct model *m, uint32_t layer, struct experts *x, struct err *e) {
    struct weight *router = m->arch->moe & MOE_ROUTE_EARLY ? &m->layers[layer].early_router : &x->router;
    const unsigned bias = m->arch->moe & MOE_BIAS ? BIND_BIAS_MUST : BIND_BIAS;
    const bool normed = m->arch->moe & MOE_ROUTER_NORM;
    const unsigned flags = BIND_MUST | bias | (normed ? BIND_NO_SCALE : 0u);
    ERR_FORWARD(bind_matrix(m, "blk.%.ffn_gate_inp", layer, m->n_experts, m->shape.n_embd, flags, router, e));
    ERR_FORWARD(!normed || bind_router_norm(m, layer, &x->router_norm, e));
    return bind_floats(m, "blk.%.exp_probs_b", "bias", layer, m->n_experts, false, &x->choice_bias, e);
}

static bool bind_latent(struct model *m, uint32_t layer, struct experts *x, struct err *e) {
    const uint32_t n_embd = m->shape.n_embd, width = bind_dim(m, "blk.%.ffn_latent_down", layer, 1);
    if (!width)
        return true;
    ERR_FORWARD(bind_matrix(m, "blk.%.ffn_latent_down", layer, width, n_embd, BIND_MUST, &x->latent_down, e));
    return bind_matrix(m, "blk.%.ffn_latent_up", layer, n_embd, width, BIND_MUST, &x->latent_up, e);
}

static bool experts_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct experts *x = *weights = bind_alloc(m, sizeof *x, e);
    if (!x)
        return false;
    ERR_FORWARD(read_counts(m, layer, x, e));
    ERR_FORWARD(bind_router(m, layer, x, e));
    ERR_FORWARD(bind_latent(m, layer, x, e));
    ERR_FORWARD(bind_stacks(m, layer, x, e));
    ERR_FORWARD(bind_beside(m, layer, x, e));
    return read_limits(m, layer, x, e);
}

// The choice for every token of the batch; `route` says how, and is completed.
static struct tape_groups emit_route(struct emitter *em, struct tape_route route) {
    const uint32_t rows = em->batch->rows, n = route.n_used;
    struct tape_groups g = {.n_experts = route.n_experts / route.divide, .n_used = n};
    route.ids = (int32_t *)(void *)emit_rows(em, n);
    route.weights = emit_rows(em, n);
    g.ids = route.ids;
    g.weights = route.weights;
    g.begin = (uint32_t *)(void *)emit_take(em, g.n_experts + 1);
    g.slot = (uint32_t *)(void *)emit_take(em, (size_t)rows * n);
    g.source = (uint32_t *)(void *)emit_take(em, (size_t)rows * n);
    tape_route(em->t, route);
    tape_group(em->t, g);
    return g;
}

// y [rows][width] = what the chosen networks give for x [rows][width].
static void emit_networks(struct emitter *em, const struct tape_groups *g, const struct weight *gate,
                          const struct weight *up, const struct weight *down, float limit, const float *x, float *y) {
    const struct arch *a = em->m->arch;
    const uint32_t slots = em->batch->rows * g->n_used, n_ff = up->rows, width = down->rows, rows = em->batch->rows;
    const bool weigh_first = a->moe & MOE_WEIGH_FIRST;
    float *u = emit_take(em, (size_t)slots * n_ff), *v = gate->data ? emit_take(em, (size_t)slots * n_ff) : NULL;
    float *out = emit_take(em, (size_t)slots * width);
    struct tape_matmul in = {.x = x, .n = v ? 2 : 1, .w = {up, gate}, .y = {u, v}, .groups = *g};
    if (weigh_first) {
        float *weighed = emit_take(em, (size_t)slots * width);
        tape_spread(em->t, (struct tape_spread){*g, x, weighed, width});
        in.x = weighed;
        in.of_slots = true;
        tape_rows(em->t, slots);
    }
    tape_matmuls(em->t, in);
    tape_rows(em->t, slots);
    ffn_emit_act(em, a->activation, limit, v, u, n_ff);
    tape_matmuls(em->t, (struct tape_matmul){.x = u, .n = 1, .w = {down}, .y = {out}, .groups = *g, .of_slots = true});
    tape_rows(em->t, rows);
    tape_combine(em->t, (struct tape_combine){*g, out, y, width, !weigh_first});
}

static void emit_add(struct emitter *em, const float *x, float *y) {
    tape_add(em->t, (struct tape_add){x, y, em->m->shape.n_embd, 1, false});
}

static void emit_beside(struct emitter *em, const struct experts *w, const float *x, float *y) {
    const uint32_t n_embd = em->m->shape.n_embd;
    float *out = emit_rows(em, n_embd), *gate = emit_rows(em, 1);
    if (w->shared.down.data) {
        ffn_emit_named(em, &w->shared, x, out);
        if (w->shared_gate.data) {
            tape_matmul(em->t, x, &w->shared_gate, gate);
            tape_act(em->t, (struct tape_act){.activation = ACTIVATION_SIGMOID,
                                              .a = gate,
                                              .b = out,
                                              .y = out,
                                              .groups = 1,
                                              .len = n_embd,
                                              .a_len = 1});
        }
        emit_add(em, out, y);
    }
    if (w->dense.down.data) {
        ffn_emit_named(em, &w->dense, x, out);
        emit_add(em, out, y);
    }
    if (em->m->arch->beside_scale > 0 && (w->shared.down.data || w->dense.down.data))
        tape_scale(em->t, (struct tape_scale){y, NULL, 1, n_embd, false, em->m->arch->beside_scale});
}

static const float *emit_logits(struct emitter *em, const struct experts *w, const float *x) {
    if (em->router_logits)
        return em->router_logits;
    float *logits = emit_rows(em, em->m->n_experts);
    if (w->router_norm.there)
        x = emit_normed(em, &w->router_norm, em->x, emit_rows(em, em->m->shape.n_embd));
    tape_matmul(em->t, x, &w->router, logits);
    return logits;
}

static struct tape_route route_of(const struct model *m, const struct experts *w, const float *logits) {
    return (struct tape_route){
        .logits = logits,
        .bias = w->choice_bias,
        .n_experts = m->n_experts,
        .n_used = w->n_used,
        .n_groups = w->n_groups,
        .n_groups_used = w->n_groups_used,
        .divide = 1,
        .gating = (enum gating)m->expert_gating,
        .choose_by = m->arch->choose_by,
        .normalize = m->expert_norm,
        .scale = m->expert_scale,
    };
}

static void experts_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct experts *w = weights;
    struct tape_groups g = emit_route(em, route_of(em->m, w, emit_logits(em, w, x)));
    (void)layer;
    if (w->latent_down.data) {
        float *narrow = emit_rows(em, w->latent_down.rows), *out = emit_rows(em, w->latent_down.rows);
        tape_matmul(em->t, x, &w->latent_down, narrow);
        emit_networks(em, &g, &w->gate, &w->up, &w->down, w->limit, narrow, out);
        tape_matmul(em->t, out, &w->latent_up, y);
    } else {
        emit_networks(em, &g, &w->gate, &w->up, &w->down, w->limit, x, y);
    }
    emit_beside(em, w, x, y);
}

const struct block block_experts = {"experts", experts_bind, experts_emit};

// GroveMoE (Wu et al. 2025): behind the experts, smaller ones that a group of them shares, of what the experts gave.
struct grove {
    struct experts plain;
    struct weight gate, up, down;
    uint32_t n_used, divide;
    float scale;
};

static bool grove_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct grove *g = *weights = bind_alloc(m, sizeof *g, e);
    void *plain;
    if (!g)
        return false;
    ERR_FORWARD(experts_bind(m, layer, &plain, e));
    g->plain = *(struct experts *)plain;
    const struct range_row rows[] = {{"experts_per_group", &g->divide, 1, m->n_experts, true}};
    ERR_FORWARD(bind_ranges(m, 0, rows, 1, e));
    ERR_FORWARD(bind_f32(m, "expert_group_scale", true, &g->scale, e));
    ERR_IF(m->n_experts % g->divide, e, ERR_INPUT, "%s: key %s.experts_per_group: %u does not divide %u experts",
           m->file->path, m->arch->name, g->divide, m->n_experts);
    const uint32_t n = m->n_experts / g->divide, n_embd = m->shape.n_embd;
    const uint32_t n_ff = bind_dim(m, "blk.%.ffn_down_chexps", layer, 0);
    g->n_used = g->plain.n_used < n ? g->plain.n_used : n;
    ERR_FORWARD(bind_matrices(m, "blk.%.ffn_down_chexps", layer, n, n_embd, n_ff ? n_ff : 1, BIND_MUST, &g->down, e));
    ERR_FORWARD(bind_matrices(m, "blk.%.ffn_up_chexps", layer, n, n_ff, n_embd, BIND_MUST, &g->up, e));
    return bind_matrices(m, "blk.%.ffn_gate_chexps", layer, n, n_ff, n_embd, BIND_MUST, &g->gate, e);
}

static void grove_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct grove *w = weights;
    const float *logits = emit_logits(em, &w->plain, x);
    float *out = emit_rows(em, em->m->shape.n_embd);
    struct tape_route route = route_of(em->m, &w->plain, logits);
    struct tape_groups g = emit_route(em, route);
    (void)layer;
    emit_networks(em, &g, &w->plain.gate, &w->plain.up, &w->plain.down, 0, x, y);
    route.n_used = w->n_used;
    route.divide = w->divide;
    g = emit_route(em, route);
    emit_networks(em, &g, &w->gate, &w->up, &w->down, 0, y, out);
    tape_add(em->t, (struct tape_add){out, y, em->m->shape.n_embd, w->scale, false});
}

const struct block block_grove = {"grove experts", grove_bind, grove_emit};
