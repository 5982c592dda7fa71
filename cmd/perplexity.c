// SPDX-License-Identifier: MIT
// `pith perplexity`: the mean negative log-likelihood of a text. The text becomes ids once; windows of --context ids,
// BOS included where the file says so, are evaluated apart from each other. Sums are kept in double.
#include "cmd/cmd.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "cmd/input.h"
#include "cmd/load.h"
#include "cmd/out.h"

#define WINDOW 512

struct score {
    const int32_t *window; // ids of the window being evaluated
    size_t n_window, n_vocab;
    double nll; // sum over scored ids
    size_t n;   // scored ids
};

// -log of the probability that the logits give to an id.
static double surprise(const float *logits, size_t n_vocab, int32_t id) {
    float max = logits[0];
    for (size_t i = 1; i < n_vocab; i++)
        max = logits[i] > max ? logits[i] : max;
    double sum = 0;
    for (size_t i = 0; i < n_vocab; i++)
        sum += (double)num_exp(logits[i] - max);
    return log(sum) + (double)max - (double)logits[id];
}

static bool score_row(void *user, size_t position, const float *logits, struct err *e) {
    struct score *s = user;
    (void)e;
    if (position + 1 < s->n_window) { // the last row predicts what nobody asked for
        s->nll += surprise(logits, s->n_vocab, s->window[position + 1]);
        s->n++;
    }
    return true;
}

static bool score_window(struct session *session, struct score *s, const struct ids *window, struct err *e) {
    s->window = window->ptr;
    s->n_window = window->len;
    session_rewind(session, 0);
    return session_eval_all(session, window->ptr, window->len, 0, score_row, s, e);
}

static bool score_text(struct session *session, const struct tokenizer *t, const struct ids *text, struct score *s,
                       struct err *e) {
    struct ids window = {0};
    bool ok = true;
    for (size_t at = 0; ok && at < text->len;) {
        window.len = 0;
        if (tok_adds_bos(t) && tok_bos(t) >= 0)
            ids_push(&window, tok_bos(t));
        size_t n = min_size(session_n_ctx(session) - window.len, text->len - at);
        ids_append(&window, text->ptr + at, n);
        at += n;
        ok = window.failed ? err_memory(e, n, "window") : score_window(session, s, &window, e);
    }
    ids_free(&window);
    return ok;
}

static bool print(const struct score *s, size_t context, struct err *e) {
    struct buf out = {0};
    struct json_writer w = {.out = &out};
    double nll = s->nll / (double)s->n;
    json_begin(&w, '{');
    json_key(&w, "tokens");
    json_uint(&w, s->n);
    json_key(&w, "nll");
    json_float(&w, nll);
    json_key(&w, "ppl");
    json_float(&w, exp(nll));
    json_key(&w, "context");
    json_uint(&w, context);
    json_end(&w, '}');
    buf_char(&out, '\n');
    bool ok = out_buf(&out, e);
    buf_free(&out);
    return ok;
}

static bool measure(struct engine *en, struct session *session, const struct ids *ids, size_t context, struct err *e) {
    struct score s = {.n_vocab = session_n_vocab(session)};
    ERR_FORWARD(score_text(session, en->tok, ids, &s, e));
    ERR_IF(!s.n, e, ERR_INPUT, "perplexity: the text is too short: no id can be scored");
    return print(&s, context, e);
}

static bool read_text(const struct settings *o, struct buf *text, struct err *e) {
    ERR_IF(o->words.n > 1, e, ERR_USAGE, "perplexity: %s: expected one file", o->words.ptr[1]);
    const char *file = o->words.n ? o->words.ptr[0] : "-";
    return strcmp(file, "-") == 0 ? input_stdin(text, e) : file_read(file, text, e);
}

bool cmd_perplexity(const struct settings *o, struct err *e) {
    struct buf text = {0};
    struct ids ids = {0};
    struct engine *en = NULL;
    struct session *session = NULL;
    size_t context = o->context ? (size_t)o->context : WINDOW;
    bool ok = load_named_engine(o, &en, e) && read_text(o, &text, e) &&
              tok_encode(en->tok, &(struct tok_input){.text = text.ptr, .len = text.len}, &ids, e) &&
              load_session(o, en, min_size(context, ids.len + 1), &session, e) &&
              measure(en, session, &ids, context, e);
    session_close(session);
    engine_close(en);
    ids_free(&ids);
    buf_free(&text);
    return ok;
}
