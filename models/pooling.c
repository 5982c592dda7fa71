// SPDX-License-Identifier: MIT
// What follows the last norm where a vector is wanted instead of a next token: pooling, and a classifier's scores.
#include "models/model_impl.h"

// The second is nothing without the first.
static bool bind_dense(struct model *m, struct err *e) {
    static const char *const names[] = {"dense_2", "dense_3"};
    const unsigned first = bind_has(m, names[1], 0) ? BIND_BIAS | BIND_MUST : BIND_BIAS;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const uint32_t rows = bind_dim(m, names[i], 0, 1), cols = i && m->dense[0].data ? m->dense[0].rows : 0;
        ERR_FORWARD(
            bind_matrix(m, names[i], 0, rows, cols ? cols : m->shape.n_embd, i ? BIND_BIAS : first, &m->dense[i], e));
    }
    return true;
}

// Writers put -1 for what is not known.
static bool read_pooling(const struct model *m, const char *key, enum pooling least, enum pooling *out, struct err *e) {
    uint32_t v = UINT32_MAX;
    ERR_FORWARD(bind_u32(m, key, false, &v, e));
    if (v == UINT32_MAX)
        return true;
    ERR_IF(v < (uint32_t)least || v >= N_POOLINGS, e, ERR_INPUT, "%s: key %s.%s: %u, expected %d to %d", m->file->path,
           m->arch->name, key, v, least, POOLING_RANK);
    *out = (enum pooling)v;
    return true;
}

// The classifier scores the first token where all see all, the last where it alone has seen the others; the file may
// say for architectures that have a choice.
bool pooling_bind(struct model *m, struct err *e) {
    const uint32_t n = m->shape.n_embd;
    ERR_FORWARD(read_pooling(m, "pooling_type", POOLING_NONE, &m->shape.pooling, e));
    if (m->ranked)
        ERR_FORWARD(read_pooling(m, "classifier.pooling_type", POOLING_MEAN, &m->ranked, e));
    else
        m->ranked = m->causal ? POOLING_LAST : POOLING_CLS;
    ERR_IF(m->ranked == POOLING_RANK, e, ERR_INPUT, "%s: key %s.classifier.pooling_type: %d, expected 1 to 3",
           m->file->path, m->arch->name, m->ranked);
    ERR_FORWARD(bind_dense(m, e));
    ERR_FORWARD(bind_matrix(m, "cls", 0, n, n, BIND_BIAS, &m->hidden, e));
    ERR_FORWARD(bind_norm(m, "cls.norm", 0, n, false, &m->hidden_norm, e));
    ERR_FORWARD(bind_matrix(m, "cls.output", 0, bind_dim(m, "cls.output", 0, 1), n, BIND_BIAS, &m->classes, e));
    m->shape.n_classes = m->classes.data ? m->classes.rows : m->hidden.data ? n : 0;
    return true;
}

enum pooling model_ranked(const struct model *m) {
    return m->ranked;
}

bool model_ranks_softmax(const struct model *m) {
    return m->arch->rank_softmax;
}

uint32_t model_embedding_len(const struct model *m, enum pooling p) {
    if (p == POOLING_RANK)
        return m->shape.n_classes;
    return m->dense[1].data ? m->dense[1].rows : m->dense[0].data ? m->dense[0].rows : m->shape.n_embd;
}

static float *emit_product(struct emitter *em, const struct weight *w, float *x) {
    if (!w->data)
        return x;
    float *y = emit_take(em, w->rows);
    tape_matmul(em->t, x, w, y);
    return y;
}

static float *emit_classifier(struct emitter *em, float *x) {
    const struct model *m = em->m;
    const uint32_t n = m->shape.n_embd;
    x = emit_product(em, &m->hidden, x);
    if (m->hidden.data)
        tape_act(em->t, (struct tape_act){
                            .activation = m->hidden_activation, .a = x, .y = x, .groups = 1, .len = n, .a_len = n});
    if (m->hidden_norm.there)
        emit_norm(em, &m->hidden_norm, x, 1, n, x);
    return emit_product(em, &m->classes, x);
}

float *emit_finish(struct emitter *em, enum pooling p) {
    float *x = emit_take(em, em->m->shape.n_embd);
    if (p == POOLING_RANK)
        return emit_classifier(em, x);
    x = emit_product(em, &em->m->dense[0], x);
    return emit_product(em, &em->m->dense[1], x);
}

float *model_finish(const struct model *m, struct tape *t, float *activations, enum pooling p) {
    struct emitter em = {.m = m, .t = t, .base = activations};
    tape_clear(t, 1);
    return emit_finish(&em, p);
}
