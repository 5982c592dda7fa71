// SPDX-License-Identifier: MIT
// Inputs of earlier chats, one a line of a file (newlines and backslashes in them are written \n and \\).
#pragma once

#include "base/buf.h"

struct history {
    struct buf path;  // terminated; empty: nothing is kept
    struct buf text;  // entries, each terminated
    struct buf index; // size_t offsets of entries in text
};

// `named`: the file, or NULL for $PITH_HISTORY or the usual place. A file that cannot be read is an empty history.
void history_open(struct history *h, const char *named);
void history_close(struct history *h);
size_t history_n(const struct history *h);
const char *history_at(const struct history *h, size_t i); // 0 is the oldest
// Adds an entry, unless it is the last one again, to the file too; a file that cannot be written is left alone.
void history_add(struct history *h, struct str entry);
