// SPDX-License-Identifier: MIT
// The state of `pith chat`, shared by its turns (chat.c) and its commands (chat_commands.c).
#pragma once

#include "cmd/chat_file.h"
#include "cmd/talk.h"
#include "cmd/turns.h"

struct chat {
    const struct settings *o;
    struct talk talk;
    struct turns turns;
    struct chat_file file;
    bool on_terminal;
    bool done; // the user has had enough
};

// Answers the last turn, which is the user's or a tool's, and keeps the answer as a turn, also one that was cut.
bool chat_answer(struct chat *c, struct err *e);

// Adds a turn, in the file too.
bool chat_say(struct chat *c, const char *role, struct str text, struct err *e);

// Sets the system's turn: the first one, which is made where there is none.
bool chat_set_system(struct chat *c, struct str text, struct err *e);

// Runs a line that begins with a slash. What is wrong with it is said to the user; false: the chat cannot go on.
bool chat_command(struct chat *c, struct str line, struct err *e);
