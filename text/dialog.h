// SPDX-License-Identifier: MIT
// Conversations to ids: the chat template of a model file applied to turns, and the text that comes of it to ids.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "gguf.h"
#include "text/tok.h"

struct chat_turn {
    const char *role;    // "system", "user", "assistant", "tool"
    struct str text;     // what was said; of an assistant, without the thinking before it
    struct str thinking; // of an assistant; may be empty
    const int32_t *ids;  // what an assistant's turn was generated as, thinking included; NULL: only the text is known
    size_t n_ids;
};

struct chat_spans {
    struct tok_span *ptr; // ascending, not overlapping
    size_t n, cap;
};

// A rendered conversation: the text, which ranges of it the template wrote, and which are the assistant's words. The
// rest is data too.
struct chat_text {
    struct buf text;
    struct chat_spans trusted, said;
    struct ids marks; // user-defined tokens that the template writes: data may not
};

// The template of the file (tokenizer.chat_template), or an empty slice.
struct str chat_template(const struct gguf *g);

// A variable of the template: its name, and its value as JSON.
struct chat_var {
    const char *name;
    struct str json;
};

struct chat_params {
    struct str template;         // the source text
    const struct tokenizer *tok; // whose BOS and EOS the template may write
    const char *now;             // the clock that it reads, "YYYY-MM-DDTHH:MM:SS"; NULL: the real one
    const struct chat_var *vars; // defined beside the usual ones, and instead of them
    size_t n_vars;
};

// Renders turns, ending with what opens the assistant's turn. A template that is wrong, or that refuses these turns, is
// ERR_INPUT. *out is freed with chat_text_free in either case.
bool chat_render(const struct chat_params *p, const struct chat_turn *turns, size_t n_turns, struct chat_text *out,
                 struct err *e);
void chat_text_free(struct chat_text *c);

// Appends the ids of a rendering of these turns to *ids: control tokens are read in what the template wrote, the rest
// is plain text, and where the template placed words of a turn whose ids are known, it is these ids (those that lie
// wholly in the place). So what a model said keeps its tokens, and with them the keys and values already computed.
bool chat_encode(const struct tokenizer *t, const struct chat_text *c, const struct chat_turn *turns, size_t n_turns,
                 struct ids *ids, struct err *e);
