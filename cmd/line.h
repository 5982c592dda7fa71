// SPDX-License-Identifier: MIT
// Reading a user's lines from a terminal: an editor with history where the terminal can do it, plain lines elsewhere.
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct line;

enum line_end {
    LINE_TEXT,      // something was entered
    LINE_END,       // Ctrl-D, or no terminal any more
    LINE_CANCELLED, // Ctrl-C
};

// Standard input must be a terminal. What is shown goes to standard error, or to standard output when that alone is a
// terminal. `history`: the file of earlier inputs; NULL: none is kept. line_close is due in either case.
bool line_open(struct line **out, const char *history, struct err *e);
void line_close(struct line *l);

// Reads one input into *text (emptied first): one line, or several when they were pasted or typed with Alt-Enter.
bool line_read(struct line *l, const char *prompt, struct buf *text, enum line_end *end, struct err *e);
