// SPDX-License-Identifier: MIT
// Names of files that come in numbered parts: NAME-00001-of-00003.gguf.
#pragma once

#include "base/buf.h"

struct parts_name {
    size_t prefix_len;      // bytes of the path before -00001-of-
    uint32_t number, count; // number counts from 1
};

// False when the path does not end so.
bool parts_parse(const char *path, struct parts_name *out);

// The terminated path of another part, put in the place of what *out held. False without memory.
bool parts_path(const char *path, const struct parts_name *name, uint32_t number, struct buf *out);
