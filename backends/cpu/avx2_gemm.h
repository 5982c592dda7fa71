// SPDX-License-Identifier: MIT
// Many columns, for the 256-bit levels: tiles of sixteen rows times COLS columns in the order of the contract. A level
// defines COLS, PLANES and ZERO_FIRST, includes avx2_panel.h, says how a block's integer sums are made (block_sums32,
// block_sums256) and products of 16 bits are added (add_pairs), then includes this, which makes gemm_SYMBOL of every
// format of the list and fill_gemm.
#pragma once

typedef float sums[8][COLS][ROWS]; // partial sums by block mod 8

INLINE void tile32(const struct shape32 s, const uint8_t *p, const struct columns *x, size_t runs, sums sum) {
    const struct places32 place = places32(s);
    for (size_t b = 0; b < runs; b++, p += place.size)
        UNROLL for (int i = 0; i < s.each; i++) {
            const float *d = (const float *)(const void *)(p + place.d) + i * ROWS;
            const float *m = (const float *)(const void *)(p + place.m);
            size_t block = b * (size_t)s.each + (size_t)i;
            __m256i dot[COLS][VECTORS];
            block_sums32(s, p + i * (8 / s.each) * GROUP, x, block, dot);
            UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++) {
                float *at = sum[block % 8][c] + 8 * v;
                __m256 scale = _mm256_mul_ps(_mm256_load_ps(d + 8 * v), _mm256_broadcast_ss(&x->d[c][b]));
                __m256 y = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(dot[c][v]), _mm256_load_ps(at));
                if (s.min)
                    y = _mm256_fmadd_ps(_mm256_load_ps(m + 8 * v), _mm256_broadcast_ss(&x->s[c][b]), y);
                _mm256_store_ps(at, y);
            }
        }
}

// What the minimums or the zero take off a block's sum, for one column.
INLINE __m256i offset256(int sub, const uint8_t *pair, const int16_t *bs, int v) {
    __m256i sum = _mm256_setzero_si256();
    UNROLL for (int i = 0; i < 128 / sub; i++) {
        __m256i two = _mm256_load_si256((const void *)(pair + i * GROUP + 32 * v));
        sum = add_pairs(sum, two, _mm256_set1_epi32(word_at(bs + 2 * i)));
    }
    return sum;
}

INLINE void tile256(const struct shape256 s, const uint8_t *p, const struct columns *x, size_t blocks, sums sum) {
    const struct places256 place = places256(s);
    for (size_t b = 0; b < blocks; b++, p += place.size) {
        const float *d = (const float *)(const void *)(p + place.d), *m = (const float *)(const void *)(p + place.m);
        _Alignas(32) int32_t total[COLS][ROWS];
        block_sums256(s, p, x, b, total);
        UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++) {
            float *at = sum[b % 8][c] + 8 * v;
            const __m256 dx = _mm256_broadcast_ss(&x->d[c][b]);
            __m256i dot = _mm256_load_si256((const void *)(total[c] + 8 * v));
            __m256i offset = _mm256_setzero_si256();
            if (has_pairs(s))
                offset = offset256(s.sub, p + place.pair, x->bs[c] + (size_t)(256 / s.sub) * b, v);
            if (s.zero && !ZERO_FIRST)
                dot = _mm256_sub_epi32(dot, offset);
            __m256 scale = _mm256_mul_ps(_mm256_load_ps(d + 8 * v), dx);
            __m256 y = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(dot), _mm256_load_ps(at));
            if (s.min)
                y = _mm256_fnmadd_ps(_mm256_mul_ps(_mm256_load_ps(m + 8 * v), dx), _mm256_cvtepi32_ps(offset), y);
            _mm256_store_ps(at, y);
        }
    }
}

// The tree of quant_sum8 over the partial sums of column c of the tile, and out to column `col` of the job.
INLINE void finish(const struct dot_job *j, uint32_t first, sums sum, int c, uint32_t col) {
    float y[ROWS];
    for (int v = 0; v < VECTORS; v++) {
        __m256 a[8];
        UNROLL for (int i = 0; i < 8; i++) a[i] = _mm256_load_ps(sum[i][c] + 8 * v);
        __m256 even = _mm256_add_ps(_mm256_add_ps(a[0], a[4]), _mm256_add_ps(a[2], a[6]));
        __m256 odd = _mm256_add_ps(_mm256_add_ps(a[1], a[5]), _mm256_add_ps(a[3], a[7]));
        _mm256_storeu_ps(y + 8 * v, _mm256_add_ps(even, odd));
    }
    memcpy(j->y + col * j->y_stride + first, y, min_size(ROWS, j->rows - first) * sizeof *y);
}

// Points x at chunk `at` of the columns col, col + 1, ... of the job; the last one stands in for those behind it.
INLINE void load_columns(const struct dot_job *j, uint32_t col, size_t at, size_t block_len, struct columns *x) {
    for (uint32_t c = 0; c < COLS; c++) {
        struct quant_vec v = quant_act_vec(j->layout, j->x + min_size(col + c, j->cols - 1) * j->x_stride);
        x->q[c] = v.q + at;
        x->d[c] = v.d + at / block_len;
        x->s[c] = v.s + at / block_len;
        x->bs[c] = v.bs + at / 16;
    }
}

// -zero times the sums of the activations over each scale's elements, 32 or (each 2) 16, in `runs` runs of 32.
INLINE void offsets32(int each, int zero, struct columns *x, size_t runs) {
    const __m256i factor = _mm256_set1_epi16((short)-zero);
    for (int c = 0; c < COLS; c++) {
        size_t b = 0;
        if (each == 2) {
            for (; b < 2 * runs; b++)
                x->offset[c][b] = -zero * x->bs[c][b];
            continue;
        }
        for (; b + 8 <= runs; b += 8) {
            __m256i bs = _mm256_loadu_si256((const void *)(x->bs[c] + 2 * b));
            _mm256_store_si256((void *)(x->offset[c] + b), _mm256_madd_epi16(bs, factor));
        }
        for (; b < runs; b++)
            x->offset[c][b] = -zero * (x->bs[c][2 * b] + x->bs[c][2 * b + 1]);
    }
}

// Sums over 32 elements in place of sums over 16.
INLINE void sums_over32(struct columns *x, size_t blocks) {
    for (int c = 0; c < COLS; c++) {
        for (size_t b = 0; b < blocks; b++) {
            __m128i low = _mm_loadu_si128((const void *)(x->bs[c] + 16 * b));
            __m128i high = _mm_loadu_si128((const void *)(x->bs[c] + 16 * b + 8));
            _mm_store_si128((void *)(x->bs32[c] + 8 * b), _mm_hadd_epi16(low, high));
        }
        x->bs[c] = x->bs32[c];
    }
}

INLINE void finish_all(const struct dot_job *j, uint32_t first, sums sum, uint32_t col) {
    for (uint32_t c = 0; c < COLS && col + c < j->cols; c++)
        finish(j, first, sum, (int)c, col + c);
}

// The panel of the rows from `first` on times all columns.
INLINE void multiply32(const struct shape32 s, const struct dot_job *j, uint32_t first, int zero) {
    for (uint32_t col = 0; col < j->cols; col += COLS) {
        _Alignas(64) sums sum;
        struct columns x;
        memset(sum, 0, sizeof sum);
        for (size_t at = 0; at < j->n; at += CHUNK) {
            size_t runs = min_size(CHUNK, j->n - at) / 32;
            load_columns(j, col, at, 32, &x);
            if (s.zero)
                offsets32(s.each, zero, &x, runs);
            tile32(s, (const uint8_t *)j->panel + at / 32 * places32(s).size, &x, runs, sum);
        }
        finish_all(j, first, sum, col);
    }
}

INLINE void multiply256(const struct shape256 s, const struct dot_job *j, uint32_t first, int zero) {
    for (uint32_t col = 0; col < j->cols; col += COLS) {
        _Alignas(64) sums sum;
        struct columns x;
        memset(sum, 0, sizeof sum);
        for (size_t at = 0; at < j->n; at += CHUNK) {
            size_t blocks = min_size(CHUNK, j->n - at) / 256;
            load_columns(j, col, at, 256, &x);
            if (s.zero && ZERO_FIRST)
                offsets32(32 / s.sub, zero, &x, 8 * blocks);
            if (s.sub == 32 && has_pairs(s))
                sums_over32(&x, blocks);
            tile256(s, (const uint8_t *)j->panel + at / 256 * places256(s).size, &x, blocks, sum);
        }
        finish_all(j, first, sum, col);
    }
}

// Shapes, with a function each that the formats share.
#define FORMAT32(sym, shape, runs, zero, m)
#define FORMAT256(sym, shape, zero, mins, m)
#define SHAPE32(shape, each, fit, zero, min)                                                                           \
    static const struct shape32 shape32_##shape = {each, fit, fit ? 1 : PLANES, zero, min};                            \
    static void multiply32_##shape(const struct dot_job *j, uint32_t first, int z) {                                   \
        multiply32((struct shape32){each, fit, fit ? 1 : PLANES, zero, min}, j, first, z);                             \
    }
#define SHAPE256(shape, sub, fit, zero, min)                                                                           \
    static const struct shape256 shape256_##shape = {sub, fit, fit ? 1 : PLANES, zero, min};                           \
    static void multiply256_##shape(const struct dot_job *j, uint32_t first, int z) {                                  \
        multiply256((struct shape256){sub, fit, fit ? 1 : PLANES, zero, min}, j, first, z);                            \
    }
#include "backends/cpu/avx2_formats.h"

#define SHAPE32(shape, each, fit, zero, min)
#define SHAPE256(shape, sub, fit, zero, min)
#define FORMAT32(sym, shape, runs, zero, m)                                                                            \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        const struct source32 f = {codes_##sym, d_##sym, m, sizeof(struct block_##sym), runs};                         \
        for (uint32_t first = 0; first < j->rows; first += ROWS) {                                                     \
            unpack32(shape32_##shape, f, j, first);                                                                    \
            multiply32_##shape(j, first, zero);                                                                        \
        }                                                                                                              \
    }
#define FORMAT256(sym, shape, zero, mins, m)                                                                           \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        const struct source256 f = {codes_##sym, scales_##sym, mins, d_##sym, m, sizeof(struct block_##sym), zero};    \
        for (uint32_t first = 0; first < j->rows; first += ROWS) {                                                     \
            unpack256(shape256_##shape, f, j, first);                                                                  \
            multiply256_##shape(j, first, zero);                                                                       \
        }                                                                                                              \
    }
#include "backends/cpu/avx2_formats.h"

static void fill_gemm(struct kernels *k) {
#define SHAPE32(shape, each, fit, zero, min)
#define SHAPE256(shape, sub, fit, zero, min)
#define FORMAT32(sym, shape, runs, zero, m) k->gemm[QUANT_##sym] = gemm_##sym, k->gemm_cols[QUANT_##sym] = 0;
#define FORMAT256(sym, shape, zero, mins, m) k->gemm[QUANT_##sym] = gemm_##sym, k->gemm_cols[QUANT_##sym] = 0;
#include "backends/cpu/avx2_formats.h"
}
