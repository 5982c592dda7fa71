// SPDX-License-Identifier: MIT
// Mixtures of experts: choosing them for a token, ordering the batch's tokens by expert, adding up what they give.
#include "backends/cpu/cpu.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/num.h"

static void softmax(float *x, uint32_t n) {
    float top = -INFINITY, sum[16] = {0};
    for (uint32_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (uint32_t i = 0; i < n; i++) {
        x[i] = num_exp(x[i] - top);
        sum[i % 16] += x[i];
    }
    float all = quant_sum16(sum);
    for (uint32_t i = 0; i < n; i++)
        x[i] /= all;
}

static void probabilities(enum gating gating, const float *logits, uint32_t n, float *p) {
    memcpy(p, logits, n * sizeof *p);
    if (gating == GATING_SOFTMAX)
        softmax(p, n);
    for (uint32_t i = 0; i < n; i++)
        if (gating == GATING_SIGMOID)
            p[i] = 1.0f / (1.0f + num_exp(-p[i]));
        else if (gating == GATING_SQRT_SOFTPLUS)
            p[i] = num_sqrt(num_softplus(p[i]));
}

// Index of the largest of p[n], the lower one among equals; numbers that are not comparable are never larger.
static uint32_t largest(const float *p, uint32_t n) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (p[i] > p[best])
            best = i;
    return best;
}

// What a group of experts is worth: the sum of its two best.
static float group_worth(const float *p, uint32_t n) {
    float first = -INFINITY, second = -INFINITY;
    for (uint32_t i = 0; i < n; i++)
        if (p[i] > first) {
            second = first;
            first = p[i];
        } else if (p[i] > second) {
            second = p[i];
        }
    return first + second;
}

// Experts outside the best groups are out of the question.
static void mask_groups(const struct tape_route *o, float *p) {
    float worth[TAPE_MAX_EXPERTS];
    bool kept[TAPE_MAX_EXPERTS] = {false};
    uint32_t len = o->n_experts / o->n_groups;
    for (uint32_t g = 0; g < o->n_groups; g++)
        worth[g] = group_worth(p + g * len, len);
    for (uint32_t i = 0; i < o->n_groups_used; i++) {
        uint32_t g = largest(worth, o->n_groups);
        kept[g] = true;
        worth[g] = -INFINITY;
    }
    for (uint32_t i = 0; i < o->n_experts; i++)
        if (!kept[i / len])
            p[i] = -INFINITY;
}

static void weigh(const struct tape_route *o, float *w) {
    if (o->gating == GATING_SOFTMAX_CHOSEN)
        softmax(w, o->n_used);
    float sum = 0, scale = o->scale;
    for (uint32_t k = 0; k < o->n_used; k++)
        sum += w[k];
    if (o->normalize)
        for (uint32_t k = 0; k < o->n_used; k++)
            w[k] /= sum > 0x1p-14f ? sum : 0x1p-14f;
    for (uint32_t k = 0; scale != 1.0f && k < o->n_used; k++)
        w[k] *= scale;
}

void cpu_route(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_route *o = &op->route;
    const float *logits = o->logits + (size_t)row * o->n_experts;
    float p[TAPE_MAX_EXPERTS], choose[TAPE_MAX_EXPERTS];
    int32_t *ids = o->ids + (size_t)row * o->n_used;
    float *weights = o->weights + (size_t)row * o->n_used;
    (void)cpu;
    probabilities(o->gating, logits, o->n_experts, p);
    probabilities(o->choose_by ? o->choose_by : o->gating, logits, o->n_experts, choose);
    for (uint32_t i = 0; o->bias && i < o->n_experts; i++)
        choose[i] += o->bias[i];
    if (o->n_groups > 1)
        mask_groups(o, choose);
    for (uint32_t k = 0; k < o->n_used; k++) {
        uint32_t best = largest(choose, o->n_experts);
        choose[best] = -INFINITY;
        ids[k] = (int32_t)(best / o->divide);
        weights[k] = p[best / o->divide];
    }
    weigh(o, weights);
}

static size_t one_piece(const struct cpu_backend *cpu, const struct tape_op *op) {
    (void)cpu, (void)op;
    return 1;
}

// A counting sort: slots in ascending order of expert, then of token.
static void run_group(struct cpu_backend *cpu, const struct tape_op *op, size_t piece, unsigned thread) {
    const struct tape_groups *g = &op->group.groups;
    uint32_t n = op->rows * g->n_used, next[TAPE_MAX_EXPERTS];
    (void)cpu, (void)piece, (void)thread;
    memset(g->begin, 0, (g->n_experts + 1) * sizeof *g->begin);
    for (uint32_t i = 0; i < n; i++)
        g->begin[g->ids[i] + 1]++;
    for (uint32_t e = 0; e < g->n_experts; e++) {
        g->begin[e + 1] += g->begin[e];
        next[e] = g->begin[e];
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = next[g->ids[i]]++;
        g->slot[i] = slot;
        g->source[slot] = i;
    }
}

const struct cpu_pieces cpu_group = {one_piece, run_group};

void cpu_ask_ahead(const struct tape_matmul *m) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (uint32_t i = 0; i < m->n; i++)
        for (uint32_t e = 0; e < m->groups.n_experts; e++) {
            if (m->groups.begin[e] == m->groups.begin[e + 1])
                continue;
            uintptr_t begin = (uintptr_t)m->w[i]->data + e * m->w[i]->stride,
                      end = begin + m->w[i]->row_size * m->w[i]->rows;
            begin -= begin % page;
            madvise((void *)begin, end - begin, MADV_WILLNEED); // a hint: where it fails, reading is only slower
        }
}

void cpu_combine(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_combine *o = &op->combine;
    const struct tape_groups *g = &o->groups;
    float *y = o->y + (size_t)row * o->len;
    (void)cpu;
    for (uint32_t k = 0; k < g->n_used; k++) {
        size_t i = (size_t)row * g->n_used + k;
        const float *x = o->x + (size_t)g->slot[i] * o->len;
        float weight = o->weigh ? g->weights[i] : 1.0f;
        for (uint32_t j = 0; j < o->len; j++)
            y[j] = k ? y[j] + weight * x[j] : weight * x[j];
    }
}

void cpu_spread(struct cpu_backend *cpu, const struct tape_op *op, uint32_t row) {
    const struct tape_spread *o = &op->spread;
    const float *x = o->x + (size_t)row * o->len;
    (void)cpu;
    for (uint32_t k = 0; k < o->groups.n_used; k++) {
        size_t i = (size_t)row * o->groups.n_used + k;
        float *y = o->y + (size_t)o->groups.slot[i] * o->len, weight = o->groups.weights[i];
        for (uint32_t j = 0; j < o->len; j++)
            y[j] = weight * x[j];
    }
}
