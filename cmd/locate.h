// SPDX-License-Identifier: MIT
// Finding the model file that a command line means.
#pragma once

#include "base/buf.h"
#include "cmd/opt.h"

// Appends the terminated path to *path. `named` is what the user wrote, or NULL for $PITH_MODEL: a path (it contains a
// slash, or is a file), or a name: NAME.gguf, else the one file that begins with NAME and ends in .gguf, in the folders
// of $PITH_PATH. No model named is ERR_USAGE; none or several found is ERR_INPUT.
bool locate_model(const char *named, struct buf *path, struct err *e);
