// SPDX-License-Identifier: MIT
// `pith tokenize`: standard input to ids, and ids back to text. Needs the vocabulary of a file only, so it works on
// files without tensors and of unknown architectures. Any bytes are text.
#include "cmd/cmd.h"

#include <string.h>

#include "base/json.h"
#include "cmd/input.h"
#include "cmd/locate.h"
#include "cmd/out.h"
#include "cmd/signals.h"
#include "text/tok.h"

#define STDIN_NAME "standard input"

struct job {
    const struct settings *o;
    struct gguf *file;
    struct tokenizer *tok;
    struct buf path, input, output;
};

static bool encode(const struct job *j, struct str text, struct ids *ids, struct err *e) {
    struct tok_span all = {0, text.len};
    struct tok_input in = {.text = text.ptr,
                           .len = text.len,
                           .trusted = j->o->special ? &all : NULL,
                           .n_trusted = j->o->special,
                           .add_special = j->o->special};
    return tok_encode(j->tok, &in, ids, e);
}

static bool decode(struct job *j, const struct ids *ids, struct buf *text, struct err *e) {
    struct tok_stream stream = {.t = j->tok, .special = j->o->special};
    size_t n = tok_n_vocab(j->tok);
    ERR_IF(n == 0, e, ERR_INPUT, "%s: the file has no vocabulary", j->path.ptr);
    for (size_t i = 0; i < ids->len; i++) {
        ERR_IF((size_t)ids->ptr[i] >= n, e, ERR_INPUT, "id %d at place %zu: expected one below %zu", ids->ptr[i], i, n);
        tok_stream_push(&stream, ids->ptr[i], text);
    }
    tok_stream_end(&stream, text);
    return !text->failed || err_memory(e, text->len, "text");
}

static bool encode_whole(struct job *j, struct err *e) {
    struct ids ids = {0};
    bool ok = encode(j, (struct str){j->input.ptr, j->input.len}, &ids, e);
    for (size_t i = 0; ok && i < ids.len; i++) {
        if (i)
            buf_char(&j->output, ' ');
        buf_int(&j->output, ids.ptr[i]);
    }
    buf_char(&j->output, '\n');
    ids_free(&ids);
    return ok;
}

static bool decode_whole(struct job *j, struct err *e) {
    struct ids ids = {0};
    bool ok = opt_ids(j->input.ptr, j->input.len, STDIN_NAME, &ids, e) && decode(j, &ids, &j->output, e);
    ids_free(&ids);
    return ok;
}

// One JSON string to one JSON array.
static bool encode_value(struct job *j, const struct json *value, size_t line, struct err *e) {
    ERR_IF(value->type != JSON_STR, e, ERR_INPUT, STDIN_NAME ": line %zu: expected a JSON string", line);
    struct ids ids = {0};
    bool ok = encode(j, value->text, &ids, e);
    struct json_writer w = {.out = &j->output};
    json_begin(&w, '[');
    for (size_t i = 0; i < ids.len; i++)
        json_int(&w, ids.ptr[i]);
    json_end(&w, ']');
    ids_free(&ids);
    return ok;
}

// One JSON array to one JSON string.
static bool decode_value(struct job *j, const struct json *value, size_t line, struct err *e) {
    struct ids ids = {0};
    struct buf text = {0};
    ERR_IF(value->type != JSON_ARRAY, e, ERR_INPUT, STDIN_NAME ": line %zu: expected a JSON array of ids", line);
    bool ok = true;
    for (size_t i = 0; ok && i < value->n; i++) {
        const struct json *item = &value->items[i];
        ok = item->type == JSON_INT && item->integer >= 0 && item->integer <= INT32_MAX;
        if (ok)
            ids_push(&ids, (int32_t)item->integer);
        else
            err_set(e, ERR_INPUT, STDIN_NAME ": line %zu: item %zu is no id", line, i);
    }
    ok = ok && decode(j, &ids, &text, e);
    struct json_writer w = {.out = &j->output};
    json_str(&w, (struct str){text.ptr, text.len});
    ids_free(&ids);
    buf_free(&text);
    return ok;
}

static bool json_line(struct job *j, struct str text, size_t line, struct err *e) {
    struct json_doc doc = {0};
    bool ok = json_parse(&doc, text, STDIN_NAME, line, e);
    ok = ok && (j->o->decode ? decode_value : encode_value)(j, &doc.root, line, e);
    buf_char(&j->output, '\n');
    json_free(&doc);
    return ok;
}

// What came out before a bad line is printed: line N of the output belongs to line N of the input.
static bool json_lines(struct job *j, struct err *e) {
    const char *at = j->input.ptr, *end = at + j->input.len;
    for (size_t line = 1; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        size_t before = j->output.len;
        if (!json_line(j, (struct str){at, (size_t)(stop - at)}, line, e)) {
            j->output.len = min_size(before, j->output.len);
            return false;
        }
        at = stop + (newline != NULL);
    }
    return true;
}

static bool convert(struct job *j, struct err *e) {
    if (j->o->json)
        return json_lines(j, e);
    return j->o->decode ? decode_whole(j, e) : encode_whole(j, e);
}

static bool open_vocabulary(struct job *j, struct err *e) {
    ERR_IF(j->o->words.n, e, ERR_USAGE, "tokenize: %s: expected no arguments (the text is standard input)",
           j->o->words.ptr[0]);
    ERR_FORWARD(locate_model(j->o->model, &j->path, e));
    signals_name_mapping(j->path.ptr);
    ERR_FORWARD(gguf_open(&j->file, j->path.ptr, e) && tok_open(&j->tok, j->file, e));
    const char *warning = tok_warning(j->tok);
    if (warning)
        cmd_warn(j->o, "%s: %s", j->path.ptr, warning);
    return true;
}

bool cmd_tokenize(const struct settings *o, struct err *e) {
    struct job j = {.o = o};
    bool ok = open_vocabulary(&j, e) && input_stdin(&j.input, e);
    if (ok) {
        struct err at_output;
        ok = convert(&j, e);
        if ((ok || o->json) && !out_buf(&j.output, &at_output)) {
            *e = ok ? at_output : *e;
            ok = false;
        }
    }
    tok_close(j.tok);
    gguf_close(j.file);
    buf_free(&j.path);
    buf_free(&j.input);
    buf_free(&j.output);
    return ok;
}
