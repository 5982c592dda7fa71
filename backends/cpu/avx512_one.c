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
#include "backends/cpu/avx512_one_loads.h"
#include "backends/cpu/avx512_sums4.h"

#define ROWS 4

// The sums of four blocks. Of formats that read points by loads the places in the table are known, and those of the
// blocks `next` bytes behind them are found meanwhile.
INLINE void lanes_of_rows(const struct one f, const char *const w[ROWS], size_t next, const char *table,
                          const struct one_column *c, struct places places[ROWS], __m512i sum[ROWS]) {
    if (f.lanes) {
        f.lanes(w, table, c, sum);
        return;
    }
    UNROLL for (int r = 0; r < ROWS; r++) {
        sum[r] = f.row(w[r], &places[r], table, c);
        f.read(w[r] + next, &places[r]);
    }
    THROUGH_MEMORY(*(struct places(*)[ROWS])places);
}

// In registers: compilers prefer to read it again for every row.
INLINE struct one_column column_at(const struct one_column *p) {
    struct one_column c = *p;
    UNROLL for (int i = 0; i < 4; i++) c.x[i] = load_once(&p->x[i]);
    return c;
}

// A block of four rows before its sums go across lanes.
struct sums {
    __m512i sum[ROWS], min;
    __m128 scale, dmin;
};

INLINE struct sums sums_of_block(const struct one f, const char *const w[ROWS], size_t next, const char *table,
                                 const struct one_column *c, float d, struct places places[ROWS]) {
    struct sums s;
    const __m128 dx = _mm_set1_ps(d);
    const __m256 dw = f.d(w);
    lanes_of_rows(f, w, next, table, c, places, s.sum);
    __m128 scale = _mm256_castps256_ps128(dw);
    s.scale = _mm_mul_ps(f.factor == 1 ? scale : _mm_mul_ps(scale, _mm_set1_ps(f.factor)), dx);
    s.min = f.mins ? f.mins(w, c) : _mm512_setzero_si512();
    s.dmin = f.mins ? _mm_mul_ps(_mm256_extractf128_ps(dw, 1), dx) : _mm_setzero_ps();
    return s;
}

// The sums of the lanes of each quarter.
INLINE __m128i sums_of_quarters(__m512i v) {
    const __m512i quarters = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0x4e));
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0xb1));
    return _mm512_castsi512_si128(_mm512_permutexvar_epi32(quarters, v));
}

// The partial sum acc and what the block adds to it.
INLINE __m128 add_block(const struct one f, const struct sums *s, __m128 acc) {
    __m128i all = int_sums_of_four(s->sum);
    acc = _mm_fmadd_ps(s->scale, _mm_cvtepi32_ps(f.shift ? _mm_srai_epi32(all, f.shift) : all), acc);
    return f.mins ? _mm_fnmadd_ps(s->dmin, _mm_cvtepi32_ps(sums_of_quarters(s->min)), acc) : acc;
}

INLINE void one_column(const struct one f, const struct dot_job *j) {
    const struct quant_vec x = quant_act_vec(j->layout, j->x);
    const size_t blocks = j->n / 256;
    const __m512i none = _mm512_setzero_si512();
    struct one_column *columns = j->panel;
    char *table = (char *)(columns + blocks);
    for (size_t b = 0; b < blocks && !j->again; b++)
        f.column(x.q + 256 * b, x.bs + 16 * b, &columns[b]);
    if (f.table && !j->again)
        f.table(table);
    for (uint32_t first = 0; first < j->rows; first += ROWS) {
        const char *ahead = ahead_of_row(j, first, ROWS), *w[ROWS];
        uint32_t rows = j->rows - first < ROWS ? j->rows - first : ROWS;
        struct places places[ROWS];
        __m128 acc[8];
        for (uint32_t r = 0; r < ROWS; r++) {
            w[r] = j->w + (first + (r < rows ? r : rows - 1)) * j->row_size;
            if (f.read)
                f.read(w[r], &places[r]);
        }
        struct sums before = {{none, none, none, none}, none, _mm_setzero_ps(), _mm_setzero_ps()};
        UNROLL for (int i = 0; i < 8; i++) acc[i] = _mm_setzero_ps();
        for (size_t b = 0; b < blocks; b++) {
            const size_t next = b + 1 < blocks ? f.block_size : 0;
            prefetch(ahead + b * ROWS * f.block_size, ROWS * f.block_size);
            const struct one_column c = column_at(&columns[b]);
            const struct sums s = sums_of_block(f, w, next, table, &c, x.d[b], places);
            acc[(b + 7) % 8] = add_block(f, &before, acc[(b + 7) % 8]);
            before = s;
            UNROLL for (int r = 0; r < ROWS; r++) w[r] += f.block_size;
        }
        acc[(blocks + 7) % 8] = add_block(f, &before, acc[(blocks + 7) % 8]);
        _mm_mask_storeu_ps(j->y + first, (__mmask8)((1u << rows) - 1), sum8_of_four(acc));
    }
}

#define SCALES(sym)                                                                                                    \
    INLINE __m256 d_##sym(const char *const w[ROWS]) {                                                                 \
        uint16_t d[ROWS];                                                                                              \
        UNROLL for (int r = 0; r < ROWS; r++) d[r] = half_##sym(w[r]);                                                 \
        return _mm256_castps128_ps256(four_halves(d));                                                                 \
    }
SCALES(iq4_xs)
SCALES(tq1_0)
SCALES(iq1_s)
SCALES(iq1_m)
SCALES(iq2_xxs)
SCALES(iq2_xs)
SCALES(iq2_s)
SCALES(iq3_xxs)
SCALES(iq3_s)

#define ONE_COLUMN(sym, ...)                                                                                           \
    static void one_##sym(const struct dot_job *j) {                                                                   \
        for (uint32_t c = 0; c < j->cols; c++) {                                                                       \
            const struct dot_job one = job_of_column(j, c);                                                            \
            one_column((struct one){__VA_ARGS__}, &one);                                                               \
        }                                                                                                              \
    }
#define ONE(sym, shift, column, mins, factor, table)                                                                   \
    ONE_COLUMN(sym, lanes_##sym, NULL, NULL, shift, column, mins, d_##sym, sizeof(struct block_##sym), factor, table)
#define ONE_LOADS(sym, factor, table)                                                                                  \
    ONE_COLUMN(sym, NULL, read_##sym, row_##sym, 0, column_##sym, NULL, d_##sym, sizeof(struct block_##sym), factor,   \
               table)
FORMATS_ONE(ONE)
FORMATS_LOADS(ONE_LOADS)

#include "backends/cpu/avx512_end.h"

void avx512_fill_one(struct kernels *k) {
#define SLOT(sym, ...) k->dot[QUANT_##sym] = one_##sym;
    FORMATS_ONE(SLOT)
    FORMATS_LOADS(SLOT)
}

#endif
