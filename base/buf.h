// SPDX-License-Identifier: MIT
// Growing buffers: bytes (struct buf) and token ids (struct ids). Zero-initialised is empty and valid. Growth doubles;
// a failed allocation sets `failed`, leaves the contents as they were and makes later appends do nothing, so a chain of
// appends is checked once.
#pragma once

#include "base/base.h"

struct buf {
    char *ptr;
    size_t len, cap;
    bool failed; // an append did not fit in memory
};

// Room for n more bytes behind the contents: the caller writes there and adds to len what it wrote. NULL: failed.
char *buf_reserve(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *bytes, size_t n);
void buf_str(struct buf *b, const char *text); // text is terminated
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_int(struct buf *b, int64_t n); // in decimal
void buf_uint(struct buf *b, uint64_t n);
void buf_free(struct buf *b);

struct ids {
    int32_t *ptr;
    size_t len, cap;
    bool failed;
};

void ids_push(struct ids *v, int32_t id);
void ids_append(struct ids *v, const int32_t *ids, size_t n);
void ids_free(struct ids *v);
