// SPDX-License-Identifier: MIT
// What the commands that evaluate a model share: opening it as the options say, and sizing its context.
#pragma once

#include "cmd/opt.h"
#include "infer/engine.h"
#include "infer/session.h"

// Opens the model of the options (or `named`, when not NULL) and says its warnings. From here on a mapping that fails
// ends the program with a line that names the file.
bool load_engine(const struct settings *o, const char *path, struct engine **out, struct err *e);

// The same for commands that take the model as it is named.
bool load_named_engine(const struct settings *o, struct engine **out, struct err *e);

// Refuses an --output that is the model: writing over the file that is being read would destroy it. NULL is fine.
bool load_check_apart(const char *output, const struct gguf *g, struct err *e);

// A session for exactly n_ctx ids, interruptible.
bool load_session(const struct settings *o, const struct engine *en, size_t n_ctx, struct session **out, struct err *e);

// What it is opened with, for those who want more of it.
struct session_params load_params(const struct settings *o, size_t n_ctx);

// Bytes that a program can still take: what the system says is available, or a control group's limit.
uint64_t load_free_memory(void);

// What the limit of the control group in a folder of cgroup v2 leaves; UINT64_MAX without a limit. Cached files, such
// as the model that was just read, count as free: the system drops them when memory is wanted.
uint64_t load_group_memory(const char *folder);

// Seconds of the monotonic clock.
double load_seconds(void);
