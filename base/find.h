// SPDX-License-Identifier: MIT
// Looking for words in a text that comes piece by piece.
#pragma once

#include "base/base.h"

// Where the first of n terminated words begins; text.len when none is there.
size_t find_word(struct str text, const char *const *words, size_t n);

// How many bytes at the end of the text may be the beginning of one of the words.
size_t find_begun(struct str text, const char *const *words, size_t n);

// Whether the text begins, or ends, with a terminated word.
bool find_starts(struct str text, const char *word);
bool find_ends(struct str text, const char *word);

// The text without the blanks (space, tab, newline, return) at its ends.
struct str find_trim(struct str text);
