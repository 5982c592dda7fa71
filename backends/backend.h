// SPDX-License-Identifier: MIT
// A backend runs tapes. One row of backends.h and one folder here make a backend; the table below is all that the rooms
// above see of it.
#pragma once

#include <signal.h>

#include "backends/tape.h"

struct backend_params {
    unsigned n_threads;    // 0: the machine's performance cores
    const char *cpu_level; // caps the SIMD level; NULL: the best there is
};

struct backend;

// What must be held ready before the first token: the widest input of a matrix, the longest head, the most threads.
struct backend_limits {
    uint32_t max_cols;        // of any weight
    uint32_t max_head_dim;    // of keys and values
    size_t max_input[N_ACTS]; // bytes of all activation records of a product, by kind
    bool larger_than_memory;  // the weights are: what is about to be read of them should be asked for
};

struct backend_ops {
    const char *name;
    bool (*open)(struct backend **out, const struct backend_params *p, struct err *e);
    void (*close)(struct backend *b); // NULL is fine
    // Takes all working memory, so that run allocates nothing.
    bool (*reserve)(struct backend *b, const struct backend_limits *l, struct err *e);
    // Zeroed memory that tapes may point into, aligned to 64 bytes; lives until `free` is called with the same size.
    void *(*alloc)(struct backend *b, size_t size);
    void (*free)(struct backend *b, void *ptr, size_t size);
    // Of such memory from `base` on, all that lies in front of `full` is filled, and was told to be so in front of
    // `known`: what will be read again and again may be put into larger pages. May do nothing.
    void (*settle)(struct backend *b, char *base, size_t known, size_t full);
    // Runs a tape to its end; false with ERR_INTERRUPT when *cancel became nonzero on the way (cancel may be NULL). One
    // tape at a time.
    bool (*run)(struct backend *b, const struct tape *t, const volatile sig_atomic_t *cancel, struct err *e);
    // For messages: the level that runs, and the threads.
    const char *(*level)(const struct backend *b);
    unsigned (*threads)(const struct backend *b);
    // Plain reads: words summed over [ptr, ptr + size) by all threads, to know what memory can give, with or without
    // asking for lines ahead. Returns a checksum.
    uint64_t (*read_all)(struct backend *b, const void *ptr, size_t size, bool ahead);
};

// Every backend begins with its table.
struct backend {
    const struct backend_ops *ops;
};

#define BACKEND(name) extern const struct backend_ops backend_##name;
#include "backends/backends.h"

// All rows, best first. Opening tries them in turn.
const struct backend_ops *const *backend_all(size_t *n);
bool backend_open(struct backend **out, const struct backend_params *p, struct err *e);

// How fast the CPU backend's matrix kernels are, beside what no program on this machine can pass.
struct backend_cpu_limits {
    const char *level;
    const char *sequence_int, *sequence_float; // the level's own instructions; NULL where it has none
    unsigned threads;
    double read_gbps, int_gops, float_gops; // plain reads of memory; the sequences on registers only
};
struct backend_cpu_speed {
    const struct quant_format *format;
    double decode_gbps; // bytes of weights in memory that products with one column read, a nanosecond
    double panel_gops;  // multiplications and additions of products with 256 columns, a nanosecond
};
// Called for each format as soon as it is measured; false ends it.
typedef bool backend_cpu_speed_sink(void *user, const struct backend_cpu_limits *l, const struct backend_cpu_speed *s,
                                    struct err *e);
bool backend_cpu_speeds(const struct backend_params *p, backend_cpu_speed_sink *sink, void *user, struct err *e);

// Names of the CPU's SIMD levels that this program has, for messages and `info --supported`; NULL-terminated.
const char *const *backend_cpu_levels(void);
