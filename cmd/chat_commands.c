// SPDX-License-Identifier: MIT
// The commands of a chat on a terminal: a table of rows. What they say goes to standard error.
#include "cmd/chat.h"

#include <stdlib.h>
#include <string.h>

#include "base/find.h"
#include "cmd/cmd.h"
#include "cmd/input.h"

// `rest`: what stands behind the command's name, without blanks around it; terminated.
typedef bool chat_action(struct chat *c, const char *rest, struct err *e);

static chat_action help, set_system, undo, retry, save, load, quit;

static const struct {
    const char *name, *arg, *line;
    chat_action *run;
} commands[] = {
    {"/help", "", "this list", help},
    {"/system", " TEXT", "set the system's turn", set_system},
    {"/undo", "", "forget the last question and its answer", undo},
    {"/retry", "", "answer the last question again", retry},
    {"/save", " FILE", "write the conversation to a file", save},
    {"/load", " FILE", "take the conversation of a file instead of this one", load},
    {"/quit", "", "end the chat, as Ctrl-D does", quit},
};

static bool help(struct chat *c, const char *rest, struct err *e) {
    (void)c, (void)rest, (void)e;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        cmd_note("%s%s: %s", commands[i].name, commands[i].arg, commands[i].line);
    cmd_note("Alt-Enter begins a new line; Ctrl-C ends an answer, Ctrl-D the chat");
    return true;
}

static bool set_system(struct chat *c, const char *rest, struct err *e) {
    return chat_set_system(c, (struct str){rest, strlen(rest)}, e);
}

// How many turns stand before the last one of the user; all when there is none.
static size_t before_user(const struct chat *c) {
    size_t i = c->turns.n;
    while (i && strcmp(c->turns.ptr[i - 1].role, "user") != 0)
        i--;
    return i ? i - 1 : c->turns.n;
}

static bool undo(struct chat *c, const char *rest, struct err *e) {
    (void)rest;
    size_t n = before_user(c);
    if (n == c->turns.n) {
        cmd_note("/undo: there is no question");
        return true;
    }
    turns_cut(&c->turns, n);
    return chat_file_write(&c->file, &c->turns, e);
}

static bool retry(struct chat *c, const char *rest, struct err *e) {
    (void)rest;
    size_t n = before_user(c);
    if (n == c->turns.n) {
        cmd_note("/retry: there is no question");
        return true;
    }
    turns_cut(&c->turns, n + 1);
    return chat_file_write(&c->file, &c->turns, e) && chat_answer(c, e);
}

static bool save(struct chat *c, const char *rest, struct err *e) {
    struct err why;
    (void)e;
    if (!chat_file_save(rest, &c->turns, &why))
        cmd_note("/save: %s", why.text);
    return true;
}

static bool load(struct chat *c, const char *rest, struct err *e) {
    struct chat_file from = {.path = rest, .fd = -1};
    struct turns turns = {0};
    struct err why;
    bool read = chat_file_read(&from, &turns, c->o->lossy, &why);
    if (!read || !from.seen.st_ino) {
        cmd_note("/load: %s", read ? "no such file" : why.text);
        turns_free(&turns);
        return true;
    }
    turns_free(&c->turns);
    c->turns = turns;
    return chat_file_write(&c->file, &c->turns, e);
}

static bool quit(struct chat *c, const char *rest, struct err *e) {
    (void)rest, (void)e;
    c->done = true;
    return true;
}

bool chat_command(struct chat *c, struct str line, struct err *e) {
    size_t n = 0;
    while (n < line.len && line.ptr[n] != ' ' && line.ptr[n] != '\n')
        n++;
    struct str rest = find_trim((struct str){line.ptr + n, line.len - n});
    struct buf text = {0};
    buf_append(&text, rest.ptr, rest.len);
    bool ok = input_check_text(&text, "input", c->o->lossy, e);
    buf_char(&text, 0);
    size_t i = 0;
    while (i < ARRAY_LEN(commands) && (strlen(commands[i].name) != n || memcmp(commands[i].name, line.ptr, n) != 0))
        i++;
    if (ok && text.failed)
        ok = err_memory(e, rest.len, "input");
    else if (ok && i == ARRAY_LEN(commands))
        cmd_note("%.*s: no such command; /help lists them", (int)min_size(n, 60), line.ptr);
    else if (ok && !commands[i].arg[0] != !rest.len)
        cmd_note("%s: expected%s", commands[i].name, commands[i].arg[0] ? commands[i].arg : " nothing behind it");
    else if (ok)
        ok = commands[i].run(c, text.ptr, e);
    buf_free(&text);
    return ok;
}
