// SPDX-License-Identifier: MIT
// AVX-512, many columns, float formats. The lanes of a sum are the sixteen partial sums; a tile of four rows times six
// columns stays in registers. Rows are widened to float32, CHUNK elements of all rows at a time, and pass all columns
// of a group before the next ones; the group's sums rest in the scratch in between.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_floats.h"
#include "backends/cpu/avx512_sums.h"

#define CHUNK 512 // elements: a strip's 12 KB stay in the first-level cache
#define AHEAD 64  // elements of four rows: how far behind the prefetch from the second-level cache

typedef __m512 tile[COLS][ROWS];

// The scratch.
struct floats {
    float w[TILES][CHUNK / 16][ROWS][16];
    strip_sums sum[STRIPS];
};

static_assert(sizeof(struct floats) <= PANEL_BYTES, "floats");

// `len` elements of all rows from `at` on; the last row stands in for rows that are not there.
INLINE void widen(float_reader *read, const struct dot_job *j, size_t at, size_t len, struct floats *f) {
    for (uint32_t r = 0; r < PANEL_ROWS; r++) {
        const char *row = j->w + (r < j->rows ? r : j->rows - 1) * j->row_size;
        for (size_t i = 0; i < len; i += 16)
            _mm512_store_ps(f->w[r / ROWS][i / 16][r % ROWS], read(row, at + i, lanes_before(i, len)));
    }
}

INLINE void step(const float *w, const float *const x[COLS], size_t i, __mmask16 m, bool whole, tile sum) {
    __m512 row[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) row[r] = _mm512_load_ps(w + ROWS * i + 16 * r);
    UNROLL for (int c = 0; c < COLS; c++) {
        __m512 v = whole ? _mm512_loadu_ps(x[c] + i) : _mm512_maskz_loadu_ps(m, x[c] + i);
        UNROLL for (int r = 0; r < ROWS; r++) sum[c][r] =
            whole ? _mm512_fmadd_ps(row[r], v, sum[c][r]) : _mm512_mask3_fmadd_ps(row[r], v, sum[c][r], m);
    }
}

// Four rows times six columns over `len` elements.
static void add_tile(const float *w, const float *const x[COLS], size_t len, bool fresh, float rest[COLS][ROWS][16]) {
    tile sum;
    size_t i = 0;
    UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int r = 0; r < ROWS; r++) sum[c][r] =
        fresh ? _mm512_setzero_ps() : _mm512_load_ps(rest[c][r]);
    for (; i + 16 <= len; i += 16) {
        prefetch_near(w + ROWS * (i + AHEAD), ROWS * 64);
        step(w, x, i, 0xffff, true, sum);
    }
    if (i < len)
        step(w, x, i, lanes(len - i), false, sum);
    UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int r = 0; r < ROWS; r++) _mm512_store_ps(rest[c][r], sum[c][r]);
}

// The last column stands in for columns of a strip that are not there.
static void add_strip(const struct dot_job *j, struct floats *f, uint32_t first, uint32_t strip, size_t at,
                      size_t len) {
    const float *x[COLS];
    for (uint32_t i = 0; i < COLS; i++) {
        uint32_t c = first + strip * COLS + i;
        x[i] = (const float *)(const void *)(j->x + (c < j->cols ? c : j->cols - 1) * j->x_stride) + at;
    }
    for (uint32_t t = 0; t < TILES && t * ROWS < j->rows; t++)
        add_tile(f->w[t][0][0], x, len, at == 0, f->sum[strip][t]);
}

INLINE void gemm_float(float_reader *read, const struct dot_job *j) {
    struct floats *f = j->panel;
    struct ahead ahead = ahead_of(j, (j->cols + COLS - 1) / COLS * ((j->n + CHUNK - 1) / CHUNK));
    for (uint32_t first = 0; first < j->cols; first += STRIPS * COLS) {
        uint32_t cols = j->cols - first < STRIPS * COLS ? j->cols - first : STRIPS * COLS;
        for (size_t at = 0; at < j->n; at += CHUNK) {
            size_t len = j->n - at < CHUNK ? j->n - at : CHUNK;
            widen(read, j, at, len, f);
            for (uint32_t strip = 0; strip * COLS < cols; strip++) {
                ask_ahead(&ahead);
                add_strip(j, f, first, strip, at, len);
            }
        }
        write_sums(j, f->sum, first, cols);
    }
}

static void gemm_f32(const struct dot_job *j) {
    gemm_float(read_f32, j);
}

static void gemm_f16(const struct dot_job *j) {
    gemm_float(read_f16, j);
}

static void gemm_bf16(const struct dot_job *j) {
    gemm_float(read_bf16, j);
}

#include "backends/cpu/avx512_end.h"

#define LEAST_COLS 5 // for which unpacking pays (measured)

void avx512_fill_gemm_float(struct kernels *k) {
    k->gemm[QUANT_f32] = gemm_f32;
    k->gemm_cols[QUANT_f32] = LEAST_COLS;
    k->gemm[QUANT_f16] = gemm_f16;
    k->gemm_cols[QUANT_f16] = LEAST_COLS;
    k->gemm[QUANT_bf16] = gemm_bf16;
    k->gemm_cols[QUANT_bf16] = LEAST_COLS;
}

#endif
