// SPDX-License-Identifier: MIT
// Many columns, for the 256-bit levels: tiles of sixteen rows times COLS columns in the order of the contract. A level
// defines COLS and PLANES, includes avx2_panel.h, says how a block's integer sums are made (block_sums32,
// block_sums256), then includes this, which makes gemm_SYMBOL of every format of the list and fill_gemm.
#pragma once

typedef float sums[8][COLS][ROWS]; // partial sums by block mod 8

INLINE void tile32(const struct panel_format32 f, const uint8_t *p, const struct columns *x, size_t blocks, sums sum) {
    for (size_t b = 0; b < blocks; b++, p += panel32_size(f)) {
        const float *d = (const float *)(const void *)(p + f.planes * 8 * GROUP);
        __m256i dot[COLS][VECTORS];
        block_sums32(f, p, x, b, dot);
        UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++) {
            float *at = sum[b % 8][c] + 8 * v;
            __m256 scale = _mm256_mul_ps(_mm256_load_ps(d + 8 * v), _mm256_broadcast_ss(&x->d[c][b]));
            __m256 s = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(dot[c][v]), _mm256_load_ps(at));
            if (f.m)
                s = _mm256_fmadd_ps(_mm256_load_ps(d + ROWS + 8 * v), _mm256_broadcast_ss(&x->s[c][b]), s);
            _mm256_store_ps(at, s);
        }
    }
}

// What the minimums or the zero take off a block's sum, for one column.
INLINE __m256i offset256(const struct panel_format256 f, const uint8_t *pair, const int16_t *bs, int v) {
    __m256i sum = _mm256_setzero_si256();
    UNROLL for (int i = 0; i < 128 / f.sub; i++) {
        __m256i two = _mm256_load_si256((const void *)(pair + i * GROUP + 32 * v));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(two, _mm256_set1_epi32(word_at(bs + 2 * i))));
    }
    return sum;
}

INLINE void tile256(const struct panel_format256 f, const uint8_t *p, const struct columns *x, size_t blocks,
                    sums sum) {
    const struct places256 place = places256(f);
    for (size_t b = 0; b < blocks; b++, p += place.size) {
        const float *d = (const float *)(const void *)(p + place.d);
        _Alignas(32) int32_t total[COLS][ROWS];
        block_sums256(f, p, x, b, total);
        UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++) {
            float *at = sum[b % 8][c] + 8 * v;
            const __m256 dx = _mm256_broadcast_ss(&x->d[c][b]);
            __m256i dot = _mm256_load_si256((const void *)(total[c] + 8 * v)), offset = _mm256_setzero_si256();
            if (f.mins || f.zero)
                offset = offset256(f, p + place.pair, x->bs[c] + (size_t)(256 / f.sub) * b, v);
            if (f.zero)
                dot = _mm256_sub_epi32(dot, offset);
            __m256 s = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_load_ps(d + 8 * v), dx), _mm256_cvtepi32_ps(dot),
                                       _mm256_load_ps(at));
            if (f.mins)
                s = _mm256_fnmadd_ps(_mm256_mul_ps(_mm256_load_ps(d + ROWS + 8 * v), dx), _mm256_cvtepi32_ps(offset),
                                     s);
            _mm256_store_ps(at, s);
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

// -zero times the sums of the activations of `blocks` blocks of 32.
INLINE void offsets32(int zero, struct columns *x, size_t blocks) {
    const __m256i factor = _mm256_set1_epi16((short)-zero);
    for (int c = 0; c < COLS; c++) {
        size_t b = 0;
        for (; b + 8 <= blocks; b += 8) {
            __m256i bs = _mm256_loadu_si256((const void *)(x->bs[c] + 2 * b));
            _mm256_store_si256((void *)(x->offset[c] + b), _mm256_madd_epi16(bs, factor));
        }
        for (; b < blocks; b++)
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

INLINE void gemm32_columns(const struct panel_format32 f, const struct dot_job *j, uint32_t first, uint32_t col) {
    _Alignas(64) sums sum;
    struct columns x;
    memset(sum, 0, sizeof sum);
    for (size_t at = 0; at < j->n; at += CHUNK) {
        size_t blocks = min_size(CHUNK, j->n - at) / 32;
        load_columns(j, col, at, 32, &x);
        if (f.zero)
            offsets32(f.zero, &x, blocks);
        tile32(f, (const uint8_t *)j->panel + at / 32 * panel32_size(f), &x, blocks, sum);
    }
    for (uint32_t c = 0; c < COLS && col + c < j->cols; c++)
        finish(j, first, sum, (int)c, col + c);
}

INLINE void gemm256_columns(const struct panel_format256 f, const struct dot_job *j, uint32_t first, uint32_t col) {
    _Alignas(64) sums sum;
    struct columns x;
    memset(sum, 0, sizeof sum);
    for (size_t at = 0; at < j->n; at += CHUNK) {
        size_t blocks = min_size(CHUNK, j->n - at) / 256;
        load_columns(j, col, at, 256, &x);
        if (f.sub == 32)
            sums_over32(&x, blocks);
        tile256(f, (const uint8_t *)j->panel + at / 256 * places256(f).size, &x, blocks, sum);
    }
    for (uint32_t c = 0; c < COLS && col + c < j->cols; c++)
        finish(j, first, sum, (int)c, col + c);
}

INLINE void gemm32(const struct panel_format32 f, const struct dot_job *j) {
    for (uint32_t first = 0; first < j->rows; first += ROWS) {
        unpack32(f, j, first);
        for (uint32_t col = 0; col < j->cols; col += COLS)
            gemm32_columns(f, j, first, col);
    }
}

INLINE void gemm256(const struct panel_format256 f, const struct dot_job *j) {
    for (uint32_t first = 0; first < j->rows; first += ROWS) {
        unpack256(f, j, first);
        for (uint32_t col = 0; col < j->cols; col += COLS)
            gemm256_columns(f, j, first, col);
    }
}

#define FORMAT32(sym, runs, zero, fit, min)                                                                            \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        gemm32((struct panel_format32){codes_##sym, d_##sym, min, sizeof(struct block_##sym), runs, zero, fit,         \
                                       fit ? 1 : PLANES},                                                              \
               j);                                                                                                     \
    }
#define FORMAT256(sym, sub, zero, fit, mins, dmin)                                                                     \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        gemm256((struct panel_format256){codes_##sym, scales_##sym, mins, d_##sym, dmin, sizeof(struct block_##sym),   \
                                         sub, zero, fit, fit ? 1 : PLANES},                                            \
                j);                                                                                                    \
    }
#include "backends/cpu/avx2_formats.h"

static void fill_gemm(struct kernels *k) {
#define FORMAT32(sym, runs, zero, fit, min) k->gemm[QUANT_##sym] = gemm_##sym;
#define FORMAT256(sym, sub, zero, fit, mins, dmin) k->gemm[QUANT_##sym] = gemm_##sym;
#include "backends/cpu/avx2_formats.h"
}
