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

INLINE __m512bh load_halves(const void *p) {
    return (__m512bh)_mm512_loadu_si512(p);
}

static void encode_bf16(const float *x, size_t n, void *record) {
    __m256i *out = record;
    for (size_t i = 0; i < round_up(n, STEP); i += 16) {
        __m512 v =
            i + 16 <= n ? _mm512_loadu_ps(x + i) : _mm512_maskz_loadu_ps(i < n ? lanes(n - i) : 0, x + (i < n ? i : 0));
        _mm256_storeu_si256(out++, (__m256i)_mm512_cvtneps_pbh(v));
    }
}

// STEP weights from element i of n on.
INLINE __m512i weights_at(const char *w, size_t i, size_t n) {
    return n - i < STEP ? _mm512_maskz_loadu_epi16((1u << (n - i)) - 1, w + 2 * i) : _mm512_loadu_si512(w + 2 * i);
}

INLINE void add_step(const char *const row[ROWS], const char *const x[ROWS], int cols, size_t i, size_t n,
                     __m512 sum[ROWS][ROWS]) {
    UNROLL for (int k = 0; k < ROWS; k++) {
        __m512bh w = (__m512bh)weights_at(row[k], i, n);
        UNROLL for (int c = 0; c < cols; c++) sum[k][c] = _mm512_dpbf16_ps(sum[k][c], w, load_halves(x[c] + 2 * i));
    }
}

// ROWS rows from r on times `cols` columns; the next rows are asked for meanwhile.
INLINE void few_columns(const struct dot_job *j, uint32_t r, const char *const x[ROWS], int cols,
                        float out[ROWS][ROWS]) {
    const size_t whole = j->n / STEP * STEP;
    __m512 sum[ROWS][ROWS];
    const char *row[ROWS], *next = ahead_of_row(j, r, ROWS);
    UNROLL for (uint32_t i = 0; i < ROWS; i++) row[i] = row_of(j, r + i);
    UNROLL for (int i = 0; i < ROWS * ROWS; i++) sum[i / ROWS][i % ROWS] = _mm512_setzero_ps();
    for (size_t i = 0; i < whole; i += STEP) {
        prefetch(next + 2 * ROWS * i, 2 * ROWS * STEP);
        add_step(row, x, cols, i, i + STEP, sum);
    }
    if (whole < j->n)
        add_step(row, x, cols, whole, j->n, sum);
    UNROLL for (int k = 0; k < ROWS; k++) UNROLL for (int c = 0; c < cols; c++) out[k][c] = sum8(v16_halves(sum[k][c]));
}

static void dot_bf16(const struct dot_job *j) {
    for (uint32_t c = 0; c < j->cols; c += ROWS) {
        const char *x[ROWS];
        uint32_t cols = j->cols - c < ROWS ? j->cols - c : ROWS;
        for (uint32_t i = 0; i < ROWS; i++)
            x[i] = column_of(j, c + i);
        for (uint32_t r = 0; r < j->rows; r += ROWS) {
            float out[ROWS][ROWS];
            if (cols == 1)
                few_columns(j, r, x, 1, out);
            else
                few_columns(j, r, x, ROWS, out);
            for (uint32_t i = 0; i < cols; i++)
                for (uint32_t k = 0; k < ROWS && r + k < j->rows; k++)
                    j->y[(c + i) * j->y_stride + r + k] = out[k][i];
        }
    }
}

INLINE void step_bf16(int cols, const char *const w[ROWS], const char *const x[COLS], size_t i, size_t left, tile sum) {
    __m512bh row[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) row[r] = (__m512bh)weights_at(w[r], i, i + left);
    UNROLL for (int c = 0; c < cols; c++) {
        __m512bh v = load_halves(x[c] + 2 * i);
        UNROLL for (int r = 0; r < ROWS; r++) sum[c][r] = _mm512_dpbf16_ps(sum[c][r], row[r], v);
    }
}

static void gemm_bf16(const struct dot_job *j) {
    gemm_rows((struct float_kind){step_bf16, sizeof(uint16_t), sizeof(uint16_t)}, j);
}

#include "backends/cpu/avx512_end.h"

void kernels_fill_avx512bf16(struct kernels *k) {
    k->encode[ACT_BF16] = encode_bf16;
    k->dot[QUANT_bf16] = dot_bf16;
    k->gemm[QUANT_bf16] = gemm_bf16;
    k->gemm_cols[QUANT_bf16] = 5; // measured
    k->rounds[QUANT_bf16] = true;
}

#endif
