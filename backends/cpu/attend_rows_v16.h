// SPDX-License-Identifier: MIT
// Attention of many queries over one page: lanes are queries, so scores, maxima and sums need nothing across lanes, and
// the order of the partial sums is that of their residue classes, one after the other. The queries come transposed,
// once for all pages; a page's keys and values are read as float32. Included by attend_v16.h.
#pragma once

#define KEYS 4           // of a tile of scores, times V16_ROW_VECTORS * 16 queries
#define FULL ATTEND_ROWS // floats from a key's row of queries or weights to the next one's

// The sums of a tile.
struct tile {
    v16 v[V16_ROW_VECTORS][KEYS];
};

// Elements r, r + 16, ... of the queries at qt and the keys at k.
INLINE struct tile residue(const float *qt, const float *k, uint32_t dim, uint32_t r) {
    struct tile t;
    UNROLL for (int i = 0; i < V16_ROW_VECTORS; i++) UNROLL for (int c = 0; c < KEYS; c++) t.v[i][c] = v16_set1(0.0f);
    for (size_t d = r; d < dim; d += 16) {
        v16 q[V16_ROW_VECTORS];
        UNROLL for (int i = 0; i < V16_ROW_VECTORS; i++) q[i] = v16_load(qt + d * FULL + 16 * i);
        UNROLL for (int c = 0; c < KEYS; c++) {
            v16 key = v16_set1(k[(size_t)c * dim + d]);
            UNROLL for (int i = 0; i < V16_ROW_VECTORS; i++) t.v[i][c] = v16_fma(q[i], key, t.v[i][c]);
        }
    }
    return t;
}

INLINE struct tile add_tiles(struct tile a, struct tile b) {
    UNROLL for (int i = 0; i < V16_ROW_VECTORS; i++) UNROLL for (int c = 0; c < KEYS; c++) a.v[i][c] =
        v16_add(a.v[i][c], b.v[i][c]);
    return a;
}

// The tree of quant_sum16 over the residues, from its leaves: i + (i + 8), then those four apart, then two.
INLINE struct tile tree2(const float *qt, const float *k, uint32_t dim, uint32_t i) {
    return add_tiles(residue(qt, k, dim, i), residue(qt, k, dim, i + 8));
}

INLINE struct tile tree4(const float *qt, const float *k, uint32_t dim, uint32_t i) {
    return add_tiles(tree2(qt, k, dim, i), tree2(qt, k, dim, i + 4));
}

INLINE struct tile tree8(const float *qt, const float *k, uint32_t dim, uint32_t i) {
    return add_tiles(tree4(qt, k, dim, i), tree4(qt, k, dim, i + 2));
}

// w[key][query] = q . k for the queries of a tile and KEYS keys.
static void score_block(const float *qt, const float *k, uint32_t dim, float *w) {
    struct tile t = add_tiles(tree8(qt, k, dim, 0), tree8(qt, k, dim, 1));
    for (int c = 0; c < KEYS; c++)
        for (int i = 0; i < V16_ROW_VECTORS; i++)
            v16_store(w + (size_t)c * FULL + 16 * i, t.v[i][c]);
}

// What sixteen queries see of a page: the keys [lo, hi), and which lanes see each of them.
struct seen16 {
    uint32_t lo, hi, active;
    bool all; // every lane sees every key of [lo, hi)
    uint16_t lanes[TAPE_PAGE];
};

static void find_seen(const struct attend_job *j, uint32_t row, struct seen16 *s) {
    uint32_t left = row < j->rows ? j->rows - row : 0, n = left < 16 ? left : 16, first = TAPE_PAGE, last = 0;
    *s = (struct seen16){.lo = TAPE_PAGE, .all = n == 16};
    for (uint32_t r = 0; r < n; r++) {
        uint32_t lo = j->lo[row + r], hi = j->hi[row + r];
        if (lo >= hi) {
            s->all = false;
            continue;
        }
        s->active |= 1u << r;
        s->all &= first == TAPE_PAGE || (lo == first && hi == last);
        first = lo, last = hi;
        s->lo = lo < s->lo ? lo : s->lo;
        s->hi = hi > s->hi ? hi : s->hi;
    }
    if (s->all)
        return;
    for (uint32_t r = 0; r < n; r++)
        for (uint32_t key = j->lo[row + r]; key < j->hi[row + r]; key++)
            s->lanes[key] |= (uint16_t)(1u << r);
}

INLINE v16 bias16(const struct attend_job *j, uint32_t row, uint32_t key) {
    float b[16] = {0};
    for (uint32_t r = 0; r < 16 && row + r < j->rows; r++)
        b[r] = j->bias[(size_t)(row + r) * TAPE_PAGE + key];
    return v16_load(b);
}

// Scores of sixteen queries, scaled and capped in place; returns their maxima over the keys that they see.
INLINE v16 scale_scores(const struct attend_job *j, uint32_t row, const struct seen16 *s, float *w) {
    v16 top = v16_set1(-INFINITY), scale = v16_set1(j->scale);
    bool plain = j->softcap <= 0 && !j->bias;
    for (uint32_t key = s->lo; key < s->hi; key++) {
        v16 score = v16_mul(v16_load(w + (size_t)key * FULL), scale);
        if (!plain) {
            score = j->softcap > 0 ? softcap16(score, j->softcap) : score;
            score = j->bias ? v16_add(score, bias16(j, row, key)) : score;
        }
        v16_store(w + (size_t)key * FULL, score);
        v16 larger = v16_max(score, top);
        top = s->all ? larger : v16_pick(s->lanes[key], larger, top);
    }
    return top;
}

// Scores to weights, in place; returns their sums. Keys of one residue class follow each other.
INLINE v16 class_sum(const struct seen16 *s, float *w, v16 top, uint32_t class) {
    v16 sum = v16_set1(0.0f);
    for (uint32_t key = class; key < s->hi; key += 16) {
        if (key < s->lo)
            continue;
        v16 e = exp16(v16_sub(v16_load(w + (size_t)key * FULL), top));
        v16_store(w + (size_t)key * FULL, e);
        sum = v16_add(sum, s->all ? e : v16_pick(s->lanes[key], e, v16_set1(0.0f)));
    }
    return sum;
}

static v16 weigh_rows(const struct seen16 *s, float *w, v16 top) {
    v16 sum[16];
    for (uint32_t i = 0; i < 16; i++)
        sum[i] = class_sum(s, w, top, i);
    for (uint32_t i = 0; i < 8; i++)
        sum[i] = v16_add(sum[i], sum[i + 8]);
    for (uint32_t i = 0; i < 4; i++)
        sum[i] = v16_add(sum[i], sum[i + 4]);
    return v16_add(v16_add(sum[0], sum[2]), v16_add(sum[1], sum[3]));
}

// Merges maxima and sums of sixteen queries into theirs; `old` and `new` receive the factors for their values. A query
// that has seen nothing has the maximum -inf, whose factor is 0.
INLINE void merge_rows(const struct attend_job *j, uint32_t row, uint32_t active, v16 m, v16 s, float *old,
                       float *new) {
    uint32_t n = j->rows - row;
    v16 before = load_some(j->found.m + row, n), sum = load_some(j->found.s + row, n), top = v16_max(m, before);
    v16 a = exp16(v16_sub(before, top)), b = exp16(v16_sub(m, top));
    v16_store(old, a);
    v16_store(new, b);
    store_some(j->found.m + row, v16_pick(active, top, before), n);
    store_some(j->found.s + row, v16_pick(active, v16_fma(s, b, v16_mul(sum, a)), sum), n);
}

// Scores and weights of the queries of a tile; the factors for their values.
static void weigh_tile(const struct attend_job *j, const struct page *p, uint32_t row, float *old, float *new) {
    struct seen16 seen[V16_ROW_VECTORS];
    uint32_t lo = TAPE_PAGE, hi = 0;
    for (uint32_t i = 0; i < V16_ROW_VECTORS; i++) {
        find_seen(j, row + 16 * i, &seen[i]);
        lo = seen[i].lo < lo ? seen[i].lo : lo;
        hi = seen[i].hi > hi ? seen[i].hi : hi;
    }
    for (uint32_t key = lo / KEYS * KEYS; key < hi; key += KEYS)
        score_block(j->qt + row, (const float *)p->k + (size_t)key * j->dim_k, j->dim_k,
                    j->scores + (size_t)key * FULL + row);
    for (uint32_t i = 0; i < V16_ROW_VECTORS && row + 16 * i < j->rows; i++) {
        float *w = j->scores + row + 16 * i;
        v16 m = scale_scores(j, row + 16 * i, &seen[i], w);
        v16 s = weigh_rows(&seen[i], w, m);
        merge_rows(j, row + 16 * i, seen[i].active, m, s, old + 16 * i, new + 16 * i);
    }
}

// out[row i][16 c ...] += weights of the keys [lo, hi) times their values from element d on.
INLINE void value_rows_block(const float *w, const struct page *p, size_t d, uint32_t lo, uint32_t hi, float *out,
                             size_t stride, size_t rows, size_t vectors) {
    v16 sum[TILE][TILE];
    const float *value = (const float *)p->v + d;
    UNROLL for (size_t i = 0; i < rows; i++) UNROLL for (size_t c = 0; c < vectors; c++) sum[i][c] =
        v16_load(out + i * stride + d + 16 * c);
    for (size_t key = lo; key < hi; key++)
        UNROLL for (size_t c = 0; c < vectors; c++) {
            v16 v = v16_load(value + key * p->stride_v + 16 * c);
            UNROLL for (size_t i = 0; i < rows; i++) sum[i][c] = v16_fma(v16_set1(w[key * FULL + i]), v, sum[i][c]);
        }
    UNROLL for (size_t i = 0; i < rows; i++) UNROLL for (size_t c = 0; c < vectors; c++)
        v16_store(out + i * stride + d + 16 * c, sum[i][c]);
}

// The same for all of a head's values.
INLINE void value_rows_all(const float *w, const struct page *p, uint32_t dim, uint32_t lo, uint32_t hi, float *out,
                           size_t rows) {
    uint32_t d = 0;
    for (; d + 16 * TILE <= dim; d += 16 * TILE)
        value_rows_block(w, p, d, lo, hi, out, dim, rows, TILE);
    for (; d + 16 <= dim; d += 16)
        value_rows_block(w, p, d, lo, hi, out, dim, rows, 1);
    for (; d < dim; d++)
        for (size_t i = 0; i < rows; i++)
            for (size_t key = lo; key < hi; key++)
                out[i * dim + d] =
                    num_fma(w[key * FULL + i], ((const float *)p->v)[key * p->stride_v + d], out[i * dim + d]);
}

// The page's values of the rows row .. row + n - 1, n <= TILE, into `page`: the keys that all of them see in one go,
// the others row by row, each row in ascending order. Unseen keys are left out and not multiplied by 0, because their
// memory may hold anything.
static void value_tile_rows(const struct attend_job *j, const struct page *p, uint32_t row, uint32_t n, float *page) {
    const float *w = j->scores + row;
    uint32_t begin = 0, end = TAPE_PAGE;
    memset(page, 0, (size_t)n * j->dim_v * sizeof *page);
    for (uint32_t i = 0; i < n; i++) {
        begin = j->lo[row + i] > begin ? j->lo[row + i] : begin;
        end = j->hi[row + i] < end ? j->hi[row + i] : end;
    }
    bool common = n == TILE && begin < end;
    for (uint32_t i = 0; i < n; i++)
        value_rows_all(w + i, p, j->dim_v, j->lo[row + i], common ? begin : j->hi[row + i], page + (size_t)i * j->dim_v,
                       1);
    if (!common)
        return;
    value_rows_all(w, p, j->dim_v, begin, end, page, TILE);
    for (uint32_t i = 0; i < n; i++)
        value_rows_all(w + i, p, j->dim_v, end, j->hi[row + i], page + (size_t)i * j->dim_v, 1);
}

INLINE void merge_values(float *acc, const float *page, uint32_t dim, float old, float new) {
    for (uint32_t i = 0; i < dim; i += 16) {
        v16 v = v16_mul(load_some(acc + i, dim - i), v16_set1(old));
        store_some(acc + i, v16_fma(load_some(page + i, dim - i), v16_set1(new), v), dim - i);
    }
}

// All rows against a page in float32.
static void attend_many(const struct attend_job *j, const struct page *p, float *page) {
    float old[ATTEND_ROWS], new[ATTEND_ROWS];
    for (uint32_t row = 0; row < j->rows; row += 16 * V16_ROW_VECTORS)
        weigh_tile(j, p, row, old + row, new + row);
    for (uint32_t row = 0; row < j->rows; row += TILE) {
        uint32_t n = j->rows - row < TILE ? j->rows - row : TILE;
        value_tile_rows(j, p, row, n, page);
        for (uint32_t r = row; r < row + n; r++)
            if (j->lo[r] < j->hi[r])
                merge_values(j->found.acc + (size_t)r * j->dim_v, page + (size_t)(r - row) * j->dim_v, j->dim_v, old[r],
                             new[r]);
    }
}

#undef KEYS
#undef FULL
