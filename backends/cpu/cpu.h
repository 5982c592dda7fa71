// SPDX-License-Identifier: MIT
// The CPU backend's own header: what its files share.
#pragma once

#include <stdatomic.h>

#include "backends/backend.h"
#include "backends/cpu/kernels.h"
#include "base/pool.h"

// Working memory of one thread, taken by reserve.
struct cpu_scratch {
    void *panel;
    float *qt, *scores, *bias, *k32, *v32, *acc; // as in struct attend_job
};

struct cpu_backend {
    struct backend base;
    struct kernels kernels;
    struct pool *pool;
    struct arena arena;
    struct cpu_scratch *scratch; // [threads]
    char *records[N_ACTS];       // activation records of the matrix input at hand
    bool asks_ahead;             // for experts, as weights do not fit the memory
};

// A run of a tape, shared by the threads.
struct cpu_run {
    struct cpu_backend *cpu;
    const struct tape *tape;
    const volatile sig_atomic_t *cancel;
    _Atomic size_t stop_at; // operations from this one on are not run: set by thread 0 before a barrier
};

// An operation for one row, or a thread's share of one that is taken in pieces.
typedef void cpu_row_op(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row);
typedef void cpu_pieces_op(struct cpu_backend *cpu, const struct tape_op *op, unsigned thread);

// By code; NULL for operations in pieces.
extern cpu_row_op *const cpu_row_ops[N_TAPE_CODES];
cpu_row_op cpu_store, cpu_route, cpu_spread, cpu_combine;
cpu_pieces_op cpu_matmul, cpu_attend, cpu_group, cpu_conv, cpu_recur;

// Asks the system for the rows of the chosen experts, which the operation is about to read.
void cpu_ask_ahead(const struct tape_matmul *m);
// Quantizes row `row` of the operation's input into the records its matrices want.
void cpu_matmul_encode(struct cpu_backend *cpu, const struct tape_matmul *m, uint32_t row);
// Where page `page` of a KV head begins in keys or values of vectors of `dim`.
static inline void *cpu_kv_page(const struct kv_layer *kv, void *base, uint32_t dim, size_t page, size_t head) {
    size_t at = kv->ring ? page % kv->ring : page;
    return (char *)base + (at * kv->n_heads + head) * kv_page_size(kv->type, dim);
}
