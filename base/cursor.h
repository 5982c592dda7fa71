// SPDX-License-Identifier: MIT
// Reading little-endian bytes that nobody vouches for: a cursor that never leaves its range. What does not fit sets
// `failed` and gives zero, and so does everything after it, so a chain of reads is checked once.
#pragma once

#include "base/base.h"

struct cursor {
    const uint8_t *base;
    uint64_t size, pos; // pos <= size always
    bool failed;        // something did not fit
};

// A number of `size` bytes, at any address.
static inline uint64_t cursor_load(const uint8_t *p, unsigned size) {
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static inline uint64_t cursor_load_u64(const uint8_t *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
           (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

// The next n bytes, or NULL.
static inline const uint8_t *cursor_take(struct cursor *c, uint64_t n) {
    if (c->failed || n > c->size - c->pos) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->base + c->pos;
    c->pos += n;
    return p;
}

static inline uint32_t cursor_u32(struct cursor *c) {
    const uint8_t *p = cursor_take(c, 4);
    return p ? (uint32_t)cursor_load(p, 4) : 0;
}

static inline uint64_t cursor_u64(struct cursor *c) {
    const uint8_t *p = cursor_take(c, 8);
    return p ? cursor_load_u64(p) : 0;
}

// n bytes as a slice; empty when they are not there.
static inline struct str cursor_str(struct cursor *c, uint64_t n) {
    const uint8_t *p = cursor_take(c, n);
    return p ? (struct str){(const char *)p, (size_t)n} : (struct str){"", 0};
}

// Moves over `count` strings, each behind its length in 8 bytes. Vocabularies have hundreds of thousands: this loop
// decides how fast a file opens.
static inline void cursor_skip_strs(struct cursor *c, uint64_t count) {
    uint64_t pos = c->pos;
    for (uint64_t i = 0; i < count && !c->failed; i++) {
        uint64_t len = c->size - pos < 8 ? UINT64_MAX : cursor_load_u64(c->base + pos);
        if (c->size - pos < 8 || len > c->size - pos - 8)
            c->failed = true;
        else
            pos += 8 + len;
    }
    c->pos = pos;
}
