// SPDX-License-Identifier: MIT
// AVX-512, few columns of formats with a float scale per run of 32 or 16 elements. Nothing is written to a panel: of
// sixteen rows, 32 elements and those that belong to the same partial sums, 8 runs behind, are unpacked to registers
// and multiplied by all columns, two at a time. On Zen 4 a store of 64 bytes costs one and a half multiplications.
// Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_turned32.h"

#define FEW_COLS 48
#define FEW_RUNS 16 // whose scales are unpacked at once

// The columns: records of activations, and -zero * the sum of x for each run.
struct few32 {
    uint32_t cols;
    const char *x;
    size_t x_stride, d, s;
    int32_t *zeros;
    size_t zeros_stride, stride; // stride: of rows of weights
    struct ahead *ahead;
};

// Up to FEW_RUNS runs of sixteen rows.
struct few_step {
    size_t run, runs;
    float *sum;       // the partial sum 0 of the first column
    const char *near; // where the first row is read next, to be asked for in the first-level cache
};

typedef void few_reader(const struct few32 *f, const char *w, size_t stride, struct few_step t);

// What stands beside the codes of FEW_RUNS runs of sixteen rows.
struct few_scales {
    _Alignas(64) float d[FEW_RUNS][16], m[FEW_RUNS][16];
};

// A column at a run.
struct few_column {
    const char *q, *d, *s;
    const int32_t *zeros;
    float *sum;
};

#define SUM_STRIDE (GROUP * PANEL_ROWS) // floats from one partial sum to the next

INLINE __m512 same_float(const char *p) {
    float v;
    memcpy(&v, p, sizeof v);
    return _mm512_set1_ps(v);
}

// Adds to a partial sum of a column what `far` runs, 8 apart, give, whose integer sums are acc.
INLINE void add_few(const struct format32 f, size_t far, bool fresh, const struct few_scales *scales, size_t run,
                    const struct few_column *x, const __m512i acc[2], float *sum) {
    __m512 s = _mm512_maskz_load_ps(fresh ? 0 : 0xffff, sum);
    UNROLL for (size_t i = 0; i < far; i++) {
        const size_t b = i * (8 * (size_t)f.run_len / 32) * sizeof(float);
        const __m512 scale = _mm512_mul_ps(_mm512_load_ps(scales->d[run + 8 * i]), same_float(x->d + b));
        s = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(acc[i]), s);
        if (f.has_min)
            s = _mm512_fmadd_ps(_mm512_load_ps(scales->m[run + 8 * i]), same_float(x->s + b), s);
    }
    _mm512_store_ps(sum, s);
}

// `far` (1 or 2) times 32 elements of sixteen rows, 8 runs apart, times two columns.
INLINE void multiply_two(const struct format32 f, size_t far, bool fresh, const __m512i q[2][8],
                         const struct few_scales *scales, size_t run, const struct few_column x[2]) {
    const size_t groups = (size_t)f.run_len / 4, runs = 8 / groups;
    __m512i acc[2][2][2];
    UNROLL for (size_t k = 0; k < 2; k++) UNROLL for (size_t h = 0; h < runs; h++)
        UNROLL for (size_t i = 0; i < far; i++) acc[k][h][i] =
            f.zero ? _mm512_set1_epi32(x[k].zeros[h + 8 * i]) : _mm512_setzero_si512();
    UNROLL for (size_t g = 0; g < 8; g++) UNROLL for (size_t k = 0; k < 2; k++) UNROLL for (size_t i = 0; i < far; i++)
        acc[k][g / groups][i] = _mm512_dpbusd_epi32(acc[k][g / groups][i], q[i][g],
                                                    _mm512_set1_epi32(word32(x[k].q + 32 * groups * i + 4 * g)));
    UNROLL for (size_t k = 0; k < 2; k++) UNROLL for (size_t h = 0; h < runs; h++)
        add_few(f, far, fresh, scales, run + h, &x[k], acc[k][h], x[k].sum + h * SUM_STRIDE);
}

// The same for all columns; the last one stands in for one that is not there.
INLINE void multiply_few(const struct format32 f, const struct few32 *few, size_t far, const struct few_step t,
                         size_t run, const __m512i q[2][8], const struct few_scales *scales) {
    const size_t at = (t.run + run) * (size_t)f.run_len, d = few->d + at / 32 * sizeof(float), s = few->s - few->d;
    const char *x = few->x;
    struct few_column c = {x + at, x + d, x + d + s, few->zeros + t.run + run, t.sum + run * SUM_STRIDE};
    for (uint32_t left = few->cols; left; left -= left > 1 ? 2 : 1) {
        const size_t next = left > 1 ? few->x_stride : 0;
        const struct few_column two[] = {
            c, {c.q + next, c.d + next, c.s + next, c.zeros + few->zeros_stride, c.sum + PANEL_ROWS}};
        multiply_two(f, far, t.run == 0, q, scales, run, two);
        c = (struct few_column){c.q + 2 * next, c.d + 2 * next, c.s + 2 * next, c.zeros + 2 * few->zeros_stride,
                                c.sum + 2 * PANEL_ROWS};
    }
}

INLINE void unpack_few_scales(const struct format32 f, const char *w, size_t stride, float d[8][16], float m[8][16]) {
    __m256 dr[16], mr[16];
    __m512 turned[8];
    UNROLL for (size_t r = 0; r < 16; r++) f.scales(w + r * stride, &dr[r], &mr[r]);
    turn_eight(dr, turned);
    UNROLL for (int i = 0; i < 8; i++) _mm512_store_ps(d[i], turned[i]);
    if (!f.has_min)
        return;
    turn_eight(mr, turned);
    UNROLL for (int i = 0; i < 8; i++) _mm512_store_ps(m[i], turned[i]);
}

// A step of sixteen rows, `stride` bytes apart, of which 8 or, if there are more, FEW_RUNS runs can be read.
INLINE void few_runs(const struct format32 f, turned_reader *turned, const struct few32 *few, const char *w,
                     size_t stride, const struct few_step t) {
    const size_t each = 32 / (size_t)f.run_len;
    struct few_scales scales;
    unpack_few_scales(f, w, stride, scales.d, scales.m);
    if (t.runs > 8)
        unpack_few_scales(f, w + f.bytes8, stride, scales.d + 8, scales.m + 8);
    for (size_t run = 0; run < 8 && run < t.runs; run += each) {
        __m512i q[2][8];
        ask_ahead(few->ahead);
        for (size_t r = 2 * run; r < 2 * (run + each); r++)
            prefetch_near(t.near + r * few->stride, 2 * f.bytes8);
        turned(w, stride, run / each, q[0]);
        if (run + 8 < t.runs) {
            turned(w + f.bytes8, stride, run / each, q[1]);
            multiply_few(f, few, 2, t, run, (const __m512i(*)[8])q, &scales);
        } else {
            multiply_few(f, few, 1, t, run, (const __m512i(*)[8])q, &scales);
        }
    }
}

// All runs of the rows 16 v .. 16 v + 15; where rows or runs are missing they are read through a copy.
static void few_rows(few_reader *read, size_t bytes8, const struct few32 *f, const struct dot_job *j, uint32_t v,
                     size_t runs, float *sum) {
    char copy[16 * 8 * sizeof(struct block_q8_0)];
    const bool whole = j->rows >= 16 * (v + 1);
    const char *w = j->w + 16 * v * j->row_size, *end = v + 1 < VECTORS || !j->next ? w + 16 * j->row_size : j->next;
    struct few_step t = {.sum = sum};
    for (; t.run < runs; t.run += t.runs) {
        const size_t at = t.run / 8 * bytes8, left = runs - t.run;
        t.runs = whole && left >= FEW_RUNS ? FEW_RUNS : left < 8 ? left : 8;
        t.near = t.runs < left ? w + at + t.runs * bytes8 / 8 : end;
        if (whole && left >= 8)
            read(f, w + at, j->row_size, t);
        else
            read(f, copy, copy_runs(j, 16 * v, 16, at, t.runs * bytes8 / 8, bytes8, copy), t);
    }
}

static void few32(few_reader *read, size_t bytes8, int run_len, int zero, const struct dot_job *j) {
    const struct scratch s = cut(j);
    const size_t runs = j->n / (size_t)run_len, zeros_stride = (j->n / 256 + 1) * 16;
    struct ahead ahead = ahead_of(j, (runs + 7) / 8 * 8);
    const struct few32 f = {j->cols, j->x,         j->x_stride, j->layout->d, j->layout->s,
                            s.zeros, zeros_stride, j->row_size, &ahead};
    for (uint32_t c = 0; zero && c < j->cols; c++) {
        const struct quant_vec x = quant_act_vec(j->layout, j->x + c * j->x_stride);
        prepare_column((struct wants){zero, run_len, false}, &x, j->n, s.zeros + c * zeros_stride, NULL);
    }
    for (uint32_t v = 0; v < VECTORS; v++)
        few_rows(read, bytes8, &f, j, v, runs, s.sum[0][0] + 16 * v);
    finish(j, &s, 0, j->cols, runs);
}
