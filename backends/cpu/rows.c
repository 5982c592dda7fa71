// SPDX-License-Identifier: MIT
// The operations that look at one row at a time. Each function does its operation for one row; see cpu_backend.c for
// how rows are shared out.
#include "backends/cpu/cpu.h"

#include <math.h>
#include <string.h>

#include "base/num.h"

static void run_embed(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_embed *o = &op->embed;
    const struct weight *w = o->table;
    size_t id = o->ids ? (size_t)o->ids[row] : o->pos + row;
    float *y = o->y + (size_t)row * w->cols, piece[QUANT_MAX_BLOCK];
    const char *from = (const char *)w->data + id * w->row_size;
    (void)cpu;
    if (!o->add) {
        quant_decode(w->format, from, y, w->cols);
        for (uint32_t i = 0; o->scale != 1.0f && i < w->cols; i++)
            y[i] *= o->scale;
        return;
    }
    for (uint32_t i = 0; i < w->cols; i += w->format->block_len, from += w->format->block_size) {
        quant_decode(w->format, from, piece, w->format->block_len);
        for (uint32_t j = 0; j < w->format->block_len; j++)
            y[i + j] += piece[j] * o->scale;
    }
}

static void run_angles(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_angles *o = &op->angles;
    float *table = o->table + (size_t)row * 2 * o->half;
    (void)cpu;
    for (uint32_t i = 0; i < o->half; i++) {
        float sine, cosine;
        num_sincos((double)(o->pos + row) * o->theta[i], &sine, &cosine);
        table[i] = cosine * o->scale;
        table[o->half + i] = sine * o->scale;
    }
}

static float length_of(const float *x, size_t n) {
    float sum[16] = {0};
    for (size_t i = 0; i < n; i++)
        sum[i % 16] = num_fma(x[i], x[i], sum[i % 16]);
    return num_sqrt(quant_sum16(sum));
}

static void norm_l2(const float *x, const float *like, size_t n, float eps, float *y) {
    float length = length_of(x, n), inverse = (like ? length_of(like, n) : 1.0f) / (length > eps ? length : eps);
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * inverse;
}

static void norm_rms(struct cpu_backend *cpu, const float *x, const float *w, const float *b, size_t n, float eps,
                     float *y) {
    cpu->kernels.norm(x, w, n, eps, y);
    for (size_t i = 0; b && i < n; i++)
        y[i] += b[i];
}

static void run_norm(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_norm *o = &op->norm;
    size_t at = (size_t)row * o->groups * o->len;
    for (uint32_t g = 0; g < o->groups; g++, at += o->len) {
        size_t from = o->w_of_group ? (size_t)g * o->len : 0;
        const float *w = o->w ? o->w + from : NULL, *b = o->b ? o->b + from : NULL;
        if (o->kind == NORM_RMS)
            norm_rms(cpu, o->x + at, w, b, o->len, o->eps, o->y + at);
        else if (o->kind == NORM_LAYER)
            cpu->kernels.layer_norm(o->x + at, w, b, o->len, o->eps, o->y + at);
        else
            norm_l2(o->x + at, o->like ? o->like + (size_t)row * o->len : NULL, o->len, o->eps, o->y + at);
    }
}

static void run_rope(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_rope *o = &op->rope;
    const float *cosine = o->table + (size_t)row * o->rot, *sine = cosine + o->rot / 2;
    for (uint32_t h = 0; h < o->heads; h++)
        cpu->kernels.rope(o->x + ((size_t)row * o->heads + h) * o->dim + o->first, cosine, sine, o->rot / 2, o->kind);
}

static float clamp(float x, float least, float most) {
    return x < least ? least : x > most ? most : x;
}

// Gates that are limited; rare, so no level has code of its own for them.
static void limited(const struct tape_act *o, const float *a, const float *b, float *y) {
    for (uint32_t i = 0; i < o->len; i++) {
        float high = o->limit, gate = a[i], up = clamp(b[i], -high, high);
        if (o->limit_kind == LIMIT_OAI) {
            gate = gate < high ? gate : high;
            y[i] = gate / (1.0f + num_exp(-1.702f * gate)) * (up + 1.0f);
        } else if (o->limit_kind == LIMIT_BEFORE) {
            y[i] = num_silu(gate < high ? gate : high) * up;
        } else {
            gate = num_silu(gate);
            y[i] = (gate < high ? gate : high) * up;
        }
    }
}

static void run_act(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_act *o = &op->act;
    size_t groups = (size_t)row * o->groups;
    for (uint32_t g = 0; g < o->groups; g++) {
        const float *a = o->a + (groups + g) * o->a_len, *b = o->b ? o->b + (groups + g) * o->len : NULL;
        float *y = o->y + (groups + g) * o->len, gate;
        if (o->limit_kind != LIMIT_NONE) {
            limited(o, a, b, y);
        } else if (o->a_len == o->len || !b) {
            cpu->kernels.act[o->activation](a, b, o->len, y);
        } else {
            cpu->kernels.act[o->activation](a, NULL, 1, &gate);
            for (uint32_t i = 0; i < o->len; i++)
                y[i] = b[i] * gate;
        }
    }
}

static void run_add(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_add *o = &op->add;
    cpu->kernels.add(o->same ? o->x : o->x + (size_t)row * o->len, o->scale, o->len, o->y + (size_t)row * o->len);
}

static void run_scale(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_scale *o = &op->scale;
    float *x = o->x + (size_t)row * o->groups * o->len;
    (void)cpu;
    for (uint32_t g = 0; g < o->groups; g++)
        for (uint32_t i = 0; i < o->len; i++, x++)
            *x *= o->w ? o->scale * o->w[o->of_group ? g : (size_t)g * o->len + i] : o->scale;
}

static void run_clamp(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_clamp *o = &op->clamp;
    float *x = o->x + (size_t)row * o->len;
    (void)cpu;
    for (uint32_t i = 0; i < o->len; i++)
        x[i] = clamp(x[i], o->least, o->most);
}

static void run_copy(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_copy *o = &op->copy;
    (void)cpu;
    for (uint32_t g = 0; g < o->groups; g++)
        memcpy(o->y + (size_t)row * o->y_row + (size_t)g * o->y_group,
               o->x + (size_t)row * o->x_row + (size_t)g * o->x_group, o->len * sizeof *o->x);
}

static void run_dot(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_dot *o = &op->dot;
    (void)cpu;
    for (uint32_t g = 0; g < o->groups; g++) {
        size_t at = ((size_t)row * o->groups + g) * o->len;
        float sum[16] = {0};
        for (uint32_t i = 0; i < o->len; i++)
            sum[i % 16] = num_fma(o->a[at + i], o->b[at + i], sum[i % 16]);
        o->y[(size_t)row * o->groups + g] = o->scale * quant_sum16(sum);
    }
}

static void run_temper(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_temper *o = &op->temper;
    float *x = o->x + (size_t)row * o->len;
    double turns = floor(((double)(o->pos + row) + (double)o->offset) / (double)o->period);
    float factor = (float)(num_log(turns + 1) * (double)o->scale + 1);
    (void)cpu;
    for (uint32_t i = 0; i < o->len; i++)
        x[i] *= factor;
}

static void run_softcap(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_softcap *o = &op->softcap;
    float *x = o->x + (size_t)row * o->len;
    for (uint32_t i = 0; i < o->len; i++)
        x[i] /= o->cap;
    cpu->kernels.act[ACTIVATION_TANH](x, NULL, o->len, x);
    for (uint32_t i = 0; i < o->len; i++)
        x[i] *= o->cap;
}

static void run_xielu(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_xielu *o = &op->xielu;
    const float *restrict x = o->x + (size_t)row * o->len;
    float *restrict y = o->y + (size_t)row * o->len;
    for (uint32_t i = 0; i < o->len; i++)
        y[i] = x[i] < o->eps ? x[i] : o->eps;
    cpu->kernels.act[ACTIVATION_EXP](y, NULL, o->len, y);
    for (uint32_t i = 0; i < o->len; i++)
        y[i] = (x[i] > 0 ? o->alpha_p * x[i] * x[i] : o->alpha_n * (y[i] - 1.0f - x[i])) + o->beta * x[i];
}

static void run_sparsify(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_sparsify *o = &op->sparsify;
    float *x = o->x + (size_t)row * o->len, sum[16] = {0}, squares[16] = {0};
    (void)cpu;
    for (uint32_t i = 0; i < o->len; i++)
        sum[i % 16] += x[i];
    const float mean = quant_sum16(sum) / (float)o->len;
    for (uint32_t i = 0; i < o->len; i++)
        squares[i % 16] += (x[i] - mean) * (x[i] - mean);
    const float least = mean + o->factor * num_sqrt(quant_sum16(squares) / (float)o->len);
    for (uint32_t i = 0; i < o->len; i++)
        x[i] = x[i] > least ? x[i] - least : 0;
}

static void run_mix(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_mix *o = &op->mix;
    const float *c = o->c + (size_t)row * o->n_out * o->n_in;
    (void)cpu;
    for (uint32_t i = 0; i < o->n_out; i++) {
        float *restrict y = o->y + ((size_t)row * o->n_out + i) * o->len;
        for (uint32_t j = 0; j < o->n_in; j++) {
            const float *restrict x = o->x + ((size_t)row * o->n_in + j) * o->len, factor = *c++;
            for (uint32_t k = 0; k < o->len; k++)
                y[k] += factor * x[k];
        }
    }
}

cpu_row_op *const cpu_row_ops[N_TAPE_CODES] = {
    [TAPE_EMBED] = run_embed, [TAPE_ANGLES] = run_angles,     [TAPE_NORM] = run_norm,
    [TAPE_ROPE] = run_rope,   [TAPE_STORE] = cpu_store,       [TAPE_ACT] = run_act,
    [TAPE_ADD] = run_add,     [TAPE_SCALE] = run_scale,       [TAPE_CLAMP] = run_clamp,
    [TAPE_COPY] = run_copy,   [TAPE_TEMPER] = run_temper,     [TAPE_SOFTCAP] = run_softcap,
    [TAPE_ROUTE] = cpu_route, [TAPE_COMBINE] = cpu_combine,   [TAPE_SPREAD] = cpu_spread,
    [TAPE_XIELU] = run_xielu, [TAPE_SPARSIFY] = run_sparsify, [TAPE_MIX] = run_mix,
    [TAPE_DOT] = run_dot,
};
