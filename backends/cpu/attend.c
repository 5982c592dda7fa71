// SPDX-License-Identifier: MIT
// Attention: a piece of work is a KV head and some rows (token and head) that read its keys; pages go by in ascending
// order. How rows are grouped into pieces does not change a row's result.
#include <math.h>
#include <string.h>

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

// The keys that a query at `pos` sees: [*begin, *end).
static void visible(const struct tape_attend *a, uint32_t pos, uint32_t *begin, uint32_t *end) {
    uint32_t half = a->window / 2;
    *begin = 0;
    *end = a->n_keys ? a->n_keys : pos + 1;
    if (!a->window)
        return;
    switch (a->window_kind) {
    case WINDOW_LAST:
        *begin = pos + 1 > a->window ? pos + 1 - a->window : 0;
        break;
    case WINDOW_CHUNK:
        *begin = pos / a->window * a->window;
        break;
    case WINDOW_SYMMETRIC:
        *begin = pos > half ? pos - half : 0;
        *end = *end - 1 > pos + half ? pos + half + 1 : *end;
        break;
    }
}

// The same within a page: [*lo, *hi).
static void visible_in(uint32_t page, const struct tape_attend *a, uint32_t pos, uint32_t *lo, uint32_t *hi) {
    uint32_t begin, end, start = page * TAPE_PAGE;
    visible(a, pos, &begin, &end);
    *lo = begin > start ? begin - start : 0;
    *hi = end < start + TAPE_PAGE ? (end > start ? end - start : 0) : TAPE_PAGE;
}

// What the distance of the keys of a page, at positions j, from a query at position i adds to its scores.
static void fill_bias(const struct tape_attend *a, uint32_t page, uint32_t head, uint32_t i, float *out) {
    int64_t apart = (int64_t)page * TAPE_PAGE - i, span = a->span;
    const float *table = a->bias ? a->bias + (2 * (size_t)span + 1) * head + span : NULL;
    for (uint32_t key = 0; key < TAPE_PAGE; key++, apart++) {
        float away = (float)(apart < 0 ? -apart : apart);
        out[key] = a->slopes ? -a->slopes[head] * away : 0.0f;
        if (table)
            out[key] += table[apart < -span ? -span : apart > span ? span : apart];
    }
}

static void attend_page(struct cpu_backend *cpu, const struct tape_attend *a, const struct piece *p, uint32_t page,
                        struct attend_job *j, uint32_t *lo, uint32_t *hi, float *bias) {
    const struct kv_layer *kv = a->kv;
    for (uint32_t i = 0; i < p->n; i++) {
        visible_in(page, a, a->pos + p->token[i], &lo[i], &hi[i]);
        if (bias)
            fill_bias(a, page, p->head[i], a->pos + p->token[i], bias + (size_t)i * TAPE_PAGE);
    }
    j->k = cpu_kv_page(kv, kv->k, kv->dim_k, page, p->kv_head);
    j->v = kv->v ? cpu_kv_page(kv, kv->v, kv->dim_v, page, p->kv_head) : j->k;
    cpu->kernels.attend(j);
}

static void finish(const struct tape_attend *a, const struct piece *p, const struct attend_job *j) {
    uint32_t dim = a->kv->dim_v;
    for (uint32_t r = 0; r < p->n; r++) {
        float *y = a->y + ((size_t)p->token[r] * a->heads + p->head[r]) * dim;
        float inverse = j->s[r] > 0 ? 1.0f / j->s[r] : 0.0f; // 0: a row that sees no key
        for (uint32_t i = 0; i < dim; i++)
            y[i] = j->acc[(size_t)r * dim + i] * inverse;
    }
}

// The queries again, transposed, with zeros up to whole vectors.
static const float *transpose(const float *const *q, uint32_t n, uint32_t dim, float *qt) {
    if (n <= ATTEND_FEW)
        return NULL;
    for (uint32_t r = 0; r < ATTEND_ROWS; r++)
        for (uint32_t d = 0; d < dim; d++)
            qt[(size_t)d * ATTEND_ROWS + r] = r < n ? q[r][d] : 0.0f;
    return qt;
}

// Where the rows begin: nothing seen, or, with sinks, as if a page with one key had gone before, whose value is 0.
static void start_rows(const struct tape_attend *a, const struct piece *p, const float **q, float *m, float *s) {
    for (uint32_t i = 0; i < p->n; i++) {
        q[i] = a->q + ((size_t)p->token[i] * a->heads + p->head[i]) * a->kv->dim_k;
        m[i] = a->sinks ? a->sinks[p->head[i]] : -INFINITY;
        s[i] = a->sinks ? 1.0f : 0.0f;
    }
}

static void run_piece(struct cpu_backend *cpu, const struct tape_attend *a, const struct piece *p, unsigned thread) {
    const struct cpu_scratch *scratch = &cpu->scratch[thread];
    const float *q[ATTEND_ROWS];
    uint32_t lo[ATTEND_ROWS], hi[ATTEND_ROWS], begin, end, between;
    float m[ATTEND_ROWS], s[ATTEND_ROWS];
    float *bias = a->slopes || a->bias ? scratch->bias : NULL;
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
        .bias = bias,
        .m = m,
        .s = s,
        .acc = scratch->acc,
        .scores = scratch->scores,
        .k32 = scratch->k32,
        .v32 = scratch->v32,
    };
    start_rows(a, p, q, m, s);
    j.qt = transpose(q, p->n, a->kv->dim_k, scratch->qt);
    memset(scratch->acc, 0, (size_t)p->n * a->kv->dim_v * sizeof *scratch->acc);
    visible(a, a->pos + p->token[0], &begin, &between);
    visible(a, a->pos + p->token[p->n - 1], &between, &end);
    for (uint32_t page = begin / TAPE_PAGE; page * TAPE_PAGE < end; page++)
        attend_page(cpu, a, p, page, &j, lo, hi, bias);
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
