// SPDX-License-Identifier: MIT
// The i8mm level: many columns with SMMLA, which multiplies eight codes of two rows by those of two columns. A vector
// of a panel holds eight codes of each of two rows; a vector of sums is two rows of two columns.
#if defined(__aarch64__)
#include "backends/cpu/neon.h"

#include "backends/cpu/i8mm_begin.h"
#ifndef NO_I8MM
#define VECTOR_ROWS 2
#include "backends/cpu/neon_gemm.h"

// The halves of two vectors: the lower ones to out, the upper ones to out + apart.
INLINE void store_pair(int8x16_t a, int8x16_t b, int8_t *out, int apart) {
    int64x2_t v = vreinterpretq_s64_s8(a), w = vreinterpretq_s64_s8(b);
    vst1q_s8(out, vreinterpretq_s8_s64(vzip1q_s64(v, w)));
    vst1q_s8(out + apart, vreinterpretq_s8_s64(vzip2q_s64(v, w)));
}

INLINE void store_rows(const int8x16_t rows[STRIP], int8_t *q) {
    UNROLL for (int r = 0; r < DOWN; r++) store_pair(rows[2 * r], rows[2 * r + 1], q + 16 * r, 16 * DOWN);
}

INLINE void store_columns(const int8x16_t cols[COLS], int8_t q[4][16]) {
    UNROLL for (int c = 0; c < ACROSS; c++) store_pair(cols[2 * c], cols[2 * c + 1], q[c], 16 * ACROSS);
}

INLINE void multiply(const int8_t *w, const int8_t x[4][16], int elements, int_tile acc) {
    UNROLL for (int g = 0; g < elements / 8; g++) {
        int8x16_t codes[ACROSS];
        UNROLL for (int c = 0; c < ACROSS; c++) codes[c] = vld1q_s8(x[g * ACROSS + c]);
        UNROLL for (int r = 0; r < DOWN; r++) {
            int8x16_t rows = vld1q_s8(w + 16 * (g * DOWN + r));
            UNROLL for (int c = 0; c < ACROSS; c++) acc[r][c] = vmmlaq_s32(acc[r][c], rows, codes[c]);
        }
    }
}

INLINE void spread_columns(const float *x, float32x4_t out[ACROSS]) {
    UNROLL for (int c = 0; c < ACROSS; c++) {
        float32x2_t pair = vld1_f32(x + 2 * c);
        out[c] = vcombine_f32(pair, pair);
    }
}

INLINE void store_tile(const float_tile sum, float out[COLS][STRIP]) {
    UNROLL for (int c = 0; c < ACROSS; c++) UNROLL for (int r = 0; r < DOWN; r += 2) {
        vst1q_f32(out[2 * c] + 2 * r, vuzp1q_f32(sum[r][c], sum[r + 1][c]));
        vst1q_f32(out[2 * c + 1] + 2 * r, vuzp2q_f32(sum[r][c], sum[r + 1][c]));
    }
}
#include "backends/cpu/peak.h"

#define STEP_INT(sum, a, b) vmmlaq_s32(sum, a, b)
PEAK_LOOP(peak_int, int32x4_t, int8x16_t, vdupq_n_s32(0), vdupq_n_s8, STEP_INT)

static void fill(struct kernels *k) {
    fill_gemm(k);
    k->peak_int = (struct kernel_peak){"smmla", 64 * PEAK_CHAINS, peak_int};
}
#else
static void fill(struct kernels *k) {
    (void)k;
}
#endif
#include "backends/cpu/arm_end.h"

void kernels_fill_i8mm(struct kernels *k) {
    fill(k);
}

#endif
