// SPDX-License-Identifier: MIT
// AVX2: matrix products of float formats. The lanes of a sum are the sixteen partial sums.
#if defined(__x86_64__)
#include "backends/cpu/avx2.h"

#include <string.h>

#include "backends/cpu/avx2_begin.h"
#include "backends/cpu/v16_avx2.h"

#define FOUR 4

// n <= 16 weights at p as float32; lanes behind them are 0.
typedef v16 float_reader(const char *p, size_t n);

INLINE v16 read_f32(const char *p, size_t n) {
    float copy[16] = {0};
    if (n < 16) {
        memcpy(copy, p, n * sizeof *copy);
        return v16_load(copy);
    }
    return v16_load((const float *)(const void *)p);
}

INLINE const uint16_t *sixteen_halves(const char *p, size_t n, uint16_t copy[16]) {
    if (n == 16)
        return (const uint16_t *)(const void *)p;
    memset(copy, 0, 16 * sizeof *copy);
    memcpy(copy, p, n * sizeof *copy);
    return copy;
}

INLINE v16 read_f16(const char *p, size_t n) {
    uint16_t copy[16];
    return v16_load_f16(sixteen_halves(p, n, copy));
}

INLINE v16 read_bf16(const char *p, size_t n) {
    uint16_t copy[16];
    __m256i h = _mm256_loadu_si256((const void *)sixteen_halves(p, n, copy));
    __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(h));
    __m256i high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(h, 1));
    return (v16){_mm256_castsi256_ps(_mm256_slli_epi32(low, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(high, 16))};
}

// One row times up to four columns.
INLINE void float_row(float_reader *read, size_t size, const char *w, const float *const x[FOUR], int cols, size_t n,
                      float out[FOUR]) {
    v16 sum[FOUR];
    size_t i = 0;
    UNROLL for (int c = 0; c < cols; c++) sum[c] = v16_set1(0.0f);
    for (; i + 16 <= n; i += 16) {
        v16 v = read(w + i * size, 16);
        UNROLL for (int c = 0; c < cols; c++) sum[c] = v16_fma(v, v16_load(x[c] + i), sum[c]);
    }
    if (i < n) {
        v16 v = read(w + i * size, n - i);
        UNROLL for (int c = 0; c < cols; c++) sum[c] =
            v16_pick((1u << (n - i)) - 1, v16_fma(v, v16_load_n(x[c] + i, n - i), sum[c]), sum[c]);
    }
    UNROLL for (int c = 0; c < cols; c++) out[c] = sum8(v16_halves(sum[c]));
}

INLINE void dot_float(float_reader *read, size_t size, const struct dot_job *j) {
    for (uint32_t c = 0; c < j->cols; c += FOUR) {
        uint32_t cols = j->cols - c < FOUR ? j->cols - c : FOUR;
        const float *x[FOUR];
        for (uint32_t i = 0; i < FOUR; i++)
            x[i] = (const float *)(const void *)(j->x + (c + (i < cols ? i : cols - 1)) * j->x_stride);
        for (uint32_t r = 0; r < j->rows; r++) {
            float out[FOUR];
            if (cols == 1)
                float_row(read, size, j->w + r * j->row_size, x, 1, j->n, out);
            else
                float_row(read, size, j->w + r * j->row_size, x, FOUR, j->n, out);
            for (uint32_t i = 0; i < cols; i++)
                j->y[(c + i) * j->y_stride + r] = out[i];
        }
    }
}

static void dot_f32(const struct dot_job *j) {
    dot_float(read_f32, 4, j);
}

static void dot_f16(const struct dot_job *j) {
    dot_float(read_f16, 2, j);
}

static void dot_bf16(const struct dot_job *j) {
    dot_float(read_bf16, 2, j);
}

#include "backends/cpu/avx2_end.h"

void avx2_fill_float(struct kernels *k) {
    k->dot[QUANT_f32] = dot_f32;
    k->dot[QUANT_f16] = dot_f16;
    k->dot[QUANT_bf16] = dot_bf16;
}
#endif
