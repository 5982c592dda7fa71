// SPDX-License-Identifier: MIT
// The dotprod level: many columns. A vector of a panel holds four codes of each of four rows; a vector of sums is four
// rows of a column, and SDOT takes the column's four codes from one lane.
#if defined(__aarch64__)
#include "backends/cpu/neon.h"

#include "backends/cpu/dotprod_begin.h"
#ifndef NO_DOTPROD
#define VECTOR_ROWS 4
#include "backends/cpu/neon_gemm.h"

// Four rows' words to four vectors, 4 x 4 transposed.
INLINE void transpose(const int8x16_t rows[4], int32x4_t out[4]) {
    int32x4_t a = vreinterpretq_s32_s8(rows[0]), b = vreinterpretq_s32_s8(rows[1]);
    int32x4_t c = vreinterpretq_s32_s8(rows[2]), d = vreinterpretq_s32_s8(rows[3]);
    int64x2_t ab = vreinterpretq_s64_s32(vtrn1q_s32(a, b)), cd = vreinterpretq_s64_s32(vtrn1q_s32(c, d));
    int64x2_t ab2 = vreinterpretq_s64_s32(vtrn2q_s32(a, b)), cd2 = vreinterpretq_s64_s32(vtrn2q_s32(c, d));
    out[0] = vreinterpretq_s32_s64(vtrn1q_s64(ab, cd));
    out[1] = vreinterpretq_s32_s64(vtrn1q_s64(ab2, cd2));
    out[2] = vreinterpretq_s32_s64(vtrn2q_s64(ab, cd));
    out[3] = vreinterpretq_s32_s64(vtrn2q_s64(ab2, cd2));
}

INLINE void store_rows(const int8x16_t rows[STRIP], int8_t *q) {
    int32x4_t upper[4], lower[4];
    transpose(rows, upper);
    transpose(rows + 4, lower);
    UNROLL for (int g = 0; g < 4; g++) {
        vst1q_s8(q + 32 * g, vreinterpretq_s8_s32(upper[g]));
        vst1q_s8(q + 32 * g + 16, vreinterpretq_s8_s32(lower[g]));
    }
}

INLINE void store_columns(const int8x16_t cols[COLS], int8_t q[4][16]) {
    UNROLL for (int c = 0; c < COLS; c++) vst1q_s8(q[c], cols[c]);
}

INLINE void multiply(const int8_t *w, const int8_t x[4][16], int elements, int_tile acc) {
    int8x16_t codes[COLS];
    UNROLL for (int c = 0; c < COLS; c++) codes[c] = vld1q_s8(x[c]);
#define FOUR_ELEMENTS(g)                                                                                               \
    UNROLL for (int r = 0; r < DOWN; r++) {                                                                            \
        int8x16_t rows = vld1q_s8(w + 32 * (g) + 16 * r);                                                              \
        UNROLL for (int c = 0; c < ACROSS; c++) acc[r][c] = vdotq_laneq_s32(acc[r][c], rows, codes[c], g);             \
    }
    FOUR_ELEMENTS(0)
    FOUR_ELEMENTS(1)
    if (elements == 16) {
        FOUR_ELEMENTS(2)
        FOUR_ELEMENTS(3)
    }
#undef FOUR_ELEMENTS
}

INLINE void spread_columns(const float *x, float32x4_t out[ACROSS]) {
    UNROLL for (int c = 0; c < ACROSS; c++) out[c] = vdupq_n_f32(x[c]);
}

INLINE void store_tile(const float_tile sum, float out[COLS][STRIP]) {
    UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int r = 0; r < DOWN; r++) vst1q_f32(out[c] + 4 * r, sum[r][c]);
}
#else
static void fill_gemm(struct kernels *k) {
    (void)k;
}
#endif
#include "backends/cpu/arm_end.h"

void dotprod_fill_gemm(struct kernels *k) {
    fill_gemm(k);
}

#endif
