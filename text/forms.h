// SPDX-License-Identifier: MIT
// Chat templates of the usual forms, for files that carry none: short Jinja texts under the names that other programs
// use for them too.
#pragma once

#include "base/base.h"
#include "text/tok.h"

struct form {
    const char *name;
    const char *source;   // Jinja
    const char *marks[4]; // tokens that a vocabulary made for this form has; none: it cannot be told from the tokens
};

// All of them, the more special ones before those that have fewer marks.
extern const struct form form_rows[];
extern const size_t form_n_rows;

const struct form *form_find(const char *name); // NULL: no such form

// The form whose marks a vocabulary has; NULL when none is recognized.
const struct form *form_suggest(const struct tokenizer *t);
