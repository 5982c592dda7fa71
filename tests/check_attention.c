// SPDX-License-Identifier: MIT
// Kernel checks of attention over pages: rows that see all of a page, part of it or nothing, pages one after the other.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backends/cpu/kv_quant.h"
#include "base/num.h"
#include "tests/check.h"

struct state {
    float *m, *s, *acc, *scores, *k32, *v32;
};

static struct state make_state(struct check_level *l, uint32_t rows, uint32_t dim_k, uint32_t dim_v) {
    struct state t = {
        .m = check_alloc(&l->memory, rows * sizeof(float)),
        .s = check_alloc(&l->memory, rows * sizeof(float)),
        .acc = check_alloc(&l->memory, (size_t)rows * dim_v * sizeof(float)),
        .scores = check_alloc(&l->memory, (size_t)ATTEND_ROWS * TAPE_PAGE * sizeof(float)),
        .k32 = check_alloc(&l->memory, TAPE_PAGE * round_up(dim_k, KV_BLOCK) * sizeof(float)),
        .v32 = check_alloc(&l->memory, TAPE_PAGE * round_up(dim_v, KV_BLOCK) * sizeof(float)),
    };
    for (uint32_t r = 0; r < rows; r++)
        t.m[r] = -INFINITY;
    memset(t.s, 0, rows * sizeof(float));
    memset(t.acc, 0, (size_t)rows * dim_v * sizeof(float));
    return t;
}

// Random codes; scales of keys that no row sees are NaN.
static void *make_quant_page(struct check_level *l, enum kv_type type, uint32_t dim, uint32_t lo, uint32_t hi) {
    size_t size = kv_page_size(type, dim);
    uint8_t *page = check_alloc(&l->memory, size);
    uint32_t extreme = check_u32(&l->rng) % 4;
    for (size_t i = 0; i < size; i++)
        page[i] = extreme == 0 ? 0xff : extreme == 1 ? 0 : (uint8_t)check_u32(&l->rng);
    for (uint32_t b = 0; b < kv_blocks(dim); b++)
        for (uint32_t key = 0; key < TAPE_PAGE; key++) {
            uint16_t h = num_f32_to_f16(key >= lo && key < hi ? 0.02f * check_float(&l->rng) : NAN);
            memcpy((char *)page + ((const char *)(kv_scales(type, page, b) + key) - (char *)page), &h, 2);
        }
    return page;
}

// A page of keys or values; keys that no row sees hold NaN, as memory of a forgotten history may.
static void *make_page(struct check_level *l, enum kv_type type, uint32_t dim, uint32_t lo, uint32_t hi) {
    size_t n = (size_t)TAPE_PAGE * dim;
    if (kv_quantized(type))
        return make_quant_page(l, type, dim, lo, hi);
    char *page = check_alloc(&l->memory, n * (type == KV_F16 ? 2 : 4));
    for (size_t i = 0; i < n; i++) {
        bool seen = i / dim >= lo && i / dim < hi;
        float v = seen ? 2 * check_float(&l->rng) : NAN;
        uint16_t h = num_f32_to_f16(v);
        if (type == KV_F16)
            memcpy(page + 2 * i, &h, 2);
        else
            memcpy(page + 4 * i, &v, 4);
    }
    return page;
}

static struct attend_job make_job(uint32_t rows, const float **q, uint32_t *lo, uint32_t *hi, struct state t) {
    return (struct attend_job){.rows = rows,
                               .q = q,
                               .lo = lo,
                               .hi = hi,
                               .found = {t.m, t.s, t.acc},
                               .scores = t.scores,
                               .k32 = t.k32,
                               .v32 = t.v32};
}

// The queries as ACT_Q8.
static const struct quant_vec *make_codes(struct check_level *l, const float *const *q, uint32_t rows, uint32_t dim) {
    const uint32_t wide = kv_blocks(dim) * KV_BLOCK;
    const struct quant_layout layout = quant_act_layout(ACT_Q8, wide);
    struct quant_vec *codes = check_alloc(&l->memory, rows * sizeof *codes);
    char *record = check_alloc(&l->memory, rows * layout.size);
    for (uint32_t r = 0; r < rows; r++, record += layout.size) {
        float x[ATTEND_MAX_DIM] = {0};
        memcpy(x, q[r], dim * sizeof *x);
        l->slow->encode[ACT_Q8](x, wide, record);
        codes[r] = quant_act_vec(&layout, record);
    }
    return codes;
}

// Which keys of the page row r sees, by kind of case.
static void see(struct check_level *l, uint32_t kind, uint32_t r, uint32_t *lo, uint32_t *hi) {
    uint32_t a = check_u32(&l->rng) % (TAPE_PAGE + 1), b = check_u32(&l->rng) % (TAPE_PAGE + 1);
    const uint32_t cases[4][2] = {{0, TAPE_PAGE}, {0, r % TAPE_PAGE + 1}, {a < b ? a : b, a < b ? b : a}, {r, r + 9}};
    *lo = cases[kind][0];
    *hi = cases[kind][1] > TAPE_PAGE ? TAPE_PAGE : cases[kind][1];
}

static void compare(struct check_level *l, uint32_t rows, uint32_t dim_k, uint32_t dim_v, enum kv_type type,
                    uint32_t kind) {
    static float queries[ATTEND_ROWS][1024], bias[ATTEND_ROWS * TAPE_PAGE], qt[1024][ATTEND_ROWS];
    bool own_values = dim_v > dim_k || kind != 3; // else the values are the beginnings of the keys
    const float *q[ATTEND_ROWS];
    uint32_t lo[ATTEND_ROWS], hi[ATTEND_ROWS]; // behind the rows: numbers that nobody may heed
    memset(lo, 0, sizeof lo);
    memset(hi, 0xff, sizeof hi);
    struct state a = make_state(l, rows, dim_k, dim_v), b = make_state(l, rows, dim_k, dim_v);
    for (uint32_t r = 0; r < rows && r < ATTEND_ROWS; r++) {
        for (uint32_t i = 0; i < dim_k; i++)
            queries[r][i] = check_float(&l->rng);
        q[r] = queries[r];
    }
    for (size_t i = 0; i < (size_t)dim_k * ATTEND_ROWS; i++)
        qt[i / ATTEND_ROWS][i % ATTEND_ROWS] = i % ATTEND_ROWS < rows ? queries[i % ATTEND_ROWS][i / ATTEND_ROWS] : 0;
    struct attend_job x = make_job(rows, q, lo, hi, a), y = make_job(rows, q, lo, hi, b);
    x.type = y.type = type;
    const struct quant_vec *codes = kv_quantized(type) ? make_codes(l, q, rows, dim_k) : NULL;
    x.codes = y.codes = codes;
    x.qt = y.qt = rows > ATTEND_FEW ? &qt[0][0] : NULL;
    x.dim_k = y.dim_k = dim_k;
    x.dim_v = y.dim_v = dim_v;
    x.scale = y.scale = 0.3f;
    x.softcap = y.softcap = kind == 2 ? 20.0f : 0.0f;
    x.bias = y.bias = kind == 1 ? bias : NULL;
    for (size_t i = 0; i < ARRAY_LEN(bias); i++)
        bias[i] = check_float(&l->rng);
    for (int page = 0; page < 3; page++) {
        uint32_t first = TAPE_PAGE, last = 0;
        for (uint32_t r = 0; r < rows; r++) {
            see(l, kind, r, &lo[r], &hi[r]);
            first = lo[r] < hi[r] && lo[r] < first ? lo[r] : first;
            last = lo[r] < hi[r] && hi[r] > last ? hi[r] : last;
        }
        x.k = y.k = make_page(l, type, dim_k, first, last);
        x.v = y.v = own_values ? make_page(l, type, dim_v, first, last) : x.k;
        l->fast->attend(&x);
        l->slow->attend(&y);
    }
    size_t at;
    CHECK_MSG(check_same(a.acc, b.acc, (size_t)rows * dim_v, &at), "rows %u dims %u %u kind %u: value %zu", rows, dim_k,
              dim_v, kind, at);
    CHECK_MSG(check_same(a.s, b.s, rows, &at), "rows %u dims %u %u kind %u: sum %zu", rows, dim_k, dim_v, kind, at);
    CHECK_MSG(check_same(a.m, b.m, rows, &at), "rows %u dims %u %u kind %u: maximum %zu", rows, dim_k, dim_v, kind, at);
    check_free_all(&l->memory);
}

// Chapters merged one after the other; rows that a chapter gives nothing are left alone.
static void compare_merge(struct check_level *l, uint32_t rows, uint32_t dim) {
    struct state all[2] = {make_state(l, rows, dim, dim), make_state(l, rows, dim, dim)};
    for (int chapter = 0; chapter < 3; chapter++) {
        struct state part = make_state(l, rows, dim, dim);
        for (uint32_t r = 0; r < rows; r++) {
            if (check_u32(&l->rng) % 4 == 0)
                continue;
            part.m[r] = 9 * check_float(&l->rng);
            part.s[r] = 1 + check_float(&l->rng);
            for (uint32_t i = 0; i < dim; i++)
                part.acc[(size_t)r * dim + i] = check_float(&l->rng);
        }
        const struct attend_found from = {part.m, part.s, part.acc};
        l->fast->merge(&(struct attend_found){all[0].m, all[0].s, all[0].acc}, &from, rows, dim);
        l->slow->merge(&(struct attend_found){all[1].m, all[1].s, all[1].acc}, &from, rows, dim);
    }
    size_t at;
    CHECK_MSG(check_same(all[0].acc, all[1].acc, (size_t)rows * dim, &at), "rows %u dim %u: value %zu", rows, dim, at);
    CHECK_MSG(check_same(all[0].s, all[1].s, rows, &at), "rows %u dim %u: sum %zu", rows, dim, at);
    CHECK_MSG(check_same(all[0].m, all[1].m, rows, &at), "rows %u dim %u: maximum %zu", rows, dim, at);
    check_free_all(&l->memory);
}

static void check_merge(struct check_level *l) {
    static const uint32_t dims[] = {1, 17, 64, 80, 576};
    if (!check_begin(l, l->fast->merge != l->below->merge, "attend.merge"))
        return;
    for (size_t d = 0; d < ARRAY_LEN(dims); d++)
        for (uint32_t rows = 1; rows < 10; rows++)
            compare_merge(l, rows, dims[d]);
}

void check_attention(struct check_level *l) {
    static const uint32_t dims[][2] = {{64, 64},   {128, 128}, {256, 256},   {80, 80}, {20, 36},
                                       {576, 512}, {8, 8},     {1024, 1024}, {33, 17}};
    static const uint32_t rows[] = {1, 2, 3, 4, 5, 8, 9, 17, 31, 32, 33, 63, 64};
    if (l->bench)
        return;
    check_merge(l);
    static const char *const types[N_KV_TYPES] = {"f16", "f32", "q8_0", "q4_0"};
    for (int type = 0; type < N_KV_TYPES; type++) {
        if (!check_begin(l, l->fast->attend != l->below->attend, "attend.%s", types[type]))
            continue;
        for (size_t d = 0; d < ARRAY_LEN(dims); d++)
            for (size_t r = 0; r < ARRAY_LEN(rows); r++)
                for (uint32_t kind = 0; kind < 4; kind++)
                    compare(l, rows[r], dims[d][0], dims[d][1], (enum kv_type)type, kind);
    }
}
