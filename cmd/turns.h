// SPDX-License-Identifier: MIT
// A conversation as a list of turns, and as a text that any editor can change:
//
//     ## user
//
//     What is a pith?
//
//     ## assistant
//
//     The soft middle of a stem.
//
// A line "## " with a role (system, user, assistant, tool) begins a turn; blank lines around the text of a turn do not
// count. A line of the text itself that looks like that, or like that behind backslashes, is written with one more
// backslash in front. What stands before the first turn is kept and belongs to nobody.
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct turn {
    const char *role; // one of the four words
    struct buf text, thinking;
    struct ids ids; // an assistant's turn that was generated here: its ids
};

struct turns {
    struct turn *ptr;
    size_t n, cap;
    struct buf preamble;
};

// The role of this name, or NULL.
const char *turns_role(struct str name);

// Puts a turn at place `at` (n: the end), with this text; NULL without memory.
struct turn *turns_insert(struct turns *t, size_t at, const char *role, struct str text);
void turns_cut(struct turns *t, size_t n); // forgets all but the first n
void turns_free(struct turns *t);

// Adds the turns of a text. One that has text but no turns is ERR_INPUT.
bool turns_parse(struct turns *t, struct str text, const char *name, struct err *e);

// Appends the text of all turns; of one turn; of one line of a turn (without its newline).
void turns_write(const struct turns *t, struct buf *out);
void turns_write_head(const char *role, struct buf *out);
void turns_write_line(struct str line, struct buf *out);
