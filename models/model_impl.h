// SPDX-License-Identifier: MIT
// What the files of this room share: the rows of archs.h and the bound weights.
#pragma once

#include "models/model.h"

enum arch_flags {
    ARCH_BIAS_O = 1 << 0,      // the attention's output matrix may have a bias
    ARCH_BIAS_FFN = 1 << 1,    // the feed-forward matrices may have one
    ARCH_BIAS_HEAD = 1 << 2,   // the head may have one
    ARCH_ROPE_FREQS = 1 << 3,  // rope_freqs.weight divides the frequencies
    ARCH_QK_NORM = 1 << 4,     // queries and keys are normed per head
    ARCH_POST_NORM = 1 << 5,   // norms behind attention and feed-forward too
    ARCH_SCALE_EMBED = 1 << 6, // embeddings are multiplied by sqrt(n_embd)
    ARCH_SOFTCAP = 1 << 7,     // final_logit_softcapping is read
    ARCH_SCALE_62 = 1 << 8,    // with 62 layers, scores are scaled by 1 / sqrt(n_embd / n_heads)
};

struct arch {
    const char *name;
    enum rope_kind rope;
    enum activation activation;
    uint32_t window_period;
    unsigned flags;
};

// Rotary frequencies of one kind of layer: theta[i] in radians per position, and a factor on sine and cosine.
struct rope {
    double *theta; // [rot / 2]
    float scale;
};

struct model_layer {
    const float *attn_norm, *ffn_norm;           // [n_embd]
    const float *q_norm, *k_norm;                // [head_dim_k] or NULL
    const float *attn_post_norm, *ffn_post_norm; // [n_embd] or NULL
    struct weight q, k, v, o, gate, up, down;
    uint32_t window; // 0: all keys
    const struct rope *rope;
};

struct model {
    const struct arch *arch;
    const struct gguf *file;
    struct arena arena;
    struct model_shape shape;
    float eps, attention_scale, embed_scale, softcap;
    uint32_t rot;
    struct rope rope, rope_window; // of layers that see all keys, and of those with a window
    struct weight embed, head;
    const float *output_norm; // [n_embd]
    struct model_layer *layers;
};

// The rotary settings of the file (models/rope.c).
bool rope_init(struct model *m, struct err *e);

// Reading the file (models/bind.c): keys get the architecture's prefix, `%` in a tensor's name the layer.
bool bind_u32(const struct model *m, const char *key, bool required, uint32_t *out, struct err *e);
bool bind_f32(const struct model *m, const char *key, bool required, float *out, struct err *e);
// "PREFIX.key" as the file has it.
void bind_key(const struct model *m, const char *key, char out[128]);

// A matrix [rows][cols]; *w stays empty (data NULL) when it is absent and not required. `bias` allows NAME.bias.
bool bind_matrix(struct model *m, const char *name, uint32_t layer, uint32_t rows, uint32_t cols, bool required,
                 bool bias, struct weight *w, struct err *e);
// A float vector; *out stays NULL when it is absent and not required.
bool bind_vector(struct model *m, const char *name, uint32_t layer, uint32_t len, bool required, const float **out,
                 struct err *e);
