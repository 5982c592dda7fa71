// SPDX-License-Identifier: MIT
// Pre-tokenizers: how byte-level BPE cuts a text into pieces before it merges inside each piece. Published as regular
// expressions; here every one is a hand-written function that runs in linear time. A pre-tokenizer is a short list of
// such rules: each cuts the pieces of the one before it further.
#pragma once

#include "base/base.h"

struct split_rule;

// The end of the piece that begins at pos, pos < end. Nothing outside [begin of the piece before, end) is looked at.
typedef size_t split_fn(const struct split_rule *rule, const char *text, size_t pos, size_t end);

struct split_range {
    uint32_t first, last;
};

struct split_rule {
    split_fn *next;
    uint32_t set;                     // classes of characters, for the rules that have a choice
    unsigned max;                     // longest run, 0 for any
    const char *extra;                // characters beyond the classes
    const struct split_range *ranges; // code points beyond the classes, ascending, up to one with last 0
    unsigned flags;                   // enum split_flag
};

#define PRETOK_MAX_RULES 6

// What a name in tokenizer.ggml.pre stands for, beyond the rules.
enum pretok_flags {
    PRETOK_WHOLE = 1,       // a piece that is a token is taken whole, whatever the merges say
    PRETOK_BOS = 2,         // BOS is added unless the file says otherwise
    PRETOK_NO_BOS = 4,      // there is no BOS unless the file names one
    PRETOK_RAW = 8,         // merges are written in UTF-8 with word marks for spaces, not in the alphabet of bytes
    PRETOK_BOS_ALWAYS = 16, // BOS is added whatever the file says
    PRETOK_SPACES = 32,     // with PRETOK_RAW: spaces stay spaces
    PRETOK_LINES = 64,      // line breaks that are a token are taken whole, whatever the merges say
    PRETOK_NO_MERGES = 128, // the file may have no merges
};

struct pretok {
    const char *name;
    unsigned flags;
    struct split_rule rules[PRETOK_MAX_RULES]; // up to the first without a function
};

// The row of a name, or NULL.
const struct pretok *pretok_find(const char *name, size_t len);
// The row that serves files without a name or with an unknown one.
const struct pretok *pretok_default(void);

// Calls sink for every piece of text[begin..end) in order; stops when sink returns false, and returns that.
typedef bool pretok_sink(void *user, const char *piece, size_t len);
bool pretok_split(const struct pretok *p, const char *text, size_t begin, size_t end, pretok_sink *sink, void *user);
