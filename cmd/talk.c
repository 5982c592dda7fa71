// SPDX-License-Identifier: MIT
// Answers. See cmd/talk.h.
#include "cmd/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cmd/cmd.h"
#include "cmd/locate.h"
#include "cmd/out.h"
#include "cmd/sample_keys.h"

#define CONTEXT_MIN 4096
#define MEMORY_MARGIN ((uint64_t)64 << 20)
#define PROGRESS_AFTER 0.5 // seconds

bool talk_open(struct talk *t, const struct settings *o, struct err *e) {
    *t = (struct talk){.o = o};
    for (size_t i = 0; i < o->stops.n; i++)
        ERR_IF(utf8_valid_prefix(o->stops.ptr[i], strlen(o->stops.ptr[i])) < strlen(o->stops.ptr[i]), e, ERR_USAGE,
               "--stop: expected valid UTF-8");
    return prompt_open(&t->prompt, o, e) && locate_model(o->model, &t->path, e);
}

bool talk_load(struct talk *t, struct err *e) {
    ERR_FORWARD(load_engine(t->o, t->path.ptr, &t->en, e));
    prompt_use(&t->prompt, t->en->file, t->en->tok);
    return true;
}

void talk_close(struct talk *t) {
    answer_free(&t->answer);
    sampler_close(t->sampler);
    session_close(t->session);
    engine_close(t->en);
    prompt_free(&t->prompt);
    ids_free(&t->ids);
    buf_free(&t->path);
}

// The context that prompt and answer need, as far as model and memory allow.
static bool size_context(struct talk *t, size_t n_prompt, struct err *e) {
    const struct settings *o = t->o;
    uint64_t memory = load_free_memory();
    uint32_t model = session_ctx_for(t->en, o->kv, UINT64_MAX);
    uint32_t most = session_ctx_for(t->en, o->kv, memory > MEMORY_MARGIN ? memory - MEMORY_MARGIN : 0);
    uint64_t want = most;
    if (o->context)
        want = (uint64_t)o->context;
    else if (o->n_tokens >= 0 && o->command == CMD_run)
        want = max_size(n_prompt + (size_t)o->n_tokens, CONTEXT_MIN);
    if (want > model && o->context)
        cmd_warn(o, "--context %d: the model's is %u", o->context, model);
    t->n_ctx = (uint32_t)(want < most ? want : most);
    ERR_IF(n_prompt > t->n_ctx && n_prompt <= model && t->n_ctx == most, e, ERR_SYSTEM,
           "prompt: %zu tokens, but free memory holds a context of %u", n_prompt, most);
    ERR_IF(n_prompt > t->n_ctx, e, ERR_INPUT, "prompt: %zu tokens, but the context holds %u%s", n_prompt, t->n_ctx,
           t->n_ctx < model ? " (--context sets it)" : "");
    return true;
}

// A line on a terminal, once reading the prompt takes long.
static void show_progress(void *user, size_t done, size_t total) {
    struct talk *t = user;
    if (t->prefilled != 0 || load_seconds() - t->began < PROGRESS_AFTER)
        return;
    t->progress_shown = true;
    dprintf(STDERR_FILENO, "\rpith: reading the prompt: %zu of %zu tokens", done, total);
}

static void hide_progress(struct talk *t) {
    if (t->progress_shown)
        dprintf(STDERR_FILENO, "\r\033[K");
    t->progress_shown = false;
}

static bool choose_seed(struct talk *t, struct err *e) {
    if (opt_given(t->o, "seed"))
        return true;
    uint64_t seed;
    ERR_IF(getentropy(&seed, sizeof seed) != 0, e, ERR_SYSTEM, "seed: the system gives no random bytes");
    t->sample.seed = seed;
    return true;
}

static bool check_biases(const struct talk *t, struct err *e) {
    for (size_t i = 0; i < t->o->biases.n; i++)
        ERR_IF((size_t)t->o->biases.ptr[i].id >= session_n_vocab(t->session), e, ERR_USAGE,
               "--logit-bias %d: expected an id below %zu", t->o->biases.ptr[i].id, session_n_vocab(t->session));
    return true;
}

static bool read_cache(struct talk *t, struct err *e) {
    struct stat st;
    ERR_IF(t->o->cache && !session_keeps(t->session), e, ERR_INPUT, "--cache: %s reads prompts whole, nothing is kept",
           t->path.ptr);
    if (!t->o->cache || stat(t->o->cache, &st) != 0)
        return true;
    return session_load(t->session, t->o->cache, e);
}

bool talk_save(struct talk *t, struct err *e) {
    return !t->o->cache || !t->session || session_save(t->session, t->o->cache, e);
}

bool talk_start(struct talk *t, size_t n_prompt, struct err *e) {
    ERR_FORWARD(size_context(t, n_prompt, e));
    struct session_params p = load_params(t->o, t->n_ctx);
    p.progress = isatty(STDERR_FILENO) && !t->o->quiet ? show_progress : NULL;
    p.user = t;
    ERR_FORWARD(session_open(&t->session, t->en, &p, e) && read_cache(t, e));
    ERR_FORWARD(check_biases(t, e));
    ERR_FORWARD(sample_keys_read(t->o, t->en->file, &t->sample, e));
    ERR_FORWARD(choose_seed(t, e));
    ERR_FORWARD(sampler_open(&t->sampler, &t->sample, session_n_vocab(t->session), e));
    ERR_FORWARD(answer_open(&t->answer, t->en->tok, t->o, e));
    size_t room = (size_t)t->n_ctx + 1;
    int32_t *ids = realloc(t->ids.ptr, room * sizeof *ids);
    if (!ids)
        return err_memory(e, room * sizeof *ids, "context");
    t->ids.ptr = ids;
    t->ids.cap = room;
    if (t->o->verbose)
        cmd_note("seed: %llu; context: %u tokens", (unsigned long long)t->sample.seed, t->n_ctx);
    return true;
}

bool talk_has_encoder(const struct talk *t) {
    return model_shape(t->en->model)->decoder_start >= 0;
}

bool talk_encode(struct talk *t, struct err *e) {
    const double began = load_seconds();
    if (!talk_has_encoder(t))
        return true;
    ERR_FORWARD(session_encode(t->session, t->ids.ptr, t->ids.len, e));
    if (t->o->verbose)
        cmd_note("encoder: %zu tokens in %.3f s", t->ids.len, load_seconds() - began);
    t->ids.len = 0;
    ids_push(&t->ids, model_shape(t->en->model)->decoder_start);
    t->n_prompt = t->ids.len;
    return true;
}

// Evaluates what is new.
static bool evaluate(struct talk *t, struct err *e) {
    bool ok = session_sync(t->session, t->ids.ptr, t->ids.len, e);
    if (t->prefilled == 0) {
        t->prefilled = load_seconds();
        hide_progress(t);
    }
    return ok;
}

bool talk_read(struct talk *t, struct err *e) {
    t->prefilled = 0;
    t->began = load_seconds();
    return evaluate(t, e);
}

static bool next_id(struct talk *t, int32_t *id, struct err *e) {
    ERR_IF(t->ids.len > t->n_ctx, e, ERR_CONTEXT, "context: full at %u tokens, the answer is cut", t->n_ctx);
    ERR_FORWARD(evaluate(t, e));
    *id = sampler_next(t->sampler, session_logits(t->session), t->ids.ptr, t->ids.len);
    ERR_IF(*id < 0, e, ERR_INPUT, "%s: no token is possible: all logits are -inf or not numbers", t->path.ptr);
    return true;
}

static bool take_id(struct talk *t, int32_t id, struct err *e) {
    ids_push(&t->ids, id);
    return answer_push(&t->answer, id, e);
}

// Makes the model end a thought that used up its budget.
static bool limit_thinking(struct talk *t, struct err *e) {
    const struct think *k = &t->answer.think;
    const char *ending = t->budget_used || t->o->think_budget < 0 ? NULL : think_ending(k);
    if (!ending || k->n_inside < (size_t)t->o->think_budget)
        return true;
    struct tok_span all = {0, strlen(ending)};
    struct tok_input in = {.text = ending, .len = all.end, .trusted = &all, .n_trusted = 1, .continues = true};
    struct ids ids = {0};
    bool ok = tok_encode(t->en->tok, &in, &ids, e);
    for (size_t i = 0; ok && i < ids.len && t->ids.len < t->n_ctx; i++)
        ok = take_id(t, ids.ptr[i], e);
    ids_free(&ids);
    t->budget_used = true;
    return ok;
}

static bool generate(struct talk *t, struct err *e) {
    for (int32_t n = 0; n != t->o->n_tokens && !t->answer.stopped; n++) {
        int32_t id = -1;
        ERR_FORWARD(limit_thinking(t, e));
        ERR_FORWARD(next_id(t, &id, e));
        if (tok_is_end(t->en->tok, id))
            break;
        ERR_FORWARD(take_id(t, id, e));
    }
    return true;
}

static void report(const struct talk *t, size_t reused) {
    double now = load_seconds(), prefill = t->prefilled - t->began, decode = now - t->prefilled;
    size_t n = t->ids.len - t->n_prompt, fresh = t->n_prompt - reused;
    if (reused)
        cmd_note("prompt: %zu tokens, %zu of them known, in %.3f s, %.1f tokens/s", t->n_prompt, reused, prefill,
                 (double)fresh / prefill);
    else
        cmd_note("prompt: %zu tokens in %.3f s, %.1f tokens/s", t->n_prompt, prefill, (double)fresh / prefill);
    cmd_note("answer: %zu tokens in %.3f s, %.1f tokens/s", n, decode, (double)n / decode);
}

// Ids at the beginning that the session has evaluated already.
static size_t count_known(const struct talk *t) {
    size_t n, i = 0;
    const int32_t *history = session_history(t->session, &n);
    while (i < n && i < t->n_prompt && history[i] == t->ids.ptr[i])
        i++;
    return i;
}

bool talk_answer(struct talk *t, bool chat, struct err *e) {
    size_t known = count_known(t);
    ERR_FORWARD(answer_begin(&t->answer, t->ids.ptr, chat ? t->n_prompt : 0, e));
    t->prefilled = 0;
    t->budget_used = false;
    t->began = load_seconds();
    // The end of an answer is the same whether it came by itself, by Ctrl-C or by a full context: what is known is
    // printed.
    bool ok = generate(t, e);
    hide_progress(t);
    if (!ok && e->class != ERR_INTERRUPT && e->class != ERR_CONTEXT)
        return false;
    struct err at_end;
    if (!answer_end(&t->answer, chat && (ok || t->answer.printed), &at_end)) {
        *e = at_end;
        return false;
    }
    if (t->o->verbose)
        report(t, known);
    return ok;
}
