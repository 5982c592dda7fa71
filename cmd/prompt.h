// SPDX-License-Identifier: MIT
// From turns to the ids of a prompt, as --template, --template-arg, --tools and --now say.
#pragma once

#include "base/json.h"
#include "cmd/opt.h"
#include "text/dialog.h"

struct prompt {
    const struct settings *o;
    const struct tokenizer *tok;
    struct str template; // empty: there is none
    struct buf held;     // the text of a template's file
    struct buf tools;    // the text of --tools
    struct json_doc tools_doc;
    struct arena arena;
    struct chat_var *vars;
    size_t n_vars;
};

// Reads what the options name; nothing of a model yet. prompt_free is due in either case.
bool prompt_open(struct prompt *p, const struct settings *o, struct err *e);
// The model: its tokenizer, and its template where the options name none.
void prompt_use(struct prompt *p, const struct gguf *file, const struct tokenizer *tok);
void prompt_free(struct prompt *p);

// Appends the ids of a conversation that the assistant is to continue. BOS goes before it where the file says so and
// the template did not write it.
bool prompt_chat(const struct prompt *p, const struct chat_turn *turns, size_t n_turns, struct ids *ids, struct err *e);

// The same for a text that is continued as it is, or that an encoder reads (`encoded`: with all special tokens that the
// file wants around it).
bool prompt_text(const struct prompt *p, struct str text, bool encoded, struct ids *ids, struct err *e);
