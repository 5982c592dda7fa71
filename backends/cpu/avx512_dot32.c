// SPDX-License-Identifier: MIT
// AVX-512, few columns, formats with a float scale per run of 32 or 16 elements. The lanes of a sum are the eight
// partial sums: eight consecutive runs are one step. A row's codes are read once for all columns.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_codes32.h"

#define MAX_COLS 8 // at once: their sums stay in registers

// A column of activations as the steps want it, in the job's scratch: behind the last run all is 0.
struct column {
    int8_t *q;    // in the order of the codes: of eight runs, first halves of 0 .. 3, second halves, the same of 4 .. 7
    float *d, *s; // a run each
    int32_t *zeros; // a run each: what the zero of the codes adds to a sum of codes times q
};

INLINE size_t steps_of(const struct format32 f, size_t n) {
    return (n / (size_t)f.run_len + 7) / 8;
}

// The codes of eight runs from n elements at q, in the order of struct column.
INLINE void order_codes(const struct format32 f, const int8_t *q, size_t n, int8_t *out) {
    __m512i v[4];
    const int vectors = f.run_len / 8;
    UNROLL for (int i = 0; i < vectors; i++) {
        size_t left = n > 64 * (size_t)i ? n - 64 * (size_t)i : 0;
        v[i] = _mm512_maskz_loadu_epi8(left < 64 ? (1ull << left) - 1 : ~0ull, q + 64 * i);
    }
    if (f.run_len == 16) {
        _mm512_store_si512(out, v[0]);
        _mm512_store_si512(out + 64, v[1]);
        return;
    }
    UNROLL for (int i = 0; i < 2; i++) {
        _mm512_store_si512(out + 128 * i, _mm512_shuffle_i32x4(v[2 * i], v[2 * i + 1], 0x88));
        _mm512_store_si512(out + 128 * i + 64, _mm512_shuffle_i32x4(v[2 * i], v[2 * i + 1], 0xdd));
    }
}

// The scales of eight runs, of which `left` are there, and what the zero of the codes adds.
INLINE void prepare_scales(const struct format32 f, const struct quant_vec *x, size_t run, size_t left,
                           struct column *c) {
    const __mmask8 runs = (__mmask8)(left < 8 ? (1u << left) - 1 : 0xff);
    __m256 d, s = _mm256_setzero_ps();
    __m256i zeros;
    if (f.run_len == 32) {
        const __mmask16 halves = (__mmask16)(left < 8 ? (1u << 2 * left) - 1 : 0xffff);
        d = _mm256_maskz_loadu_ps(runs, x->d + run);
        if (f.has_min)
            s = _mm256_maskz_loadu_ps(runs, x->s + run);
        zeros = _mm256_madd_epi16(_mm256_maskz_loadu_epi16(halves, x->bs + 2 * run), _mm256_set1_epi16((short)f.zero));
    } else {
        const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
        d = _mm256_maskz_loadu_ps((__mmask8)(left < 8 ? (1u << (left + 1) / 2) - 1 : 15), x->d + run / 2);
        d = _mm256_maskz_permutexvar_ps(runs, twice, d);
        zeros = _mm256_cvtepi16_epi32(_mm_maskz_loadu_epi16(runs, x->bs + run));
        zeros = _mm256_mullo_epi32(zeros, _mm256_set1_epi32(f.zero));
    }
    _mm256_store_ps(c->d + run, d);
    _mm256_store_ps(c->s + run, s);
    _mm256_store_si256((void *)(c->zeros + run), zeros);
}

INLINE void prepare(const struct format32 f, const struct dot_job *j, uint32_t col, struct column *c) {
    struct quant_vec x = quant_act_vec(j->layout, j->x + col * j->x_stride);
    size_t runs = j->n / (size_t)f.run_len, step_len = 8 * (size_t)f.run_len;
    for (size_t i = 0; i < steps_of(f, j->n); i++) {
        order_codes(f, x.q + step_len * i, j->n - step_len * i, c->q + step_len * i);
        prepare_scales(f, &x, 8 * i, runs - 8 * i, c);
    }
}

// Cuts the scratch into `cols` columns: 256 + 3 * 32 bytes a step of runs of 32.
INLINE void cut_scratch(const struct format32 f, const struct dot_job *j, uint32_t cols, struct column c[MAX_COLS]) {
    size_t steps = steps_of(f, j->n), step_len = 8 * (size_t)f.run_len;
    char *p = j->panel;
    for (uint32_t i = 0; i < cols; i++) {
        c[i].q = (int8_t *)p;
        c[i].d = (float *)(void *)(p + steps * step_len);
        c[i].s = c[i].d + 8 * steps;
        c[i].zeros = (int32_t *)(void *)(c[i].s + 8 * steps);
        p += round_up(steps * (step_len + 96), 64);
    }
}

// The integer sums of eight runs: a and b hold four lanes for each of four runs.
INLINE __m256i run_sums(__m512i a, __m512i b) {
    __m512i v = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b)); // a b a b
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0x4e));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, v));
}

// The codes and scales of eight runs of a row.
struct step {
    __m512i q[4];
    __m256 d, m;
};

INLINE void read_step(const struct format32 f, const char *w, __mmask8 runs, struct step *s) {
    const int halves = f.run_len / 16;
    UNROLL for (int i = 0; i < 2 * halves; i++) s->q[i] =
        f.codes(w + (size_t)(i / halves) * (f.bytes8 / 2), i % halves);
    s->m = _mm256_setzero_ps();
    f.scales(w, &s->d, &s->m);
    s->d = _mm256_maskz_mov_ps(runs, s->d);
    s->m = _mm256_maskz_mov_ps(runs, s->m);
}

INLINE __m256 add_step(const struct format32 f, const struct step *s, const struct column *x, size_t i, __m256 acc) {
    const int halves = f.run_len / 16;
    const int8_t *q = x->q + 8 * (size_t)f.run_len * i;
    __m512i sum[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    UNROLL for (int k = 0; k < 2 * halves; k++) sum[k / halves] =
        _mm512_dpbusd_epi32(sum[k / halves], s->q[k], _mm512_load_si512(q + 64 * k));
    __m256i total = run_sums(sum[0], sum[1]);
    if (f.zero)
        total = _mm256_sub_epi32(total, _mm256_load_si256((const void *)(x->zeros + 8 * i)));
    acc = _mm256_fmadd_ps(_mm256_mul_ps(s->d, _mm256_load_ps(x->d + 8 * i)), _mm256_cvtepi32_ps(total), acc);
    return f.has_min ? _mm256_fmadd_ps(s->m, _mm256_load_ps(x->s + 8 * i), acc) : acc;
}

// The runs behind the last eight whole ones. Unless `room` bytes at w reach that far, they are copied: nothing behind
// the matrix may be read.
INLINE void read_rest(const struct format32 f, const char *w, size_t runs, size_t room, struct step *s) {
    char copy[8 * sizeof(struct block_q8_0)] = {0};
    if (room < f.bytes8) {
        memcpy(copy, w, runs * f.bytes8 / 8);
        w = copy;
    }
    read_step(f, w, (__mmask8)((1u << runs) - 1), s);
}

// One row times `cols` columns.
INLINE void row_dot(const struct format32 f, const char *w, const char *ahead, size_t room, const struct column *x,
                    uint32_t cols, size_t n, float *y, size_t y_stride) {
    size_t runs = n / (size_t)f.run_len, i = 0;
    __m256 acc[MAX_COLS];
    struct step s;
    UNROLL for (int c = 0; c < MAX_COLS; c++) acc[c] = _mm256_setzero_ps();
    for (; i < runs / 8; i++) {
        prefetch(ahead + i * f.bytes8, f.bytes8);
        read_step(f, w + i * f.bytes8, 0xff, &s);
        for (uint32_t c = 0; c < cols; c++)
            acc[c] = add_step(f, &s, &x[c], i, acc[c]);
    }
    if (runs % 8) {
        prefetch(ahead + i * f.bytes8, runs % 8 * f.bytes8 / 8);
        read_rest(f, w + i * f.bytes8, runs % 8, room - i * f.bytes8, &s);
        for (uint32_t c = 0; c < cols; c++)
            acc[c] = add_step(f, &s, &x[c], i, acc[c]);
    }
    for (uint32_t c = 0; c < cols; c++)
        y[c * y_stride] = sum8(acc[c]);
}

INLINE void rows_dot(const struct format32 f, const struct dot_job *j, uint32_t first, uint32_t cols) {
    struct column x[MAX_COLS];
    cut_scratch(f, j, cols, x);
    for (uint32_t c = 0; c < cols; c++)
        prepare(f, j, first + c, &x[c]);
    for (uint32_t r = 0; r < j->rows; r++)
        row_dot(f, j->w + r * j->row_size, ahead_of_row(j, r, 1), (j->rows - r) * j->row_size, x, cols, j->n,
                j->y + first * j->y_stride + r, j->y_stride);
}

INLINE void dot32(const struct format32 f, const struct dot_job *j) {
    if (j->cols == 1)
        rows_dot(f, j, 0, 1);
    else
        for (uint32_t c = 0; c < j->cols; c += MAX_COLS)
            rows_dot(f, j, c, j->cols - c < MAX_COLS ? j->cols - c : MAX_COLS);
}

#define DOT32(sym, bytes8, run_len, zero, has_min)                                                                     \
    void avx512_dot_##sym(const struct dot_job *j) {                                                                   \
        dot32((struct format32){codes_##sym, scales_##sym, bytes8, run_len, zero, has_min}, j);                        \
    }
FORMATS32(DOT32)

#include "backends/cpu/avx512_end.h"

void avx512_fill_dot32(struct kernels *k) {
#define SLOT(sym, bytes8, run_len, zero, has_min) k->dot[QUANT_##sym] = avx512_dot_##sym;
    FORMATS32(SLOT)
}

#endif
