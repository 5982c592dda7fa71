// SPDX-License-Identifier: MIT
// `pith perplexity`: the mean negative log-likelihood of a text. The text becomes ids once; windows of --context ids,
// BOS included where the file says so, are evaluated apart from each other. Sums are kept in double.
#include "cmd/cmd.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cmd/input.h"
#include "cmd/load.h"
#include "cmd/out.h"
#include "cmd/signals.h"
#include "cmd/windows.h"

struct score {
    struct session *session;
    const int32_t *window; // ids of the window being evaluated
    size_t n_window, n_vocab;
    double nll; // sum over scored ids
    size_t n;   // scored ids
};

static bool score_row(void *user, size_t position, const float *logits, struct err *e) {
    struct score *s = user;
    (void)e;
    if (position + 1 < s->n_window) { // the last row predicts what nobody asked for
        s->nll += windows_log_sum(logits, s->n_vocab) - (double)logits[s->window[position + 1]];
        s->n++;
    }
    return true;
}

static bool score_window(void *user, const struct ids *window, struct err *e) {
    struct score *s = user;
    s->window = window->ptr;
    s->n_window = window->len;
    session_rewind(s->session, 0);
    return session_eval_all(s->session, window->ptr, window->len, 0, score_row, s, e);
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
    struct score s = {.session = session, .n_vocab = session_n_vocab(session)};
    ERR_FORWARD(windows_each(en->tok, ids, session_n_ctx(session), score_window, &s, e));
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
    size_t context = o->context ? (size_t)o->context : WINDOW_LEN;
    signals_catch_interrupt();
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
