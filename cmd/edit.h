// SPDX-License-Identifier: MIT
// The text under a user's cursor, and how it lies on a screen. Nothing here knows of terminals.
#pragma once

#include "base/buf.h"

struct edit {
    struct buf text; // valid UTF-8
    size_t cursor;   // offset in text, never inside a character
};

enum edit_unit { EDIT_CHAR, EDIT_WORD, EDIT_LINE, EDIT_ALL };

void edit_set(struct edit *d, struct str text); // and the cursor to its end
void edit_insert(struct edit *d, const char *bytes, size_t n);
// Where a unit that ends (begins) at the cursor begins (ends). A character takes the marks over it along.
size_t edit_back(const struct edit *d, enum edit_unit unit);
size_t edit_ahead(const struct edit *d, enum edit_unit unit);
// Removes the text between the cursor and a place.
void edit_remove(struct edit *d, size_t to);
// To the line above or below, the same number of characters into it; false when there is none.
bool edit_up(struct edit *d);
bool edit_down(struct edit *d);

// The text on a screen of `columns`, behind a prompt of `indent` columns (line breaks are indented alike): appends it
// to *out with "\r\n" at the ends of rows, at most `rows` of them around the cursor, and says where the cursor is.
struct edit_place {
    size_t row, column; // of the cursor, in what was written
    size_t n_rows;
};
struct edit_place edit_draw(const struct edit *d, const char *prompt, size_t columns, size_t rows, struct buf *out);
