// SPDX-License-Identifier: MIT
// `pith embed`: a text or a list of ids as a vector of float32.
#include "infer/embedding.h"

#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/input.h"
#include "cmd/load.h"
#include "cmd/out.h"

struct sink {
    int fd;
    const char *name;
    size_t len;
};

static bool write_vector(void *user, size_t position, const float *x, struct err *e) {
    const struct sink *s = user;
    (void)position;
    return out_write(s->fd, s->name, x, s->len * sizeof *x, e);
}

static bool check_usage(const struct settings *o, struct ids *ids, struct err *e) {
    ERR_IF(o->words.n, e, ERR_USAGE, "embed: %s: expected no arguments but options", o->words.ptr[0]);
    ERR_IF(!o->output && isatty(STDOUT_FILENO), e, ERR_USAGE,
           "embed: standard output is a terminal: expected -o FILE or a pipe");
    if (o->ids && !opt_ids(o->ids, strlen(o->ids), "--ids", ids, e))
        return err_set(e, e->class == ERR_INPUT ? ERR_USAGE : e->class, "%s", e->text);
    ERR_IF(o->ids && !ids->len, e, ERR_USAGE, "--ids: expected at least one id");
    return true;
}

// The ids of standard input, with the special tokens that the model wants around them.
static bool read_ids(const struct engine *en, struct ids *ids, struct err *e) {
    struct buf text = {0};
    bool ok = input_stdin(&text, e) && input_check_text(&text, "standard input", false, e);
    struct tok_input in = {.text = text.ptr, .len = text.len, .add_special = true};
    ok = ok && tok_encode(en->tok, &in, ids, e);
    buf_free(&text);
    ERR_IF(ok && !ids->len, e, ERR_INPUT, "standard input: empty: there is nothing to embed");
    return ok;
}

static bool write_embedding(const struct settings *o, struct session *s, const struct ids *ids, struct err *e) {
    const struct model *m = session_model(s);
    enum pooling how = opt_given(o, "pooling") ? o->pooling : model_shape(m)->pooling;
    struct sink sink = {.name = o->output ? o->output : "standard output"};
    sink.len = how == POOLING_NONE ? model_shape(m)->n_embd : model_embedding_len(m, how);
    ERR_FORWARD(out_open(&sink.fd, o->output, e));
    bool ok = embed(s, ids->ptr, ids->len, how, write_vector, &sink, e);
    struct err at_close;
    if (o->output && !out_close(sink.fd, o->output, &at_close) && ok) {
        *e = at_close;
        return false;
    }
    return ok;
}

bool cmd_embed(const struct settings *o, struct err *e) {
    struct settings exact = *o;
    struct ids ids = {0};
    struct engine *en = NULL;
    struct session *s = NULL;
    exact.kv = KV_F32;
    bool ok = check_usage(o, &ids, e) && load_named_engine(o, &en, e) && load_check_apart(o->output, en->file, e) &&
              (o->ids || read_ids(en, &ids, e)) && load_session(&exact, en, ids.len, &s, e) &&
              write_embedding(o, s, &ids, e);
    session_close(s);
    engine_close(en);
    ids_free(&ids);
    return ok;
}
