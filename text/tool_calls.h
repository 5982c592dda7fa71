// SPDX-License-Identifier: MIT
// The calls of tools in what a model said. Every family writes them in its own way (a table in tool_calls.c); all
// become names and arguments.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

struct tool_call {
    struct buf name;
    struct buf arguments; // JSON: an object, or a string where the model wrote none
};

struct tool_calls {
    struct tool_call *ptr;
    size_t n, cap;
    struct buf content; // what was said beside the calls, without white space around it
};

// Finds the calls in a text, whatever it is: what is no call stays content. The text has control tokens shown, and the
// headers of messages (struct think_texts, framed). `tools`: a JSON array of descriptions, which tells the types of
// arguments in forms that have none; or NULL. tool_calls_free is due in either case.
bool tool_calls_parse(struct str text, const struct json *tools, struct tool_calls *out, struct err *e);
void tool_calls_free(struct tool_calls *calls);

// {"content": ..., "tool_calls": [{"name": ..., "arguments": ...}, ...]}, with "thinking" after content where one is
// given (ptr not NULL).
void tool_calls_write(const struct tool_calls *calls, struct str thinking, struct buf *out);
