// SPDX-License-Identifier: MIT
// AVX-512, many columns, formats with a float scale per run of 32 or 16 elements. The runs of a panel lie in the order
// of their partial sums, 0, 8, 16, ..., 1, 9, ...: a tile keeps one partial sum of each result in registers.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_codes32.h"
#include "backends/cpu/avx512_gemm.h"

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

// Where the codes of sixteen elements of a run go, for rows from 16 v on. Runs behind the last one go where nobody
// looks.
INLINE uint8_t *codes_place(const struct format32 f, char *panel, size_t run, size_t runs, int half, int v,
                            uint8_t *nowhere) {
    if (run >= runs)
        return nowhere;
    return (uint8_t *)panel + place_of(run, runs) * run_size(f.run_len) + 4 * half * GROUP_BYTES + 64 * v;
}

// Four runs of the rows 16 v .. 16 v + 15, at `at` each.
INLINE void unpack_four(const struct format32 f, const char *const at[16], char *panel, size_t run, size_t runs,
                        int v) {
    _Alignas(64) uint8_t nowhere[4 * GROUP_BYTES];
    const int halves = f.run_len / 16;
    __m512i q[2][16];
    for (int r = 0; r < 16; r++)
        UNROLL for (int half = 0; half < halves; half++) q[half][r] = f.codes(at[r], half);
    for (int half = 0; half < halves; half++) {
        uint8_t *out[4];
        for (size_t i = 0; i < 4; i++)
            out[i] = codes_place(f, panel, run + i, runs, half, v, nowhere);
        store_groups(q[half], out);
    }
}

INLINE void unpack_scales(const struct format32 f, const char *at, char *panel, size_t run, size_t runs, size_t row) {
    __m256 d, m = _mm256_setzero_ps();
    float d8[8], m8[8];
    f.scales(at, &d, &m);
    _mm256_storeu_ps(d8, d);
    _mm256_storeu_ps(m8, m);
    for (size_t i = 0; i < 8 && run + i < runs; i++) {
        char *p = panel + place_of(run + i, runs) * run_size(f.run_len) + (size_t)f.run_len * PANEL_ROWS;
        struct run_scales *s = (struct run_scales *)(void *)p;
        s->d[row] = d8[i];
        s->m[row] = m8[i];
    }
}

// Eight runs of all rows from `run` on; what is left of a row at its end is read through a copy.
INLINE void unpack_eight(const struct format32 f, const struct dot_job *j, char *panel, size_t run, size_t runs) {
    char copy[PANEL_ROWS][8 * sizeof(struct block_q8_0)];
    const char *at[PANEL_ROWS], *half[PANEL_ROWS];
    for (uint32_t r = 0; r < PANEL_ROWS; r++) {
        at[r] = panel_row(j, r) + run / 8 * f.bytes8;
        if (runs - run < 8) {
            memset(copy[r], 0, f.bytes8);
            memcpy(copy[r], at[r], (runs - run) * f.bytes8 / 8);
            at[r] = copy[r];
        }
        half[r] = at[r] + f.bytes8 / 2;
        unpack_scales(f, at[r], panel, run, runs, r);
    }
    for (int v = 0; v < VECTORS; v++) {
        unpack_four(f, at + 16 * v, panel, run, runs, v);
        if (runs - run > 4)
            unpack_four(f, half + 16 * v, panel, run + 4, runs, v);
    }
}

INLINE void unpack32(const struct format32 f, const struct dot_job *j) {
    char *panel = cut(j).panel;
    size_t runs = j->n / (size_t)f.run_len;
    prefetch_rows(j, 0, 2 * f.bytes8);
    for (size_t run = 0; run < runs; run += 8) {
        prefetch_rows(j, (run / 8 + 2) * f.bytes8, f.bytes8);
        unpack_eight(f, j, panel, run, runs);
    }
}

// `count` runs, run `first` and every eighth behind it, times one strip; sum holds a partial sum of each result.
INLINE void tile32(int run_len, bool has_zero, bool has_min, const char *p, const struct strip *x, size_t first,
                   size_t count, bool fresh, float sum[COLS][PANEL_ROWS]) {
    __m512 s[COLS][VECTORS];
    UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++) s[c][v] =
        fresh ? _mm512_setzero_ps() : _mm512_load_ps(sum[c] + 16 * v);
    for (size_t run = first; count; run += 8, count--, p += run_size(run_len)) {
        const uint8_t *w = (const uint8_t *)p;
        const struct run_scales *scales = (const void *)(p + run_len * PANEL_ROWS);
        size_t at = run * (size_t)run_len, b = at / 32;
        __m512i acc[COLS][VECTORS];
        UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++) acc[c][v] =
            has_zero ? _mm512_set1_epi32(x->zeros[c][run]) : _mm512_setzero_si512();
        UNROLL for (size_t g = 0; g < (size_t)run_len / 4; g++) multiply(w + g * GROUP_BYTES, x, at + 4 * g, acc);
        UNROLL for (int v = 0; v < VECTORS; v++) {
            const __m512 d = _mm512_load_ps(scales->d + 16 * v), m = _mm512_load_ps(scales->m + 16 * v);
            UNROLL for (int c = 0; c < COLS; c++) {
                __m512 scale = _mm512_mul_ps(d, _mm512_set1_ps(x->d[c][b]));
                s[c][v] = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(acc[c][v]), s[c][v]);
                if (has_min)
                    s[c][v] = _mm512_fmadd_ps(m, _mm512_set1_ps(x->s[c][b]), s[c][v]);
            }
        }
    }
    UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++)
        _mm512_store_ps(sum[c] + 16 * v, s[c][v]);
}

// One partial sum of a group: its runs, slice by slice.
INLINE void group32(int run_len, bool has_zero, bool has_min, const struct scratch *s, const struct strip *strips,
                    uint32_t n_strips, size_t part, size_t runs, struct ahead *ahead) {
    size_t count = (runs - part + 7) / 8, done = 0;
    const char *p = s->panel + place_of(part, runs) * run_size(run_len);
    for (; done < count; done += SLICE_RUNS) {
        size_t slice = count - done < SLICE_RUNS ? count - done : SLICE_RUNS;
        for (uint32_t i = 0; i < n_strips; i++) {
            ask_ahead(ahead);
            tile32(run_len, has_zero, has_min, p + done * run_size(run_len), &strips[i], part + 8 * done, slice,
                   done == 0, s->sum[part] + i * COLS);
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
            group32(run_len, zero != 0, has_min, &s, strips, (cols + COLS - 1) / COLS, part, runs, &ahead);
        finish(j, &s, first, cols, runs);
    }
}

// What follows the unpacking is the same for formats of a kind.
static void multiply32_zero(const struct dot_job *j, int zero) {
    multiply32(32, zero, false, j);
}

static void multiply32_min(const struct dot_job *j) {
    multiply32(32, 0, true, j);
}

static void multiply16_zero(const struct dot_job *j, int zero) {
    multiply32(16, zero, false, j);
}

INLINE void gemm32(const struct format32 f, const struct dot_job *j) {
    unpack32(f, j);
    if (f.has_min)
        multiply32_min(j);
    else if (f.run_len == 32)
        multiply32_zero(j, f.zero);
    else
        multiply16_zero(j, f.zero);
}

#define GEMM32(sym, bytes8, run_len, zero, has_min)                                                                    \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        gemm32((struct format32){codes_##sym, scales_##sym, bytes8, run_len, zero, has_min}, j);                       \
    }
FORMATS32(GEMM32)

#include "backends/cpu/avx512_end.h"

#define LEAST_COLS 9 // for which unpacking pays (measured)

void avx512_fill_gemm32(struct kernels *k) {
#define SLOT(sym, bytes8, run_len, zero, has_min)                                                                      \
    k->gemm[QUANT_##sym] = gemm_##sym, k->gemm_cols[QUANT_##sym] = LEAST_COLS;
    FORMATS32(SLOT)
}

#endif
