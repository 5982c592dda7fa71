// SPDX-License-Identifier: MIT
// Embeddings: hidden states of a list of ids, pooled into one vector.
#pragma once

#include "infer/session.h"

// Evaluates ids[0..n), n >= 1, in an empty session and hands to sink, as position 0, the embedding of
// model_embedding_len floats, or with POOLING_NONE the n_embd floats of every position in order. Sums of the mean are
// taken in double, in the order of positions. ERR_INPUT where the model has no classifier to rank with.
bool embed(struct session *s, const int32_t *ids, size_t n, enum pooling p, session_sink *sink, void *user,
           struct err *e);
