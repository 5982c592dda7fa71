// SPDX-License-Identifier: MIT
// What a row of archs.h cannot say in its fields.
#include "models/quirks.h"

#include <string.h>

#include "base/num.h"

// Only the 7B has rope, only the 13B has slopes; their layers tell which it is.
bool adjust_baichuan(struct model *m, struct err *e) {
    (void)e;
    m->rope_nowhere = m->shape.n_layers != 32;
    m->alibi = m->shape.n_layers == 40 ? 8 : 0;
    return true;
}

// Only the 32B, of 64 layers, has windows.
bool adjust_exaone4(struct model *m, struct err *e) {
    (void)e;
    m->no_windows = m->shape.n_layers != 64;
    return true;
}

// The largest Gemmas were trained with another scale than their head size gives; no key says so.
static void scale_by_width(struct model *m, uint32_t layers) {
    if (m->shape.n_layers == layers && m->shape.n_heads)
        m->attention_scale = 1 / num_sqrt((float)(m->shape.n_embd / m->shape.n_heads));
}

bool adjust_gemma2(struct model *m, struct err *e) {
    (void)e;
    scale_by_width(m, 46);
    return true;
}

bool adjust_gemma3(struct model *m, struct err *e) {
    (void)e;
    scale_by_width(m, 62);
    return true;
}

// Rope in sections, as vision models have it, turns halves; for text all sections have the same position.
bool adjust_sections(struct model *m, struct err *e) {
    uint32_t first = 0, second = 0;
    const char *key = "rope.dimension_sections";
    char name[128];
    bind_key(m, key, name);
    if (!gguf_find(m->file, name))
        return true;
    ERR_FORWARD(bind_u32_at(m, key, 0, false, &first, e));
    ERR_FORWARD(bind_u32_at(m, key, 1, false, &second, e));
    m->neox |= first && second;
    return true;
}

bool adjust_hunyuan(struct model *m, struct err *e) {
    (void)e;
    m->n_experts = m->n_experts > 1 ? m->n_experts : 0;
    return true;
}

bool adjust_minicpm(struct model *m, struct err *e) {
    (void)e;
    m->embed_scale = 12;
    m->residual_scale = 1.4f / num_sqrt((float)m->shape.n_layers);
    m->logit_scale = 256.0f / (float)m->shape.n_embd;
    return true;
}

bool adjust_mistral3(struct model *m, struct err *e) {
    m->temper_period = m->shape.n_ctx;
    return bind_u32(m, "rope.scaling.original_context_length", false, &m->temper_period, e);
}

// All layers are run several times, with a norm in between.
bool adjust_nanbeige(struct model *m, struct err *e) {
    bool skip = false;
    const struct range_row rows[] = {{"num_loops", &m->n_loops, 1, 16, false}};
    ERR_FORWARD(bind_ranges(m, 0, rows, 1, e));
    ERR_FORWARD(bind_bool(m, "skip_loop_final_norm", false, &skip, e));
    m->norm_between_loops = !skip;
    return true;
}

// Of both kinds of norm the one whose epsilon the file has.
bool adjust_cohere2moe(struct model *m, struct err *e) {
    float eps = 0;
    ERR_FORWARD(bind_f32(m, "attention.layer_norm_rms_epsilon", false, &eps, e));
    m->norm = eps > 0 ? NORM_RMS : NORM_LAYER;
    return true;
}

bool adjust_grok(struct model *m, struct err *e) {
    m->attention_scale = 0.08838834764831845f;
    return bind_f32(m, "attention.output_scale", false, &m->attention_scale, e);
}

// Queries of layers without rope grow with their position; queries and keys of the others are normed, but for the
// largest model, told by its experts.
bool adjust_llama4(struct model *m, struct err *e) {
    uint32_t window = 1;
    ERR_FORWARD(bind_u32(m, "attention.sliding_window", false, &window, e));
    m->bare_qk_norm = m->n_experts != 128;
    m->no_windows = m->rope_everywhere = window == 0;
    m->temper_scale = 0.1f;
    m->temper_offset = 1;
    m->temper_period = 8192;
    return true;
}

bool adjust_smallthinker(struct model *m, struct err *e) {
    uint32_t window = 0;
    ERR_FORWARD(bind_u32(m, "attention.sliding_window", false, &window, e));
    m->no_windows = m->rope_everywhere = window == 0;
    return true;
}

// Rope turns half of a head in layers that see all keys, and the whole head in those with a window.
bool adjust_step35(struct model *m, struct err *e) {
    (void)e;
    m->rot = m->shape.head_dim_k / 2;
    return true;
}

// One matrix in place of attention.
static bool linear_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct weight *w = *weights = bind_alloc(m, sizeof *w, e);
    return w &&
           bind_matrix(m, "blk.%.attn_output", layer, m->shape.n_embd, m->shape.n_embd, BIND_MUST | BIND_BIAS, w, e);
}

static void linear_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    (void)layer;
    tape_matmul(em->t, x, weights, y);
}

static const struct block block_linear = {"linear", linear_bind, linear_emit};

// DeciLM, made by leaving out parts of Llama: a layer has attention, one matrix in its place, or neither; and perhaps
// no feed-forward.
bool deci_layer(struct model *m, uint32_t layer, struct err *e) {
    uint32_t heads = 0, kv_heads = 0, n_ff = 0;
    ERR_FORWARD(bind_u32_at(m, "attention.head_count", layer, true, &heads, e));
    kv_heads = heads;
    ERR_FORWARD(bind_u32_at(m, "attention.head_count_kv", layer, false, &kv_heads, e));
    ERR_FORWARD(bind_u32_at(m, "feed_forward_length", layer, true, &n_ff, e));
    if (heads)
        ERR_FORWARD(layer_add(m, layer, "blk.%.attn_norm", NULL, kv_heads ? &block_attention : &block_linear, e));
    return !n_ff || layer_add(m, layer, "blk.%.ffn_norm", NULL, &block_ffn, e);
}

bool gptneox_layer(struct model *m, uint32_t layer, struct err *e) {
    bool parallel = true;
    ERR_FORWARD(bind_bool(m, "use_parallel_residual", true, &parallel, e));
    ERR_FORWARD(layer_bind(m, layer, e));
    m->layers[layer].subs[1].same_input = parallel;
    return true;
}

// Experts that read what attention reads, under a norm of their own, and join at the end of the layer.
bool arctic_layer(struct model *m, uint32_t layer, struct err *e) {
    ERR_FORWARD(layer_add(m, layer, "blk.%.ffn_norm_exps", NULL, &block_experts, e));
    m->layers[layer].subs[0].late = true;
    ERR_FORWARD(layer_add(m, layer, "blk.%.attn_norm", NULL, &block_attention, e));
    return layer_add(m, layer, "blk.%.ffn_norm", NULL, &block_ffn, e);
}

// The mean of all tokens is classified, unless the file says.
bool adjust_modern_bert(struct model *m, struct err *e) {
    struct str name = {"gelu", 4};
    char key[128];
    bind_key(m, "hidden_activation", key);
    ERR_FORWARD(gguf_get_str(m->file, key, false, &name, e));
    bool gelu = name.len == 4 && memcmp(name.ptr, "gelu", 4) == 0,
         silu = name.len == 4 && memcmp(name.ptr, "silu", 4) == 0;
    ERR_IF(!gelu && !silu, e, ERR_INPUT, "%s: key %s: %.*s, expected gelu or silu", m->file->path, key,
           (int)min_size(name.len, 40), name.ptr);
    m->activation = gelu ? ACTIVATION_GELU_ERF : ACTIVATION_SILU;
    m->hidden_activation = ACTIVATION_GELU_ERF;
    m->ranked = POOLING_MEAN;
    return true;
}

// The first layer reads the normed embedding as it is.
bool modern_bert_layer(struct model *m, uint32_t layer, struct err *e) {
    ERR_FORWARD(layer_add(m, layer, layer ? "blk.%.attn_norm" : "?blk.%.attn_norm", NULL, &block_attention, e));
    return layer_add(m, layer, "blk.%.ffn_norm", NULL, &block_ffn, e);
}

// The models for code norm the sum of attention and its input a second time, with the input added again.
bool jina_layer(struct model *m, uint32_t layer, struct err *e) {
    ERR_FORWARD(layer_bind(m, layer, e));
    return bind_norm(m, "blk.%.attn_norm_2", layer, m->shape.n_embd, false, &m->layers[layer].subs[0].again, e);
}

bool talkie_layer(struct model *m, uint32_t layer, struct err *e) {
    ERR_FORWARD(layer_bind(m, layer, e));
    return bind_floats(m, "blk.%.layer_output_scale", "weight", layer, 1, true, &m->layers[layer].skip_scale, e);
}

// What llama.cpp makes of a Refact file with experts: the activation alone. No such model was published.
static bool activation_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    (void)m, (void)layer, (void)weights, (void)e;
    return true;
}

static void activation_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const uint32_t n = em->m->shape.n_embd;
    (void)layer, (void)weights;
    tape_act(em->t,
             (struct tape_act){.activation = ACTIVATION_SILU, .a = x, .y = y, .groups = 1, .len = n, .a_len = n});
}

const struct block block_activation = {"activation", activation_bind, activation_emit};

// Scales that are the model's own; no key has them.
bool adjust_minicpm3(struct model *m, struct err *e) {
    (void)e;
    m->embed_scale = 12;
    m->residual_scale = 1.4f / num_sqrt((float)m->shape.n_layers);
    m->logit_scale = 256.0f / (float)m->shape.n_embd;
    return true;
}

bool adjust_deepseek2(struct model *m, struct err *e) {
    m->temper_period = m->shape.n_ctx;
    return bind_u32(m, "attention.temperature_length", false, &m->temper_period, e);
}

// Attention is to the best keys, or blocks of keys, that an indexer chooses; as long as all are among the best, it is
// to all. Longer contexts than that cannot be run.
bool adjust_indexed(struct model *m, struct err *e) {
    uint32_t best = m->shape.n_ctx;
    const struct range_row rows[] = {{"attention.indexer.top_k", &best, 1, UINT32_MAX, true}};
    ERR_FORWARD(bind_ranges(m, 0, rows, 1, e));
    m->shape.n_ctx = best < m->shape.n_ctx ? best : m->shape.n_ctx;
    m->hard_ctx = true;
    return true;
}

// Layers of one block: a recurrence, a feed-forward, or attention where the file gives no width to a feed-forward.
bool one_layer(struct model *m, uint32_t layer, struct err *e) {
    uint32_t n_ff = 0;
    ERR_FORWARD(bind_u32_at(m, "feed_forward_length", layer, false, &n_ff, e));
    const struct block *block = m->layers[layer].recurrent ? m->arch->recurrent
                                : n_ff == 0                ? &block_attention
                                                           : layer_ffn(m, layer);
    return layer_add(m, layer, "blk.%.attn_norm", NULL, block, e);
}

// Attention and a state space side by side.
bool falcon_h1_layer(struct model *m, uint32_t layer, struct err *e) {
    ERR_FORWARD(layer_add(m, layer, "blk.%.attn_norm", NULL, &block_attention, e));
    ERR_FORWARD(layer_join(m, layer, NULL, NULL, &block_mamba2, e));
    return layer_add(m, layer, "blk.%.ffn_norm", NULL, &block_ffn, e);
}

// Scores are not scaled, and the last layers use keys and values of earlier ones.
bool adjust_gemma4(struct model *m, struct err *e) {
    uint32_t shared = 0;
    const struct range_row rows[] = {{"attention.shared_kv_layers", &shared, 0, m->shape.n_layers - 1, false}};
    ERR_FORWARD(bind_ranges(m, 0, rows, 1, e));
    m->n_own_kv = m->shape.n_layers - shared;
    m->attention_scale = 1;
    return true;
}

// Experts beside a dense feed-forward, each under norms of its own; then the layer's embedding.
bool gemma4_layer(struct model *m, uint32_t layer, struct err *e) {
    if (bind_has(m, "blk.%.ffn_gate_inp", layer) && m->n_experts) {
        ERR_FORWARD(layer_add(m, layer, "blk.%.attn_norm", "blk.%.post_attention_norm", &block_attention, e));
        ERR_FORWARD(layer_add(m, layer, NULL, "blk.%.post_ffw_norm", NULL, e));
        ERR_FORWARD(layer_join(m, layer, "blk.%.ffn_norm", "blk.%.post_ffw_norm_1", &block_ffn, e));
        ERR_FORWARD(layer_join(m, layer, "blk.%.pre_ffw_norm_2", "blk.%.post_ffw_norm_2", &block_experts, e));
    } else
        ERR_FORWARD(layer_bind(m, layer, e));
    if (m->per_layer)
        ERR_FORWARD(layer_add(m, layer, NULL, "blk.%.post_norm", &block_per_layer, e));
    return bind_floats(m, "blk.%.layer_output_scale", "weight", layer, 1, false, &m->layers[layer].out_scale, e);
}
