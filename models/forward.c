// SPDX-License-Identifier: MIT
// The forward pass of a transformer decoder (Vaswani et al. 2017; Touvron et al. 2023), written onto a tape.
#include "models/model_impl.h"

// The buffers of a batch, one after the other in its activation memory; n rows each.
struct buffers {
    float *x;   // [n][n_embd] the residual stream
    float *h;   // [n][n_embd] a normed copy, input of matrices
    float *out; // [n][n_embd] output of a block, added to x
    float *q, *k, *v;
    float *attn;               // [n][n_heads * head_dim_v]
    float *gate, *up;          // [n][n_ff]
    float *rope, *rope_window; // [n][rot] tables
    size_t size;               // floats in all
};

static float *take(struct buffers *b, float *base, size_t n) {
    float *at = base ? base + b->size : NULL;
    b->size += round_up(n, 16);
    return at;
}

// With base NULL only the size is computed.
static struct buffers lay_out(const struct model *m, size_t n, float *base) {
    const struct model_shape *s = &m->shape;
    struct buffers b = {0};
    b.x = take(&b, base, n * s->n_embd);
    b.h = take(&b, base, n * s->n_embd);
    b.out = take(&b, base, n * s->n_embd);
    b.q = take(&b, base, n * s->n_heads * s->head_dim_k);
    b.k = take(&b, base, n * s->n_kv_heads * s->head_dim_k);
    b.v = take(&b, base, n * s->n_kv_heads * s->head_dim_v);
    b.attn = take(&b, base, n * s->n_heads * s->head_dim_v);
    b.gate = take(&b, base, n * s->n_ff);
    b.up = take(&b, base, n * s->n_ff);
    b.rope = take(&b, base, n * m->rot);
    b.rope_window = take(&b, base, n * m->rot);
    return b;
}

size_t model_activations(const struct model *m, uint32_t rows) {
    return lay_out(m, rows, NULL).size;
}

size_t model_tape_cap(const struct model *m) {
    return 20 * (size_t)m->shape.n_layers + 8;
}

static void emit_angles(const struct model *m, struct tape *t, const struct rope *r, uint32_t pos, float *table) {
    tape_angles(t, (struct tape_angles){r->theta, table, m->rot / 2, pos, r->scale});
}

static void emit_attention(const struct model *m, struct tape *t, const struct model_layer *l,
                           const struct kv_layer *kv, uint32_t pos, const struct buffers *b) {
    const struct model_shape *s = &m->shape;
    const float *table = l->rope == &m->rope ? b->rope : b->rope_window;
    tape_norm(t, b->x, l->attn_norm, 1, s->n_embd, m->eps, b->h);
    tape_matmul3(t, b->h, &l->q, b->q, &l->k, b->k, &l->v, b->v);
    if (l->q_norm) {
        tape_norm(t, b->q, l->q_norm, s->n_heads, s->head_dim_k, m->eps, b->q);
        tape_norm(t, b->k, l->k_norm, s->n_kv_heads, s->head_dim_k, m->eps, b->k);
    }
    tape_rope(t, b->q, table, s->n_heads, s->head_dim_k, m->rot, m->arch->rope);
    tape_rope(t, b->k, table, s->n_kv_heads, s->head_dim_k, m->rot, m->arch->rope);
    tape_store(t, b->k, b->v, kv, pos);
    tape_attend(t, (struct tape_attend){.q = b->q,
                                        .y = b->attn,
                                        .kv = kv,
                                        .pos = pos,
                                        .heads = s->n_heads,
                                        .window = l->window,
                                        .scale = m->attention_scale});
    tape_matmul(t, b->attn, &l->o, b->out);
    if (l->attn_post_norm)
        tape_norm(t, b->out, l->attn_post_norm, 1, s->n_embd, m->eps, b->out);
    tape_add(t, b->out, s->n_embd, b->x);
}

static void emit_ffn(const struct model *m, struct tape *t, const struct model_layer *l, const struct buffers *b) {
    const struct model_shape *s = &m->shape;
    tape_norm(t, b->x, l->ffn_norm, 1, s->n_embd, m->eps, b->h);
    tape_matmul2(t, b->h, &l->gate, b->gate, &l->up, b->up);
    tape_glu(t, b->gate, b->up, s->n_ff, m->arch->activation, b->gate);
    tape_matmul(t, b->gate, &l->down, b->out);
    if (l->ffn_post_norm)
        tape_norm(t, b->out, l->ffn_post_norm, 1, s->n_embd, m->eps, b->out);
    tape_add(t, b->out, s->n_embd, b->x);
}

float *model_forward(const struct model *m, struct tape *t, const struct model_batch *batch) {
    struct buffers b = lay_out(m, batch->rows, batch->activations);
    tape_clear(t, batch->rows);
    emit_angles(m, t, &m->rope, batch->pos, b.rope);
    if (m->arch->window_period)
        emit_angles(m, t, &m->rope_window, batch->pos, b.rope_window);
    tape_embed(t, &m->embed, batch->ids, m->embed_scale, b.x);
    for (uint32_t i = 0; i < m->shape.n_layers; i++) {
        emit_attention(m, t, &m->layers[i], &batch->kv[i], batch->pos, &b);
        emit_ffn(m, t, &m->layers[i], &b);
    }
    tape_norm(t, b.x, m->output_norm, 1, m->shape.n_embd, m->eps, b.h);
    return b.h;
}

void model_head(const struct model *m, struct tape *t, const float *hidden, uint32_t rows, float *logits) {
    tape_clear(t, rows);
    tape_matmul(t, hidden, &m->head, logits);
    if (m->softcap > 0)
        tape_softcap(t, logits, m->shape.n_vocab, m->softcap);
}
