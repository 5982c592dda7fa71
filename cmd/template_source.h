// SPDX-License-Identifier: MIT
// Which chat template a command uses: what --template names, or the model's own.
#pragma once

#include "base/buf.h"
#include "cmd/opt.h"
#include "gguf.h"

// The source that --template names: a file, or else a built-in form of that name (ERR_INPUT when it is neither).
// *held keeps a file's text, which *source points into.
bool template_named(const char *name, struct buf *held, struct str *source, struct err *e);
