// SPDX-License-Identifier: MIT
// The text that a command works on: words, files and standard input.
#pragma once

#include "base/buf.h"
#include "cmd/opt.h"

// Reads standard input to its end, with a note on a terminal when nothing comes for two seconds. A closed standard
// input reads as empty.
bool input_stdin(struct buf *out, struct err *e);

// The message of `run`: words, each file, standard input, with one blank line between parts that are not empty. All
// empty is a success with an empty message. Bytes that are not text are refused, or replaced with --lossy.
bool input_message(const struct settings *o, struct buf *message, struct err *e);

// True when the command line alone shows that there is no message.
bool input_is_absent(const struct settings *o);

// Refuses NUL bytes and invalid UTF-8 (ERR_INPUT, with the offset), or mends them when `lossy`.
bool input_check_text(struct buf *text, const char *name, bool lossy, struct err *e);
