// SPDX-License-Identifier: MIT
// A session: one timeline of ids with its KV memory and the logits of its last position. One owner, never shared
// between threads. The central call is session_sync: "make your history equal to these ids".
#pragma once

#include <signal.h>

#include "infer/engine.h"

struct session_params {
    uint32_t n_ctx;                      // most ids that the history may hold; 0: the model's context
    enum kv_type kv;                     // how keys and values are kept
    const volatile sig_atomic_t *cancel; // evaluation stops with ERR_INTERRUPT soon after *cancel != 0; or NULL
    void (*progress)(void *user, size_t done, size_t total); // during long evaluations; or NULL
    void *user;
    void (*observe)(void *observer, const struct tape_op *op); // shown every matrix product (backends/tape.h); or NULL
    void *observer;
};

struct session;

// Takes the memory of the whole run (KV memory is only reserved; the system commits it as it fills).
bool session_open(struct session **out, const struct engine *en, const struct session_params *p, struct err *e);
void session_close(struct session *s); // NULL is fine

// Makes the history equal to ids[0..n), n >= 1: keeps the common prefix, forgets what differs, evaluates what is new,
// the last id at least where its logits are not at hand. Afterwards session_logits is for position n - 1.
// More than n_ctx ids is ERR_CONTEXT and changes nothing; an interruption leaves a shorter valid history.
bool session_sync(struct session *s, const int32_t *ids, size_t n, struct err *e);

// Where an encoder reads the prompt (model_shape's decoder_start >= 0): makes it read ids[0..n), n >= 1. The history,
// which is the decoder's then, becomes empty; without a prompt nothing can be evaluated behind it.
bool session_encode(struct session *s, const int32_t *ids, size_t n, struct err *e);

// float32[n_vocab] of the last position; valid until the next call with this session.
const float *session_logits(const struct session *s);
size_t session_n_vocab(const struct session *s);
// Whether a token sees only those before it. If not, all ids are evaluated at once, and again when one is added.
bool session_is_causal(const struct session *s);
size_t session_n_ctx(const struct session *s);
const int32_t *session_history(const struct session *s, size_t *n);

// Evaluates ids[0..n) after the history, `chunk` ids at a time (0: as is fastest), and hands the logits of every
// position to sink in order; sink returns false to stop (with *e filled).
typedef bool session_sink(void *user, size_t position, const float *logits, struct err *e);
bool session_eval_all(struct session *s, const int32_t *ids, size_t n, size_t chunk, session_sink *sink, void *user,
                      struct err *e);

// The same with the hidden states behind the last norm, float32[n_embd], in place of the logits; those of the encoder
// where one reads the prompt.
bool session_eval_hidden(struct session *s, const int32_t *ids, size_t n, session_sink *sink, void *user,
                         struct err *e);
// What the model makes of a pooled hidden state x, float32[n_embd] (models/model.h). *y is valid until the next call
// with this session.
bool session_finish(struct session *s, const float *x, enum pooling p, const float **y, struct err *e);
// The model, for those who ask it for more than its vocabulary.
const struct model *session_model(const struct session *s);

// Forgets the history beyond its first n ids and returns how many are left: fewer than n, at worst none, where layers
// that keep a window only have given up what is needed to go on from there. session_sync evaluates them again.
size_t session_rewind(struct session *s, size_t n);

// Whether a history can be kept in a file: not where prompts are read whole, by models that are not causal or have an
// encoder.
bool session_keeps(const struct session *s);
// Writes the history with all that was computed of it into a file, bound to the model and to how it keeps keys and
// values. The file appears when it is whole (base/file.h). Without session_keeps: ERR_INPUT.
bool session_save(struct session *s, const char *path, struct err *e);
// Makes the history that of a file, as far as it fits the context; at worst it is empty then, as where other rotary
// angles are in use. What comes after has the same bits as if the session had never ended. A file that is damaged, or
// of another model or type of keys and values, is ERR_INPUT and changes nothing.
bool session_load(struct session *s, const char *path, struct err *e);
// A second session with the same history, which shares nothing that changes. It takes as much memory, for what is used.
bool session_fork(struct session **out, const struct session *s, struct err *e);

// Makes the history the n ids without evaluating them: keys and values of every layer are random numbers, states of
// recurrences zeros. What follows means nothing, but takes the time that it would take behind such a history.
bool session_pretend(struct session *s, const int32_t *ids, size_t n, struct err *e);

// Bytes of KV memory that the history fills.
size_t session_kv_bytes(const struct session *s);

// The largest context of this model that fits in `bytes` of KV memory, at most the model's own.
uint32_t session_ctx_for(const struct engine *en, enum kv_type kv, uint64_t bytes);
