// SPDX-License-Identifier: MIT
// What the tables of `pith bench` share with the single measurement.
#pragma once

#include "base/json.h"
#include "cmd/opt.h"
#include "infer/engine.h"
#include "infer/session.h"

struct bench {
    const struct settings *o;
    struct buf path;
    struct engine *en;
    struct session *session;
    struct ids ids; // random: the history before, and as many as the longer of the two measurements needs
    size_t n_prompt, n_decode, depth, batch;
    double load_ms, prefill_tps, decode_tps, read_gbps, machine_gbps;
    uint64_t checksum; // of plain reads, so that they are really done
};

// Opens the model of the options and measures. bench_close is due in either case.
bool bench_run(struct bench *b, const struct settings *o, struct err *e);
void bench_close(struct bench *b);

// A line with one object.
void bench_json(const struct bench *b, struct buf *out);

// On a terminal, a bar of which `part` (0..1) is filled, after two spaces; else nothing.
void bench_bar(struct buf *out, double part);

bool bench_sweep(const struct settings *o, struct err *e);   // levels and threads
bool bench_kernels(const struct settings *o, struct err *e); // formats
