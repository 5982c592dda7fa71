// SPDX-License-Identifier: MIT
// Opening a model: its architecture's row, the hyperparameters, the weights of every layer.
#include "models/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "models/model_impl.h"

static const struct arch archs[] = {
#define ARCH(name, rope, activation, window, flags) {#name, rope, activation, window, flags},
#include "models/archs.h"
};

static const char *const names[] = {
#define ARCH(name, rope, activation, window, flags) #name,
#include "models/archs.h"
    NULL,
};

const char *const *model_archs(void) {
    return names;
}

static bool find_arch(struct model *m, struct err *e) {
    struct str name = {0};
    ERR_FORWARD(gguf_get_str(m->file, "general.architecture", true, &name, e));
    for (size_t i = 0; i < ARRAY_LEN(archs); i++)
        if (strlen(archs[i].name) == name.len && memcmp(archs[i].name, name.ptr, name.len) == 0)
            m->arch = &archs[i];
    ERR_IF(!m->arch, e, ERR_INPUT, "%s: unknown architecture '%.*s'", m->file->path, (int)min_size(name.len, 60),
           name.ptr);
    return true;
}

struct range_row {
    const char *key;
    uint32_t *value;
    uint32_t least, most;
    bool required;
};

static bool read_ranges(const struct model *m, const struct range_row *rows, size_t n, struct err *e) {
    for (const struct range_row *r = rows; r < rows + n; r++) {
        uint32_t otherwise = *r->value;
        ERR_FORWARD(bind_u32(m, r->key, r->required, r->value, e));
        if (!r->required && *r->value == 0) // writers put 0 for keys that a model does not use
            *r->value = otherwise;
        ERR_IF(*r->value < r->least || *r->value > r->most, e, ERR_INPUT, "%s: key %s.%s: %u, expected %u to %u",
               m->file->path, m->arch->name, r->key, *r->value, r->least, r->most);
    }
    return true;
}

// Limits that no model comes near; they keep every product of two dimensions in 64 bits and memory in bounds.
#define MAX_LAYERS 1024
#define MAX_WIDTH (1u << 20)
#define MAX_HEADS 1024
#define MAX_HEAD_DIM 1024 // ATTEND_MAX_DIM of the CPU backend
#define MAX_CTX (1u << 28)

static bool read_shape(struct model *m, struct err *e) {
    struct model_shape *s = &m->shape;
    s->arch = m->arch->name;
    const struct range_row first[] = {
        {"block_count", &s->n_layers, 1, MAX_LAYERS, true},
        {"context_length", &s->n_ctx, 1, MAX_CTX, true},
        {"embedding_length", &s->n_embd, 1, MAX_WIDTH, true},
        {"feed_forward_length", &s->n_ff, 1, MAX_WIDTH, true},
        {"attention.head_count", &s->n_heads, 1, MAX_HEADS, true},
    };
    ERR_FORWARD(read_ranges(m, first, ARRAY_LEN(first), e));
    s->n_kv_heads = s->n_heads;
    s->head_dim_k = s->head_dim_v = s->n_embd / s->n_heads;
    const struct range_row second[] = {
        {"attention.head_count_kv", &s->n_kv_heads, 1, s->n_heads, false},
        {"attention.key_length", &s->head_dim_k, 1, MAX_HEAD_DIM, false},
        {"attention.value_length", &s->head_dim_v, 1, MAX_HEAD_DIM, false},
    };
    ERR_FORWARD(read_ranges(m, second, ARRAY_LEN(second), e));
    ERR_IF(s->n_heads % s->n_kv_heads, e, ERR_INPUT,
           "%s: key %s.attention.head_count_kv: %u heads do not divide into %u", m->file->path, s->arch, s->n_heads,
           s->n_kv_heads);
    m->rot = s->head_dim_k;
    const struct range_row third[] = {{"rope.dimension_count", &m->rot, 2, s->head_dim_k, false}};
    ERR_FORWARD(read_ranges(m, third, ARRAY_LEN(third), e));
    ERR_IF(m->rot % 2, e, ERR_INPUT, "%s: key %s.rope.dimension_count: %u, expected an even number", m->file->path,
           s->arch, m->rot);
    return true;
}

static bool read_floats(struct model *m, struct err *e) {
    uint32_t n_experts = 0;
    ERR_FORWARD(bind_f32(m, "attention.layer_norm_rms_epsilon", true, &m->eps, e));
    ERR_IF(!(m->eps >= 0 && m->eps < 1), e, ERR_INPUT,
           "%s: key %s.attention.layer_norm_rms_epsilon: %g, expected 0 to 1", m->file->path, m->arch->name,
           (double)m->eps);
    ERR_FORWARD(bind_u32(m, "expert_count", false, &n_experts, e));
    ERR_IF(n_experts, e, ERR_INPUT, "%s: key %s.expert_count: %u: mixtures of experts cannot be run yet", m->file->path,
           m->arch->name, n_experts);
    m->embed_scale = m->arch->flags & ARCH_SCALE_EMBED ? num_sqrt((float)m->shape.n_embd) : 1.0f;
    // Gemma 3 27B, told by its 62 layers, was trained with another scale than its head size; no key says so.
    bool odd_scale = m->arch->flags & ARCH_SCALE_62 && m->shape.n_layers == 62;
    m->attention_scale = 1.0f / num_sqrt((float)(odd_scale ? m->shape.n_embd / m->shape.n_heads : m->shape.head_dim_k));
    if (m->arch->flags & ARCH_SOFTCAP)
        return bind_f32(m, "final_logit_softcapping", false, &m->softcap, e);
    return true;
}

// Which layers look back over a window only: an array in the file (nonzero: window), or every period-th layer does not.
static bool read_windows(struct model *m, struct err *e) {
    uint32_t window = 0, period = m->arch->window_period;
    struct gguf_value pattern = {0};
    char key[128];
    for (uint32_t i = 0; i < m->shape.n_layers; i++)
        m->layers[i].rope = &m->rope;
    if (!period)
        return true;
    ERR_FORWARD(bind_u32(m, "attention.sliding_window", false, &window, e));
    if (!window)
        return true;
    bind_key(m, "attention.sliding_window_pattern", key);
    const struct gguf_value *v = gguf_find(m->file, key);
    if (v && v->type == GGUF_ARRAY) {
        pattern = *v;
        ERR_IF(v->elem == GGUF_STR || v->elem == GGUF_ARRAY || v->count < m->shape.n_layers, e, ERR_INPUT,
               "%s: key %s: expected %u numbers", m->file->path, key, m->shape.n_layers);
    } else if (v) {
        ERR_FORWARD(gguf_get_u32(m->file, key, true, &period, e));
    }
    for (uint32_t i = 0; i < m->shape.n_layers; i++) {
        bool windowed = pattern.data ? gguf_array_int(&pattern, i) != 0 : period == 0 || i % period < period - 1;
        m->layers[i].window = windowed ? window : 0;
        m->layers[i].rope = windowed ? &m->rope_window : &m->rope;
    }
    return true;
}

static bool bind_layer(struct model *m, uint32_t i, struct err *e) {
    struct model_layer *l = &m->layers[i];
    const struct model_shape *s = &m->shape;
    uint32_t q = s->n_heads * s->head_dim_k, k = s->n_kv_heads * s->head_dim_k, v = s->n_kv_heads * s->head_dim_v;
    bool qk_norm = m->arch->flags & ARCH_QK_NORM, post = m->arch->flags & ARCH_POST_NORM;
    const struct {
        const char *name;
        const float **out;
        uint32_t len;
        bool needed;
    } vectors[] = {
        {"blk.%.attn_norm", &l->attn_norm, s->n_embd, true},
        {"blk.%.ffn_norm", &l->ffn_norm, s->n_embd, true},
        {"blk.%.attn_q_norm", &l->q_norm, s->head_dim_k, qk_norm},
        {"blk.%.attn_k_norm", &l->k_norm, s->head_dim_k, qk_norm},
        {"blk.%.post_attention_norm", &l->attn_post_norm, s->n_embd, post},
        {"blk.%.post_ffw_norm", &l->ffn_post_norm, s->n_embd, post},
    };
    const bool bias_o = m->arch->flags & ARCH_BIAS_O, bias_ffn = m->arch->flags & ARCH_BIAS_FFN;
    const struct {
        const char *name;
        struct weight *out;
        uint32_t rows, cols;
        bool bias;
    } matrices[] = {
        {"blk.%.attn_q", &l->q, q, s->n_embd, true},
        {"blk.%.attn_k", &l->k, k, s->n_embd, true},
        {"blk.%.attn_v", &l->v, v, s->n_embd, true},
        {"blk.%.attn_output", &l->o, s->n_embd, s->n_heads * s->head_dim_v, bias_o},
        {"blk.%.ffn_gate", &l->gate, s->n_ff, s->n_embd, bias_ffn},
        {"blk.%.ffn_up", &l->up, s->n_ff, s->n_embd, bias_ffn},
        {"blk.%.ffn_down", &l->down, s->n_embd, s->n_ff, bias_ffn},
    };
    for (size_t j = 0; j < ARRAY_LEN(vectors); j++)
        if (vectors[j].needed)
            ERR_FORWARD(bind_vector(m, vectors[j].name, i, vectors[j].len, true, vectors[j].out, e));
    for (size_t j = 0; j < ARRAY_LEN(matrices); j++)
        ERR_FORWARD(bind_matrix(m, matrices[j].name, i, matrices[j].rows, matrices[j].cols, true, matrices[j].bias,
                                matrices[j].out, e));
    return true;
}

// The vocabulary's size is the embedding matrix's.
static bool bind_ends(struct model *m, struct err *e) {
    const struct gguf_tensor *t = gguf_find_tensor(m->file, "token_embd.weight");
    bool bias = m->arch->flags & ARCH_BIAS_HEAD;
    ERR_IF(t && (t->n_dims != 2 || t->dims[1] > MAX_CTX), e, ERR_INPUT,
           "%s: tensor token_embd.weight: expected a matrix "
           "with a row per token",
           m->file->path);
    m->shape.n_vocab = t ? (uint32_t)t->dims[1] : 1;
    ERR_FORWARD(bind_matrix(m, "token_embd", 0, m->shape.n_vocab, m->shape.n_embd, true, false, &m->embed, e));
    ERR_FORWARD(bind_vector(m, "output_norm", 0, m->shape.n_embd, true, &m->output_norm, e));
    ERR_FORWARD(bind_matrix(m, "output", 0, m->shape.n_vocab, m->shape.n_embd, false, bias, &m->head, e));
    if (!m->head.data)
        m->head = m->embed; // tied
    return true;
}

static bool bind_all(struct model *m, struct err *e) {
    ERR_FORWARD(find_arch(m, e));
    ERR_FORWARD(read_shape(m, e));
    ERR_FORWARD(read_floats(m, e));
    ERR_FORWARD(bind_ends(m, e));
    m->layers = arena_alloc(&m->arena, m->shape.n_layers, sizeof *m->layers);
    if (!m->layers)
        return err_memory(e, m->shape.n_layers * sizeof *m->layers, "layers");
    ERR_FORWARD(read_windows(m, e));
    for (uint32_t i = 0; i < m->shape.n_layers; i++)
        ERR_FORWARD(bind_layer(m, i, e));
    return rope_init(m, e);
}

bool model_open(struct model **out, const struct gguf *g, struct err *e) {
    struct model *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m)
        return err_memory(e, sizeof *m, "the model");
    m->file = g;
    if (!bind_all(m, e)) {
        model_close(m);
        return false;
    }
    *out = m;
    return true;
}

void model_close(struct model *m) {
    if (!m)
        return;
    arena_free(&m->arena);
    free(m);
}

const struct model_shape *model_shape(const struct model *m) {
    return &m->shape;
}

struct model_kv model_kv(const struct model *m, uint32_t layer) {
    const struct model_shape *s = &m->shape;
    return (struct model_kv){s->n_kv_heads, s->head_dim_k, s->head_dim_v, false, m->layers[layer].window};
}

static uint32_t max_u32(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

struct backend_limits model_limits(const struct model *m) {
    const struct model_shape *s = &m->shape;
    return (struct backend_limits){
        .max_cols = max_u32(max_u32(s->n_embd, s->n_ff), s->n_heads * s->head_dim_v),
        .max_head_dim = max_u32(s->head_dim_k, s->head_dim_v),
    };
}
