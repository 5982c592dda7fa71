// SPDX-License-Identifier: MIT
// AVX-512, many columns, float formats: sixteen partial sums, weights widened to float32 in registers.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_floats.h"
#include "backends/cpu/avx512_sums.h"

// Sixteen elements from i on; unless `whole`, those of the mask.
INLINE void add_sixteen(int cols, float_reader *read, const char *const w[ROWS], const char *const x[COLS], size_t i,
                        __mmask16 m, bool whole, tile sum) {
    __m512 row[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) row[r] = read(w[r], i, m);
    UNROLL for (int c = 0; c < cols; c++) {
        const char *at = x[c] + i * sizeof(float);
        __m512 v = whole ? _mm512_loadu_ps(at) : _mm512_maskz_loadu_ps(m, at);
        UNROLL for (int r = 0; r < ROWS; r++) sum[c][r] =
            whole ? _mm512_fmadd_ps(row[r], v, sum[c][r]) : _mm512_mask3_fmadd_ps(row[r], v, sum[c][r], m);
    }
}

INLINE void add_step(int cols, float_reader *read, const char *const w[ROWS], const char *const x[COLS], size_t i,
                     size_t left, tile sum) {
    UNROLL for (size_t at = 0; at < STEP; at += 16) {
        if (at + 16 <= left)
            add_sixteen(cols, read, w, x, i + at, 0xffff, true, sum);
        else if (at < left)
            add_sixteen(cols, read, w, x, i + at, lanes(left - at), false, sum);
    }
}

#define FLOATS(X) X(f32, float) X(f16, uint16_t) X(bf16, uint16_t)

#define GEMM_FLOAT(sym, type)                                                                                          \
    INLINE void step_##sym(int cols, const char *const w[ROWS], const char *const x[COLS], size_t i, size_t left,      \
                           tile sum) {                                                                                 \
        add_step(cols, read_##sym, w, x, i, left, sum);                                                                \
    }                                                                                                                  \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        gemm_rows((struct float_kind){step_##sym, sizeof(type), sizeof(float)}, j);                                    \
    }
FLOATS(GEMM_FLOAT)

#include "backends/cpu/avx512_end.h"

#define LEAST_COLS 5 // which pay (measured)

void avx512_fill_gemm_float(struct kernels *k) {
#define SLOT(sym, type) k->gemm[QUANT_##sym] = gemm_##sym, k->gemm_cols[QUANT_##sym] = LEAST_COLS;
    FLOATS(SLOT)
}

#endif
