// SPDX-License-Identifier: MIT
// AVX2, few columns, formats with a float scale per run of 32 or 16 elements. The lanes of a sum are the eight partial
// sums: eight consecutive runs are one step. Columns are put into the order of the codes once for all rows of a job,
// and a row's codes are read once for all columns.
#if defined(__x86_64__)
#include "backends/cpu/avx2.h"

#include <string.h>

#include "backends/cpu/avx2_begin.h"
#include "backends/cpu/avx2_codes32.h"

#define MAX_COLS 8 // at once
#define MAX_VECTORS 8

// A column as the steps want it, in the job's scratch: behind the last run all is 0.
struct column {
    int8_t *q;
    float *d, *s;   // a run each
    int32_t *zeros; // a run each: what the zero of the codes adds to a sum of codes times q
};

INLINE size_t steps_of(const struct format32 f, size_t n) {
    return (n / (size_t)f.run_len + 7) / 8;
}

// Bytes of a step of a column.
INLINE size_t step_size(const struct format32 f) {
    return (f.signed_order ? 16 : 8) * (size_t)f.run_len;
}

INLINE void order_codes(const struct format32 f, const struct dot_job *j, const int8_t *q, int8_t *out) {
    const size_t step = 8 * (size_t)f.run_len, whole = j->n / step * step;
    for (size_t i = 0; i < whole; i += step)
        f.order(q + i, out + i / step * step_size(f));
    if (whole < j->n) {
        int8_t rest[256] = {0};
        memcpy(rest, q + whole, j->n - whole);
        f.order(rest, out + whole / step * step_size(f));
    }
}

INLINE void prepare(const struct format32 f, const struct dot_job *j, uint32_t col, struct column *c) {
    struct quant_vec x = quant_act_vec(j->layout, j->x + col * j->x_stride);
    const size_t runs = j->n / (size_t)f.run_len, rest = 8 * steps_of(f, j->n) - runs;
    order_codes(f, j, x.q, c->q);
    for (size_t run = 0; run < runs; run++) {
        size_t at = run * (size_t)f.run_len / 32;
        c->d[run] = x.d[at];
        c->s[run] = x.s[at];
        c->zeros[run] = f.zero * (f.run_len == 16 ? x.bs[run] : x.bs[2 * run] + x.bs[2 * run + 1]);
    }
    memset(c->d + runs, 0, rest * sizeof *c->d);
    memset(c->s + runs, 0, rest * sizeof *c->s);
    memset(c->zeros + runs, 0, rest * sizeof *c->zeros);
}

// Cuts the scratch into `cols` columns: 256 or 512, + 3 * 32, bytes a step of runs of 32.
INLINE void cut_scratch(const struct format32 f, const struct dot_job *j, uint32_t cols, struct column c[MAX_COLS]) {
    size_t steps = steps_of(f, j->n), step_len = step_size(f);
    char *p = j->panel;
    for (uint32_t i = 0; i < cols; i++) {
        c[i].q = (int8_t *)p;
        c[i].d = (float *)(void *)(p + steps * step_len);
        c[i].s = c[i].d + 8 * steps;
        c[i].zeros = (int32_t *)(void *)(c[i].s + 8 * steps);
        p += round_up(steps * (step_len + 96), 64);
    }
}

// A group's codes times activations: pairs in 16 bits, added up; wide ones in 32 bits.
INLINE __m256i group_products(const struct format32 f, const __m256i *codes, const int8_t *q) {
    __m256i sum = _mm256_setzero_si256();
    UNROLL for (int i = 0; i < f.parts; i++) {
        __m256i x = _mm256_load_si256((const void *)(q + 32 * i)), v;
        if (f.fit)
            v = _mm256_maddubs_epi16(codes[i], x);
        else if (f.signed_order)
            v = add_in_pairs(signed_products(codes[i], q + 32 * i));
        else
            v = add_in_pairs(_mm256_maddubs_epi16(_mm256_abs_epi8(codes[i]), _mm256_sign_epi8(x, codes[i])));
        sum = !i ? v : f.fit ? _mm256_add_epi16(sum, v) : _mm256_add_epi32(sum, v);
    }
    return sum;
}

// a and b take turns by words of 32 or 64 bits, and neighbours of the same vector are added in 16 or 32 bits.
INLINE __m256i add_32(bool in_16, __m256i a, __m256i b) {
    __m256i low = _mm256_unpacklo_epi32(a, b), high = _mm256_unpackhi_epi32(a, b);
    return in_16 ? _mm256_add_epi16(low, high) : _mm256_add_epi32(low, high);
}

INLINE __m256i add_64(bool in_16, __m256i a, __m256i b) {
    __m256i low = _mm256_unpacklo_epi64(a, b), high = _mm256_unpackhi_epi64(a, b);
    return in_16 ? _mm256_add_epi16(low, high) : _mm256_add_epi32(low, high);
}

// The integer sums of eight runs from the groups' products.
INLINE __m256i run_sums(const struct format32 f, const __m256i *z) {
    if (f.groups == 1)
        return add_in_pairs(z[0]);
    if (f.groups == 2) {
        __m256 a = _mm256_castsi256_ps(z[0]), b = _mm256_castsi256_ps(z[1]);
        __m256i even = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
        return add_in_pairs(_mm256_add_epi16(even, _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd))));
    }
    __m256i a = add_32(f.fit > 0, z[0], z[1]), b = add_32(f.fit > 0, z[2], z[3]);
    if (f.fit == 1)
        return add_64(false, add_in_pairs(a), add_in_pairs(b));
    return f.fit ? add_in_pairs(add_64(true, a, b)) : add_64(false, a, b);
}

// The codes and scales of eight runs of a row.
struct step {
    __m256i codes[MAX_VECTORS];
    __m256 d, m;
};

INLINE void read_step(const struct format32 f, const char *w, struct step *s) {
    UNROLL for (int i = 0; i < f.groups * f.parts; i++) s->codes[i] = f.codes(w, i / f.parts, i % f.parts);
    s->d = f.d(w);
    s->m = f.m ? f.m(w) : _mm256_setzero_ps();
}

INLINE __m256 add_step(const struct format32 f, const struct step *s, const struct column *x, size_t i, __m256 acc) {
    const int8_t *q = x->q + step_size(f) * i;
    __m256i z[4];
    UNROLL for (int g = 0; g < f.groups; g++) z[g] = group_products(f, s->codes + g * f.parts, q + 32 * g * f.parts);
    __m256i total = run_sums(f, z);
    if (f.zero)
        total = _mm256_sub_epi32(total, _mm256_load_si256((const void *)(x->zeros + 8 * i)));
    acc = _mm256_fmadd_ps(_mm256_mul_ps(s->d, _mm256_load_ps(x->d + 8 * i)), _mm256_cvtepi32_ps(total), acc);
    return f.m ? _mm256_fmadd_ps(s->m, _mm256_load_ps(x->s + 8 * i), acc) : acc;
}

// The runs behind the last eight whole ones. Unless `room` bytes at w reach that far, they are copied: nothing behind
// the matrix may be read. Lanes behind them are left alone.
INLINE void add_rest(const struct format32 f, const char *w, size_t room, const struct column *x, uint32_t cols,
                     size_t i, size_t runs, __m256 acc[MAX_COLS]) {
    char copy[8 * sizeof(struct block_q8_0)];
    const __m256 lanes = bits_to_lanes((1u << runs) - 1);
    struct step s;
    if (room < f.size)
        w = memcpy(copy, w, runs * f.size / 8);
    read_step(f, w, &s);
    for (uint32_t c = 0; c < cols; c++)
        acc[c] = _mm256_blendv_ps(acc[c], add_step(f, &s, &x[c], i, acc[c]), lanes);
}

// One row times `cols` columns.
INLINE void row_dot(const struct format32 f, const char *w, const char *ahead, size_t room, const struct column *x,
                    uint32_t cols, size_t n, float *y, size_t y_stride) {
    const size_t runs = n / (size_t)f.run_len, steps = runs / 8;
    __m256 acc[MAX_COLS];
    UNROLL for (int c = 0; c < MAX_COLS; c++) acc[c] = _mm256_setzero_ps();
    for (size_t i = 0; i < steps; i++) {
        struct step s;
        prefetch(ahead + i * f.size, f.size);
        read_step(f, w + i * f.size, &s);
        for (uint32_t c = 0; c < cols; c++)
            acc[c] = add_step(f, &s, &x[c], i, acc[c]);
    }
    if (runs % 8) {
        prefetch(ahead + steps * f.size, runs % 8 * f.size / 8);
        add_rest(f, w + steps * f.size, room - steps * f.size, x, cols, steps, runs % 8, acc);
    }
    for (uint32_t c = 0; c < cols; c++)
        y[c * y_stride] = sum8(acc[c]);
}

INLINE void rows_dot(const struct format32 f, const struct dot_job *j, uint32_t first, uint32_t cols) {
    struct column x[MAX_COLS];
    cut_scratch(f, j, cols, x);
    for (uint32_t c = 0; c < cols && !j->again; c++)
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

#define DOT32(sym, blocks, run_len, order, groups, parts, zero, fit, m, is_signed)                                     \
    static void dot_##sym(const struct dot_job *j) {                                                                   \
        dot32((struct format32){step_##sym, order, d8_##sym, m, (blocks) * sizeof(struct block_##sym), run_len,        \
                                groups, parts, zero, fit, is_signed},                                                  \
              j);                                                                                                      \
    }
FORMATS32(DOT32)

#include "backends/cpu/avx2_end.h"

void avx2_fill_dot32(struct kernels *k) {
#define SLOT(sym, blocks, run_len, order, groups, parts, zero, fit, m, is_signed) k->dot[QUANT_##sym] = dot_##sym;
    FORMATS32(SLOT)
}

#endif
