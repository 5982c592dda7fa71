// SPDX-License-Identifier: MIT
// Binding: keys and tensors of a file by name, each with the type and shape that is expected of it.
#include <math.h>
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

bool bind_bool(const struct model *m, const char *key, bool required, bool *out, struct err *e) {
    char name[128];
    bind_key(m, key, name);
    return gguf_get_bool(m->file, name, required, out, e);
}

// The array under a key, with an element for the layer; NULL when the key is absent or one number.
static bool find_array(const struct model *m, const char *name, uint32_t layer, const struct gguf_value **out,
                       struct err *e) {
    const struct gguf_value *v = gguf_find(m->file, name);
    *out = v && v->type == GGUF_ARRAY ? v : NULL;
    ERR_IF(*out && (v->elem == GGUF_STR || v->elem == GGUF_ARRAY || v->count <= layer), e, ERR_INPUT,
           "%s: key %s: expected a number for each of %u layers", m->file->path, name, m->shape.n_layers);
    return true;
}

bool bind_u32_at(const struct model *m, const char *key, uint32_t layer, bool required, uint32_t *out, struct err *e) {
    char name[128];
    const struct gguf_value *array;
    bind_key(m, key, name);
    ERR_FORWARD(find_array(m, name, layer, &array, e));
    if (!array)
        return gguf_get_u32(m->file, name, required, out, e);
    int64_t n = gguf_array_int(array, layer);
    ERR_IF(n < 0 || n > UINT32_MAX, e, ERR_INPUT, "%s: key %s: element %u is %lld, expected 0 to 4294967295",
           m->file->path, name, layer, (long long)n);
    *out = (uint32_t)n;
    return true;
}

bool bind_f32_whole(const struct model *m, const char *name, uint32_t layer, bool required, float *out, struct err *e) {
    const struct gguf_value *array;
    ERR_FORWARD(find_array(m, name, layer, &array, e));
    if (!array)
        return gguf_get_f32(m->file, name, required, out, e);
    *out = (float)gguf_array_float(array, layer);
    ERR_IF(!(*out < INFINITY), e, ERR_INPUT, "%s: key %s: element %u is not a number", m->file->path, name, layer);
    return true;
}

bool bind_f32_at(const struct model *m, const char *key, uint32_t layer, bool required, float *out, struct err *e) {
    char name[128];
    bind_key(m, key, name);
    return bind_f32_whole(m, name, layer, required, out, e);
}

bool bind_ranges(const struct model *m, uint32_t layer, const struct range_row *rows, size_t n, struct err *e) {
    for (const struct range_row *r = rows; r < rows + n; r++) {
        uint32_t otherwise = *r->value;
        ERR_FORWARD(bind_u32_at(m, r->key, layer, r->required, r->value, e));
        if (!r->required && *r->value == 0) // writers put 0 for keys that a model does not use
            *r->value = otherwise;
        ERR_IF(*r->value < r->least || *r->value > r->most, e, ERR_INPUT, "%s: key %s.%s: %u, expected %u to %u",
               m->file->path, m->arch->name, r->key, *r->value, r->least, r->most);
    }
    return true;
}

void *bind_alloc(struct model *m, size_t size, struct err *e) {
    void *p = arena_alloc(&m->arena, 1, size);
    if (!p)
        err_memory(e, size, "the model's weights");
    return p;
}

// blk.%.attn_q + .weight with the layer in place of the %; no suffix for NULL.
static void tensor_name(char out[128], const char *name, uint32_t layer, const char *suffix) {
    const char *mark = strchr(name, '%'), *dot = suffix ? "." : "";
    suffix = suffix ? suffix : "";
    if (mark)
        snprintf(out, 128, "%.*s%u%s%s%s", (int)(mark - name), name, layer, mark + 1, dot, suffix);
    else
        snprintf(out, 128, "%s%s%s", name, dot, suffix);
}

static const struct gguf_tensor *weight_of(const struct model *m, const char *name, uint32_t layer) {
    char full[128];
    tensor_name(full, name, layer, "weight");
    return gguf_find_tensor(m->file, full);
}

bool bind_has(const struct model *m, const char *name, uint32_t layer) {
    char full[128];
    tensor_name(full, name, layer, NULL);
    return weight_of(m, name, layer) || gguf_find_tensor(m->file, full);
}

uint32_t bind_dim(const struct model *m, const char *name, uint32_t layer, uint32_t dim) {
    const struct gguf_tensor *t = weight_of(m, name, layer);
    return t && t->dims[dim] <= MAX_WIDTH ? (uint32_t)t->dims[dim] : 0;
}

static void shape_text(char out[80], const struct gguf_tensor *t) {
    size_t n = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < t->n_dims && n < 60; i++)
        n += (size_t)snprintf(out + n, 80 - n, "%s%llu", i ? ", " : "", (unsigned long long)t->dims[i]);
}

// The tensor, checked: [cols, rows, count]. *out is NULL when it is absent and need not be there.
static bool find(const struct model *m, const char *name, uint32_t count, uint32_t rows, uint32_t cols, bool required,
                 const struct gguf_tensor **out, struct err *e) {
    const struct gguf_tensor *t = *out = gguf_find_tensor(m->file, name);
    const char *path = m->file->path;
    char shape[80];
    if (!t) {
        ERR_IF(required, e, ERR_INPUT, "%s: tensor %s: missing, %s needs it", path, name, m->arch->name);
        return true;
    }
    bool fits = t->dims[0] == cols && t->dims[1] == rows && t->dims[2] == count && t->dims[3] == 1;
    shape_text(shape, t);
    if (!fits && count > 1)
        return err_set(e, ERR_INPUT, "%s: tensor %s: its shape is [%s], expected [%u, %u, %u]", path, name, shape, cols,
                       rows, count);
    ERR_IF(!fits, e, ERR_INPUT, "%s: tensor %s: its shape is [%s], expected [%u, %u]", path, name, shape, cols, rows);
    ERR_IF(t->format->act == ACT_NONE, e, ERR_INPUT, "%s: tensor %s: the format %s cannot be run yet", path, name,
           t->format->name);
    return true;
}

// Floats are used where they lie, or decoded into the arena when they lie unaligned or are not F32.
static bool take_floats(struct model *m, const struct gguf_tensor *t, const char *name, const float **out,
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

static bool floats(struct model *m, const char *full_name, uint64_t len, bool required, const float **out,
                   struct err *e) {
    const struct gguf_tensor *t = gguf_find_tensor(m->file, full_name);
    char shape[80];
    *out = NULL;
    if (!t) {
        ERR_IF(required, e, ERR_INPUT, "%s: tensor %s: missing, %s needs it", m->file->path, full_name, m->arch->name);
        return true;
    }
    shape_text(shape, t);
    ERR_IF(t->n_elements != len, e, ERR_INPUT, "%s: tensor %s: its shape is [%s], expected [%llu]", m->file->path,
           full_name, shape, (unsigned long long)len);
    return take_floats(m, t, full_name, out, e);
}

bool bind_floats(struct model *m, const char *name, const char *suffix, uint32_t layer, uint64_t len, bool required,
                 const float **out, struct err *e) {
    char full[128], bare[128];
    tensor_name(full, name, layer, suffix);
    tensor_name(bare, name, layer, NULL);
    bool only_bare = !gguf_find_tensor(m->file, full) && gguf_find_tensor(m->file, bare);
    return floats(m, only_bare ? bare : full, len, required, out, e);
}

bool bind_bias(struct model *m, const char *name, uint32_t layer, uint64_t len, bool required, const float **out,
               struct err *e) {
    char full[128];
    tensor_name(full, name, layer, "bias");
    return floats(m, full, len, required, out, e);
}

bool bind_norm(struct model *m, const char *name, uint32_t layer, uint32_t len, bool required, struct norm *out,
               struct err *e) {
    bool bias = m->arch->flags & ARCH_BIAS_NORM && required;
    *out = (struct norm){.kind = m->norm, .eps = m->eps};
    if (!name)
        return true;
    ERR_FORWARD(bind_floats(m, name, "weight", layer, len, required, &out->w, e));
    char full[128];
    tensor_name(full, name, layer, "bias");
    ERR_FORWARD(floats(m, full, len, bias && out->w, &out->b, e));
    out->there = out->w;
    return true;
}

bool bind_matrices(struct model *m, const char *name, uint32_t layer, uint32_t count, uint32_t rows, uint32_t cols,
                   unsigned flags, struct weight *w, struct err *e) {
    const struct gguf_tensor *t;
    char full[128];
    uint64_t row_size;
    *w = (struct weight){0};
    tensor_name(full, name, layer, "weight");
    ERR_FORWARD(find(m, full, count, rows, cols, flags & BIND_MUST, &t, e));
    if (!t)
        return true;
    ERR_IF(!quant_row_size(t->format, cols, &row_size), e, ERR_INPUT,
           "%s: tensor %s: rows of %u elements do not divide into blocks of %u", m->file->path, full, cols,
           t->format->block_len);
    *w = (struct weight){.format = t->format,
                         .data = t->data,
                         .rows = rows,
                         .cols = cols,
                         .count = count,
                         .row_size = (size_t)row_size,
                         .stride = (size_t)row_size * rows,
                         .bias_stride = rows};
    tensor_name(full, name, layer, "scale");
    ERR_FORWARD(flags & BIND_NO_SCALE || floats(m, full, count, false, &w->scales, e));
    if (!(flags & (BIND_BIAS | BIND_BIAS_MUST)))
        return true;
    tensor_name(full, name, layer, "bias");
    return floats(m, full, (uint64_t)count * rows, flags & BIND_BIAS_MUST, &w->bias, e);
}

bool bind_matrix(struct model *m, const char *name, uint32_t layer, uint32_t rows, uint32_t cols, unsigned flags,
                 struct weight *w, struct err *e) {
    return bind_matrices(m, name, layer, 1, rows, cols, flags, w, e);
}

struct weight bind_rows(const struct weight *w, uint32_t first, uint32_t rows) {
    struct weight part = *w;
    part.data = (const char *)w->data + first * w->row_size;
    part.bias = w->bias ? w->bias + first : NULL;
    part.rows = rows;
    return part;
}
