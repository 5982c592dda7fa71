// SPDX-License-Identifier: MIT
// ARM: integer products of rows, straight from the file, with any number of columns; a row's codes are unpacked once
// for all of them. Runs of 16 or 32: the lanes of the sum are eight consecutive runs. Blocks of 256: one after the
// other. Written once: a level defines dot16 and includes this.
#pragma once

#include "backends/cpu/kernels.h"
#include "backends/cpu/neon_scales.h"

#define MAX_COLS TAPE_MAX_ROWS

// Rows are read this far behind the prefetch; they follow each other in the file, so the next row is asked for too.
#define AHEAD 2048

// acc + products of sixteen codes and sixteen activations, added up in any lanes.
INLINE int32x4_t dot16(int32x4_t acc, int8x16_t codes, int8x16_t x);

INLINE int8x16_t codes_of_x(const int8_t *q, size_t i) {
    return vld1q_s8(q + 16 * i);
}

INLINE void prefetch(const char *p, size_t size) {
    for (size_t i = 0; i < size; i += 64)
        __builtin_prefetch(p + AHEAD + i, 0, 2);
}

// Eight runs of a row, unpacked.
struct eight_runs {
    int8x16_t codes[16];
    float32x4_t d[2], m[2];
};

// Half-precision numbers of eight runs, `at` bytes into their blocks.
INLINE void halves8(const struct run_format f, const char *w, size_t at, float32x4_t out[2]) {
#define HALF(i) half_at(w + (i) / f.runs * (int)f.block_size + at)
    const uint16x8_t h = {HALF(0), HALF(1), HALF(2), HALF(3), HALF(4), HALF(5), HALF(6), HALF(7)};
#undef HALF
    out[0] = vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(h)));
    out[1] = vcvt_high_f32_f16(vreinterpretq_f16_u16(h));
}

INLINE void scales8(const struct run_format f, const char *w, float32x4_t out[2]) {
#define SCALE(i) f.scale(w + (i) / f.runs * (int)f.block_size, (i) % f.runs)
    out[0] = (float32x4_t){SCALE(0), SCALE(1), SCALE(2), SCALE(3)};
    out[1] = (float32x4_t){SCALE(4), SCALE(5), SCALE(6), SCALE(7)};
#undef SCALE
}

// The eight runs from a block's beginning on.
INLINE void unpack_runs(const struct run_format f, const char *w, struct eight_runs *k) {
    const int per_run = f.len / 16;
    UNROLL for (int i = 0; i < 8 * per_run; i++) k->codes[i] =
        f.codes(w + i / (f.runs * per_run) * (int)f.block_size, i % (f.runs * per_run));
    if (f.scale)
        scales8(f, w, k->d);
    else
        halves8(f, w, 0, k->d);
    if (f.has_min)
        halves8(f, w, sizeof(uint16_t), k->m);
}

INLINE int32x4_t sums_of_four(const int32x4_t z[4]) {
    return vpaddq_s32(vpaddq_s32(z[0], z[1]), vpaddq_s32(z[2], z[3]));
}

// The scales of the activations of runs b .. b + 7.
INLINE void scales_of_x(const struct run_format f, const float *d, size_t b, float32x4_t out[2]) {
    if (f.len == 32) {
        out[0] = vld1q_f32(d + b);
        out[1] = vld1q_f32(d + b + 4);
    } else {
        float32x4_t v = vld1q_f32(d + b / 2);
        out[0] = vzip1q_f32(v, v);
        out[1] = vzip2q_f32(v, v);
    }
}

// Adds the runs b .. b + 7 to one column's partial sums.
INLINE void add_runs(const struct run_format f, const struct eight_runs *k, const struct quant_vec *x, size_t b,
                     float acc[8]) {
    const int per_run = f.len / 16;
    int32x4_t z[8];
    float32x4_t d[2];
    UNROLL for (int i = 0; i < 8; i++) {
        z[i] = vdupq_n_s32(0);
        UNROLL for (int h = 0; h < per_run; h++) z[i] =
            dot16(z[i], k->codes[i * per_run + h], codes_of_x(x->q, b * (size_t)per_run + (size_t)(i * per_run + h)));
    }
    scales_of_x(f, x->d, b, d);
    UNROLL for (int i = 0; i < 2; i++) {
        float32x4_t sum = vld1q_f32(acc + 4 * i), scale = vmulq_f32(k->d[i], d[i]);
        sum = vfmaq_f32(sum, scale, vcvtq_f32_s32(sums_of_four(z + 4 * i)));
        if (f.has_min)
            sum = vfmaq_f32(sum, k->m[i], vld1q_f32(x->s + b + 4 * (size_t)i));
        vst1q_f32(acc + 4 * i, sum);
    }
}

// Run b of a row, which is run `run` of its block.
INLINE void add_run(const struct run_format f, const char *block, int run, const struct quant_vec *x, size_t b,
                    float *acc) {
    const int per_run = f.len / 16;
    int32x4_t z = vdupq_n_s32(0);
    for (int h = 0; h < per_run; h++)
        z = dot16(z, f.codes(block, run * per_run + h), codes_of_x(x->q, b * (size_t)per_run + (size_t)h));
    float d = f.scale ? f.scale(block, run) : half_float(block);
    *acc = num_fma(d * x->d[b * (size_t)f.len / 32], (float)vaddvq_s32(z), *acc);
    if (f.has_min)
        *acc = num_fma(half_float(block + sizeof(uint16_t)), x->s[b], *acc);
}

INLINE float tree(const float *acc) {
    float32x4_t b = vaddq_f32(vld1q_f32(acc), vld1q_f32(acc + 4));
    return vpadds_f32(vadd_f32(vget_low_f32(b), vget_high_f32(b)));
}

INLINE void row_of_runs(const struct run_format f, const char *w, const struct quant_vec *x, uint32_t cols, size_t n,
                        float *y, size_t y_stride) {
    float acc[MAX_COLS][8];
    size_t runs = n / (size_t)f.len, b = 0, eight = (size_t)(8 / f.runs) * f.block_size;
    memset(acc, 0, cols * sizeof *acc);
    for (; b + 8 <= runs; b += 8, w += eight) {
        struct eight_runs k;
        prefetch(w, eight);
        unpack_runs(f, w, &k);
        for (uint32_t c = 0; c < cols; c++)
            add_runs(f, &k, &x[c], b, acc[c]);
    }
    for (int i = 0; b < runs; b++, i++)
        for (uint32_t c = 0; c < cols; c++)
            add_run(f, w + (size_t)(i / f.runs) * f.block_size, i % f.runs, &x[c], b, &acc[c][i]);
    for (uint32_t c = 0; c < cols; c++)
        y[c * y_stride] = tree(acc[c]);
}

// A block of 256 of a row, unpacked.
struct block256 {
    int8x16_t codes[16];
    int32x4_t scale[4];
    int16x8_t mins[2];
    float d, dmin;
};

INLINE void unpack_block(const struct block_format f, const char *w, struct block256 *k) {
    int8x16_t scales = f.scales(w);
    const int16x8_t wide[2] = {vmovl_s8(vget_low_s8(scales)), vmovl_high_s8(scales)};
    UNROLL for (int i = 0; i < 16; i++) k->codes[i] = f.codes(w, i);
    UNROLL for (int i = 0; i < 64 / f.sub; i++) k->scale[i] =
        i % 2 ? vmovl_high_s16(wide[i / 2]) : vmovl_s16(vget_low_s16(wide[i / 2]));
    k->d = f.d ? f.d(w) : half_float(w + f.d_at) * f.factor;
    if (f.mins) {
        int8x16_t mins = f.mins(w);
        k->mins[0] = vmovl_s8(vget_low_s8(mins));
        k->mins[1] = vmovl_high_s8(mins);
        k->dmin = half_float(w + f.dmin_at);
    }
}

// Sum over the sub-blocks of scale * (codes * x).
INLINE int32_t scaled_sum(const struct block_format f, const struct block256 *k, const int8_t *q) {
    const int per_sub = f.sub / 16;
    int32x4_t total = vdupq_n_s32(0);
    UNROLL for (int v = 0; v < 16 / per_sub / 4; v++) {
        int32x4_t z[4];
        UNROLL for (int s = 0; s < 4; s++) {
            z[s] = vdupq_n_s32(0);
            UNROLL for (int h = 0; h < per_sub; h++) {
                int i = (4 * v + s) * per_sub + h;
                z[s] = dot16(z[s], k->codes[i], codes_of_x(q, (size_t)i));
            }
        }
        total = vmlaq_s32(total, sums_of_four(z), k->scale[v]);
    }
    return vaddvq_s32(total);
}

// Sum over the sub-blocks of minimum * sum of x.
INLINE int32_t offset_sum(const struct block_format f, const struct block256 *k, const int16_t *bs) {
    int16x8_t low = vld1q_s16(bs), high = vld1q_s16(bs + 8), first = f.sub == 32 ? vpaddq_s16(low, high) : low;
    int32x4_t sum = vmull_s16(vget_low_s16(first), vget_low_s16(k->mins[0]));
    sum = vmlal_high_s16(sum, first, k->mins[0]);
    if (f.sub == 16) {
        sum = vmlal_s16(sum, vget_low_s16(high), vget_low_s16(k->mins[1]));
        sum = vmlal_high_s16(sum, high, k->mins[1]);
    }
    return vaddvq_s32(sum);
}

INLINE void add_block(const struct block_format f, const struct block256 *k, const struct quant_vec *x, size_t b,
                      float *acc) {
    *acc = num_fma(k->d * x->d[b], (float)scaled_sum(f, k, x->q + 256 * b), *acc);
    if (f.mins)
        *acc = num_fma(-(k->dmin * x->d[b]), (float)offset_sum(f, k, x->bs + 16 * b), *acc);
}

INLINE void row_of_blocks(const struct block_format f, const char *w, const struct quant_vec *x, uint32_t cols,
                          size_t n, float *y, size_t y_stride) {
    float acc[MAX_COLS][8];
    memset(acc, 0, cols * sizeof *acc);
    for (size_t b = 0; b < n / 256; b++, w += f.block_size) {
        struct block256 k;
        prefetch(w, f.block_size);
        unpack_block(f, w, &k);
        for (uint32_t c = 0; c < cols; c++)
            add_block(f, &k, &x[c], b, &acc[c][b % 8]);
    }
    for (uint32_t c = 0; c < cols; c++)
        y[c * y_stride] = tree(acc[c]);
}

static void columns(const struct dot_job *j, struct quant_vec x[MAX_COLS]) {
    for (uint32_t c = 0; c < j->cols; c++)
        x[c] = quant_act_vec(j->layout, j->x + c * j->x_stride);
}

// One column is the common case: its codes stay in registers.
#define DOT(row_function, format)                                                                                      \
    struct quant_vec x[MAX_COLS];                                                                                      \
    columns(j, x);                                                                                                     \
    for (uint32_t r = 0; r < j->rows; r++) {                                                                           \
        const char *w = j->w + r * j->row_size;                                                                        \
        if (j->cols == 1)                                                                                              \
            row_function(format, w, x, 1, j->n, j->y + r, j->y_stride);                                                \
        else                                                                                                           \
            row_function(format, w, x, j->cols, j->n, j->y + r, j->y_stride);                                          \
    }

#define RUN_FORMAT(sym, len, runs, scale, has_min)                                                                     \
    static void dot_##sym(const struct dot_job *j) {                                                                   \
        const struct run_format f = RUN_INIT(sym, len, runs, scale, has_min);                                          \
        DOT(row_of_runs, f)                                                                                            \
    }
#define BLOCK_FORMAT(sym, sub, scales, mins, d, factor, d_at, dmin_at)                                                 \
    static void dot_##sym(const struct dot_job *j) {                                                                   \
        const struct block_format f = BLOCK_INIT(sym, sub, scales, mins, d, factor, d_at, dmin_at);                    \
        DOT(row_of_blocks, f)                                                                                          \
    }
#include "backends/cpu/neon_formats.h"

static void fill_dot(struct kernels *k) {
#define RUN_FORMAT(sym, len, runs, scale, has_min) k->dot[QUANT_##sym] = dot_##sym;
#define BLOCK_FORMAT(sym, sub, scales, mins, d, factor, d_at, dmin_at) k->dot[QUANT_##sym] = dot_##sym;
#include "backends/cpu/neon_formats.h"
}
