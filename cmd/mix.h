// SPDX-License-Identifier: MIT
// Which format each tensor of a file gets. A mix gives the tensors that matter more a better format than the rest; the
// rules are those by which llama.cpp makes the published files of the same names, so sizes and quality are known.
#pragma once

#include "gguf.h"

#include <regex.h>

struct mix {
    const char *name;
    const struct quant_format *format; // of most tensors
    uint32_t file_type;                // general.file_type
    uint64_t bit;                      // this mix, in the rules; 0: no rules apply
    bool pure;                         // every tensor of two dimensions or more gets the format, whatever its name
};

// By name, in either case; Q3_K, Q4_K and Q5_K mean the mixes _M. With `pure` a format's name is that format. False
// when the name is unknown or its format cannot be written.
bool mix_by_name(const char *name, bool pure, struct mix *out);
// The names of all mixes, in order; NULL-terminated.
const char *const *mix_names(void);

// What the user wants of tensors whose names match; the last match counts.
struct mix_wish {
    regex_t regex;
    const struct quant_format *format;
    bool used; // some tensor got it
};

// The formats of g's tensors, [g->n_tensors]: their own for those that stay as they are. `importance` says whether
// there is an importance matrix. Rows that do not divide into a format's blocks get one with smaller blocks.
bool mix_choose(const struct mix *m, const struct gguf *g, bool importance, struct mix_wish *wishes, size_t n_wishes,
                const struct quant_format **formats, struct err *e);

// True when a tensor can be another format at all, by its name and dimensions.
bool mix_takes(const struct mix *m, const struct gguf_tensor *t);
// The format that a row of n elements can have instead of f.
const struct quant_format *mix_fallback(const struct quant_format *f, uint64_t n);
