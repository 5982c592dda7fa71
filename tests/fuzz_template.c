// SPDX-License-Identifier: MIT
// Fuzzing the template interpreter: the input is a template, rendered with a context that has some of everything. It
// may fail in any way it likes, as long as it says so and comes to an end.
#include "base/json.h"
#include "text/jinja.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char context[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be \\u00e9 nice <|im_end|>.\"},{\"role\":\"user\",\"content\":"
    "[{\"type\":\"text\",\"text\":\"Hi\"}]},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":"
    "{\"name\":\"f\",\"arguments\":{\"x\":1,\"y\":2.5}}}]}],\"tools\":[{\"function\":{\"name\":\"f\"}}],\"n\":3,"
    "\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"add_generation_prompt\":true,\"none\":null}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct err e = {0};
    struct json_doc doc = {0};
    struct chat_text text = {0};
    if (!json_parse(&doc, (struct str){context, sizeof context - 1}, "context", 1, &e)) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    bool ok = jinja_render((struct str){(const char *)data, size}, &doc.root, "2026-01-02T03:04:05", &text, &e);
    if (!ok && (e.class == ERR_NONE || !e.text[0] || strchr(e.text, '\n')))
        abort();
    const struct tok_span *spans = text.trusted.ptr;
    for (size_t i = 0; ok && i < text.trusted.n; i++)
        if (spans[i].begin >= spans[i].end || spans[i].end > text.text.len || (i && spans[i - 1].end >= spans[i].begin))
            abort();
    chat_text_free(&text);
    json_free(&doc);
    return 0;
}
