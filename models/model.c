// SPDX-License-Identifier: MIT
// Opening a model: its architecture's row, the hyperparameters, the weights of every layer.
#include "models/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "models/model_impl.h"
#include "models/quirks.h"

static const struct arch archs[] = {
#define ARCH(id, text, ...) {.name = text, __VA_ARGS__},
#include "models/archs.h"
};

static const char *const names[] = {
#define ARCH(id, text, ...) text,
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

// block_count has the layers that predict further tokens in it; they are not run.
static bool read_layers(struct model *m, struct err *e) {
    struct model_shape *s = &m->shape;
    uint32_t n_next = 0;
    ERR_FORWARD(bind_u32(m, "block_count", true, &s->n_layers, e));
    ERR_FORWARD(bind_u32(m, "nextn_predict_layers", false, &n_next, e));
    ERR_IF(s->n_layers < 1 || s->n_layers > MAX_LAYERS || n_next >= s->n_layers, e, ERR_INPUT,
           "%s: key %s.block_count: %u, of which %u predict further tokens; expected 1 to %u", m->file->path, s->arch,
           s->n_layers, n_next, MAX_LAYERS);
    s->n_layers -= n_next;
    m->n_loops = 1;
    return true;
}

// Where the first layers have no attention, the first that has it stands for all.
static bool read_first_heads(struct model *m, struct err *e) {
    struct model_shape *s = &m->shape;
    for (uint32_t i = 0; i < s->n_layers && !s->n_heads; i++) {
        const struct range_row rows[] = {{"attention.head_count", &s->n_heads, 0, MAX_HEADS, false}};
        ERR_FORWARD(bind_ranges(m, i, rows, 1, e));
    }
    for (uint32_t i = 0; i < s->n_layers && !s->n_kv_heads; i++) {
        const struct range_row rows[] = {{"attention.head_count_kv", &s->n_kv_heads, 0, MAX_HEADS, false}};
        ERR_FORWARD(bind_ranges(m, i, rows, 1, e));
    }
    if (s->n_heads && !s->head_dim_k)
        s->head_dim_k = s->n_embd / s->n_heads;
    if (s->n_heads && !s->head_dim_v)
        s->head_dim_v = s->n_embd / s->n_heads;
    return true;
}

static bool read_shape(struct model *m, struct err *e) {
    struct model_shape *s = &m->shape;
    s->arch = m->arch->name;
    ERR_FORWARD(read_layers(m, e));
    const struct range_row first[] = {
        {"context_length", &s->n_ctx, 1, MAX_CTX, true},
        {"embedding_length", &s->n_embd, 1, MAX_WIDTH, true},
        {"feed_forward_length", &s->n_ff, 0, MAX_WIDTH, false},
        {"attention.head_count", &s->n_heads, 0, MAX_HEADS, false},
    };
    ERR_FORWARD(bind_ranges(m, 0, first, ARRAY_LEN(first), e));
    s->n_kv_heads = s->n_heads;
    s->head_dim_k = s->head_dim_v = s->n_heads ? s->n_embd / s->n_heads : 0;
    const struct range_row second[] = {
        {"attention.head_count_kv", &s->n_kv_heads, 0, MAX_HEADS, false},
        {"attention.key_length", &s->head_dim_k, 0, MAX_HEAD_DIM, false},
        {"attention.value_length", &s->head_dim_v, 0, MAX_HEAD_DIM, false},
    };
    ERR_FORWARD(bind_ranges(m, 0, second, ARRAY_LEN(second), e));
    ERR_FORWARD(read_first_heads(m, e));
    m->rot = s->head_dim_k;
    m->head_dim_k_window = s->head_dim_k;
    m->head_dim_v_window = s->head_dim_v;
    const struct range_row third[] = {
        {"rope.dimension_count", &m->rot, 0, MAX_HEAD_DIM, false},
        {"attention.key_length_swa", &m->head_dim_k_window, 0, MAX_HEAD_DIM, false},
        {"attention.value_length_swa", &m->head_dim_v_window, 0, MAX_HEAD_DIM, false},
    };
    ERR_FORWARD(bind_ranges(m, 0, third, ARRAY_LEN(third), e));
    m->rot_window = m->rot;
    const struct range_row fourth[] = {{"rope.dimension_count_swa", &m->rot_window, 0, MAX_HEAD_DIM, false}};
    return bind_ranges(m, 0, fourth, ARRAY_LEN(fourth), e);
}

// Numbers that some architectures read. 0 means absent: writers put it for what a model does not use.
static bool read_numbers(struct model *m, struct err *e) {
    const struct {
        unsigned key;
        const char *name;
        float *value;
    } rows[] = {
        {KEY_LOGIT_SCALE, "logit_scale", &m->logit_scale},
        {KEY_RESIDUAL_SCALE, "residual_scale", &m->residual_scale},
        {KEY_EMBED_SCALE, "embedding_scale", &m->embed_scale},
        {KEY_ATTENTION_SCALE, "attention.scale", &m->attention_scale},
        {KEY_CLAMP_QKV, "attention.clamp_kqv", &m->clamp_qkv},
        {KEY_ALIBI, "attention.max_alibi_bias", &m->alibi},
        {KEY_SOFTCAP, "final_logit_softcapping", &m->softcap},
        {KEY_ATTENTION_SOFTCAP, "attn_logit_softcapping", &m->attention_softcap},
        {KEY_TEMPER, "attention.temperature_scale", &m->temper_scale},
        {KEY_EXPERT_SCALE, "expert_weights_scale", &m->expert_scale},
        {KEY_VALUE_SCALE, "attention.value_scale", &m->value_scale},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        float v = 0;
        if (m->arch->keys & rows[i].key)
            ERR_FORWARD(bind_f32(m, rows[i].name, false, &v, e));
        if (v != 0)
            *rows[i].value = v;
    }
    return true;
}

static bool read_eps(struct model *m, struct err *e) {
    const char *key = m->norm == NORM_LAYER ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon";
    bool either = m->arch->flags & ARCH_EITHER_EPS;
    ERR_FORWARD(bind_f32(m, key, !either, &m->eps, e));
    if (either && m->eps == 0)
        ERR_FORWARD(bind_f32(m, key = "attention.layer_norm_epsilon", true, &m->eps, e));
    ERR_IF(!(m->eps >= 0 && m->eps < 1), e, ERR_INPUT, "%s: key %s.%s: %g, expected 0 to 1", m->file->path,
           m->arch->name, key, (double)m->eps);
    return true;
}

static bool read_experts(struct model *m, struct err *e) {
    const struct range_row rows[] = {{"expert_count", &m->n_experts, 0, MAX_EXPERTS, false}};
    m->expert_norm = m->arch->moe & MOE_NORMALIZE;
    m->expert_gating = m->arch->gating ? m->arch->gating : GATING_SOFTMAX;
    ERR_FORWARD(bind_ranges(m, 0, rows, ARRAY_LEN(rows), e));
    if (m->arch->keys & KEY_EXPERT_NORM)
        ERR_FORWARD(bind_bool(m, "expert_weights_norm", false, &m->expert_norm, e));
    const struct range_row gating[] = {
        {"expert_gating_func", &m->expert_gating, GATING_SOFTMAX, GATING_SQRT_SOFTPLUS, false}};
    if (m->arch->keys & KEY_EXPERT_GATING)
        ERR_FORWARD(bind_ranges(m, 0, gating, 1, e));
    return true;
}

static bool read_numbers_of(struct model *m, struct err *e) {
    const struct arch *a = m->arch;
    m->embed_scale = a->embed_scale > 0            ? a->embed_scale
                     : a->flags & ARCH_SCALE_EMBED ? num_sqrt((float)m->shape.n_embd)
                                                   : 1.0f;
    m->residual_scale = m->value_scale = m->expert_scale = 1;
    m->logit_scale = a->logit_scale > 0 ? a->logit_scale : 1;
    m->attention_softcap = a->attention_softcap;
    m->alibi = a->alibi;
    m->neox = a->rope == USE_ROPE_NEOX;
    m->causal = !(a->flags & ARCH_NON_CAUSAL);
    m->window = a->window;
    m->norm = a->norm;
    m->bare_qk_norm = a->qk & QK_NORM_BARE;
    m->ffn = a->ffn;
    m->activation = a->activation;
    m->hidden_activation = ACTIVATION_TANH;
    m->shape.decoder_start = -1;
    ERR_FORWARD(read_experts(m, e));
    if (a->adjust)
        ERR_FORWARD(a->adjust(m, e));
    ERR_FORWARD(read_eps(m, e));
    ERR_FORWARD(read_numbers(m, e));
    if (a->flags & ARCH_DIVIDE_LOGITS)
        m->logit_scale = 1 / m->logit_scale;
    return true;
}

// Which layers look back over a window only: an array in the file (nonzero: window), or all but one of a period.
static bool read_windows(struct model *m, struct err *e) {
    uint32_t window = m->window, period = m->arch->window_period;
    bool may = m->arch->keys & (KEY_WINDOW | KEY_WINDOW_MUST), first = m->arch->flags & ARCH_WINDOW_SECOND;
    char key[128];
    if (!may || m->no_windows)
        return true;
    const struct range_row rows[] = {
        {"attention.sliding_window", &window, 0, MAX_CTX, m->arch->keys & KEY_WINDOW_MUST}};
    ERR_FORWARD(bind_ranges(m, 0, rows, 1, e));
    bind_key(m, "attention.sliding_window_pattern", key);
    const struct gguf_value *v = gguf_find(m->file, key);
    if (v && v->type != GGUF_ARRAY)
        ERR_FORWARD(gguf_get_u32(m->file, key, true, &period, e));
    for (uint32_t i = 0; window && i < m->shape.n_layers; i++) {
        uint32_t in_period = period ? i % period : 0,
                 windowed = period == 0 || (first ? i % period != 0 : in_period < period - 1);
        if (v && v->type == GGUF_ARRAY)
            ERR_FORWARD(bind_u32_at(m, "attention.sliding_window_pattern", i, true, &windowed, e));
        m->layers[i].windowed = windowed;
        m->layers[i].window = windowed ? window : 0;
    }
    return true;
}

// The layers with a recurrence in place of attention.
static bool read_recurrent(struct model *m, struct err *e) {
    const enum recurrent_where where = m->arch->recurrent_where;
    uint32_t period = where == RECURRENT_7_OF_8 ? 8 : 4;
    char key[128];
    bind_key(m, "attention.recurrent_layers", key);
    const struct range_row rows[] = {{"full_attention_interval", &period, 1, MAX_LAYERS, false}};
    if (where >= RECURRENT_3_OF_4)
        ERR_FORWARD(bind_ranges(m, 0, rows, 1, e));
    for (uint32_t i = 0; m->arch->recurrent && i < m->shape.n_layers; i++) {
        uint32_t kv = m->shape.n_heads, n_ff = 0, listed = (i + 1) % period != 0;
        if (where <= RECURRENT_NO_KV_NO_FFN)
            ERR_FORWARD(bind_u32_at(m, "attention.head_count_kv", i, false, &kv, e));
        if (where == RECURRENT_NO_KV_NO_FFN)
            ERR_FORWARD(bind_u32_at(m, "feed_forward_length", i, false, &n_ff, e));
        if (where >= RECURRENT_3_OF_4 && gguf_find(m->file, key))
            ERR_FORWARD(bind_u32_at(m, "attention.recurrent_layers", i, true, &listed, e));
        m->layers[i].recurrent =
            where <= RECURRENT_NO_KV_NO_FFN ? kv == 0 && n_ff == 0 : where == RECURRENT_ALL || listed;
    }
    return true;
}

static bool layer_has_rope(const struct model *m, uint32_t i, bool any_window, bool dense) {
    switch (m->arch->rope_layers) {
    case ROPE_WINDOWED:
        return m->layers[i].windowed || !any_window;
    case ROPE_WINDOWED_ONLY:
        return m->layers[i].windowed;
    case ROPE_WINDOWED_OR_DENSE:
        return m->layers[i].windowed || dense;
    case ROPE_NOT_LAST_OF_4:
        return (i + 1) % 4 != 0;
    case ROPE_NOT_FIRST_OF_4:
        return i % 4 != 0;
    default:
        return true;
    }
}

static bool read_rope_layers(struct model *m, struct err *e) {
    bool any_window = false, finetuned = true;
    uint32_t n_dense = 0;
    for (uint32_t i = 0; i < m->shape.n_layers; i++)
        any_window |= m->layers[i].windowed;
    ERR_FORWARD(bind_u32(m, "leading_dense_block_count", false, &n_dense, e));
    if (m->arch->rope_layers == ROPE_FINETUNED)
        ERR_FORWARD(bind_bool(m, "rope.scaling.finetuned", false, &finetuned, e));
    for (uint32_t i = 0; i < m->shape.n_layers; i++) {
        uint32_t pattern = finetuned;
        if (m->arch->rope_layers == ROPE_PATTERN)
            ERR_FORWARD(bind_u32_at(m, "attention.rope_pattern", i, false, &pattern, e));
        m->layers[i].rope = m->arch->rope != USE_ROPE_NONE && pattern &&
                            (m->rope_everywhere || layer_has_rope(m, i, any_window, i < n_dense)) && !m->rope_nowhere;
    }
    return true;
}

static bool bind_end_norm(struct model *m, const char *name, bool wanted, struct norm *n, struct err *e) {
    *n = (struct norm){.there = wanted, .kind = m->norm, .eps = m->eps};
    return !wanted || !name || m->arch->norms == NORMS_BARE || bind_norm(m, name, 0, m->shape.n_embd, true, n, e);
}

// A text is all of the first segment (Devlin et al. 2018).
static bool bind_type(struct model *m, struct err *e) {
    const uint32_t n = m->shape.n_embd;
    struct weight types;
    float *first;
    ERR_FORWARD(bind_matrix(m, "token_types", 0, bind_dim(m, "token_types", 0, 1), n, 0, &types, e));
    if (!types.data || !types.rows)
        return true;
    first = bind_alloc(m, n * sizeof *first, e);
    if (first)
        quant_decode(types.format, types.data, first, n);
    m->type = first;
    return first;
}

// The vocabulary's size is the embedding matrix's.
static bool bind_ends(struct model *m, struct err *e) {
    const struct model_shape *s = &m->shape;
    const unsigned flags = m->arch->flags;
    const struct gguf_tensor *t = gguf_find_tensor(m->file, "token_embd.weight");
    ERR_IF(t && (t->n_dims != 2 || t->dims[1] > MAX_CTX), e, ERR_INPUT,
           "%s: tensor token_embd.weight: expected a matrix with a row per token", m->file->path);
    m->shape.n_vocab = t ? (uint32_t)t->dims[1] : 1;
    ERR_FORWARD(bind_matrix(m, "token_embd", 0, s->n_vocab, s->n_embd, BIND_MUST, &m->embed, e));
    ERR_FORWARD(bind_matrix(m, "position_embd", 0, s->n_ctx, s->n_embd, flags & ARCH_POSITIONS ? BIND_MUST : 0,
                            &m->positions, e));
    ERR_FORWARD(bind_type(m, e));
    ERR_FORWARD(bind_end_norm(m, flags & ARCH_BARE_EMBED_NORM ? NULL : "token_embd_norm", flags & ARCH_EMBED_NORM,
                              &m->embed_norm, e));
    ERR_FORWARD(bind_end_norm(m, m->arch->last_norm ? m->arch->last_norm : "output_norm",
                              m->arch->norms != NORMS_ADDED && m->arch->norms != NORMS_NONE, &m->output_norm, e));
    ERR_FORWARD(bind_end_norm(m, "enc.output_norm", s->decoder_start >= 0, &m->encoder_norm, e));
    if (!(flags & ARCH_TIED))
        ERR_FORWARD(bind_matrix(m, "output", 0, s->n_vocab, s->n_embd,
                                (flags & ARCH_OWN_HEAD ? BIND_MUST : 0) | (flags & ARCH_BIAS_HEAD       ? BIND_BIAS_MUST
                                                                           : flags & ARCH_MAY_BIAS_HEAD ? BIND_BIAS
                                                                                                        : 0),
                                &m->head, e));
    if (!m->head.data)
        m->head = m->embed;
    return true;
}

static bool bind_layers(struct model *m, struct err *e) {
    m->layers = bind_alloc(m, m->shape.n_layers * sizeof *m->layers, e);
    if (!m->layers)
        return false;
    ERR_FORWARD(read_recurrent(m, e));
    ERR_FORWARD(read_windows(m, e));
    ERR_FORWARD(read_rope_layers(m, e));
    for (uint32_t i = 0; i < m->shape.n_layers; i++)
        ERR_FORWARD(m->arch->bind_layer ? m->arch->bind_layer(m, i, e) : layer_bind(m, i, e));
    return true;
}

static bool bind_all(struct model *m, struct err *e) {
    ERR_FORWARD(find_arch(m, e));
    ERR_FORWARD(read_shape(m, e));
    ERR_FORWARD(read_numbers_of(m, e));
    ERR_FORWARD(bind_ends(m, e));
    ERR_FORWARD(per_layer_bind(m, e));
    ERR_FORWARD(rope_init(m, e));
    ERR_FORWARD(bind_layers(m, e));
    m->shape.n_slots = m->n_slots ? m->n_slots : m->shape.n_layers * m->n_loops;
    if (m->positions.data)
        m->shape.n_positions = m->positions.rows;
    m->shape.causal = m->causal;
    ERR_FORWARD(pooling_bind(m, e));
    return model_measure(m, e);
}

bool model_open(struct model **out, const struct gguf *g, const struct rope_params *rope, struct err *e) {
    struct model *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m)
        return err_memory(e, sizeof *m, "the model");
    m->file = g;
    m->rope_params = rope;
    if (!bind_all(m, e)) {
        model_close(m);
        return false;
    }
    m->rope_params = NULL;
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

struct model_kv model_kv(const struct model *m, uint32_t slot) {
    return m->layers[slot % m->shape.n_layers].kv;
}

size_t model_state_size(const struct model *m, uint32_t slot) {
    return m->layers[slot % m->shape.n_layers].state_size;
}

const struct model_needs *model_needs(const struct model *m) {
    return &m->needs;
}
