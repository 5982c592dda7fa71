// SPDX-License-Identifier: MIT
// What run and chat share: a model, a session, a sampler, and answers that are generated into it.
#pragma once

#include "cmd/answer.h"
#include "cmd/load.h"
#include "cmd/opt.h"
#include "cmd/prompt.h"

struct talk {
    const struct settings *o;
    struct buf path; // of the model, terminated
    struct engine *en;
    struct prompt prompt;
    struct session *session;
    struct sampler *sampler;
    struct sample_params sample;
    struct answer answer;
    struct ids ids;  // the prompt and the answer
    size_t n_prompt; // ids of the prompt
    uint32_t n_ctx;
    double began, prefilled; // seconds: when the evaluation of the prompt began and ended
    bool progress_shown;
    bool budget_used; // the thinking was ended
};

// Reads what the options name and finds the model's file; talk_load opens the model. talk_close is due in any case.
bool talk_open(struct talk *t, const struct settings *o, struct err *e);
bool talk_load(struct talk *t, struct err *e);
void talk_close(struct talk *t);

// Opens the session, as large as a prompt of n_prompt ids, the options, the model and the memory say (see --context).
// Everything that a token needs is taken here. What --cache names and exists is read.
bool talk_start(struct talk *t, size_t n_prompt, struct err *e);

// Whether an encoder reads the prompt, so that the answer is a text of its own and no continuation.
bool talk_has_encoder(const struct talk *t);
// Where that is so: makes it read t->ids; what is answered to is then the decoder's start id alone.
bool talk_encode(struct talk *t, struct err *e);

// An answer to t->ids, whose first n_prompt are the prompt: what is generated is printed and appended to them. `chat`:
// it ends in a newline, and thinking is told from it. An interruption (ERR_INTERRUPT) and a full context (ERR_CONTEXT)
// leave what came before printed.
bool talk_answer(struct talk *t, bool chat, struct err *e);

// Evaluates the prompt, and no more.
bool talk_read(struct talk *t, struct err *e);
// Keeps what was evaluated where --cache says, for the talk_start of another run.
bool talk_save(struct talk *t, struct err *e);
