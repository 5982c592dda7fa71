// SPDX-License-Identifier: MIT
// Arguments of tool calls, from the notations that models use, to JSON.
#pragma once

#include "base/buf.h"
#include "base/json.h"

// Bytes of the JSON object or array that the text begins with; 0: none, or one that does not end.
size_t tool_args_extent(struct str text);

// Appends a value; NULL: an empty object. A string that holds a JSON object counts as that object.
void tool_args_json(const struct json *value, struct buf *out);
// The same for a text: what it is as JSON, or a string.
void tool_args_text(struct str text, struct buf *out);

// An object built from keys and texts of values. A value is what the schema of the tool says; without one it is JSON if
// it can be, or else a string.
enum tool_arg_type { TOOL_ARG_BY_SCHEMA, TOOL_ARG_STRING, TOOL_ARG_JSON };
struct tool_args {
    const struct json *tools; // descriptions, or NULL
    struct str name;          // of the tool
    struct buf *out;
    bool comma;
};
void tool_args_begin(struct tool_args *a);
void tool_args_add(struct tool_args *a, struct str key, struct str value, enum tool_arg_type type);
void tool_args_end(struct tool_args *a);

// key=value, ...) as Python writes it, taken off the text with the bracket; false, with *out as it was, when it is not.
bool tool_args_python(struct str *text, struct buf *out);
// key:value, ...} as Gemma 4 writes it, with <|"|> for quotes and keys without any.
bool tool_args_gemma(struct str *text, struct buf *out);
