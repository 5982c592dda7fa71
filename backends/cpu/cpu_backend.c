// SPDX-License-Identifier: MIT
// Running a tape on the thread pool. Operations that look at one row at a time (norms, rope, ...) follow each other in
// one stretch: a thread takes a row and does all of them, so there is no barrier between them. Matrix products and
// attention are stretches of their own, taken piece by piece; a product's input is quantized in the stretch before it.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backends/cpu/cpu.h"
#include "base/cpu.h"
#include "base/num.h"

static void store_mixed(const float *x, enum kv_type type, void *page, uint32_t slot, uint32_t n, bool keys,
                        uint32_t run) {
    float mixed[ATTEND_MAX_DIM] = {0};
    const uint32_t wide = kv_blocks(n) * KV_BLOCK;
    memcpy(mixed, x, n * sizeof *x);
    kv_mix(mixed, wide, run);
    (keys ? kv_store_key : kv_store_value)(type, mixed, wide, page, slot);
}

// Puts vector `slot` of a page of keys or values.
static void store(const struct cpu_backend *cpu, const float *x, enum kv_type type, void *page, uint32_t slot,
                  uint32_t n, bool keys, uint32_t run) {
    if (type == KV_F16)
        cpu->kernels.to_f16(x, n, (uint16_t *)page + (size_t)slot * n);
    else if (type == KV_F32)
        memcpy((float *)page + (size_t)slot * n, x, n * sizeof *x);
    else
        store_mixed(x, type, page, slot, n, keys, run);
}

void cpu_store(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_store *o = &op->store;
    const struct kv_layer *kv = o->kv;
    uint32_t page = (o->pos + row) / TAPE_PAGE, slot = (o->pos + row) % TAPE_PAGE;
    const uint32_t run_k = cpu_key_run(kv);
    for (size_t h = 0; h < kv->n_heads; h++) {
        size_t from = (size_t)row * kv->n_heads + h;
        void *k = cpu_kv_page(kv, kv->k, kv->dim_k, page, h);
        store(cpu, o->k + from * kv->dim_k, kv->type, k, slot, kv->dim_k, true, run_k);
        if (!kv->v)
            continue;
        void *v = cpu_kv_page(kv, kv->v, kv->dim_v, page, h);
        store(cpu, o->v + from * kv->dim_v, kv->type, v, slot, kv->dim_v, false, kv_run(kv->dim_v));
    }
}

// Operations that are shared out in pieces; all others work row by row.
static const struct cpu_pieces *const pieces_ops[N_TAPE_CODES] = {
    [TAPE_MATMUL] = &cpu_matmul, [TAPE_ATTEND] = &cpu_attend, [TAPE_GROUP] = &cpu_group,
    [TAPE_CONV] = &cpu_conv,     [TAPE_RECUR] = &cpu_recur,   [TAPE_NGRAM] = &cpu_ngram,
};

// Where the stretch of row operations that begins at i ends: at an operation in pieces, or where the rows are others.
static size_t stretch_end(const struct tape *t, size_t i) {
    size_t end = i;
    while (end < t->n && !pieces_ops[t->ops[end].code] && t->ops[end].rows == t->ops[i].rows)
        end++;
    return end;
}

// The operation in pieces that closes the stretch [i, end), or NULL: a product of other rows than the stretch has
// begins a stretch of its own, in which its input is quantized.
static const struct tape_op *closing(const struct tape *t, size_t i, size_t end) {
    const struct tape_op *op = end < t->n && pieces_ops[t->ops[end].code] ? &t->ops[end] : NULL;
    return op && op->code == TAPE_MATMUL && i < end && op->rows != t->ops[i].rows ? NULL : op;
}

// The stretch of row operations that comes next, and the operation after it. Returns its rows.
static size_t next_stretch(struct cpu_run *run) {
    const struct tape *t = run->tape;
    run->begin = run->end == t->n ? t->n : run->end + (run->op != NULL);
    run->end = stretch_end(t, run->begin);
    run->op = closing(t, run->begin, run->end);
    run->in_op = false;
    bool rows = run->begin < run->end;
    return rows ? t->ops[run->begin].rows : run->op && run->op->code == TAPE_MATMUL ? run->op->rows : 0;
}

static bool observed(const struct cpu_run *run) {
    return run->tape->observe && run->op->code == TAPE_MATMUL;
}

static const struct tape_op *next_product(const struct tape *t, const struct tape_op *op) {
    const struct tape_op *end = t->ops + t->n;
    while (++op < end && op->code != TAPE_MATMUL) {
    }
    return op < end ? op : NULL;
}

static size_t begin_op(struct cpu_run *run) {
    run->in_op = true;
    run->cpu->coming = next_product(run->tape, run->op);
    run->n = pieces_ops[run->op->code]->begin(run->cpu, run->op);
    return run->n + observed(run);
}

static size_t next_stage(void *user) {
    struct cpu_run *run = user;
    size_t n = 0;
    while (!n) {
        if (run->end == run->tape->n && (run->in_op || !run->op))
            return 0;
        run->stopped = atomic_load_explicit(&run->stop, memory_order_relaxed);
        if (run->stopped)
            return 0;
        n = run->in_op || !run->op ? next_stretch(run) : begin_op(run);
    }
    return n;
}

// A row of the stretch: all its operations, and the quantization of the input of a product that follows.
static void run_row(struct cpu_run *run, uint32_t row) {
    const struct tape *t = run->tape;
    for (size_t i = run->begin; i < run->end; i++)
        cpu_row_ops[t->ops[i].code](run->cpu, &t->ops[i], row);
    if (run->op && run->op->code == TAPE_MATMUL)
        cpu_matmul_encode(run->cpu, &run->op->matmul, row);
}

// Thread 0, the caller's, alone reads the caller's flag.
static void run_piece(void *user, size_t piece, unsigned thread) {
    struct cpu_run *run = user;
    if (thread == 0 && run->cancel && *run->cancel)
        atomic_store_explicit(&run->stop, true, memory_order_relaxed);
    if (!run->in_op)
        run_row(run, (uint32_t)piece);
    else if (piece < run->n)
        pieces_ops[run->op->code]->run(run->cpu, run->op, piece, thread);
    else
        run->tape->observe(run->tape->observer, run->op);
}

static bool cpu_run(struct backend *b, const struct tape *t, const volatile sig_atomic_t *cancel, struct err *e) {
    struct cpu_run run = {.cpu = (struct cpu_backend *)b, .tape = t, .cancel = cancel};
    ERR_IF(t->overflow, e, ERR_SYSTEM, "tape: more operations than its %zu places", t->cap);
    for (unsigned i = 0; i < pool_size(run.cpu->pool); i++)
        run.cpu->scratch[i].op = NULL;
    pool_run(run.cpu->pool, &(struct pool_job){next_stage, run_piece, &run});
    ERR_IF(run.stopped, e, ERR_INTERRUPT, "interrupted");
    return true;
}

static void cpu_close(struct backend *b) {
    struct cpu_backend *cpu = (struct cpu_backend *)b;
    if (!cpu)
        return;
    pool_close(cpu->pool);
    arena_free(&cpu->arena);
    free(cpu);
}

static bool cpu_open(struct backend **out, const struct backend_params *p, struct err *e) {
    struct kernels k;
    *out = NULL;
    ERR_FORWARD(kernels_init(&k, p->cpu_level, e));
    struct cpu_backend *cpu = calloc(1, sizeof *cpu);
    if (!cpu)
        return err_memory(e, sizeof *cpu, "the backend");
    cpu->base.ops = &backend_cpu;
    cpu->kernels = k;
    if (!pool_open(&cpu->pool, p->n_threads ? p->n_threads : cpu_threads(), e)) {
        cpu_close(&cpu->base);
        return false;
    }
    *out = &cpu->base;
    return true;
}

static bool reserve_thread(struct cpu_backend *cpu, struct cpu_scratch *s, const struct backend_limits *l) {
    size_t dim = round_up(l->max_head_dim, KV_BLOCK);
    s->panel = arena_alloc(&cpu->arena, 1, kernels_panel_size(l->max_cols));
    s->qt = arena_alloc(&cpu->arena, ATTEND_ROWS * dim, sizeof(float));
    s->codes = arena_alloc(&cpu->arena, ATTEND_ROWS, quant_act_layout(ACT_Q8, dim).size);
    s->scores = arena_alloc(&cpu->arena, ATTEND_ROWS * TAPE_PAGE, sizeof(float));
    s->bias = arena_alloc(&cpu->arena, ATTEND_ROWS * TAPE_PAGE, sizeof(float));
    s->k32 = arena_alloc(&cpu->arena, TAPE_PAGE * dim, sizeof(float));
    s->v32 = arena_alloc(&cpu->arena, TAPE_PAGE * dim, sizeof(float));
    s->acc = arena_alloc(&cpu->arena, ATTEND_ROWS * dim, sizeof(float));
    s->part = arena_alloc(&cpu->arena, ATTEND_ROWS * dim, sizeof(float));
    return s->panel && s->qt && s->codes && s->scores && s->bias && s->k32 && s->v32 && s->acc && s->part;
}

static bool cpu_reserve(struct backend *b, const struct backend_limits *l, struct err *e) {
    struct cpu_backend *cpu = (struct cpu_backend *)b;
    unsigned threads = pool_size(cpu->pool);
    cpu->asks_ahead = l->larger_than_memory;
    bool ok = (cpu->scratch = arena_alloc(&cpu->arena, threads, sizeof *cpu->scratch)) != NULL;
    for (unsigned act = ACT_F32; ok && act < N_ACTS; act++) {
        cpu->records[act] = arena_alloc(&cpu->arena, 1, l->max_input[act] + 64);
        ok = cpu->records[act] != NULL;
    }
    for (unsigned i = 0; ok && i < threads; i++)
        ok = reserve_thread(cpu, &cpu->scratch[i], l);
    ok = ok && (cpu->parts = arena_alloc(&cpu->arena, 1, CPU_PARTS_SIZE)) != NULL;
    ok =
        ok && (cpu->parts_done = arena_alloc(&cpu->arena, CPU_PARTS_PIECES * threads, sizeof *cpu->parts_done)) != NULL;
    return ok || err_memory(e, cpu->arena.used, "the working memory of the threads");
}

// Pages of the system's own: they are committed when they are first written.
static void *cpu_alloc(struct backend *b, size_t size) {
    (void)b;
    void *p = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
#ifdef MADV_NOHUGEPAGE
    madvise(p, size, MADV_NOHUGEPAGE); // else the first token of every layer might commit 2 MiB
#endif
    return p;
}

static void cpu_free(struct backend *b, void *ptr, size_t size) {
    (void)b;
    if (ptr)
        munmap(ptr, size ? size : 1);
}

// Memory that is filled moves to pages of 2 MiB: a page of 4 KiB costs a processor a walk through its tables (twice, on
// a virtual machine) for what it reads in 200 ns. Only filled ones, so that nothing is committed for it.
static void cpu_settle(struct backend *b, char *base, size_t known, size_t full) {
    (void)b;
#if defined(__linux__)
    enum { COLLAPSE = 25 }; // MADV_COLLAPSE, Linux 6.1; older ones refuse
    const uintptr_t huge = (uintptr_t)2 << 20, start = (uintptr_t)base, end = (start + full) / huge * huge;
    uintptr_t begin = (start + known) / huge * huge;
    if (begin < start)
        begin += huge;
    if (begin >= end)
        return;
    madvise((void *)begin, end - begin, MADV_HUGEPAGE); // both are hints
    madvise((void *)begin, end - begin, COLLAPSE);
#else
    (void)base, (void)known, (void)full;
#endif
}

static const char *cpu_level(const struct backend *b) {
    return ((const struct cpu_backend *)b)->kernels.level;
}

static unsigned cpu_n_threads(const struct backend *b) {
    return pool_size(((const struct cpu_backend *)b)->pool);
}

struct read_job {
    const char *ptr;
    size_t size;
    bool ahead;
    _Atomic uint64_t sum;
};

#define READ_PIECE (1u << 20)
#define READ_AHEAD 16384

static uint64_t load_word(const char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

// A line of 64 bytes a round. No sum stands in memory: as an array they did, and one thread read 13 % less.
uint64_t cpu_sum_bytes(const char *ptr, size_t size, bool ahead) {
    uint64_t even = 0, odd = 0;
    for (size_t i = 0; i + 64 <= size; i += 64) {
        const char *p = ptr + i;
        if (ahead)
            __builtin_prefetch(p + READ_AHEAD);
        even += load_word(p) + load_word(p + 16) + load_word(p + 32) + load_word(p + 48);
        odd += load_word(p + 8) + load_word(p + 24) + load_word(p + 40) + load_word(p + 56);
    }
    return even + odd;
}

static void read_piece(void *user, size_t piece, unsigned thread) {
    struct read_job *job = user;
    size_t at = piece * READ_PIECE;
    (void)thread;
    atomic_fetch_add(&job->sum, cpu_sum_bytes(job->ptr + at, min_size(READ_PIECE, job->size - at), job->ahead));
}

static uint64_t cpu_read_all(struct backend *b, const void *ptr, size_t size, bool ahead) {
    struct read_job job = {.ptr = ptr, .size = size, .ahead = ahead};
    pool_each(((struct cpu_backend *)b)->pool, size / READ_PIECE + (size % READ_PIECE != 0), read_piece, &job);
    return job.sum;
}

const struct backend_ops backend_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .reserve = cpu_reserve,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .settle = cpu_settle,
    .run = cpu_run,
    .level = cpu_level,
    .threads = cpu_n_threads,
    .read_all = cpu_read_all,
};
