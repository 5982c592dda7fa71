// SPDX-License-Identifier: MIT
// One line on a terminal's standard error that says how far long work is; nothing where standard error is no terminal.
#pragma once

#include "cmd/opt.h"

struct progress {
    bool wanted, shown;
    double told; // when the line was last written
};

void progress_begin(struct progress *p, const struct settings *o);
// "pith: WHAT: 12 %", a few times a second.
void progress_tell(struct progress *p, const char *what, uint64_t done, uint64_t total);
void progress_end(struct progress *p); // removes the line
