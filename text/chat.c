// SPDX-License-Identifier: MIT
// Chat templates. Recognised are the ChatML forms: a turn is <|im_start|>ROLE\nTEXT<|im_end|>\n, and a conversation
// without a system turn begins with the model family's default one, which the template's source spells out.
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>

#define START "<|im_start|>"
#define END "<|im_end|>\n"

// Default system turns, found in the source of the templates that insert them.
static const char *const default_systems[] = {
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    "You are a helpful assistant.",
};

struct str chat_template(const struct gguf *g) {
    struct str s = {"", 0};
    struct err ignored;
    gguf_get_str(g, "tokenizer.chat_template", false, &s, &ignored);
    return s;
}

static bool contains(struct str s, const char *part) {
    return memmem(s.ptr, s.len, part, strlen(part)) != NULL;
}

static void put_trusted(struct chat_text *out, const char *text) {
    size_t begin = out->text.len;
    buf_str(&out->text, text);
    if (out->n_trusted && out->trusted[out->n_trusted - 1].end == begin) {
        out->trusted[out->n_trusted - 1].end = out->text.len;
        return;
    }
    if (out->n_trusted == out->cap_trusted) {
        size_t cap = out->cap_trusted ? 2 * out->cap_trusted : 16;
        struct tok_span *spans = realloc(out->trusted, cap * sizeof *spans);
        if (!spans) {
            out->text.failed = true;
            return;
        }
        out->trusted = spans;
        out->cap_trusted = cap;
    }
    out->trusted[out->n_trusted++] = (struct tok_span){begin, out->text.len};
}

static void put_turn(struct chat_text *out, const char *role, struct str text, bool trusted) {
    put_trusted(out, START);
    put_trusted(out, role);
    put_trusted(out, "\n");
    if (trusted)
        put_trusted(out, text.ptr);
    else
        buf_append(&out->text, text.ptr, text.len);
    put_trusted(out, END);
}

bool chat_render(struct str template, const struct chat_turn *turns, size_t n_turns, struct chat_text *out,
                 struct err *e) {
    *out = (struct chat_text){0};
    ERR_IF(!contains(template, START) || !contains(template, "<|im_end|>"), e, ERR_INPUT,
           "chat template: not a form that is supported");
    for (size_t i = 0; i < ARRAY_LEN(default_systems) && (!n_turns || strcmp(turns[0].role, "system") != 0); i++)
        if (contains(template, default_systems[i])) {
            put_turn(out, "system", (struct str){default_systems[i], strlen(default_systems[i])}, true);
            break;
        }
    for (size_t i = 0; i < n_turns; i++)
        put_turn(out, turns[i].role, turns[i].text, false);
    put_trusted(out, START "assistant\n");
    return !out->text.failed || err_memory(e, out->text.len, "the conversation");
}

void chat_text_free(struct chat_text *c) {
    buf_free(&c->text);
    free(c->trusted);
    *c = (struct chat_text){0};
}
