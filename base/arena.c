// SPDX-License-Identifier: MIT
// The arena: a list of blocks from calloc, each cut into pieces from its front. A piece that would not fit a fresh
// block of the usual size gets a block of its own, so large arrays cost their size and the kernel zeroes them page by
// page.
#include "base/arena.h"

#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define HIDE(ptr, size) ASAN_POISON_MEMORY_REGION(ptr, size)
#define SHOW(ptr, size) ASAN_UNPOISON_MEMORY_REGION(ptr, size)
#define GAP 64 // poisoned bytes behind every piece
#else
#define HIDE(ptr, size) ((void)0)
#define SHOW(ptr, size) ((void)0)
#define GAP 0
#endif

#define PIECE_ALIGN 64
#define CHUNK_SIZE ((size_t)64 << 10)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size; // bytes from `at`
    char *at;          // aligned, inside this block
};

static struct arena_chunk *chunk_new(size_t size) {
    struct arena_chunk *c = calloc(1, sizeof *c + PIECE_ALIGN + size);
    if (c) {
        c->at = (char *)round_up((uintptr_t)(c + 1), PIECE_ALIGN);
        c->size = size;
        HIDE(c->at, size);
    }
    return c;
}

// Where the next piece of `size` bytes comes from: the newest block, or one put in front of it; a large piece's own
// block goes behind the newest, which still has room for small ones.
static struct arena_chunk *chunk_for(struct arena *a, size_t size) {
    struct arena_chunk *newest = a->chunks;
    if (newest && size <= newest->size - newest->used)
        return newest;
    bool large = size > CHUNK_SIZE / 2;
    struct arena_chunk *c = chunk_new(large ? size : CHUNK_SIZE);
    if (!c)
        return NULL;
    if (large && newest) {
        c->next = newest->next;
        newest->next = c;
    } else {
        c->next = newest;
        a->chunks = c;
    }
    return c;
}

void *arena_alloc(struct arena *a, size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > PTRDIFF_MAX - CHUNK_SIZE)
        return NULL;
    size_t taken = round_up(max_size(bytes, 1), PIECE_ALIGN) + GAP;
    struct arena_chunk *c = chunk_for(a, taken);
    if (!c)
        return NULL;
    void *piece = c->at + c->used;
    c->used += taken;
    a->used += taken;
    SHOW(piece, bytes);
    return piece;
}

void arena_free(struct arena *a) {
    for (struct arena_chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    *a = (struct arena){0};
}
