// SPDX-License-Identifier: MIT
// `pith template`: a chat template rendered with the JSON object on standard input as its variables. Needs the header
// of a model file only, or no model at all.
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cmd/input.h"
#include "cmd/locate.h"
#include "cmd/out.h"
#include "cmd/signals.h"
#include "cmd/template_source.h"
#include "text/jinja.h"

#define STDIN_NAME "standard input"

struct job {
    const struct settings *o;
    struct gguf *file;
    struct buf path, source, input;
    struct json_doc context;
    struct chat_text text;
};

static bool find_source(struct job *j, struct str *source, struct err *e) {
    const struct settings *o = j->o;
    ERR_IF(o->words.n, e, ERR_USAGE, "template: %s: expected no arguments (the variables are standard input)",
           o->words.ptr[0]);
    if (o->template)
        return template_named(o->template, &j->source, source, e);
    ERR_FORWARD(locate_model(o->model, &j->path, e));
    signals_name_mapping(j->path.ptr);
    ERR_FORWARD(gguf_open(&j->file, j->path.ptr, e));
    *source = chat_template(j->file);
    ERR_IF(!source->len, e, ERR_INPUT, "%s: the file has no chat template", j->path.ptr);
    return true;
}

static bool render(struct job *j, struct err *e) {
    const struct opt_time *t = &j->o->now;
    struct str source;
    char now[64];
    snprintf(now, sizeof now, "%04d-%02d-%02dT%02d:%02d:%02d", t->year, t->month, t->day, t->hour, t->minute,
             t->second);
    return find_source(j, &source, e) && input_stdin(&j->input, e) &&
           json_parse(&j->context, (struct str){j->input.ptr, j->input.len}, STDIN_NAME, 1, e) &&
           jinja_render(source, &j->context.root, t->given ? now : NULL, &j->text, e) && out_buf(&j->text.text, e);
}

bool cmd_template(const struct settings *o, struct err *e) {
    struct job j = {.o = o};
    bool ok = render(&j, e);
    chat_text_free(&j.text);
    json_free(&j.context);
    gguf_close(j.file);
    buf_free(&j.path);
    buf_free(&j.source);
    buf_free(&j.input);
    return ok;
}
