// SPDX-License-Identifier: MIT
// Operations on strings that methods and filters share. Results keep the origin of every character.
#pragma once

#include "text/jinja_impl.h"

enum jcase { J_LOWER, J_UPPER, J_TITLE, J_CAPITALIZE, J_SWAPCASE };
enum jstr_is {
    J_IS_LOWER,
    J_IS_UPPER,
    J_IS_DIGIT,
    J_IS_ALPHA,
    J_IS_ALNUM,
    J_IS_SPACE,
    J_IS_NUMERIC,
    J_IS_DECIMAL,
    J_IS_ASCII,
    J_IS_TITLE
};

bool j_str_is(const struct jstr *s, enum jstr_is what);
bool j_str_case(struct jinja *j, const struct jstr *s, enum jcase how, struct jval *out);
// `sides` 1: left, 2: right, 3: both; set NULL: white space.
bool j_str_strip(struct jinja *j, struct jstr *s, const struct jstr *set, unsigned sides, struct jval *out);
bool j_str_replace(struct jinja *j, const struct jstr *s, const struct jstr *from, const struct jstr *to, int64_t most,
                   struct jval *out);
// The items of a list, as str() gives them, joined.
bool j_str_join(struct jinja *j, const struct jstr *between, const struct jlist *items, struct jval *out);
// "..." % args
bool j_str_percent(struct jinja *j, const struct jstr *s, const struct jargs *args, struct jval *out);
// "...".format(args)
bool j_str_format(struct jinja *j, const struct jstr *s, const struct jargs *args, struct jval *out);
bool j_str_arg(struct jinja *j, const struct jval *v, const char *what, struct jstr **out);
// The value of str.center and of the filter.
bool j_str_pad(struct jinja *j, struct jstr *s, int64_t width, char fill, char align, struct jval *out);
