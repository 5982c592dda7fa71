// SPDX-License-Identifier: MIT
// AVX-512, few columns of formats with a float scale per 256 elements. Nothing is written to a panel: 64 elements of
// sixteen rows are unpacked to registers and multiplied by all columns, two at a time; the integer sums of a block
// stand in memory meanwhile. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_turned256.h"

#define FEW_COLS 24

struct few256 {
    uint32_t cols;
    const char *x; // records of activations
    size_t x_stride, d;
    const int32_t *zeros;
    size_t zeros_stride;
    const int16_t *bs; // sums that minimums want
    size_t bs_stride;
    size_t stride;            // of rows of weights
    struct panel256 *scratch; // the scales of a block, and what its steps leave for each other
    struct ahead *ahead;
};

// A block of sixteen rows.
struct few_block {
    size_t b;
    int32_t (*total)[16]; // [cols] integer sums
    float *sum;           // its partial sum of the first column
    const char *near;     // where the first row is read next, to be asked for in the first-level cache
};

typedef void few_reader(const struct few256 *f, const char *w, size_t stride, const struct few_block *block);

// Two columns at a step, 32 elements of each row and 32 others `apart` behind them. All that is read lies at constant
// distances from these pointers: there are no registers for more.
struct few_columns {
    const char *q[2];
    const int32_t *zeros[2];
};

INLINE void multiply_step(const struct kind k, bool has_zero, size_t apart, const __m512i q[16], const int32_t *scale,
                          bool fresh, const struct few_columns *x, int32_t (*total)[16]) {
    const size_t len = (size_t)k.part_len, parts = len == 16 ? 2 : 1, groups = 8 / parts;
    __m512i acc[2][2][2]; // of a column, a half, a part
    UNROLL for (size_t c = 0; c < 2; c++) UNROLL for (size_t h = 0; h < 2; h++)
        UNROLL for (size_t i = 0; i < parts; i++) acc[c][h][i] =
            has_zero && len < 256 ? _mm512_set1_epi32(x->zeros[c][h * apart / len + i]) : _mm512_setzero_si512();
    UNROLL for (size_t g = 0; g < 8; g++) UNROLL for (size_t c = 0; c < 2; c++) UNROLL for (size_t h = 0; h < 2; h++)
        acc[c][h][g / groups] = _mm512_dpbusd_epi32(acc[c][h][g / groups], q[8 * h + g],
                                                    _mm512_set1_epi32(word32(x->q[c] + h * apart + 4 * g)));
    UNROLL for (size_t c = 0; c < 2; c++) {
        __m512i sum = _mm512_maskz_load_epi32(fresh ? 0 : 0xffff, total[c]);
        UNROLL for (size_t h = 0; h < 2; h++) UNROLL for (size_t i = 0; i < parts; i++) {
            const __m512i s = _mm512_load_si512(scale + (h * apart / len + i) * PANEL_ROWS);
            sum = _mm512_add_epi32(sum, len < 256 ? _mm512_mullo_epi32(acc[c][h][i], s) : acc[c][h][i]);
        }
        _mm512_store_si512(total[c], sum);
    }
}

// The step of a block that begins at element `first`, times all columns; the last one stands in for one that is not
// there.
INLINE void multiply_few(const struct kind k, bool has_zero, size_t apart, const struct few256 *f,
                         const struct few_block *block, size_t first, const __m512i q[16]) {
    const size_t len = (size_t)k.part_len;
    const int32_t *scale = f->scratch->scale[first / len], *zeros = f->zeros + 256 / len * block->b + first / len;
    const char *x = f->x + 256 * block->b + first;
    int32_t(*total)[16] = block->total;
    for (uint32_t left = f->cols; left; left -= left > 1 ? 2 : 1) {
        const size_t next = left > 1 ? f->x_stride : 0;
        const struct few_columns two = {{x, x + next}, {zeros, zeros + f->zeros_stride}};
        multiply_step(k, has_zero, apart, q, scale, first == 0, &two, total);
        x += 2 * next;
        zeros += 2 * f->zeros_stride;
        total += 2;
    }
}

// Adds the integer sums of a block to the partial sums; p has its scales in the first sixteen rows.
INLINE void add_block(const struct kind k, bool has_zero, const struct few256 *f, const struct few_block *block,
                      const struct panel256 *p) {
    const __m512 dw = _mm512_load_ps(p->d), dmin = _mm512_load_ps(p->dmin);
    float *sum = block->sum;
    for (uint32_t c = 0; c < f->cols; c++, sum += PANEL_ROWS) {
        const __m512 d = same_float(f->x + c * f->x_stride + f->d + block->b * sizeof(float));
        __m512i total = _mm512_load_si512(block->total[c]);
        if (k.part_len == 256 && has_zero)
            total = _mm512_add_epi32(k.halved ? _mm512_slli_epi32(total, 1) : total,
                                     _mm512_set1_epi32(f->zeros[c * f->zeros_stride + block->b]));
        __m512 s = _mm512_maskz_load_ps(block->b < 8 ? 0 : 0xffff, sum);
        s = _mm512_fmadd_ps(_mm512_mul_ps(dw, d), _mm512_cvtepi32_ps(total), s);
        if (k.min_len)
            s = _mm512_fnmadd_ps(_mm512_mul_ps(dmin, d),
                                 _mm512_cvtepi32_ps(sum_mins(k.min_len, p, f->bs + c * f->bs_stride, block->b, 0)), s);
        _mm512_store_ps(sum, s);
    }
}

// A block of sixteen rows, `stride` bytes apart; the second half of a step lies `apart` elements behind the first.
INLINE void few_block(size_t size, const struct kind k, int zero, head_reader *head, step_reader *read, size_t apart,
                      const struct few256 *few, const char *w, size_t stride, const struct few_block *block) {
    struct panel256 *p = few->scratch;
    __m512i *rest = (__m512i *)(void *)p->q;
    unpack_head(k, head, w, stride, p, 0); // to the first sixteen rows
    for (size_t i = 0; i < 4; i++) {
        __m512i q[16];
        ask_ahead(few->ahead);
        for (size_t r = 4 * i; r < 4 * i + 4; r++)
            prefetch_near(block->near + r * few->stride, size);
        read(w, stride, i, rest, q);
        multiply_few(k, zero != 0, apart, few, block, apart == 64 ? 128 * (i / 2) + 32 * (i % 2) : 64 * i, q);
    }
    add_block(k, zero != 0, few, block, p);
}

// All blocks of the rows 16 v .. 16 v + 15; where rows are missing they are read through a copy.
static void few_rows(few_reader *read, size_t block_size, const struct few256 *f, const struct dot_job *j, uint32_t v,
                     float (*sum)[GROUP][PANEL_ROWS]) {
    _Alignas(64) int32_t total[FEW_COLS + 1][16];
    char copy[16 * sizeof(struct block_q6_k)]; // the largest
    const bool whole = j->rows >= 16 * (v + 1);
    const char *w = j->w + 16 * v * j->row_size, *end = v + 1 < VECTORS || !j->next ? w + 16 * j->row_size : j->next;
    for (size_t b = 0; b < j->n / 256; b++, w += block_size) {
        const struct few_block block = {b, total, sum[b % 8][0] + 16 * v, b + 1 < j->n / 256 ? w + block_size : end};
        if (whole)
            read(f, w, j->row_size, &block);
        else
            read(f, copy, copy_runs(j, 16 * v, 16, b * block_size, block_size, block_size, copy), &block);
    }
}

static void few256(few_reader *read, size_t block_size, const struct kind k, int zero, const struct dot_job *j) {
    const struct scratch s = cut(j);
    const size_t stride = (j->n / 256 + 1) * 16;
    const bool wide = k.min_len == 32;
    struct ahead ahead = ahead_of(j, j->n / 256 * 8);
    const struct few256 f = {.cols = j->cols,
                             .x = j->x,
                             .x_stride = j->x_stride,
                             .d = j->layout->d,
                             .zeros = s.zeros,
                             .zeros_stride = stride,
                             .bs = wide ? s.bs : (const int16_t *)(const void *)(j->x + j->layout->bs),
                             .bs_stride = wide ? stride / 2 : j->x_stride / sizeof(int16_t),
                             .stride = j->row_size,
                             .scratch = (struct panel256 *)(void *)s.panel,
                             .ahead = &ahead};
    for (uint32_t c = 0; (zero || wide) && c < j->cols; c++) {
        const struct quant_vec x = quant_act_vec(j->layout, j->x + c * j->x_stride);
        prepare_column((struct wants){zero, k.part_len, wide}, &x, j->n, s.zeros + c * stride, s.bs + c * stride / 2);
    }
    for (uint32_t v = 0; v < VECTORS; v++)
        few_rows(read, block_size, &f, j, v, s.sum);
    finish(j, &s, 0, j->cols, j->n / 256);
}
