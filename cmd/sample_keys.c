// SPDX-License-Identifier: MIT
// The keys of model files that sampling reads. See cmd/sample_keys.h.
#include "cmd/sample_keys.h"

#include <math.h>

#include "cmd/cmd.h"

#define MAX_SUPPRESSED (1 << 20) // they are walked for every token

struct sample_key {
    const char *key, *option;
    size_t at; // in struct sample_params
    bool whole;
    double min, max;
};

#define AT(field) offsetof(struct sample_params, field)

static const struct sample_key keys[] = {
    {"general.sampling.temp", "temp", AT(temp), false, 0, 100},
    {"general.sampling.top_k", "top-k", AT(top_k), true, 0, INT32_MAX},
    {"general.sampling.top_p", "top-p", AT(top_p), false, 0, 1},
    {"general.sampling.min_p", "min-p", AT(min_p), false, 0, 1},
    {"general.sampling.penalty_last_n", "repeat-last-n", AT(repeat_last_n), true, -1, INT32_MAX},
    {"general.sampling.penalty_repeat", "repeat-penalty", AT(repeat_penalty), false, 0.001, 1000},
};

static bool is_number(enum gguf_type type) {
    return type != GGUF_STR && type != GGUF_ARRAY && type != GGUF_BOOL;
}

static bool read_key(const struct sample_key *k, const struct gguf *g, struct sample_params *out, struct err *e) {
    const struct gguf_value *v = gguf_find(g, k->key);
    if (!v)
        return true;
    ERR_IF(!is_number(v->type), e, ERR_INPUT, "%s: %s: %s, expected a number", g->path, k->key,
           gguf_type_name(v->type));
    // A number is read as the only element of an array.
    struct gguf_value one = {.type = GGUF_ARRAY, .elem = v->type, .count = 1, .data = v->data, .size = v->size};
    double x = gguf_array_float(&one, 0);
    ERR_IF(isnan(x), e, ERR_INPUT, "%s: %s: not a number", g->path, k->key);
    x = fmin(fmax(x, k->min), k->max);
    void *field = (char *)out + k->at;
    if (k->whole)
        *(int32_t *)field = (int32_t)x;
    else
        *(float *)field = (float)x;
    return true;
}

// Ids that a model's makers never want chosen, such as those that stand for images.
static bool read_suppressed(const struct gguf *g, struct sample_params *out, struct err *e) {
    static const char key[] = "tokenizer.ggml.suppress_tokens";
    const struct gguf_value *v = out->suppressed = gguf_find(g, key);
    ERR_IF(v && (v->type != GGUF_ARRAY || !is_number(v->elem)), e, ERR_INPUT, "%s: %s: %s, expected an array of ids",
           g->path, key, gguf_type_name(v->type == GGUF_ARRAY ? v->elem : v->type));
    ERR_IF(v && v->count > MAX_SUPPRESSED, e, ERR_INPUT, "%s: %s: %llu ids, at most %d are supported", g->path, key,
           (unsigned long long)v->count, MAX_SUPPRESSED);
    return true;
}

bool sample_keys_read(const struct settings *o, const struct gguf *g, struct sample_params *out, struct err *e) {
    *out = o->sample;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!opt_given(o, keys[i].option))
            ERR_FORWARD(read_key(&keys[i], g, out, e));
    return read_suppressed(g, out, e);
}
