// SPDX-License-Identifier: MIT
// `pith run`: a message in, an answer out. Everything that can be known to be wrong is said before the first byte of
// the answer; from then on standard output carries the answer only.
#include "cmd/cmd.h"

#include <string.h>

#include "base/find.h"
#include "cmd/input.h"
#include "cmd/out.h"
#include "cmd/signals.h"
#include "cmd/talk.h"
#include "text/tool_calls.h"

struct run {
    const struct settings *o;
    struct talk talk;
    struct buf message, system;
    bool chat;    // a template makes the prompt
    bool answers; // what comes is no continuation of the text
};

static bool usage(struct err *e) {
    return err_set(e, ERR_USAGE, "no prompt: usage: pith [run] [-m MODEL] [options] [PROMPT...] (pith -h says more)");
}

// What only a chat template can use.
static bool check_raw(const struct settings *o, struct err *e) {
    static const char *const names[] = {"template", "system", "template-arg", "tools", "tool-calls"};
    for (size_t i = 0; o->continues && i < ARRAY_LEN(names); i++)
        ERR_IF(opt_given(o, names[i]), e, ERR_USAGE, "--raw: contradicts --%s", names[i]);
    return true;
}

static bool read_arguments(struct run *r, struct err *e) {
    const struct settings *o = r->o;
    ERR_FORWARD(check_raw(o, e));
    if (input_is_absent(o))
        return usage(e);
    ERR_FORWARD(input_message(o, &r->message, e));
    if (!r->message.len)
        return usage(e);
    if (o->system) {
        buf_str(&r->system, o->system);
        if (r->system.failed)
            return err_memory(e, strlen(o->system), "--system");
        ERR_FORWARD(input_check_text(&r->system, "--system", o->lossy, e));
    }
    return true;
}

static bool make_prompt(struct run *r, struct err *e) {
    struct talk *t = &r->talk;
    struct str message = {r->message.ptr, r->message.len};
    r->chat = !r->o->continues && t->prompt.template.len > 0;
    ERR_IF(!r->chat && r->o->system, e, ERR_INPUT, "--system: %s has no chat template (--template gives one)",
           t->path.ptr);
    r->answers = r->chat || (talk_has_encoder(t) && !r->o->continues);
    if (!r->answers && !r->o->continues && r->o->verbose)
        cmd_note("%s: no chat template: the text is continued as it is", t->path.ptr);
    struct chat_turn turns[2];
    size_t n = 0;
    if (r->o->system)
        turns[n++] = (struct chat_turn){.role = "system", .text = {r->system.ptr, r->system.len}};
    turns[n++] = (struct chat_turn){.role = "user", .text = message};
    ERR_FORWARD(r->chat ? prompt_chat(&t->prompt, turns, n, &t->ids, e)
                        : prompt_text(&t->prompt, message, talk_has_encoder(t), &t->ids, e));
    t->n_prompt = t->ids.len;
    return true;
}

// The answer as one JSON object.
static bool print_calls(struct run *r, struct err *e) {
    struct talk *t = &r->talk;
    struct think_texts texts;
    struct tool_calls calls = {0};
    struct buf out = {0};
    bool ok =
        think_split(t->en->tok, t->ids.ptr, t->n_prompt, t->ids.ptr + t->n_prompt, t->ids.len - t->n_prompt, &texts, e);
    struct str said = {texts.framed.ptr ? texts.framed.ptr : "", texts.framed.len};
    if (t->answer.stopped)
        said.len = find_word(said, r->o->stops.ptr, r->o->stops.n);
    ok = ok && tool_calls_parse(said, r->o->tools ? &t->prompt.tools_doc.root : NULL, &calls, e);
    struct str thought = {texts.thought.ptr ? texts.thought.ptr : "", texts.thought.len};
    if (ok)
        tool_calls_write(&calls, r->o->think == OPT_THINK_SHOW ? thought : (struct str){0}, &out);
    ok = ok && out_buf(&out, e);
    tool_calls_free(&calls);
    think_texts_free(&texts);
    buf_free(&out);
    return ok;
}

static bool answer(struct run *r, struct err *e) {
    if (r->o->n_tokens == 0)
        return !r->o->cache || (talk_read(&r->talk, e) && talk_save(&r->talk, e));
    bool ok = talk_encode(&r->talk, e) && talk_answer(&r->talk, r->answers, e);
    if (!ok && e->class != ERR_CONTEXT && e->class != ERR_INTERRUPT)
        return false;
    struct err why;
    if ((r->o->tool_calls && !print_calls(r, &why)) || !talk_save(&r->talk, &why)) {
        *e = why;
        return false;
    }
    return ok;
}

bool cmd_run(const struct settings *o, struct err *e) {
    struct run r = {.o = o};
    bool ok = read_arguments(&r, e) && talk_open(&r.talk, o, e);
    if (ok)
        signals_catch_interrupt();
    ok = ok && talk_load(&r.talk, e) && make_prompt(&r, e) && talk_start(&r.talk, r.talk.n_prompt, e) && answer(&r, e);
    talk_close(&r.talk);
    buf_free(&r.message);
    buf_free(&r.system);
    if (!ok && e->class == ERR_INTERRUPT) // the user knows
        e->text[0] = 0;
    return ok;
}
