// SPDX-License-Identifier: MIT
// The progress line. See cmd/progress.h.
#include "cmd/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "cmd/load.h"

#define BETWEEN 0.2 // seconds

void progress_begin(struct progress *p, const struct settings *o) {
    *p = (struct progress){.wanted = isatty(STDERR_FILENO) && !o->quiet, .told = load_seconds()};
}

void progress_tell(struct progress *p, const char *what, uint64_t done, uint64_t total) {
    if (!p->wanted || load_seconds() - p->told < BETWEEN)
        return;
    struct err line; // makes hostile bytes printable
    err_set(&line, ERR_NONE, "%.60s", what);
    dprintf(STDERR_FILENO, "\r\033[Kpith: %s: %.0f %%", line.text, 100 * (double)done / (double)(total ? total : 1));
    p->shown = true;
    p->told = load_seconds();
}

void progress_end(struct progress *p) {
    if (p->shown)
        dprintf(STDERR_FILENO, "\r\033[K");
    p->shown = false;
}
