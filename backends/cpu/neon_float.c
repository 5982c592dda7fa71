// SPDX-License-Identifier: MIT
// The NEON level: products with weights in F32, F16 and BF16; the lanes are the sixteen partial sums. Two rows times
// three columns share what they load. For many columns rows are widened once into the thread's panel.
#if defined(__aarch64__)
#include <string.h>

#include "backends/cpu/neon.h"
#include "backends/cpu/v16_neon.h"

#define ROWS 2
#define COLS 3     // 24 of 32 registers hold sums
#define WIDENED 12 // rows that the panel holds

static_assert(WIDENED * 256 * sizeof(float) <= PANEL_BYTES_PER_256, "rows in the panel");

// Sixteen weights at p as float32.
typedef v16 float_reader(const char *p);

INLINE v16 read_f32(const char *p) {
    return v16_load((const float *)(const void *)p);
}

INLINE v16 read_f16(const char *p) {
    return v16_load_f16((const uint16_t *)(const void *)p);
}

INLINE v16 read_bf16(const char *p) {
    ALL(vreinterpretq_f32_u32(vshll_n_u16(vld1_u16((const uint16_t *)(const void *)p + 4 * i), 16)));
}

// n < 16 weights of `size` bytes; the lanes behind them are 0.
INLINE v16 read_rest(float_reader *read, size_t size, const char *p, size_t n) {
    char copy[16 * sizeof(float)] = {0};
    memcpy(copy, p, n * size);
    return read(copy);
}

// ROWS rows times `cols` columns.
INLINE void float_tile(float_reader *read, size_t size, const char *const row[ROWS], const float *const x[COLS],
                       int cols, size_t n, float out[COLS][ROWS]) {
    v16 sum[COLS][ROWS];
    size_t i = 0;
    UNROLL for (int c = 0; c < cols; c++) UNROLL for (int r = 0; r < ROWS; r++) sum[c][r] = v16_set1(0.0f);
    for (; i + 16 <= n; i += 16) {
        v16 w[ROWS];
        UNROLL for (int r = 0; r < ROWS; r++) w[r] = read(row[r] + i * size);
        UNROLL for (int c = 0; c < cols; c++) UNROLL for (int r = 0; r < ROWS; r++) sum[c][r] =
            v16_fma(w[r], v16_load(x[c] + i), sum[c][r]);
    }
    if (i < n)
        for (int c = 0; c < cols; c++)
            for (int r = 0; r < ROWS; r++) {
                v16 w = read_rest(read, size, row[r] + i * size, n - i);
                v16 next = v16_fma(w, v16_load_n(x[c] + i, n - i), sum[c][r]);
                sum[c][r] = v16_pick((1u << (n - i)) - 1, next, sum[c][r]);
            }
    UNROLL for (int c = 0; c < cols; c++) UNROLL for (int r = 0; r < ROWS; r++) out[c][r] = sum8(v16_halves(sum[c][r]));
}

// Rows of a job as they are, or widened: `first` is the place of the first one in the job.
struct float_rows {
    const char *w;
    size_t stride;
    uint32_t first, n;
};

// Columns from c on; the last column and row stand in for those that are not there.
INLINE void tile_columns(float_reader *read, size_t size, const struct dot_job *j, const struct float_rows *rows,
                         uint32_t c, uint32_t cols) {
    const float *x[COLS];
    for (uint32_t i = 0; i < COLS; i++)
        x[i] = (const float *)(const void *)(j->x + (c + (i < cols ? i : cols - 1)) * j->x_stride);
    for (uint32_t r = 0; r < rows->n; r += ROWS) {
        uint32_t here = rows->n - r < ROWS ? rows->n - r : ROWS;
        const char *row[ROWS] = {rows->w + r * rows->stride, rows->w + (r + here - 1) * rows->stride};
        float out[COLS][ROWS];
        if (cols == 1)
            float_tile(read, size, row, x, 1, j->n, out);
        else
            float_tile(read, size, row, x, COLS, j->n, out);
        for (uint32_t i = 0; i < cols; i++)
            memcpy(j->y + (c + i) * j->y_stride + rows->first + r, out[i], here * sizeof(float));
    }
}

INLINE void multiply_rows(float_reader *read, size_t size, const struct dot_job *j, const struct float_rows *rows) {
    for (uint32_t c = 0; c < j->cols; c += COLS)
        tile_columns(read, size, j, rows, c, j->cols - c < COLS ? j->cols - c : COLS);
}

static void multiply_wide(const struct dot_job *j, const struct float_rows *rows) {
    multiply_rows(read_f32, sizeof(float), j, rows);
}

static void dot_f32(const struct dot_job *j) {
    multiply_wide(j, &(struct float_rows){j->w, j->row_size, 0, j->rows});
}

INLINE void widen_row(float_reader *read, const char *w, size_t n, float *out) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        v16_store(out + i, read(w + i * sizeof(uint16_t)));
    if (i < n)
        v16_store_n(out + i, read_rest(read, sizeof(uint16_t), w + i * sizeof(uint16_t), n - i), n - i);
}

// Formats of two bytes.
INLINE void dot_narrow(float_reader *read, const struct dot_job *j) {
    if (j->cols <= COLS) {
        multiply_rows(read, sizeof(uint16_t), j, &(struct float_rows){j->w, j->row_size, 0, j->rows});
        return;
    }
    for (uint32_t r = 0; r < j->rows; r += WIDENED) {
        struct float_rows wide = {j->panel, j->n * sizeof(float), r, j->rows - r < WIDENED ? j->rows - r : WIDENED};
        for (uint32_t i = 0; i < wide.n; i++)
            widen_row(read, j->w + (r + i) * j->row_size, j->n, (float *)j->panel + i * j->n);
        multiply_wide(j, &wide);
    }
}

static void dot_f16(const struct dot_job *j) {
    dot_narrow(read_f16, j);
}

static void dot_bf16(const struct dot_job *j) {
    dot_narrow(read_bf16, j);
}

void neon_fill_float(struct kernels *k) {
    k->dot[QUANT_f32] = dot_f32;
    k->dot[QUANT_f16] = dot_f16;
    k->dot[QUANT_bf16] = dot_bf16;
}

#endif
