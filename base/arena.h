// SPDX-License-Identifier: MIT
// An arena: memory that an object takes piece by piece while it is opened and gives back in one call. Every piece is
// zeroed and aligned to 64 bytes (a cache line, and the widest vector).
#pragma once

#include "base/base.h"

struct arena {
    struct arena_chunk *chunks;
    size_t used; // bytes handed out, for `info` and the memory contract
};

// n elements of `size` bytes, or NULL when that overflows or memory is short. n = 0 gives a valid pointer.
void *arena_alloc(struct arena *a, size_t n, size_t size);
void arena_free(struct arena *a);
