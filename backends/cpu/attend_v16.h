// SPDX-License-Identifier: MIT
// Attention of some queries over one page, written once in vectors of sixteen floats, in tiles of V16_TILE queries
// times as many keys (scores) or vectors (values). Pages in half precision are widened once for all queries. Included
// by a level after ops_v16.h.
#pragma once

#include <math.h>

#include "backends/cpu/ops_v16.h"

#define TILE V16_TILE
#define FEW V16_FEW

// Sixteen elements of a page from element i on, as float32.
typedef v16 page_reader(const void *page, size_t i);

INLINE v16 read_page_f32(const void *page, size_t i) {
    return v16_load((const float *)page + i);
}

INLINE v16 read_page_f16(const void *page, size_t i) {
    return v16_load_f16((const uint16_t *)page + i);
}

// Elements of a page, the type asked at every call: for the few behind the last sixteen of a head.
INLINE float page_element(const void *page, bool half, size_t i) {
    return half ? num_f16_to_f32(((const uint16_t *)page)[i]) : ((const float *)page)[i];
}

// Asks for `size` bytes of the next page. Its keys are asked for while scores are computed and its values while values
// are: what is asked for at once must not be more than memory gives meanwhile, or whoever asks waits.
INLINE void ask_page_ahead(const char *p, size_t size) {
    for (size_t i = 0; i < size; i += 64)
        __builtin_prefetch(p + i, 0, 2);
}

INLINE void ask_keys_ahead(const struct attend_job *j, size_t part, size_t parts) {
    size_t begin = j->size_k * part / parts / 64 * 64, end = j->size_k * (part + 1) / parts;
    ask_page_ahead(j->next_k + begin, begin < end ? end - begin : 0);
}

// A page as the tiles read it.
struct page {
    const void *k, *v;
    size_t stride_v;    // elements from a key's values to the next one's
    bool half;          // half precision
    const char *next_v; // the next page's values, to be asked for, or NULL
};

// Adds the elements behind the last sixteen: 0 < n < 16 of them.
static v16 add_rest(v16 sum, const float *q, const struct page *p, size_t at, size_t n) {
    float key[16] = {0};
    for (size_t i = 0; i < n; i++)
        key[i] = page_element(p->k, p->half, at + i);
    return v16_pick((1u << n) - 1, v16_fma(v16_load_n(q, n), v16_load(key), sum), sum);
}

// q . k for `rows` queries and the TILE keys from `key` on; out[i] receives the TILE scores of query i.
INLINE void score_tile(page_reader *read, const float *const q[FEW], const struct page *p, size_t key, uint32_t dim,
                       float *const out[FEW], int rows) {
    v16 sum[FEW][TILE];
    UNROLL for (int i = 0; i < rows * TILE; i++) sum[i / TILE][i % TILE] = v16_set1(0.0f);
    uint32_t d = 0;
    for (; d + 16 <= dim; d += 16) {
        v16 keys[TILE];
        UNROLL for (size_t j = 0; j < TILE; j++) keys[j] = read(p->k, (key + j) * dim + d);
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < TILE; j++) sum[i][j] =
            v16_fma(v16_load(q[i] + d), keys[j], sum[i][j]);
    }
    if (d < dim)
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (size_t j = 0; j < TILE; j++) sum[i][j] =
            add_rest(sum[i][j], q[i] + d, p, (key + j) * dim + d, dim - d);
    UNROLL for (int i = 0; i < rows; i++) v16_sums(sum[i], out[i]);
}

// Scores of the rows r .. r + rows - 1 with the keys of [lo, hi), and a few around them. The last row stands in for
// rows that are not there.
INLINE void score_rows(page_reader *read, const struct attend_job *j, const struct page *p, uint32_t r, uint32_t lo,
                       uint32_t hi, int rows) {
    const float *q[FEW];
    float spare[TAPE_PAGE], *base[FEW], *out[FEW];
    for (uint32_t i = 0; i < (uint32_t)rows; i++) {
        bool there = r + i < j->rows;
        q[i] = j->q[there ? r + i : j->rows - 1];
        base[i] = there ? j->scores + (size_t)(r + i) * TAPE_PAGE : spare;
    }
    for (uint32_t key = lo / TILE * TILE; key < hi; key += TILE) {
        for (uint32_t i = 0; i < (uint32_t)rows; i++)
            out[i] = base[i] + key;
        if (r == 0)
            ask_keys_ahead(j, key / TILE, TAPE_PAGE / TILE);
        score_tile(read, q, p, key, j->dim_k, out, rows);
    }
}

// cap * num_tanh(s / cap)
INLINE v16 softcap16(v16 s, float cap) {
    v16 x = v16_div(s, v16_set1(cap)), one = v16_set1(1.0f);
    v16 e = v16_add(exp16(v16_mul(v16_set1(2.0f), x)), one);
    return v16_mul(v16_set1(cap), v16_sub(one, v16_div(v16_set1(2.0f), e)));
}

// The lanes of keys 16 i .. 16 i + 15 that lie in [lo, hi).
INLINE uint32_t seen(uint32_t i, uint32_t lo, uint32_t hi) {
    uint64_t all = (hi == 64 ? ~0ull : (1ull << hi) - 1) & ~((1ull << lo) - 1);
    return (uint32_t)(all >> 16 * i) & 0xffff;
}

// Scores of a row to weights, in place; unseen keys get weight 0. Gives the page's maximum and sum.
static void weigh_row(const struct attend_job *j, uint32_t r, float *m, float *s) {
    float *w = j->scores + (size_t)r * TAPE_PAGE;
    v16 score[TAPE_PAGE / 16], top = v16_set1(-INFINITY), sum = v16_set1(0.0f);
    for (uint32_t i = 0; i < TAPE_PAGE / 16; i++) {
        score[i] = v16_mul(v16_load(w + 16 * i), v16_set1(j->scale));
        if (j->softcap > 0)
            score[i] = softcap16(score[i], j->softcap);
        if (j->bias)
            score[i] = v16_add(score[i], v16_load(j->bias + (size_t)r * TAPE_PAGE + 16 * i));
        top = v16_pick(seen(i, j->lo[r], j->hi[r]), v16_max(score[i], top), top);
    }
    *m = v16_largest(top);
    for (uint32_t i = 0; i < TAPE_PAGE / 16; i++) {
        v16 e = exp16(v16_sub(score[i], v16_set1(*m)));
        e = v16_pick(seen(i, j->lo[r], j->hi[r]), e, v16_set1(0.0f));
        v16_store(w + 16 * i, e);
        sum = v16_add(sum, e);
    }
    *s = sum16(sum);
}

// out[i][0..16 vectors) += weights of the keys [lo, hi) times their values from element d on, for `rows` rows.
INLINE void value_block(page_reader *read, const float *const *w, const struct page *p, size_t d, uint32_t lo,
                        uint32_t hi, float *const *out, int rows, int vectors) {
    const size_t size = p->half ? sizeof(uint16_t) : sizeof(float);
    v16 sum[FEW][TILE];
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int c = 0; c < vectors; c++) sum[i][c] =
        v16_load(out[i] + d + 16 * c);
    for (uint32_t key = lo; key < hi; key++) {
        const size_t at = key * p->stride_v + d;
        if (p->next_v)
            ask_page_ahead(p->next_v + at * size, 16 * size * (size_t)vectors);
        UNROLL for (int c = 0; c < vectors; c++) {
            v16 value = read(p->v, at + 16 * (size_t)c);
            UNROLL for (int i = 0; i < rows; i++) sum[i][c] = v16_fma(v16_set1(w[i][key]), value, sum[i][c]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int c = 0; c < vectors; c++)
        v16_store(out[i] + d + 16 * c, sum[i][c]);
}

// The same for all of a head's dim values.
INLINE void value_tile(page_reader *read, const float *const *w, const struct page *p, uint32_t dim, uint32_t lo,
                       uint32_t hi, float *const *out, int rows) {
    uint32_t d = 0;
    for (; d + 16 * TILE <= dim; d += 16 * TILE)
        value_block(read, w, p, d, lo, hi, out, rows, TILE);
    for (; d + 16 <= dim; d += 16)
        value_block(read, w, p, d, lo, hi, out, rows, 1);
    for (; d < dim; d++)
        for (int i = 0; i < rows; i++)
            for (uint32_t key = lo; key < hi; key++)
                out[i][d] = num_fma(w[i][key], page_element(p->v, p->half, key * p->stride_v + d), out[i][d]);
}

// The page's values of the rows r .. r + rows - 1: the keys that all of them see in one go, the others row by row, each
// row in ascending order. Unseen keys are left out and not multiplied by 0, because their memory may hold anything.
// The last row stands in for rows that are not there, with results that nobody reads.
INLINE void value_rows(page_reader *read, const struct attend_job *j, const struct page *p, uint32_t r, float *page,
                       int rows) {
    const float *w[FEW];
    float *out[FEW];
    const uint32_t tile = (uint32_t)rows;
    struct page single = *p;
    uint32_t n = j->rows - r < tile ? j->rows - r : tile, begin = 0, end = TAPE_PAGE;
    memset(page, 0, (size_t)tile * j->dim_v * sizeof *page);
    for (uint32_t i = 0; i < tile; i++) {
        uint32_t row = r + (i < n ? i : n - 1);
        w[i] = j->scores + (size_t)row * TAPE_PAGE;
        out[i] = page + (size_t)i * j->dim_v;
        begin = j->lo[row] > begin ? j->lo[row] : begin;
        end = j->hi[row] < end ? j->hi[row] : end;
    }
    bool common = n > 1 && begin < end;
    if (common)
        single.next_v = NULL;
    for (uint32_t i = 0; i < n; i++)
        value_tile(read, &w[i], &single, j->dim_v, j->lo[r + i], common ? begin : j->hi[r + i], &out[i], 1);
    if (!common)
        return;
    value_tile(read, w, p, j->dim_v, begin, end, out, rows);
    for (uint32_t i = 0; i < n; i++)
        value_tile(read, &w[i], &single, j->dim_v, end, j->hi[r + i], &out[i], 1);
}

#include "backends/cpu/attend_rows_v16.h"

static void merge_row(const struct attend_found *all, float m, float s, const float *values, uint32_t r, uint32_t dim) {
    float top = m > all->m[r] ? m : all->m[r];
    float old = num_exp(all->m[r] - top), new = num_exp(m - top);
    merge_values(all->acc + (size_t)r * dim, values, dim, old, new);
    all->s[r] = num_fma(s, new, all->s[r] * old);
    all->m[r] = top;
}

static void merge(const struct attend_found *all, const struct attend_found *part, uint32_t rows, uint32_t dim) {
    for (uint32_t r = 0; r < rows; r++)
        if (part->s[r] != 0)
            merge_row(all, part->m[r], part->s[r], part->acc + (size_t)r * dim, r, dim);
}

// The rows r .. r + rows - 1 against the page.
INLINE void attend_rows(page_reader *read, const struct attend_job *j, const struct page *p, uint32_t r, uint32_t lo,
                        uint32_t hi, float *page, int rows) {
    uint32_t n = j->rows - r < (uint32_t)rows ? j->rows - r : (uint32_t)rows;
    float m[FEW] = {0}, s[FEW] = {0};
    score_rows(read, j, p, r, lo, hi, rows);
    for (uint32_t i = 0; i < n; i++)
        if (j->lo[r + i] < j->hi[r + i])
            weigh_row(j, r + i, &m[i], &s[i]);
    value_rows(read, j, p, r, page, rows);
    for (uint32_t i = 0; i < n; i++)
        if (j->lo[r + i] < j->hi[r + i])
            merge_row(&j->found, m[i], s[i], page + (size_t)i * j->dim_v, r + i, j->dim_v);
}

// Rows of the tiles of at most `most` that cover n rows: as many in each as in the others.
static uint32_t rows_of_tile(uint32_t n, uint32_t most) {
    uint32_t tiles = (n + most - 1) / most;
    return (n + tiles - 1) / tiles;
}

typedef void rows_kernel(const struct attend_job *j, const struct page *p, uint32_t r, uint32_t lo, uint32_t hi,
                         float *page);

#define HALF_ROWS(n)                                                                                                   \
    static void half_rows_##n(const struct attend_job *j, const struct page *p, uint32_t r, uint32_t lo, uint32_t hi,  \
                              float *page) {                                                                           \
        attend_rows(read_page_f16, j, p, r, lo, hi, page, n);                                                          \
    }

HALF_ROWS(1)
HALF_ROWS(2)
#if V16_FEW == 6
HALF_ROWS(3)
HALF_ROWS(4)
HALF_ROWS(5)
HALF_ROWS(6)
static rows_kernel *const half_rows[] = {NULL,        half_rows_1, half_rows_2, half_rows_3,
                                         half_rows_4, half_rows_5, half_rows_6};
#else
static rows_kernel *const half_rows[] = {NULL, half_rows_1, half_rows_2};
#endif

static void attend_half(const struct attend_job *j, const struct page *p, uint32_t lo, uint32_t hi, float *page) {
    const uint32_t rows = rows_of_tile(j->rows, FEW);
    struct page rest = *p;
    rest.next_v = NULL;
    for (uint32_t r = 0; r < j->rows; r += rows)
        half_rows[rows](j, r ? &rest : p, r, lo, hi, page);
}

static void attend_full(const struct attend_job *j, const struct page *p, uint32_t lo, uint32_t hi, float *page) {
    struct page rest = *p;
    rest.next_v = NULL;
    for (uint32_t r = 0; r < j->rows; r += TILE)
        attend_rows(read_page_f32, j, r ? &rest : p, r, lo, hi, page, TILE);
}

#include "backends/cpu/attend_quant_v16.h"

// Keys lo .. hi - 1 of a page in half precision, widened into their places in `out`.
static const float *widen(const uint16_t *page, uint32_t dim, uint32_t lo, uint32_t hi, float *out) {
    size_t i = (size_t)lo * dim, end = (size_t)hi * dim;
    for (; i + 16 <= end; i += 16)
        v16_store(out + i, v16_load_f16(page + i));
    for (; i < end; i++)
        out[i] = num_f16_to_f32(page[i]);
    return out;
}

// Pages of float16 and float32.
static void attend_float(const struct attend_job *j, uint32_t lo, uint32_t hi, float *page) {
    bool own_values = j->v != j->k, many = j->rows > ATTEND_FEW;
    struct page p = {j->k, j->v, own_values ? j->dim_v : j->dim_k, j->type == KV_F16, j->size_v ? j->next_v : NULL};
    if (p.half && many) { // tiles of keys may reach past hi; the page has 64
        p.k = widen(j->k, j->dim_k, lo / 4 * 4, (hi + 3) / 4 * 4, j->k32);
        p.v = own_values ? widen(j->v, j->dim_v, lo, hi, j->v32) : p.k;
        p.half = false;
    }
    if (many)
        attend_many(j, &p, page);
    else if (p.half)
        attend_half(j, &p, lo, hi, page);
    else
        attend_full(j, &p, lo, hi, page);
}

static void attend(const struct attend_job *j) {
    uint32_t lo = TAPE_PAGE, hi = 0;
    float page[FEW * ATTEND_MAX_DIM];
    for (uint32_t r = 0; r < j->rows; r++) {
        if (j->lo[r] >= j->hi[r])
            continue;
        lo = j->lo[r] < lo ? j->lo[r] : lo;
        hi = j->hi[r] > hi ? j->hi[r] : hi;
    }
    if (lo >= hi)
        return;
    if (j->type == KV_Q8_0)
        attend_q8_0(j, lo, hi, page);
    else if (j->type == KV_Q4_0)
        attend_q4_0(j, lo, hi, page);
    else
        attend_float(j, lo, hi, page);
}

#undef TILE
#undef FEW
