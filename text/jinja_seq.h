// SPDX-License-Identifier: MIT
// Filters on sequences, for the table in jinja_filters.c.
#pragma once

#include "text/jinja_str.h"

// The beginning of a filter; its value, its row and its arguments by place or name.
#define FILTER(name)                                                                                                   \
    static bool name(__attribute__((unused)) struct jinja *j, struct jval self,                                        \
                     __attribute__((unused)) const struct jargs *args, struct jval *out)
#define SELF (self.method->self)
#define FUNC (self.method->func)
#define ARG(i) j_arg(FUNC, args, i)

bool j_filter_int(struct jinja *j, const struct jval *v, int64_t otherwise, int64_t *out);

jfunc_fn j_filter_wordwrap, j_filter_pprint; // jinja_layout.c

jfunc_fn j_seq_batch, j_seq_slice, j_seq_dictsort, j_seq_first, j_seq_groupby, j_seq_items, j_seq_join, j_seq_length,
    j_seq_list, j_seq_map, j_seq_extreme, j_seq_select, j_seq_reverse, j_seq_sort, j_seq_sum, j_seq_unique;
