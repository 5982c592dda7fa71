// SPDX-License-Identifier: MIT
// What a session is made of, for the files that implement it.
#pragma once

#include "infer/kv.h"
#include "infer/session.h"
#include "infer/state.h"

struct session {
    const struct engine *en;
    struct session_params params;
    struct arena arena;
    struct tape tape;
    struct kv kv;
    struct state state;
    float *activations, *logits; // logits: [rows][n_vocab], the first row is what session_logits shows
    size_t activations_size, logits_size;
    int32_t *history; // [n_ctx]
    double *theta;    // rotary frequencies for n_ctx
    size_t n;
    uint32_t n_encoded; // ids that the encoder has read, where there is one besides a decoder
    bool has_logits;    // logits[0] belongs to position n - 1
};

// The next n ids of a pass, behind the history.
struct model_batch session_batch(const struct session *s, const int32_t *ids, uint32_t n);
