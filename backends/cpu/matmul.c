// SPDX-License-Identifier: MIT
// Matrix products: pieces of PANEL_ROWS rows of weights times all columns of the batch, shared out among the threads.
#include "backends/cpu/cpu.h"

#include <string.h>

// Which activation kinds the operation's matrices want, a bit each.
static unsigned acts_wanted(const struct cpu_backend *cpu, const struct tape_matmul *m) {
    unsigned acts = 0;
    for (uint32_t i = 0; i < m->n; i++)
        acts |= 1u << kernels_act(&cpu->kernels, m->w[i]->format);
    return acts;
}

// Elements of one record: of a row, or of a head's part of it.
static size_t record_of(const struct tape_matmul *m, uint32_t row, uint32_t head) {
    return (size_t)row * (m->heads ? m->heads : 1) + head;
}

// Gives every expert of a row its copy of the row's input.
static void encode_for_experts(struct cpu_backend *cpu, const struct tape_matmul *m, unsigned act, uint32_t row) {
    const struct tape_groups *g = &m->groups;
    size_t n = m->w[0]->cols, size = act == ACT_F32 ? n * sizeof(float) : quant_act_layout(act, n).size;
    const uint32_t *slot = g->slot + (size_t)row * g->n_used;
    const float *x = m->x + (size_t)row * (m->x_stride ? m->x_stride : n);
    char *first = cpu->records[act] + slot[0] * size;
    if (act == ACT_F32)
        memcpy(first, x, size);
    else
        cpu->kernels.encode[act](x, n, first);
    for (uint32_t k = 1; k < g->n_used; k++)
        memcpy(cpu->records[act] + slot[k] * size, first, size);
}

void cpu_matmul_encode(struct cpu_backend *cpu, const struct tape_matmul *m, uint32_t row) {
    size_t n = m->w[0]->cols, heads = m->heads ? m->heads : 1, stride = m->x_stride ? m->x_stride : heads * n;
    unsigned acts = acts_wanted(cpu, m);
    bool spread = m->groups.n_experts && !m->of_slots;
    for (unsigned act = spread ? ACT_F32 : ACT_Q8; act < N_ACTS; act++) {
        if (!(acts & 1u << act))
            continue;
        size_t size = quant_act_layout(act, n).size;
        if (spread)
            encode_for_experts(cpu, m, act, row);
        for (uint32_t h = 0; !spread && h < heads; h++)
            cpu->kernels.encode[act](m->x + row * stride + h * n, n, cpu->records[act] + record_of(m, row, h) * size);
    }
}

// scale and bias of what a piece computed: rows [first, first + rows) of matrix `which`, y at the first.
static void finish(const struct weight *w, uint32_t which, const struct dot_job *j, uint32_t first) {
    const float *bias = w->bias ? w->bias + (size_t)which * w->bias_stride + first : NULL;
    float scale = w->scales ? w->scales[which] : 1.0f;
    if (!bias && scale == 1.0f)
        return;
    for (uint32_t c = 0; c < j->cols; c++)
        for (uint32_t r = 0; r < j->rows; r++) {
            float v = j->y[(size_t)c * j->y_stride + r] * scale;
            j->y[(size_t)c * j->y_stride + r] = bias ? v + bias[r] : v;
        }
}

// Where the columns of matrix `which` come from and go to.
static void place_columns(struct cpu_backend *cpu, const struct tape_op *op, uint32_t i, uint32_t which,
                          struct dot_job *j) {
    const struct tape_matmul *m = &op->matmul;
    const struct weight *w = m->w[i];
    const enum quant_act act = kernels_act(&cpu->kernels, w->format);
    uint32_t heads = m->heads ? m->heads : 1;
    size_t size = act == ACT_F32 ? w->cols * sizeof(float) : j->layout->size, at = which;
    bool plain = act == ACT_F32 && (!m->groups.n_experts || m->of_slots);
    j->cols = op->rows;
    j->y_stride = (size_t)heads * w->rows;
    j->y = m->y[i] + (m->heads ? (size_t)which * w->rows : 0);
    if (m->groups.n_experts) {
        at = m->groups.begin[which];
        j->cols = m->groups.begin[which + 1] - m->groups.begin[which];
        j->y = m->y[i] + at * w->rows;
    }
    j->x = (plain ? (const char *)m->x : cpu->records[act]) + at * size;
    j->x_stride = heads * size;
    if (plain && m->x_stride)
        j->x_stride = m->x_stride * sizeof(float);
}

static void multiply(struct cpu_backend *cpu, const struct dot_job *j) {
    enum quant_index format = j->format->index;
    uint32_t least = cpu->kernels.gemm_cols[format] ? cpu->kernels.gemm_cols[format] : GEMM_MIN_COLS;
    if (j->cols >= least && cpu->kernels.gemm[format])
        cpu->kernels.gemm[format](j);
    else
        cpu->kernels.dot[format](j);
}

struct bytes {
    const char *ptr;
    size_t size;
};

// Rows [first, first + rows) of matrix `which` of the operand i.
struct piece {
    uint32_t i, which, first, rows;
};

static size_t pieces_of(const struct weight *w) {
    return (size_t)w->count * ((w->rows + PANEL_ROWS - 1) / PANEL_ROWS);
}

static size_t pieces_of_all(const struct tape_matmul *m) {
    size_t n = 0;
    for (uint32_t i = 0; i < m->n; i++)
        n += pieces_of(m->w[i]);
    return n;
}

// Where piece `at` of the operation lies; false behind the last one.
static bool locate(const struct tape_matmul *m, size_t at, struct piece *p) {
    for (uint32_t i = 0; i < m->n; i++) {
        const uint32_t rows = m->w[i]->rows, each = (rows + PANEL_ROWS - 1) / PANEL_ROWS;
        const size_t pieces = pieces_of(m->w[i]);
        if (at < pieces) {
            uint32_t first = (uint32_t)(at % each) * PANEL_ROWS;
            *p = (struct piece){i, (uint32_t)(at / each), first, rows - first < PANEL_ROWS ? rows - first : PANEL_ROWS};
            return true;
        }
        at -= pieces;
    }
    return false;
}

static const char *weights_of(const struct tape_matmul *m, const struct piece *p) {
    const struct weight *w = m->w[p->i];
    return (const char *)w->data + p->which * w->stride + p->first * w->row_size;
}

// Whether the thread's last product was one with the same columns.
static bool panel_is_kept(struct cpu_scratch *s, const struct tape_op *op, const struct piece *p) {
    bool kept = s->op == op && s->operand == p->i && s->which == p->which;
    s->op = op;
    s->operand = p->i;
    s->which = p->which;
    return kept;
}

// `next` is what this thread will most likely read next.
static void run_piece(struct cpu_backend *cpu, const struct tape_op *op, const struct piece *p, struct bytes next,
                      struct cpu_scratch *scratch) {
    const struct weight *w = op->matmul.w[p->i];
    const struct quant_layout layout = quant_act_layout(kernels_act(&cpu->kernels, w->format), w->cols);
    struct dot_job job = {
        .format = w->format,
        .w = weights_of(&op->matmul, p),
        .row_size = w->row_size,
        .rows = p->rows,
        .layout = &layout,
        .n = w->cols,
        .panel = scratch->panel,
        .next = next.ptr,
        .next_size = next.size,
    };
    place_columns(cpu, op, p->i, p->which, &job);
    job.y += p->first;
    job.again = panel_is_kept(scratch, op, p) && job.cols == 1;
    // Kernels take the columns of a batch at most; slots of experts and models that take all at once have more.
    for (uint32_t left = job.cols; left; left -= job.cols) {
        job.cols = left < TAPE_MAX_ROWS ? left : TAPE_MAX_ROWS;
        multiply(cpu, &job);
        finish(w, p->which, &job, p->first);
        job.x += job.cols * job.x_stride;
        job.y += job.cols * job.y_stride;
    }
}

static size_t begin_matmul(const struct cpu_backend *cpu, const struct tape_op *op) {
    if (cpu->asks_ahead && op->matmul.groups.n_experts)
        cpu_ask_ahead(&op->matmul);
    return pieces_of_all(&op->matmul);
}

// The weights that the thread will most likely read after the piece at hand: of its next piece, or of its first one of
// the product that comes after this one. The next expert is perhaps not wanted.
static struct bytes next_weights(const struct cpu_backend *cpu, const struct tape_op *op, unsigned thread) {
    struct piece p;
    size_t at = pool_next(cpu->pool, thread);
    if (at == POOL_NONE && (op = cpu->coming) != NULL)
        at = pool_first(cpu->pool, pieces_of_all(&op->matmul), thread);
    if (!op || op->matmul.groups.n_experts || !locate(&op->matmul, at, &p))
        return (struct bytes){NULL, 0};
    return (struct bytes){weights_of(&op->matmul, &p), p.rows * op->matmul.w[p.i]->row_size};
}

static void run_matmul(struct cpu_backend *cpu, const struct tape_op *op, size_t at, unsigned thread) {
    struct piece piece;
    locate(&op->matmul, at, &piece);
    run_piece(cpu, op, &piece, next_weights(cpu, op, thread), &cpu->scratch[thread]);
}

const struct cpu_pieces cpu_matmul = {begin_matmul, run_matmul};
