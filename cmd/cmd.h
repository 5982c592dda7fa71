// SPDX-License-Identifier: MIT
// Subcommands: what main.c runs. A subcommand is a row of commands.h and a function cmd_NAME, in a file of its name.
// It gets settings that are already checked, writes data to standard output through cmd/out.h, and returns false with
// *e filled when it fails; the class of the error is the exit status. An error without text is not printed.
#pragma once

#include "base/err.h"
#include "cmd/opt.h"

#define PITH_VERSION "0.1.0"

enum cmd_id {
#define COMMAND(name, args, line, more, examples) CMD_##name,
#include "cmd/commands.h"
#undef COMMAND
    N_CMDS
};

struct cmd {
    const char *name, *args, *line, *more, *examples;
    bool (*run)(const struct settings *o, struct err *e);
};

// The rows of commands.h, in order.
extern const struct cmd cmd_table[N_CMDS];

#define COMMAND(name, args, line, more, examples) bool cmd_##name(const struct settings *o, struct err *e);
#include "cmd/commands.h"
#undef COMMAND

// Parses and runs a whole command line; returns the exit status, with the error, if any, said on standard error.
int cmd_main(int argc, char **argv);

// One line on standard error, "pith: " before it.
void cmd_note(const char *format, ...) PRINTF_LIKE(1, 2);
// The same for what may make the answer wrong: "pith: warning: "; nothing with --quiet.
void cmd_warn(const struct settings *o, const char *format, ...) PRINTF_LIKE(2, 3);
