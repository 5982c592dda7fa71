// SPDX-License-Identifier: MIT
// Growing buffers. A buffer that failed once takes nothing more, so its contents are always a prefix of what was meant.
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The block at ptr with room for len + n elements, *cap updated; NULL when that overflows or memory is short, and the
// old block is untouched then.
static void *grown(void *ptr, size_t *cap, size_t len, size_t n, size_t elem_size) {
    size_t limit = PTRDIFF_MAX / elem_size;
    if (n > limit - len)
        return NULL;
    if (ptr && len + n <= *cap)
        return ptr;
    size_t want = max_size(len + n, min_size(*cap, limit / 2) * 2);
    want = max_size(want, 64 / elem_size);
    void *block = realloc(ptr, want * elem_size);
    if (block)
        *cap = want;
    return block;
}

char *buf_reserve(struct buf *b, size_t n) {
    char *block = b->failed ? NULL : grown(b->ptr, &b->cap, b->len, n, 1);
    if (!block) {
        b->failed = true;
        return NULL;
    }
    b->ptr = block;
    return block + b->len;
}

void buf_append(struct buf *b, const void *bytes, size_t n) {
    char *end = buf_reserve(b, n);
    if (end && n > 0) {
        memcpy(end, bytes, n);
        b->len += n;
    }
}

void buf_str(struct buf *b, const char *text) {
    buf_append(b, text, strlen(text));
}

void buf_char(struct buf *b, char c) {
    buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *end = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
    if (end) {
        vsnprintf(end, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    } else {
        b->failed = true;
    }
    va_end(again);
    va_end(args);
}

static void append_decimal(struct buf *b, bool negative, uint64_t n) {
    char digits[21], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    if (negative)
        *--at = '-';
    buf_append(b, at, (size_t)(digits + sizeof digits - at));
}

void buf_int(struct buf *b, int64_t n) {
    append_decimal(b, n < 0, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void buf_uint(struct buf *b, uint64_t n) {
    append_decimal(b, false, n);
}

void buf_free(struct buf *b) {
    free(b->ptr);
    *b = (struct buf){0};
}

void ids_push(struct ids *v, int32_t id) {
    ids_append(v, &id, 1);
}

void ids_append(struct ids *v, const int32_t *ids, size_t n) {
    int32_t *block = v->failed ? NULL : grown(v->ptr, &v->cap, v->len, n, sizeof *ids);
    if (!block) {
        v->failed = true;
        return;
    }
    v->ptr = block;
    if (n > 0)
        memcpy(block + v->len, ids, n * sizeof *ids);
    v->len += n;
}

void ids_free(struct ids *v) {
    free(v->ptr);
    *v = (struct ids){0};
}
