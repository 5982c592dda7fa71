// SPDX-License-Identifier: MIT
// The answer's way to standard output: ids to whole characters, held back while they may still become a stop text.
#pragma once

#include "cmd/opt.h"
#include "text/tok.h"

struct answer {
    struct tok_stream stream;
    struct opt_list stops;
    struct buf pending; // text that may be the beginning of a stop text
    bool stopped;       // a stop text came; nothing is printed any more
    bool printed;       // something was
    char last;          // the last byte printed
};

// `continues`: the answer goes on where a text ended (raw), so that its first space counts.
bool answer_open(struct answer *a, const struct tokenizer *t, struct opt_list stops, bool continues, struct err *e);
void answer_free(struct answer *a);

// Takes the next id and writes what can be written.
bool answer_push(struct answer *a, int32_t id, struct err *e);

// Writes what was held back; with `newline`, ends the last line.
bool answer_end(struct answer *a, bool newline, struct err *e);
