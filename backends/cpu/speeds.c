// SPDX-License-Identifier: MIT
// The speeds of the matrix kernels, format by format, beside plain reads and the multipliers' peak, measured with the
// same threads in the same minute. Each figure is the fastest of the rounds that fit a tenth of a second.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/cpu/cpu.h"
#include "base/cpu.h"

#define WEIGHTS ((size_t)128 << 20) // bytes, so that caches do not help
#define ROW 2048                    // elements
#define COLS 256                    // of a panel
#define SECONDS 0.1
#define PEAK_ROUNDS 100000
#define READ_PIECE ((size_t)1 << 20)

struct speeds {
    struct kernels k;
    struct pool *pool;
    struct arena arena;
    char *weights, *x;  // x: records of COLS columns
    char **panel;       // [threads]
    float **y;          // [threads][COLS * PANEL_ROWS]
    struct dot_job job; // of the format at hand
    struct quant_layout layout;
    void (*product)(const struct dot_job *j);
    const struct kernel_peak *peak;
    bool ahead;           // how plain reads are done
    _Atomic uint64_t sum; // of them, so that they are really done
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// Seconds of the fastest round of n pieces.
static double fastest(struct speeds *s, size_t n, void (*piece)(void *user, size_t piece, unsigned thread)) {
    double begin = now(), best = 1e30, before = begin, after;
    do {
        pool_each(s->pool, n, piece, s);
        after = now();
        best = after - before < best ? after - before : best;
        before = after;
    } while (after - begin < SECONDS);
    return best;
}

static void read_piece(void *user, size_t piece, unsigned thread) {
    struct speeds *s = user;
    (void)thread;
    s->sum += cpu_sum_bytes(s->weights + piece * READ_PIECE, READ_PIECE, s->ahead);
}

// Seconds that plain reads of all weights take.
static double fastest_reads(struct speeds *s) {
    double seconds[2];
    for (int ahead = 0; ahead < 2; ahead++) {
        s->ahead = ahead;
        seconds[ahead] = fastest(s, WEIGHTS / READ_PIECE, read_piece);
    }
    return seconds[0] < seconds[1] ? seconds[0] : seconds[1];
}

static void peak_piece(void *user, size_t piece, unsigned thread) {
    const struct speeds *s = user;
    (void)piece, (void)thread;
    s->peak->run(PEAK_ROUNDS);
}

static double peak_gops(struct speeds *s, const struct kernel_peak *peak) {
    size_t pieces = (size_t)4 * pool_size(s->pool);
    s->peak = peak;
    return peak->run ? peak->ops * PEAK_ROUNDS * (double)pieces / fastest(s, pieces, peak_piece) * 1e-9 : 0;
}

static void product_piece(void *user, size_t piece, unsigned thread) {
    struct speeds *s = user;
    struct dot_job job = s->job;
    job.w += piece * PANEL_ROWS * job.row_size;
    job.panel = s->panel[thread];
    job.y = s->y[thread];
    s->product(&job);
}

// Weights of usual sizes: a block of the format, again and again, and columns for it.
static bool prepare(struct speeds *s, const struct quant_format *f) {
    float x[ROW];
    size_t bad, block = f->block_len > 1 ? f->block_size : 32 * f->block_size;
    for (size_t i = 0; i < ROW; i++)
        x[i] = (float)((int)(i * 2654435761u >> 8 & 0xffff) - 32768) * 0x1p-15f;
    if (!quant_encode(f, x, NULL, f->block_len > 1 ? f->block_len : 32, s->weights, &bad))
        return false;
    for (size_t have = block, n; have < WEIGHTS; have += n) {
        n = min_size(have, WEIGHTS - have);
        memcpy(s->weights + have, s->weights, n);
    }
    const enum quant_act act = kernels_act(&s->k, f);
    s->layout = quant_act_layout(act, ROW);
    for (size_t c = 0; c < COLS; c++)
        if (act == ACT_F32)
            memcpy(s->x + c * sizeof x, x, sizeof x);
        else
            s->k.encode[act](x, ROW, s->x + c * s->layout.size);
    s->job = (struct dot_job){.format = f,
                              .w = s->weights,
                              .row_size = ROW / f->block_len * f->block_size,
                              .rows = PANEL_ROWS,
                              .x = s->x,
                              .x_stride = act == ACT_F32 ? sizeof x : s->layout.size,
                              .layout = &s->layout,
                              .n = ROW,
                              .y_stride = PANEL_ROWS};
    return true;
}

static struct backend_cpu_speed measure(struct speeds *s, const struct quant_format *f) {
    double size = (double)s->job.row_size * PANEL_ROWS;
    size_t all = WEIGHTS / ((size_t)size), few = (size_t)4 * pool_size(s->pool);
    struct backend_cpu_speed speed = {.format = f};
    s->job.cols = 1;
    s->product = s->k.dot[f->index];
    speed.decode_gbps = size * (double)all / fastest(s, all, product_piece) * 1e-9;
    s->job.cols = COLS;
    if (s->k.gemm[f->index])
        s->product = s->k.gemm[f->index];
    speed.panel_gops = 2.0 * ROW * PANEL_ROWS * COLS * (double)few / fastest(s, few, product_piece) * 1e-9;
    return speed;
}

static bool measure_all(struct speeds *s, backend_cpu_speed_sink *sink, void *user, struct err *e) {
    size_t n;
    const struct quant_format *formats = quant_all(&n);
    memset(s->weights, 1, WEIGHTS); // memory that was never written is one page
    struct backend_cpu_limits l = {
        .level = s->k.level,
        .sequence_int = s->k.peak_int.sequence,
        .sequence_float = s->k.peak_float.sequence,
        .threads = pool_size(s->pool),
        .read_gbps = (double)WEIGHTS / fastest_reads(s) * 1e-9,
        .int_gops = peak_gops(s, &s->k.peak_int),
        .float_gops = peak_gops(s, &s->k.peak_float),
    };
    for (size_t i = 0; i < n; i++) {
        if (formats[i].act == ACT_NONE || !quant_can_encode(&formats[i]) || !prepare(s, &formats[i]))
            continue;
        struct backend_cpu_speed speed = measure(s, &formats[i]);
        ERR_FORWARD(sink(user, &l, &speed, e));
    }
    return true;
}

static bool take_memory(struct speeds *s, struct err *e) {
    unsigned threads = pool_size(s->pool);
    s->weights = arena_alloc(&s->arena, WEIGHTS, 1);
    s->x = arena_alloc(&s->arena, COLS * ROW, sizeof(float));
    s->panel = arena_alloc(&s->arena, threads, sizeof *s->panel);
    s->y = arena_alloc(&s->arena, threads, sizeof *s->y);
    bool ok = s->weights && s->x && s->panel && s->y;
    for (unsigned i = 0; ok && i < threads; i++) {
        s->panel[i] = arena_alloc(&s->arena, kernels_panel_size(ROW), 1);
        s->y[i] = arena_alloc(&s->arena, (size_t)COLS * PANEL_ROWS, sizeof(float));
        ok = s->panel[i] && s->y[i];
    }
    return ok || err_memory(e, WEIGHTS, "weights to measure with");
}

bool backend_cpu_speeds(const struct backend_params *p, backend_cpu_speed_sink *sink, void *user, struct err *e) {
    struct speeds s = {0};
    bool ok = kernels_init(&s.k, p->cpu_level, e) &&
              pool_open(&s.pool, p->n_threads ? p->n_threads : cpu_threads(), e) && take_memory(&s, e) &&
              measure_all(&s, sink, user, e);
    pool_close(s.pool);
    arena_free(&s.arena);
    return ok;
}
