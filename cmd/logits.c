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

// What the command line gives: the encoder's are for models that have one.
struct given {
    struct ids ids, encoder;
};

// Makes the encoder read what is its own.
static bool encode(struct session *s, const struct given *g, struct err *e) {
    const bool has = model_shape(session_model(s))->decoder_start >= 0;
    ERR_IF(has && !g->encoder.len, e, ERR_USAGE, "logits: this model has an encoder: expected --encoder-ids N,N,...");
    ERR_IF(!has && g->encoder.len, e, ERR_USAGE, "--encoder-ids: this model has no encoder besides its decoder");
    return !has || session_encode(s, g->encoder.ptr, g->encoder.len, e);
}

static bool evaluate(const struct settings *o, struct session *s, const struct given *g, struct err *e) {
    const struct ids *ids = &g->ids;
    ERR_IF(o->chunk && !session_is_causal(s), e, ERR_USAGE,
           "--chunk: every token of this model sees all others: it takes the prompt whole");
    ERR_FORWARD(encode(s, g, e));
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

static bool read_ids(const char *text, const char *option, struct ids *ids, struct err *e) {
    if (!opt_ids(text, strlen(text), option, ids, e))
        return err_set(e, e->class == ERR_INPUT ? ERR_USAGE : e->class, "%s", e->text);
    ERR_IF(!ids->len, e, ERR_USAGE, "%s: expected at least one id", option);
    return true;
}

static bool check_usage(const struct settings *o, struct given *g, struct err *e) {
    ERR_IF(o->words.n, e, ERR_USAGE, "logits: %s: expected no arguments but options", o->words.ptr[0]);
    ERR_IF(!o->ids, e, ERR_USAGE, "logits: expected --ids N,N,...");
    ERR_FORWARD(read_ids(o->ids, "--ids", &g->ids, e));
    if (o->encoder_ids)
        ERR_FORWARD(read_ids(o->encoder_ids, "--encoder-ids", &g->encoder, e));
    ERR_IF(o->context && g->ids.len > (size_t)o->context, e, ERR_INPUT, "--ids: %zu ids, but the context holds %d",
           g->ids.len, o->context);
    ERR_IF(!o->output && isatty(STDOUT_FILENO), e, ERR_USAGE,
           "logits: standard output is a terminal: expected -o FILE or a pipe");
    return true;
}

bool cmd_logits(const struct settings *o, struct err *e) {
    struct given g = {0};
    struct engine *en = NULL;
    struct session *s = NULL;
    bool ok = check_usage(o, &g, e) && load_named_engine(o, &en, e) && load_check_apart(o->output, en->file, e) &&
              load_session(o, en, max_size(g.ids.len, g.encoder.len), &s, e) && evaluate(o, s, &g, e);
    session_close(s);
    engine_close(en);
    ids_free(&g.ids);
    ids_free(&g.encoder);
    return ok;
}
