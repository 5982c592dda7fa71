// SPDX-License-Identifier: MIT
// The engine: a model file opened for running: file, tokenizer, weights, backend. Immutable and shared; all that
// changes is in sessions (session.h). Sessions of one engine run one at a time.
#pragma once

#include "backends/backend.h"
#include "base/err.h"
#include "gguf.h"
#include "models/model.h"
#include "text/tok.h"

struct engine_params {
    const char *path;               // the GGUF file
    unsigned n_threads;             // 0: the machine's performance cores
    const char *cpu_level;          // caps the SIMD level; NULL: the best there is
    uint64_t memory;                // that is free: a larger model's experts are asked for ahead; 0: unknown
    const struct rope_params *rope; // that take the place of the file's; or NULL
};

struct engine {
    struct gguf *file;
    struct tokenizer *tok;
    struct model *model;
    struct backend *backend;
};

// Opens everything; what is half open after a failure is closed again.
bool engine_open(struct engine **out, const struct engine_params *p, struct err *e);
void engine_close(struct engine *en); // NULL is fine
