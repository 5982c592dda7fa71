// SPDX-License-Identifier: MIT
// Kernel checks: every slot of every level against the scalar level's, bit for bit.
#pragma once

#include "backends/cpu/kernels.h"
#include "tests/test.h"

// The generator of inputs: the same seed gives the same inputs, case by case.
struct check_rng {
    uint64_t state;
};
uint32_t check_u32(struct check_rng *r);
float check_float(struct check_rng *r); // -1..1

// Memory that ends exactly at a page which may not be touched; freed by check_free_all at the end of a case.
struct check_memory {
    void *pages[32];
    size_t sizes[32];
    unsigned n;
};
void *check_alloc(struct check_memory *m, size_t size);
void check_free_all(struct check_memory *m);

// What a case compares: the level's table and the scalar one. What the level shares with the one below it was checked
// there.
struct check_level {
    const char *name;
    const struct kernels *fast, *slow, *below;
    struct check_rng rng;
    struct check_memory memory;
    bool bench;
};

// True when both hold the same bits; NaN equals NaN. `at` is the first difference.
bool check_same(const float *a, const float *b, size_t n, size_t *at);

// Begins a case unless the slot is the one of the level below (differs is false) or the filter leaves it out.
bool check_begin(struct check_level *l, bool differs, const char *format, ...) PRINTF_LIKE(3, 4);
// Times a call: nanoseconds of the fastest of several runs.
double check_time(void (*call)(void *), void *user);
// Prints a line of the benchmark.
void check_report(const struct check_level *l, const char *slot, double fast_ns, double slow_ns, double bytes,
                  double ops);

void check_matrices(struct check_level *l); // encode, dot, gemm
void check_rows(struct check_level *l);     // norm, glu, to_f16
void check_attention(struct check_level *l);
void check_recurrences(struct check_level *l);
