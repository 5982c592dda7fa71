// SPDX-License-Identifier: MIT
// Files as the program uses them: mapped read-only, read whole, or written so that they appear whole.
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

// Tells the system that a range of a mapping was read and is not needed soon, so that walking through a large file does
// not hold its pages. Only for mappings of files: other memory would lose what it holds.
void file_release(const void *ptr, size_t size);
// The other way: a range that will be read soon.
void file_prefetch(const void *ptr, size_t size);

// A range whose pages will all be read, again and again: the system may read it in pages of 2 MiB, where it can and has
// not read it yet. Takes no memory of the process.
void file_large_pages(const void *ptr, size_t size);

// A file that appears under its name when it is complete, and not before: it is written under a temporary name beside
// it, PATH.part-PID, and renamed at the end. An existing regular file is replaced (through a symbolic link, the file
// that it points to); anything else under that name is refused.
struct file_writer {
    char *path, *temporary; // owned; NULL when nothing is open
    int fd;
    uint64_t size; // bytes written so far
    struct buf pending;
};

bool file_writer_open(struct file_writer *w, const char *path, struct err *e);
bool file_writer_put(struct file_writer *w, const void *bytes, size_t n, struct err *e);
// Waits until the bytes are on the disk, then gives the file its name.
bool file_writer_end(struct file_writer *w, struct err *e);
// Frees; without an end, the temporary file is removed. Zero-initialised is fine.
void file_writer_close(struct file_writer *w);
