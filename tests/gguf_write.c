// SPDX-License-Identifier: MIT
// The GGUF writer of the tests: three buffers, put behind the header at the end.
#include "tests/gguf_write.h"

#include <string.h>

#include "base/utf8.h"

void gguf_put(struct buf *b, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        buf_char(b, (char)(value >> (8 * i) & 0xFF));
}

void gguf_put_str(struct buf *b, const char *text, size_t len) {
    gguf_put(b, len, 8);
    buf_append(b, text, len);
}

static void put_zeros(struct buf *b, size_t n) {
    char *end = buf_reserve(b, n);
    if (end) {
        memset(end, 0, n);
        b->len += n;
    }
}

static void pad(struct buf *b, uint32_t alignment) {
    uint64_t rest = b->len % alignment;
    put_zeros(b, rest ? alignment - rest : 0);
}

void gguf_write_key(struct gguf_writer *w, const char *key, uint32_t type, const void *value, size_t size) {
    gguf_put_str(&w->keys, key, strlen(key));
    gguf_put(&w->keys, type, 4);
    buf_append(&w->keys, value, size);
    w->n_keys++;
}

void gguf_write_u32(struct gguf_writer *w, const char *key, uint32_t value) {
    gguf_write_key(w, key, GGUF_U32, NULL, 0);
    gguf_put(&w->keys, value, 4);
}

void gguf_write_f32(struct gguf_writer *w, const char *key, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    gguf_write_key(w, key, GGUF_F32, NULL, 0);
    gguf_put(&w->keys, bits, 4);
}

void gguf_write_bool(struct gguf_writer *w, const char *key, bool value) {
    gguf_write_key(w, key, GGUF_BOOL, &(char){value}, 1);
}

void gguf_write_str(struct gguf_writer *w, const char *key, const char *value) {
    gguf_write_key(w, key, GGUF_STR, NULL, 0);
    gguf_put_str(&w->keys, value, strlen(value));
}

void gguf_write_array(struct gguf_writer *w, const char *key, uint32_t elem, uint64_t count, const void *bytes,
                      size_t size) {
    gguf_write_key(w, key, GGUF_ARRAY, NULL, 0);
    gguf_put(&w->keys, elem, 4);
    gguf_put(&w->keys, count, 8);
    buf_append(&w->keys, bytes, size);
}

void gguf_write_strs(struct gguf_writer *w, const char *key, const char *const *strings, uint64_t count) {
    gguf_write_array(w, key, GGUF_STR, count, NULL, 0);
    for (uint64_t i = 0; i < count; i++)
        gguf_put_str(&w->keys, strings[i], strlen(strings[i]));
}

void gguf_write_tensor(struct gguf_writer *w, const char *name, uint32_t format, uint32_t n_dims, const uint64_t *dims,
                       const void *data, size_t size) {
    pad(&w->data, w->alignment ? w->alignment : 32);
    gguf_put_str(&w->infos, name, strlen(name));
    gguf_put(&w->infos, n_dims, 4);
    for (uint32_t i = 0; i < n_dims; i++)
        gguf_put(&w->infos, dims[i], 8);
    gguf_put(&w->infos, format, 4);
    gguf_put(&w->infos, w->data.len, 8);
    if (data)
        buf_append(&w->data, data, size);
    else
        put_zeros(&w->data, size);
    w->n_tensors++;
}

bool gguf_write_end(struct gguf_writer *w, struct buf *out) {
    out->len = 0;
    buf_append(out, "GGUF", 4);
    gguf_put(out, w->version ? w->version : 3, 4);
    gguf_put(out, w->n_tensors, 8);
    gguf_put(out, w->n_keys, 8);
    buf_append(out, w->keys.ptr, w->keys.len);
    buf_append(out, w->infos.ptr, w->infos.len);
    if (w->n_tensors > 0)
        pad(out, w->alignment ? w->alignment : 32);
    buf_append(out, w->data.ptr, w->data.len);
    bool ok = !out->failed && !w->keys.failed && !w->infos.failed && !w->data.failed;
    buf_free(&w->keys);
    buf_free(&w->infos);
    buf_free(&w->data);
    return ok;
}

static void copy_key(struct gguf_writer *w, const struct gguf_key *k) {
    char name[256] = {0};
    const struct gguf_value *v = &k->value;
    size_t head = v->type == GGUF_ARRAY ? 12 : 0; // the element type and the count stand before the data
    memcpy(name, k->name.ptr, min_size(k->name.len, sizeof name - 1));
    gguf_write_key(w, name, v->type, v->data - head, (size_t)v->size + head);
}

bool gguf_write_part(const struct gguf *g, unsigned part, unsigned n, struct buf *out) {
    struct gguf_writer w = {0};
    for (uint64_t i = 0; part == 0 && i < g->n_keys; i++)
        copy_key(&w, &g->keys[i]);
    gguf_write_key(&w, "split.no", GGUF_U16, &(uint16_t){(uint16_t)part}, 2);
    gguf_write_key(&w, "split.count", GGUF_U16, &(uint16_t){(uint16_t)n}, 2);
    gguf_write_key(&w, "split.tensors.count", GGUF_I32, &(int32_t){(int32_t)g->n_tensors}, 4);
    for (uint64_t i = g->n_tensors * part / n; i < g->n_tensors * (part + 1) / n; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        char name[64] = {0};
        memcpy(name, t->name.ptr, min_size(t->name.len, sizeof name - 1));
        gguf_write_tensor(&w, name, t->format->id, t->n_dims, t->dims, t->data, (size_t)t->size);
    }
    return gguf_write_end(&w, out);
}

void gguf_write_byte_vocab(struct gguf_writer *w, const char *const *more, const int32_t *types, size_t n) {
    char spelled[256][5] = {0};
    const char *tokens[512];
    int32_t all_types[512];
    uint32_t next = 256;
    n = min_size(n, 256);
    for (uint32_t b = 0; b < 256; b++) {
        bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        utf8_encode(printable ? b : next++, spelled[b]);
        tokens[b] = spelled[b];
        all_types[b] = 1;
    }
    for (size_t i = 0; i < n; i++) {
        tokens[256 + i] = more[i];
        all_types[256 + i] = types[i];
    }
    gguf_write_str(w, "tokenizer.ggml.model", "gpt2");
    gguf_write_str(w, "tokenizer.ggml.pre", "gpt-2");
    gguf_write_strs(w, "tokenizer.ggml.tokens", tokens, 256 + n);
    gguf_write_array(w, "tokenizer.ggml.token_type", GGUF_I32, 256 + n, all_types, (256 + n) * sizeof *all_types);
    gguf_write_strs(w, "tokenizer.ggml.merges", NULL, 0);
}
