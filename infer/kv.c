// SPDX-License-Identifier: MIT
// Laying out the KV memory.
#include "infer/kv.h"

#include <string.h>

// Pages that a layer has room for when its rows see at most `reach` keys: those that the first row of a full batch sees
// while the last one is stored, and as many again for going back.
static uint64_t ring_pages(uint32_t reach, uint64_t pages) {
    uint64_t ring = (2 * (uint64_t)reach + TAPE_MAX_ROWS) / TAPE_PAGE + 2;
    return reach && ring < pages ? ring : pages;
}

static uint64_t page_size(const struct model_kv *l, enum kv_type type) {
    uint64_t values = l->latent ? 0 : kv_page_size(type, l->dim_v);
    return l->n_heads * (kv_page_size(type, l->dim_k) + values);
}

static uint64_t pages_of(uint64_t n) {
    return (n + TAPE_PAGE - 1) / TAPE_PAGE;
}

uint64_t kv_bytes(const struct model *m, enum kv_type type, uint64_t n) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < model_shape(m)->n_slots; i++) {
        struct model_kv l = model_kv(m, i);
        uint64_t most = ring_pages(l.reach, UINT64_MAX / TAPE_PAGE) * TAPE_PAGE;
        sum += page_size(&l, type) * (n < most ? n : most) / TAPE_PAGE;
    }
    return sum;
}

// Where there are enough of them, keys or values of a layer begin where a large page of the system may.
#define ALIGN ((uint64_t)2 << 20)

static char *place(char **at, uint64_t size) {
    if (size >= ALIGN)
        *at += -(uintptr_t)*at % ALIGN;
    char *p = *at;
    *at += size;
    return p;
}

// The layer's place in the reservation from *at on.
static struct kv_layer lay_out(const struct model_kv *l, enum kv_type type, uint64_t pages, char **at) {
    uint64_t ring = ring_pages(l->reach, pages);
    struct kv_layer kv = {.type = type, .n_heads = l->n_heads, .dim_k = l->dim_k, .dim_v = l->dim_v};
    kv.ring = ring < pages ? (uint32_t)ring : 0;
    if (!l->n_heads)
        return kv;
    kv.k = place(at, ring * l->n_heads * kv_page_size(type, l->dim_k));
    if (l->latent)
        return kv;
    kv.v = place(at, ring * l->n_heads * kv_page_size(type, l->dim_v));
    return kv;
}

bool kv_open(struct kv *kv, const struct model *m, struct backend *b, struct arena *a, enum kv_type type,
             uint32_t n_ctx, struct err *e) {
    uint64_t size = 0, pages = pages_of(n_ctx);
    *kv = (struct kv){.backend = b, .n_layers = model_shape(m)->n_slots};
    if (model_shape(m)->decoder_start >= 0)
        kv->settled = SIZE_MAX; // never: cross attention's slots fill by another count
    for (uint32_t i = 0; i < kv->n_layers; i++) {
        struct model_kv l = model_kv(m, i);
        uint64_t bytes = page_size(&l, type) * ring_pages(l.reach, pages); // limits of the shape keep it in 64 bits
        size += bytes < ALIGN ? bytes : bytes + 2 * ALIGN;
    }
    ERR_IF(size > SIZE_MAX / 2, e, ERR_SYSTEM, "context %u: its KV memory does not fit this machine", n_ctx);
    kv->size = (size_t)size;
    kv->memory = b->ops->alloc(b, kv->size);
    kv->layers = arena_alloc(a, kv->n_layers, sizeof *kv->layers);
    kv->reach = arena_alloc(a, kv->n_layers, sizeof *kv->reach);
    kv->begin = arena_alloc(a, kv->n_layers, sizeof *kv->begin);
    if (!kv->memory || !kv->layers || !kv->reach || !kv->begin)
        return err_memory(e, kv->size, "the KV memory");
    char *at = kv->memory;
    for (uint32_t i = 0; i < kv->n_layers; i++) {
        struct model_kv l = model_kv(m, i);
        kv->layers[i] = lay_out(&l, type, pages, &at);
        kv->reach[i] = l.reach;
    }
    return true;
}

void kv_close(struct kv *kv) {
    if (kv->memory)
        kv->backend->ops->free(kv->backend, kv->memory, kv->size);
}

#define SETTLE 1024 // positions at once

// Tells the backend that the first n positions are stored.
static void settle(struct kv *kv, size_t n) {
    const struct backend_ops *ops = kv->backend->ops;
    for (uint32_t i = 0; i < kv->n_layers; i++) {
        const struct kv_layer *l = &kv->layers[i];
        for (int values = 0; values < 2; values++) {
            size_t page = kv_row_size(l, values) * (size_t)TAPE_PAGE * l->n_heads;
            size_t most = l->ring ? l->ring * page : SIZE_MAX;
            size_t known = min_size(kv->settled / TAPE_PAGE * page, most), full = min_size(n / TAPE_PAGE * page, most);
            if (known < full)
                ops->settle(kv->backend, values ? l->v : l->k, known, full);
        }
    }
    kv->settled = n;
}

void kv_grow(struct kv *kv, size_t n) {
    if (kv->top / SETTLE * SETTLE > kv->settled)
        settle(kv, kv->top / SETTLE * SETTLE);
    kv->top = max_size(kv->top, n);
}

uint64_t kv_first_page(const struct kv *kv, uint32_t layer) {
    uint64_t ring = kv->layers[layer].ring, pages = pages_of(kv->top);
    uint64_t first = ring && pages > ring ? pages - ring : 0; // page p has given way to page p + ring
    return first > kv->begin[layer] ? first : kv->begin[layer];
}

// Whether a layer still has the keys that position n sees.
static bool holds(const struct kv *kv, uint32_t layer, size_t n) {
    size_t reach = kv->reach[layer], first = n + 1 > reach ? n + 1 - reach : 0;
    return first / TAPE_PAGE >= kv_first_page(kv, layer);
}

size_t kv_rewind(struct kv *kv, size_t n) {
    for (uint32_t i = 0; i < kv->n_layers; i++)
        if (!holds(kv, i, n))
            n = 0;
    if (n == 0) {
        kv->top = 0;
        memset(kv->begin, 0, kv->n_layers * sizeof *kv->begin);
    }
    return n;
}

uint32_t kv_row_size(const struct kv_layer *l, bool values) {
    bool there = values ? l->v != NULL : l->k != NULL;
    return there ? (uint32_t)(kv_page_size(l->type, values ? l->dim_v : l->dim_k) / TAPE_PAGE) : 0;
}

uint64_t kv_walk_end(enum kv_type type, uint64_t n) {
    return kv_quantized(type) ? pages_of(n) * TAPE_PAGE : n;
}

bool kv_walk(const struct kv_layer *l, bool values, uint64_t first, size_t n, kv_visit *visit, void *user,
             struct err *e) {
    const size_t row = kv_row_size(l, values), head = row * TAPE_PAGE;
    if (!row)
        return true;
    for (uint64_t page = first; page < pages_of(n); page++) {
        size_t rows = min_size(kv_walk_end(l->type, n) - page * TAPE_PAGE, TAPE_PAGE);
        char *at = (char *)(values ? l->v : l->k) + (l->ring ? page % l->ring : page) * l->n_heads * head;
        for (uint32_t h = 0; h < l->n_heads; h++, at += head)
            ERR_FORWARD(visit(user, at, rows * row, e));
    }
    return true;
}
