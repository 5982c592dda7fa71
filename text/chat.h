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

struct chat_params {
    struct str template;         // the source text
    const struct tokenizer *tok; // whose BOS and EOS the template may write
    const char *now;             // the clock that it reads, "YYYY-MM-DDTHH:MM:SS"; NULL: the real one
};

// Renders turns, ending with what opens the assistant's turn. A template that is wrong, or that refuses these turns, is
// ERR_INPUT. *out is freed with chat_text_free in either case.
bool chat_render(const struct chat_params *p, const struct chat_turn *turns, size_t n_turns, struct chat_text *out,
                 struct err *e);
void chat_text_free(struct chat_text *c);
