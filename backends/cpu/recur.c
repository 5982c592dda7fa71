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

// Its few rows depend on each other: one piece.
static size_t count_ngram(const struct cpu_backend *cpu, const struct tape_op *op) {
    (void)cpu, (void)op;
    return 1;
}

static void run_ngram(struct cpu_backend *cpu, const struct tape_op *op, size_t piece, unsigned thread) {
    (void)cpu, (void)piece, (void)thread;
    for (uint32_t t = 0; t < op->rows; t++)
        ngram_row(&op->ngram, t);
    ngram_update(&op->ngram, op->rows);
}

const struct cpu_pieces cpu_ngram = {count_ngram, run_ngram};

// The last inputs, in ascending order, so that none is read after it was overwritten.
static void conv_update(const struct tape_conv *o, uint32_t rows, size_t first, size_t n) {
    for (uint32_t i = 0; i < conv_history(o); i++)
        memcpy(o->state + (size_t)i * o->channels + first, conv_row(o, i + rows) + first, n * sizeof(float));
}

static size_t count_conv(const struct cpu_backend *cpu, const struct tape_op *op) {
    (void)cpu;
    return ((size_t)op->conv.channels + CONV_PIECE - 1) / CONV_PIECE;
}

static void run_conv(struct cpu_backend *cpu, const struct tape_op *op, size_t piece, unsigned thread) {
    const struct tape_conv *o = &op->conv;
    const size_t first = piece * CONV_PIECE, n = min_size(CONV_PIECE, o->channels - first);
    (void)thread;
    cpu->kernels.conv(o, op->rows, (uint32_t)first, (uint32_t)n);
    conv_update(o, op->rows, first, n);
}

const struct cpu_pieces cpu_conv = {count_conv, run_conv};

// Rows of a state that a thread takes at once: with keys of 128 elements they fill 16 KiB.
#define RECUR_ROWS 32

// How many of n rows from `row` on are of one head, or of heads with one row each that read the same group.
static size_t rows_together(const struct tape_recur *o, size_t row, size_t n) {
    const uint32_t heads = o->heads / o->groups; // of a group
    if (o->dv > 1)
        return min_size(n, o->dv - row % o->dv);
    return o->groups == 1 ? n : o->modulo ? 1 : min_size(n, heads - row % heads);
}

static size_t state_rows(const struct tape_recur *o) {
    return (size_t)o->heads * o->dv;
}

static size_t count_recur(const struct cpu_backend *cpu, const struct tape_op *op) {
    (void)cpu;
    return (state_rows(&op->recur) + RECUR_ROWS - 1) / RECUR_ROWS;
}

static void run_recur(struct cpu_backend *cpu, const struct tape_op *op, size_t piece, unsigned thread) {
    const struct tape_recur *o = &op->recur;
    size_t at = piece * RECUR_ROWS, end = min_size(at + RECUR_ROWS, state_rows(o));
    (void)thread;
    for (size_t n; at < end; at += n) {
        n = rows_together(o, at, end - at);
        cpu->kernels.recur(o, op->rows, (uint32_t)at, (uint32_t)n);
    }
}

const struct cpu_pieces cpu_recur = {count_recur, run_recur};
