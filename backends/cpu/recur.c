// SPDX-License-Identifier: MIT
// Operations that walk the rows in order: causal convolutions and recurrences. Channels and rows of a state do not see
// each other, so they are what the threads share out; the tokens of the batch pass one after the other, whatever the
// batch, and a stretch of the state stays in the first-level cache meanwhile.
#include "backends/cpu/cpu.h"

#include <string.h>

#include "base/num.h"

// The id s tokens before row t, or `end` where there is none.
static int32_t id_before(const struct tape_ngram *o, uint32_t t, uint32_t s) {
    if (s <= t)
        return o->ids[t - s];
    return o->state[s - t - 1] ? o->state[s - t - 1] - 1 : o->end;
}

static void ngram_row(const struct tape_ngram *o, uint32_t t) {
    int32_t *y = o->y + (size_t)t * (o->size - 1) * o->per;
    const uint64_t *offset = o->offsets, *size = o->sizes;
    uint64_t mixed = (uint64_t)o->ids[t] * o->multipliers[0];
    bool cut = false;
    for (uint32_t s = 1; s < o->size; s++) {
        int32_t id = cut ? o->end : id_before(o, t, s);
        cut |= id == o->end;
        mixed ^= (uint64_t)id * o->multipliers[s];
        for (uint32_t g = 0; g < o->per; g++)
            *y++ = (int32_t)(mixed % *size++ + *offset++);
    }
}

// From the oldest id on, so that none is read after it was overwritten.
static void ngram_update(const struct tape_ngram *o, uint32_t rows) {
    for (uint32_t i = o->size - 1; i-- > 0;)
        o->state[i] = i < rows ? o->ids[rows - 1 - i] + 1 : o->state[i - rows];
}

void cpu_ngram(struct cpu_backend *cpu, const struct tape_op *op, unsigned thread) {
    (void)thread;
    if (pool_take(cpu->pool) != 0)
        return;
    for (uint32_t t = 0; t < op->rows; t++)
        ngram_row(&op->ngram, t);
    ngram_update(&op->ngram, op->rows);
}

#define CONV_PIECE 64 // channels

static uint32_t conv_history(const struct tape_conv *o) {
    return (o->width - 1) * o->dilation;
}

// Input `back` rows before row t of channel c: from the batch or, before it, from the state.
static float conv_input(const struct tape_conv *o, uint32_t t, uint32_t back, uint32_t c) {
    if (back <= t)
        return o->x[(size_t)(t - back) * o->x_stride + c];
    return o->state[(size_t)(conv_history(o) - (back - t)) * o->channels + c];
}

static void conv_channel(const struct tape_conv *o, uint32_t rows, uint32_t c) {
    for (uint32_t t = 0; t < rows; t++) {
        float sum = 0;
        for (uint32_t j = 0; j < o->width; j++)
            sum = num_fma(o->w[(size_t)c * o->width + j], conv_input(o, t, (o->width - 1 - j) * o->dilation, c), sum);
        sum += o->b ? o->b[c] : 0.0f;
        o->y[(size_t)t * o->channels + c] = o->silu ? num_silu(sum) : sum;
    }
}

// The last inputs, in ascending order, so that none is read after it was overwritten.
static void conv_update(const struct tape_conv *o, uint32_t rows, uint32_t c) {
    const uint32_t history = conv_history(o);
    for (uint32_t i = 0; i < history; i++)
        o->state[(size_t)i * o->channels + c] = rows + i >= history
                                                    ? o->x[(size_t)(rows + i - history) * o->x_stride + c]
                                                    : o->state[(size_t)(i + rows) * o->channels + c];
}

void cpu_conv(struct cpu_backend *cpu, const struct tape_op *op, unsigned thread) {
    const struct tape_conv *o = &op->conv;
    (void)thread;
    for (;;) {
        size_t first = pool_take(cpu->pool) * CONV_PIECE, end = min_size(first + CONV_PIECE, o->channels);
        if (first >= o->channels)
            return;
        for (size_t c = first; c < end; c++) {
            conv_channel(o, op->rows, (uint32_t)c);
            conv_update(o, op->rows, (uint32_t)c);
        }
    }
}

// Rows of a state that a thread takes at once: with keys of 128 elements they fill 16 KiB.
#define RECUR_ROWS 32

static uint32_t group_of(const struct tape_recur *o, uint32_t head) {
    return o->modulo ? head % o->groups : head / (o->heads / o->groups);
}

static struct recur_step step_at(const struct tape_recur *o, uint32_t head, uint32_t t) {
    size_t at = (size_t)t * o->heads + head, group = group_of(o, head);
    struct recur_step s = {
        .q = o->q + (size_t)t * o->q_row + group * o->dk,
        .k = o->k + (size_t)t * o->k_row + group * o->dk,
        .v = o->v + (size_t)t * o->v_row + (size_t)head * o->dv,
        .factor = 1,
        .beta = o->beta ? o->beta[at] : 1,
    };
    if (o->decay_kind == DECAY_HEAD)
        s.factor = o->decay[at];
    else if (o->decay_kind == DECAY_KEY)
        s.factors = o->decay + at * o->dk;
    else if (o->decay_kind == DECAY_RATE)
        s.rate = o->rate + (size_t)head * o->dk;
    if (o->kind == RECUR_RWKV6)
        s.bonus = o->bonus + (size_t)head * o->dk;
    if (o->kind == RECUR_RWKV7) {
        s.a = o->a + at * o->dk;
        s.b = o->b + at * o->dk;
    }
    return s;
}

// Rows [first, first + rows) of a head's state, through all tokens of the batch.
static void recur_head(struct cpu_backend *cpu, const struct tape_op *op, uint32_t head, uint32_t first,
                       uint32_t rows) {
    const struct tape_recur *o = &op->recur;
    struct recur_job job = {.kind = o->kind,
                            .n = o->dk,
                            .rows = rows,
                            .scale = o->scale,
                            .state = o->state + ((size_t)head * o->dv + first) * o->dk};
    for (uint32_t t = 0; t < op->rows; t++) {
        job.step = step_at(o, head, t);
        job.step.v += first;
        job.y = o->y + ((size_t)t * o->heads + head) * o->dv + first;
        cpu->kernels.recur(&job);
    }
}

void cpu_recur(struct cpu_backend *cpu, const struct tape_op *op, unsigned thread) {
    const struct tape_recur *o = &op->recur;
    size_t all = (size_t)o->heads * o->dv;
    (void)thread;
    for (;;) {
        size_t at = pool_take(cpu->pool) * RECUR_ROWS, end = min_size(at + RECUR_ROWS, all);
        if (at >= all)
            return;
        for (size_t n; at < end; at += n) {
            n = min_size(end - at, o->dv - at % o->dv);
            recur_head(cpu, op, (uint32_t)(at / o->dv), (uint32_t)(at % o->dv), (uint32_t)n);
        }
    }
}
