// SPDX-License-Identifier: MIT
// Matrix products: pieces of PANEL_ROWS rows of weights times all columns of the batch, taken by the threads in turn.
#include "backends/cpu/cpu.h"

// Which activation kinds the operation's matrices want, a bit each.
static unsigned acts_wanted(const struct tape_matmul *m) {
    unsigned acts = 0;
    for (uint32_t i = 0; i < m->n; i++)
        acts |= 1u << m->w[i]->format->act;
    return acts;
}

void cpu_matmul_encode(struct cpu_backend *cpu, const struct tape_matmul *m, uint32_t row) {
    size_t n = m->w[0]->cols;
    unsigned acts = acts_wanted(m);
    for (unsigned act = ACT_Q8; act < N_ACTS; act++)
        if (acts & 1u << act)
            cpu->kernels.encode[act](m->x + row * n, n, cpu->records[act] + row * quant_act_layout(act, n).size);
}

// scale and bias of what a piece computed.
static void finish(const struct weight *w, uint32_t first, uint32_t rows, float *y, uint32_t cols) {
    if (w->scale == 1.0f && !w->bias)
        return;
    for (uint32_t c = 0; c < cols; c++)
        for (uint32_t r = first; r < first + rows; r++) {
            float v = y[(size_t)c * w->rows + r] * w->scale;
            y[(size_t)c * w->rows + r] = w->bias ? v + w->bias[r] : v;
        }
}

static void run_piece(struct cpu_backend *cpu, const struct tape_op *op, uint32_t i, uint32_t piece, void *panel) {
    const struct tape_matmul *m = &op->matmul;
    const struct weight *w = m->w[i];
    const struct quant_layout layout = quant_act_layout(w->format->act, w->cols);
    bool plain = w->format->act == ACT_F32;
    uint32_t first = piece * PANEL_ROWS, rows = w->rows - first < PANEL_ROWS ? w->rows - first : PANEL_ROWS;
    struct dot_job job = {
        .format = w->format,
        .w = (const char *)w->data + first * w->row_size,
        .row_size = w->row_size,
        .rows = rows,
        .x = plain ? (const char *)m->x : cpu->records[w->format->act],
        .x_stride = plain ? w->cols * sizeof(float) : layout.size,
        .layout = &layout,
        .cols = op->rows,
        .n = w->cols,
        .y = m->y[i] + first,
        .y_stride = w->rows,
        .panel = panel,
    };
    enum quant_index format = w->format->index;
    if (op->rows >= GEMM_MIN_COLS && cpu->kernels.gemm[format])
        cpu->kernels.gemm[format](&job);
    else
        cpu->kernels.dot[format](&job);
    finish(w, first, rows, m->y[i], op->rows);
}

void cpu_matmul(struct cpu_backend *cpu, const struct tape_op *op, unsigned thread) {
    const struct tape_matmul *m = &op->matmul;
    for (;;) {
        size_t piece = pool_take(cpu->pool);
        uint32_t i = 0;
        for (; i < m->n; i++) {
            size_t pieces = (m->w[i]->rows + PANEL_ROWS - 1) / PANEL_ROWS;
            if (piece < pieces)
                break;
            piece -= pieces;
        }
        if (i == m->n)
            return;
        run_piece(cpu, op, i, (uint32_t)piece, cpu->scratch[thread].panel);
    }
}
