// SPDX-License-Identifier: MIT
// What a model file says about sampling: defaults (general.sampling.*), and tokens that are never chosen.
#pragma once

#include "cmd/opt.h"
#include "gguf.h"

// The options' sampling parameters, with the file's values where the command line names none. Values beyond an
// option's range are taken as its end, as other programs read them; values that are no numbers are ERR_INPUT.
// Suppressed tokens stay in the mapping of g and add to the forbidden ones of --logit-bias.
bool sample_keys_read(const struct settings *o, const struct gguf *g, struct sample_params *out, struct err *e);
