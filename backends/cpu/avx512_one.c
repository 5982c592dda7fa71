// SPDX-License-Identifier: MIT
// AVX-512, one column, formats with one float scale per 256 elements. A block's bytes are used in the order in which
// they lie: the column is put into that order once for all rows of a job, and where the order is such that a lane's
// products belong to one sub-block, sums are multiplied by sub-scales once a block. The lanes of a sum are four rows.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_one.h"
#include "backends/cpu/avx512_one_grids.h"
#include "backends/cpu/avx512_sums4.h"

#define ROWS 4

INLINE __m128 four_scales(const struct one f, const char *const w[ROWS]) {
    uint16_t d[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) d[r] = f.half(w[r]);
    __m128 v = four_halves(d);
    return f.factor == 1 ? v : _mm_mul_ps(v, _mm_set1_ps(f.factor));
}

// The blocks at w of four rows: what they add to the partial sum acc.
INLINE __m128 add_block(const struct one f, const char *const w[ROWS], const struct one_column *c, const int16_t *bs,
                        float d, const char *planes, __m128 acc) {
    const __m128 dx = _mm_set1_ps(d);
    __m512i sum[ROWS], points[ROWS][2];
    if (f.grid)
        f.points(w, planes, points);
    f.lanes(w, points, c, sum);
    __m128 all = _mm_cvtepi32_ps(int_sums_of_four(sum[0], sum[1], sum[2], sum[3]));
    acc = _mm_fmadd_ps(_mm_mul_ps(four_scales(f, w), dx), all, acc);
    if (!f.mins)
        return acc;
    __m128 dmin, min = _mm_cvtepi32_ps(f.mins(w, bs, &dmin));
    return _mm_fnmadd_ps(_mm_mul_ps(dmin, dx), min, acc);
}

INLINE void one_column(const struct one f, const struct dot_job *j) {
    const struct quant_vec x = quant_act_vec(j->layout, j->x);
    const size_t blocks = j->n / 256;
    int8_t *q = j->panel;
    char *planes = (char *)j->panel + 256 * blocks;
    for (size_t b = 0; b < blocks; b++)
        f.order(x.q + 256 * b, q + 256 * b);
    if (f.grid)
        planes_of(f.grid, f.n_points, f.of_4, planes);
    for (uint32_t r = 0; r < j->rows; r += ROWS) {
        const char *ahead = ahead_of_row(j, r, ROWS), *w[ROWS];
        uint32_t rows = j->rows - r < ROWS ? j->rows - r : ROWS;
        __m128 acc[8];
        for (uint32_t i = 0; i < ROWS; i++)
            w[i] = j->w + (r + (i < rows ? i : rows - 1)) * j->row_size;
        UNROLL for (int i = 0; i < 8; i++) acc[i] = _mm_setzero_ps();
        for (size_t b = 0; b < blocks; b++) {
            const struct one_column c = f.column(q + 256 * b, x.bs + 16 * b);
            prefetch(ahead + b * ROWS * f.block_size, ROWS * f.block_size);
            acc[b % 8] = add_block(f, w, &c, x.bs + 16 * b, x.d[b], planes, acc[b % 8]);
            UNROLL for (int i = 0; i < ROWS; i++) w[i] += f.block_size;
        }
        _mm_mask_storeu_ps(j->y + r, (__mmask8)((1u << rows) - 1), sum8_of_four(acc));
    }
}

#define ONE(sym, order, column, mins, factor, points, grid, n, of_4)                                                   \
    static void one_##sym(const struct dot_job *j) {                                                                   \
        if (j->cols > 1)                                                                                               \
            avx512_dot_##sym(j);                                                                                       \
        else                                                                                                           \
            one_column((struct one){lanes_##sym, order, column, mins, half_##sym, sizeof(struct block_##sym), factor,  \
                                    points, grid, n, of_4},                                                            \
                       j);                                                                                             \
    }
FORMATS_ONE(ONE)

#include "backends/cpu/avx512_end.h"

void avx512_fill_one(struct kernels *k) {
#define SLOT(sym, order, column, mins, factor, points, grid, n, of_4) k->dot[QUANT_##sym] = one_##sym;
    FORMATS_ONE(SLOT)
}

#endif
