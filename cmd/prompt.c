// SPDX-License-Identifier: MIT
// Making prompts. See cmd/prompt.h.
#include "cmd/prompt.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/template_source.h"

// The value of --template-arg as JSON: what it is, or a string.
static bool read_value(struct prompt *p, const char *value, struct str *out, struct err *e) {
    struct str text = {value, strlen(value)};
    struct json_doc doc;
    struct err ignored;
    bool is_json = json_parse(&doc, text, "--template-arg", 1, &ignored);
    json_free(&doc);
    *out = text;
    if (is_json)
        return true;
    struct buf quoted = {0};
    json_str(&(struct json_writer){.out = &quoted}, text);
    char *copy = quoted.failed ? NULL : arena_alloc(&p->arena, quoted.len, 1);
    if (copy)
        *out = (struct str){memcpy(copy, quoted.ptr, quoted.len), quoted.len};
    buf_free(&quoted);
    return copy || err_memory(e, text.len, "--template-arg");
}

static bool read_args(struct prompt *p, struct err *e) {
    const struct opt_list *args = &p->o->template_args;
    p->vars = arena_alloc(&p->arena, args->n + 1, sizeof *p->vars);
    if (!p->vars)
        return err_memory(e, args->n * sizeof *p->vars, "--template-arg");
    for (size_t i = 0; i < args->n; i++) {
        size_t n = strcspn(args->ptr[i], "=");
        char *name = arena_alloc(&p->arena, n + 1, 1);
        if (!name)
            return err_memory(e, n, "--template-arg");
        memcpy(name, args->ptr[i], n);
        struct chat_var *v = &p->vars[p->n_vars++];
        v->name = name;
        ERR_FORWARD(read_value(p, args->ptr[i] + n + 1, &v->json, e));
    }
    return true;
}

static bool read_tools(struct prompt *p, struct err *e) {
    const char *path = p->o->tools;
    if (!path)
        return true;
    ERR_FORWARD(file_read(path, &p->tools, e));
    struct str text = {p->tools.ptr, p->tools.len};
    ERR_FORWARD(json_parse(&p->tools_doc, text, path, 1, e));
    const struct json *root = &p->tools_doc.root;
    ERR_IF(root->type != JSON_ARRAY, e, ERR_INPUT, "--tools %s: expected a JSON array of tools", path);
    for (size_t i = 0; i < root->n; i++)
        ERR_IF(root->items[i].type != JSON_OBJECT, e, ERR_INPUT, "--tools %s: tool %zu: expected a JSON object", path,
               i + 1);
    p->vars[p->n_vars++] = (struct chat_var){"tools", text};
    return true;
}

bool prompt_open(struct prompt *p, const struct settings *o, struct err *e) {
    *p = (struct prompt){.o = o};
    return read_args(p, e) && read_tools(p, e) &&
           (!o->template || template_named(o->template, &p->held, &p->template, e));
}

void prompt_use(struct prompt *p, const struct gguf *file, const struct tokenizer *tok) {
    p->tok = tok;
    if (!p->template.len)
        p->template = chat_template(file);
    bool asks = p->template.len && memmem(p->template.ptr, p->template.len, "tools", 5);
    if (p->o->tools && !asks)
        cmd_warn(p->o, "--tools: the chat template takes no tools, the model will not see them");
}

void prompt_free(struct prompt *p) {
    json_free(&p->tools_doc);
    arena_free(&p->arena);
    buf_free(&p->held);
    buf_free(&p->tools);
}

// Puts BOS before the ids from `from` on where it is missing, and checks them.
static bool finish(const struct prompt *p, struct ids *ids, size_t from, struct err *e) {
    int32_t bos = tok_bos(p->tok);
    bool wanted = tok_adds_bos(p->tok) && bos >= 0 && !(ids->len > from && ids->ptr[from] == bos);
    if (wanted) {
        ids_push(ids, bos);
        if (!ids->failed)
            memmove(ids->ptr + from + 1, ids->ptr + from, (ids->len - 1 - from) * sizeof *ids->ptr);
        if (!ids->failed)
            ids->ptr[from] = bos;
    }
    if (ids->failed)
        return err_memory(e, ids->len * sizeof *ids->ptr, "prompt");
    ERR_IF(ids->len == from, e, ERR_INPUT, "prompt: it has no tokens");
    return true;
}

bool prompt_chat(const struct prompt *p, const struct chat_turn *turns, size_t n_turns, struct ids *ids,
                 struct err *e) {
    const struct opt_time *t = &p->o->now;
    struct chat_text rendered;
    size_t from = ids->len;
    char now[64];
    snprintf(now, sizeof now, "%04d-%02d-%02dT%02d:%02d:%02d", t->year, t->month, t->day, t->hour, t->minute,
             t->second);
    struct chat_params params = {
        .template = p->template, .tok = p->tok, .now = t->given ? now : NULL, .vars = p->vars, .n_vars = p->n_vars};
    bool ok = chat_render(&params, turns, n_turns, &rendered, e) &&
              chat_encode(p->tok, &rendered, turns, n_turns, ids, e) && finish(p, ids, from, e);
    chat_text_free(&rendered);
    return ok;
}

bool prompt_text(const struct prompt *p, struct str text, bool encoded, struct ids *ids, struct err *e) {
    struct tok_span all = {0, text.len};
    struct tok_input in = {.text = text.ptr,
                           .len = text.len,
                           .trusted = p->o->special ? &all : NULL,
                           .n_trusted = p->o->special,
                           .add_special = encoded};
    size_t from = ids->len;
    return tok_encode(p->tok, &in, ids, e) && finish(p, ids, from, e);
}
