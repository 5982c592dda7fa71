// SPDX-License-Identifier: MIT
// Sessions: the history, its keys and values, and evaluation in batches.
#include "infer/session.h"

#include <stdlib.h>
#include <string.h>

#include "infer/session_impl.h"

// Rows of logits that session_eval_all computes at once: the head is read once for all of them.
#define LOGIT_ROWS 64

uint32_t session_ctx_for(const struct engine *en, enum kv_type kv, uint64_t bytes) {
    uint32_t low = 0, high = model_shape(en->model)->n_ctx; // contexts that fit, and from which on none does
    if (kv_bytes(en->model, kv, high) <= bytes)
        return high;
    while (high - low > TAPE_PAGE) {
        uint32_t n = low + (high - low) / 2;
        if (kv_bytes(en->model, kv, n) <= bytes)
            low = n;
        else
            high = n;
    }
    return low / TAPE_PAGE * TAPE_PAGE;
}

static bool open_buffers(struct session *s, struct err *e) {
    const struct model *m = s->en->model;
    struct backend *b = s->en->backend;
    s->activations_size = model_needs(m)->activations * sizeof(float);
    s->logits_size = (size_t)LOGIT_ROWS * model_shape(m)->n_vocab * sizeof(float);
    s->activations = b->ops->alloc(b, s->activations_size);
    s->logits = b->ops->alloc(b, s->logits_size);
    s->history = calloc(s->params.n_ctx, sizeof *s->history);
    if (!s->activations || !s->logits || !s->history)
        return err_memory(e, s->activations_size + s->logits_size, "the activations");
    const size_t n_theta = model_needs(m)->frequencies;
    s->theta = arena_alloc(&s->arena, n_theta + 1, sizeof *s->theta);
    if (!s->theta)
        return err_memory(e, n_theta * sizeof *s->theta, "the session");
    model_frequencies(m, s->params.n_ctx, s->theta);
    ERR_FORWARD(tape_open(&s->tape, &s->arena, model_needs(m)->tape_cap, e));
    s->tape.observe = s->params.observe;
    s->tape.observer = s->params.observer;
    return true;
}

static bool check_positions(const struct session *s, struct err *e) {
    uint32_t most = model_shape(s->en->model)->n_positions;
    ERR_IF(most && s->params.n_ctx > most, e, ERR_INPUT, "context of %u ids: this model has %u positions",
           s->params.n_ctx, most);
    return true;
}

bool session_open(struct session **out, const struct engine *en, const struct session_params *p, struct err *e) {
    struct session *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return err_memory(e, sizeof *s, "the session");
    s->en = en;
    s->params = *p;
    if (!s->params.n_ctx)
        s->params.n_ctx = model_shape(en->model)->n_ctx;
    if (!check_positions(s, e) || !kv_open(&s->kv, en->model, en->backend, &s->arena, p->kv, s->params.n_ctx, e) ||
        !state_open(&s->state, en->model, en->backend, &s->arena, e) || !open_buffers(s, e)) {
        session_close(s);
        return false;
    }
    *out = s;
    return true;
}

void session_close(struct session *s) {
    if (!s)
        return;
    struct backend *b = s->en->backend;
    kv_close(&s->kv);
    state_close(&s->state);
    b->ops->free(b, s->activations, s->activations_size);
    b->ops->free(b, s->logits, s->logits_size);
    free(s->history);
    arena_free(&s->arena);
    free(s);
}

// The ids [begin, n); those of the history were checked when they came.
static bool check_ids(const struct session *s, const int32_t *ids, size_t begin, size_t n, struct err *e) {
    size_t n_vocab = session_n_vocab(s);
    for (size_t i = begin; i < n; i++)
        ERR_IF(ids[i] < 0 || (size_t)ids[i] >= n_vocab, e, ERR_INPUT,
               "id %d at position %zu: the model has ids 0 to %zu", ids[i], i, n_vocab - 1);
    return true;
}

static bool has_encoder(const struct session *s) {
    return model_shape(s->en->model)->decoder_start >= 0;
}

// Where every token sees all others, they must fit one batch; a decoder needs what its encoder has read.
static bool check_whole(const struct session *s, size_t n, struct err *e) {
    uint32_t most = model_needs(s->en->model)->max_rows;
    ERR_IF(!session_is_causal(s) && n > most, e, ERR_CONTEXT, "%zu ids: this model takes at most %u, all at once", n,
           most);
    ERR_IF(has_encoder(s) && !s->n_encoded, e, ERR_INPUT,
           "this model has an encoder, which must read a prompt first; that is for run, logits and embed");
    return true;
}

static bool run(struct session *s, struct err *e) {
    struct backend *b = s->en->backend;
    return b->ops->run(b, &s->tape, s->params.cancel, e);
}

// The history becomes its first n ids, or fewer where not all that is needed to go on from there is still kept.
static void go_back(struct session *s, size_t n) {
    do {
        s->n = n;
        n = kv_rewind(&s->kv, state_rewind(&s->state, n));
    } while (n < s->n);
    s->has_logits = false;
}

struct model_batch session_batch(const struct session *s, const int32_t *ids, uint32_t n) {
    return (struct model_batch){.ids = ids,
                                .rows = n,
                                .wanted = n,
                                .pos = (uint32_t)s->n,
                                .n_ctx = s->params.n_ctx,
                                .n_encoded = s->n_encoded,
                                .theta = s->theta,
                                .kv = s->kv.layers,
                                .state = s->state.slots,
                                .activations = s->activations};
}

// Evaluates n (at most a batch's) ids behind the history; *hidden is where their results lie until the next batch, of
// the last `wanted` of them.
static bool eval_batch(struct session *s, const int32_t *ids, uint32_t n, uint32_t wanted, const float **hidden,
                       struct err *e) {
    memcpy(s->history + s->n, ids, n * sizeof *ids);
    struct model_batch batch = session_batch(s, s->history + s->n, n);
    batch.wanted = wanted;
    s->has_logits = false;
    kv_grow(&s->kv, s->n + n);
    *hidden = model_forward(s->en->model, &s->tape, &batch);
    if (!run(s, e)) {
        go_back(s, s->n); // recurrences may have taken some of the steps
        return false;
    }
    s->n += n;
    return true;
}

// Makes the encoder read n ids; *hidden is what it gives, until the next evaluation.
static bool encode(struct session *s, const int32_t *ids, size_t n, const float **hidden, struct err *e) {
    const uint32_t fits = model_needs(s->en->model)->max_rows, most = fits < s->params.n_ctx ? fits : s->params.n_ctx;
    ERR_IF(n > most, e, ERR_INPUT, "prompt: %zu ids, but the encoder takes at most %u, all at once", n, most);
    ERR_FORWARD(check_ids(s, ids, 0, n, e));
    go_back(s, 0);
    s->n_encoded = 0; // until it is done
    const struct model_batch batch = session_batch(s, ids, (uint32_t)n);
    kv_grow(&s->kv, n);
    *hidden = model_encode(s->en->model, &s->tape, &batch);
    ERR_FORWARD(run(s, e));
    s->n_encoded = (uint32_t)n;
    return true;
}

bool session_encode(struct session *s, const int32_t *ids, size_t n, struct err *e) {
    const float *hidden = NULL;
    return encode(s, ids, n, &hidden, e);
}

static bool eval_head(struct session *s, const float *hidden, uint32_t rows, struct err *e) {
    model_head(s->en->model, &s->tape, hidden, rows, s->logits);
    return run(s, e);
}

static bool eval_last(struct session *s, const int32_t *ids, size_t n, struct err *e) {
    const float *hidden = NULL;
    uint32_t rows = 0;
    for (size_t done = 0; done < n; done += rows) {
        rows = (uint32_t)min_size(n - done, model_needs(s->en->model)->max_rows);
        if (s->params.progress && n > 1)
            s->params.progress(s->params.user, done, n);
        if (done)
            state_keep(&s->state, s->n, NULL);
        ERR_FORWARD(eval_batch(s, ids + done, rows, done + rows == n, &hidden, e));
    }
    ERR_FORWARD(eval_head(s, hidden + (size_t)(rows - 1) * model_shape(s->en->model)->n_embd, 1, e));
    s->has_logits = true;
    if (n > 1 || s->n % TAPE_MAX_ROWS == 0)
        state_keep(&s->state, s->n, s->logits);
    if (s->params.progress && n > 1)
        s->params.progress(s->params.user, n, n);
    return true;
}

static size_t common_prefix(const struct session *s, const int32_t *ids, size_t n) {
    size_t i = 0;
    while (i < n && i < s->n && ids[i] == s->history[i])
        i++;
    return i;
}

// Goes back to the first n ids, where that leaves nothing to evaluate: for a recurrence the last id costs as much as
// all behind the copy before it.
static bool recall(struct session *s, size_t n) {
    const float *logits = state_logits(&s->state, n);
    if (!logits)
        return false;
    go_back(s, n);
    if (s->n < n)
        return false;
    memcpy(s->logits, logits, session_n_vocab(s) * sizeof *logits);
    s->has_logits = true;
    return true;
}

bool session_sync(struct session *s, const int32_t *ids, size_t n, struct err *e) {
    ERR_IF(n > s->params.n_ctx, e, ERR_CONTEXT, "%zu ids do not fit the context of %u", n, s->params.n_ctx);
    size_t keep = session_is_causal(s) || (n == s->n && s->has_logits) ? common_prefix(s, ids, n) : 0;
    ERR_FORWARD(check_whole(s, n, e));
    ERR_FORWARD(check_ids(s, ids, keep, n, e));
    if (keep == n && s->n == n && s->has_logits)
        return true;
    if (keep == n && recall(s, n))
        return true;
    keep = keep < n ? keep : session_is_causal(s) ? n - 1 : 0;
    keep = session_rewind(s, keep);
    return eval_last(s, ids + keep, n - keep, e);
}

size_t session_rewind(struct session *s, size_t n) {
    if (n >= s->n)
        return s->n;
    go_back(s, n);
    return s->n;
}

// Stores random keys and values at the n positions behind the history, in every layer.
static bool pretend_batch(struct session *s, uint32_t n, struct err *e) {
    kv_grow(&s->kv, s->n + n);
    tape_clear(&s->tape, n);
    for (uint32_t i = 0; i < s->kv.n_layers; i++)
        if (s->kv.layers[i].k)
            tape_store(&s->tape, s->activations, s->activations, &s->kv.layers[i], (uint32_t)s->n);
    ERR_FORWARD(run(s, e));
    s->n += n;
    return true;
}

bool session_pretend(struct session *s, const int32_t *ids, size_t n, struct err *e) {
    uint32_t x = 1;
    ERR_IF(n > s->params.n_ctx, e, ERR_CONTEXT, "%zu ids do not fit the context of %u", n, s->params.n_ctx);
    ERR_FORWARD(check_ids(s, ids, 0, n, e));
    go_back(s, 0);
    memcpy(s->history, ids, n * sizeof *ids);
    for (size_t i = 0; i < s->activations_size / sizeof(float); i++, x = x * 1664525 + 1013904223) // Knuth's constants
        s->activations[i] = (float)(int32_t)x * 0x1p-31f;
    while (s->n < n) {
        const uint32_t rows = (uint32_t)min_size(n - s->n, model_needs(s->en->model)->max_rows);
        ERR_FORWARD(pretend_batch(s, rows, e));
    }
    return true;
}

// Hands the logits of the batch's rows to the sink, a slice of them at a time.
static bool sink_batch(struct session *s, const float *hidden, uint32_t rows, size_t position, session_sink *sink,
                       void *user, struct err *e) {
    const struct model_shape *shape = model_shape(s->en->model);
    uint32_t n = 0;
    for (uint32_t row = 0; row < rows; row += n) {
        n = rows - row < LOGIT_ROWS ? rows - row : LOGIT_ROWS;
        ERR_FORWARD(eval_head(s, hidden + (size_t)row * shape->n_embd, n, e));
        for (uint32_t i = 0; i < n; i++)
            ERR_FORWARD(sink(user, position + row + i, s->logits + (size_t)i * shape->n_vocab, e));
    }
    return true;
}

// Hands the hidden states themselves to the sink.
static bool sink_hidden(struct session *s, const float *hidden, uint32_t rows, size_t position, session_sink *sink,
                        void *user, struct err *e) {
    const uint32_t n_embd = model_shape(s->en->model)->n_embd;
    for (uint32_t i = 0; i < rows; i++)
        ERR_FORWARD(sink(user, position + i, hidden + (size_t)i * n_embd, e));
    return true;
}

typedef bool batch_sink(struct session *s, const float *hidden, uint32_t rows, size_t position, session_sink *sink,
                        void *user, struct err *e);

static bool eval_all(struct session *s, const int32_t *ids, size_t n, size_t chunk, batch_sink *give,
                     session_sink *sink, void *user, struct err *e) {
    const float *hidden = NULL;
    size_t rows = 0, most = model_needs(s->en->model)->max_rows;
    most = chunk ? min_size(chunk, most) : most;
    ERR_IF(n > s->params.n_ctx - s->n, e, ERR_CONTEXT, "%zu ids do not fit the context of %u", s->n + n,
           s->params.n_ctx);
    ERR_FORWARD(check_whole(s, n, e));
    ERR_FORWARD(check_ids(s, ids, 0, n, e));
    for (size_t done = 0; done < n; done += rows) {
        size_t position = s->n;
        rows = min_size(n - done, most);
        ERR_FORWARD(eval_batch(s, ids + done, (uint32_t)rows, (uint32_t)rows, &hidden, e));
        ERR_FORWARD(give(s, hidden, (uint32_t)rows, position, sink, user, e));
    }
    return true;
}

bool session_eval_all(struct session *s, const int32_t *ids, size_t n, size_t chunk, session_sink *sink, void *user,
                      struct err *e) {
    return eval_all(s, ids, n, chunk, sink_batch, sink, user, e);
}

bool session_eval_hidden(struct session *s, const int32_t *ids, size_t n, session_sink *sink, void *user,
                         struct err *e) {
    const float *hidden = NULL;
    if (has_encoder(s))
        return encode(s, ids, n, &hidden, e) && sink_hidden(s, hidden, (uint32_t)n, 0, sink, user, e);
    return eval_all(s, ids, n, 0, sink_hidden, sink, user, e);
}

bool session_finish(struct session *s, const float *x, enum pooling p, const float **y, struct err *e) {
    memcpy(s->activations, x, model_shape(s->en->model)->n_embd * sizeof *x);
    *y = model_finish(s->en->model, &s->tape, s->activations, p);
    return run(s, e);
}

const struct model *session_model(const struct session *s) {
    return s->en->model;
}

const float *session_logits(const struct session *s) {
    return s->logits;
}

size_t session_n_vocab(const struct session *s) {
    return model_shape(s->en->model)->n_vocab;
}

bool session_is_causal(const struct session *s) {
    return model_shape(s->en->model)->causal;
}

size_t session_n_ctx(const struct session *s) {
    return s->params.n_ctx;
}

const int32_t *session_history(const struct session *s, size_t *n) {
    *n = s->n;
    return s->history;
}

size_t session_kv_bytes(const struct session *s) {
    return (size_t)kv_bytes(s->en->model, s->params.kv, s->n);
}
