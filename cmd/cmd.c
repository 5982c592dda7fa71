// SPDX-License-Identifier: MIT
// The table of subcommands and the one place where a command line becomes an exit status. See cmd/cmd.h.
#include "cmd/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/help.h"
#include "cmd/out.h"

const struct cmd cmd_table[N_CMDS] = {
#define COMMAND(name, args, line, more, examples) {#name, args, line, more, examples, cmd_##name},
#include "cmd/commands.h"
#undef COMMAND
};

// One write, so that lines of several processes do not mix; a standard error that fails has nobody to tell.
static void say(const char *before, const char *format, va_list args) {
    struct err line;
    char text[sizeof line.text];
    vsnprintf(text, sizeof text, format, args);
    err_set(&line, ERR_NONE, "%s", text);
    dprintf(STDERR_FILENO, "pith: %s%s\n", before, line.text);
}

void cmd_note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
}

void cmd_warn(const struct settings *o, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (!o->quiet)
        say("warning: ", format, args);
    va_end(args);
}

static bool print_version(struct err *e) {
    struct buf text = {0};
    buf_printf(&text, "pith %s\n", PITH_VERSION);
    bool ok = out_buf(&text, e);
    buf_free(&text);
    return ok;
}

static bool dispatch(const struct settings *s, struct err *e) {
    if (s->version)
        return print_version(e);
    if (s->help || s->screen)
        return help_print(s->command, s->help, e);
    return cmd_table[s->command].run(s, e);
}

int cmd_main(int argc, char **argv) {
    struct settings s;
    struct err e = {0};
    bool ok = opt_parse(&s, argc, argv, &e) && dispatch(&s, &e);
    struct err at_end = {0};
    // Some file systems report a full disk only here. An earlier error is the one to tell.
    if (!out_close(OUT_STDOUT, NULL, &at_end) && ok) {
        e = at_end;
        ok = false;
    }
    if (!ok && e.text[0])
        cmd_note("%s", e.text);
    opt_free(&s);
    return ok ? EXIT_SUCCESS : (int)e.class;
}
