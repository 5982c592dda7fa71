// SPDX-License-Identifier: MIT
// `pith logits`: float32 little-endian logits of every position of a list of ids, whatever the tokenizer.
#include "cmd/cmd.h"

#include <string.h>
#include <unistd.h>

#include "cmd/load.h"
#include "cmd/out.h"
#include "cmd/signals.h"

struct sink {
    int fd;
    const char *name;
    size_t n_vocab;
};

static bool write_row(void *user, size_t position, const float *logits, struct err *e) {
    const struct sink *s = user;
    (void)position;
    return out_write(s->fd, s->name, logits, s->n_vocab * sizeof *logits, e);
}

static bool evaluate(const struct settings *o, struct session *s, const struct ids *ids, struct err *e) {
    ERR_IF(o->chunk && !session_is_causal(s), e, ERR_USAGE,
           "--chunk: every token of this model sees all others: it takes the prompt whole");
    struct sink sink = {.name = o->output ? o->output : "standard output", .n_vocab = session_n_vocab(s)};
    ERR_FORWARD(out_open(&sink.fd, o->output, e));
    bool ok = session_eval_all(s, ids->ptr, ids->len, (size_t)o->chunk, write_row, &sink, e);
    struct err at_close;
    if (o->output && !out_close(sink.fd, o->output, &at_close) && ok) {
        *e = at_close;
        return false;
    }
    return ok;
}

static bool check_usage(const struct settings *o, struct ids *ids, struct err *e) {
    ERR_IF(o->words.n, e, ERR_USAGE, "logits: %s: expected no arguments but options", o->words.ptr[0]);
    ERR_IF(!o->ids, e, ERR_USAGE, "logits: expected --ids N,N,...");
    if (!opt_ids(o->ids, strlen(o->ids), "--ids", ids, e))
        return err_set(e, e->class == ERR_INPUT ? ERR_USAGE : e->class, "%s", e->text);
    ERR_IF(!ids->len, e, ERR_USAGE, "--ids: expected at least one id");
    ERR_IF(o->context && ids->len > (size_t)o->context, e, ERR_INPUT, "--ids: %zu ids, but the context holds %d",
           ids->len, o->context);
    ERR_IF(!o->output && isatty(STDOUT_FILENO), e, ERR_USAGE,
           "logits: standard output is a terminal: expected -o FILE or a pipe");
    return true;
}

bool cmd_logits(const struct settings *o, struct err *e) {
    struct ids ids = {0};
    struct engine *en = NULL;
    struct session *s = NULL;
    bool ok = check_usage(o, &ids, e) && load_named_engine(o, &en, e) && load_check_apart(o->output, en->file, e) &&
              load_session(o, en, ids.len, &s, e) && evaluate(o, s, &ids, e);
    session_close(s);
    engine_close(en);
    ids_free(&ids);
    return ok;
}
