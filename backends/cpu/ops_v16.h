// SPDX-License-Identifier: MIT
// The small operations of a level, written once in vectors of sixteen floats: quantizing activations, norms, gated
// activations, conversion to half precision. A level includes its v16_*.h, then this, and fills its slots.
#pragma once

#include "backends/cpu/kernels.h"

// Vectors of 16 with a shorter last one: loads and stores of min(16, n).
INLINE v16 load_some(const float *p, size_t n) {
    return n < 16 ? v16_load_n(p, n) : v16_load(p);
}

INLINE void store_some(float *p, v16 a, size_t n) {
    if (n < 16)
        v16_store_n(p, a, n);
    else
        v16_store(p, a);
}

// The tree of quant_sum16.
INLINE float sum16(v16 a) {
    return sum8(v16_halves(a));
}

// num_exp, lane by lane.
INLINE v16 exp16(v16 x) {
    const v16 magic = v16_set1(NUM_MAGIC), one = v16_set1(1.0f);
    x = v16_max(v16_set1(NUM_EXP_MIN), v16_min(v16_set1(NUM_EXP_MAX), x));
    v16 shifted = v16_fma(x, v16_set1(NUM_LOG2E), magic);
    v16 n = v16_sub(shifted, magic);
    v16 r = v16_fma(n, v16_set1(-NUM_LN2_LO), v16_fma(n, v16_set1(-NUM_LN2_HI), x));
    v16 p = v16_fma(v16_set1(NUM_EXP_C6), r, v16_set1(NUM_EXP_C5));
    p = v16_fma(p, r, v16_set1(NUM_EXP_C4));
    p = v16_fma(p, r, v16_set1(NUM_EXP_C3));
    p = v16_fma(p, r, v16_set1(NUM_EXP_C2));
    p = v16_fma(p, r, one);
    p = v16_fma(p, r, one);
    return v16_times_power(p, shifted);
}

// One block of `vectors` times 16 elements; returns its scale.
INLINE float encode_block(const float *x, int vectors, int8_t *q, int16_t *bs) {
    v16 top = v16_set1(0.0f);
    for (int i = 0; i < vectors; i++)
        top = v16_max(v16_abs(v16_load(x + 16 * i)), top);
    float t = v16_largest(top);
    v16 inverse = v16_set1(t > 0x1p-100f ? 127.0f / t : 0.0f);
    for (int i = 0; i < vectors; i++) {
        v16 v = v16_mul(v16_load(x + 16 * i), inverse);
        v = v16_min(v16_max(v, v16_set1(-127.0f)), v16_set1(127.0f));
        bs[i] = (int16_t)v16_store_i8(q + 16 * i, v);
    }
    return t > 0x1p-100f ? t / 127.0f : 0.0f;
}

static void encode_q8(const float *x, size_t n, void *record) {
    const struct quant_layout l = quant_act_layout(ACT_Q8, n);
    int8_t *q = (int8_t *)record + l.q;
    float *d = (float *)(void *)((char *)record + l.d), *s = (float *)(void *)((char *)record + l.s);
    int16_t *bs = (int16_t *)(void *)((char *)record + l.bs);
    for (size_t b = 0; b < n / 32; b++) {
        d[b] = encode_block(x + 32 * b, 2, q + 32 * b, bs + 2 * b);
        s[b] = d[b] * (float)(bs[2 * b] + bs[2 * b + 1]);
    }
}

static void encode_q8k(const float *x, size_t n, void *record) {
    const struct quant_layout l = quant_act_layout(ACT_Q8K, n);
    int8_t *q = (int8_t *)record + l.q;
    float *d = (float *)(void *)((char *)record + l.d);
    int16_t *bs = (int16_t *)(void *)((char *)record + l.bs);
    for (size_t b = 0; b < n / 256; b++)
        d[b] = encode_block(x + 256 * b, 16, q + 256 * b, bs + 16 * b);
}

// Sum of 16 partial sums of a vector operation over x[n]; OF is an expression of v, a v16.
#define SUM_OVER(sum, x, n, of)                                                                                        \
    do {                                                                                                               \
        size_t i_ = 0;                                                                                                 \
        for (; i_ + 16 <= (n); i_ += 16) {                                                                             \
            v16 v = v16_load((x) + i_);                                                                                \
            sum = of;                                                                                                  \
        }                                                                                                              \
        v16 v = v16_load_n((x) + i_, (n)-i_);                                                                          \
        sum = v16_pick((1u << ((n)-i_)) - 1, of, sum);                                                                 \
    } while (0)

static void norm(const float *x, const float *w, size_t n, float eps, float *y) {
    v16 sum = v16_set1(0.0f);
    SUM_OVER(sum, x, n, v16_fma(v, v, sum));
    v16 inverse = v16_set1(1.0f / num_sqrt(sum16(sum) / (float)n + eps));
    for (size_t i = 0; i < n; i += 16) {
        v16 v = v16_mul(load_some(x + i, n - i), inverse);
        store_some(y + i, w ? v16_mul(v, load_some(w + i, n - i)) : v, n - i);
    }
}

static void layer_norm(const float *x, const float *w, const float *b, size_t n, float eps, float *y) {
    v16 sum = v16_set1(0.0f), squares = v16_set1(0.0f);
    SUM_OVER(sum, x, n, v16_add(sum, v));
    v16 mean = v16_set1(sum16(sum) / (float)n);
    SUM_OVER(squares, x, n, v16_fma(v16_sub(v, mean), v16_sub(v, mean), squares));
    v16 inverse = v16_set1(1.0f / num_sqrt(sum16(squares) / (float)n + eps));
    for (size_t i = 0; i < n; i += 16) {
        v16 v = v16_mul(v16_sub(load_some(x + i, n - i), mean), inverse);
        v = w ? v16_mul(v, load_some(w + i, n - i)) : v;
        store_some(y + i, b ? v16_add(v, load_some(b + i, n - i)) : v, n - i);
    }
}

// x / (1 + e^-u)
INLINE v16 logistic_times(v16 x, v16 u) {
    return v16_div(x, v16_add(v16_set1(1.0f), exp16(v16_neg(u))));
}

INLINE v16 silu16(v16 x) {
    return logistic_times(x, x);
}

INLINE v16 gelu16(v16 x) {
    v16 inner = v16_fma(v16_mul(v16_set1(NUM_GELU_B), x), x, v16_set1(1.0f));
    return logistic_times(x, v16_mul(v16_mul(v16_set1(NUM_GELU_A), x), inner));
}

INLINE v16 sigmoid16(v16 x) {
    return v16_div(v16_set1(1.0f), v16_add(v16_set1(1.0f), exp16(v16_neg(x))));
}

INLINE v16 tanh16(v16 x) {
    const v16 one = v16_set1(1.0f), two = v16_set1(2.0f);
    return v16_sub(one, v16_div(two, v16_add(exp16(v16_mul(two, x)), one)));
}

// num_softplus, lane by lane.
INLINE v16 softplus16(v16 x) {
    v16 u = exp16(v16_neg(v16_abs(x))), two = v16_set1(2.0f);
    v16 z = v16_div(u, v16_add(two, u)), square = v16_mul(z, z);
    v16 p = v16_fma(v16_set1(NUM_ARTANH_C15), square, v16_set1(NUM_ARTANH_C13));
    p = v16_fma(p, square, v16_set1(NUM_ARTANH_C11));
    p = v16_fma(p, square, v16_set1(NUM_ARTANH_C9));
    p = v16_fma(p, square, v16_set1(NUM_ARTANH_C7));
    p = v16_fma(p, square, v16_set1(NUM_ARTANH_C5));
    p = v16_fma(p, square, v16_set1(NUM_ARTANH_C3));
    p = v16_fma(p, square, v16_set1(1.0f));
    return v16_add(v16_max(x, v16_set1(0.0f)), v16_mul(v16_mul(two, z), p));
}

INLINE v16 itself16(v16 x) {
    return x;
}

// activation(a) * b for one activation.
#define ACT(name, of_a)                                                                                                \
    static void act_##name(const float *a, const float *b, size_t n, float *y) {                                       \
        for (size_t i = 0; i < n; i += 16) {                                                                           \
            v16 v = of_a(load_some(a + i, n - i));                                                                     \
            store_some(y + i, b ? v16_mul(v, load_some(b + i, n - i)) : v, n - i);                                     \
        }                                                                                                              \
    }

ACT(silu, silu16)
ACT(gelu, gelu16)
ACT(sigmoid, sigmoid16)
ACT(softplus, softplus16)
ACT(tanh, tanh16)
ACT(exp, exp16)
ACT(none, itself16)

static void add(const float *x, float scale, size_t n, float *y) {
    v16 factor = v16_set1(scale);
    for (size_t i = 0; i < n; i += 16)
        store_some(y + i, v16_add(load_some(y + i, n - i), v16_mul(factor, load_some(x + i, n - i))), n - i);
}

// Neighbours: eight pairs in a vector.
static void rope_norm(float *x, const float *cosine, const float *sine, size_t half) {
    size_t i = 0;
    for (; i + 8 <= half; i += 8) {
        v16 v = v16_load(x + 2 * i), along = v16_mul(v, v16_load_twice(cosine + i));
        v16 across = v16_mul(v16_swap_pairs(v), v16_load_twice(sine + i));
        v16_store(x + 2 * i, v16_pick(0x5555, v16_sub(along, across), v16_add(across, along)));
    }
    for (; i < half; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosine[i] - b * sine[i];
        x[2 * i + 1] = a * sine[i] + b * cosine[i];
    }
}

// Halves: sixteen pairs in two vectors.
static void rope_neox(float *x, const float *cosine, const float *sine, size_t half) {
    for (size_t i = 0; i < half; i += 16) {
        size_t n = half - i;
        v16 a = load_some(x + i, n), b = load_some(x + half + i, n);
        v16 c = load_some(cosine + i, n), s = load_some(sine + i, n);
        store_some(x + i, v16_sub(v16_mul(a, c), v16_mul(b, s)), n);
        store_some(x + half + i, v16_add(v16_mul(a, s), v16_mul(b, c)), n);
    }
}

static void rope(float *x, const float *cosine, const float *sine, size_t half, enum rope_kind kind) {
    if (kind == ROPE_NORM)
        rope_norm(x, cosine, sine, half);
    else
        rope_neox(x, cosine, sine, half);
}

static void to_f16(const float *x, size_t n, uint16_t *y) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        v16_store_f16(y + i, v16_load(x + i));
    for (; i < n; i++)
        y[i] = num_f32_to_f16(x[i]);
}

static void fill_ops(struct kernels *k) {
    k->encode[ACT_Q8] = encode_q8;
    k->encode[ACT_Q8K] = encode_q8k;
    k->norm = norm;
    k->layer_norm = layer_norm;
    k->act[ACTIVATION_SILU] = act_silu;
    k->act[ACTIVATION_GELU] = act_gelu;
    k->act[ACTIVATION_SIGMOID] = act_sigmoid;
    k->act[ACTIVATION_SOFTPLUS] = act_softplus;
    k->act[ACTIVATION_TANH] = act_tanh;
    k->act[ACTIVATION_EXP] = act_exp;
    k->act[ACTIVATION_NONE] = act_none;
    k->add = add;
    k->rope = rope;
    k->to_f16 = to_f16;
}
