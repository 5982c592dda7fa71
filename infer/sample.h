// SPDX-License-Identifier: MIT
// Choosing the next id from logits: a table of stages applied in a fixed order (docs/DESIGN.md, sampling): bias,
// penalties, top-k, softmax, top-p, min-p, temperature, draw. Same seed, same text, on every machine.
#pragma once

#include "gguf.h"

struct logit_bias {
    int32_t id;
    float value; // added; -inf forbids
};

struct sample_params {
    float temp;    // 0: greedy
    int32_t top_k; // 0: off
    float top_p;   // 1: off
    float min_p;   // 0: off
    float repeat_penalty;
    int32_t repeat_last_n; // 0: off, -1: the whole history
    float frequency_penalty, presence_penalty;
    const struct logit_bias *bias;
    size_t n_bias;
    const struct gguf_value *suppressed; // an array of ids that are never chosen, or NULL
    uint64_t seed;
};

extern const struct sample_params sample_defaults;

struct sampler;

// p->bias and p->suppressed are borrowed. Scratch for n_vocab candidates is taken here, nothing per token.
bool sampler_open(struct sampler **out, const struct sample_params *p, size_t n_vocab, struct err *e);
void sampler_close(struct sampler *s); // NULL is fine

// The next id, given float32[n_vocab] logits and the history. NaN logits count as -inf; when every logit is -inf or
// NaN the answer is -1.
int32_t sampler_next(struct sampler *s, const float *logits, const int32_t *history, size_t n_history);
