// SPDX-License-Identifier: MIT
// AVX-512, few columns of formats with a float scale per run of 32 or 16 elements. Nothing is written to a panel: 32
// elements of all rows are unpacked to registers and multiplied by all columns, two at a time; four elements of a
// column that are spread to a vector serve both vectors of rows. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_turned32.h"

#define FEW_COLS 48

// The columns: records of activations, and -zero * the sum of x for each run.
struct few32 {
    uint32_t cols;
    const char *x;
    size_t x_stride, d, s;
    int32_t *zeros;
    size_t zeros_stride, stride; // stride: of rows of weights
    struct ahead *ahead;
};

// Eight runs, or as many as are left, of all rows.
struct few_step {
    size_t run, runs;
    float *sum;       // the partial sum 0 of the first column
    const char *near; // where the first row is read next, to be asked for in the first-level cache
};

typedef void few_reader(const struct few32 *f, const char *w, size_t stride, struct few_step t);

// What stands beside the codes of eight runs.
struct few_scales {
    _Alignas(64) float d[8][PANEL_ROWS], m[8][PANEL_ROWS];
};

// A column at a run.
struct few_column {
    const char *q, *d, *s;
    const int32_t *zeros;
    float *sum;
};

#define SUM_STRIDE (GROUP * PANEL_ROWS) // floats from one partial sum to the next

// Adds to a partial sum of a column what a run gives, whose integer sums are acc.
INLINE void add_few(const struct format32 f, bool fresh, const struct few_scales *scales, size_t run,
                    const struct few_column *x, const __m512i acc[VECTORS], float *sum) {
    const __m512 dx = same_float(x->d);
    UNROLL for (int v = 0; v < VECTORS; v++) {
        __m512 s = _mm512_maskz_load_ps(fresh ? 0 : 0xffff, sum + 16 * v);
        const __m512 scale = _mm512_mul_ps(_mm512_load_ps(scales->d[run] + 16 * v), dx);
        s = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(acc[v]), s);
        if (f.has_min)
            s = _mm512_fmadd_ps(_mm512_load_ps(scales->m[run] + 16 * v), same_float(x->s), s);
        _mm512_store_ps(sum + 16 * v, s);
    }
}

// 32 elements of all rows times two columns.
INLINE void multiply_two(const struct format32 f, bool fresh, const __m512i q[VECTORS][8],
                         const struct few_scales *scales, size_t run, const struct few_column x[2]) {
    const size_t groups = (size_t)f.run_len / 4, runs = 8 / groups;
    __m512i acc[2][2][VECTORS];
    UNROLL for (size_t k = 0; k < 2; k++) UNROLL for (size_t h = 0; h < runs; h++)
        UNROLL for (int v = 0; v < VECTORS; v++) acc[k][h][v] =
            f.zero ? _mm512_set1_epi32(x[k].zeros[h]) : _mm512_setzero_si512();
    UNROLL for (size_t g = 0; g < 8; g++) UNROLL for (size_t k = 0; k < 2; k++) {
        const __m512i codes = _mm512_set1_epi32(word32(x[k].q + 4 * g));
        UNROLL for (int v = 0; v < VECTORS; v++) acc[k][g / groups][v] =
            _mm512_dpbusd_epi32(acc[k][g / groups][v], q[v][g], codes);
    }
    UNROLL for (size_t k = 0; k < 2; k++) UNROLL for (size_t h = 0; h < runs; h++)
        add_few(f, fresh, scales, run + h, &x[k], acc[k][h], x[k].sum + h * SUM_STRIDE);
}

// The same for all columns; the last one stands in for one that is not there.
INLINE void multiply_few(const struct format32 f, const struct few32 *few, const struct few_step t, size_t run,
                         const __m512i q[VECTORS][8], const struct few_scales *scales) {
    const size_t at = (t.run + run) * (size_t)f.run_len, d = few->d + at / 32 * sizeof(float), s = few->s - few->d;
    const char *x = few->x;
    struct few_column c = {x + at, x + d, x + d + s, few->zeros + t.run + run, t.sum + run * SUM_STRIDE};
    for (uint32_t left = few->cols; left; left -= left > 1 ? 2 : 1) {
        const size_t next = left > 1 ? few->x_stride : 0;
        const struct few_column two[] = {
            c, {c.q + next, c.d + next, c.s + next, c.zeros + few->zeros_stride, c.sum + PANEL_ROWS}};
        multiply_two(f, t.run == 0, q, scales, run, two);
        c = (struct few_column){c.q + 2 * next, c.d + 2 * next, c.s + 2 * next, c.zeros + 2 * few->zeros_stride,
                                c.sum + 2 * PANEL_ROWS};
    }
}

INLINE void unpack_few_scales(const struct format32 f, const char *w, size_t stride, int v, struct few_scales *s) {
    __m256 d[16], m[16];
    __m512 turned[8];
    UNROLL for (size_t r = 0; r < 16; r++) f.scales(w + r * stride, &d[r], &m[r]);
    turn_eight(d, turned);
    UNROLL for (int i = 0; i < 8; i++) _mm512_store_ps(s->d[i] + 16 * v, turned[i]);
    if (!f.has_min)
        return;
    turn_eight(m, turned);
    UNROLL for (int i = 0; i < 8; i++) _mm512_store_ps(s->m[i] + 16 * v, turned[i]);
}

// A step of all rows, `stride` bytes apart, of which eight runs can be read.
INLINE void few_runs(const struct format32 f, turned_reader *turned, const struct few32 *few, const char *w,
                     size_t stride, const struct few_step t) {
    const size_t each = 32 / (size_t)f.run_len;
    struct few_scales scales;
    for (int v = 0; v < VECTORS; v++)
        unpack_few_scales(f, w + 16 * (size_t)v * stride, stride, v, &scales);
    for (size_t run = 0; run < 8 && run < t.runs; run += each) {
        __m512i q[VECTORS][8];
        ask_ahead(few->ahead);
        for (size_t r = 4 * run; r < 4 * (run + each); r++)
            prefetch_near(t.near + r * few->stride, f.bytes8);
        UNROLL for (size_t v = 0; v < VECTORS; v++) turned(w + 16 * v * stride, stride, run / each, q[v]);
        multiply_few(f, few, t, run, (const __m512i(*)[8])q, &scales);
    }
}

// Where rows or runs are missing they are read through a copy.
static void few32(few_reader *read, size_t bytes8, int run_len, int zero, const struct dot_job *j) {
    char copy[PANEL_ROWS * 8 * sizeof(struct block_q8_0)];
    const struct scratch s = cut(j);
    const size_t runs = j->n / (size_t)run_len, zeros_stride = (j->n / 256 + 1) * 16;
    struct ahead ahead = ahead_of(j, (runs + 7) / 8 * 8 / (32 / (size_t)run_len));
    const struct few32 f = {j->cols, j->x,         j->x_stride, j->layout->d, j->layout->s,
                            s.zeros, zeros_stride, j->row_size, &ahead};
    for (uint32_t c = 0; zero && c < j->cols; c++) {
        const struct quant_vec x = quant_act_vec(j->layout, j->x + c * j->x_stride);
        prepare_column((struct wants){zero, run_len, false}, &x, j->n, s.zeros + c * zeros_stride, NULL);
    }
    for (size_t run = 0; run < runs; run += 8) {
        const size_t at = run / 8 * bytes8, left = runs - run;
        struct few_step t = {run, left < 8 ? left : 8, s.sum[0][0], j->w + at + bytes8};
        if (left <= 8)
            t.near = j->next ? j->next : j->w;
        if (j->rows == PANEL_ROWS && left >= 8)
            read(&f, j->w + at, j->row_size, t);
        else
            read(&f, copy, copy_runs(j, 0, PANEL_ROWS, at, t.runs * bytes8 / 8, bytes8, copy), t);
    }
    finish(j, &s, 0, j->cols, runs);
}
