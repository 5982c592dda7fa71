// SPDX-License-Identifier: MIT
// AVX-512, few columns, float formats: the lanes of a sum are the sixteen partial sums.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_floats.h"

#define ROWS 4

// ROWS rows times `cols` columns in registers; the next ROWS rows are asked for meanwhile.
INLINE void float_tile(float_reader *read, const char *const row[ROWS], const char *next, const float *const x[ROWS],
                       int cols, size_t n, float out[ROWS][ROWS]) {
    const size_t bytes = read == read_f32 ? sizeof(float) : sizeof(uint16_t);
    __m512 sum[ROWS][ROWS];
    UNROLL for (int i = 0; i < ROWS * ROWS; i++) sum[i / ROWS][i % ROWS] = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 m = lanes_before(i, n);
        __m512 w[ROWS];
        prefetch(next + ROWS * bytes * i, ROWS * bytes * 16);
        UNROLL for (int r = 0; r < ROWS; r++) w[r] = read(row[r], i, m);
        UNROLL for (int c = 0; c < cols; c++) {
            __m512 v = _mm512_maskz_loadu_ps(m, x[c] + i);
            UNROLL for (int r = 0; r < ROWS; r++) sum[r][c] = _mm512_mask3_fmadd_ps(w[r], v, sum[r][c], m);
        }
    }
    UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int c = 0; c < cols; c++) out[r][c] = sum8(v16_halves(sum[r][c]));
}

INLINE void dot_float(float_reader *read, const struct dot_job *j) {
    for (uint32_t r = 0; r < j->rows; r += ROWS) {
        const char *row[ROWS];
        uint32_t rows = j->rows - r < ROWS ? j->rows - r : ROWS;
        for (uint32_t i = 0; i < ROWS; i++)
            row[i] = j->w + (r + (i < rows ? i : rows - 1)) * j->row_size;
        for (uint32_t c = 0; c < j->cols; c += ROWS) {
            uint32_t cols = j->cols - c < ROWS ? j->cols - c : ROWS;
            const float *x[ROWS];
            const char *next = ahead_of_row(j, r, ROWS);
            float out[ROWS][ROWS];
            for (uint32_t i = 0; i < ROWS; i++)
                x[i] = (const float *)(const void *)(j->x + (c + (i < cols ? i : cols - 1)) * j->x_stride);
            if (cols == 1)
                float_tile(read, row, next, x, 1, j->n, out);
            else
                float_tile(read, row, next, x, ROWS, j->n, out);
            for (uint32_t i = 0; i < cols; i++)
                for (uint32_t k = 0; k < rows; k++)
                    j->y[(c + i) * j->y_stride + r + k] = out[k][i];
        }
    }
}

static void dot_f32(const struct dot_job *j) {
    dot_float(read_f32, j);
}

static void dot_f16(const struct dot_job *j) {
    dot_float(read_f16, j);
}

static void dot_bf16(const struct dot_job *j) {
    dot_float(read_bf16, j);
}

#include "backends/cpu/avx512_end.h"

void avx512_fill_dot_float(struct kernels *k) {
    k->dot[QUANT_f32] = dot_f32;
    k->dot[QUANT_f16] = dot_f16;
    k->dot[QUANT_bf16] = dot_bf16;
}

#endif
