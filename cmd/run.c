// SPDX-License-Identifier: MIT
// `pith run`: a message in, an answer out. Everything that can be known to be wrong is said before the first byte of
// the answer; from then on standard output carries the answer only.
#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cmd/answer.h"
#include "cmd/input.h"
#include "cmd/load.h"
#include "cmd/locate.h"
#include "cmd/out.h"
#include "cmd/sample_keys.h"
#include "cmd/signals.h"
#include "cmd/template_source.h"
#include "text/chat.h"

#define CONTEXT_MIN 4096
#define MEMORY_MARGIN ((uint64_t)64 << 20)
#define PROGRESS_AFTER 0.5 // seconds

struct run {
    const struct settings *o;
    struct engine *en;
    struct session *session;
    struct sampler *sampler;
    struct sample_params sample;
    struct answer answer;
    struct buf path, message, system, template;
    struct str given; // the template that --template names
    struct ids ids;   // prompt and answer
    size_t n_prompt;
    uint32_t n_ctx;
    bool chat;        // a template made the prompt
    double began;     // when the prompt's evaluation began
    double prefilled; // when it ended
    bool progress_shown;
};

static bool usage(struct err *e) {
    return err_set(e, ERR_USAGE, "no prompt: usage: pith [run] [-m MODEL] [options] [PROMPT...] (pith -h says more)");
}

static bool read_arguments(struct run *r, struct err *e) {
    const struct settings *o = r->o;
    ERR_IF(o->continues && o->template, e, ERR_USAGE, "--raw: contradicts --template");
    ERR_IF(o->continues && o->system, e, ERR_USAGE, "--raw: contradicts --system");
    if (input_is_absent(o))
        return usage(e);
    ERR_FORWARD(input_message(o, &r->message, e));
    if (!r->message.len)
        return usage(e);
    ERR_FORWARD(locate_model(o->model, &r->path, e));
    for (size_t i = 0; i < o->stops.n; i++)
        ERR_IF(utf8_valid_prefix(o->stops.ptr[i], strlen(o->stops.ptr[i])) < strlen(o->stops.ptr[i]), e, ERR_USAGE,
               "--stop: expected valid UTF-8");
    if (o->system) {
        buf_str(&r->system, o->system);
        if (r->system.failed)
            return err_memory(e, strlen(o->system), "--system");
        ERR_FORWARD(input_check_text(&r->system, "--system", o->lossy, e));
    }
    if (!o->template)
        return true;
    return template_named(o->template, &r->template, &r->given, e);
}

static struct str template_of(const struct run *r) {
    if (r->o->continues)
        return (struct str){0};
    if (r->o->template)
        return r->given;
    return chat_template(r->en->file);
}

// BOS goes before the prompt where the file says so and the template did not write it.
static bool encode(struct run *r, const struct tok_input *in, struct err *e) {
    const struct tokenizer *t = r->en->tok;
    struct ids text = {0};
    bool ok = tok_encode(t, in, &text, e);
    int32_t bos = tok_bos(t);
    if (ok && tok_adds_bos(t) && bos >= 0 && !(text.len && text.ptr[0] == bos))
        ids_push(&r->ids, bos);
    ids_append(&r->ids, text.ptr, text.len);
    ids_free(&text);
    r->n_prompt = r->ids.len;
    if (ok && r->ids.failed)
        return err_memory(e, r->ids.len * sizeof *r->ids.ptr, "prompt");
    ERR_IF(ok && !r->n_prompt, e, ERR_INPUT, "prompt: it has no tokens");
    return ok;
}

static bool encode_chat(struct run *r, struct str template, struct err *e) {
    struct chat_turn turns[2];
    size_t n = 0;
    if (r->o->system)
        turns[n++] = (struct chat_turn){"system", {r->system.ptr, r->system.len}};
    turns[n++] = (struct chat_turn){"user", {r->message.ptr, r->message.len}};
    struct chat_text rendered = {0};
    const struct opt_time *t = &r->o->now;
    char now[64];
    snprintf(now, sizeof now, "%04d-%02d-%02dT%02d:%02d:%02d", t->year, t->month, t->day, t->hour, t->minute,
             t->second);
    struct chat_params params = {.template = template, .tok = r->en->tok, .now = t->given ? now : NULL};
    bool ok = chat_render(&params, turns, n, &rendered, e);
    ok = ok && encode(r,
                      &(struct tok_input){.text = rendered.text.ptr,
                                          .len = rendered.text.len,
                                          .trusted = rendered.trusted,
                                          .n_trusted = rendered.n_trusted},
                      e);
    chat_text_free(&rendered);
    return ok;
}

static bool encode_raw(struct run *r, struct err *e) {
    struct tok_span all = {0, r->message.len};
    return encode(r,
                  &(struct tok_input){.text = r->message.ptr,
                                      .len = r->message.len,
                                      .trusted = r->o->special ? &all : NULL,
                                      .n_trusted = r->o->special},
                  e);
}

static bool make_prompt(struct run *r, struct err *e) {
    struct str template = template_of(r);
    r->chat = template.len > 0;
    if (r->chat)
        return encode_chat(r, template, e);
    ERR_IF(r->o->system, e, ERR_INPUT, "--system: %s has no chat template (--template gives one)", r->path.ptr);
    if (!r->o->continues && r->o->verbose)
        cmd_note("%s: no chat template: the text is continued as it is", r->path.ptr);
    return encode_raw(r, e);
}

// The context that prompt and answer need, as far as model and memory allow.
static bool size_context(struct run *r, struct err *e) {
    const struct settings *o = r->o;
    uint64_t memory = load_free_memory();
    uint32_t model = session_ctx_for(r->en, o->kv, UINT64_MAX);
    uint32_t most = session_ctx_for(r->en, o->kv, memory > MEMORY_MARGIN ? memory - MEMORY_MARGIN : 0);
    uint64_t want = most;
    if (o->context)
        want = (uint64_t)o->context;
    else if (o->n_tokens >= 0)
        want = max_size(r->n_prompt + (size_t)o->n_tokens, CONTEXT_MIN);
    if (want > model && o->context)
        cmd_warn(o, "--context %d: the model's is %u", o->context, model);
    r->n_ctx = (uint32_t)(want < most ? want : most);
    ERR_IF(r->n_prompt > r->n_ctx && r->n_prompt <= model && r->n_ctx == most, e, ERR_SYSTEM,
           "prompt: %zu tokens, but free memory holds a context of %u", r->n_prompt, most);
    ERR_IF(r->n_prompt > r->n_ctx, e, ERR_INPUT, "prompt: %zu tokens, but the context holds %u%s", r->n_prompt,
           r->n_ctx, r->n_ctx < model ? " (--context sets it)" : "");
    return true;
}

// A line on a terminal, once reading the prompt takes long.
static void show_progress(void *user, size_t done, size_t total) {
    struct run *r = user;
    if (r->prefilled != 0 || load_seconds() - r->began < PROGRESS_AFTER)
        return;
    r->progress_shown = true;
    dprintf(STDERR_FILENO, "\rpith: reading the prompt: %zu of %zu tokens", done, total);
}

static void hide_progress(struct run *r) {
    if (r->progress_shown)
        dprintf(STDERR_FILENO, "\r\033[K");
    r->progress_shown = false;
}

static bool choose_seed(struct run *r, struct err *e) {
    if (opt_given(r->o, "seed"))
        return true;
    uint64_t seed;
    ERR_IF(getrandom(&seed, sizeof seed, 0) != sizeof seed, e, ERR_SYSTEM, "seed: the system gives no random bytes");
    r->sample.seed = seed;
    return true;
}

static bool check_biases(const struct run *r, struct err *e) {
    for (size_t i = 0; i < r->o->biases.n; i++)
        ERR_IF((size_t)r->o->biases.ptr[i].id >= session_n_vocab(r->session), e, ERR_USAGE,
               "--logit-bias %d: expected an id below %zu", r->o->biases.ptr[i].id, session_n_vocab(r->session));
    return true;
}

// Everything that a token needs is taken here, so that the loop below allocates nothing.
static bool open_session(struct run *r, struct err *e) {
    struct session_params p = load_params(r->o, r->n_ctx);
    p.progress = isatty(STDERR_FILENO) && !r->o->quiet ? show_progress : NULL;
    p.user = r;
    ERR_FORWARD(session_open(&r->session, r->en, &p, e));
    ERR_FORWARD(check_biases(r, e));
    ERR_FORWARD(sample_keys_read(r->o, r->en->file, &r->sample, e));
    ERR_FORWARD(choose_seed(r, e));
    ERR_FORWARD(sampler_open(&r->sampler, &r->sample, session_n_vocab(r->session), e));
    ERR_FORWARD(answer_open(&r->answer, r->en->tok, r->o->stops, !r->chat, e));
    size_t room = (size_t)r->n_ctx + 1;
    int32_t *ids = realloc(r->ids.ptr, room * sizeof *ids);
    if (!ids)
        return err_memory(e, room * sizeof *ids, "context");
    r->ids.ptr = ids;
    r->ids.cap = room;
    return true;
}

// Evaluates what is new and chooses the next id.
static bool next_id(struct run *r, int32_t *id, struct err *e) {
    ERR_IF(r->ids.len > r->n_ctx, e, ERR_CONTEXT, "context: full at %u tokens, the answer is cut", r->n_ctx);
    bool ok = session_sync(r->session, r->ids.ptr, r->ids.len, e);
    if (r->prefilled == 0) {
        r->prefilled = load_seconds();
        hide_progress(r);
    }
    ERR_FORWARD(ok);
    *id = sampler_next(r->sampler, session_logits(r->session), r->ids.ptr, r->ids.len);
    ERR_IF(*id < 0, e, ERR_INPUT, "%s: no token is possible: all logits are -inf or not numbers", r->path.ptr);
    return true;
}

static bool generate(struct run *r, struct err *e) {
    for (int32_t n = 0; n != r->o->n_tokens && !r->answer.stopped; n++) {
        int32_t id = -1;
        ERR_FORWARD(next_id(r, &id, e));
        if (tok_is_end(r->en->tok, id))
            break;
        ids_push(&r->ids, id);
        ERR_FORWARD(answer_push(&r->answer, id, e));
    }
    return true;
}

static void report(const struct run *r) {
    double now = load_seconds(), prefill = r->prefilled - r->began, decode = now - r->prefilled;
    size_t n = r->ids.len - r->n_prompt;
    cmd_note("prompt: %zu tokens in %.3f s, %.1f tokens/s", r->n_prompt, prefill, (double)r->n_prompt / prefill);
    cmd_note("answer: %zu tokens in %.3f s, %.1f tokens/s", n, decode, (double)n / decode);
}

// The end of an answer is the same whether it came by itself, by Ctrl-C or by a full context: what is known is printed.
static bool answer_message(struct run *r, struct err *e) {
    if (r->o->verbose)
        cmd_note("seed: %llu; context: %u tokens", (unsigned long long)r->sample.seed, r->n_ctx);
    if (r->o->n_tokens == 0)
        return true;
    r->began = load_seconds();
    bool ok = generate(r, e);
    if (!ok && e->class != ERR_INTERRUPT && e->class != ERR_CONTEXT)
        return false;
    struct err at_end;
    if (!answer_end(&r->answer, r->chat && (ok || r->answer.printed), &at_end)) {
        *e = at_end;
        return false;
    }
    if (r->o->verbose)
        report(r);
    return ok;
}

static void run_free(struct run *r) {
    answer_free(&r->answer);
    sampler_close(r->sampler);
    session_close(r->session);
    engine_close(r->en);
    ids_free(&r->ids);
    buf_free(&r->path);
    buf_free(&r->message);
    buf_free(&r->system);
    buf_free(&r->template);
}

bool cmd_run(const struct settings *o, struct err *e) {
    struct run r = {.o = o};
    bool ok = read_arguments(&r, e);
    if (ok)
        signals_catch_interrupt();
    ok = ok && load_engine(o, r.path.ptr, &r.en, e) && make_prompt(&r, e) && size_context(&r, e) &&
         open_session(&r, e) && answer_message(&r, e);
    run_free(&r);
    if (!ok && e->class == ERR_INTERRUPT) // the user knows
        e->text[0] = 0;
    return ok;
}
