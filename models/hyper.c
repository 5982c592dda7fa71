// SPDX-License-Identifier: MIT
// Hyper-connections (Zhu et al. 2024) as Qwen4 has them: what runs through the layers is not one vector a token but
// several streams. A step reads a mean of the normed streams, each element gated, and what it gives is added to every
// stream with a weight of the token. There are no other norms between steps.
#include "models/hyper.h"
#include "models/quirks.h"

// How a step reads the streams, and writes to them unless it is the end.
struct mixer {
    struct norm norm;       // [n_streams][n_embd]
    struct weight down, up; // low-rank gate
    struct weight inject;   // [n_streams], or empty
};

struct hyper {
    uint32_t n_streams, rank;
    struct mixer (*steps)[2]; // [n_layers]
    struct mixer end;
    struct ngram ngram;
};

// Where a layer has a compression ratio, attention chooses top_k keys, in blocks of so many. A context of no more needs
// no choice, and longer ones are not run.
static bool read_reach(struct model *m, struct err *e) {
    uint32_t top_k = 0, any = 0;
    const struct range_row rows[] = {{"attention.indexer.top_k", &top_k, 1, MAX_CTX, true}};
    ERR_FORWARD(bind_ranges(m, 0, rows, 1, e));
    for (uint32_t i = 0; i < m->shape.n_layers; i++) {
        uint32_t ratio = 0;
        ERR_FORWARD(bind_u32_at(m, "attention.compress_ratios", i, false, &ratio, e));
        any |= ratio;
    }
    if (!any)
        return true;
    m->shape.n_positions = top_k;
    m->shape.n_ctx = m->shape.n_ctx < top_k ? m->shape.n_ctx : top_k;
    m->hard_ctx = true;
    return true;
}

bool hyper_adjust(struct model *m, struct err *e) {
    struct hyper *h = m->special = bind_alloc(m, sizeof *h, e);
    if (!h)
        return false;
    const struct range_row rows[] = {
        {"hyper_connection.count", &h->n_streams, 2, MAX_STREAMS, true},
        {"hyper_connection.low_rank", &h->rank, 1, MAX_WIDTH, true},
    };
    ERR_FORWARD(bind_ranges(m, 0, rows, ARRAY_LEN(rows), e));
    ERR_FORWARD(read_reach(m, e));
    h->steps = bind_alloc(m, m->shape.n_layers * sizeof *h->steps, e);
    h->ngram.n_streams = h->n_streams;
    return h->steps && ngram_read(m, &h->ngram, e);
}

static bool bind_mixer(struct model *m, const struct hyper *h, uint32_t layer, const char *const names[4],
                       struct mixer *x, struct err *e) {
    const uint32_t all = h->n_streams * m->shape.n_embd;
    ERR_FORWARD(bind_norm(m, names[0], layer, all, true, &x->norm, e));
    ERR_FORWARD(bind_matrix(m, names[1], layer, h->rank, all, BIND_MUST, &x->down, e));
    ERR_FORWARD(bind_matrix(m, names[2], layer, all, h->rank, BIND_MUST, &x->up, e));
    return !names[3] || bind_matrix(m, names[3], layer, h->n_streams, all, BIND_MUST, &x->inject, e);
}

bool hyper_layer(struct model *m, uint32_t layer, struct err *e) {
    static const char *const names[2][4] = {
        {"blk.%.hc_attn_norm", "blk.%.hc_attn_down", "blk.%.hc_attn_up", "blk.%.hc_attn_inject"},
        {"blk.%.hc_ffn_norm", "blk.%.hc_ffn_down", "blk.%.hc_ffn_up", "blk.%.hc_ffn_inject"},
    };
    static const char *const end[4] = {"output_hc_norm", "output_hc_down", "output_hc_up", NULL};
    struct hyper *h = m->special;
    ERR_FORWARD(layer_bind(m, layer, e));
    for (int i = 0; i < 2; i++)
        ERR_FORWARD(bind_mixer(m, h, layer, names[i], &h->steps[layer][i], e));
    if (h->ngram.size && h->ngram.layer == layer)
        ERR_FORWARD(ngram_bind(m, &h->ngram, e));
    return layer + 1 < m->shape.n_layers || bind_mixer(m, h, layer, end, &h->end, e);
}

void emit_stream_norm(struct emitter *em, const struct norm *n, uint32_t n_streams, const float *x, float *y) {
    tape_norm(em->t, (struct tape_norm){.kind = n->kind,
                                        .x = x,
                                        .w = n->w,
                                        .b = n->b,
                                        .y = y,
                                        .groups = n_streams,
                                        .len = em->m->shape.n_embd,
                                        .w_of_group = true,
                                        .eps = n->eps});
}

void emit_streams(struct emitter *em, const float *x, const float *by, uint32_t n_streams, float *y) {
    const uint32_t n = em->m->shape.n_embd;
    tape_copy(em->t, (struct tape_copy){x, y, n_streams, n, n, 0, n_streams * n, n});
    if (by)
        tape_act(
            em->t,
            (struct tape_act){
                .activation = ACTIVATION_NONE, .a = by, .b = y, .y = y, .groups = n_streams, .len = n, .a_len = 1});
}

// Activations between the blocks. They keep their places: what one step does last and what the next does first go row
// by row without a barrier, so a row must not find there what another row put.
struct room {
    float *xs, *normed, *gate, *wide; // [rows][n_streams][n_embd]
    float *in, *out, *one;            // [rows][n_embd]
    float *low, *inject;              // [rows][rank], [rows][n_streams]
};

static struct room take_room(struct emitter *em, const struct hyper *h) {
    const uint32_t n = em->m->shape.n_embd, all = h->n_streams * n;
    struct room r = {.xs = emit_rows(em, all), .normed = emit_rows(em, all), .gate = emit_rows(em, all)};
    r.wide = emit_rows(em, all);
    r.in = emit_rows(em, n);
    r.out = emit_rows(em, n);
    r.one = emit_rows(em, n);
    r.low = emit_rows(em, h->rank);
    r.inject = emit_rows(em, h->n_streams);
    return r;
}

// y [rows][n_embd] = mean over the streams of sigmoid(gate) * norm(xs); and, unless this is the end, inject.
static void emit_mix(struct emitter *em, const struct hyper *h, const struct mixer *x, const struct room *r, float *y) {
    const uint32_t n = em->m->shape.n_embd, all = h->n_streams * n;
    const float scale = 1.0f / (float)h->n_streams;
    emit_stream_norm(em, &x->norm, h->n_streams, r->xs, r->normed);
    if (x->inject.data)
        tape_matmul2(em->t, r->normed, &x->down, r->low, &x->inject, r->inject);
    else
        tape_matmul(em->t, r->normed, &x->down, r->low);
    tape_scale(em->t, (struct tape_scale){r->low, NULL, 1, h->rank, false, scale});
    emit_act(em, ACTIVATION_SILU, r->low, h->rank, r->low);
    tape_matmul(em->t, r->low, &x->up, r->gate);
    emit_gated(em, ACTIVATION_SIGMOID, r->gate, r->normed, all, r->normed);
    emit_slice(em, r->normed, all, 0, n, y);
    for (uint32_t i = 1; i < h->n_streams; i++) {
        emit_slice(em, r->normed, all, i * n, n, r->one);
        tape_add(em->t, (struct tape_add){r->one, y, n, 1, false});
    }
    tape_scale(em->t, (struct tape_scale){y, NULL, 1, n, false, scale});
}

// The block of step i: xs += 2 sigmoid(inject / n_streams) * block(mix(xs)).
static void emit_step(struct emitter *em, const struct hyper *h, uint32_t layer, uint32_t i, const struct room *r) {
    const uint32_t n = em->m->shape.n_embd, streams = h->n_streams;
    const struct sub *s = &em->m->layers[layer].subs[i];
    const size_t mark = em->used;
    emit_mix(em, h, &h->steps[layer][i], r, r->in);
    tape_scale(em->t, (struct tape_scale){r->inject, NULL, 1, streams, false, 1.0f / (float)streams});
    emit_act(em, ACTIVATION_SIGMOID, r->inject, streams, r->inject);
    s->units[0].block->emit(em, layer, s->units[0].weights, r->in, r->out);
    emit_streams(em, r->out, r->inject, streams, r->wide);
    tape_add(em->t, (struct tape_add){r->wide, r->xs, streams * n, 2, false});
    em->used = mark;
}

void hyper_emit_layers(struct emitter *em, float *x) {
    const struct hyper *h = em->m->special;
    const struct room r = take_room(em, h);
    emit_streams(em, x, NULL, h->n_streams, r.xs);
    for (uint32_t i = 0; i < em->m->shape.n_layers; i++) {
        if (h->ngram.size && h->ngram.layer == i)
            ngram_emit(em, &h->ngram, r.xs);
        emit_step(em, h, i, 0, &r);
        emit_step(em, h, i, 1, &r);
    }
    emit_mix(em, h, &h->end, &r, x);
}
