// SPDX-License-Identifier: MIT
// The feed-forward network: activation(x W_up) W_down, or gated, activation(x W_gate) * (x W_up) W_down (Shazeer 2020).
#include "models/ffn.h"

#include <math.h>

#include "base/num.h"

// The inner width: what most of the tensors and the key say, so that the odd one out is the one that is named.
static uint32_t inner_width(const struct model *m, const struct ffn_names *n, uint32_t layer) {
    uint32_t up = bind_dim(m, n->up, layer, 1), down = bind_dim(m, n->down, layer, 0), said = m->shape.n_ff, best = 0;
    struct err ignored;
    bind_u32_at(m, "feed_forward_length", layer, false, &said, &ignored);
    const uint32_t votes[] = {down, bind_dim(m, n->gate, layer, 1), up, m->ffn == FFN_FUSED ? up / 2 : up, said};
    for (size_t i = 0, most = 0; i < ARRAY_LEN(votes); i++) {
        size_t count = 0;
        for (size_t j = 0; j < ARRAY_LEN(votes); j++)
            count += votes[j] == votes[i];
        if (votes[i] && count > most) {
            best = votes[i];
            most = count;
        }
    }
    return best;
}

bool ffn_bind_named(struct model *m, const struct ffn_names *n, uint32_t layer, bool required, struct ffn *f,
                    struct err *e) {
    const enum ffn_shape shape = m->ffn;
    const uint32_t n_embd = m->shape.n_embd, n_ff = inner_width(m, n, layer);
    const unsigned bias = m->arch->flags & ARCH_BIAS_FFN && required ? BIND_BIAS_MUST
                          : m->arch->flags & ARCH_NO_BIASES          ? 0
                                                                     : BIND_BIAS;
    const unsigned flags = (required ? BIND_MUST : 0u) | bias;
    ERR_FORWARD(bind_matrix(m, n->down, layer, n_embd, n_ff, flags, &f->down, e));
    if (!f->down.data)
        return true;
    // Some architectures come with both halves in one matrix or in two.
    bool fused = shape == FFN_FUSED && (bind_dim(m, n->up, layer, 1) == 2 * n_ff || !bind_has(m, n->gate, layer));
    if (!fused) {
        if (shape != FFN_PLAIN)
            ERR_FORWARD(bind_matrix(m, n->gate, layer, n_ff, n_embd, flags | BIND_MUST, &f->gate, e));
        return bind_matrix(m, n->up, layer, n_ff, n_embd, flags | BIND_MUST, &f->up, e);
    }
    struct weight both;
    ERR_FORWARD(bind_matrix(m, n->up, layer, 2 * n_ff, n_embd, flags | BIND_MUST, &both, e));
    f->gate = bind_rows(&both, 0, n_ff);
    f->up = bind_rows(&both, n_ff, n_ff);
    return true;
}

static float *emit_xielu(struct emitter *em, const struct ffn *f, const float *up) {
    struct tape_xielu o = *f->xielu;
    o.x = up;
    o.y = emit_rows(em, f->up.rows);
    o.len = f->up.rows;
    tape_xielu(em->t, o);
    return o.y;
}

void ffn_emit_act(struct emitter *em, enum activation activation, float limit, const float *gate, float *up,
                  uint32_t n) {
    tape_act(em->t, (struct tape_act){.activation = activation,
                                      .limit_kind = limit > 0 ? em->m->arch->limit : LIMIT_NONE,
                                      .limit = limit,
                                      .a = gate ? gate : up,
                                      .b = gate ? up : NULL,
                                      .y = up,
                                      .groups = 1,
                                      .len = n,
                                      .a_len = n});
}

void ffn_emit_named(struct emitter *em, const struct ffn *f, const float *x, float *y) {
    const uint32_t n_ff = f->up.rows;
    float *up = emit_rows(em, n_ff), *gate = f->gate.data ? emit_rows(em, n_ff) : NULL;
    if (gate)
        tape_matmul2(em->t, x, &f->gate, gate, &f->up, up);
    else
        tape_matmul(em->t, x, &f->up, up);
    if (f->sparse)
        tape_sparsify(em->t, gate, n_ff, f->sparsity);
    if (f->xielu)
        up = emit_xielu(em, f, up);
    else
        ffn_emit_act(em, em->m->activation, f->limit, gate, up, n_ff);
    if (f->act_divisor)
        tape_scale(em->t, (struct tape_scale){up, f->act_divisor, 1, n_ff, false, 1});
    if (f->sub_norm.there)
        emit_norm(em, &f->sub_norm, up, 1, n_ff, up);
    tape_matmul(em->t, up, &f->down, y);
}

static const struct ffn_names names = {"blk.%.ffn_gate", "blk.%.ffn_up", "blk.%.ffn_down"};

// Activations are divided by ffn_act.scales where the file has them (MPT).
static bool bind_divisor(struct model *m, uint32_t layer, struct ffn *f, struct err *e) {
    const float *scales;
    ERR_FORWARD(bind_floats(m, "blk.%.ffn.act", "scales", layer, f->up.rows, false, &scales, e));
    if (!scales)
        return true;
    float *inverse = bind_alloc(m, f->up.rows * sizeof *inverse, e);
    for (uint32_t i = 0; inverse && i < f->up.rows; i++)
        inverse[i] = 1.0f / scales[i];
    f->act_divisor = inverse;
    return inverse;
}

// The numbers of xIELU (Apertus), under keys without a prefix: what softplus makes alphas of, as training leaves them.
static bool bind_xielu(struct model *m, uint32_t layer, struct ffn *f, struct err *e) {
    struct tape_xielu *o = bind_alloc(m, sizeof *o, e);
    if (!o)
        return false;
    ERR_FORWARD(bind_f32_whole(m, "xielu.alpha_n", layer, true, &o->alpha_n, e));
    ERR_FORWARD(bind_f32_whole(m, "xielu.alpha_p", layer, true, &o->alpha_p, e));
    ERR_FORWARD(bind_f32_whole(m, "xielu.beta", layer, true, &o->beta, e));
    ERR_FORWARD(bind_f32_whole(m, "xielu.eps", layer, true, &o->eps, e));
    o->alpha_n = o->beta + num_softplus(o->alpha_n);
    o->alpha_p = num_softplus(o->alpha_p);
    f->xielu = o;
    return true;
}

// Of gates only what stands out is kept (Gemma 3n): -inf in the list for layers that keep all, and where there is no
// list the first ten layers keep the upper twentieth of a normal distribution.
static bool bind_sparsity(struct model *m, uint32_t layer, struct ffn *f, struct err *e) {
    f->sparsity = layer < 10 ? 1.6448536f : -INFINITY;
    ERR_FORWARD(bind_f32_at(m, "activation_sparsity_scale", layer, false, &f->sparsity, e));
    f->sparse = f->sparsity > -INFINITY;
    return true;
}

static bool ffn_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct ffn *f = *weights = bind_alloc(m, sizeof *f, e);
    if (!f)
        return false;
    ERR_FORWARD(ffn_bind_named(m, &names, layer, true, f, e));
    f->limit = m->arch->limit == LIMIT_OAI ? 7 : 0;
    if (m->arch->keys & KEY_LIMITS)
        ERR_FORWARD(bind_f32_at(m, "swiglu_clamp_shexp", layer, false, &f->limit, e));
    ERR_FORWARD(bind_norm(m, "blk.%.ffn_sub_norm", layer, f->up.rows, false, &f->sub_norm, e));
    if (m->arch->keys & KEY_XIELU)
        ERR_FORWARD(bind_xielu(m, layer, f, e));
    if (m->arch->keys & KEY_SPARSITY)
        ERR_FORWARD(bind_sparsity(m, layer, f, e));
    return bind_divisor(m, layer, f, e);
}

static void ffn_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    (void)layer;
    ffn_emit_named(em, weights, x, y);
}

const struct block block_ffn = {"feed-forward", ffn_bind, ffn_emit};
