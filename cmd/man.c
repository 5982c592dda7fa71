// SPDX-License-Identifier: MIT
// The manual page, from the same rows as the help. docs/pith.1 is this output; `make lint` compares them.
#include "cmd/help.h"

#include <string.h>

#include "cmd/cmd.h"

// Appends text with roff's characters escaped: the backslash, the hyphen, and a dot or quote at the start of a line.
static void roff(struct buf *out, const char *text) {
    if (*text == '.' || *text == '\'')
        buf_str(out, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            buf_str(out, "\\e");
        else if (*text == '-')
            buf_str(out, "\\-");
        else
            buf_char(out, *text);
    }
}

static void man_option(struct buf *out, const struct opt *o) {
    buf_str(out, ".TP\n.B ");
    char letter[4] = {'-', o->letter, 0, 0};
    if (o->letter)
        roff(out, letter);
    if (o->name) {
        buf_str(out, o->letter ? ", \\-\\-" : "\\-\\-");
        roff(out, o->name);
    }
    if (o->arg)
        buf_printf(out, " \\fI%s\\fR", o->arg);
    buf_char(out, '\n');
    roff(out, o->line);
    buf_str(out, ".\n");
    if (o->more) {
        roff(out, o->more);
        buf_char(out, '\n');
    }
}

static void man_examples(struct buf *out, const char *text) {
    char line[160];
    buf_str(out, ".PP\n.nf\n");
    while (*text) {
        size_t n = strcspn(text, "\n"), kept = min_size(n, sizeof line - 1);
        memcpy(line, text, kept);
        line[kept] = 0;
        buf_str(out, ".RS\n");
        roff(out, line);
        buf_str(out, "\n.RE\n");
        text += n + (text[n] == '\n');
    }
    buf_str(out, ".fi\n");
}

static void man_command(struct buf *out, unsigned command) {
    const struct cmd *c = &cmd_table[command];
    buf_printf(out, ".SS pith %s ", c->name);
    roff(out, c->args);
    buf_char(out, '\n');
    roff(out, c->more);
    buf_char(out, '\n');
    for (size_t i = 0; i < opt_n_rows; i++) {
        const struct opt *o = &opt_rows[i];
        if (o->commands >> command & 1 && o->group != OPT_OTHER)
            man_option(out, o);
    }
    man_examples(out, c->examples);
}

static const char tail[] =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nDone.\n.TP\n.B 1\nThe answer is no.\n.TP\n.B 2\nThe command line is wrong.\n"
    ".TP\n.B 3\nBad input or a bad model.\n.TP\n.B 4\nThe system refused: memory, disk, device.\n"
    ".TP\n.B 5\nThe answer was cut by the end of the context.\n.TP\n.B 130\nInterrupted.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B PITH_MODEL\nThe model when \\-m is not given: a path or a name.\n"
    ".TP\n.B PITH_PATH\nFolders of models, separated by colons; by default ./models and ~/.local/share/pith.\n"
    ".TP\n.B PITH_HISTORY\nThe file of the lines typed in chats; empty: none is kept.\n"
    ".TP\n.B NO_COLOR\nWhen it is not empty, nothing is coloured on a terminal.\n";

void help_man(struct buf *out) {
    buf_str(out, ".TH PITH 1\n.SH NAME\npith \\- run GGUF language models\n.SH SYNOPSIS\n"
                 ".B pith\n[run] [\\-m MODEL] [options] [PROMPT...]\n.br\n.B pith\nCOMMAND [options] ...\n"
                 ".SH DESCRIPTION\nOptions may stand anywhere before \\-\\-, as \\-\\-option VALUE, "
                 "\\-\\-option=VALUE or \\-o VALUE. The first argument is the name of a command, or the command is "
                 "run.\n.SH COMMANDS\n");
    for (unsigned c = 0; c < N_CMDS; c++)
        man_command(out, c);
    buf_str(out, ".SH OPTIONS OF EVERY COMMAND\n");
    for (size_t i = 0; i < opt_n_rows; i++)
        if (opt_rows[i].group == OPT_OTHER)
            man_option(out, &opt_rows[i]);
    buf_str(out, tail);
}
