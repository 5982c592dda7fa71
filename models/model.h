// SPDX-License-Identifier: MIT
// A model: the hyperparameters and weights of one file, bound and shape-checked once. Immutable; it borrows the file.
#pragma once

#include "backends/backend.h"
#include "backends/tape.h"
#include "base/arena.h"
#include "base/err.h"
#include "gguf.h"

struct model;

// What an embedding is made of; the numbers are the file's, in ARCH.pooling_type.
enum pooling {
    POOLING_NONE, // nothing: one vector for every token
    POOLING_MEAN, //
    POOLING_CLS,  // the first token's
    POOLING_LAST, // the last token's
    POOLING_RANK, // a classifier's scores of one of these
    N_POOLINGS
};

// How rotary positions are stretched; the names are the file's, in ARCH.rope.scaling.type.
enum rope_scaling {
    ROPE_SCALING_UNSAID, // what the file says
    ROPE_SCALING_NONE,
    ROPE_SCALING_LINEAR,   // all positions are divided
    ROPE_SCALING_YARN,     // those of slow waves are (Peng et al. 2023)
    ROPE_SCALING_LONGROPE, // as linear, with divisors of the file for each wave
    ROPE_SCALING_DYNAMIC,  // the base grows with the context, beyond the original one
    N_ROPE_SCALINGS
};
extern const char *const rope_scaling_names[N_ROPE_SCALINGS]; // the first is NULL

// Numbers that take the place of the file's; 0 (of ext_factor: less than 0) leaves the file's. A factor makes the
// context as many times longer than the original one.
struct rope_params {
    enum rope_scaling scaling;
    float base, factor;
    float ext_factor, attn_factor, beta_fast, beta_slow; // of YaRN
    int32_t original_ctx;
};

// What `info`, the engine and the sessions need to know.
struct model_shape {
    const char *arch; // row name
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim_k, head_dim_v, n_ff, n_vocab;
    uint32_t n_ctx;        // that the model was trained for, or is stretched to
    uint32_t n_slots;      // of state: layers, times their passes where a model runs them more than once
    uint32_t n_positions;  // that there are, as far as learned vectors or blocks of keys reach; 0: any number
    uint32_t n_classes;    // scores of the classifier; 0: there is none
    enum pooling pooling;  // that the model was made for
    bool causal;           // else every token sees all of the prompt, which must come whole
    int32_t decoder_start; // an encoder reads the prompt, and the answer begins with this id; -1: there is no decoder
                           // apart from what reads the prompt
};

// What a layer keeps of the past.
struct model_kv {
    uint32_t n_heads;      // 0: nothing
    uint32_t dim_k, dim_v; // of a head
    bool latent;           // keys only: a value is the first dim_v elements of its key
    uint32_t reach;        // a row sees no more than so many keys, its own the last; 0: all
};

// Binds a file. A missing or misshapen tensor, a missing key, an impossible number, an unknown architecture is
// ERR_INPUT with its name.
// `rope` may be NULL.
bool model_open(struct model **out, const struct gguf *g, const struct rope_params *rope, struct err *e);
void model_close(struct model *m); // NULL is fine
const struct model_shape *model_shape(const struct model *m);
struct model_kv model_kv(const struct model *m, uint32_t slot); // slot < n_slots
// Floats beside keys and values that a slot's convolutions and recurrences keep, each token overwriting them.
size_t model_state_size(const struct model *m, uint32_t slot);

// What a forward pass of the most tokens takes: computed once, from a pass that is only written down.
struct model_needs {
    uint32_t max_rows;            // tokens of a batch
    size_t tape_cap;              // operations
    size_t activations;           // floats
    size_t frequencies;           // of model_frequencies; 0: none depend on the context
    struct backend_limits limits; // what a backend must reserve
};
const struct model_needs *model_needs(const struct model *m);

// Rotary frequencies of a timeline that may grow to n_ctx tokens, theta[model_needs(m)->frequencies].
void model_frequencies(const struct model *m, uint32_t n_ctx, double *theta);

// A batch of consecutive tokens of one timeline.
struct model_batch {
    const int32_t *ids;        // [rows], each below n_vocab
    uint32_t rows;             // 1..max_rows
    uint32_t wanted;           // of how many of the last rows the result is wanted: 0..rows
    uint32_t pos;              // of the first
    uint32_t n_ctx;            // that the timeline may grow to
    uint32_t n_encoded;        // tokens that the encoder has read, where there is one besides a decoder
    const double *theta;       // of model_frequencies for n_ctx
    const struct kv_layer *kv; // [n_slots]; receives positions pos .. pos + rows - 1
    float *const *state;       // [n_slots] of model_state_size floats each
    float *activations;        // model_needs(m)->activations
};

// Writes the forward pass of a batch up to the last norm onto the tape. Returns where its result will be:
// float32[rows][n_embd] within the activations, of which the last b->wanted rows are computed.
float *model_forward(const struct model *m, struct tape *t, const struct model_batch *b);
// Where an encoder reads the prompt, decoder_start >= 0: writes its pass onto the tape, with what the decoder's layers
// keep of it. The batch is all of the prompt. Returns the encoder's result like model_forward.
float *model_encode(const struct model *m, struct tape *t, const struct model_batch *b);
// Writes the head onto the tape: logits[rows][n_vocab] of `rows` rows of that result.
void model_head(const struct model *m, struct tape *t, const float *hidden, uint32_t rows, float *logits);

// What POOLING_RANK scores: POOLING_MEAN, POOLING_CLS or POOLING_LAST.
enum pooling model_ranked(const struct model *m);
// Floats of an embedding, for other poolings than POOLING_NONE.
uint32_t model_embedding_len(const struct model *m, enum pooling p);
// Writes onto the tape what turns a pooled vector, float32[n_embd] at the beginning of the activations, into an
// embedding or, for POOLING_RANK, into the classifier's scores (n_classes > 0). Returns where they will be.
float *model_finish(const struct model *m, struct tape *t, float *activations, enum pooling p);
// Whether the classifier's scores are logits of which the softmax is meant.
bool model_ranks_softmax(const struct model *m);

// Names of all architectures; NULL-terminated.
const char *const *model_archs(void);
