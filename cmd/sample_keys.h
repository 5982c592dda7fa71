// SPDX-License-Identifier: MIT
// Sampling defaults that a model file carries (general.sampling.*).
#pragma once

#include "cmd/opt.h"
#include "gguf.h"

// The options' sampling parameters, with the file's values where the command line names none. Values beyond an
// option's range are taken as its end, as other programs read them; values that are no numbers are ERR_INPUT.
bool sample_keys_read(const struct settings *o, const struct gguf *g, struct sample_params *out, struct err *e);
