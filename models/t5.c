// SPDX-License-Identifier: MIT
// T5 (Raffel et al. 2020): an encoder, in which every token sees all others, and a decoder that looks at what the
// encoder made of the prompt. Positions are biases of scores, one for each head and bucket of distances; scores are
// not scaled. The encoder's layers come first; a layer of the decoder is two here, each with keys of its own:
// attention to the answer so far, then attention to the prompt with the feed-forward.
#include <stdio.h>

#include "base/num.h"
#include "models/ffn.h"
#include "models/quirks.h"

#define MAX_DISTANCE 128 // the last bucket begins here; no key says so

struct t5 {
    uint32_t n_buckets;
    const float *bias[2]; // [heads][2 * MAX_DISTANCE + 1] of encoder and decoder: their first layer's serves all
};

// Where a layer's tensors are.
struct place {
    bool decodes;
    uint32_t number; // of the layer in its stack
};

struct t5_attention {
    struct weight q, k, v, o;
    const float *bias; // NULL: none, keys are the encoder's
    bool decodes;
};

// What each of the models is and needs; the first ones share the embedding with the head, and scale for that.
static bool adjust(struct model *m, uint32_t n_decoder, struct err *e) {
    struct t5 *t = m->special = bind_alloc(m, sizeof *t, e);
    if (!t)
        return false;
    const struct range_row rows[] = {
        {"attention.relative_buckets_count", &t->n_buckets, 4, 2 * MAX_DISTANCE - 2, true},
        {"attention.head_count", &m->shape.n_heads, 1, MAX_HEADS, true},
        {"attention.key_length", &m->shape.head_dim_k, 1, MAX_HEAD_DIM, true},
        {"attention.value_length", &m->shape.head_dim_v, 1, MAX_HEAD_DIM, true},
    };
    ERR_FORWARD(bind_ranges(m, 0, rows, ARRAY_LEN(rows), e));
    bool gated = false;
    for (uint32_t i = 0; i < m->shape.n_layers; i++)
        gated |= bind_has(m, "enc.blk.%.ffn_gate", i);
    m->ffn = gated ? FFN_GLU : FFN_PLAIN;
    m->activation = gated ? ACTIVATION_GELU : ACTIVATION_RELU;
    m->shape.n_layers += 2 * n_decoder;
    return true;
}

bool adjust_t5(struct model *m, struct err *e) {
    uint32_t n_decoder = m->n_encoder = m->shape.n_layers, start = 0;
    const struct range_row rows[] = {{"decoder_block_count", &n_decoder, 1, MAX_LAYERS, false},
                                     {"decoder_start_token_id", &start, 0, MAX_CTX, false}};
    ERR_FORWARD(bind_ranges(m, 0, rows, ARRAY_LEN(rows), e));
    m->shape.decoder_start = (int32_t)start;
    if (!bind_has(m, "output", 0))
        m->logit_scale = 1 / num_sqrt((float)m->shape.n_embd);
    return adjust(m, n_decoder, e);
}

bool adjust_t5encoder(struct model *m, struct err *e) {
    m->n_encoder = m->shape.n_layers;
    return adjust(m, 0, e);
}

static struct place place_of(const struct model *m, uint32_t layer) {
    bool decodes = layer >= m->n_encoder;
    return (struct place){decodes, decodes ? (layer - m->n_encoder) / 2 : layer};
}

static const char *name_of(struct place p, const char *part, char out[64]) {
    snprintf(out, 64, "%s.blk.%%.%s", p.decodes ? "dec" : "enc", part);
    return out;
}

// The bucket of a distance of at least 0: one for each at first, then ever wider ones.
static uint32_t bucket_of(uint32_t distance, uint32_t n) {
    const uint32_t exact = n / 2;
    if (distance < exact)
        return distance;
    double octaves = num_log(distance / (double)exact) / num_log(MAX_DISTANCE / (double)exact);
    uint32_t bucket = exact + (uint32_t)(octaves * (n - exact) + 1e-6); // what should be whole is
    return bucket < n ? bucket : n - 1;
}

// Biases by distance from those by bucket. An encoder has half of the buckets for the keys that follow.
static bool make_bias(struct model *m, bool decodes, const float *of_bucket, const float **out, struct err *e) {
    const struct t5 *t = m->special;
    const uint32_t heads = m->shape.n_heads, width = 2 * MAX_DISTANCE + 1,
                   n = decodes ? t->n_buckets : t->n_buckets / 2;
    float *bias = bind_alloc(m, (size_t)heads * width * sizeof *bias, e);
    *out = bias;
    for (uint32_t i = 0; bias && i < width; i++) {
        const bool ahead = i > MAX_DISTANCE;
        const uint32_t distance = ahead ? i - MAX_DISTANCE : MAX_DISTANCE - i;
        const uint32_t bucket = bucket_of(distance, n) + (ahead && !decodes ? n : 0);
        for (uint32_t h = 0; h < heads; h++)
            bias[(size_t)h * width + i] = of_bucket[(size_t)bucket * heads + h];
    }
    return bias;
}

// A layer's own biases, or those of its stack's first layer.
static bool bind_bias_of(struct model *m, struct place p, struct t5_attention *a, struct err *e) {
    struct t5 *t = m->special;
    const float *of_bucket;
    char name[64];
    ERR_FORWARD(bind_floats(m, name_of(p, "attn_rel_b", name), "weight", p.number,
                            (uint64_t)m->shape.n_heads * t->n_buckets, !t->bias[p.decodes], &of_bucket, e));
    a->bias = t->bias[p.decodes];
    if (of_bucket)
        ERR_FORWARD(make_bias(m, p.decodes, of_bucket, &a->bias, e));
    t->bias[p.decodes] = t->bias[p.decodes] ? t->bias[p.decodes] : a->bias;
    return true;
}

static bool bind_attention(struct model *m, uint32_t layer, const char *kind, struct t5_attention *a, struct err *e) {
    const struct model_shape *s = &m->shape;
    const struct place p = place_of(m, layer);
    const struct {
        const char *part;
        struct weight *w;
        uint32_t rows, cols;
    } rows[] = {
        {"q", &a->q, s->n_heads * s->head_dim_k, s->n_embd},
        {"k", &a->k, s->n_heads * s->head_dim_k, s->n_embd},
        {"v", &a->v, s->n_heads * s->head_dim_v, s->n_embd},
        {"o", &a->o, s->n_embd, s->n_heads * s->head_dim_v},
    };
    char part[32], name[64];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(part, sizeof part, "%s_%s", kind, rows[i].part);
        ERR_FORWARD(
            bind_matrix(m, name_of(p, part, name), p.number, rows[i].rows, rows[i].cols, BIND_MUST, rows[i].w, e));
    }
    a->decodes = p.decodes;
    return true;
}

static bool self_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct t5_attention *a = *weights = bind_alloc(m, sizeof *a, e);
    return a && bind_attention(m, layer, "attn", a, e) && bind_bias_of(m, place_of(m, layer), a, e);
}

static bool cross_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct t5_attention *a = *weights = bind_alloc(m, sizeof *a, e);
    return a && bind_attention(m, layer, "cross_attn", a, e);
}

static void emit_attention(struct emitter *em, const struct t5_attention *a, const struct kv_layer *kv, uint32_t n_keys,
                           const float *q, float *y) {
    float *out = emit_rows(em, a->v.rows);
    tape_attend(em->t, (struct tape_attend){.q = q,
                                            .y = out,
                                            .kv = kv,
                                            .pos = em->batch->pos,
                                            .heads = em->m->shape.n_heads,
                                            .scale = 1,
                                            .n_keys = n_keys,
                                            .bias = a->bias,
                                            .span = MAX_DISTANCE});
    tape_matmul(em->t, out, &a->o, y);
}

// The encoder's layers follow each other with the whole prompt: one place for keys serves them all.
static void self_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct t5_attention *a = weights;
    const struct kv_layer *kv = &em->batch->kv[a->decodes ? layer : 0];
    float *q = emit_rows(em, a->q.rows), *k = emit_rows(em, a->k.rows), *v = emit_rows(em, a->v.rows);
    tape_matmul3(em->t, x, &a->q, q, &a->k, k, &a->v, v);
    tape_store(em->t, k, v, kv, em->batch->pos);
    emit_attention(em, a, kv, a->decodes ? 0 : em->batch->pos + em->batch->rows, q, y);
}

static void cross_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    const struct t5_attention *a = weights;
    float *q = emit_rows(em, a->q.rows);
    tape_matmul(em->t, x, &a->q, q);
    emit_attention(em, a, &em->batch->kv[layer], em->batch->n_encoded, q, y);
}

static bool wide_bind(struct model *m, uint32_t layer, void **weights, struct err *e) {
    struct ffn *f = *weights = bind_alloc(m, sizeof *f, e);
    const struct place p = place_of(m, layer);
    char gate[64], up[64], down[64];
    const struct ffn_names names = {name_of(p, "ffn_gate", gate), name_of(p, "ffn_up", up),
                                    name_of(p, "ffn_down", down)};
    return f && ffn_bind_named(m, &names, p.number, true, f, e);
}

static void wide_emit(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y) {
    (void)layer;
    ffn_emit_named(em, weights, x, y);
}

static const struct block block_self = {"attention", self_bind, self_emit},
                          block_cross = {"cross attention", cross_bind, cross_emit},
                          block_wide = {"feed-forward", wide_bind, wide_emit};

void t5_remember(struct emitter *em, const float *encoded) {
    const struct model *m = em->m;
    const size_t mark = em->used;
    for (uint32_t i = m->n_encoder + 1; i < m->shape.n_layers; i += 2) {
        const struct t5_attention *a = m->layers[i].subs[0].units[0].weights;
        float *k = emit_rows(em, a->k.rows), *v = emit_rows(em, a->v.rows);
        tape_matmul2(em->t, encoded, &a->k, k, &a->v, v);
        tape_store(em->t, k, v, &em->batch->kv[i], em->batch->pos);
        em->used = mark;
    }
}

static bool add(struct model *m, uint32_t layer, const char *norm, const struct block *block, struct err *e) {
    struct model_layer *l = &m->layers[layer];
    struct sub *s = &l->subs[l->n_subs++];
    const struct place p = place_of(m, layer);
    char name[64];
    s->scale = 1;
    s->n_units = 1;
    s->units[0].block = block;
    ERR_FORWARD(bind_norm(m, name_of(p, norm, name), p.number, m->shape.n_embd, true, &s->in, e));
    return block->bind(m, layer, &s->units[0].weights, e);
}

bool t5_layer(struct model *m, uint32_t layer, struct err *e) {
    const struct model_shape *s = &m->shape;
    const bool decodes = layer >= m->n_encoder, cross = decodes && (layer - m->n_encoder) % 2;
    ERR_IF(s->decoder_start >= (int32_t)s->n_vocab, e, ERR_INPUT,
           "%s: key %s.decoder_start_token_id: %d, expected 0 to %u", m->file->path, s->arch, s->decoder_start,
           s->n_vocab - 1);
    if (layer == 0 || decodes)
        m->layers[layer].kv = (struct model_kv){s->n_heads, s->head_dim_k, s->head_dim_v, false, 0};
    ERR_FORWARD(add(m, layer, cross ? "cross_attn_norm" : "attn_norm", cross ? &block_cross : &block_self, e));
    return (decodes && !cross) || add(m, layer, "ffn_norm", &block_wide, e);
}
