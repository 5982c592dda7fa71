// SPDX-License-Identifier: MIT
// ARM: many columns. Strips of eight rows are unpacked into a panel whose vectors hold a few consecutive codes of each
// of VECTOR_ROWS rows, and multiplied in tiles of a strip times four columns; a vector of sums covers VECTOR_ROWS rows
// and 4 / VECTOR_ROWS columns. Written once: a level defines VECTOR_ROWS, its product and how codes and factors lie in
// its vectors (dotprod_gemm.c, i8mm.c), and includes this.
#pragma once

#include "backends/cpu/kernels.h"
#include "backends/cpu/neon_scales.h"

#define STRIP 8
#define STRIPS (PANEL_ROWS / STRIP)
#define COLS 4
#define DOWN (STRIP / VECTOR_ROWS) // vectors of a tile
#define ACROSS (COLS * VECTOR_ROWS / 4)
#define LANES (STRIP * 4 / VECTOR_ROWS) // of what belongs to a row, in all vectors of a column of vectors
#define CHUNK 1024                      // elements of the columns at a time: they stay in the first-level cache

typedef int32x4_t int_tile[DOWN][ACROSS];
typedef float32x4_t float_tile[DOWN][ACROSS];
typedef int8_t groups16[16 * STRIP]; // sixteen elements of a strip

// Runs of 16 or 32 elements of a strip; those of 16 end after the first codes.
struct panel_run {
    float d[LANES];
    groups16 q[2];
    float m[LANES];
};

#define RUN16_SIZE offsetof(struct panel_run, q[1])

// Blocks of 256 elements of a strip. Minimums lie as codes of sixteen elements do.
struct panel_block {
    float d[LANES], dmin[LANES];
    groups16 q[16], mins;
    int32_t scale[16][LANES];
};

static_assert(sizeof(struct panel_block) * STRIPS <= PANEL_BYTES_PER_256, "panel_block");
static_assert(sizeof(struct panel_run) * STRIPS * 8 <= PANEL_BYTES_PER_256, "panel_run of 32");
static_assert(RUN16_SIZE * STRIPS * 16 <= PANEL_BYTES_PER_256, "panel_run of 16");

// Four columns of activations, a chunk at a time.
struct columns {
    int8_t q[CHUNK / 16][4][16]; // sixteen elements of the four columns, as the level wants them
    float d[CHUNK / 32][COLS], s[CHUNK / 32][COLS];
    int8_t high[CHUNK / 256][4][16], low[CHUNK / 256][4][16]; // sums of x over sub-blocks: 64 high + low
};

// The level's own: sixteen codes of eight rows into a panel, the same for four columns, the products of eight or
// sixteen elements added to a tile, factors of rows or columns spread to the lanes of the tile's vectors.
INLINE void store_rows(const int8x16_t rows[STRIP], int8_t *q);
INLINE void store_columns(const int8x16_t cols[COLS], int8_t q[4][16]);
INLINE void multiply(const int8_t *w, const int8_t x[4][16], int elements, int_tile acc);
INLINE void spread_columns(const float *x, float32x4_t out[ACROSS]);
INLINE void store_tile(const float_tile sum, float out[COLS][STRIP]);

// Bytes from a run of a strip to the next.
INLINE size_t run_stride(int len) {
    return len == 16 ? RUN16_SIZE : sizeof(struct panel_run);
}

INLINE void clear(int_tile acc) {
    UNROLL for (int r = 0; r < DOWN; r++) UNROLL for (int c = 0; c < ACROSS; c++) acc[r][c] = vdupq_n_s32(0);
}

// sum + d * acc, and + m * s in formats with minimums.
INLINE void add_run(const struct panel_run *p, bool has_min, const float d[COLS], const float s[COLS],
                    const int_tile acc, float_tile sum) {
    float32x4_t dx[ACROSS], sx[ACROSS];
    spread_columns(d, dx);
    spread_columns(s, sx);
    UNROLL for (int r = 0; r < DOWN; r++) UNROLL for (int c = 0; c < ACROSS; c++) {
        float32x4_t scale = vmulq_f32(vld1q_f32(p->d + 4 * r), dx[c]);
        sum[r][c] = vfmaq_f32(sum[r][c], scale, vcvtq_f32_s32(acc[r][c]));
        if (has_min)
            sum[r][c] = vfmaq_f32(sum[r][c], vld1q_f32(p->m + 4 * r), sx[c]);
    }
}

// A chunk of a strip times four columns; runs lie `stride` bytes apart.
INLINE void run_tile(int len, bool has_min, const char *strip, size_t runs, const struct columns *x,
                     float_tile sum[8]) {
    const size_t stride = run_stride(len);
    for (size_t b = 0; b < runs; b++) {
        const struct panel_run *p = (const void *)(strip + b * stride);
        size_t of_x = b * (size_t)len / 32;
        int_tile acc;
        clear(acc);
        UNROLL for (int h = 0; h < len / 16; h++) multiply(p->q[h], x->q[b * (size_t)(len / 16) + (size_t)h], 16, acc);
        add_run(p, has_min, x->d[of_x], x->s[of_x], acc, sum[b % 8]);
    }
}

// total + scale * (codes * x), sub-block by sub-block.
INLINE void block_sums(int sub, const struct panel_block *p, const int8_t x[16][4][16], int_tile total) {
    for (int s = 0; s < 256 / sub; s++) {
        int_tile acc;
        clear(acc);
        UNROLL for (int h = 0; h < sub / 16; h++) multiply(p->q[s * (sub / 16) + h], x[s * (sub / 16) + h], 16, acc);
        UNROLL for (int r = 0; r < DOWN; r++) UNROLL for (int c = 0; c < ACROSS; c++) total[r][c] =
            vmlaq_s32(total[r][c], acc[r][c], vld1q_s32(p->scale[s] + 4 * r));
    }
}

// sum - dmin d * (minimums * sums of x)
INLINE void subtract_mins(int sub, const struct panel_block *p, const struct columns *x, size_t b, float_tile sum) {
    int_tile high, low;
    float32x4_t dx[ACROSS];
    clear(high);
    clear(low);
    multiply(p->mins, x->high[b], 256 / sub, high);
    multiply(p->mins, x->low[b], 256 / sub, low);
    spread_columns(x->d[b], dx);
    UNROLL for (int r = 0; r < DOWN; r++) UNROLL for (int c = 0; c < ACROSS; c++) {
        int32x4_t offset = vaddq_s32(vshlq_n_s32(high[r][c], 6), low[r][c]);
        float32x4_t dmin = vmulq_f32(vld1q_f32(p->dmin + 4 * r), dx[c]);
        sum[r][c] = vfmsq_f32(sum[r][c], dmin, vcvtq_f32_s32(offset));
    }
}

INLINE void block_tile(int sub, bool has_min, const struct panel_block *p, size_t first, size_t blocks,
                       const struct columns *x, float_tile sum[8]) {
    for (size_t b = 0; b < blocks; b++, p++) {
        int_tile total;
        float32x4_t dx[ACROSS];
        clear(total);
        block_sums(sub, p, x->q + 16 * b, total);
        spread_columns(x->d[b], dx);
        UNROLL for (int r = 0; r < DOWN; r++) UNROLL for (int c = 0; c < ACROSS; c++) {
            float32x4_t *at = &sum[(first + b) % 8][r][c], scale = vmulq_f32(vld1q_f32(p->d + 4 * r), dx[c]);
            *at = vfmaq_f32(*at, scale, vcvtq_f32_s32(total[r][c]));
        }
        if (has_min)
            subtract_mins(sub, p, x, b, sum[(first + b) % 8]);
    }
}

// Four columns of which the last may stand in for some that are not there.
INLINE void four_vectors(const struct dot_job *j, uint32_t first, struct quant_vec x[COLS]) {
    for (uint32_t c = 0; c < COLS; c++)
        x[c] = quant_act_vec(j->layout, j->x + (first + c < j->cols ? first + c : j->cols - 1) * j->x_stride);
}

// Elements at .. at + len - 1 of four columns, `block` of them to a scale.
static void load_columns(const struct quant_vec v[COLS], size_t at, size_t len, size_t block, struct columns *x) {
    for (size_t i = 0; i < len / 16; i++) {
        int8x16_t q[COLS];
        UNROLL for (int c = 0; c < COLS; c++) q[c] = vld1q_s8(v[c].q + at + 16 * i);
        store_columns(q, x->q[i]);
    }
    for (size_t b = 0; b < len / block; b++)
        for (int c = 0; c < COLS; c++) {
            x->d[b][c] = v[c].d[at / block + b];
            x->s[b][c] = block == 32 ? v[c].s[at / block + b] : 0;
        }
}

// Sums of x over sub-blocks, in two parts that are bytes: |sum| <= 32 * 127.
static void load_sums(const struct quant_vec v[COLS], size_t at, size_t len, int sub, struct columns *x) {
    for (size_t b = 0; b < len / 256; b++) {
        int8x16_t high[COLS], low[COLS];
        for (int c = 0; c < COLS; c++) {
            const int16_t *bs = v[c].bs + at / 16 + 16 * b;
            int16x8_t s = vld1q_s16(bs), t = vld1q_s16(bs + 8);
            s = sub == 32 ? vpaddq_s16(s, t) : s;
            high[c] = vcombine_s8(vmovn_s16(s >> 6), vmovn_s16(t >> 6));
            low[c] = vandq_s8(vcombine_s8(vmovn_s16(s), vmovn_s16(t)), vdupq_n_s8(63));
        }
        store_columns(high, x->high[b]);
        store_columns(low, x->low[b]);
    }
}

// The tree of quant_sum8 over the partial sums of a strip, and out.
static void finish(const struct dot_job *j, const float_tile sum[8], uint32_t row, uint32_t col) {
    float_tile y;
    float out[COLS][STRIP];
    UNROLL for (int r = 0; r < DOWN; r++) UNROLL for (int c = 0; c < ACROSS; c++) {
        float32x4_t even = vaddq_f32(vaddq_f32(sum[0][r][c], sum[4][r][c]), vaddq_f32(sum[2][r][c], sum[6][r][c]));
        float32x4_t odd = vaddq_f32(vaddq_f32(sum[1][r][c], sum[5][r][c]), vaddq_f32(sum[3][r][c], sum[7][r][c]));
        y[r][c] = vaddq_f32(even, odd);
    }
    store_tile(y, out);
    uint32_t rows = j->rows - row < STRIP ? j->rows - row : STRIP;
    for (uint32_t c = 0; c < COLS && col + c < j->cols; c++)
        memcpy(j->y + (col + c) * j->y_stride + row, out[c], rows * sizeof(float));
}

INLINE void gemm_runs(int len, bool has_min, const struct dot_job *j) {
    const uint32_t strips = (j->rows + STRIP - 1) / STRIP;
    const size_t strip_size = j->n / (size_t)len * run_stride(len);
    for (uint32_t col = 0; col < j->cols; col += COLS) {
        float_tile sum[STRIPS][8];
        struct quant_vec v[COLS];
        struct columns x;
        four_vectors(j, col, v);
        memset(sum, 0, sizeof sum);
        for (size_t at = 0; at < j->n; at += CHUNK) {
            size_t elements = min_size(j->n - at, CHUNK);
            load_columns(v, at, elements, 32, &x);
            for (uint32_t s = 0; s < strips; s++)
                run_tile(len, has_min, (const char *)j->panel + s * strip_size + at / (size_t)len * run_stride(len),
                         elements / (size_t)len, &x, sum[s]);
        }
        for (uint32_t s = 0; s < strips; s++)
            finish(j, sum[s], s * STRIP, col);
    }
}

INLINE void gemm_blocks(int sub, bool has_min, const struct dot_job *j) {
    const uint32_t strips = (j->rows + STRIP - 1) / STRIP;
    for (uint32_t col = 0; col < j->cols; col += COLS) {
        float_tile sum[STRIPS][8];
        struct quant_vec v[COLS];
        struct columns x;
        four_vectors(j, col, v);
        memset(sum, 0, sizeof sum);
        for (size_t at = 0; at < j->n; at += CHUNK) {
            size_t elements = min_size(j->n - at, CHUNK);
            load_columns(v, at, elements, 256, &x);
            if (has_min)
                load_sums(v, at, elements, sub, &x);
            for (uint32_t s = 0; s < strips; s++)
                block_tile(sub, has_min, (const struct panel_block *)j->panel + s * (j->n / 256) + at / 256, at / 256,
                           elements / 256, &x, sum[s]);
        }
        for (uint32_t s = 0; s < strips; s++)
            finish(j, sum[s], s * STRIP, col);
    }
}

// What follows the unpacking does not depend on the format: seven functions serve all.
static void gemm_runs32(const struct dot_job *j) {
    gemm_runs(32, false, j);
}

static void gemm_runs32_min(const struct dot_job *j) {
    gemm_runs(32, true, j);
}

static void gemm_runs16(const struct dot_job *j) {
    gemm_runs(16, false, j);
}

static void gemm_blocks32(const struct dot_job *j) {
    gemm_blocks(32, false, j);
}

static void gemm_blocks32_min(const struct dot_job *j) {
    gemm_blocks(32, true, j);
}

static void gemm_blocks16(const struct dot_job *j) {
    gemm_blocks(16, false, j);
}

static void gemm_blocks16_min(const struct dot_job *j) {
    gemm_blocks(16, true, j);
}

// Rows of a strip; the last row stands in for those that are not there.
INLINE void strip_rows(const struct dot_job *j, uint32_t strip, const char *row[STRIP]) {
    for (uint32_t r = 0; r < STRIP; r++)
        row[r] = j->w + min_size(strip * STRIP + r, j->rows - 1) * j->row_size;
}

// Sixteen codes, from element 16 i of a block on, of the rows of a strip.
INLINE void unpack_codes(codes_reader *codes, const char *const row[STRIP], int i, int8_t *q) {
    int8x16_t v[STRIP];
    UNROLL for (int r = 0; r < STRIP; r++) v[r] = codes(row[r], i);
    store_rows(v, q);
}

INLINE void set_lanes(float *lanes, int row, float v) {
    for (int i = 0; i < LANES / STRIP; i++)
        lanes[row * (LANES / STRIP) + i] = v;
}

INLINE char *unpack_run(const struct run_format f, const char *const row[STRIP], int run, char *out) {
    struct panel_run *p = (void *)out;
    for (int h = 0; h < f.len / 16; h++)
        unpack_codes(f.codes, row, run * (f.len / 16) + h, p->q[h]);
    for (int r = 0; r < STRIP; r++) {
        set_lanes(p->d, r, f.scale ? f.scale(row[r], run) : half_float(row[r]));
        if (f.has_min)
            set_lanes(p->m, r, half_float(row[r] + sizeof(uint16_t)));
    }
    return out + run_stride(f.len);
}

INLINE void unpack_runs(const struct run_format f, const struct dot_job *j) {
    char *out = j->panel;
    for (uint32_t s = 0; s * STRIP < j->rows; s++) {
        const char *row[STRIP];
        strip_rows(j, s, row);
        for (size_t b = 0; b < j->n / (size_t)(f.len * f.runs); b++) {
            for (int run = 0; run < f.runs; run++)
                out = unpack_run(f, row, run, out);
            for (int r = 0; r < STRIP; r++)
                row[r] += f.block_size;
        }
    }
}

// Sub-scales, d, minimums.
INLINE void unpack_heads(const struct block_format f, const char *const row[STRIP], struct panel_block *p) {
    int8x16_t mins[STRIP];
    for (int r = 0; r < STRIP; r++) {
        int8_t scale[16];
        vst1q_s8(scale, f.scales(row[r]));
        for (int s = 0; s < 256 / f.sub; s++)
            for (int i = 0; i < LANES / STRIP; i++)
                p->scale[s][r * (LANES / STRIP) + i] = scale[s];
        set_lanes(p->d, r, f.d ? f.d(row[r]) : half_float(row[r] + f.d_at) * f.factor);
        if (f.mins) {
            mins[r] = f.mins(row[r]);
            set_lanes(p->dmin, r, half_float(row[r] + f.dmin_at));
        }
    }
    if (f.mins)
        store_rows(mins, p->mins);
}

INLINE void unpack_blocks(const struct block_format f, const struct dot_job *j) {
    struct panel_block *p = j->panel;
    for (uint32_t s = 0; s * STRIP < j->rows; s++) {
        const char *row[STRIP];
        strip_rows(j, s, row);
        for (size_t b = 0; b < j->n / 256; b++, p++) {
            for (int i = 0; i < 16; i++)
                unpack_codes(f.codes, row, i, p->q[i]);
            unpack_heads(f, row, p);
            for (int r = 0; r < STRIP; r++)
                row[r] += f.block_size;
        }
    }
}

INLINE void run_gemm(const struct run_format f, const struct dot_job *j) {
    unpack_runs(f, j);
    if (f.len == 16)
        gemm_runs16(j);
    else if (f.has_min)
        gemm_runs32_min(j);
    else
        gemm_runs32(j);
}

INLINE void block_gemm(const struct block_format f, const struct dot_job *j) {
    unpack_blocks(f, j);
    if (f.sub == 32 && f.mins)
        gemm_blocks32_min(j);
    else if (f.sub == 32)
        gemm_blocks32(j);
    else if (f.mins)
        gemm_blocks16_min(j);
    else
        gemm_blocks16(j);
}

#define RUN_FORMAT(sym, len, runs, scale, has_min)                                                                     \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        run_gemm((struct run_format)RUN_INIT(sym, len, runs, scale, has_min), j);                                      \
    }
#define BLOCK_FORMAT(sym, sub, scales, mins, d, factor, d_at, dmin_at)                                                 \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        block_gemm((struct block_format)BLOCK_INIT(sym, sub, scales, mins, d, factor, d_at, dmin_at), j);              \
    }
#include "backends/cpu/neon_formats.h"

static void fill_gemm(struct kernels *k) {
#define RUN_FORMAT(sym, len, runs, scale, has_min) k->gemm[QUANT_##sym] = gemm_##sym;
#define BLOCK_FORMAT(sym, sub, scales, mins, d, factor, d_at, dmin_at) k->gemm[QUANT_##sym] = gemm_##sym;
#include "backends/cpu/neon_formats.h"
}
