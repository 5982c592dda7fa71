// SPDX-License-Identifier: MIT
// Attention over a page of quantized keys and values (kv_quant.h). Scores are integer products of codes and quantized
// queries, lanes are keys; a value's scale is multiplied into its key's weight, so codes are only converted. Included
// by attend_v16.h.
#pragma once

#include "backends/cpu/kv_quant.h"

#define KEY_VECTORS V16_ROW_VECTORS // of a tile of scores, times V16_TILE queries

// Scores of the queries at r and the keys of a tile from `key` on.
struct key_tile {
    v16 s[TILE][KEY_VECTORS];
};

// sum[i][c] += the integer products of four elements, those at x[i] and the codes of vector c.
#define ADD_PRODUCTS(codes, at)                                                                                        \
    UNROLL for (int c = 0; c < KEY_VECTORS; c++) {                                                                     \
        v16codes k = codes;                                                                                            \
        UNROLL for (int i = 0; i < TILE; i++) sum[i][c] = v16i_dot(sum[i][c], k, x[i] + (at));                         \
    }

INLINE void add_block(enum kv_type type, const struct quant_vec *const *q, uint32_t b, const uint16_t *scales,
                      uint32_t key, struct key_tile *t) {
    const uint8_t *codes = kv_codes(scales) + 4 * (size_t)key;
    const int8_t *x[TILE];
    v16i sum[TILE][KEY_VECTORS];
    UNROLL for (int i = 0; i < TILE; i++) {
        x[i] = q[i]->q + (size_t)b * KV_BLOCK;
        v16i start = v16i_start(kv_zero(type), q[i]->bs[2 * b] + q[i]->bs[2 * b + 1]);
        UNROLL for (int c = 0; c < KEY_VECTORS; c++) sum[i][c] = start;
    }
    for (int g = 0; g < (type == KV_Q4_0 ? 4 : 8); g++, codes += 4 * TAPE_PAGE) {
        if (type == KV_Q4_0) {
            ADD_PRODUCTS(v16_codes_nibbles(codes + 64 * c, 0), 4 * g)
            ADD_PRODUCTS(v16_codes_nibbles(codes + 64 * c, 1), 4 * g + 16)
        } else {
            ADD_PRODUCTS(v16_codes_bytes(codes + 64 * c), 4 * g)
        }
    }
    UNROLL for (int c = 0; c < KEY_VECTORS; c++) {
        v16 d = v16_load_f16(scales + key + 16 * c);
        UNROLL for (int i = 0; i < TILE; i++) t->s[i][c] =
            v16_fma(v16_from_i32(sum[i][c]), v16_mul(v16_set1(q[i]->d[b]), d), t->s[i][c]);
    }
}

// Scores of the rows r .. r + TILE - 1 with the keys of [lo, hi), and a few around them.
INLINE void score_quant(enum kv_type type, const struct attend_job *j, uint32_t r, uint32_t lo, uint32_t hi) {
    const uint32_t step = 16 * KEY_VECTORS, blocks = kv_blocks(j->dim_k);
    const struct quant_vec *q[TILE];
    for (uint32_t i = 0; i < TILE; i++)
        q[i] = &j->codes[r + i < j->rows ? r + i : j->rows - 1];
    for (uint32_t key = lo / step * step; key < hi; key += step) {
        struct key_tile t;
        UNROLL for (int i = 0; i < TILE * KEY_VECTORS; i++) t.s[i / KEY_VECTORS][i % KEY_VECTORS] = v16_set1(0.0f);
        for (uint32_t b = 0; b < blocks; b++) {
            if (r == 0)
                ask_keys_ahead(j, key / step * blocks + b, TAPE_PAGE / step * blocks);
            add_block(type, q, b, kv_scales(type, j->k, b), key, &t);
        }
        for (uint32_t i = 0; i < TILE && r + i < j->rows; i++)
            for (uint32_t c = 0; c < KEY_VECTORS; c++)
                v16_store(j->scores + (size_t)(r + i) * TAPE_PAGE + key + 16 * c, t.s[i][c]);
    }
}

// Half `h` of a vector of codes, as float32.
INLINE v16 value_half(enum kv_type type, const void *codes, size_t key, int h) {
    const uint8_t *p = (const uint8_t *)codes + key * kv_code_bytes(type);
    return type == KV_Q4_0 ? v16_value_nibbles(p, h) : v16_value_bytes(p + 16 * h);
}

// Where values of a block come from: codes, or codes that are float32 already.
struct values {
    const void *codes;
    const float *floats; // [TAPE_PAGE][KV_BLOCK] or NULL
    const char *next;    // the next page's codes, to be asked for, or NULL
};

// out[i][0 .. 31] += weights of the keys [lo, hi) times their values.
INLINE void add_values(enum kv_type type, const struct values *v, const float *const *w, uint32_t lo, uint32_t hi,
                       float *const *out, int rows) {
    v16 sum[TILE][2];
    UNROLL for (int i = 0; i < 2 * rows; i++) sum[i / 2][i % 2] = v16_load(out[i / 2] + 16 * (i % 2));
    for (size_t key = lo; key < hi; key++) {
        if (type != KV_F32 && v->next)
            ask_page_ahead(v->next + key * kv_code_bytes(type), 1);
        UNROLL for (int h = 0; h < 2; h++) {
            v16 value =
                type == KV_F32 ? v16_load(v->floats + key * KV_BLOCK + 16 * h) : value_half(type, v->codes, key, h);
            UNROLL for (int i = 0; i < rows; i++) sum[i][h] = v16_fma(v16_set1(w[i][key]), value, sum[i][h]);
        }
    }
    UNROLL for (int i = 0; i < 2 * rows; i++) v16_store(out[i / 2] + 16 * (i % 2), sum[i / 2][i % 2]);
}

typedef void add_kernel(const struct values *v, const float *const *w, uint32_t lo, uint32_t hi, float *const *out);

#define ADD_KERNEL(name, type, rows)                                                                                   \
    static void name(const struct values *v, const float *const *w, uint32_t lo, uint32_t hi, float *const *out) {     \
        add_values(type, v, w, lo, hi, out, rows);                                                                     \
    }
#define ADD_KERNELS(rows)                                                                                              \
    ADD_KERNEL(add_floats_##rows, KV_F32, rows)                                                                        \
    ADD_KERNEL(add_q8_0_##rows, KV_Q8_0, rows) ADD_KERNEL(add_q4_0_##rows, KV_Q4_0, rows)
#define ADD_ROW(rows) [rows] = {[KV_F32] = add_floats_##rows, [KV_Q8_0] = add_q8_0_##rows, [KV_Q4_0] = add_q4_0_##rows}

ADD_KERNELS(1)
ADD_KERNELS(2)
#if V16_TILE == 4
ADD_KERNELS(3)
ADD_KERNELS(4)
#endif

// By rows and by what the values are: codes, or floats that were made of them.
static add_kernel *const add_kernels[TILE + 1][N_KV_TYPES] = {
    ADD_ROW(1),
    ADD_ROW(2),
#if V16_TILE == 4
    ADD_ROW(3),
    ADD_ROW(4),
#endif
};

// Where the values of block b are, as far as `hi`; codes of latent values and float32 values are made once a page.
INLINE struct values values_of(enum kv_type type, const struct attend_job *j, uint32_t b) {
    size_t at = (size_t)b * TAPE_PAGE;
    const void *codes =
        j->v == j->k ? (const uint8_t *)j->k32 + at * kv_code_bytes(type) : kv_codes(kv_scales(type, j->v, b));
    return (struct values){codes, j->rows > ATTEND_FEW ? j->v32 + at * KV_BLOCK : NULL, NULL};
}

INLINE void make_values(enum kv_type type, const struct attend_job *j, uint32_t lo, uint32_t hi) {
    for (uint32_t b = 0; b < kv_blocks(j->dim_v); b++) {
        struct values v = values_of(type, j, b);
        if (j->v == j->k)
            kv_keys_as_values(type, kv_scales(type, j->k, b), (uint8_t *)j->k32 + b * TAPE_PAGE * kv_code_bytes(type));
        for (size_t key = lo; v.floats && key < hi; key++)
            for (int h = 0; h < 2; h++)
                v16_store(j->v32 + (b * TAPE_PAGE + key) * KV_BLOCK + 16 * h, value_half(type, v.codes, key, h));
    }
}

// Block b of the page's values of the n rows from r on; see value_rows.
static void block_rows(enum kv_type type, const struct attend_job *j, uint32_t b, uint32_t r, uint32_t n,
                       float *const *out) {
    const uint16_t *scales = kv_scales(type, j->v, b);
    struct values v = values_of(type, j, b), first = v;
    const enum kv_type kind = v.floats ? KV_F32 : type;
    uint32_t begin = 0, end = TAPE_PAGE;
    if (r == 0 && j->size_v) {
        ask_page_ahead(j->next_v + ((const char *)scales - (const char *)j->v), TAPE_PAGE * sizeof *scales);
        first.next = j->next_v + ((const char *)v.codes - (const char *)j->v);
    }
    float weights[TILE][TAPE_PAGE];
    const float *w[TILE] = {NULL};
    for (uint32_t i = 0; i < n; i++) {
        const float *from = j->scores + (size_t)(r + i) * TAPE_PAGE;
        for (uint32_t key = 0; key < TAPE_PAGE; key += 16)
            v16_store(weights[i] + key, v16_mul(v16_load(from + key), v16_load_f16(scales + key)));
        w[i] = weights[i];
        begin = j->lo[r + i] > begin ? j->lo[r + i] : begin;
        end = j->hi[r + i] < end ? j->hi[r + i] : end;
    }
    bool common = begin < end;
    for (uint32_t i = 0; i < n; i++)
        add_kernels[1][kind](&v, &w[i], j->lo[r + i], common ? begin : j->hi[r + i], &out[i]);
    if (!common)
        return;
    add_kernels[n][kind](&first, w, begin, end, out);
    for (uint32_t i = 0; i < n; i++)
        add_kernels[1][kind](&v, &w[i], end, j->hi[r + i], &out[i]);
}

// The n rows from r on against the page; `page` has room for their values in whole blocks.
INLINE void quant_rows(enum kv_type type, const struct attend_job *j, uint32_t r, uint32_t n, uint32_t lo, uint32_t hi,
                       float *page) {
    const uint32_t wide = kv_blocks(j->dim_v) * KV_BLOCK;
    float m[TILE] = {0}, s[TILE] = {0}, *out[TILE] = {NULL};
    score_quant(type, j, r, lo, hi);
    for (uint32_t i = 0; i < n; i++)
        if (j->lo[r + i] < j->hi[r + i])
            weigh_row(j, r + i, &m[i], &s[i]);
    memset(page, 0, (size_t)n * wide * sizeof *page);
    for (uint32_t b = 0; b < kv_blocks(j->dim_v); b++) {
        for (uint32_t i = 0; i < n; i++)
            out[i] = page + (size_t)i * wide + b * KV_BLOCK;
        block_rows(type, j, b, r, n, out);
    }
    for (uint32_t i = 0; i < n; i++)
        if (j->lo[r + i] < j->hi[r + i])
            merge_row(&j->found, m[i], s[i], page + (size_t)i * wide, r + i, j->dim_v);
}

INLINE void attend_quant(enum kv_type type, const struct attend_job *j, uint32_t lo, uint32_t hi, float *page) {
    const uint32_t rows = rows_of_tile(j->rows, TILE);
    make_values(type, j, lo, hi);
    for (uint32_t r = 0; r < j->rows; r += rows)
        quant_rows(type, j, r, j->rows - r < rows ? j->rows - r : rows, lo, hi, page);
}

static void attend_q8_0(const struct attend_job *j, uint32_t lo, uint32_t hi, float *page) {
    attend_quant(KV_Q8_0, j, lo, hi, page);
}

static void attend_q4_0(const struct attend_job *j, uint32_t lo, uint32_t hi, float *page) {
    attend_quant(KV_Q4_0, j, lo, hi, page);
}

#undef KEY_VECTORS
#undef ADD_PRODUCTS
