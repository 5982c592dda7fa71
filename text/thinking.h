// SPDX-License-Identifier: MIT
// Telling a model's thinking from its answer while both are generated. Models mark it in a dozen ways (the tables in
// thinking.c): by tags around it, which the template may already have opened, or by messages with headers. Marks are
// found as tokens and, where tags come as plain text, across the borders of tokens.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "text/tok.h"

enum think_part {
    THINK_ANSWER,
    THINK_THOUGHT,
    THINK_CONTROL, // a control token inside an answer: not for readers, but templates and tool calls need its text
    THINK_FRAME,   // the header of a message that is an answer: tool calls need it
};

// Takes n >= 1 bytes; whole characters only, unless the ids end inside one.
typedef bool think_sink(void *user, enum think_part part, const char *bytes, size_t n, struct err *e);

enum think_state {
    THINK_START,  // nothing but white space so far: a tag may follow
    THINK_SAYING, // the answer
    THINK_INSIDE, // thinking
    THINK_LABEL,  // the rest of the line behind an opening tag
    THINK_AFTER,  // white space behind the closing tag
    THINK_HEADER, // of a message
};

struct think {
    const struct tokenizer *t;
    think_sink *sink;
    void *user;
    struct tok_stream stream;
    enum think_state state;
    const struct think_tags *tags;       // those that are open
    const struct think_messages *family; // the model speaks in messages of this kind; or NULL
    int32_t marks[64];                   // the ids of all marks, -1 where the vocabulary has none
    struct buf held;                     // text that may be the beginning of a mark
    struct buf header;                   // of the message, its marks included
    size_t n_inside;                     // ids of thinking so far
};

// Takes the memory of a whole stream; think_close is due in either case.
bool think_open(struct think *k, const struct tokenizer *t, think_sink *sink, void *user, struct err *e);
void think_close(struct think *k);

// Begins a generation that goes on from these ids, which may end inside a thought.
bool think_begin(struct think *k, const int32_t *prompt, size_t n_prompt, struct err *e);
// Begins one that continues a text, where nothing is thinking.
void think_begin_text(struct think *k);

// Takes the next id and hands on what is known; think_end hands on what was held back.
bool think_push(struct think *k, int32_t id, struct err *e);
bool think_end(struct think *k, struct err *e);

// While the model thinks: the text, with control tokens, that ends its thinking. NULL otherwise.
const char *think_ending(const struct think *k);

// A whole generation at once. answer: control tokens shown, and of models that speak in messages the words only;
// framed: with the headers of messages too. The thought has no white space around it.
struct think_texts {
    struct buf thought, answer, framed;
};
bool think_split(const struct tokenizer *t, const int32_t *prompt, size_t n_prompt, const int32_t *ids, size_t n,
                 struct think_texts *out, struct err *e);
void think_texts_free(struct think_texts *texts);
