// SPDX-License-Identifier: MIT
// Conversations to text: the chat template of a model file applied to turns.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "gguf.h"
#include "text/tok.h"

struct chat_turn {
    const char *role; // "system", "user", "assistant"
    struct str text;
};

// A rendered conversation: the text, and which ranges of it the template wrote (the rest is data).
struct chat_text {
    struct buf text;
    struct tok_span *trusted;
    size_t n_trusted, cap_trusted;
};

// The template of the file (tokenizer.chat_template), or an empty slice.
struct str chat_template(const struct gguf *g);

// Renders turns with the template's source text, ending with what opens the assistant's turn. A template that pith
// cannot apply is ERR_INPUT. *out is freed with chat_text_free in either case.
bool chat_render(struct str template, const struct chat_turn *turns, size_t n_turns, struct chat_text *out,
                 struct err *e);
void chat_text_free(struct chat_text *c);
