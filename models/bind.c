// SPDX-License-Identifier: MIT
// Binding: keys and tensors of a file by name, each with the type and shape that is expected of it.
#include <stdio.h>
#include <string.h>

#include "models/model_impl.h"

void bind_key(const struct model *m, const char *key, char out[128]) {
    snprintf(out, 128, "%s.%s", m->arch->name, key);
}

bool bind_u32(const struct model *m, const char *key, bool required, uint32_t *out, struct err *e) {
    char name[128];
    bind_key(m, key, name);
    return gguf_get_u32(m->file, name, required, out, e);
}

bool bind_f32(const struct model *m, const char *key, bool required, float *out, struct err *e) {
    char name[128];
    bind_key(m, key, name);
    return gguf_get_f32(m->file, name, required, out, e);
}

// blk.%.attn_q + .weight with the layer in place of the %.
static void tensor_name(char out[128], const char *name, uint32_t layer, const char *suffix) {
    const char *mark = strchr(name, '%');
    if (mark)
        snprintf(out, 128, "%.*s%u%s.%s", (int)(mark - name), name, layer, mark + 1, suffix);
    else
        snprintf(out, 128, "%s.%s", name, suffix);
}

static void shape_text(char out[80], const struct gguf_tensor *t) {
    size_t n = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < t->n_dims && n < 60; i++)
        n += (size_t)snprintf(out + n, 80 - n, "%s%llu", i ? ", " : "", (unsigned long long)t->dims[i]);
}

// The tensor, checked: [cols] when rows is 0, else [cols, rows]. *out is NULL when it is absent and not required.
static bool find(const struct model *m, const char *name, uint32_t rows, uint32_t cols, bool required,
                 const struct gguf_tensor **out, struct err *e) {
    const struct gguf_tensor *t = *out = gguf_find_tensor(m->file, name);
    const char *path = m->file->path;
    char shape[80];
    if (!t) {
        ERR_IF(required, e, ERR_INPUT, "%s: tensor %s: missing, %s needs it", path, name, m->arch->name);
        return true;
    }
    bool fits = t->dims[0] == cols && t->dims[2] == 1 && t->dims[3] == 1 && t->dims[1] == (rows ? rows : 1);
    shape_text(shape, t);
    if (!fits && rows)
        return err_set(e, ERR_INPUT, "%s: tensor %s: its shape is [%s], expected [%u, %u]", path, name, shape, cols,
                       rows);
    ERR_IF(!fits, e, ERR_INPUT, "%s: tensor %s: its shape is [%s], expected [%u]", path, name, shape, cols);
    ERR_IF(t->format->act == ACT_NONE, e, ERR_INPUT, "%s: tensor %s: the format %s cannot be run yet", path, name,
           t->format->name);
    return true;
}

// Float vectors are used where they lie, or decoded into the arena when they lie unaligned or are not F32.
static bool take_vector(struct model *m, const struct gguf_tensor *t, const char *name, const float **out,
                        struct err *e) {
    ERR_IF(t->format->act != ACT_F32, e, ERR_INPUT, "%s: tensor %s: its format is %s, expected F32, F16 or BF16",
           m->file->path, name, t->format->name);
    if (t->format->index == QUANT_f32 && (uintptr_t)t->data % sizeof(float) == 0) {
        *out = t->data;
        return true;
    }
    float *copy = arena_alloc(&m->arena, t->n_elements, sizeof *copy);
    if (!copy)
        return err_memory(e, t->n_elements * sizeof *copy, name);
    quant_decode(t->format, t->data, copy, t->n_elements);
    *out = copy;
    return true;
}

static bool vector(struct model *m, const char *full_name, uint32_t len, bool required, const float **out,
                   struct err *e) {
    const struct gguf_tensor *t;
    *out = NULL;
    ERR_FORWARD(find(m, full_name, 0, len, required, &t, e));
    return !t || take_vector(m, t, full_name, out, e);
}

bool bind_vector(struct model *m, const char *name, uint32_t layer, uint32_t len, bool required, const float **out,
                 struct err *e) {
    char full_name[128];
    tensor_name(full_name, name, layer, "weight");
    return vector(m, full_name, len, required, out, e);
}

bool bind_matrix(struct model *m, const char *name, uint32_t layer, uint32_t rows, uint32_t cols, bool required,
                 bool bias, struct weight *w, struct err *e) {
    const struct gguf_tensor *t;
    const float *scale = NULL;
    char full_name[128];
    uint64_t row_size;
    *w = (struct weight){0};
    tensor_name(full_name, name, layer, "weight");
    ERR_FORWARD(find(m, full_name, rows, cols, required, &t, e));
    if (!t)
        return true;
    ERR_IF(!quant_row_size(t->format, cols, &row_size), e, ERR_INPUT,
           "%s: tensor %s: rows of %u elements do not divide "
           "into blocks of %u",
           m->file->path, full_name, cols, t->format->block_len);
    *w = (struct weight){t->format, t->data, rows, cols, (size_t)row_size, NULL, 1.0f};
    tensor_name(full_name, name, layer, "scale");
    ERR_FORWARD(vector(m, full_name, 1, false, &scale, e));
    if (scale)
        w->scale = *scale;
    if (!bias)
        return true;
    tensor_name(full_name, name, layer, "bias");
    return vector(m, full_name, rows, false, &w->bias, e);
}
