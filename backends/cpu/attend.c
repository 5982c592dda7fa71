// SPDX-License-Identifier: MIT
// Attention: a piece is a KV head and some rows (token and head) that read its keys. Pages are merged in ascending
// order into what their chapter gives, and chapters in ascending order into the result; where pieces are few, threads
// share out chapters. Neither how rows are grouped nor who computes a chapter changes a row's result.
#include <math.h>
#include <string.h>

#include "backends/cpu/cpu.h"

struct piece {
    uint32_t kv_head;
    uint32_t first, n;           // rows
    uint32_t token[ATTEND_ROWS]; // row of the batch
    uint32_t head[ATTEND_ROWS];
    float *bias; // as in struct attend_job
};

// How an operation is shared out.
struct plan {
    uint32_t rows, group;       // of a KV head: all rows, and heads
    uint32_t pieces, per_piece; // of a KV head, and their rows
    uint32_t chapters;          // 0: a thread goes through all chapters of a piece
    uint32_t first, end;        // else they are shared out: the first chapter, the end of the positions,
    uint32_t stretch;           // and chapters that a thread takes at a time
    size_t part;                // floats that a chapter of a piece gives
};

// Rows are counted token by token, head by head of the group.
static struct piece make_piece(const struct plan *plan, size_t i) {
    struct piece p = {.kv_head = (uint32_t)(i / plan->pieces), .first = (uint32_t)(i % plan->pieces) * plan->per_piece};
    p.n = plan->rows - p.first < plan->per_piece ? plan->rows - p.first : plan->per_piece;
    for (uint32_t r = 0; r < p.n; r++) {
        p.token[r] = (p.first + r) / plan->group;
        p.head[r] = p.kv_head * plan->group + (p.first + r) % plan->group;
    }
    return p;
}

// Elements of a vector as it is stored.
static uint32_t stored(const struct kv_layer *kv, uint32_t dim) {
    return kv_quantized(kv->type) ? kv_blocks(dim) * KV_BLOCK : dim;
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

static void set_page(struct attend_job *j, const struct kv_layer *kv, uint32_t page, uint32_t head) {
    j->k = cpu_kv_page(kv, kv->k, kv->dim_k, page, head);
    j->v = kv->v ? cpu_kv_page(kv, kv->v, kv->dim_v, page, head) : j->k;
}

// Few queries are done with a page sooner than memory gives the next one, and a processor that sees a pattern in what
// is read forgets it where a page of memory ends.
static void set_next(struct attend_job *j, const struct kv_layer *kv, uint32_t page, uint32_t head, uint32_t end) {
    j->size_k = j->size_v = 0;
    if (j->rows > ATTEND_FEW || page * TAPE_PAGE >= end)
        return;
    j->next_k = cpu_kv_page(kv, kv->k, kv->dim_k, page, head);
    j->size_k = kv_page_size(kv->type, kv->dim_k);
    if (!kv->v)
        return;
    j->next_v = cpu_kv_page(kv, kv->v, kv->dim_v, page, head);
    j->size_v = kv_page_size(kv->type, kv->dim_v);
}

static void attend_page(struct cpu_backend *cpu, const struct tape_attend *a, const struct piece *p, uint32_t page,
                        uint32_t end, struct attend_job *j, uint32_t *lo, uint32_t *hi) {
    for (uint32_t i = 0; i < p->n; i++) {
        visible_in(page, a, a->pos + p->token[i], &lo[i], &hi[i]);
        if (p->bias)
            fill_bias(a, page, p->head[i], a->pos + p->token[i], p->bias + (size_t)i * TAPE_PAGE);
    }
    set_page(j, a->kv, page, p->kv_head);
    set_next(j, a->kv, page + 1, p->kv_head, end);
    cpu->kernels.attend(j);
}

// The pages of a chapter that lie before position `end`.
static void attend_chapter(struct cpu_backend *cpu, const struct tape_attend *a, const struct piece *p,
                           struct attend_job *j, uint32_t chapter, uint32_t end, struct attend_found found) {
    uint32_t lo[ATTEND_ROWS], hi[ATTEND_ROWS];
    j->lo = lo;
    j->hi = hi;
    j->found = found;
    for (uint32_t i = 0; i < p->n; i++)
        found.m[i] = -INFINITY;
    memset(found.s, 0, p->n * sizeof *found.s);
    memset(found.acc, 0, (size_t)p->n * j->dim_v * sizeof *found.acc);
    for (uint32_t i = 0, page = chapter * TAPE_CHAPTER; i < TAPE_CHAPTER && page * TAPE_PAGE < end; i++, page++)
        attend_page(cpu, a, p, page, end, j, lo, hi);
}

// The queries again, transposed, with zeros up to whole vectors.
static const float *transpose(const float *const *q, uint32_t n, uint32_t dim, float *qt) {
    for (uint32_t r = 0; r < ATTEND_ROWS; r++)
        for (uint32_t d = 0; d < dim; d++)
            qt[(size_t)d * ATTEND_ROWS + r] = r < n ? q[r][d] : 0.0f;
    return qt;
}

// The queries again, mixed as the keys are and quantized.
static void quantize(const struct cpu_backend *cpu, const struct attend_job *j, uint32_t dim, uint32_t run,
                     char *records, struct quant_vec *out) {
    const struct quant_layout layout = quant_act_layout(ACT_Q8, j->dim_k);
    float mixed[ATTEND_MAX_DIM] = {0};
    for (uint32_t r = 0; r < j->rows; r++, records += layout.size) {
        memcpy(mixed, j->q[r], dim * sizeof *mixed);
        memset(mixed + dim, 0, (j->dim_k - dim) * sizeof *mixed);
        kv_mix(mixed, j->dim_k, run);
        cpu->kernels.encode[ACT_Q8](mixed, j->dim_k, records);
        out[r] = quant_act_vec(&layout, records);
    }
}

// The queries again as the kernels want them.
static void make_queries(const struct cpu_backend *cpu, const struct kv_layer *kv, struct attend_job *j,
                         const struct cpu_scratch *scratch, struct quant_vec *codes) {
    if (kv_quantized(j->type)) {
        quantize(cpu, j, kv->dim_k, cpu_key_run(kv), scratch->codes, codes);
        j->codes = codes;
    } else if (j->rows > ATTEND_FEW) {
        j->qt = transpose(j->q, j->rows, j->dim_k, scratch->qt);
    }
}

static struct attend_job make_job(const struct tape_attend *a, struct piece *p, const struct cpu_scratch *scratch,
                                  const float **q) {
    for (uint32_t i = 0; i < p->n; i++)
        q[i] = a->q + ((size_t)p->token[i] * a->heads + p->head[i]) * a->kv->dim_k;
    p->bias = a->slopes || a->bias ? scratch->bias : NULL;
    return (struct attend_job){
        .rows = p->n,
        .q = q,
        .type = a->kv->type,
        .dim_k = stored(a->kv, a->kv->dim_k),
        .dim_v = stored(a->kv, a->kv->dim_v),
        .scale = a->scale,
        .softcap = a->softcap,
        .bias = p->bias,
        .scores = scratch->scores,
        .k32 = scratch->k32,
        .v32 = scratch->v32,
    };
}

// Where the rows begin: nothing seen, or, with sinks, as if a page with one key had gone before, whose value is 0.
static void start_rows(const struct tape_attend *a, const struct piece *p, struct attend_found f) {
    for (uint32_t i = 0; i < p->n; i++) {
        f.m[i] = a->sinks ? a->sinks[p->head[i]] : -INFINITY;
        f.s[i] = a->sinks ? 1.0f : 0.0f;
    }
    memset(f.acc, 0, (size_t)p->n * stored(a->kv, a->kv->dim_v) * sizeof *f.acc);
}

static void finish(const struct tape_attend *a, const struct piece *p, struct attend_found f) {
    const struct kv_layer *kv = a->kv;
    const uint32_t dim = kv->dim_v, wide = stored(kv, dim);
    for (uint32_t r = 0; r < p->n; r++) {
        float *y = a->y + ((size_t)p->token[r] * a->heads + p->head[r]) * dim, *acc = f.acc + (size_t)r * wide;
        float inverse = f.s[r] > 0 ? 1.0f / f.s[r] : 0.0f; // 0: a row that sees no key
        if (kv_quantized(kv->type))
            kv_mix(acc, wide, kv->v ? kv_run(dim) : cpu_key_run(kv));
        for (uint32_t i = 0; i < dim; i++)
            y[i] = acc[i] * inverse;
    }
}

// The chapters [*first, *first + *n) hold what the rows row, ..., row + rows - 1 of a KV head see, in front of *end.
static void find_chapters(const struct tape_attend *a, uint32_t group, uint32_t row, uint32_t rows, uint32_t *first,
                          uint32_t *n, uint32_t *end) {
    const uint32_t length = TAPE_PAGE * TAPE_CHAPTER;
    uint32_t begin, between;
    visible(a, a->pos + row / group, &begin, &between);
    visible(a, a->pos + (row + rows - 1) / group, &between, end);
    *first = begin / length;
    *n = *end > *first * length ? (*end - 1) / length + 1 - *first : 0;
}

// A piece from its first chapter to its last.
static void run_piece(struct cpu_backend *cpu, const struct tape_attend *a, const struct plan *plan, size_t unit,
                      unsigned thread) {
    const struct cpu_scratch *scratch = &cpu->scratch[thread];
    const float *q[ATTEND_ROWS];
    struct quant_vec codes[ATTEND_ROWS];
    float m[2][ATTEND_ROWS], s[2][ATTEND_ROWS];
    const struct attend_found all = {m[0], s[0], scratch->acc}, part = {m[1], s[1], scratch->part};
    uint32_t first, n, end;
    struct piece p = make_piece(plan, unit);
    struct attend_job j = make_job(a, &p, scratch, q);
    make_queries(cpu, a->kv, &j, scratch, codes);
    start_rows(a, &p, all);
    find_chapters(a, plan->group, p.first, p.n, &first, &n, &end);
    for (uint32_t i = 0; i < n; i++) {
        attend_chapter(cpu, a, &p, &j, first + i, end, part);
        cpu->kernels.merge(&all, &part, p.n, j.dim_v);
    }
    finish(a, &p, all);
}

// What a chapter of a piece gives, where chapters are shared out.
static struct attend_found part_of(const struct cpu_backend *cpu, const struct plan *plan, size_t unit,
                                   uint32_t chapter) {
    float *m = cpu->parts + (unit * plan->chapters + chapter) * plan->part;
    return (struct attend_found){m, m + plan->per_piece, m + 2 * (size_t)plan->per_piece};
}

static void merge_parts(struct cpu_backend *cpu, const struct tape_attend *a, const struct plan *plan,
                        const struct piece *p, size_t unit, struct attend_found all) {
    start_rows(a, p, all);
    for (uint32_t i = 0; i < plan->chapters; i++) {
        const struct attend_found part = part_of(cpu, plan, unit, i);
        cpu->kernels.merge(&all, &part, p->n, stored(a->kv, a->kv->dim_v));
    }
    finish(a, p, all);
}

// A stretch of chapters of a piece, from the one that is `chapter` behind the first. Whoever ends a piece's last
// chapter merges them all.
static void run_stretch(struct cpu_backend *cpu, const struct tape_attend *a, const struct plan *plan, size_t unit,
                        uint32_t chapter, unsigned thread) {
    const struct cpu_scratch *scratch = &cpu->scratch[thread];
    const float *q[ATTEND_ROWS];
    struct quant_vec codes[ATTEND_ROWS];
    float m[ATTEND_ROWS], s[ATTEND_ROWS];
    struct piece p = make_piece(plan, unit);
    struct attend_job j = make_job(a, &p, scratch, q);
    uint32_t n = plan->chapters - chapter < plan->stretch ? plan->chapters - chapter : plan->stretch;
    make_queries(cpu, a->kv, &j, scratch, codes);
    for (uint32_t i = chapter; i < chapter + n; i++)
        attend_chapter(cpu, a, &p, &j, plan->first + i, plan->end, part_of(cpu, plan, unit, i));
    if (atomic_fetch_add_explicit(&cpu->parts_done[unit], n, memory_order_acq_rel) + n < plan->chapters)
        return;
    atomic_store_explicit(&cpu->parts_done[unit], 0, memory_order_relaxed);
    merge_parts(cpu, a, plan, &p, unit, (struct attend_found){m, s, scratch->acc});
}

// Rows per piece: as many as fit, where there are enough units for all threads; a group is split only when there are
// fewer, because each part reads the keys again.
static uint32_t rows_per_piece(const struct cpu_backend *cpu, uint32_t rows, uint32_t units) {
    uint32_t parts = (pool_size(cpu->pool) + units - 1) / units, n = (rows + parts - 1) / parts;
    return n > ATTEND_ROWS ? ATTEND_ROWS : n;
}

static void plan_pieces(const struct cpu_backend *cpu, struct plan *plan, uint32_t units) {
    plan->per_piece = rows_per_piece(cpu, plan->rows, units);
    plan->pieces = (plan->rows + plan->per_piece - 1) / plan->per_piece;
}

// Chapters are shared out where pieces alone would leave threads idle, as far as there is memory for what they give.
static struct plan make_plan(const struct cpu_backend *cpu, const struct tape_op *op) {
    const struct tape_attend *a = &op->attend;
    const uint32_t kv_heads = a->kv->n_heads, group = a->heads / kv_heads;
    const size_t most = (size_t)CPU_PARTS_PIECES * pool_size(cpu->pool);
    struct plan plan = {.rows = op->rows * group, .group = group};
    find_chapters(a, group, 0, plan.rows, &plan.first, &plan.chapters, &plan.end);
    plan_pieces(cpu, &plan, kv_heads * (plan.chapters ? plan.chapters : 1));
    plan.part = round_up((size_t)plan.per_piece * (stored(a->kv, a->kv->dim_v) + 2), 16);
    size_t pieces = (size_t)plan.pieces * kv_heads, parts = pieces * plan.chapters;
    plan.stretch = (uint32_t)(parts / most) + 1;
    if (plan.chapters > 1 && pieces <= most && parts <= CPU_PARTS_SIZE / sizeof(float) / plan.part)
        return plan;
    plan.chapters = 0;
    plan_pieces(cpu, &plan, kv_heads);
    return plan;
}

static size_t stretches_of(const struct plan *plan) {
    return plan->chapters ? (plan->chapters + plan->stretch - 1) / plan->stretch : 1;
}

static size_t count_pieces(const struct cpu_backend *cpu, const struct tape_op *op) {
    const struct plan plan = make_plan(cpu, op);
    return (size_t)plan.pieces * op->attend.kv->n_heads * stretches_of(&plan);
}

static void run_attend(struct cpu_backend *cpu, const struct tape_op *op, size_t i, unsigned thread) {
    const struct plan plan = make_plan(cpu, op);
    const size_t stretches = stretches_of(&plan);
    if (plan.chapters)
        run_stretch(cpu, &op->attend, &plan, i / stretches, (uint32_t)(i % stretches) * plan.stretch, thread);
    else
        run_piece(cpu, &op->attend, &plan, i, thread);
}

const struct cpu_pieces cpu_attend = {count_pieces, run_attend};
