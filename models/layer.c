// SPDX-License-Identifier: MIT
// Layers: steps of the form x += scale * norm(blocks(norm(x))), and the frame that most decoders share: attention, or a
// recurrence in its place, then a feed-forward or a mixture of experts.
#include "models/model_impl.h"

// Names of the norms before and behind attention and feed-forward; what begins with ? may be absent.
static const struct {
    const char *attn_in, *attn_out, *ffn_in, *ffn_out;
    bool parallel;
} schemes[] = {
    [NORMS_PRE] = {"blk.%.attn_norm", NULL, "blk.%.ffn_norm", NULL, false},
    [NORMS_PRE_POST] = {"blk.%.attn_norm", NULL, "blk.%.post_attention_norm", NULL, false},
    [NORMS_PRE_OUT] = {"blk.%.attn_norm", NULL, "blk.%.attn_output_norm", NULL, false},
    [NORMS_SANDWICH] = {"blk.%.attn_norm", "blk.%.post_attention_norm", "blk.%.ffn_norm", "blk.%.post_ffw_norm", false},
    [NORMS_GROK] = {"blk.%.attn_norm", "blk.%.attn_output_norm", "blk.%.ffn_norm", "blk.%.layer_output_norm", false},
    [NORMS_POST] = {NULL, "blk.%.post_attention_norm", NULL, "blk.%.post_ffw_norm", false},
    [NORMS_PARALLEL] = {"blk.%.attn_norm", NULL, NULL, NULL, true},
    [NORMS_PARALLEL_TWO] = {"blk.%.attn_norm", NULL, "blk.%.ffn_norm", NULL, true},
    [NORMS_PARALLEL_FALCON] = {"blk.%.attn_norm", NULL, NULL, NULL, true},
    [NORMS_STABLELM] = {"blk.%.attn_norm", NULL, "?blk.%.ffn_norm", NULL, false},
    [NORMS_ONE] = {"blk.%.attn_norm", NULL, "blk.%.attn_norm", NULL, false},
    [NORMS_ADDED] = {NULL, "blk.%.attn_output_norm", NULL, "blk.%.layer_output_norm", false},
    [NORMS_BARE] = {NULL, NULL, NULL, NULL, false},
    [NORMS_NONE] = {NULL, NULL, NULL, NULL, false},
};

// A norm by its name in the table; without a name the norm without weights where the architecture has only those.
static bool bind_named(struct model *m, uint32_t layer, const char *name, struct norm *out, struct err *e) {
    bool may = name && name[0] == '?';
    ERR_FORWARD(bind_norm(m, may ? name + 1 : name, layer, m->shape.n_embd, !may, out, e));
    return true;
}

bool layer_join(struct model *m, uint32_t layer, const char *in, const char *out, const struct block *block,
                struct err *e) {
    struct model_layer *l = &m->layers[layer];
    struct sub *s = &l->subs[l->n_subs - 1];
    struct unit *u = &s->units[s->n_units++];
    u->block = block;
    ERR_FORWARD(bind_named(m, layer, in, &u->in, e));
    ERR_FORWARD(bind_named(m, layer, out, &u->out, e));
    return block->bind(m, layer, &u->weights, e);
}

bool layer_add(struct model *m, uint32_t layer, const char *in, const char *out, const struct block *block,
               struct err *e) {
    struct model_layer *l = &m->layers[layer];
    struct sub *s = &l->subs[l->n_subs++];
    s->scale = m->arch->flags & ARCH_RESIDUAL_NORMED ? 1 : m->residual_scale;
    ERR_FORWARD(bind_named(m, layer, in, &s->in, e));
    ERR_FORWARD(bind_named(m, layer, out, &s->out, e));
    s->out_of_sum = m->arch->norms == NORMS_ADDED;
    if (m->arch->norms == NORMS_BARE)
        s->in.there = true;
    if (m->arch->post_eps > 0)
        s->out.eps = m->arch->post_eps;
    return !block || layer_join(m, layer, NULL, NULL, block, e);
}

static const struct block *mixer_of(const struct model *m, uint32_t layer) {
    const struct arch *a = m->arch;
    if (m->layers[layer].recurrent)
        return a->recurrent;
    return a->attention ? a->attention : &block_attention;
}

// A layer has experts when their router is there, or when nothing else is that could be a feed-forward.
const struct block *layer_ffn(const struct model *m, uint32_t layer) {
    bool routed = bind_has(m, "blk.%.ffn_gate_inp", layer);
    bool dense = bind_has(m, "blk.%.ffn_up", layer) || bind_has(m, "blk.%.ffn_down", layer);
    const struct block *experts = m->arch->experts ? m->arch->experts : &block_experts;
    return m->n_experts && (routed || !dense) ? experts : &block_ffn;
}

// The first of two parallel steps may have a norm of its own where the file has it; the second then reads the usual
// one.
static bool bind_falcon(struct model *m, struct model_layer *l, uint32_t layer, struct err *e) {
    struct norm second;
    ERR_FORWARD(bind_norm(m, "blk.%.attn_norm_2", layer, m->shape.n_embd, false, &second, e));
    if (second.there) {
        l->subs[1].in = l->subs[0].in;
        l->subs[0].in = second;
    }
    return true;
}

bool layer_bind(struct model *m, uint32_t layer, struct err *e) {
    struct model_layer *l = &m->layers[layer];
    const enum norms n = m->arch->norms;
    ERR_FORWARD(layer_add(m, layer, schemes[n].attn_in, schemes[n].attn_out, mixer_of(m, layer), e));
    ERR_FORWARD(layer_add(m, layer, schemes[n].ffn_in, schemes[n].ffn_out, layer_ffn(m, layer), e));
    l->subs[1].same_input = schemes[n].parallel || (n == NORMS_STABLELM && !l->subs[1].in.there);
    return n != NORMS_PARALLEL_FALCON || bind_falcon(m, l, layer, e);
}

// y = the sum of the step's blocks for the input h.
static void emit_units(struct emitter *em, uint32_t layer, const struct sub *s, const float *h, float *y) {
    const size_t mark = em->used, n_embd = em->m->shape.n_embd;
    for (uint32_t i = 0; i < s->n_units; i++) {
        const struct unit *u = &s->units[i];
        float *out = i ? emit_rows(em, n_embd) : y;
        const float *in = u->in.there ? emit_normed(em, &u->in, h, emit_rows(em, n_embd)) : h;
        u->block->emit(em, layer, u->weights, in, out);
        if (u->out.there)
            emit_norm(em, &u->out, out, 1, (uint32_t)n_embd, out);
        if (i)
            tape_add(em->t, (struct tape_add){out, y, (uint32_t)n_embd, 1, false});
        em->used = mark;
    }
}

static void emit_early_router(struct emitter *em, const struct model_layer *l, const float *x) {
    em->router_logits = NULL;
    if (!l->early_router.data)
        return;
    float *logits = emit_rows(em, l->early_router.rows);
    tape_matmul(em->t, x, &l->early_router, logits);
    em->router_logits = logits;
}

// Before anything is added: x itself becomes the step's normed input, scaled, where that is what steps add to.
static void emit_base(struct emitter *em, const float *input, float *x) {
    const uint32_t n = em->m->shape.n_embd;
    if (!(em->m->arch->flags & ARCH_RESIDUAL_NORMED))
        return;
    tape_copy(em->t, (struct tape_copy){input, x, 1, n, n, 0, n, 0});
    tape_scale(em->t, (struct tape_scale){x, NULL, 1, n, false, em->m->residual_scale});
}

// What is done to the sum of a step; before is what x was before it, where that is wanted again.
static void emit_sum(struct emitter *em, const struct sub *s, const float *before, float *x) {
    const uint32_t n = em->m->shape.n_embd;
    if (s->out.there && s->out_of_sum)
        emit_norm(em, &s->out, x, 1, n, x);
    if (s->sum_scale > 0)
        tape_scale(em->t, (struct tape_scale){x, NULL, 1, n, false, s->sum_scale});
    if (s->again.there) {
        tape_add(em->t, (struct tape_add){before, x, n, 1, false});
        emit_norm(em, &s->again, x, 1, n, x);
    }
}

// What follows the last step; h is free.
static void emit_layer_end(struct emitter *em, const struct model_layer *l, float *h, float *x) {
    const uint32_t n = em->m->shape.n_embd;
    if (l->skip_scale) {
        tape_copy(em->t, (struct tape_copy){em->embedding, h, 1, n, n, 0, n, 0});
        tape_scale(em->t, (struct tape_scale){h, l->skip_scale, 1, n, true, 1});
        tape_add(em->t, (struct tape_add){h, x, n, 1, false});
    }
    if (l->out_scale)
        tape_scale(em->t, (struct tape_scale){x, l->out_scale, 1, n, true, 1});
}

// Whether the steps from `first` on look at each row by itself and at nothing that was made for all rows.
static bool rows_stand_alone(const struct model_layer *l, uint32_t first) {
    bool alone = first > 0 && !l->skip_scale && !l->early_router.data && !l->subs[first].same_input;
    for (uint32_t i = 0; i < first; i++)
        alone &= !l->subs[i].late;
    for (uint32_t i = first; i < l->n_subs; i++)
        for (uint32_t k = 0; k < l->subs[i].n_units; k++) {
            const struct block *b = l->subs[i].units[k].block;
            alone &= b == &block_ffn || b == &block_experts;
        }
    return alone;
}

// Goes on without the rows that nobody wants. Of a prompt that is all but the last one, so what follows the last
// layer's attention is computed once and not for every token. Returns where x goes on.
static float *leave_out(struct emitter *em, float *x) {
    em->last = false;
    em->skip = em->batch->rows - em->batch->wanted;
    em->rest = *em->batch;
    em->rest.rows = em->rest.wanted;
    em->rest.pos += em->skip;
    em->rest.ids += em->skip;
    em->batch = &em->rest;
    em->t->rows = em->rest.rows;
    return x + (size_t)em->skip * em->m->shape.n_embd;
}

void emit_layer(struct emitter *em, uint32_t layer, float *x) {
    const struct model_layer *l = &em->m->layers[layer];
    const uint32_t n_embd = em->m->shape.n_embd;
    const size_t mark = em->used;
    float *h = emit_rows(em, n_embd), *own = emit_rows(em, n_embd), *out[MAX_SUBS] = {0};
    const float *input = x;
    for (uint32_t i = 0; i < l->n_subs; i++)
        out[i] = emit_rows(em, n_embd);
    emit_early_router(em, l, x);
    for (uint32_t i = 0, first = 0; i < l->n_subs; i++) {
        const struct sub *s = &l->subs[i];
        if (em->last && em->batch->wanted < em->batch->rows && rows_stand_alone(l, i))
            x = leave_out(em, x);
        if (!em->t->rows) {
            em->used = mark;
            return;
        }
        em->x = x;
        if (s->same_input && s->in.there)
            input = emit_normed(em, &s->in, x, own);
        else if (!s->same_input)
            input = emit_normed(em, &s->in, x, h);
        emit_units(em, layer, s, input, out[i]);
        if (s->out.there && !s->out_of_sum)
            emit_norm(em, &s->out, out[i], 1, n_embd, out[i]);
        if (i + 1 < l->n_subs && l->subs[i + 1].same_input)
            continue; // added when all that read this x have done so
        emit_base(em, input, x);
        if (s->again.there) // such steps have no norm before them: h is free
            tape_copy(em->t, (struct tape_copy){x, h, 1, n_embd, n_embd, 0, n_embd, 0});
        for (; first <= i; first++)
            if (!l->subs[first].late)
                tape_add(em->t, (struct tape_add){out[first], x, n_embd, l->subs[first].scale, false});
        emit_sum(em, s, h, x);
    }
    for (uint32_t i = 0; i < l->n_subs; i++)
        if (l->subs[i].late)
            tape_add(em->t, (struct tape_add){out[i], x, n_embd, l->subs[i].scale, false});
    emit_layer_end(em, l, h, x);
    em->used = mark;
}
