// SPDX-License-Identifier: MIT
// AVX2: products of formats with one float scale per 256 elements with few columns, straight from the file. The lanes
// of a sum are four rows. A column is put into the order in which a block's bytes are used once for all rows of a job.
#if defined(__x86_64__)
#include "backends/cpu/avx2.h"

#include <string.h>

#include "backends/cpu/avx2_begin.h"
#include "backends/cpu/avx2_grids256.h"

struct format256 {
    lanes_reader *lanes; // NULL: a codebook's
    void (*read)(const char *w, const int16_t *bs, struct points *p);
    __m256i (*points)(const char *table, const struct points *p, const int8_t *x);
    void (*table)(char *table);
    void (*order)(const int8_t *x, int8_t *out); // 256 elements
    size_t step;                                 // bytes that it writes
    mins_sums *mins;                             // NULL: none
    __m128 (*d)(const char *const w[FOUR]), (*dmin)(const char *const w[FOUR]);
    size_t block_size;
    float factor; // of d
};

// The tree of quant_sum8 over the eight partial sums of four results.
INLINE __m128 tree(const __m128 a[8]) {
    __m128 even = _mm_add_ps(_mm_add_ps(a[0], a[4]), _mm_add_ps(a[2], a[6]));
    __m128 odd = _mm_add_ps(_mm_add_ps(a[1], a[5]), _mm_add_ps(a[3], a[7]));
    return _mm_add_ps(even, odd);
}

// All four rows are read before any is multiplied: a core sees too few instructions ahead to begin with the next row's
// long way from indices to points. A compiler that skips the memory between takes indices out of vectors one by one.
INLINE void lanes_of_points(const struct format256 f, const char *const w[FOUR], const int8_t *q, const int16_t *bs,
                            const char *table, __m256i sum[FOUR]) {
    struct points p[FOUR];
    UNROLL for (int r = 0; r < FOUR; r++) f.read(w[r], bs, &p[r]);
    __asm__("" : "+m"(p));
    UNROLL for (int r = 0; r < FOUR; r++) sum[r] = f.points(table, &p[r], q);
}

// The blocks at w of four rows: what they add to the partial sum acc.
INLINE __m128 add_block(const struct format256 f, const char *const w[FOUR], const int8_t *q, const int16_t *bs,
                        float dx1, const char *table, __m128 acc) {
    const __m128 dx = _mm_set1_ps(dx1), d = f.d(w);
    __m256i sum[FOUR];
    if (f.lanes)
        f.lanes(w, q, bs, sum);
    else
        lanes_of_points(f, w, q, bs, table, sum);
    const __m128 scale = f.factor == 1 ? d : _mm_mul_ps(d, _mm_set1_ps(f.factor));
    acc = _mm_fmadd_ps(_mm_mul_ps(scale, dx), _mm_cvtepi32_ps(sums_of_four(sum)), acc);
    return f.mins ? _mm_fnmadd_ps(_mm_mul_ps(f.dmin(w), dx), _mm_cvtepi32_ps(f.mins(w, bs)), acc) : acc;
}

INLINE void one_column(const struct format256 f, const struct dot_job *j, uint32_t col) {
    const struct quant_vec x = quant_act_vec(j->layout, j->x + col * j->x_stride);
    const size_t blocks = j->n / 256;
    int8_t *q = j->panel;
    char *table = (char *)j->panel + f.step * blocks;
    if (f.table && !j->again)
        f.table(table);
    for (size_t b = 0; b < blocks && !j->again; b++)
        f.order(x.q + 256 * b, q + f.step * b);
    for (uint32_t r = 0; r < j->rows; r += FOUR) {
        const char *ahead = ahead_of_row(j, r, FOUR), *w[FOUR];
        const uint32_t rows = j->rows - r < FOUR ? j->rows - r : FOUR;
        __m128 acc[8];
        float y[FOUR];
        for (uint32_t i = 0; i < FOUR; i++)
            w[i] = j->w + (r + (i < rows ? i : rows - 1)) * j->row_size;
        UNROLL for (int i = 0; i < 8; i++) acc[i] = _mm_setzero_ps();
        for (size_t b = 0; b < blocks; b++) {
            prefetch(ahead + b * FOUR * f.block_size, FOUR * f.block_size);
            acc[b % 8] = add_block(f, w, q + f.step * b, x.bs + 16 * b, x.d[b], table, acc[b % 8]);
            UNROLL for (int i = 0; i < FOUR; i++) w[i] += f.block_size;
        }
        _mm_storeu_ps(y, tree(acc));
        memcpy(j->y + col * j->y_stride + r, y, rows * sizeof *y);
    }
}

// The scales of four blocks, and of their minimums.
#define FIRST(sym)                                                                                                     \
    INLINE __m128 d_##sym##_of_four(const char *const w[FOUR]) {                                                       \
        static_assert(offsetof(struct block_##sym, d) == 0, #sym);                                                     \
        return four_halves(w);                                                                                         \
    }
FIRST(iq1_s)
FIRST(iq2_xxs)
FIRST(iq2_xs)
FIRST(iq2_s)
FIRST(iq3_xxs)
FIRST(iq3_s)
FIRST(iq4_xs)

#define LAST(sym)                                                                                                      \
    INLINE __m128 d_##sym##_of_four(const char *const w[FOUR]) {                                                       \
        static_assert(offsetof(struct block_##sym, d) + 2 == sizeof(struct block_##sym), #sym);                        \
        return four_last_halves(w, sizeof(struct block_##sym));                                                        \
    }
LAST(q3_k)
LAST(q6_k)
LAST(tq1_0)
LAST(tq2_0)

#define PAIR(sym, pairs)                                                                                               \
    INLINE __m128 d_##sym##_of_four(const char *const w[FOUR]) {                                                       \
        return _mm256_castps256_ps128(pairs);                                                                          \
    }                                                                                                                  \
    INLINE __m128 dmin_##sym##_of_four(const char *const w[FOUR]) {                                                    \
        return _mm256_extractf128_ps(pairs, 1);                                                                        \
    }
PAIR(q2_k, four_last_pairs(w, sizeof(struct block_q2_k)))
PAIR(q4_k, halves_of_pairs(heads_of(w).d))
PAIR(q5_k, halves_of_pairs(heads_of(w).d))

INLINE __m128 d_iq1_m_of_four(const char *const w[FOUR]) {
    return _mm_setr_ps(d_iq1_m(w[0], 0), d_iq1_m(w[1], 0), d_iq1_m(w[2], 0), d_iq1_m(w[3], 0));
}

// One row a format: X(symbol, order, bytes of it, sums of minimums, their scale).
#define FORMATS256(X)                                                                                                  \
    X(q2_k, order_plain, 256, mins_sums_q2_k, dmin_q2_k_of_four)                                                       \
    X(q3_k, order_plain, 256, NULL, NULL)                                                                              \
    X(q4_k, order_halves, 256, mins_of_heads, dmin_q4_k_of_four)                                                       \
    X(q5_k, order_halves, 256, mins_of_heads, dmin_q5_k_of_four)                                                       \
    X(q6_k, order_plain, 256, NULL, NULL)                                                                              \
    X(iq4_xs, order_signed, 512, NULL, NULL)                                                                           \
    X(tq1_0, order_plain, 256, NULL, NULL)                                                                             \
    X(tq2_0, order_plain, 256, NULL, NULL)

// X(symbol, lanes, table of points, what d is multiplied by)
#define FORMATS_GRID(X)                                                                                                \
    X(iq1_s, lanes_of_iq1_s, table_iq1, 0.125f)                                                                        \
    X(iq1_m, lanes_of_iq1_m, table_iq1, 1)                                                                             \
    X(iq2_xxs, lanes_of_iq2_xxs, table_iq2_xxs, 0.125f)                                                                \
    X(iq2_xs, lanes_of_8, table_iq2_xs, 0.125f)                                                                        \
    X(iq2_s, lanes_of_8, table_iq2_s, 0.125f)                                                                          \
    X(iq3_xxs, lanes_of_iq3_xxs, table_iq3_xxs, 0.25f)                                                                 \
    X(iq3_s, lanes_of_4, table_iq3_s, 1)

#define DOT256(sym, order, step, mins, dmin)                                                                           \
    static void dot_##sym(const struct dot_job *j) {                                                                   \
        for (uint32_t c = 0; c < j->cols; c++)                                                                         \
            one_column((struct format256){lanes_##sym, NULL, NULL, NULL, order, step, mins, d_##sym##_of_four, dmin,   \
                                          sizeof(struct block_##sym), 1},                                              \
                       j, c);                                                                                          \
    }
FORMATS256(DOT256)

#define DOT_GRID(sym, lanes, table, factor)                                                                            \
    static void dot_##sym(const struct dot_job *j) {                                                                   \
        for (uint32_t c = 0; c < j->cols; c++)                                                                         \
            one_column((struct format256){NULL, read_##sym, lanes, table, order_points, 256, NULL, d_##sym##_of_four,  \
                                          NULL, sizeof(struct block_##sym), factor},                                   \
                       j, c);                                                                                          \
    }
FORMATS_GRID(DOT_GRID)

#include "backends/cpu/avx2_end.h"

void avx2_fill_dot256(struct kernels *k) {
#define SLOT(sym, order, step, mins, dmin) k->dot[QUANT_##sym] = dot_##sym;
    FORMATS256(SLOT)
#define SLOT_GRID(sym, lanes, table, factor) k->dot[QUANT_##sym] = dot_##sym;
    FORMATS_GRID(SLOT_GRID)
}

#endif
