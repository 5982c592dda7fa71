// SPDX-License-Identifier: MIT
// Pooling. See infer/embedding.h.
#include "infer/embedding.h"

#include <stdlib.h>

#include "base/num.h"

struct pool {
    enum pooling how;
    size_t n, n_embd;
    double *sum; // [n_embd]
};

// Adds a position's hidden state, where it takes part.
static bool pool_row(void *user, size_t position, const float *hidden, struct err *e) {
    const struct pool *p = user;
    (void)e;
    if ((p->how == POOLING_CLS && position != 0) || (p->how == POOLING_LAST && position != p->n - 1))
        return true;
    for (size_t i = 0; i < p->n_embd; i++)
        p->sum[i] += (double)hidden[i];
    return true;
}

static void softmax(float *x, size_t n) {
    float most = x[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t i = 0; i < n; i++)
        sum += x[i] = num_exp(x[i] - most);
    for (size_t i = 0; i < n; i++)
        x[i] /= sum;
}

// Of the sums in p->sum. x has room for n_embd floats and for the embedding.
static bool finish(struct session *s, const struct pool *p, enum pooling wanted, float *x, struct err *e) {
    const struct model *m = session_model(s);
    const float *y;
    const size_t len = model_embedding_len(m, wanted);
    const double divisor = p->how == POOLING_MEAN ? (double)p->n : 1;
    for (size_t i = 0; i < p->n_embd; i++)
        x[i] = (float)(p->sum[i] / divisor);
    ERR_FORWARD(session_finish(s, x, wanted, &y, e));
    for (size_t i = 0; i < len; i++)
        x[i] = y[i];
    if (wanted == POOLING_RANK && model_ranks_softmax(m))
        softmax(x, len);
    return true;
}

bool embed(struct session *s, const int32_t *ids, size_t n, enum pooling wanted, session_sink *sink, void *user,
           struct err *e) {
    const struct model *m = session_model(s);
    struct pool p = {wanted == POOLING_RANK ? model_ranked(m) : wanted, n, model_shape(m)->n_embd, NULL};
    if (wanted == POOLING_NONE)
        return session_eval_hidden(s, ids, n, sink, user, e);
    ERR_IF(wanted == POOLING_RANK && !model_shape(m)->n_classes, e, ERR_INPUT,
           "--pooling rank: the model has no classifier");
    size_t room = max_size(p.n_embd, model_embedding_len(m, wanted));
    float *x = calloc(room, sizeof *x);
    p.sum = calloc(p.n_embd, sizeof *p.sum);
    bool ok = (x && p.sum) || err_memory(e, room * sizeof *x, "the embedding");
    ok = ok && session_eval_hidden(s, ids, n, pool_row, &p, e) && finish(s, &p, wanted, x, e) && sink(user, 0, x, e);
    free(x);
    free(p.sum);
    return ok;
}
