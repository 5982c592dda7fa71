// SPDX-License-Identifier: MIT
// Attention of some queries over one page, written once in vectors of sixteen floats, in tiles of V16_TILE queries
// times as many keys (scores) or vectors (values). Pages in half precision are widened once for all queries. Included
// by a level after ops_v16.h.
#pragma once

#include <math.h>

#include "backends/cpu/ops_v16.h"

#define TILE V16_TILE

// q . k for TILE queries and TILE keys; out[i] receives the TILE scores of query i.
INLINE void score_tile(const float *const q[TILE], const float *k, uint32_t dim, float *const out[TILE]) {
    v16 sum[TILE][TILE];
    UNROLL for (int i = 0; i < TILE * TILE; i++) sum[i / TILE][i % TILE] = v16_set1(0.0f);
    uint32_t d = 0;
    for (; d + 16 <= dim; d += 16)
        UNROLL for (int i = 0; i < TILE; i++) UNROLL for (int j = 0; j < TILE; j++) sum[i][j] =
            v16_fma(v16_load(q[i] + d), v16_load(k + (size_t)j * dim + d), sum[i][j]);
    if (d < dim)
        for (int i = 0; i < TILE; i++)
            for (int j = 0; j < TILE; j++) {
                v16 s = v16_fma(v16_load_n(q[i] + d, dim - d), v16_load_n(k + (size_t)j * dim + d, dim - d), sum[i][j]);
                sum[i][j] = v16_pick((1u << (dim - d)) - 1, s, sum[i][j]);
            }
    UNROLL for (int i = 0; i < TILE; i++) UNROLL for (int j = 0; j < TILE; j++) out[i][j] = sum16(sum[i][j]);
}

// Scores of the rows r .. r + TILE - 1 with the keys of [lo, hi), and a few around them. The last row stands in for
// rows that are not there.
static void score_rows(const struct attend_job *j, const float *k, uint32_t r, uint32_t lo, uint32_t hi) {
    const float *q[TILE];
    float spare[TAPE_PAGE], *base[TILE], *out[TILE];
    for (uint32_t i = 0; i < TILE; i++) {
        bool there = r + i < j->rows;
        q[i] = j->q[there ? r + i : j->rows - 1];
        base[i] = there ? j->scores + (size_t)(r + i) * TAPE_PAGE : spare;
    }
    for (uint32_t key = lo / TILE * TILE; key < hi; key += TILE) {
        for (uint32_t i = 0; i < TILE; i++)
            out[i] = base[i] + key;
        score_tile(q, k + (size_t)key * j->dim_k, j->dim_k, out);
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

// out[i][0..16 vectors) += weights of the keys [lo, hi) times their values, for `rows` rows.
INLINE void value_block(const float *const *w, const float *v, size_t dim, uint32_t lo, uint32_t hi, float *const *out,
                        int rows, int vectors) {
    v16 sum[TILE][TILE];
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int c = 0; c < vectors; c++) sum[i][c] =
        v16_load(out[i] + 16 * c);
    for (uint32_t key = lo; key < hi; key++)
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int c = 0; c < vectors; c++) sum[i][c] =
            v16_fma(v16_set1(w[i][key]), v16_load(v + key * dim + 16 * (size_t)c), sum[i][c]);
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int c = 0; c < vectors; c++)
        v16_store(out[i] + 16 * c, sum[i][c]);
}

// The same for all of a head's dim values.
INLINE void value_tile(const float *const *w, const float *v, uint32_t dim, uint32_t lo, uint32_t hi, float *const *out,
                       int rows) {
    float *at[TILE];
    uint32_t d = 0;
    for (; d + 16 * TILE <= dim; d += 16 * TILE) {
        for (int i = 0; i < rows; i++)
            at[i] = out[i] + d;
        value_block(w, v + d, dim, lo, hi, at, rows, TILE);
    }
    for (; d + 16 <= dim; d += 16) {
        for (int i = 0; i < rows; i++)
            at[i] = out[i] + d;
        value_block(w, v + d, dim, lo, hi, at, rows, 1);
    }
    for (; d < dim; d++)
        for (int i = 0; i < rows; i++)
            for (uint32_t key = lo; key < hi; key++)
                out[i][d] = num_fma(w[i][key], v[(size_t)key * dim + d], out[i][d]);
}

static void value_all(const float *const *w, const float *v, uint32_t dim, uint32_t lo, uint32_t hi,
                      float *const *out) {
    value_tile(w, v, dim, lo, hi, out, TILE);
}

static void value_one(const float *w, const float *v, uint32_t dim, uint32_t lo, uint32_t hi, float *out) {
    value_tile(&w, v, dim, lo, hi, &out, 1);
}

// The page's values of the rows r .. r + TILE - 1: the keys that all of them see in one go, the others row by row, each
// row in ascending order. Unseen keys are left out and not multiplied by 0, because their memory may hold anything.
static void value_rows(const struct attend_job *j, const float *v, uint32_t r, float *page) {
    const float *w[TILE];
    float *out[TILE];
    uint32_t n = j->rows - r < TILE ? j->rows - r : TILE, begin = 0, end = TAPE_PAGE;
    memset(page, 0, (size_t)n * j->dim_v * sizeof *page);
    for (uint32_t i = 0; i < n; i++) {
        w[i] = j->scores + (size_t)(r + i) * TAPE_PAGE;
        out[i] = page + (size_t)i * j->dim_v;
        begin = j->lo[r + i] > begin ? j->lo[r + i] : begin;
        end = j->hi[r + i] < end ? j->hi[r + i] : end;
    }
    bool common = n == TILE && begin < end;
    for (uint32_t i = 0; i < n; i++)
        value_one(w[i], v, j->dim_v, j->lo[r + i], common ? begin : j->hi[r + i], out[i]);
    if (!common)
        return;
    value_all(w, v, j->dim_v, begin, end, out);
    for (uint32_t i = 0; i < n; i++)
        value_one(w[i], v, j->dim_v, end, j->hi[r + i], out[i]);
}

static void merge_row(const struct attend_job *j, uint32_t r, float m, float s, const float *page) {
    float *acc = j->acc + (size_t)r * j->dim_v;
    float top = j->s[r] == 0 || m > j->m[r] ? m : j->m[r];
    float old = j->s[r] == 0 ? 0 : num_exp(j->m[r] - top), new = num_exp(m - top);
    for (uint32_t i = 0; i < j->dim_v; i += 16) {
        v16 v = v16_mul(load_some(acc + i, j->dim_v - i), v16_set1(old));
        store_some(acc + i, v16_fma(load_some(page + i, j->dim_v - i), v16_set1(new), v), j->dim_v - i);
    }
    j->s[r] = num_fma(s, new, j->s[r] * old);
    j->m[r] = top;
}

// Keys lo .. hi - 1 of a page as float32, in place or widened into `out`.
static const float *widen(const void *page, enum kv_type type, uint32_t dim, uint32_t lo, uint32_t hi, float *out) {
    const uint16_t *h = page;
    if (type == KV_F32)
        return page;
    size_t i = (size_t)lo * dim, end = (size_t)hi * dim;
    for (; i + 16 <= end; i += 16)
        v16_store(out + i, v16_load_f16(h + i));
    for (; i < end; i++)
        out[i] = num_f16_to_f32(h[i]);
    return out;
}

// The rows r .. r + TILE - 1 against the page.
static void attend_rows(const struct attend_job *j, const float *k, const float *v, uint32_t r, uint32_t lo,
                        uint32_t hi, float *page) {
    uint32_t n = j->rows - r < TILE ? j->rows - r : TILE;
    float m[TILE] = {0}, s[TILE] = {0};
    score_rows(j, k, r, lo, hi);
    for (uint32_t i = 0; i < n; i++)
        if (j->lo[r + i] < j->hi[r + i])
            weigh_row(j, r + i, &m[i], &s[i]);
    value_rows(j, v, r, page);
    for (uint32_t i = 0; i < n; i++)
        if (j->lo[r + i] < j->hi[r + i])
            merge_row(j, r + i, m[i], s[i], page + (size_t)i * j->dim_v);
}

static void attend(const struct attend_job *j) {
    uint32_t lo = TAPE_PAGE, hi = 0;
    float page[TILE * ATTEND_MAX_DIM];
    for (uint32_t r = 0; r < j->rows; r++) {
        if (j->lo[r] >= j->hi[r])
            continue;
        lo = j->lo[r] < lo ? j->lo[r] : lo;
        hi = j->hi[r] > hi ? j->hi[r] : hi;
    }
    if (lo >= hi)
        return;
    // Tiles of keys may reach past hi; the page has 64.
    const float *k = widen(j->k, j->type, j->dim_k, lo / TILE * TILE, (hi + TILE - 1) / TILE * TILE, j->k32);
    const float *v = widen(j->v, j->type, j->dim_v, lo, hi, j->v32);
    for (uint32_t r = 0; r < j->rows; r += TILE)
        attend_rows(j, k, v, r, lo, hi, page);
}

#undef TILE
