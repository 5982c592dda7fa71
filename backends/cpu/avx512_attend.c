// SPDX-License-Identifier: MIT
// AVX-512: attention of some queries over one page, in tiles of four queries times four keys (scores) and four queries
// times four vectors (values). Pages in half precision are widened once for all queries.
#include <math.h>
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_math.h"

#define TILE 4

// Four vectors of 16 partial sums to four sums, each by the tree of quant_sum16.
INLINE __m128 sums_of_four(const __m512 a[4]) {
    __m256 h[4];
    UNROLL for (int i = 0; i < 4; i++) h[i] =
        _mm256_add_ps(_mm512_castps512_ps256(a[i]), _mm512_extractf32x8_ps(a[i], 1));
    __m256 x = _mm256_add_ps(_mm256_permute2f128_ps(h[0], h[1], 0x20), _mm256_permute2f128_ps(h[0], h[1], 0x31));
    __m256 y = _mm256_add_ps(_mm256_permute2f128_ps(h[2], h[3], 0x20), _mm256_permute2f128_ps(h[2], h[3], 0x31));
    __m256 z = _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x44), _mm256_shuffle_ps(x, y, 0xee)); // 0 0 2 2 | 1 1 3 3
    z = _mm256_add_ps(z, _mm256_movehdup_ps(z));
    __m128 low = _mm256_castps256_ps128(z), high = _mm256_extractf128_ps(z, 1);
    return _mm_shuffle_ps(_mm_unpacklo_ps(low, high), _mm_unpackhi_ps(low, high), 0x44);
}

// q . k for TILE queries and TILE keys; out is [query][TAPE_PAGE].
INLINE void score_tile(const float *const q[TILE], const float *k, uint32_t dim, float *const out[TILE]) {
    __m512 sum[TILE][TILE];
    UNROLL for (int i = 0; i < TILE * TILE; i++) sum[i / TILE][i % TILE] = _mm512_setzero_ps();
    for (uint32_t d = 0; d < dim; d += 16) {
        __mmask16 m = dim - d < 16 ? lanes(dim - d) : (__mmask16)0xffff;
        __m512 key[TILE];
        UNROLL for (int j = 0; j < TILE; j++) key[j] = _mm512_maskz_loadu_ps(m, k + (size_t)j * dim + d);
        UNROLL for (int i = 0; i < TILE; i++) {
            __m512 query = _mm512_maskz_loadu_ps(m, q[i] + d);
            UNROLL for (int j = 0; j < TILE; j++) sum[i][j] = _mm512_mask3_fmadd_ps(query, key[j], sum[i][j], m);
        }
    }
    UNROLL for (int i = 0; i < TILE; i++) _mm_storeu_ps(out[i], sums_of_four(sum[i]));
}

// The rows r, r + 1, ... of the tile; the last one stands in for rows that are not there.
INLINE uint32_t tile_row(const struct attend_job *j, uint32_t r, uint32_t i) {
    return r + i < j->rows ? r + i : j->rows - 1;
}

static void score_rows(const struct attend_job *j, const float *k, uint32_t r, uint32_t lo, uint32_t hi) {
    const float *q[TILE];
    float spare[TAPE_PAGE], *base[TILE];
    for (uint32_t i = 0; i < TILE; i++) {
        q[i] = j->q[tile_row(j, r, i)];
        base[i] = r + i < j->rows ? j->scores + (size_t)(r + i) * TAPE_PAGE : spare;
    }
    for (uint32_t key = lo / TILE * TILE; key < hi; key += TILE) {
        float *out[TILE];
        for (uint32_t i = 0; i < TILE; i++)
            out[i] = base[i] + key;
        score_tile(q, k + (size_t)key * j->dim_k, j->dim_k, out);
    }
}

INLINE __m512 softcap16(__m512 s, float cap) {
    const __m512 c = _mm512_set1_ps(cap), one = _mm512_set1_ps(1.0f), two = _mm512_set1_ps(2.0f);
    __m512 x = _mm512_div_ps(s, c);
    __m512 e = _mm512_add_ps(exp16(_mm512_mul_ps(two, x)), one);
    return _mm512_mul_ps(c, _mm512_sub_ps(one, _mm512_div_ps(two, e)));
}

// The lanes of keys 16 i .. 16 i + 15 that lie in [lo, hi).
INLINE __mmask16 seen(uint32_t i, uint32_t lo, uint32_t hi) {
    uint64_t all = (hi == 64 ? ~0ull : (1ull << hi) - 1) & ~((1ull << lo) - 1);
    return (__mmask16)(all >> 16 * i);
}

// Scores of a row to weights, in place; unseen keys get weight 0. Gives the page's maximum and sum.
static void weigh_row(const struct attend_job *j, uint32_t r, float *m, float *s) {
    float *w = j->scores + (size_t)r * TAPE_PAGE;
    __m512 score[TAPE_PAGE / 16], top = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
    for (uint32_t i = 0; i < TAPE_PAGE / 16; i++) {
        score[i] = _mm512_mul_ps(_mm512_loadu_ps(w + 16 * i), _mm512_set1_ps(j->scale));
        if (j->softcap > 0)
            score[i] = softcap16(score[i], j->softcap);
        top = _mm512_mask_max_ps(top, seen(i, j->lo[r], j->hi[r]), score[i], top);
    }
    *m = _mm512_reduce_max_ps(top);
    for (uint32_t i = 0; i < TAPE_PAGE / 16; i++) {
        __m512 e = _mm512_maskz_mov_ps(seen(i, j->lo[r], j->hi[r]), exp16(_mm512_sub_ps(score[i], _mm512_set1_ps(*m))));
        _mm512_storeu_ps(w + 16 * i, e);
        sum = _mm512_add_ps(sum, e);
    }
    *s = sum16(sum);
}

// out[i][0..dim) += weights of the keys [lo, hi) times their values, for `rows` rows.
INLINE void value_tile(const float *const *w, const float *v, uint32_t dim, uint32_t lo, uint32_t hi, float *const *out,
                       int rows) {
    for (uint32_t d = 0; d < dim; d += 64) {
        __m512 sum[TILE][4];
        __mmask16 m[4];
        UNROLL for (uint32_t c = 0; c < 4; c++) m[c] = d + 16 * c >= dim       ? 0
                                                       : dim - d - 16 * c < 16 ? lanes(dim - d - 16 * c)
                                                                               : (__mmask16)0xffff;
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int c = 0; c < 4; c++) sum[i][c] =
            _mm512_maskz_loadu_ps(m[c], out[i] + d + 16 * c);
        for (uint32_t key = lo; key < hi; key++) {
            __m512 value[4];
            UNROLL for (int c = 0; c < 4; c++) value[c] =
                _mm512_maskz_loadu_ps(m[c], v + (size_t)key * dim + d + 16 * c);
            UNROLL for (int i = 0; i < rows; i++) UNROLL for (int c = 0; c < 4; c++) sum[i][c] =
                _mm512_fmadd_ps(_mm512_set1_ps(w[i][key]), value[c], sum[i][c]);
        }
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int c = 0; c < 4; c++)
            _mm512_mask_storeu_ps(out[i] + d + 16 * c, m[c], sum[i][c]);
    }
}

static void value_four(const float *const w[TILE], const float *v, uint32_t dim, uint32_t lo, uint32_t hi,
                       float *const out[TILE]) {
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
    value_four(w, v, j->dim_v, begin, end, out);
    for (uint32_t i = 0; i < n; i++)
        value_one(w[i], v, j->dim_v, end, j->hi[r + i], out[i]);
}

static void merge_row(const struct attend_job *j, uint32_t r, float m, float s, const float *page) {
    float *acc = j->acc + (size_t)r * j->dim_v;
    float top = j->s[r] == 0 || m > j->m[r] ? m : j->m[r];
    float old = j->s[r] == 0 ? 0 : num_exp(j->m[r] - top), new = num_exp(m - top);
    __m512 old16 = _mm512_set1_ps(old), new16 = _mm512_set1_ps(new);
    for (uint32_t i = 0; i < j->dim_v; i += 16) {
        __mmask16 k = j->dim_v - i < 16 ? lanes(j->dim_v - i) : (__mmask16)0xffff;
        __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(k, acc + i), old16);
        _mm512_mask_storeu_ps(acc + i, k, _mm512_fmadd_ps(_mm512_maskz_loadu_ps(k, page + i), new16, v));
    }
    j->s[r] = num_fma(s, new, j->s[r] * old);
    j->m[r] = top;
}

// Keys lo .. hi - 1 of a page as float32, in place or widened into `out`.
static const float *widen(const void *page, enum kv_type type, uint32_t dim, uint32_t lo, uint32_t hi, float *out) {
    if (type == KV_F32)
        return page;
    const uint16_t *h = page;
    for (size_t i = (size_t)lo * dim; i < (size_t)hi * dim; i += 16) {
        size_t left = (size_t)hi * dim - i;
        __mmask16 m = left < 16 ? lanes(left) : (__mmask16)0xffff;
        _mm512_mask_storeu_ps(out + i, m, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, h + i)));
    }
    return out;
}

static void attend(const struct attend_job *j) {
    uint32_t lo = TAPE_PAGE, hi = 0;
    float page[TILE * 1024];
    for (uint32_t r = 0; r < j->rows; r++) {
        if (j->lo[r] >= j->hi[r])
            continue;
        lo = j->lo[r] < lo ? j->lo[r] : lo;
        hi = j->hi[r] > hi ? j->hi[r] : hi;
    }
    if (lo >= hi)
        return;
    // Tiles of four keys may reach past hi; the page has 64.
    const float *k = widen(j->k, j->type, j->dim_k, lo / TILE * TILE, (hi + TILE - 1) / TILE * TILE, j->k32);
    const float *v = widen(j->v, j->type, j->dim_v, lo, hi, j->v32);
    for (uint32_t r = 0; r < j->rows; r += TILE) {
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
}

#include "backends/cpu/avx512_end.h"

void avx512_fill_attend(struct kernels *k) {
    k->attend = attend;
}
