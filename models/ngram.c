// SPDX-License-Identifier: MIT
// N-gram embeddings (Qwen4): a token and the ones before it, as pairs, triples and so on, are hashed into rows of large
// tables. What is found there enters the streams of one layer, as far as it agrees with them, beside its convolution
// over every size-th token.
#include "base/num.h"
#include "gguf.h"
#include "models/hyper.h"

static uint32_t heads_of(const struct ngram *n) {
    return (n->size - 1) * n->per;
}

// Numbers of an array that has at least n of them, each from least to most.
static bool read_array(struct model *m, const char *key, uint32_t n, uint64_t least, uint64_t most,
                       const uint64_t **out, struct err *e) {
    char name[128];
    bind_key(m, key, name);
    const struct gguf_value *v = gguf_find(m->file, name);
    ERR_IF(!v || v->type != GGUF_ARRAY || v->elem == GGUF_STR || v->elem == GGUF_ARRAY || v->count < n, e, ERR_INPUT,
           "%s: key %s: expected at least %u numbers", m->file->path, name, n);
    uint64_t *numbers = bind_alloc(m, n * sizeof *numbers, e);
    for (uint32_t i = 0; numbers && i < n; i++) {
        numbers[i] = (uint64_t)gguf_array_int(v, i);
        ERR_IF(numbers[i] < least || numbers[i] > most, e, ERR_INPUT,
               "%s: key %s: element %u is %llu, expected %llu to %llu", m->file->path, name, i,
               (unsigned long long)numbers[i], (unsigned long long)least, (unsigned long long)most);
    }
    *out = numbers;
    return numbers;
}

// The one layer that has them.
static bool read_layer(struct model *m, struct ngram *n, bool *there, struct err *e) {
    const uint64_t *layer;
    char key[128];
    bind_key(m, "ple.layers", key);
    const struct gguf_value *v = gguf_find(m->file, key);
    *there = v && v->type == GGUF_ARRAY && v->count;
    if (!*there)
        return true;
    ERR_IF(v->count != 1, e, ERR_INPUT, "%s: key %s: %llu layers, expected one", m->file->path, key,
           (unsigned long long)v->count);
    ERR_FORWARD(read_array(m, "ple.layers", 1, 0, m->shape.n_layers - 1, &layer, e));
    n->layer = (uint32_t)layer[0];
    return true;
}

bool ngram_read(struct model *m, struct ngram *n, struct err *e) {
    bool there;
    ERR_FORWARD(read_layer(m, n, &there, e));
    if (!there)
        return true;
    const struct range_row rows[] = {
        {"ple.ngram_size", &n->size, 2, MAX_NGRAM, true},
        {"ple.heads_per_ngram", &n->per, 1, MAX_NGRAM_HEADS, true},
        {"ple.conv_kernel", &n->conv.width, 1, 64, true},
        {"ple.eos_token_id", &n->end, 0, MAX_CTX, true},
        {"embedding_length_per_layer_input", &n->dim, 1, MAX_WIDTH, true},
    };
    ERR_FORWARD(bind_ranges(m, n->layer, rows, ARRAY_LEN(rows), e));
    ERR_IF((uint64_t)heads_of(n) * n->dim != m->shape.n_embd, e, ERR_INPUT,
           "%s: key %s.embedding_length_per_layer_input: %u, expected a %u-th of the width %u", m->file->path,
           m->arch->name, n->dim, heads_of(n), m->shape.n_embd);
    ERR_FORWARD(read_array(m, "ple.layer_multipliers", n->size, 0, UINT64_MAX, &n->multipliers, e));
    ERR_FORWARD(read_array(m, "ple.head_offsets", heads_of(n), 0, INT32_MAX, &n->offsets, e));
    return read_array(m, "ple.head_vocab_sizes", heads_of(n), 1, INT32_MAX, &n->sizes, e);
}

// The table has a row for everything that can be asked of it.
static bool bind_table(struct model *m, struct ngram *n, struct err *e) {
    const char *name = "per_layer_token_embd";
    const struct gguf_tensor *t = gguf_find_tensor(m->file, "per_layer_token_embd.weight");
    uint64_t least = 0, rows = t ? t->dims[1] : 1;
    for (uint32_t i = 0; i < heads_of(n); i++)
        least = n->offsets[i] + n->sizes[i] > least ? n->offsets[i] + n->sizes[i] : least;
    ERR_IF(t && (rows < least || rows > INT32_MAX), e, ERR_INPUT,
           "%s: tensor %s.weight: %llu rows, expected %llu to %d", m->file->path, name, (unsigned long long)rows,
           (unsigned long long)least, INT32_MAX);
    return bind_matrix(m, name, 0, (uint32_t)rows, n->dim, BIND_MUST, &n->table, e);
}

static void declare_state(struct model *m, struct ngram *n) {
    size_t *size = &m->layers[n->layer].state_size;
    n->state = round_up(*size, 16);
    n->ids = round_up(n->state + conv_state_size(&n->conv), 16);
    *size = n->ids + n->size - 1;
}

bool ngram_bind(struct model *m, struct ngram *n, struct err *e) {
    const uint32_t n_embd = m->shape.n_embd, all = n->n_streams * n_embd, layer = n->layer;
    ERR_FORWARD(bind_table(m, n, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.ple_key", layer, all, n_embd, BIND_MUST, &n->key, e));
    ERR_FORWARD(bind_matrix(m, "blk.%.ple_value", layer, n_embd, n_embd, BIND_MUST, &n->value, e));
    ERR_FORWARD(bind_norm(m, "blk.%.ple_norm_key", layer, all, true, &n->key_norm, e));
    ERR_FORWARD(bind_norm(m, "blk.%.ple_norm_query", layer, all, true, &n->query_norm, e));
    ERR_FORWARD(bind_norm(m, "blk.%.ple_norm_conv", layer, all, true, &n->conv_norm, e));
    ERR_FORWARD(conv_bind(m, "blk.%.ple_conv1d", layer, all, n->conv.width, false, &n->conv, e));
    n->conv.dilation = n->size;
    declare_state(m, n);
    return true;
}

// What the tables hold for each token: [rows][n_embd].
static float *emit_found(struct emitter *em, const struct ngram *n) {
    const uint32_t rows = em->batch->rows, heads = heads_of(n);
    int32_t *ids = (int32_t *)(void *)emit_rows(em, heads);
    float *found = emit_rows(em, (size_t)heads * n->dim);
    tape_ngram(em->t, (struct tape_ngram){.ids = em->batch->ids,
                                          .state = (int32_t *)(void *)(em->batch->state[n->layer] + n->ids),
                                          .y = ids,
                                          .size = n->size,
                                          .per = n->per,
                                          .end = (int32_t)n->end,
                                          .multipliers = n->multipliers,
                                          .offsets = n->offsets,
                                          .sizes = n->sizes});
    tape_rows(em->t, rows * heads);
    tape_embed(em->t, (struct tape_embed){.table = &n->table, .ids = ids, .y = found, .scale = 1});
    tape_rows(em->t, rows);
    return found;
}

// gate = sigmoid(signed root of key . query / sqrt(n_embd)) for every stream; xs += gate value + conv(norm(gate
// value)).
void ngram_emit(struct emitter *em, const struct ngram *n, float *xs) {
    const uint32_t streams = n->n_streams, n_embd = em->m->shape.n_embd, all = streams * n_embd;
    const size_t mark = em->used;
    const float *found = emit_found(em, n);
    float *key = emit_rows(em, all), *query = emit_rows(em, all), *value = emit_rows(em, n_embd);
    float *gate = emit_rows(em, streams);
    tape_matmul2(em->t, found, &n->key, key, &n->value, value);
    emit_stream_norm(em, &n->key_norm, streams, key, key);
    emit_stream_norm(em, &n->query_norm, streams, xs, query);
    tape_dot(em->t, (struct tape_dot){key, query, gate, streams, n_embd, 1 / num_sqrt((float)n_embd)});
    emit_act(em, ACTIVATION_SIGNED_ROOT, gate, streams, gate);
    emit_act(em, ACTIVATION_SIGMOID, gate, streams, gate);
    float *gated = key, *normed = query, *out = emit_rows(em, all);
    emit_streams(em, value, gate, streams, gated);
    emit_stream_norm(em, &n->conv_norm, streams, gated, normed);
    conv_emit(em, &n->conv, normed, all, em->batch->state[n->layer] + n->state, out);
    tape_add(em->t, (struct tape_add){gated, xs, all, 1, false});
    tape_add(em->t, (struct tape_add){out, xs, all, 1, false});
    em->used = mark;
}
