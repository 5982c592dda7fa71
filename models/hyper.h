// SPDX-License-Identifier: MIT
// What hyper-connections and n-gram embeddings (Qwen4) share.
#pragma once

#include "models/recurrent.h"

#define MAX_STREAMS 16
#define MAX_NGRAM 8
#define MAX_NGRAM_HEADS 64

// Embeddings of a token with those before it, added to the streams of one layer (models/ngram.c).
struct ngram {
    uint32_t layer, n_streams;
    uint32_t size, per, dim;                       // tokens of the longest; tables for each length, width of a vector
    uint32_t end;                                  // the id that no n-gram reaches across
    const uint64_t *multipliers, *offsets, *sizes; // [size]; [heads], [heads] rows of each table
    struct weight table, key, value;
    struct norm key_norm, query_norm, conv_norm; // of each stream
    struct conv conv;
    size_t state, ids; // where in the layer's state the convolution's and the last ids are
};

// The keys, where the file has them; else n->size stays 0.
bool ngram_read(struct model *m, struct ngram *n, struct err *e);
// The tensors of its layer, whose state is declared so far; the ngram's comes behind.
bool ngram_bind(struct model *m, struct ngram *n, struct err *e);
// Adds to the streams xs [rows][n_streams * n_embd].
void ngram_emit(struct emitter *em, const struct ngram *n, float *xs);

// The norm of every stream by itself.
void emit_stream_norm(struct emitter *em, const struct norm *n, uint32_t n_streams, const float *x, float *y);
// y [rows][n_streams][n_embd] = x [rows][n_embd] times the stream's factor, by [rows][n_streams]; NULL: 1.
void emit_streams(struct emitter *em, const float *x, const float *by, uint32_t n_streams, float *y);
