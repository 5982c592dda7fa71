// SPDX-License-Identifier: MIT
// Writing small GGUF files in memory for tests. Nothing is checked, so that wrong files can be written too: the caller
// says what stands there. Start with {0}: version 3, alignment 32.
#pragma once

#include "base/buf.h"
#include "gguf.h"

struct gguf_writer {
    uint32_t version;   // 0: 3
    uint32_t alignment; // of the data section and of tensors; 0: 32. The key general.alignment is the caller's
    uint64_t n_keys, n_tensors;
    struct buf keys, infos, data;
};

// A key with a value of `size` bytes as they stand in the file.
void gguf_write_key(struct gguf_writer *w, const char *key, uint32_t type, const void *value, size_t size);
void gguf_write_u32(struct gguf_writer *w, const char *key, uint32_t value);
void gguf_write_f32(struct gguf_writer *w, const char *key, float value);
void gguf_write_bool(struct gguf_writer *w, const char *key, bool value);
void gguf_write_str(struct gguf_writer *w, const char *key, const char *value);
// Elements of a fixed size (bytes in all) or, for GGUF_ARRAY and GGUF_STR, encoded by the caller.
void gguf_write_array(struct gguf_writer *w, const char *key, uint32_t elem, uint64_t count, const void *bytes,
                      size_t size);
void gguf_write_strs(struct gguf_writer *w, const char *key, const char *const *strings, uint64_t count);

// A tensor with `size` bytes of data, zeros when data is NULL.
void gguf_write_tensor(struct gguf_writer *w, const char *name, uint32_t format, uint32_t n_dims, const uint64_t *dims,
                       const void *data, size_t size);

// The whole file into *out (emptied first); frees the writer. False without memory.
bool gguf_write_end(struct gguf_writer *w, struct buf *out);

// One part of a file that is split into n: part 0 has the keys, and each has its share of the tensors.
bool gguf_write_part(const struct gguf *g, unsigned part, unsigned n, struct buf *out);

// Appending little-endian numbers and length-prefixed strings, for values and files made by hand.
void gguf_put(struct buf *b, uint64_t value, unsigned size);
void gguf_put_str(struct buf *b, const char *text, size_t len);

// A byte-level vocabulary without merges: id b is byte b, then n more tokens of these types (enum tok_type).
void gguf_write_byte_vocab(struct gguf_writer *w, const char *const *more, const int32_t *types, size_t n);
