// SPDX-License-Identifier: MIT
// Recurrences and causal convolutions in vectors of sixteen floats. Of a state the lanes are the elements of a key, so
// that they are the sixteen partial sums, and V16_TILE rows go through a token side by side; of a convolution the lanes
// are channels. Included by a level after ops_v16.h.
#pragma once

#include "backends/cpu/ops_v16.h"
#include "backends/cpu/recur.h"

// a * b + c in the first n lanes, c in the others.
INLINE v16 fma_some(v16 a, v16 b, v16 c, size_t n) {
    v16 sum = v16_fma(a, b, c);
    return n < 16 ? v16_pick((1u << n) - 1, sum, c) : sum;
}

// Rows that follow each other, and what a token brings to them. Vectors of a head are `apart` from row to row: 0 where
// the rows are of one head, dk where each is a head of its own; likewise numbers of a head, `step`.
struct recur_tile {
    enum recur_kind kind;
    enum recur_decay decay;
    size_t n, apart, step;
    float *s;                                    // [rows][n]
    const float *q, *k;                          // [n]
    const float *v;                              // [rows]
    const float *factor, *beta;                  // of a head; beta may be NULL for 1
    const float *factors, *rate, *bonus, *a, *b; // [n] of a head
};

// Kind and decay are constants where this is expanded: what they have no use for is never computed.
INLINE struct recur_tile recur_tile_of(const struct tape_recur *o, enum recur_kind kind, enum recur_decay decay,
                                       uint32_t row, uint32_t t) {
    const bool own = o->dv == 1; // head
    const size_t head = own ? row : row / o->dv, at = (size_t)t * o->heads + head;
    const size_t group = (size_t)recur_group(o, (uint32_t)head) * o->dk;
    return (struct recur_tile){
        .kind = kind,
        .decay = decay,
        .n = o->dk,
        .apart = own ? o->dk : 0,
        .step = own,
        .s = o->state + (size_t)row * o->dk,
        .q = o->q + (size_t)t * o->q_row + group,
        .k = o->k + (size_t)t * o->k_row + group,
        .v = o->v + (size_t)t * o->v_row + row,
        .beta = o->beta ? o->beta + at : NULL,
        .factor = decay == DECAY_HEAD ? o->decay + at : NULL,
        .factors = decay == DECAY_KEY ? o->decay + at * o->dk : NULL,
        .rate = decay == DECAY_RATE ? o->rate + head * o->dk : NULL,
        .bonus = kind == RECUR_RWKV6 ? o->bonus + head * o->dk : NULL,
        .a = kind == RECUR_RWKV7 ? o->a + at * o->dk : NULL,
        .b = kind == RECUR_RWKV7 ? o->b + at * o->dk : NULL,
    };
}

INLINE float beta_of(const struct recur_tile *x, int r) {
    return x->beta ? x->beta[(size_t)r * x->step] : 1.0f;
}

// Elements [i, i + n) of a vector that row r has from its head.
INLINE v16 of_head(const struct recur_tile *x, const float *p, int r, size_t i, size_t n) {
    return load_some(p + (size_t)r * x->apart + i, n);
}

// Elements [i, i + n) of row r.
INLINE v16 state_of(const struct recur_tile *x, int r, size_t i, size_t n) {
    return load_some(x->s + (size_t)r * x->n + i, n);
}

// The same decayed.
INLINE v16 decayed(const struct recur_tile *x, int r, size_t i, size_t n) {
    v16 s = state_of(x, r, i, n);
    if (x->decay == DECAY_HEAD)
        return v16_mul(s, v16_set1(x->factor[(size_t)r * x->step]));
    if (x->decay == DECAY_KEY)
        return v16_mul(s, of_head(x, x->factors, r, i, n));
    if (x->decay == DECAY_RATE)
        return v16_mul(s, exp16(v16_mul(v16_set1(beta_of(x, r)), of_head(x, x->rate, r, i, n))));
    return s;
}

// What rows already have along the key (delta rule, decayed) or along a (RWKV-7): elements [i, i + n).
INLINE void add_along(const struct recur_tile *x, int rows, size_t i, size_t n, v16 *sum) {
    v16 key = load_some(x->k + i, n);
    UNROLL for (int r = 0; r < rows; r++) sum[r] =
        x->kind == RECUR_DELTA ? fma_some(decayed(x, r, i, n), key, sum[r], n)
                               : fma_some(state_of(x, r, i, n), of_head(x, x->a, r, i, n), sum[r], n);
}

// The rows' elements [i, i + n) after the token, and what the query reads of them.
INLINE void advance(const struct recur_tile *x, int rows, const float *along, const float *write, size_t i, size_t n,
                    v16 *sum) {
    v16 key = load_some(x->k + i, n), query = load_some(x->q + i, n);
    UNROLL for (int r = 0; r < rows; r++) {
        v16 s = decayed(x, r, i, n);
        if (x->kind == RECUR_RWKV6) {
            v16 now = v16_mul(of_head(x, x->bonus, r, i, n), key);
            now = v16_fma(now, v16_set1(x->v[r]), state_of(x, r, i, n));
            sum[r] = fma_some(now, query, sum[r], n);
        }
        if (x->kind == RECUR_RWKV7)
            s = v16_fma(v16_set1(along[r]), of_head(x, x->b, r, i, n), s);
        s = v16_fma(v16_set1(write[r]), key, s);
        store_some(x->s + (size_t)r * x->n + i, s, n);
        if (x->kind != RECUR_RWKV6)
            sum[r] = fma_some(s, query, sum[r], n);
    }
}

// The sums of 1 or V16_TILE rows.
INLINE void finish_sums(int rows, const v16 *sum, float *out) {
    if (rows == V16_TILE)
        v16_sums(sum, out);
    else
        out[0] = sum16(sum[0]);
}

INLINE void run_tile(const struct recur_tile *x, int rows, float scale, float *y) {
    v16 sum[V16_TILE];
    float along[V16_TILE] = {0}, write[V16_TILE], out[V16_TILE];
    const size_t whole = x->n & ~(size_t)15;
    UNROLL for (int r = 0; r < rows; r++) sum[r] = v16_set1(0.0f);
    if (x->kind == RECUR_DELTA || x->kind == RECUR_RWKV7) {
        for (size_t i = 0; i < whole; i += 16)
            add_along(x, rows, i, 16, sum);
        if (whole < x->n)
            add_along(x, rows, whole, x->n - whole, sum);
        finish_sums(rows, sum, along);
    }
    UNROLL for (int r = 0; r < rows; r++) {
        write[r] = (x->kind == RECUR_DELTA ? x->v[r] - along[r] : x->v[r]) * beta_of(x, r);
        sum[r] = v16_set1(0.0f);
    }
    for (size_t i = 0; i < whole; i += 16)
        advance(x, rows, along, write, i, 16, sum);
    if (whole < x->n)
        advance(x, rows, along, write, whole, x->n - whole, sum);
    finish_sums(rows, sum, out);
    UNROLL for (int r = 0; r < rows; r++) y[r] = out[r] * scale;
}

// n rows through all tokens: for each token all rows, so that the rows' sums do not wait for each other.
INLINE void recur_rows(const struct tape_recur *o, enum recur_kind kind, enum recur_decay decay, uint32_t tokens,
                       uint32_t row, uint32_t n) {
    const size_t y_row = (size_t)o->heads * o->dv;
    for (uint32_t t = 0; t < tokens; t++) {
        uint32_t r = row;
        for (; r + V16_TILE <= row + n; r += V16_TILE) {
            const struct recur_tile x = recur_tile_of(o, kind, decay, r, t);
            run_tile(&x, V16_TILE, o->scale, o->y + t * y_row + r);
        }
        for (; r < row + n; r++) {
            const struct recur_tile x = recur_tile_of(o, kind, decay, r, t);
            run_tile(&x, 1, o->scale, o->y + t * y_row + r);
        }
    }
}

typedef void recur_function(const struct tape_recur *o, uint32_t tokens, uint32_t row, uint32_t n);

// A recurrence by its kind and decay, which are constants in its loops.
#define RECUR(kind, decay)                                                                                             \
    static void recur_##kind##_##decay(const struct tape_recur *o, uint32_t tokens, uint32_t row, uint32_t n) {        \
        recur_rows(o, RECUR_##kind, DECAY_##decay, tokens, row, n);                                                    \
    }

RECUR(LINEAR, HEAD)
RECUR(LINEAR, KEY)
RECUR(DELTA, HEAD)
RECUR(DELTA, KEY)
RECUR(RWKV6, KEY)
RECUR(RWKV7, KEY)

// Those that no model has in numbers.
static void recur_any(const struct tape_recur *o, uint32_t tokens, uint32_t row, uint32_t n) {
    recur_rows(o, o->kind, o->decay_kind, tokens, row, n);
}

// Mamba's states are short: those of sixteen elements stay in registers while the tokens pass.
INLINE void short_rows(const struct tape_recur *o, int rows, uint32_t tokens, uint32_t row) {
    const struct recur_tile x = recur_tile_of(o, RECUR_LINEAR, DECAY_RATE, row, 0);
    const float *beta = x.beta, *v = x.v, *q = x.q, *k = x.k;
    float *y = o->y + row, out[V16_TILE];
    v16 s[V16_TILE], rate[V16_TILE], sum[V16_TILE];
    UNROLL for (int r = 0; r < rows; r++) {
        s[r] = state_of(&x, r, 0, 16);
        rate[r] = of_head(&x, x.rate, r, 0, 16);
    }
    for (uint32_t t = 0; t < tokens; t++) {
        v16 key = v16_load(k), query = v16_load(q);
        UNROLL for (int r = 0; r < rows; r++) {
            s[r] = v16_mul(s[r], exp16(v16_mul(v16_set1(beta[r]), rate[r])));
            s[r] = v16_fma(v16_set1(v[r] * beta[r]), key, s[r]);
            sum[r] = v16_fma(s[r], query, v16_set1(0.0f));
        }
        finish_sums(rows, sum, out);
        UNROLL for (int r = 0; r < rows; r++) y[r] = out[r] * o->scale;
        beta += o->heads;
        v += o->v_row;
        q += o->q_row;
        k += o->k_row;
        y += o->heads;
    }
    UNROLL for (int r = 0; r < rows; r++) v16_store(x.s + (size_t)r * 16, s[r]);
}

static void recur_LINEAR_RATE(const struct tape_recur *o, uint32_t tokens, uint32_t row, uint32_t n) {
    if (o->dk != 16 || o->dv != 1 || !o->beta) {
        recur_rows(o, RECUR_LINEAR, DECAY_RATE, tokens, row, n);
        return;
    }
    uint32_t r = row;
    for (; r + V16_TILE <= row + n; r += V16_TILE)
        short_rows(o, V16_TILE, tokens, r);
    for (; r < row + n; r++)
        short_rows(o, 1, tokens, r);
}

static void recur(const struct tape_recur *o, uint32_t tokens, uint32_t row, uint32_t n) {
    static recur_function *const functions[][DECAY_RATE + 1] = {
        [RECUR_LINEAR] = {recur_any, recur_LINEAR_HEAD, recur_LINEAR_KEY, recur_LINEAR_RATE},
        [RECUR_DELTA] = {recur_any, recur_DELTA_HEAD, recur_DELTA_KEY, recur_any},
        [RECUR_RWKV6] = {recur_any, recur_any, recur_RWKV6_KEY, recur_any},
        [RECUR_RWKV7] = {recur_any, recur_any, recur_RWKV7_KEY, recur_any},
    };
    functions[o->kind][o->decay_kind](o, tokens, row, n);
}

#define CONV_TAPS 64

// Weights of n channels from `first` on, channels side by side for each tap.
static void turn_weights(const struct tape_conv *o, uint32_t first, uint32_t n, float w[CONV_TAPS][CONV_PIECE]) {
    for (uint32_t c = 0; c < n; c++)
        for (uint32_t j = 0; j < o->width; j++)
            w[j][c] = o->w[(size_t)(first + c) * o->width + j];
}

// Channels [c, c + n), n <= 16, of token t.
INLINE void conv_some(const struct tape_conv *o, float w[CONV_TAPS][CONV_PIECE], uint32_t t, size_t first, size_t c,
                      size_t n) {
    v16 sum = v16_set1(0.0f), bias = o->b ? load_some(o->b + first + c, n) : sum;
    for (uint32_t j = 0; j < o->width; j++)
        sum = v16_fma(load_some(w[j] + c, n), load_some(conv_input(o, t, j) + first + c, n), sum);
    sum = v16_add(sum, bias);
    store_some(o->y + (size_t)t * o->channels + first + c, o->silu ? silu16(sum) : sum, n);
}

static void conv(const struct tape_conv *o, uint32_t tokens, uint32_t first, uint32_t n) {
    float w[CONV_TAPS][CONV_PIECE];
    const size_t whole = n & ~15u;
    turn_weights(o, first, n, w);
    for (uint32_t t = 0; t < tokens; t++) {
        for (size_t c = 0; c < whole; c += 16)
            conv_some(o, w, t, first, c, 16);
        if (whole < n)
            conv_some(o, w, t, first, whole, n - whole);
    }
}
