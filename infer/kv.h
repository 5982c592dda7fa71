// SPDX-License-Identifier: MIT
// The KV memory of a session: what each layer keeps of the past, in pages of positions (backends/tape.h). A layer
// whose rows look back over a limited reach keeps its last pages only.
#pragma once

#include "backends/backend.h"
#include "models/model.h"

struct kv {
    struct backend *backend;
    struct kv_layer *layers; // [n_layers]; k is NULL where a layer keeps nothing
    uint32_t *reach;         // [n_layers] as in struct model_kv
    uint64_t *begin;         // [n_layers] first page that is there: 0, but behind a load of a layer with a reach
    uint32_t n_layers;
    void *memory; // one reservation for all layers
    size_t size;
    size_t top;     // positions below this one have been stored since the memory was last empty
    size_t settled; // those below this one have been settled, see struct backend_ops
};

// Reserves the memory of n_ctx positions, layer by layer in ascending positions, so that it is committed in the order
// in which it fills. The tables live in the arena.
bool kv_open(struct kv *kv, const struct model *m, struct backend *b, struct arena *a, enum kv_type type,
             uint32_t n_ctx, struct err *e);
void kv_close(struct kv *kv);

// Bytes that n positions fill.
uint64_t kv_bytes(const struct model *m, enum kv_type type, uint64_t n);

// Must be told before positions up to n are stored.
void kv_grow(struct kv *kv, size_t n);
// How many of the first n positions are still there, as far as the position n needs them: n, or 0 where a layer that
// keeps its last pages has given up what position n sees.
size_t kv_rewind(struct kv *kv, size_t n);

// The first page of a layer that is still there.
uint64_t kv_first_page(const struct kv *kv, uint32_t layer);
// Bytes of a position of one head's keys or values in that layer; 0 where there are none.
uint32_t kv_row_size(const struct kv_layer *l, bool values);

// Where kv_walk over the first n positions ends: there, or, where the vectors of a page lie between each other, behind
// the whole page.
uint64_t kv_walk_end(enum kv_type type, uint64_t n);
// Passes over the memory of the first n positions from page `first` on, in ascending order: keys or values, page by
// page, in a page head by head. Of the pages only the first n positions count.
typedef bool kv_visit(void *user, void *ptr, size_t size, struct err *e);
bool kv_walk(const struct kv_layer *l, bool values, uint64_t first, size_t n, kv_visit *visit, void *user,
             struct err *e);
