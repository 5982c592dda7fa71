// SPDX-License-Identifier: MIT
// Fuzzing the reader of tool calls: whatever a model says, one JSON object comes of it.
#include <stdlib.h>

#include "text/tool_calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tool_calls calls;
    struct err e;
    struct buf out = {0};
    struct json_doc doc = {0};
    if (!tool_calls_parse((struct str){(const char *)data, size}, NULL, &calls, &e))
        abort();
    tool_calls_write(&calls, (struct str){"", 0}, &out);
    if (!json_parse(&doc, (struct str){out.ptr, out.len}, "calls", 1, &e))
        abort();
    json_free(&doc);
    tool_calls_free(&calls);
    buf_free(&out);
    return 0;
}
