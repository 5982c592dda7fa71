// SPDX-License-Identifier: MIT
// The AVX-512 BF16 level: BF16 weights are multiplied as they are, two products an instruction, with activations
// rounded to BF16. That is twice as fast as float32, and the one exception to the bits of the scalar kernel
// (docs/DESIGN.md): here the lanes of a sum are sixteen partial sums of pairs of elements (index / 2 mod 16). Few and
// many columns still give the same bits.
// Zen 4 and later, Cooper Lake, Sapphire Rapids and later.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/kernels.h"

#include "backends/cpu/avx512bf16_begin.h"
#include "backends/cpu/avx512_sums.h"

#define STEP 32   // elements of a vector
#define CHUNK 512 // elements: a strip and four rows, 10 KB, stay in the first-level cache

// The scratch. Behind the end of a row all is 0.
struct halves {
    uint16_t w[TILES][CHUNK / STEP][ROWS][STEP];
    uint16_t x[STRIPS][COLS][CHUNK];
    strip_sums sum[STRIPS];
};

static_assert(sizeof(struct halves) <= PANEL_BYTES + PANEL_BYTES_PER_256, "halves");

INLINE __m512bh load_halves(const void *p) {
    return (__m512bh)_mm512_loadu_si512(p);
}

// STEP weights from element i of n on.
INLINE __m512i weights_at(const char *w, size_t i, size_t n) {
    return n - i < STEP ? _mm512_maskz_loadu_epi16((1u << (n - i)) - 1, w + 2 * i) : _mm512_loadu_si512(w + 2 * i);
}

// Sixteen floats from element i of n on.
INLINE __m512 floats_at(const float *x, size_t i, size_t n) {
    return i + 16 <= n ? _mm512_loadu_ps(x + i) : _mm512_maskz_loadu_ps(i < n ? lanes(n - i) : 0, x + (i < n ? i : 0));
}

// Elements begin .. end - 1 of x, rounded, and as many zeros as a multiple of STEP takes.
INLINE void round_columns(const float *x, size_t begin, size_t end, uint16_t *out) {
    for (size_t i = begin; i < end; i += STEP, out += STEP)
        _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(floats_at(x, i + 16, end), floats_at(x, i, end)));
}

INLINE const float *column(const struct dot_job *j, uint32_t c) {
    return (const float *)(const void *)(j->x + (c < j->cols ? c : j->cols - 1) * j->x_stride);
}

INLINE const char *weights_row(const struct dot_job *j, uint32_t r) {
    return j->w + (r < j->rows ? r : j->rows - 1) * j->row_size;
}

// ROWS rows from r on times `cols` rounded columns; the next rows are asked for meanwhile.
INLINE void few_columns(const struct dot_job *j, uint32_t r, const uint16_t *x, size_t stride, int cols,
                        float out[ROWS][ROWS]) {
    __m512 sum[ROWS][ROWS];
    const char *row[ROWS], *next = ahead_of_row(j, r, ROWS);
    UNROLL for (uint32_t i = 0; i < ROWS; i++) row[i] = weights_row(j, r + i);
    UNROLL for (int i = 0; i < ROWS * ROWS; i++) sum[i / ROWS][i % ROWS] = _mm512_setzero_ps();
    for (size_t i = 0; i < j->n; i += STEP) {
        prefetch(next + 2 * ROWS * i, 2 * ROWS * STEP);
        UNROLL for (int k = 0; k < ROWS; k++) {
            __m512bh w = (__m512bh)weights_at(row[k], i, j->n);
            UNROLL for (int c = 0; c < cols; c++) sum[k][c] =
                _mm512_dpbf16_ps(sum[k][c], w, load_halves(x + (size_t)c * stride + i));
        }
    }
    UNROLL for (int k = 0; k < ROWS; k++) UNROLL for (int c = 0; c < cols; c++) out[k][c] = sum8(v16_halves(sum[k][c]));
}

static void dot_bf16(const struct dot_job *j) {
    uint16_t *x = j->panel;
    size_t stride = round_up(j->n, STEP);
    for (uint32_t c = 0; c < j->cols; c += ROWS) {
        uint32_t cols = j->cols - c < ROWS ? j->cols - c : ROWS;
        for (uint32_t i = 0; i < (cols == 1 ? 1 : ROWS); i++)
            round_columns(column(j, c + i), 0, j->n, x + i * stride);
        for (uint32_t r = 0; r < j->rows; r += ROWS) {
            float out[ROWS][ROWS];
            if (cols == 1)
                few_columns(j, r, x, stride, 1, out);
            else
                few_columns(j, r, x, stride, ROWS, out);
            for (uint32_t i = 0; i < cols; i++)
                for (uint32_t k = 0; k < ROWS && r + k < j->rows; k++)
                    j->y[(c + i) * j->y_stride + r + k] = out[k][i];
        }
    }
}

// Elements begin .. end - 1 of all rows; the last row stands in for rows that are not there.
static void copy_weights(const struct dot_job *j, size_t begin, size_t end, struct halves *h) {
    for (uint32_t r = 0; r < PANEL_ROWS; r++) {
        const char *row = weights_row(j, r);
        for (size_t i = begin; i < end; i += STEP)
            _mm512_store_si512(h->w[r / ROWS][(i - begin) / STEP][r % ROWS], weights_at(row, i, end));
    }
}

// Four rows times six columns over `steps` steps.
static void add_tile(uint16_t (*w)[ROWS][STEP], uint16_t (*x)[CHUNK], size_t steps, bool fresh,
                     float rest[COLS][ROWS][16]) {
    __m512 sum[COLS][ROWS];
    UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int r = 0; r < ROWS; r++) sum[c][r] =
        fresh ? _mm512_setzero_ps() : _mm512_load_ps(rest[c][r]);
    for (size_t i = 0; i < steps; i++) {
        __m512bh row[ROWS];
        UNROLL for (int r = 0; r < ROWS; r++) row[r] = load_halves(w[i][r]);
        UNROLL for (int c = 0; c < COLS; c++) {
            __m512bh v = load_halves(x[c] + STEP * i);
            UNROLL for (int r = 0; r < ROWS; r++) sum[c][r] = _mm512_dpbf16_ps(sum[c][r], row[r], v);
        }
    }
    UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int r = 0; r < ROWS; r++) _mm512_store_ps(rest[c][r], sum[c][r]);
}

static void gemm_bf16(const struct dot_job *j) {
    struct halves *h = j->panel;
    struct ahead ahead = ahead_of(j, (j->cols + COLS - 1) / COLS * ((j->n + CHUNK - 1) / CHUNK));
    for (uint32_t first = 0; first < j->cols; first += STRIPS * COLS) {
        uint32_t cols = j->cols - first < STRIPS * COLS ? j->cols - first : STRIPS * COLS;
        for (size_t at = 0; at < j->n; at += CHUNK) {
            size_t end = j->n - at < CHUNK ? j->n : at + CHUNK, steps = (end - at + STEP - 1) / STEP;
            copy_weights(j, at, end, h);
            for (uint32_t s = 0; s * COLS < cols; s++) {
                for (uint32_t c = 0; c < COLS; c++)
                    round_columns(column(j, first + s * COLS + c), at, end, h->x[s][c]);
                ask_ahead(&ahead);
                for (uint32_t t = 0; t < TILES && t * ROWS < j->rows; t++)
                    add_tile(h->w[t], h->x[s], steps, at == 0, h->sum[s][t]);
            }
        }
        write_sums(j, h->sum, first, cols);
    }
}

#include "backends/cpu/avx512_end.h"

void kernels_fill_avx512bf16(struct kernels *k) {
    k->dot[QUANT_bf16] = dot_bf16;
    k->gemm[QUANT_bf16] = gemm_bf16;
    k->gemm_cols[QUANT_bf16] = 5; // measured
    k->rounds[QUANT_bf16] = true;
}

#endif
