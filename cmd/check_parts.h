// SPDX-License-Identifier: MIT
// What `pith check` looks at, one row and one function each, and what they found.
#pragma once

#include "base/pool.h"
#include "cmd/opt.h"
#include "cmd/progress.h"
#include "gguf.h"
#include "text/tok.h"

enum check_result { CHECK_PASSED, CHECK_FAILED, CHECK_SKIPPED };

struct check {
    const struct settings *o;
    const struct gguf *file;
    struct pool *pool;
    struct progress progress;
    enum check_result result; // of the row that runs
    struct buf findings;      // its lines, each ended by a newline
    size_t n_findings;        // more than CHECK_MOST are only counted
};

#define CHECK_MOST 100

// Notes a finding of the row that runs, which makes it failed.
void check_found(struct check *c, const char *format, ...) PRINTF_LIKE(2, 3);
// The row does not apply, and why.
void check_skip(struct check *c, const char *format, ...) PRINTF_LIKE(2, 3);

// False only when the check itself cannot go on (memory, an interruption).
bool check_shapes(struct check *c, struct err *e);
bool check_weights(struct check *c, struct err *e);
bool check_vocabulary(struct check *c, struct err *e);
bool check_template(struct check *c, struct err *e);
