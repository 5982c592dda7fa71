// SPDX-License-Identifier: MIT
// Merging of neighbours (merge.h). Two ways with one result: a scan over few symbols, a heap over many.
#include "text/merge.h"

#include <stdlib.h>

#define SCAN_MAX 24 // symbols up to which the scan is faster

bool merge_reserve(struct merge *m, size_t n) {
    if (n <= m->cap)
        return true;
    if (n > UINT32_MAX / 4)
        return false;
    size_t cap = max_size(max_size(n, 256), (size_t)m->cap + m->cap / 2);
    merge_free(m);
    m->symbols = malloc(cap * sizeof *m->symbols);
    m->heap = malloc(cap * 3 * sizeof *m->heap);
    if (!m->symbols || !m->heap) {
        merge_free(m);
        return false;
    }
    m->cap = (uint32_t)cap;
    return true;
}

void merge_free(struct merge *m) {
    free(m->symbols);
    free(m->heap);
    m->symbols = NULL;
    m->heap = NULL;
    m->cap = 0;
}

static void set_rank(struct merge *m, uint32_t left) {
    struct merge_symbol *s = &m->symbols[left];
    s->rank = s->next == MERGE_NONE ? MERGE_NONE : m->rank(m, s, &m->symbols[s->next]);
}

// Takes the symbol after `left` into it and ranks the pairs on both sides anew.
static void join(struct merge *m, uint32_t left) {
    struct merge_symbol *s = &m->symbols[left], *gone = &m->symbols[s->next];
    s->len += gone->len;
    s->hash = 0;
    gone->len = 0;
    gone->rank = MERGE_NONE;
    s->next = gone->next;
    if (s->next != MERGE_NONE)
        m->symbols[s->next].prev = left;
    set_rank(m, left);
    if (s->prev != MERGE_NONE)
        set_rank(m, s->prev);
}

static void merge_by_scan(struct merge *m) {
    for (;;) {
        uint32_t best = 0;
        for (uint32_t i = m->symbols[0].next; i != MERGE_NONE; i = m->symbols[i].next)
            if (m->symbols[i].rank < m->symbols[best].rank)
                best = i;
        if (m->symbols[best].rank == MERGE_NONE)
            return;
        join(m, best);
    }
}

static void sift_down(uint64_t *heap, size_t n, size_t i) {
    uint64_t x = heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n)
            break;
        child += child + 1 < n && heap[child + 1] < heap[child];
        if (heap[child] >= x)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = x;
}

static void sift_up(uint64_t *heap, size_t i) {
    uint64_t x = heap[i];
    for (; i > 0 && heap[(i - 1) / 2] > x; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = x;
}

static size_t push(struct merge *m, size_t n, uint32_t symbol) {
    if (symbol == MERGE_NONE || m->symbols[symbol].rank == MERGE_NONE)
        return n;
    m->heap[n] = (uint64_t)m->symbols[symbol].rank << 32 | symbol;
    sift_up(m->heap, n);
    return n + 1;
}

// An entry whose symbol has another rank by now is out of date; the right one was pushed when the rank changed. A merge
// takes one entry and adds at most two, so there are never more than 2 n.
static void merge_by_heap(struct merge *m) {
    size_t n = 0;
    for (uint32_t i = 0; i < m->n; i++)
        if (m->symbols[i].rank != MERGE_NONE)
            m->heap[n++] = (uint64_t)m->symbols[i].rank << 32 | i;
    for (size_t i = n / 2; i-- > 0;)
        sift_down(m->heap, n, i);
    while (n) {
        uint64_t top = m->heap[0];
        m->heap[0] = m->heap[--n];
        if (n)
            sift_down(m->heap, n, 0);
        uint32_t left = (uint32_t)top;
        if (m->symbols[left].rank != top >> 32)
            continue;
        join(m, left);
        n = push(m, n, left);
        n = push(m, n, m->symbols[left].prev);
    }
}

void merge_run(struct merge *m) {
    for (uint32_t i = 0; i < m->n; i++) {
        m->symbols[i].prev = i ? i - 1 : MERGE_NONE;
        m->symbols[i].next = i + 1 < m->n ? i + 1 : MERGE_NONE;
    }
    for (uint32_t i = 0; i < m->n; i++)
        set_rank(m, i);
    if (m->n <= SCAN_MAX)
        merge_by_scan(m);
    else
        merge_by_heap(m);
}
