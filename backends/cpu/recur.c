// SPDX-License-Identifier: MIT
// Operations that walk the rows in order: causal convolutions and recurrences. Channels and rows of a state do not see
// each other, so they are what the threads share out; the tokens of the batch pass one after the other, whatever the
// batch, and a stretch of the state stays in the first-level cache meanwhile.
#include "backends/cpu/cpu.h"

#include <string.h>

#include "backends/cpu/recur.h"

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

// The last inputs, in ascending order, so that none is read after it was overwritten.
static void conv_update(const struct tape_conv *o, uint32_t rows, size_t first, size_t n) {
    for (uint32_t i = 0; i < conv_history(o); i++)
        memcpy(o->state + (size_t)i * o->channels + first, conv_row(o, i + rows) + first, n * sizeof(float));
}

void cpu_conv(struct cpu_backend *cpu, const struct tape_op *op, unsigned thread) {
    const struct tape_conv *o = &op->conv;
    (void)thread;
    for (;;) {
        size_t first = pool_take(cpu->pool) * CONV_PIECE;
        if (first >= o->channels)
            return;
        size_t n = min_size(CONV_PIECE, o->channels - first);
        cpu->kernels.conv(o, op->rows, (uint32_t)first, (uint32_t)n);
        conv_update(o, op->rows, first, n);
    }
}

// Rows of a state that a thread takes at once: with keys of 128 elements they fill 16 KiB.
#define RECUR_ROWS 32

// How many of n rows from `row` on are of one head, or of heads with one row each that read the same group.
static size_t rows_together(const struct tape_recur *o, size_t row, size_t n) {
    const uint32_t heads = o->heads / o->groups; // of a group
    if (o->dv > 1)
        return min_size(n, o->dv - row % o->dv);
    return o->groups == 1 ? n : o->modulo ? 1 : min_size(n, heads - row % heads);
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
            n = rows_together(o, at, end - at);
            cpu->kernels.recur(o, op->rows, (uint32_t)at, (uint32_t)n);
        }
    }
}
