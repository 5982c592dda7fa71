// SPDX-License-Identifier: MIT
// Attention: a piece of work is a KV head and some rows (token and head) that read its keys; pages go by in ascending
// order. How rows are grouped into pieces does not change a row's result.
#include "backends/cpu/cpu.h"

struct piece {
    uint32_t kv_head;
    uint32_t n;                  // rows
    uint32_t token[ATTEND_ROWS]; // row of the batch
    uint32_t head[ATTEND_ROWS];
};

// Rows per piece: as many as fit, where there are enough for all threads; a group is split only when there are fewer KV
// heads than threads, because each part reads the keys again.
static uint32_t rows_per_piece(const struct cpu_backend *cpu, uint32_t rows, uint32_t kv_heads) {
    uint32_t pieces_per_head = (pool_size(cpu->pool) + kv_heads - 1) / kv_heads;
    uint32_t n = (rows + pieces_per_head - 1) / pieces_per_head;
    return n > ATTEND_ROWS ? ATTEND_ROWS : n;
}

// The rows `first`, ... of a KV head, counted token by token, head by head of the group.
static void fill_piece(struct piece *p, uint32_t group, uint32_t first, uint32_t n) {
    p->n = n;
    for (uint32_t i = 0; i < n; i++) {
        p->token[i] = (first + i) / group;
        p->head[i] = p->kv_head * group + (first + i) % group;
    }
}

// The keys of page `page` that a query at `pos` sees: [*lo, *hi) within the page.
static void visible(uint32_t page, uint32_t pos, uint32_t window, uint32_t *lo, uint32_t *hi) {
    uint32_t begin = window && pos + 1 > window ? pos + 1 - window : 0, start = page * TAPE_PAGE;
    *lo = begin > start ? begin - start : 0;
    *hi = pos + 1 < start + TAPE_PAGE ? (pos + 1 > start ? pos + 1 - start : 0) : TAPE_PAGE;
}

static void attend_page(struct cpu_backend *cpu, const struct tape_attend *a, const struct piece *p, uint32_t page,
                        struct attend_job *j, uint32_t *lo, uint32_t *hi) {
    const struct kv_layer *kv = a->kv;
    size_t element = kv->type == KV_F16 ? 2 : 4;
    size_t at = ((size_t)page * kv->n_heads + p->kv_head) * TAPE_PAGE;
    for (uint32_t i = 0; i < p->n; i++)
        visible(page, a->pos + p->token[i], a->window, &lo[i], &hi[i]);
    j->k = (const char *)kv->k + at * kv->dim_k * element;
    j->v = (const char *)kv->v + at * kv->dim_v * element;
    cpu->kernels.attend(j);
}

static void finish(const struct tape_attend *a, const struct piece *p, const struct attend_job *j) {
    uint32_t dim = a->kv->dim_v;
    for (uint32_t r = 0; r < p->n; r++) {
        float *y = a->y + ((size_t)p->token[r] * a->heads + p->head[r]) * dim;
        float inverse = 1.0f / j->s[r];
        for (uint32_t i = 0; i < dim; i++)
            y[i] = j->acc[(size_t)r * dim + i] * inverse;
    }
}

static void run_piece(struct cpu_backend *cpu, const struct tape_attend *a, const struct piece *p, unsigned thread) {
    const struct cpu_scratch *scratch = &cpu->scratch[thread];
    const float *q[ATTEND_ROWS];
    uint32_t lo[ATTEND_ROWS], hi[ATTEND_ROWS];
    float m[ATTEND_ROWS] = {0}, s[ATTEND_ROWS] = {0};
    struct attend_job j = {
        .rows = p->n,
        .q = q,
        .lo = lo,
        .hi = hi,
        .type = a->kv->type,
        .dim_k = a->kv->dim_k,
        .dim_v = a->kv->dim_v,
        .scale = a->scale,
        .softcap = a->softcap,
        .m = m,
        .s = s,
        .acc = scratch->acc,
        .scores = scratch->scores,
        .k32 = scratch->k32,
        .v32 = scratch->v32,
    };
    for (uint32_t i = 0; i < p->n; i++)
        q[i] = a->q + ((size_t)p->token[i] * a->heads + p->head[i]) * a->kv->dim_k;
    for (size_t i = 0; i < (size_t)p->n * a->kv->dim_v; i++)
        scratch->acc[i] = 0;
    uint32_t first = a->pos + p->token[0], last = a->pos + p->token[p->n - 1];
    uint32_t begin = a->window && first + 1 > a->window ? first + 1 - a->window : 0;
    for (uint32_t page = begin / TAPE_PAGE; page <= last / TAPE_PAGE; page++)
        attend_page(cpu, a, p, page, &j, lo, hi);
    finish(a, p, &j);
}

void cpu_attend(struct cpu_backend *cpu, const struct tape_op *op, unsigned thread) {
    const struct tape_attend *a = &op->attend;
    uint32_t kv_heads = a->kv->n_heads, group = a->heads / kv_heads, rows = op->rows * group;
    uint32_t per_piece = rows_per_piece(cpu, rows, kv_heads), pieces = (rows + per_piece - 1) / per_piece;
    for (;;) {
        size_t i = pool_take(cpu->pool);
        if (i >= (size_t)pieces * kv_heads)
            return;
        struct piece p = {.kv_head = (uint32_t)(i / pieces)};
        uint32_t first = (uint32_t)(i % pieces) * per_piece;
        fill_piece(&p, group, first, rows - first < per_piece ? rows - first : per_piece);
        run_piece(cpu, a, &p, thread);
    }
}
