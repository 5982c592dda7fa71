// SPDX-License-Identifier: MIT
// Writing: every byte of data leaves through here. A write that fails is ERR_SYSTEM with the destination named; a pipe
// that nobody reads any more ends the process quietly, by SIGPIPE.
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define OUT_STDOUT 1

// Writes all n bytes, through interruptions and short writes.
bool out_write(int fd, const char *name, const void *bytes, size_t n, struct err *e);

// The contents of a buffer to standard output; a buffer that failed to grow is an error too. Empties the buffer.
bool out_buf(struct buf *b, struct err *e);

// Creates or empties a file; standard output when path is NULL. out_close reports what the last flush has to say.
bool out_open(int *fd, const char *path, struct err *e);
bool out_close(int fd, const char *path, struct err *e);
