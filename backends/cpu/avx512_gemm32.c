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

#define FEW_COLS 16   // of rows from FEW_LEN elements on: each part of a panel passes all columns as soon as it is
#define FEW_LEN 2560  // unpacked (measured)
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

// Unpacks eight runs of 32 rows, at `at`, to the places of the runs; what is at `ask` is asked for meanwhile.
typedef void runs_reader(const char *const at[PANEL_ROWS], const char *const ask[PANEL_ROWS], char *const to[8]);

// Four runs of the rows 16 v .. 16 v + 15.
INLINE void unpack_four(const struct format32 f, const char *const at[16], const char *const ask[16], size_t skip,
                        char *const to[4], int v) {
    const int halves = f.run_len / 16;
    __m512i q[2][16];
    for (int r = 0; r < 16; r++) {
        prefetch_lines(ask[r] + skip, f.bytes8 / 2);
        UNROLL for (int half = 0; half < halves; half++) q[half][r] = f.codes(at[r] + skip, half);
    }
    for (int half = 0; half < halves; half++) {
        uint8_t *out[4];
        for (size_t i = 0; i < 4; i++)
            out[i] = (uint8_t *)to[i] + 4 * half * GROUP_BYTES + 64 * v;
        store_groups(q[half], out);
    }
}

// Out[i] is element i of each of sixteen vectors.
INLINE void turn_eight(const __m256 row[16], __m512 out[8]) {
    __m512 z[8], t[8];
    UNROLL for (int i = 0; i < 8; i++) {
        int low = i < 4 ? i : i + 4;
        z[i] = _mm512_insertf32x8(_mm512_castps256_ps512(row[low]), row[low + 4], 1);
    }
    UNROLL for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_ps(z[i], z[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(z[i], z[i + 1]);
    }
    // Elements k and k + 4 of rows 0 .. 7 and 8 .. 15, four rows to a quarter.
    UNROLL for (int k = 0; k < 4; k++) {
        __m512d a = _mm512_castps_pd(t[k / 2]), b = _mm512_castps_pd(t[k / 2 + 2]);
        __m512d c = _mm512_castps_pd(t[k / 2 + 4]), d = _mm512_castps_pd(t[k / 2 + 6]);
        __m512 first = _mm512_castpd_ps(k % 2 ? _mm512_unpackhi_pd(a, b) : _mm512_unpacklo_pd(a, b));
        __m512 last = _mm512_castpd_ps(k % 2 ? _mm512_unpackhi_pd(c, d) : _mm512_unpacklo_pd(c, d));
        out[k] = _mm512_shuffle_f32x4(first, last, 0x88);
        out[k + 4] = _mm512_shuffle_f32x4(first, last, 0xdd);
    }
}

INLINE void unpack_scales(const struct format32 f, const char *const at[16], char *const to[8], int v) {
    __m256 d[16], m[16];
    __m512 turned[8];
    UNROLL for (int r = 0; r < 16; r++) f.scales(at[r], &d[r], &m[r]);
    turn_eight(d, turned);
    UNROLL for (int i = 0; i < 8; i++)
        _mm512_store_ps(((struct run_scales *)(void *)(to[i] + f.run_len * PANEL_ROWS))->d + 16 * v, turned[i]);
    if (!f.has_min)
        return;
    turn_eight(m, turned);
    UNROLL for (int i = 0; i < 8; i++)
        _mm512_store_ps(((struct run_scales *)(void *)(to[i] + f.run_len * PANEL_ROWS))->m + 16 * v, turned[i]);
}

// Eight runs of 32 of the rows 16 v .. 16 v + 15.
INLINE void unpack_turned(const struct format32 f, turned_reader *turned, const char *const at[16],
                          const char *const ask[16], char *const to[8], int v) {
    for (size_t i = 0; i < 8; i++) {
        __m512i q[8];
        prefetch_lines(ask[2 * i], f.bytes8);
        prefetch_lines(ask[2 * i + 1], f.bytes8);
        turned(at, i * (f.bytes8 / 8), q);
        UNROLL for (int g = 0; g < 8; g++) _mm512_store_si512(to[i] + g * GROUP_BYTES + 64 * v, q[g]);
    }
}

INLINE void unpack_eight(const struct format32 f, turned_reader *turned, const char *const at[PANEL_ROWS],
                         const char *const ask[PANEL_ROWS], char *const to[8]) {
    for (int v = 0; v < VECTORS; v++) {
        unpack_scales(f, at + 16 * v, to, v);
        if (turned) {
            unpack_turned(f, turned, at + 16 * v, ask + 16 * v, to, v);
        } else {
            unpack_four(f, at + 16 * v, ask + 16 * v, 0, to, v);
            unpack_four(f, at + 16 * v, ask + 16 * v, f.bytes8 / 2, to + 4, v);
        }
    }
}

// Eight runs of all rows of a job from `run` on; what is left of a row at its end is read through a copy.
static void read_runs(runs_reader *read, size_t bytes8, const struct dot_job *j, size_t run, size_t runs,
                      char *const to[8]) {
    char copy[PANEL_ROWS][8 * sizeof(struct block_q8_0)];
    const char *at[PANEL_ROWS], *ask[PANEL_ROWS];
    for (uint32_t r = 0; r < PANEL_ROWS; r++) {
        ask[r] = ahead_in_row(j, r, run / 8 * bytes8);
        at[r] = panel_row(j, r) + run / 8 * bytes8;
        if (runs - run < 8) {
            memset(copy[r], 0, bytes8);
            memcpy(copy[r], at[r], (runs - run) * bytes8 / 8);
            at[r] = copy[r];
        }
    }
    read(at, ask, to);
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

// Few columns: eight runs are unpacked and multiplied at once, partial sum by partial sum.
INLINE void few32(runs_reader *read, size_t bytes8, int run_len, int zero, bool has_min, const struct dot_job *j) {
    const struct scratch s = cut(j);
    const size_t runs = j->n / (size_t)run_len;
    struct strip strips[STRIPS];
    char *to[8];
    for (size_t i = 0; i < 8; i++)
        to[i] = s.panel + i * run_size(run_len);
    prepare_group((struct wants){zero, run_len, false}, j, &s, 0, j->cols, strips);
    for (size_t run = 0; run < runs; run += 8) {
        read_runs(read, bytes8, j, run, runs, to);
        for (uint32_t c = 0; c < j->cols; c += COLS)
            for (size_t i = 0; i < 8 && run + i < runs; i++)
                strip32(j->cols - c, run_len, zero != 0, has_min, to[i], &strips[c / COLS], run + i, 1, run == 0,
                        s.sum[i] + c);
    }
    finish(j, &s, 0, j->cols, runs);
}

// What differs between kinds of formats; the reader alone differs between the formats of a kind.
INLINE void gemm32(runs_reader *read, size_t bytes8, int run_len, int zero, bool has_min, const struct dot_job *j) {
    if (j->cols <= FEW_COLS && j->n >= FEW_LEN) {
        few32(read, bytes8, run_len, zero, has_min, j);
        return;
    }
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

// Formats whose readers give runs one by one.
#define turned_nvfp4 NULL
#define turned_q1_0 NULL
#define turned_q2_0 NULL

#define GEMM32(sym, bytes8, run_len, zero, has_min)                                                                    \
    static void unpack_##sym(const char *const at[PANEL_ROWS], const char *const ask[PANEL_ROWS], char *const to[8]) { \
        unpack_eight((struct format32){codes_##sym, scales_##sym, bytes8, run_len, zero, has_min}, turned_##sym, at,   \
                     ask, to);                                                                                         \
    }                                                                                                                  \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        if (has_min)                                                                                                   \
            gemm_min(unpack_##sym, bytes8, j);                                                                         \
        else if (run_len == 32)                                                                                        \
            gemm_zero(unpack_##sym, bytes8, zero, j);                                                                  \
        else                                                                                                           \
            gemm_zero16(unpack_##sym, bytes8, zero, j);                                                                \
    }
FORMATS32(GEMM32)

#include "backends/cpu/avx512_end.h"

#define LEAST_COLS 6      // for which unpacking pays (measured)
#define LEAST_COLS_Q8_0 7 // whose blocks take longer

void avx512_fill_gemm32(struct kernels *k) {
#define SLOT(sym, bytes8, run_len, zero, has_min)                                                                      \
    k->gemm[QUANT_##sym] = gemm_##sym, k->gemm_cols[QUANT_##sym] = LEAST_COLS;
    FORMATS32(SLOT)
    k->gemm_cols[QUANT_q8_0] = LEAST_COLS_Q8_0;
}

#endif
