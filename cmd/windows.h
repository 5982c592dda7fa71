// SPDX-License-Identifier: MIT
// A text cut into windows that are evaluated apart from each other: what perplexity, compare and imatrix work on.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "text/tok.h"

#define WINDOW_LEN 512 // ids, unless --context says otherwise

// Each window has `context` ids at most, and begins with BOS if the file says so; the last one may be shorter.
typedef bool windows_visit(void *user, const struct ids *window, struct err *e);
bool windows_each(const struct tokenizer *t, const struct ids *text, size_t context, windows_visit *visit, void *user,
                  struct err *e);

// The logarithm of the sum of the exponentials: what is taken off a logit to make it the logarithm of a probability.
double windows_log_sum(const float *logits, size_t n_vocab);
