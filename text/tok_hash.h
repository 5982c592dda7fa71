// SPDX-License-Identifier: MIT
// Hashes of texts, and of a pair of texts by the hashes of its halves. Not keyed: what depends on few collisions bounds
// its work otherwise (struct tok_batch).
#pragma once

#include "base/base.h"

#include <string.h>

#define TOK_MIX1 0x9E3779B97F4A7C15u // odd constants without structure: fractions of the golden ratio and of pi
#define TOK_MIX2 0x243F6A8885A308D3u
#define TOK_MIX3 0x13198A2E03707345u

static inline uint64_t tok_load8(const char *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

static inline uint64_t tok_hash_mix(uint64_t a, uint64_t b, uint64_t n) {
    uint64_t h = (a ^ TOK_MIX2 ^ n << 56) * TOK_MIX1 ^ (b + TOK_MIX3) * TOK_MIX3 >> 7;
    h = (h ^ h >> 32) * TOK_MIX1;
    return h ^ h >> 29;
}

// A text of n >= 1 bytes before which at least 8 bytes can be read: up to 16 bytes are hashed without a branch, because
// the lengths of a vocabulary's texts cannot be predicted. The bytes before the text are shifted out.
static inline uint64_t tok_hash_prefixed(const char *p, size_t n) {
    uint64_t above = 0;
    for (size_t left = n; left > 16; left -= 16, p += 16, n -= 16)
        above = tok_hash_mix(tok_load8(p) ^ above, tok_load8(p + 8), 16);
    const char *last = p + n - 8;
    unsigned shift = n < 8 ? 64 - 8 * (unsigned)n : 0;
    uint64_t a = tok_load8(n > 8 ? p : last) >> shift;
    return tok_hash_mix(a ^ above, tok_load8(last) >> shift, n);
}

// The 1 to 7 bytes of a text as a number, the first byte lowest: two loads that overlap.
static inline uint64_t tok_load_short(const char *p, size_t n) {
    uint32_t a32, b32;
    uint16_t a16, b16;
    if (n >= 4) {
        memcpy(&a32, p, 4);
        memcpy(&b32, p + n - 4, 4);
        return a32 | (uint64_t)b32 << 8 * (n - 4);
    }
    if (n == 1)
        return (unsigned char)*p;
    memcpy(&a16, p, 2);
    memcpy(&b16, p + n - 2, 2);
    return a16 | (uint64_t)b16 << 8 * (n - 2);
}

// The same hash for any text, wherever it lies.
static inline uint64_t tok_hash(const char *p, size_t n) {
    if (n >= 8)
        return tok_hash_prefixed(p, n);
    if (!n)
        return 0;
    uint64_t x = tok_load_short(p, n);
    return tok_hash_mix(x, x, n);
}

static inline uint64_t tok_hash_pair(uint64_t left, uint64_t right) {
    uint64_t h = (left ^ (right << 21 | right >> 43)) * TOK_MIX1;
    return h ^ h >> 31;
}
