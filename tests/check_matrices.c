// SPDX-License-Identifier: MIT
// Kernel checks of the matrix slots: quantizing activations, direct products, panels.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tests/check.h"

// What the inputs are filled with: noise, and what makes sums saturate or scales vanish.
enum fill { FILL_RANDOM, FILL_LARGEST, FILL_SMALLEST, FILL_ZERO, FILL_TINY, FILL_HUGE, N_FILLS };

static void fill_x(struct check_rng *r, enum fill fill, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float v = check_float(r);
        const float values[N_FILLS] = {v, 1.0f, -1.0f, 0.0f, v * 0x1p-120f, v * 0x1p120f};
        x[i] = values[fill];
    }
}

// True when a block's scales are ordinary numbers, so that sums of the largest codes stay finite.
static bool plain_block(const struct quant_format *f, const char *block) {
    float v[QUANT_MAX_BLOCK];
    quant_decode(f, block, v, f->block_len);
    for (size_t i = 0; i < f->block_len; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

static void fill_w(struct check_rng *r, enum fill fill, const struct quant_format *f, char *w, size_t size) {
    for (size_t at = 0; at < size; at += f->block_size) {
        do {
            for (size_t i = 0; i < f->block_size; i++)
                w[at + i] = fill == FILL_LARGEST    ? (char)(check_u32(r) % 4 ? 0x7f : 0xff)
                            : fill == FILL_SMALLEST ? (char)(check_u32(r) % 4 ? 0x80 : 0x00)
                                                    : (char)check_u32(r);
            // Codes at their extremes, scales still free: the first and last four bytes hold them in every format.
            for (size_t i = 0; i < f->block_size && i < 4; i++)
                w[at + i] = (char)check_u32(r), w[at + f->block_size - 1 - i] = (char)check_u32(r);
        } while (!plain_block(f, w + at));
    }
}

// A product of the given size: the job for one table, results to y.
struct product {
    struct dot_job job;
    void (*call)(const struct dot_job *j);
};

static void run_product(void *user) {
    const struct product *p = user;
    p->call(&p->job);
}

static struct dot_job make_job(struct check_level *l, const struct kernels *k, const struct quant_format *f,
                               enum fill fill, size_t n, uint32_t rows, uint32_t cols, struct quant_layout *layout) {
    const enum quant_act act = kernels_act(k, f);
    uint64_t row_size = 0;
    quant_row_size(f, n, &row_size);
    *layout = quant_act_layout(act, n);
    char *w = check_alloc(&l->memory, row_size * rows);
    char *x = check_alloc(&l->memory, layout->size * cols);
    float *row = check_alloc(&l->memory, n * sizeof *row);
    fill_w(&l->rng, fill, f, w, row_size * rows);
    for (uint32_t c = 0; c < cols; c++) {
        fill_x(&l->rng, fill, row, n);
        quant_act_encode(act, row, n, x + c * layout->size);
    }
    return (struct dot_job){.format = f,
                            .w = w,
                            .row_size = row_size,
                            .rows = rows,
                            .x = x,
                            .x_stride = layout->size,
                            .layout = layout,
                            .cols = cols,
                            .n = n,
                            .y_stride = rows + 3,
                            .panel = check_alloc(&l->memory, kernels_panel_size(n) / 64 * 64),
                            .next = w,
                            .next_size = row_size * rows};
}

#define POISON 12345.0f

// Results of a slot that takes activations in BF16 are near those of double precision, where products do not overflow.
// Numbers below 2^-126 may count as 0.
static void check_near(struct check_level *l, const struct dot_job *j) {
    float *w = check_alloc(&l->memory, j->n * sizeof *w);
    for (uint32_t r = 0; r < j->rows; r++) {
        quant_decode(j->format, j->w + r * j->row_size, w, j->n);
        for (uint32_t c = 0; c < j->cols; c++) {
            const uint16_t *x = (const uint16_t *)(const void *)(j->x + c * j->x_stride);
            double sum = 0, size = 0, tiny = 0, y = (double)j->y[c * j->y_stride + r];
            for (size_t i = 0; i < j->n; i++) {
                double v = (double)num_float((uint32_t)x[i] << 16), product = (double)w[i] * v;
                sum += product;
                size += fabs(product);
                tiny += 0x1p-126 * (1 + fabs((double)w[i]) + fabs(v));
            }
            if (size < 0x1p120)
                CHECK_MSG(fabs(y - sum) <= size * 0x1p-20 + tiny, "n %zu row %u column %u: %g for %g", j->n, r, c, y,
                          sum);
        }
    }
}

static void compare_results(const struct dot_job *j, const struct dot_job *k, size_t results, enum fill fill) {
    size_t at;
    if (!check_same(j->y, k->y, results, &at))
        CHECK_MSG(false, "n %zu rows %u cols %u fill %d%s: result %zu is %a, scalar %a", j->n, j->rows, j->cols,
                  (int)fill, j->again ? ", again" : "", at, (double)j->y[at], (double)k->y[at]);
}

static void compare(struct check_level *l, const struct quant_format *f, void (*fast)(const struct dot_job *j),
                    enum fill fill, size_t n, uint32_t rows, uint32_t cols) {
    struct quant_layout layout;
    struct dot_job j = make_job(l, l->fast, f, fill, n, rows, cols, &layout), k = j;
    size_t results = j.y_stride * (cols - 1) + rows;
    j.y = check_alloc(&l->memory, results * sizeof(float));
    k.y = check_alloc(&l->memory, results * sizeof(float));
    for (size_t i = 0; i < results; i++)
        j.y[i] = k.y[i] = POISON;
    fast(&j);
    bool rounds = l->fast->rounds[f->index];
    (rounds ? l->fast : l->slow)->dot[f->index](&k);
    if (rounds)
        check_near(l, &k);
    compare_results(&j, &k, results, fill);
    if (cols == 1) {
        j.again = true;
        for (size_t i = 0; i < results; i++)
            j.y[i] = POISON;
        fast(&j);
        compare_results(&j, &k, results, fill);
    }
    check_free_all(&l->memory);
}

static void compare_all(struct check_level *l, const struct quant_format *f, void (*fast)(const struct dot_job *j)) {
    static const uint32_t rows[] = {1, 2, 3, 4, 5, 15, 16, 17, 31, 32}, cols[] = {1, 2, 3, 4, 5, 6, 7, 11, 12, 13};
    static const size_t blocks[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 18, 33};
    size_t unit = f->block_len == 1 ? 13 : f->block_len;
    for (size_t b = 0; b < ARRAY_LEN(blocks); b++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
            compare(l, f, fast, (enum fill)((b + i) % N_FILLS), blocks[b] * unit, rows[i],
                    cols[(b * 3 + i) % ARRAY_LEN(cols)]);
    for (int fill = 0; fill < N_FILLS; fill++)
        compare(l, f, fast, (enum fill)fill, 16 * unit, 32, 13);
    // One column has kernels of its own, which end rows in many ways.
    for (size_t n = 1; n <= 24; n++)
        compare(l, f, fast, (enum fill)(n % N_FILLS), n * unit, 1 + (uint32_t)(n * 5 % 9), 1);
    // Rows and columns that kernels take in several rounds, with a rest.
    const size_t length = f->block_len == 256 ? 3328 : 3328 - 3 * unit;
    compare(l, f, fast, FILL_RANDOM, length, 7, 61);
    compare(l, f, fast, FILL_RANDOM, length, 18, 15);
}

// Weights of usual sizes, for timing: random bits of float formats hold numbers that processors take a detour for.
static void fill_usual(struct check_level *l, const struct dot_job *j, char *w) {
    float *x = check_alloc(&l->memory, j->n * sizeof *x);
    size_t bad;
    fill_x(&l->rng, FILL_RANDOM, x, j->n);
    if (!quant_can_encode(j->format) || !quant_encode(j->format, x, NULL, j->n, w, &bad))
        return;
    for (uint32_t r = 1; r < j->rows; r++)
        memcpy(w + r * j->row_size, w, j->row_size);
}

static void bench_product(struct check_level *l, const struct quant_format *f, void (*fast)(const struct dot_job *j),
                          const char *slot, uint32_t cols) {
    struct quant_layout layout, slow_layout;
    char name[64];
    struct product p = {make_job(l, l->fast, f, FILL_RANDOM, 1536, 32, cols, &layout), fast};
    struct product slow = {make_job(l, l->slow, f, FILL_RANDOM, 1536, 32, cols, &slow_layout), l->slow->dot[f->index]};
    char *w = check_alloc(&l->memory, 32 * p.job.row_size);
    fill_usual(l, &p.job, w);
    slow.job.w = p.job.w = w;
    slow.job.y = p.job.y = check_alloc(&l->memory, p.job.y_stride * cols * sizeof(float));
    double fast_ns = check_time(run_product, &p);
    double slow_ns = check_time(run_product, &slow);
    snprintf(name, sizeof name, "%s.%s", slot, f->name);
    check_report(l, name, fast_ns, slow_ns, 32.0 * (double)p.job.row_size, 2.0 * 32 * 1536 * cols);
    check_free_all(&l->memory);
}

static void check_products(struct check_level *l, const struct quant_format *f) {
    void (*dot)(const struct dot_job *) = l->fast->dot[f->index],
                                     (*gemm)(const struct dot_job *) = l->fast->gemm[f->index];
    if (check_begin(l, dot != l->below->dot[f->index], "dot.%s", f->name)) {
        if (l->bench)
            bench_product(l, f, dot, "dot", 1);
        else
            compare_all(l, f, dot);
    }
    if (check_begin(l, gemm != l->below->gemm[f->index], "gemm.%s", f->name)) {
        if (l->bench)
            bench_product(l, f, gemm, "gemm", 96);
        else
            compare_all(l, f, gemm);
    }
}

static void check_encode(struct check_level *l, enum quant_act act, const char *name, size_t unit) {
    if (l->bench || !check_begin(l, l->fast->encode[act] != l->below->encode[act], "encode.%s", name))
        return;
    for (size_t blocks = 1; blocks < 20; blocks++)
        for (int fill = 0; fill < N_FILLS; fill++) {
            size_t n = blocks * unit, size = quant_act_layout(act, n).size;
            float *x = check_alloc(&l->memory, n * sizeof *x);
            char *a = check_alloc(&l->memory, size), *b = check_alloc(&l->memory, size);
            fill_x(&l->rng, (enum fill)fill, x, n);
            if (blocks == 3)
                x[5] = NAN, x[6] = INFINITY;
            l->fast->encode[act](x, n, a);
            l->slow->encode[act](x, n, b);
            if (blocks != 3)
                CHECK_MSG(memcmp(a, b, size) == 0, "n %zu fill %d", n, fill);
            check_free_all(&l->memory);
        }
}

void check_matrices(struct check_level *l) {
    size_t n;
    const struct quant_format *formats = quant_all(&n);
    check_encode(l, ACT_Q8, "q8", 32);
    check_encode(l, ACT_Q8K, "q8k", 256);
    check_encode(l, ACT_BF16, "bf16", 13);
    for (size_t i = 0; i < n; i++)
        if (formats[i].act != ACT_NONE)
            check_products(l, &formats[i]);
}
