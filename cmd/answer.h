// SPDX-License-Identifier: MIT
// The answer's way to standard output: ids to whole characters, the thinking told from the answer, and the answer held
// back while it may still become a stop text.
#pragma once

#include "cmd/opt.h"
#include "text/thinking.h"

// Takes what is shown of an answer, in order.
typedef bool answer_writer(void *user, const char *bytes, size_t n, struct err *e);

struct answer {
    struct think think;
    struct opt_list stops;
    enum opt_think where;  // the thinking goes
    answer_writer *writer; // NULL: standard output
    void *user;
    bool silent;        // nothing is written
    struct buf pending; // text that may be the beginning of a stop text
    bool stopped;       // a stop text came; nothing is printed any more
    bool printed;       // something was
    bool thinking;      // a thought is being shown
    char last;          // the last byte printed
};

// Takes the memory that answers need. answer_free is due in either case.
bool answer_open(struct answer *a, const struct tokenizer *t, const struct settings *o, struct err *e);
void answer_free(struct answer *a);

// Begins an answer to a prompt whose end these ids are; n_prompt = 0: one that goes on where a text ended (raw), so
// that its first space counts and nothing is thinking.
bool answer_begin(struct answer *a, const int32_t *prompt, size_t n_prompt, struct err *e);

// Takes the next id and writes what can be written.
bool answer_push(struct answer *a, int32_t id, struct err *e);

// Writes what was held back; with `newline`, ends the last line.
bool answer_end(struct answer *a, bool newline, struct err *e);
