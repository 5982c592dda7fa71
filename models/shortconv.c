// SPDX-License-Identifier: MIT
// Short gated convolutions (Liquid AI's LFM2): y = c * conv(b * x), with b, c and x of the token.
#include "models/recurrent.h"

struct shortconv {
    struct weight b, c, x, out;
    struct conv conv;
};

static bool shortconv_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct shortconv *w = *weights = bind_alloc(m, sizeof *w, e);
    const uint32_t n = m->shape.n_embd;
    struct weight in;
    uint32_t width = 0;
    if (!w)
        return false;
    const struct range_row rows[] = {{"shortconv.l_cache", &width, 1, 64, true}};
    ERR_FORWARD(bind_ranges(m, 0, rows, 1, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.shortconv.in_proj", layer, 3 * n, n, BIND_MUST, &in, e));
    w->b = bind_rows(&in, 0, n);
    w->c = bind_rows(&in, n, n);
    w->x = bind_rows(&in, 2 * n, n);
    ERR_FORWARD(conv_bind(m, "blk.%.shortconv.conv", layer, n, width, false, &w->conv, e));
    w->conv.silu = false;
    m->layers[layer].state_size = conv_state_size(&w->conv);
    return bind_matrix(m, "blk.%.shortconv.out_proj", layer, n, n, BIND_MUST, &w->out, e);
}

static void shortconv_emit(struct emitter *em, uint32_t layer, const void *weights, const float *h, float *y) {
    const struct shortconv *w = weights;
    const uint32_t n = em->m->shape.n_embd;
    float *b = emit_rows(em, n), *c = emit_rows(em, n), *x = emit_rows(em, n), *u = emit_rows(em, n);
    tape_matmul3(em->t, h, &w->b, b, &w->c, c, &w->x, x);
    emit_gated(em, ACTIVATION_NONE, b, x, n, x);
    conv_emit(em, &w->conv, x, n, em->batch->state[layer], u);
    emit_gated(em, ACTIVATION_NONE, c, u, n, u);
    tape_matmul(em->t, u, &w->out, y);
}

const struct block block_shortconv = {"short convolution", shortconv_bind, shortconv_emit};
