// SPDX-License-Identifier: MIT
// Help, made from the rows of options and commands.
#pragma once

#include "base/buf.h"
#include "base/err.h"

// Appends the help of a command: one screen, or everything.
void help_screen(unsigned command, struct buf *out);
void help_full(unsigned command, struct buf *out);
// The manual page of the whole program, in roff.
void help_man(struct buf *out);

// Prints the screen or the full help.
bool help_print(unsigned command, bool full, struct err *e);
