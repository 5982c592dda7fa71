// SPDX-License-Identifier: MIT
// Merging of neighbours: a text cut into symbols, and a rule that ranks pairs of neighbours. The pair with the lowest
// rank is merged, the leftmost first among equals, until no pair has a rank. A short text is scanned for its lowest
// rank each time, the pairs of a longer one lie in a heap; of a very long one they are sorted, and only those that
// merging makes go into a heap: n symbols take O(n log n).
#pragma once

#include "base/base.h"

#define MERGE_NONE UINT32_MAX

struct merge_symbol {
    uint32_t start, len; // bytes of the text; len 0: merged into a neighbour
    uint32_t prev, next; // numbers of the neighbours, MERGE_NONE at the ends
    uint32_t rank;       // of the pair with the next symbol, MERGE_NONE: cannot merge
    uint64_t hash;       // of the symbol's text, where the rule wants it
};

struct merge {
    struct merge_symbol *symbols;
    uint32_t n, cap;
    uint64_t *pairs; // [cap * 4]: rank << 32 | symbol; sorted ones, then a heap
    const char *text;
    const void *user;
    const uint32_t *bytes_rank; // [65536] the rank of a pair of bytes, or NULL
    const unsigned char *bytes; // with bytes_rank: the byte that each symbol is at the beginning
    // The rank of the pair (left, right). May fill in hashes that are 0.
    uint32_t (*rank)(const struct merge *m, struct merge_symbol *left, struct merge_symbol *right);
};

// Makes room for n symbols; false when memory is short.
bool merge_reserve(struct merge *m, size_t n);
void merge_free(struct merge *m);

// Merges symbols[0..n), of which start and len (and hash) are set. Afterwards the first symbol is number 0 and the rest
// follow by `next`.
void merge_run(struct merge *m);
