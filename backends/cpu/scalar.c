// SPDX-License-Identifier: MIT
// The scalar level: every slot in portable C, the reference for all others. It is written to be read, not to be fast.
#include <math.h>
#include <string.h>

#include "backends/cpu/kernels.h"
#include "backends/cpu/kv_quant.h"
#include "backends/cpu/recur.h"
#include "base/num.h"

static void encode_q8(const float *x, size_t n, void *record) {
    quant_act_encode(ACT_Q8, x, n, record);
}

static void encode_q8k(const float *x, size_t n, void *record) {
    quant_act_encode(ACT_Q8K, x, n, record);
}

static void encode_bf16(const float *x, size_t n, void *record) {
    quant_act_encode(ACT_BF16, x, n, record);
}

static void dot(const struct dot_job *j) {
    for (uint32_t c = 0; c < j->cols; c++) {
        struct quant_vec x = quant_act_vec(j->layout, j->x + c * j->x_stride);
        for (uint32_t r = 0; r < j->rows; r++)
            j->y[c * j->y_stride + r] = quant_dot(j->format, j->w + r * j->row_size, &x, j->n);
    }
}

static void norm(const float *x, const float *w, size_t n, float eps, float *y) {
    float sum[16] = {0};
    for (size_t i = 0; i < n; i++)
        sum[i % 16] = num_fma(x[i], x[i], sum[i % 16]);
    float inverse = 1.0f / num_sqrt(quant_sum16(sum) / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        y[i] = w ? x[i] * inverse * w[i] : x[i] * inverse;
}

static void layer_norm(const float *x, const float *w, const float *b, size_t n, float eps, float *y) {
    float sum[16] = {0}, squares[16] = {0};
    for (size_t i = 0; i < n; i++)
        sum[i % 16] += x[i];
    float mean = quant_sum16(sum) / (float)n;
    for (size_t i = 0; i < n; i++)
        squares[i % 16] = num_fma(x[i] - mean, x[i] - mean, squares[i % 16]);
    float inverse = 1.0f / num_sqrt(quant_sum16(squares) / (float)n + eps);
    for (size_t i = 0; i < n; i++) {
        float v = (x[i] - mean) * inverse * (w ? w[i] : 1.0f);
        y[i] = b ? v + b[i] : v;
    }
}

// activation(a) * b for one activation.
#define ACT(name, of_a)                                                                                                \
    static void act_##name(const float *a, const float *b, size_t n, float *y) {                                       \
        for (size_t i = 0; i < n; i++) {                                                                               \
            float v = of_a(a[i]);                                                                                      \
            y[i] = b ? v * b[i] : v;                                                                                   \
        }                                                                                                              \
    }

static float relu(float x) {
    return x > 0 ? x : 0.0f;
}

static float relu2(float x) {
    return relu(x) * relu(x);
}

ACT(silu, num_silu)
ACT(gelu, num_gelu)
ACT(sigmoid, num_sigmoid)
ACT(relu, relu)
ACT(relu2, relu2)
ACT(gelu_erf, num_gelu_erf)
ACT(softplus, num_softplus)
ACT(tanh, num_tanh)
ACT(exp, num_exp)

static float itself(float x) {
    return x;
}

ACT(none, itself)

static float signed_root(float x) {
    float size = x < 0 ? -x : x, root = num_sqrt(size > 1e-6f ? size : 1e-6f);
    return x > 0 ? root : x < 0 ? -root : 0.0f;
}

ACT(signed_root, signed_root)

static float dot16(const float *a, const float *b, size_t n) {
    float sum[16] = {0};
    for (size_t i = 0; i < n; i++)
        sum[i % 16] = num_fma(a[i], b[i], sum[i % 16]);
    return quant_sum16(sum);
}

// What a token brings to one row of a state; what a kind has no use for is NULL.
struct recur_step {
    float *s;              // the row [dk]
    const float *factors;  // [dk] decay by DECAY_KEY
    const float *rate;     // [dk] by DECAY_RATE: exp(beta * rate)
    const float *bonus;    // [dk] of RWKV-6
    const float *a, *b;    // [dk] of RWKV-7
    float factor, beta, v; // decay by DECAY_HEAD
};

// Row `row` of the states, which belongs to `head`, at token t.
static struct recur_step step_of(const struct tape_recur *o, uint32_t head, uint32_t row, uint32_t t) {
    const size_t at = (size_t)t * o->heads + head;
    struct recur_step step = {
        .s = o->state + (size_t)row * o->dk,
        .factor = o->decay_kind == DECAY_HEAD ? o->decay[at] : 1,
        .beta = o->beta ? o->beta[at] : 1,
        .v = o->v[(size_t)t * o->v_row + row],
    };
    if (o->decay_kind == DECAY_KEY)
        step.factors = o->decay + at * o->dk;
    if (o->decay_kind == DECAY_RATE)
        step.rate = o->rate + (size_t)head * o->dk;
    if (o->kind == RECUR_RWKV6)
        step.bonus = o->bonus + (size_t)head * o->dk;
    if (o->kind == RECUR_RWKV7) {
        step.a = o->a + at * o->dk;
        step.b = o->b + at * o->dk;
    }
    return step;
}

static float decay(const struct recur_step *t, size_t i) {
    return t->rate ? num_exp(t->beta * t->rate[i]) : t->factors ? t->factors[i] : t->factor;
}

// One row of a state, for a token with query q and key k.
static float recur_row(const struct tape_recur *o, const struct recur_step *t, const float *q, const float *k) {
    float *s = t->s, along = o->kind == RECUR_RWKV7 ? dot16(s, t->a, o->dk) : 0, sum[16] = {0};
    for (uint32_t i = 0; o->kind == RECUR_RWKV6 && i < o->dk; i++)
        sum[i % 16] = num_fma(num_fma(t->bonus[i] * k[i], t->v, s[i]), q[i], sum[i % 16]);
    for (uint32_t i = 0; i < o->dk; i++)
        s[i] *= decay(t, i);
    float write = o->kind == RECUR_DELTA ? (t->v - dot16(s, k, o->dk)) * t->beta : t->v * t->beta;
    for (uint32_t i = 0; i < o->dk; i++) {
        s[i] = o->kind == RECUR_RWKV7 ? num_fma(along, t->b[i], s[i]) : s[i];
        s[i] = num_fma(write, k[i], s[i]);
    }
    return (o->kind == RECUR_RWKV6 ? quant_sum16(sum) : dot16(s, q, o->dk)) * o->scale;
}

static void recur(const struct tape_recur *o, uint32_t tokens, uint32_t row, uint32_t n) {
    for (uint32_t t = 0; t < tokens; t++)
        for (uint32_t r = row; r < row + n; r++) {
            const uint32_t head = r / o->dv, group = recur_group(o, head);
            const struct recur_step step = step_of(o, head, r, t);
            o->y[(size_t)t * o->heads * o->dv + r] =
                recur_row(o, &step, o->q + (size_t)t * o->q_row + (size_t)group * o->dk,
                          o->k + (size_t)t * o->k_row + (size_t)group * o->dk);
        }
}

static void conv(const struct tape_conv *o, uint32_t tokens, uint32_t first, uint32_t n) {
    for (uint32_t t = 0; t < tokens; t++)
        for (uint32_t c = first; c < first + n; c++) {
            float sum = 0;
            for (uint32_t j = 0; j < o->width; j++)
                sum = num_fma(o->w[(size_t)c * o->width + j], conv_input(o, t, j)[c], sum);
            sum += o->b ? o->b[c] : 0.0f;
            o->y[(size_t)t * o->channels + c] = o->silu ? num_silu(sum) : sum;
        }
}

static void add(const float *x, float scale, size_t n, float *y) {
    for (size_t i = 0; i < n; i++)
        y[i] += scale * x[i];
}

static void rope(float *x, const float *cosine, const float *sine, size_t half, enum rope_kind kind) {
    size_t step = kind == ROPE_NORM ? 2 : 1, apart = kind == ROPE_NORM ? 1 : half;
    for (size_t i = 0; i < half; i++) {
        float *a = x + i * step, *b = a + apart, before = *a;
        *a = before * cosine[i] - *b * sine[i];
        *b = before * sine[i] + *b * cosine[i];
    }
}

static void to_f16(const float *x, size_t n, uint16_t *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = num_f32_to_f16(x[i]);
}

// Element i of a key or value in floating point.
static float stored(const void *base, enum kv_type type, size_t i) {
    return type == KV_F16 ? num_f16_to_f32(((const uint16_t *)base)[i]) : ((const float *)base)[i];
}

static float product(const struct attend_job *j, uint32_t r, uint32_t key) {
    float sum[16] = {0};
    for (uint32_t i = 0; i < j->dim_k; i++)
        sum[i % 16] = num_fma(j->q[r][i], stored(j->k, j->type, (size_t)key * j->dim_k + i), sum[i % 16]);
    return quant_sum16(sum);
}

// Integer products of a block are exact; blocks follow each other.
static float quant_product(const struct attend_job *j, uint32_t r, uint32_t key) {
    float sum = 0;
    for (uint32_t b = 0; b < kv_blocks(j->dim_k); b++) {
        const uint16_t *scales = kv_scales(j->type, j->k, b);
        int32_t products = 0;
        for (uint32_t i = 0; i < KV_BLOCK; i++)
            products += j->codes[r].q[b * KV_BLOCK + i] * kv_key_code(j->type, scales, key, i);
        sum = num_fma((float)products, j->codes[r].d[b] * num_f16_to_f32(scales[key]), sum);
    }
    return sum;
}

static float score(const struct attend_job *j, uint32_t r, uint32_t key) {
    float s = (kv_quantized(j->type) ? quant_product(j, r, key) : product(j, r, key)) * j->scale;
    s = j->softcap > 0 ? j->softcap * num_tanh(s / j->softcap) : s;
    return j->bias ? s + j->bias[(size_t)r * TAPE_PAGE + key] : s;
}

// What one page gives row r: the weights of its keys in j->scores, their maximum and sum.
static void weigh_page(const struct attend_job *j, uint32_t r, float *m, float *s) {
    float *w = j->scores + (size_t)r * TAPE_PAGE;
    float sum[16] = {0};
    *m = -INFINITY;
    for (uint32_t key = j->lo[r]; key < j->hi[r]; key++) {
        w[key] = score(j, r, key);
        *m = w[key] > *m ? w[key] : *m;
    }
    for (uint32_t key = j->lo[r]; key < j->hi[r]; key++) {
        w[key] = num_exp(w[key] - *m);
        sum[key % 16] += w[key];
    }
    *s = quant_sum16(sum);
}

// A value's scale is multiplied into its weight.
static float quant_page_value(const struct attend_job *j, uint32_t r, uint32_t i) {
    const uint16_t *scales = kv_scales(j->type, j->v, i / KV_BLOCK);
    float sum = 0;
    for (uint32_t key = j->lo[r]; key < j->hi[r]; key++) {
        float w = j->scores[(size_t)r * TAPE_PAGE + key] * num_f16_to_f32(scales[key]);
        int code = (j->v == j->k ? kv_key_code : kv_value_code)(j->type, scales, key, i % KV_BLOCK);
        sum = num_fma(w, (float)code, sum);
    }
    return sum;
}

static float page_value(const struct attend_job *j, uint32_t r, uint32_t i) {
    size_t stride = j->v == j->k ? j->dim_k : j->dim_v;
    float sum = 0;
    for (uint32_t key = j->lo[r]; key < j->hi[r]; key++)
        sum = num_fma(j->scores[(size_t)r * TAPE_PAGE + key], stored(j->v, j->type, key * stride + i), sum);
    return sum;
}

static void merge_row(const struct attend_found *all, float m, float s, const float *values, uint32_t r, uint32_t dim) {
    float top = m > all->m[r] ? m : all->m[r], *acc = all->acc + (size_t)r * dim;
    float old = num_exp(all->m[r] - top), new = num_exp(m - top);
    for (uint32_t i = 0; i < dim; i++)
        acc[i] = num_fma(values[i], new, acc[i] * old);
    all->s[r] = num_fma(s, new, all->s[r] * old);
    all->m[r] = top;
}

static void attend_row(const struct attend_job *j, uint32_t r) {
    float m, s, values[ATTEND_MAX_DIM];
    weigh_page(j, r, &m, &s);
    for (uint32_t i = 0; i < j->dim_v; i++)
        values[i] = kv_quantized(j->type) ? quant_page_value(j, r, i) : page_value(j, r, i);
    merge_row(&j->found, m, s, values, r, j->dim_v);
}

static void attend(const struct attend_job *j) {
    for (uint32_t r = 0; r < j->rows; r++)
        if (j->lo[r] < j->hi[r])
            attend_row(j, r);
}

static void merge(const struct attend_found *all, const struct attend_found *part, uint32_t rows, uint32_t dim) {
    for (uint32_t r = 0; r < rows; r++)
        if (part->s[r] != 0)
            merge_row(all, part->m[r], part->s[r], part->acc + (size_t)r * dim, r, dim);
}

void kernels_fill_scalar(struct kernels *k) {
    k->encode[ACT_Q8] = encode_q8;
    k->encode[ACT_Q8K] = encode_q8k;
    k->encode[ACT_BF16] = encode_bf16;
    for (size_t i = 0; i < N_QUANTS; i++)
        k->dot[i] = dot;
    k->norm = norm;
    k->layer_norm = layer_norm;
    k->act[ACTIVATION_SILU] = act_silu;
    k->act[ACTIVATION_GELU] = act_gelu;
    k->act[ACTIVATION_SIGMOID] = act_sigmoid;
    k->act[ACTIVATION_RELU] = act_relu;
    k->act[ACTIVATION_RELU2] = act_relu2;
    k->act[ACTIVATION_GELU_ERF] = act_gelu_erf;
    k->act[ACTIVATION_SOFTPLUS] = act_softplus;
    k->act[ACTIVATION_TANH] = act_tanh;
    k->act[ACTIVATION_EXP] = act_exp;
    k->act[ACTIVATION_NONE] = act_none;
    k->act[ACTIVATION_SIGNED_ROOT] = act_signed_root;
    k->add = add;
    k->rope = rope;
    k->recur = recur;
    k->conv = conv;
    k->to_f16 = to_f16;
    k->attend = attend;
    k->merge = merge;
}
