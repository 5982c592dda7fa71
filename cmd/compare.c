// SPDX-License-Identifier: MIT
// `pith compare`: how much worse, smaller and faster is B than A? Both models read the same windows of text, a few ids
// at a time in turn, so that only that many rows of logits are kept; then both are timed.
#include "cmd/cmd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cmd/input.h"
#include "cmd/load.h"
#include "cmd/locate.h"
#include "cmd/out.h"
#include "cmd/progress.h"
#include "cmd/signals.h"
#include "cmd/windows.h"

#define CHUNK 64      // ids that one model reads before the other does
#define N_PREFILL 256 // ids of the speed measurements
#define N_DECODE 32

struct side {
    struct buf path;
    struct engine *en;
    struct session *session;
    double nll; // sum
    double prefill_tps, decode_tps;
};

struct comparison {
    const struct settings *o;
    struct side a, b;
    float *logits; // [CHUNK][n_vocab]: of A
    size_t n_vocab, context;
    const int32_t *window;
    size_t n_window;
    double divergence; // sum
    size_t same, n;    // scored ids: where the likeliest token is the same, and all
    struct progress progress;
    size_t done, n_ids;
};

static size_t best_of(const float *logits, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

static bool keep_row(void *user, size_t position, const float *logits, struct err *e) {
    struct comparison *c = user;
    (void)e;
    memcpy(c->logits + position % CHUNK * c->n_vocab, logits, c->n_vocab * sizeof *logits);
    return true;
}

// The sum over tokens of p_A (log p_A - log p_B), where rounding cannot make it negative.
static double divergence(const float *a, const float *b, double sum_a, double sum_b, size_t n) {
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        double log_a = (double)a[i] - sum_a;
        total += exp(log_a) * (log_a - ((double)b[i] - sum_b));
    }
    return total > 0 ? total : 0;
}

// As in perplexity, the last id of a window predicts what nobody asked for.
static bool score_row(void *user, size_t position, const float *b, struct err *e) {
    struct comparison *c = user;
    const float *a = c->logits + position % CHUNK * c->n_vocab;
    (void)e;
    if (position + 1 == c->n_window)
        return true;
    int32_t next = c->window[position + 1];
    double sum_a = windows_log_sum(a, c->n_vocab), sum_b = windows_log_sum(b, c->n_vocab);
    c->a.nll += sum_a - (double)a[next];
    c->b.nll += sum_b - (double)b[next];
    c->divergence += divergence(a, b, sum_a, sum_b, c->n_vocab);
    c->same += best_of(a, c->n_vocab) == best_of(b, c->n_vocab);
    c->n++;
    return true;
}

static bool compare_window(void *user, const struct ids *window, struct err *e) {
    struct comparison *c = user;
    c->window = window->ptr;
    c->n_window = window->len;
    session_rewind(c->a.session, 0);
    session_rewind(c->b.session, 0);
    for (size_t at = 0; at < window->len; at += CHUNK) {
        size_t n = min_size(CHUNK, window->len - at);
        ERR_FORWARD(session_eval_all(c->a.session, window->ptr + at, n, 0, keep_row, c, e) &&
                    session_eval_all(c->b.session, window->ptr + at, n, 0, score_row, c, e));
        c->done += n;
        progress_tell(&c->progress, "comparing", c->done, c->n_ids);
    }
    return true;
}

// The same ids must mean the same texts.
static bool check_vocabularies(const struct comparison *c, struct err *e) {
    const struct gguf_value *a = gguf_find(c->a.en->file, "tokenizer.ggml.tokens");
    const struct gguf_value *b = gguf_find(c->b.en->file, "tokenizer.ggml.tokens");
    bool same = a && b && a->size == b->size && memcmp(a->data, b->data, (size_t)a->size) == 0 &&
                model_shape(c->a.en->model)->n_vocab == model_shape(c->b.en->model)->n_vocab;
    return same || err_set(e, ERR_INPUT, "compare: %s has another vocabulary than %s", c->b.path.ptr, c->a.path.ptr);
}

// As `pith bench` does: one run that is not timed, prefill, single steps from an empty context.
static bool measure(struct side *s, const struct ids *ids, struct err *e) {
    size_t n_prefill = min_size(N_PREFILL, ids->len), n_decode = min_size(N_DECODE, ids->len);
    session_rewind(s->session, 0);
    ERR_FORWARD(session_sync(s->session, ids->ptr, n_prefill, e));
    session_rewind(s->session, 0);
    double t0 = load_seconds();
    ERR_FORWARD(session_sync(s->session, ids->ptr, n_prefill, e));
    double t1 = load_seconds();
    session_rewind(s->session, 0);
    for (size_t i = 0; i < n_decode; i++)
        ERR_FORWARD(session_sync(s->session, ids->ptr, i + 1, e));
    double t2 = load_seconds();
    s->prefill_tps = (double)n_prefill / (t1 - t0);
    s->decode_tps = (double)n_decode / (t2 - t1);
    return true;
}

// The text's ids over and over, so that a short text gives a speed too.
static bool measure_both(struct comparison *c, const struct ids *text, struct err *e) {
    struct ids ids = {0};
    for (size_t i = 0; i < min_size(N_PREFILL, c->context); i++)
        ids_push(&ids, text->ptr[i % text->len]);
    bool ok = (!ids.failed || err_memory(e, N_PREFILL * sizeof *ids.ptr, "ids")) && measure(&c->a, &ids, e) &&
              measure(&c->b, &ids, e);
    ids_free(&ids);
    return ok;
}

static void json_side(struct json_writer *w, const char *key, const struct side *s, double n) {
    const struct {
        const char *key;
        double x;
    } numbers[] = {
        {"nll", s->nll / n}, {"ppl", exp(s->nll / n)}, {"prefill_tps", s->prefill_tps}, {"decode_tps", s->decode_tps}};
    json_key(w, key);
    json_begin(w, '{');
    json_key(w, "file");
    json_str(w, (struct str){s->path.ptr, s->path.len - 1});
    json_key(w, "bytes");
    json_uint(w, s->en->file->size);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_key(w, numbers[i].key);
        json_float(w, numbers[i].x);
    }
    json_end(w, '}');
}

static void format_json(const struct comparison *c, struct buf *out) {
    struct json_writer w = {.out = out};
    double n = (double)c->n;
    json_begin(&w, '{');
    json_key(&w, "tokens");
    json_uint(&w, c->n);
    json_key(&w, "context");
    json_uint(&w, c->context);
    json_key(&w, "kl");
    json_float(&w, c->divergence / n);
    json_key(&w, "top1");
    json_float(&w, (double)c->same / n);
    json_side(&w, "a", &c->a, n);
    json_side(&w, "b", &c->b, n);
    json_end(&w, '}');
    buf_char(out, '\n');
}

static void format_text(const struct comparison *c, struct buf *out) {
    double n = (double)c->n;
    const struct {
        const char *label;
        double a, b;
        int digits;
    } lines[] = {
        {"megabytes", (double)c->a.en->file->size * 1e-6, (double)c->b.en->file->size * 1e-6, 1},
        {"perplexity", exp(c->a.nll / n), exp(c->b.nll / n), 4},
        {"prefill, tokens/s", c->a.prefill_tps, c->b.prefill_tps, 1},
        {"decode, tokens/s", c->a.decode_tps, c->b.decode_tps, 1},
    };
    buf_printf(out, "A: %s\nB: %s\n%-20s %12s %12s\n", c->a.path.ptr, c->b.path.ptr, "", "A", "B");
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        buf_printf(out, "%-20s %12.*f %12.*f\n", lines[i].label, lines[i].digits, lines[i].a, lines[i].digits,
                   lines[i].b);
    buf_printf(out, "%-20s %12s %12.5f\n", "mean KL divergence", "", c->divergence / n);
    buf_printf(out, "%-20s %12s %10.2f %%\n", "same likeliest token", "", 100 * (double)c->same / n);
    buf_printf(out, "%-20s %12zu\n", "tokens compared", c->n);
}

static bool open_sides(struct comparison *c, struct err *e) {
    const struct opt_list *words = &c->o->words;
    ERR_IF(words->n != 2, e, ERR_USAGE, "compare: expected two models and a text on standard input; got %zu words",
           words->n);
    return locate_model(words->ptr[0], &c->a.path, e) && locate_model(words->ptr[1], &c->b.path, e) &&
           load_engine(c->o, c->a.path.ptr, &c->a.en, e) && load_engine(c->o, c->b.path.ptr, &c->b.en, e) &&
           check_vocabularies(c, e);
}

static bool compare(struct comparison *c, const struct ids *ids, struct err *e) {
    c->context = c->o->context ? (size_t)c->o->context : WINDOW_LEN;
    c->n_ids = ids->len;
    c->n_vocab = model_shape(c->a.en->model)->n_vocab;
    c->logits = malloc(CHUNK * c->n_vocab * sizeof *c->logits);
    if (!c->logits)
        return err_memory(e, CHUNK * c->n_vocab * sizeof *c->logits, "logits");
    signals_catch_interrupt();
    ERR_FORWARD(load_session(c->o, c->a.en, c->context, &c->a.session, e) &&
                load_session(c->o, c->b.en, c->context, &c->b.session, e));
    progress_begin(&c->progress, c->o);
    bool ok = windows_each(c->a.en->tok, ids, c->context, compare_window, c, e);
    progress_end(&c->progress);
    ERR_FORWARD(ok);
    ERR_IF(!c->n, e, ERR_INPUT, "compare: the text is too short: no id can be scored");
    return measure_both(c, ids, e);
}

bool cmd_compare(const struct settings *o, struct err *e) {
    struct comparison c = {.o = o};
    struct buf text = {0}, out = {0};
    struct ids ids = {0};
    bool ok = open_sides(&c, e) && input_stdin(&text, e) &&
              tok_encode(c.a.en->tok, &(struct tok_input){.text = text.ptr, .len = text.len}, &ids, e) &&
              compare(&c, &ids, e);
    if (ok) {
        (o->json ? format_json : format_text)(&c, &out);
        ok = out_buf(&out, e);
    }
    session_close(c.a.session);
    session_close(c.b.session);
    engine_close(c.a.en);
    engine_close(c.b.en);
    free(c.logits);
    ids_free(&ids);
    buf_free(&c.a.path);
    buf_free(&c.b.path);
    buf_free(&text);
    buf_free(&out);
    return ok;
}
