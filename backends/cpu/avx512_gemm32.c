// SPDX-License-Identifier: MIT
// AVX-512, many columns, formats with a float scale per run of 32 or 16 elements. The runs of a panel lie in the order
// of their partial sums, 0, 8, 16, ..., 1, 9, ...: a tile keeps one partial sum of each result in registers.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_gemm.h"
#include "backends/cpu/avx512_turned32.h"

// A run of a panel: run_len / 4 groups of codes, then these.
struct run_scales {
    float d[PANEL_ROWS], m[PANEL_ROWS];
};

#define SLICE_RUNS 24 // whose codes and scales, 31 KB, the first-level cache holds

INLINE size_t run_size(int run_len) {
    return (size_t)run_len * PANEL_ROWS + sizeof(struct run_scales);
}

static_assert(16 * (16 * PANEL_ROWS + sizeof(struct run_scales)) + GROUP_BYTES_PER_256 <= PANEL_BYTES_PER_256, "16");

// The place of a run of `runs` in the panel.
INLINE size_t place_of(size_t run, size_t runs) {
    size_t whole = runs / 8, longer = runs % 8, part = run % 8;
    return part * whole + (part < longer ? part : longer) + run / 8;
}

// Unpacks eight runs of 32 rows, `stride` bytes apart, to the places of the runs; what is at `ask` is asked for
// meanwhile.
typedef void runs_reader(const char *w, size_t stride, const char *const ask[PANEL_ROWS], char *const to[8]);

INLINE void unpack_scales(const struct format32 f, const char *w, size_t stride, char *const to[8], int v) {
    __m256 d[16], m[16];
    __m512 turned[8];
    UNROLL for (size_t r = 0; r < 16; r++) f.scales(w + r * stride, &d[r], &m[r]);
    turn_eight(d, turned);
    UNROLL for (int i = 0; i < 8; i++)
        _mm512_store_ps(((struct run_scales *)(void *)(to[i] + f.run_len * PANEL_ROWS))->d + 16 * v, turned[i]);
    if (!f.has_min)
        return;
    turn_eight(m, turned);
    UNROLL for (int i = 0; i < 8; i++)
        _mm512_store_ps(((struct run_scales *)(void *)(to[i] + f.run_len * PANEL_ROWS))->m + 16 * v, turned[i]);
}

// Eight runs of the rows 16 v .. 16 v + 15.
INLINE void unpack_codes(const struct format32 f, turned_reader *turned, const char *w, size_t stride,
                         const char *const ask[16], char *const to[8], int v) {
    const size_t groups = (size_t)f.run_len / 4;
    for (size_t i = 0; i < groups; i++) {
        __m512i q[8];
        for (size_t r = 16 / groups * i; r < 16 / groups * (i + 1); r++)
            prefetch_lines(ask[r], f.bytes8);
        turned(w, stride, i, q);
        UNROLL for (size_t g = 0; g < 8; g++)
            _mm512_store_si512(to[i * (8 / groups) + g / groups] + g % groups * GROUP_BYTES + 64 * v, q[g]);
    }
}

INLINE void unpack_eight(const struct format32 f, turned_reader *turned, const char *w, size_t stride,
                         const char *const ask[PANEL_ROWS], char *const to[8]) {
    for (int v = 0; v < VECTORS; v++, w += 16 * stride) {
        unpack_scales(f, w, stride, to, v);
        unpack_codes(f, turned, w, stride, ask + 16 * v, to, v);
    }
}

// Eight runs of all rows of a job from `run` on; where rows or runs are missing they are read through a copy.
static void read_runs(runs_reader *read, size_t bytes8, const struct dot_job *j, size_t run, size_t runs,
                      char *const to[8]) {
    char copy[PANEL_ROWS * 8 * sizeof(struct block_q8_0)];
    const char *w = j->w + run / 8 * bytes8, *ask[PANEL_ROWS];
    size_t stride = j->row_size;
    for (uint32_t r = 0; r < PANEL_ROWS; r++)
        ask[r] = ahead_in_row(j, r, run / 8 * bytes8);
    if (j->rows < PANEL_ROWS || runs - run < 8) {
        stride = copy_runs(j, 0, PANEL_ROWS, run / 8 * bytes8, runs - run < 8 ? (runs - run) * bytes8 / 8 : bytes8,
                           bytes8, copy);
        w = copy;
    }
    read(w, stride, ask, to);
}

INLINE void unpack32(runs_reader *read, size_t bytes8, int run_len, const struct dot_job *j) {
    _Alignas(64) char nowhere[32 * PANEL_ROWS + sizeof(struct run_scales)];
    char *panel = cut(j).panel;
    size_t runs = j->n / (size_t)run_len;
    for (size_t run = 0; run < runs; run += 8) {
        char *to[8];
        for (size_t i = 0; i < 8; i++)
            to[i] = run + i < runs ? panel + place_of(run + i, runs) * run_size(run_len) : nowhere;
        read_runs(read, bytes8, j, run, runs, to);
    }
}

// `count` runs, run `first` and every eighth behind it, times `cols` columns of a strip; sum holds a partial sum of
// each result.
INLINE void tile32(int cols, int run_len, bool has_zero, bool has_min, const char *p, const struct strip *x,
                   size_t first, size_t count, bool fresh, float sum[COLS][PANEL_ROWS]) {
    __m512 s[COLS][VECTORS];
    UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) s[c][v] =
        fresh ? _mm512_setzero_ps() : _mm512_load_ps(sum[c] + 16 * v);
    for (size_t run = first; count; run += 8, count--, p += run_size(run_len)) {
        const uint8_t *w = (const uint8_t *)p;
        const struct run_scales *scales = (const void *)(p + run_len * PANEL_ROWS);
        size_t at = run * (size_t)run_len, b = at / 32;
        __m512i acc[COLS][VECTORS];
        UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) acc[c][v] =
            has_zero ? _mm512_set1_epi32(x->zeros[c][run]) : _mm512_setzero_si512();
        UNROLL for (size_t g = 0; g < (size_t)run_len / 4; g++) multiply(cols, w + g * GROUP_BYTES, x, at + 4 * g, acc);
        UNROLL for (int v = 0; v < VECTORS; v++) {
            const __m512 d = _mm512_load_ps(scales->d + 16 * v), m = _mm512_load_ps(scales->m + 16 * v);
            UNROLL for (int c = 0; c < cols; c++) {
                __m512 scale = _mm512_mul_ps(d, _mm512_set1_ps(x->d[c][b]));
                s[c][v] = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(acc[c][v]), s[c][v]);
                if (has_min)
                    s[c][v] = _mm512_fmadd_ps(m, _mm512_set1_ps(x->s[c][b]), s[c][v]);
            }
        }
    }
    UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++)
        _mm512_store_ps(sum[c] + 16 * v, s[c][v]);
}

// The same for any number of columns.
INLINE void strip32(uint32_t cols, int run_len, bool has_zero, bool has_min, const char *p, const struct strip *x,
                    size_t first, size_t count, bool fresh, float sum[COLS][PANEL_ROWS]) {
    if (cols > 4)
        tile32(6, run_len, has_zero, has_min, p, x, first, count, fresh, sum);
    else if (cols > 2)
        tile32(4, run_len, has_zero, has_min, p, x, first, count, fresh, sum);
    else
        tile32(2, run_len, has_zero, has_min, p, x, first, count, fresh, sum);
}

// One partial sum of a group: its runs, slice by slice.
INLINE void group32(int run_len, bool has_zero, bool has_min, const struct scratch *s, const struct strip *strips,
                    uint32_t cols, size_t part, size_t runs, struct ahead *ahead) {
    size_t count = (runs - part + 7) / 8, done = 0;
    const char *p = s->panel + place_of(part, runs) * run_size(run_len);
    for (; done < count; done += SLICE_RUNS) {
        size_t slice = count - done < SLICE_RUNS ? count - done : SLICE_RUNS;
        for (uint32_t c = 0; c < cols; c += COLS) {
            ask_ahead(ahead);
            strip32(cols - c, run_len, has_zero, has_min, p + done * run_size(run_len), &strips[c / COLS],
                    part + 8 * done, slice, done == 0, s->sum[part] + c);
        }
    }
}

INLINE void multiply32(int run_len, int zero, bool has_min, const struct dot_job *j) {
    const struct scratch s = cut(j);
    size_t runs = j->n / (size_t)run_len;
    struct ahead ahead = ahead_of(j, (j->cols + COLS - 1) / COLS * 8);
    for (uint32_t first = 0; first < j->cols; first += GROUP) {
        struct strip strips[STRIPS];
        uint32_t cols = j->cols - first < GROUP ? j->cols - first : GROUP;
        prepare_group((struct wants){zero, run_len, false}, j, &s, first, cols, strips);
        for (size_t part = 0; part < 8 && part < runs; part++)
            group32(run_len, zero != 0, has_min, &s, strips, cols, part, runs, &ahead);
        finish(j, &s, first, cols, runs);
    }
}

// What differs between kinds of formats; the reader alone differs between the formats of a kind.
INLINE void gemm32(runs_reader *read, size_t bytes8, int run_len, int zero, bool has_min, const struct dot_job *j) {
    unpack32(read, bytes8, run_len, j);
    multiply32(run_len, zero, has_min, j);
}

static void gemm_zero(runs_reader *read, size_t bytes8, int zero, const struct dot_job *j) {
    gemm32(read, bytes8, 32, zero, false, j);
}

static void gemm_min(runs_reader *read, size_t bytes8, const struct dot_job *j) {
    gemm32(read, bytes8, 32, 0, true, j);
}

static void gemm_zero16(runs_reader *read, size_t bytes8, int zero, const struct dot_job *j) {
    gemm32(read, bytes8, 16, zero, false, j);
}

#include "backends/cpu/avx512_few32.h"

#define GEMM32(sym, bytes8, run_len, zero, has_min)                                                                    \
    static void unpack_##sym(const char *w, size_t stride, const char *const ask[PANEL_ROWS], char *const to[8]) {     \
        unpack_eight((struct format32){scales_##sym, bytes8, run_len, zero, has_min}, turned_##sym, w, stride, ask,    \
                     to);                                                                                              \
    }                                                                                                                  \
    static void few_##sym(const struct few32 *f, const char *w, size_t stride, struct few_step t) {                    \
        few_runs((struct format32){scales_##sym, bytes8, run_len, zero, has_min}, turned_##sym, f, w, stride, t);      \
    }                                                                                                                  \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        if (j->cols <= FEW_COLS)                                                                                       \
            few32(few_##sym, bytes8, run_len, zero, j);                                                                \
        else if (has_min)                                                                                              \
            gemm_min(unpack_##sym, bytes8, j);                                                                         \
        else if (run_len == 32)                                                                                        \
            gemm_zero(unpack_##sym, bytes8, zero, j);                                                                  \
        else                                                                                                           \
            gemm_zero16(unpack_##sym, bytes8, zero, j);                                                                \
    }
FORMATS32(GEMM32)

#include "backends/cpu/avx512_end.h"

#define LEAST_COLS 2 // for which turning rows pays (measured)

void avx512_fill_gemm32(struct kernels *k) {
#define SLOT(sym, bytes8, run_len, zero, has_min)                                                                      \
    k->gemm[QUANT_##sym] = gemm_##sym, k->gemm_cols[QUANT_##sym] = LEAST_COLS;
    FORMATS32(SLOT)
}

#endif
