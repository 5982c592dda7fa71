// SPDX-License-Identifier: MIT
// `pith chat`: a conversation, on a terminal, in a file, or by pipes. Each answer is made from the whole conversation;
// what the session has evaluated of it already is kept.
#include "cmd/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/find.h"
#include "cmd/cmd.h"
#include "cmd/input.h"
#include "cmd/line.h"
#include "cmd/out.h"
#include "cmd/signals.h"

static bool show(void *user, const char *bytes, size_t n, struct err *e) {
    struct chat *c = user;
    return out_write(OUT_STDOUT, "standard output", bytes, n, e) && chat_file_add(&c->file, bytes, n, e);
}

// The ids of the conversation, ready to be answered.
static bool make_prompt(struct chat *c, struct err *e) {
    struct talk *t = &c->talk;
    struct chat_turn *turns = calloc(c->turns.n + 1, sizeof *turns);
    if (!turns)
        return err_memory(e, c->turns.n * sizeof *turns, "conversation");
    for (size_t i = 0; i < c->turns.n; i++) {
        const struct turn *turn = &c->turns.ptr[i];
        turns[i] = (struct chat_turn){.role = turn->role,
                                      .text = {turn->text.ptr ? turn->text.ptr : "", turn->text.len},
                                      .thinking = {turn->thinking.ptr, turn->thinking.len},
                                      .ids = turn->ids.ptr,
                                      .n_ids = turn->ids.len};
    }
    t->ids.len = 0;
    bool ok = prompt_chat(&t->prompt, turns, c->turns.n, &t->ids, e);
    t->n_prompt = t->ids.len;
    free(turns);
    ERR_FORWARD(ok);
    ERR_IF(t->n_prompt > t->n_ctx, e, ERR_INPUT, "conversation: %zu tokens, but the context holds %u", t->n_prompt,
           t->n_ctx);
    return true;
}

// What was generated becomes a turn.
static bool keep_answer(struct chat *c, struct err *e) {
    struct talk *t = &c->talk;
    struct think_texts texts;
    const int32_t *ids = t->ids.ptr + t->n_prompt;
    size_t n = t->ids.len - t->n_prompt;
    bool ok = think_split(t->en->tok, t->ids.ptr, t->n_prompt, ids, n, &texts, e);
    struct str answer = {texts.answer.ptr, texts.answer.len};
    if (t->answer.stopped)
        answer.len = find_word(answer, c->o->stops.ptr, c->o->stops.n);
    struct turn *turn = ok ? turns_insert(&c->turns, c->turns.n, "assistant", answer) : NULL;
    if (turn) {
        buf_append(&turn->thinking, texts.thought.ptr, texts.thought.len);
        ids_append(&turn->ids, ids, n);
    }
    if (ok && (!turn || turn->ids.failed || turn->thinking.failed))
        ok = err_memory(e, n * sizeof *ids, "conversation");
    think_texts_free(&texts);
    return ok;
}

bool chat_answer(struct chat *c, struct err *e) {
    struct err at_end;
    ERR_FORWARD(make_prompt(c, e));
    if (c->o->n_tokens == 0)
        return true;
    signals_interrupted = 0;
    signals_catch_interrupt();
    ERR_FORWARD(chat_file_begin(&c->file, "assistant", e));
    c->talk.answer.writer = show;
    c->talk.answer.user = c;
    bool ok = talk_answer(&c->talk, true, e);
    bool cut = !ok && (e->class == ERR_INTERRUPT || e->class == ERR_CONTEXT);
    if (!chat_file_end(&c->file, &at_end) || ((ok || cut) && !keep_answer(c, &at_end))) {
        *e = ok || cut ? at_end : *e;
        return false;
    }
    return ok;
}

bool chat_say(struct chat *c, const char *role, struct str text, struct err *e) {
    if (!turns_insert(&c->turns, c->turns.n, role, text))
        return err_memory(e, text.len, "conversation");
    return chat_file_append(&c->file, role, text, e);
}

bool chat_set_system(struct chat *c, struct str text, struct err *e) {
    struct turn *first = c->turns.n ? &c->turns.ptr[0] : NULL;
    if (!first || strcmp(first->role, "system") != 0)
        first = turns_insert(&c->turns, 0, "system", (struct str){"", 0});
    if (first) {
        first->text.len = 0;
        buf_append(&first->text, text.ptr, text.len);
    }
    if (!first || first->text.failed)
        return err_memory(e, text.len, "conversation");
    return chat_file_write(&c->file, &c->turns, e);
}

static bool is_unanswered(const struct chat *c) {
    const struct turn *last = c->turns.n ? &c->turns.ptr[c->turns.n - 1] : NULL;
    return last && (strcmp(last->role, "user") == 0 || strcmp(last->role, "tool") == 0);
}

// A user's turn and its answer. The text must be one that templates can take.
static bool exchange(struct chat *c, struct buf *text, const char *name, struct err *e) {
    ERR_FORWARD(input_check_text(text, name, c->o->lossy, e));
    return chat_say(c, "user", find_trim((struct str){text->ptr, text->len}), e) && chat_answer(c, e);
}

// Standard input as a turn for each line that is not blank. An empty line goes between the answers.
static bool answer_lines(struct chat *c, const struct buf *input, struct err *e) {
    bool first = true;
    for (size_t at = 0, end; at < input->len; at = end) {
        const char *newline = memchr(input->ptr + at, '\n', input->len - at);
        end = newline ? (size_t)(newline - input->ptr) + 1 : input->len;
        struct str line = find_trim((struct str){input->ptr + at, end - at});
        if (!line.len)
            continue;
        struct buf text = {0};
        buf_append(&text, line.ptr, line.len);
        bool ok =
            (first || out_write(OUT_STDOUT, "standard output", "\n", 1, e)) && exchange(c, &text, "standard input", e);
        buf_free(&text);
        ERR_FORWARD(ok);
        first = false;
    }
    return true;
}

static bool run_pipe(struct chat *c, struct err *e) {
    struct buf input = {0};
    bool ok = c->o->no_stdin || input_stdin(&input, e);
    bool empty = !find_trim((struct str){input.ptr, input.len}).len;
    if (ok && empty && !is_unanswered(c))
        ok = err_set(e, ERR_USAGE, "chat: nothing to answer: standard input is empty");
    else if (ok && empty)
        ok = chat_answer(c, e);
    else if (ok)
        ok = c->o->lines ? answer_lines(c, &input, e) : exchange(c, &input, "standard input", e);
    buf_free(&input);
    return ok;
}

// Turns that an editor changed while the chat was open count from now on.
static bool reread(struct chat *c, struct err *e) {
    if (!chat_file_changed(&c->file))
        return true;
    turns_free(&c->turns);
    cmd_note("%s: changed, read again", c->file.path);
    return chat_file_read(&c->file, &c->turns, c->o->lossy, e);
}

// An answer that was cut, or a turn that the template refuses, does not end a chat.
static bool forgive(bool ok, struct err *e) {
    if (ok)
        return true;
    bool goes_on = e->class == ERR_INTERRUPT || e->class == ERR_CONTEXT || e->class == ERR_INPUT;
    if (goes_on && e->class != ERR_INTERRUPT)
        cmd_note("%s", e->text);
    return goes_on;
}

static bool take_line(struct chat *c, struct buf *text, struct err *e) {
    struct str line = find_trim((struct str){text->ptr, text->len});
    ERR_FORWARD(reread(c, e));
    if (!line.len)
        return !is_unanswered(c) || chat_answer(c, e);
    if (*line.ptr == '/')
        return chat_command(c, line, e);
    return exchange(c, text, "input", e);
}

static bool run_terminal(struct chat *c, struct err *e) {
    struct line *editor = NULL;
    struct buf text = {0};
    enum line_end end = LINE_TEXT;
    bool ok = line_open(&editor, c->o->history, e);
    if (ok && is_unanswered(c))
        ok = forgive(chat_answer(c, e), e);
    while (ok && !c->done) {
        ok = line_read(editor, "> ", &text, &end, e);
        if (!ok || end == LINE_END)
            break;
        if (end == LINE_TEXT)
            ok = forgive(take_line(c, &text, e), e);
    }
    line_close(editor);
    buf_free(&text);
    return ok;
}

static bool open_conversation(struct chat *c, struct err *e) {
    const struct settings *o = c->o;
    ERR_IF(o->words.n > 1, e, ERR_USAGE, "chat: %s: expected one file", o->words.ptr[1]);
    c->file.path = o->words.n ? o->words.ptr[0] : NULL;
    c->file.fd = -1;
    ERR_FORWARD(talk_open(&c->talk, o, e));
    ERR_FORWARD(chat_file_read(&c->file, &c->turns, o->lossy, e));
    ERR_FORWARD(talk_load(&c->talk, e));
    ERR_IF(!c->talk.prompt.template.len, e, ERR_INPUT,
           "%s: the file has no chat template (--template gives one; pith info may suggest it)", c->talk.path.ptr);
    ERR_FORWARD(talk_start(&c->talk, 0, e));
    return !o->system || chat_set_system(c, (struct str){o->system, strlen(o->system)}, e);
}

static bool hold(struct chat *c, struct err *e) {
    ERR_FORWARD(open_conversation(c, e));
    bool ok = c->on_terminal ? run_terminal(c, e) : run_pipe(c, e);
    struct err why;
    if (talk_save(&c->talk, &why))
        return ok;
    *e = ok ? why : *e;
    return false;
}

bool cmd_chat(const struct settings *o, struct err *e) {
    struct chat c = {.o = o, .file.fd = -1};
    c.on_terminal = isatty(STDIN_FILENO) && !o->no_stdin;
    bool ok = hold(&c, e);
    talk_close(&c.talk);
    turns_free(&c.turns);
    chat_file_close(&c.file);
    if (!ok && e->class == ERR_INTERRUPT) // the user knows
        e->text[0] = 0;
    return ok;
}
