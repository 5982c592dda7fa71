// SPDX-License-Identifier: MIT
// -h, --help, `pith help` and the manual page. See cmd/help.h.
#include "cmd/help.h"

#include <string.h>

#include "cmd/cmd.h"
#include "cmd/out.h"

#define WIDTH 79
#define LINE_AT 24 // column of an option's line on the screen
#define MORE_AT 8  // column of its further sentences

static bool has(const struct opt *o, unsigned command) {
    return o->commands >> command & 1;
}

static void pad(struct buf *out, size_t n) {
    while (n--)
        buf_char(out, ' ');
}

// Appends text, broken at spaces, in the columns from `indent` to WIDTH; the first line begins where `at` says.
static void wrap(struct buf *out, const char *text, size_t indent, size_t at) {
    while (*text) {
        size_t word = strcspn(text, " ");
        bool first = at <= indent;
        if (!first && at + 1 + word > WIDTH) {
            buf_char(out, '\n');
            at = 0;
            first = true;
        }
        if (first && at < indent)
            pad(out, indent - at);
        at = first ? max_size(at, indent) : at + 1;
        if (!first)
            buf_char(out, ' ');
        buf_append(out, text, word);
        at += word;
        text += word + strspn(text + word, " ");
    }
    buf_char(out, '\n');
}

// "-m, --model MODEL", with the letter's column kept free where there is none.
static size_t spell(struct buf *out, const struct opt *o) {
    size_t before = out->len;
    if (o->letter)
        buf_printf(out, "  -%c%s", o->letter, o->name ? ", " : "");
    else
        buf_str(out, "      ");
    if (o->name)
        buf_printf(out, "--%s", o->name);
    if (o->arg)
        buf_printf(out, " %s", o->arg);
    return out->len - before;
}

static void option_line(struct buf *out, const struct opt *o) {
    size_t at = spell(out, o);
    if (at + 1 > LINE_AT) {
        buf_char(out, '\n');
        at = 0;
    }
    wrap(out, o->line, LINE_AT, at);
}

static void usage_line(struct buf *out, unsigned command) {
    const struct cmd *c = &cmd_table[command];
    if (command == CMD_run)
        buf_printf(out, "usage: pith %s\n", "[run] [-m MODEL] [options] [PROMPT...]");
    else
        buf_printf(out, "usage: pith %s %s\n", c->name, c->args);
}

// The screen has room for their names only.
static void command_names(struct buf *out) {
    struct buf names = {0};
    for (unsigned c = CMD_run + 1; c < N_CMDS; c++)
        buf_printf(&names, "%s%s", names.len ? " " : "", cmd_table[c].name);
    buf_char(&names, 0);
    buf_str(out, "\nCommands (pith COMMAND -h says more):\n");
    if (!names.failed)
        wrap(out, names.ptr, 2, 0);
    buf_free(&names);
}

static void commands_list(struct buf *out) {
    buf_str(out, "\nCommands (pith COMMAND -h says more):\n");
    for (unsigned c = CMD_run + 1; c < N_CMDS; c++)
        buf_printf(out, "  %-11s %s\n", cmd_table[c].name, cmd_table[c].line);
}

void help_screen(unsigned command, struct buf *out) {
    bool crowded = command == CMD_run || command == CMD_chat; // a screen has no room for all of their options
    usage_line(out, command);
    for (size_t i = 0; i < opt_n_rows; i++)
        if (has(&opt_rows[i], command) && (opt_rows[i].on_screen || (!crowded && opt_rows[i].group != OPT_POSITIONS)))
            option_line(out, &opt_rows[i]);
    if (command == CMD_run)
        command_names(out);
}

static void full_group(struct buf *out, unsigned command, enum opt_group group) {
    bool any = false;
    for (size_t i = 0; i < opt_n_rows; i++) {
        const struct opt *o = &opt_rows[i];
        if (!has(o, command) || o->group != group)
            continue;
        if (!any)
            buf_printf(out, "\n%s:\n", opt_group_names[group]);
        any = true;
        option_line(out, o);
        if (o->more)
            wrap(out, o->more, LINE_AT, 0);
    }
}

static void examples(struct buf *out, const char *text) {
    while (*text) {
        size_t n = strcspn(text, "\n");
        buf_printf(out, "  %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

void help_full(unsigned command, struct buf *out) {
    const struct cmd *c = &cmd_table[command];
    usage_line(out, command);
    buf_char(out, '\n');
    wrap(out, c->more, 0, 0);
    for (unsigned g = 0; g < N_OPT_GROUPS; g++)
        full_group(out, command, (enum opt_group)g);
    buf_str(out, "\nExamples:\n");
    examples(out, c->examples);
    if (command == CMD_run)
        commands_list(out);
    buf_str(out, "\nExit status: 0 done, 1 the answer is no, 2 usage, 3 bad input or model,\n"
                 "4 refused by the system, 5 answer cut by the context, 130 interrupted.\n");
}

bool help_print(unsigned command, bool full, struct err *e) {
    struct buf text = {0};
    (full ? help_full : help_screen)(command, &text);
    bool ok = out_buf(&text, e);
    buf_free(&text);
    return ok;
}

static bool help_named(const char *name, struct err *e) {
    for (unsigned c = 0; c < N_CMDS; c++)
        if (strcmp(name, cmd_table[c].name) == 0)
            return help_print(c, true, e);
    return err_set(e, ERR_USAGE, "help: %s: no such command; pith -h lists them", name);
}

bool cmd_help(const struct settings *o, struct err *e) {
    if (!o->man)
        return o->words.n ? help_named(o->words.ptr[0], e) : help_print(CMD_run, true, e);
    struct buf page = {0};
    help_man(&page);
    bool ok = out_buf(&page, e);
    buf_free(&page);
    return ok;
}
