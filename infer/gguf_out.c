// SPDX-License-Identifier: MIT
// The header is kept in two buffers until it is written; of the data only the places where tensors end are known.
#include "infer/gguf_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define HEADER_SIZE 24
#define SHOWN 100 // bytes of a name in a message

struct gguf_out {
    struct file_writer file;
    struct buf keys, infos;
    struct buf ends; // uint64_t[n_tensors]: where in the data each tensor ends
    uint32_t alignment;
    uint64_t n_keys, n_tensors, next; // next: the tensor whose data comes
    uint64_t data_size;               // of what is announced, with the padding before each tensor
};

static uint64_t aligned(const struct gguf_out *o, uint64_t n) {
    return (n + o->alignment - 1) / o->alignment * o->alignment;
}

static void put(struct buf *b, uint64_t value, unsigned size) {
    uint8_t bytes[8];
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buf_append(b, bytes, size);
}

static void put_str(struct buf *b, struct str s) {
    put(b, s.len, 8);
    buf_append(b, s.ptr, s.len);
}

static void put_key(struct gguf_out *o, const char *key, enum gguf_type type) {
    put_str(&o->keys, (struct str){key, strlen(key)});
    put(&o->keys, type, 4);
    o->n_keys++;
}

bool gguf_out_open(struct gguf_out **out, const char *path, uint32_t alignment, struct err *e) {
    struct gguf_out *o = *out = calloc(1, sizeof *o);
    if (!o)
        return err_memory(e, sizeof *o, path);
    o->alignment = alignment;
    if (file_writer_open(&o->file, path, e))
        return true;
    gguf_out_close(o);
    *out = NULL;
    return false;
}

void gguf_out_close(struct gguf_out *o) {
    if (!o)
        return;
    file_writer_close(&o->file);
    buf_free(&o->keys);
    buf_free(&o->infos);
    buf_free(&o->ends);
    free(o);
}

void gguf_out_value(struct gguf_out *o, struct str key, const struct gguf_value *value) {
    put_str(&o->keys, key);
    put(&o->keys, value->type, 4);
    if (value->type == GGUF_ARRAY) {
        put(&o->keys, value->elem, 4);
        put(&o->keys, value->count, 8);
    }
    buf_append(&o->keys, value->data, (size_t)value->size);
    o->n_keys++;
}

void gguf_out_u32(struct gguf_out *o, const char *key, uint32_t n) {
    put_key(o, key, GGUF_U32);
    put(&o->keys, n, 4);
}

void gguf_out_str(struct gguf_out *o, const char *key, struct str text) {
    put_key(o, key, GGUF_STR);
    put_str(&o->keys, text);
}

void gguf_out_strs(struct gguf_out *o, const char *key, const struct str *texts, uint64_t n) {
    put_key(o, key, GGUF_ARRAY);
    put(&o->keys, GGUF_STR, 4);
    put(&o->keys, n, 8);
    for (uint64_t i = 0; i < n; i++)
        put_str(&o->keys, texts[i]);
}

bool gguf_out_tensor(struct gguf_out *o, struct str name, const struct quant_format *f, uint32_t n_dims,
                     const uint64_t *dims, struct err *e) {
    uint64_t offset = aligned(o, o->data_size), size;
    bool fits = quant_row_size(f, dims[0], &size);
    for (uint32_t i = 1; i < n_dims; i++)
        fits = fits && mul_fits(size, dims[i], &size);
    ERR_IF(!fits || !add_fits(offset, size, &o->data_size), e, ERR_INPUT, "tensor '%.*s': its size does not fit %s",
           (int)min_size(name.len, SHOWN), name.ptr, f->name);
    put_str(&o->infos, name);
    put(&o->infos, n_dims, 4);
    for (uint32_t i = 0; i < n_dims; i++)
        put(&o->infos, dims[i], 8);
    put(&o->infos, f->id, 4);
    put(&o->infos, offset, 8);
    buf_append(&o->ends, &o->data_size, sizeof o->data_size);
    o->n_tensors++;
    return true;
}

static uint64_t data_begins(const struct gguf_out *o) {
    return aligned(o, HEADER_SIZE + o->keys.len + o->infos.len);
}

uint64_t gguf_out_size(const struct gguf_out *o) {
    return data_begins(o) + aligned(o, o->data_size);
}

static bool pad_file(struct gguf_out *o, uint64_t size, struct err *e) {
    static const char zeros[4096];
    while (o->file.size < size)
        ERR_FORWARD(file_writer_put(&o->file, zeros, min_size(sizeof zeros, (size_t)(size - o->file.size)), e));
    return true;
}

bool gguf_out_begin(struct gguf_out *o, struct err *e) {
    struct buf head = {0};
    buf_append(&head, "GGUF", 4);
    put(&head, 3, 4);
    put(&head, o->n_tensors, 8);
    put(&head, o->n_keys, 8);
    bool ok = !head.failed && !o->keys.failed && !o->infos.failed && !o->ends.failed;
    if (!ok)
        err_memory(e, o->keys.len + o->infos.len, o->file.path);
    ok = ok && file_writer_put(&o->file, head.ptr, head.len, e) &&
         file_writer_put(&o->file, o->keys.ptr, o->keys.len, e) &&
         file_writer_put(&o->file, o->infos.ptr, o->infos.len, e);
    buf_free(&head);
    return ok && pad_file(o, data_begins(o), e);
}

bool gguf_out_data(struct gguf_out *o, const void *bytes, size_t n, struct err *e) {
    const char *at = bytes;
    while (n) {
        ERR_IF(o->next == o->n_tensors, e, ERR_SYSTEM, "%s: more data than its tensors hold", o->file.path);
        uint64_t end;
        memcpy(&end, o->ends.ptr + o->next * sizeof end, sizeof end);
        end += data_begins(o);
        size_t part = min_size(n, (size_t)(end - o->file.size));
        ERR_FORWARD(file_writer_put(&o->file, at, part, e));
        at += part;
        n -= part;
        if (o->file.size == end) {
            o->next++;
            ERR_FORWARD(pad_file(o, aligned(o, end), e));
        }
    }
    return true;
}

bool gguf_out_end(struct gguf_out *o, struct err *e) {
    ERR_IF(o->next != o->n_tensors, e, ERR_SYSTEM, "%s: less data than its tensors hold", o->file.path);
    return file_writer_end(&o->file, e);
}
