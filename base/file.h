// SPDX-License-Identifier: MIT
// Files as the program uses them: mapped read-only, or read whole.
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct file_map {
    const uint8_t *ptr; // NULL when nothing is mapped
    size_t size;
};

// Maps a regular file read-only. A missing file, a directory, an empty file are ERR_INPUT with the path named; refusals
// of the system (no descriptors, no address space) are ERR_SYSTEM.
bool file_map(struct file_map *m, const char *path, struct err *e);
void file_unmap(struct file_map *m);

// Appends everything that fd still gives to *out. `name` is for the message. A signal whose handler was installed
// without SA_RESTART ends the reading with ERR_INTERRUPT.
bool file_read_fd(int fd, const char *name, struct buf *out, struct err *e);
// The same for a path (pipes and devices too).
bool file_read(const char *path, struct buf *out, struct err *e);
