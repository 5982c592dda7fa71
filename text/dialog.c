// SPDX-License-Identifier: MIT
// Conversations: the turns and the model's own marks become the context that templates expect, and the template
// interpreter does the rest.
#include "text/dialog.h"

#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"

#define MARK_LEN 64 // bytes of the longest

struct str chat_template(const struct gguf *g) {
    struct str s = {"", 0};
    struct err ignored;
    gguf_get_str(g, "tokenizer.chat_template", false, &s, &ignored);
    return s;
}

static void put_token(struct json_writer *w, const char *key, const struct tokenizer *t, int32_t id) {
    struct buf text = {0};
    if (t)
        tok_piece(t, id, true, &text);
    json_key(w, key);
    json_str(w, (struct str){text.len ? text.ptr : "", text.len});
    buf_free(&text);
}

static void put_text(struct json_writer *w, const char *key, struct str text) {
    json_key(w, key);
    json_str(w, text);
}

// Templates differ in what they call the thinking.
static void put_turn(struct json_writer *w, const struct chat_turn *turn) {
    json_begin(w, '{');
    put_text(w, "role", (struct str){turn->role, strlen(turn->role)});
    put_text(w, "content", turn->text);
    if (turn->thinking.len) {
        put_text(w, "reasoning_content", turn->thinking);
        put_text(w, "thinking", turn->thinking);
    }
    json_end(w, '}');
}

static void put_json(struct json_writer *w, const char *key, struct str json) {
    json_key(w, key);
    buf_append(w->out, json.ptr, json.len);
    w->comma = true;
}

// Templates are written for a caller that always defines tools and documents, as none when there are none. Of a
// variable that comes twice the last value counts.
static void put_context(struct buf *out, const struct chat_params *p, const struct chat_turn *turns, size_t n_turns) {
    struct json_writer w = {.out = out};
    json_begin(&w, '{');
    json_key(&w, "messages");
    json_begin(&w, '[');
    for (size_t i = 0; i < n_turns; i++)
        put_turn(&w, &turns[i]);
    json_end(&w, ']');
    json_key(&w, "add_generation_prompt");
    json_bool(&w, true);
    json_key(&w, "tools");
    json_null(&w);
    json_key(&w, "documents");
    json_null(&w);
    put_token(&w, "bos_token", p->tok, p->tok ? tok_bos(p->tok) : -1);
    put_token(&w, "eos_token", p->tok, p->tok ? tok_eos(p->tok) : -1);
    for (size_t i = 0; i < p->n_vars; i++)
        put_json(&w, p->vars[i].name, p->vars[i].json);
    json_end(&w, '}');
}

// Files call many marks of turns, thoughts and calls user-defined, which any text may write. Those that the template
// has between brackets somewhere are its own.
static void find_marks(const struct chat_params *p, struct ids *marks) {
    const char *end = p->template.ptr + p->template.len;
    for (const char *at = p->template.ptr; p->tok && at < end; at++) {
        char close = *at == '<' ? '>' : ']';
        size_t n = 0, most = min_size((size_t)(end - at), MARK_LEN);
        if (*at != '<' && *at != '[')
            continue;
        while (n < most && at[n] != close && !strchr(" \t\r\n'\"", at[n]))
            n++;
        int32_t id = n < most && at[n] == close ? tok_find(p->tok, at, n + 1) : -1;
        if (id >= 0 && tok_type(p->tok, id) == TOK_USER_DEFINED)
            ids_push(marks, id);
    }
}

bool chat_render(const struct chat_params *p, const struct chat_turn *turns, size_t n_turns, struct chat_text *out,
                 struct err *e) {
    struct buf context = {0};
    struct json_doc doc = {0};
    *out = (struct chat_text){0};
    put_context(&context, p, turns, n_turns);
    bool ok = context.failed ? err_memory(e, context.len, "the conversation")
                             : json_parse(&doc, (struct str){context.ptr, context.len}, "conversation", 1, e);
    ok = ok && jinja_render(p->template, &doc.root, p->now, out, e);
    find_marks(p, &out->marks);
    if (ok && out->marks.failed)
        ok = err_memory(e, p->template.len, "the conversation");
    json_free(&doc);
    buf_free(&context);
    return ok;
}

void chat_text_free(struct chat_text *c) {
    buf_free(&c->text);
    free(c->trusted.ptr);
    free(c->said.ptr);
    ids_free(&c->marks);
    *c = (struct chat_text){0};
}
