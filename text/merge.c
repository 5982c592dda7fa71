// SPDX-License-Identifier: MIT
// Merging of neighbours (merge.h). Three ways with one result: a scan over few symbols, a heap over more, sorting
// before it over many.
#include "text/merge.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_MAX 64   // symbols up to which the scan is faster
#define SORT_MIN 4096 // symbols from which sorting is

bool merge_reserve(struct merge *m, size_t n) {
    if (n <= m->cap)
        return true;
    if (n > UINT32_MAX / 4)
        return false;
    size_t cap = max_size(max_size(n, 256), (size_t)m->cap + m->cap / 2);
    merge_free(m);
    m->symbols = malloc(cap * sizeof *m->symbols);
    m->pairs = malloc(cap * 4 * sizeof *m->pairs);
    if (!m->symbols || !m->pairs) {
        merge_free(m);
        return false;
    }
    m->cap = (uint32_t)cap;
    return true;
}

void merge_free(struct merge *m) {
    free(m->symbols);
    free(m->pairs);
    m->symbols = NULL;
    m->pairs = NULL;
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

static uint32_t first_rank(struct merge *m, uint32_t left) {
    if (left + 1 == m->n)
        return MERGE_NONE;
    if (m->bytes_rank)
        return m->bytes_rank[m->bytes[left] << 8 | m->bytes[left + 1]];
    return m->rank(m, &m->symbols[left], &m->symbols[left + 1]);
}

static uint32_t lowest(const uint32_t *ranks, uint32_t n) {
    uint64_t best = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t x = (uint64_t)ranks[i] << 32 | i;
        best = x < best ? x : best;
    }
    return (uint32_t)best;
}

// The symbols that are left and their ranks lie side by side, so that looking through them is quick.
static void merge_by_scan(struct merge *m) {
    uint32_t ranks[SCAN_MAX], n = m->n;
    uint16_t at[SCAN_MAX];
    struct merge_symbol *s = m->symbols;
    if (!n)
        return;
    for (uint32_t i = 0; i < n; i++) {
        ranks[i] = first_rank(m, i);
        at[i] = (uint16_t)i;
    }
    while (n) {
        uint32_t i = lowest(ranks, n);
        if (ranks[i] == MERGE_NONE)
            break;
        s[at[i]].len += s[at[i + 1]].len;
        s[at[i]].hash = 0;
        n--;
        memmove(at + i + 1, at + i + 2, (n - i - 1) * sizeof *at);
        memmove(ranks + i, ranks + i + 1, (n - i) * sizeof *ranks);
        ranks[i] = i + 1 < n ? m->rank(m, &s[at[i]], &s[at[i + 1]]) : MERGE_NONE;
        if (i)
            ranks[i - 1] = m->rank(m, &s[at[i - 1]], &s[at[i]]);
    }
    for (uint32_t i = 0; i < n; i++)
        s[at[i]].next = i + 1 < n ? at[i + 1] : MERGE_NONE;
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

static size_t push(const struct merge *m, uint64_t *heap, size_t n, uint32_t symbol) {
    if (symbol == MERGE_NONE || m->symbols[symbol].rank == MERGE_NONE)
        return n;
    heap[n] = (uint64_t)m->symbols[symbol].rank << 32 | symbol;
    sift_up(heap, n);
    return n + 1;
}

// One pass of a radix sort by 11 bits of the rank, which keeps the order of equal ones.
static void sort_pass(const uint64_t *from, uint64_t *to, size_t n, unsigned shift) {
    uint32_t begins[1 << 11] = {0};
    for (size_t i = 0; i < n; i++)
        begins[from[i] >> shift & 0x7FF]++;
    for (uint32_t i = 0, sum = 0; i < ARRAY_LEN(begins); i++) {
        uint32_t count = begins[i];
        begins[i] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        to[begins[from[i] >> shift & 0x7FF]++] = from[i];
}

// Sorts the pairs there are, listed from left to right, into pairs[0..n). The heap's space serves the passes.
static size_t sort_pairs(struct merge *m) {
    uint64_t *a = m->pairs + m->cap, *b = m->pairs;
    size_t n = 0;
    for (uint32_t i = 0; i < m->n; i++)
        if (m->symbols[i].rank != MERGE_NONE)
            a[n++] = (uint64_t)m->symbols[i].rank << 32 | i;
    sort_pass(a, b, n, 32);
    sort_pass(b, a, n, 43);
    sort_pass(a, b, n, 54);
    return n;
}

static size_t heap_pairs(const struct merge *m, uint64_t *heap) {
    size_t n = 0;
    for (uint32_t i = 0; i < m->n; i++)
        if (m->symbols[i].rank != MERGE_NONE)
            heap[n++] = (uint64_t)m->symbols[i].rank << 32 | i;
    for (size_t i = n / 2; i-- > 0;)
        sift_down(heap, n, i);
    return n;
}

// The pairs of the beginning are taken in sorted order, those that merges make from a heap, whichever is lower; few
// pairs are all in the heap. An entry whose symbol has another rank by now is out of date; the right one was pushed
// when the rank changed. A merge takes one entry and adds at most two, so the heap never holds more than 2 n.
static void merge_by_heap(struct merge *m) {
    uint64_t *sorted = m->pairs, *heap = m->pairs + m->cap;
    bool sorts = m->n >= SORT_MIN;
    size_t n_sorted = sorts ? sort_pairs(m) : 0, at = 0, n = sorts ? 0 : heap_pairs(m, heap);
    while (at < n_sorted || n) {
        bool from_heap = at == n_sorted || (n && heap[0] < sorted[at]);
        uint64_t next = from_heap ? heap[0] : sorted[at];
        if (from_heap) {
            heap[0] = heap[--n];
            if (n)
                sift_down(heap, n, 0);
        } else {
            at++;
        }
        uint32_t left = (uint32_t)next;
        if (m->symbols[left].rank != next >> 32)
            continue;
        join(m, left);
        n = push(m, heap, n, left);
        n = push(m, heap, n, m->symbols[left].prev);
    }
}

void merge_run(struct merge *m) {
    if (m->n <= SCAN_MAX) {
        merge_by_scan(m);
        return;
    }
    for (uint32_t i = 0; i < m->n; i++) {
        m->symbols[i].prev = i ? i - 1 : MERGE_NONE;
        m->symbols[i].next = i + 1 < m->n ? i + 1 : MERGE_NONE;
        m->symbols[i].rank = first_rank(m, i);
    }
    merge_by_heap(m);
}
