// SPDX-License-Identifier: MIT
// The CPU backend's own header: what its files share.
#pragma once

#include <stdatomic.h>

#include "backends/backend.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/kv_quant.h"
#include "base/pool.h"

// Working memory of one thread, taken by reserve.
struct cpu_scratch {
    void *panel;
    const struct tape_op *op; // of this run: the product that used the panel last, and its matrix
    uint32_t operand, which;
    char *codes;                           // [ATTEND_ROWS] queries as ACT_Q8
    float *qt, *scores, *bias, *k32, *v32; // as in struct attend_job
    float *acc, *part;                     // [ATTEND_ROWS][max_head_dim]
};

struct cpu_backend {
    struct backend base;
    struct kernels kernels;
    struct pool *pool;
    struct arena arena;
    struct cpu_scratch *scratch;  // [threads]
    char *records[N_ACTS];        // activation records of the matrix input at hand
    bool asks_ahead;              // for experts, as weights do not fit the memory
    const struct tape_op *coming; // the product after the one at hand, or NULL
    float *parts;                 // CPU_PARTS_SIZE bytes for what chapters give, where threads share them out
    _Atomic uint32_t *parts_done; // [CPU_PARTS_PIECES * threads] chapters of a piece that are done
};

// Chapters are shared out up to so many pieces for each thread, and so many bytes, of which only those used are
// committed.
#define CPU_PARTS_PIECES 16
#define CPU_PARTS_SIZE ((size_t)16 << 20)

// A run of a tape, shared by the threads: its stages are stretches of row operations and operations in pieces. What is
// at hand changes only between stages.
struct cpu_run {
    struct cpu_backend *cpu;
    const struct tape *tape;
    const volatile sig_atomic_t *cancel;
    atomic_bool stop;         // set by thread 0: the stage at hand is the last
    bool stopped;             // before the end
    size_t begin, end;        // the stretch: operations of the tape
    const struct tape_op *op; // the operation in pieces that follows it, or NULL
    bool in_op;               // the stage is that operation
    size_t n;                 // its pieces
};

// An operation for one row.
typedef void cpu_row_op(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row);

// An operation in pieces: begin is called once, before any piece, and tells their number.
struct cpu_pieces {
    size_t (*begin)(const struct cpu_backend *cpu, const struct tape_op *op);
    void (*run)(struct cpu_backend *cpu, const struct tape_op *op, size_t piece, unsigned thread);
};

// By code; NULL for operations in pieces.
extern cpu_row_op *const cpu_row_ops[N_TAPE_CODES];
cpu_row_op cpu_store, cpu_route, cpu_spread, cpu_combine;
extern const struct cpu_pieces cpu_matmul, cpu_attend, cpu_group, cpu_ngram, cpu_conv, cpu_recur;

// Plain reads: the sum of the whole lines of [ptr, ptr + size). Some processors read a tenth faster by themselves than
// when lines are asked for ahead, others twice as fast when they are.
uint64_t cpu_sum_bytes(const char *ptr, size_t size, bool ahead);

// Asks the system for the rows of the chosen experts, which the operation is about to read.
void cpu_ask_ahead(const struct tape_matmul *m);
// Quantizes row `row` of the operation's input into the records its matrices want.
void cpu_matmul_encode(struct cpu_backend *cpu, const struct tape_matmul *m, uint32_t row);
// How many elements of a layer's keys are mixed with each other (kv_quant.h); where values are the beginnings of keys,
// runs end where the values do.
static inline uint32_t cpu_key_run(const struct kv_layer *kv) {
    uint32_t k = kv_run(kv->dim_k), v = kv_run(kv->dim_v);
    return kv->v || k < v ? k : v;
}
// Where page `page` of a KV head begins in keys or values of vectors of `dim`.
static inline void *cpu_kv_page(const struct kv_layer *kv, void *base, uint32_t dim, size_t page, size_t head) {
    size_t at = kv->ring ? page % kv->ring : page;
    return (char *)base + (at * kv->n_heads + head) * kv_page_size(kv->type, dim);
}
