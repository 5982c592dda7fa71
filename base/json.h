// SPDX-License-Identifier: MIT
// JSON (RFC 8259), strictly: one reader and one writer for the whole program.
//
// Reading gives a tree. The text must be UTF-8 without a byte order mark; a \u escape that is half of a surrogate pair
// is an error, and so is a number too large for a double. Integers that fit 64 bits keep every digit (JSON_INT); all
// other numbers are JSON_FLOAT and also carry the digits as written. Objects keep their order; of a key that comes
// twice the last value counts, in the place of the first. Strings may contain NUL. A tree points into the text where a
// string has no escapes: the text must outlive it. Nesting ends at JSON_MAX_DEPTH, so whoever walks a tree may recurse.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define JSON_MAX_DEPTH 256

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_FLOAT, JSON_STR, JSON_ARRAY, JSON_OBJECT };

struct json_member;

struct json {
    enum json_type type;
    union {
        bool boolean;
        int64_t integer;
        double number;
        size_t n; // arrays and objects: items or members
    };
    union {
        struct str text; // strings: decoded; numbers: as written
        const struct json *items;
        const struct json_member *members;
    };
};

struct json_member {
    struct str key;
    struct json value;
};

struct json_doc {
    struct json root;
    struct arena arena;
};

// Reads one value and nothing behind it but white space. Errors are ERR_INPUT, "NAME: line L, column C: ..."; `line` is
// the number of the text's first line (1 for a whole file); columns count characters.
bool json_parse(struct json_doc *doc, struct str text, const char *name, size_t line, struct err *e);
void json_free(struct json_doc *doc);

// The value of a key; NULL when it is absent or `object` is none.
const struct json *json_get(const struct json *object, const char *key);

// Writing appends to a buffer, without white space; commas and colons come by themselves. begin and end take the
// bracket. Whoever calls must pair them and write a key before each value of an object.
struct json_writer {
    struct buf *out;
    bool comma; // a value stands before
};

void json_begin(struct json_writer *w, char bracket);
void json_end(struct json_writer *w, char bracket);
void json_key(struct json_writer *w, const char *key);
// Any bytes; each that is not UTF-8 becomes U+FFFD.
void json_str(struct json_writer *w, struct str text);
void json_int(struct json_writer *w, int64_t n);
void json_uint(struct json_writer *w, uint64_t n);
// The digits read back to the same double, always as a float ("5.0"); NaN and infinities, which JSON lacks, are null.
void json_float(struct json_writer *w, double d);
void json_bool(struct json_writer *w, bool b);
void json_null(struct json_writer *w);
