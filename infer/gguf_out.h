// SPDX-License-Identifier: MIT
// Writing GGUF files, version 3, as a stream. Keys and tensors are announced first, gguf_out_begin writes the header,
// then the tensors' data comes in the order announced, in pieces of any size: whoever writes need not hold a tensor.
// The file appears under its name at gguf_out_end (base/file.h). Announcing does nothing after a failed allocation,
// which begin reports.
#pragma once

#include "gguf.h"

struct gguf_out;

// `alignment`, a power of two, is that of the data; the key general.alignment is the caller's.
bool gguf_out_open(struct gguf_out **out, const char *path, uint32_t alignment, struct err *e);
void gguf_out_close(struct gguf_out *o); // NULL is fine; without gguf_out_end nothing is left behind

// A key with a value as a file holds it, and the usual kinds. The caller sees to it that no key comes twice.
void gguf_out_value(struct gguf_out *o, struct str key, const struct gguf_value *value);
void gguf_out_u32(struct gguf_out *o, const char *key, uint32_t n);
void gguf_out_str(struct gguf_out *o, const char *key, struct str text);
void gguf_out_strs(struct gguf_out *o, const char *key, const struct str *texts, uint64_t n);

// A tensor; its size must fit, as gguf_open would have it. Names are the caller's to keep unique.
bool gguf_out_tensor(struct gguf_out *o, struct str name, const struct quant_format *f, uint32_t n_dims,
                     const uint64_t *dims, struct err *e);
// Bytes of the whole file, once everything is announced.
uint64_t gguf_out_size(const struct gguf_out *o);

bool gguf_out_begin(struct gguf_out *o, struct err *e);
bool gguf_out_data(struct gguf_out *o, const void *bytes, size_t n, struct err *e);
bool gguf_out_end(struct gguf_out *o, struct err *e);
