// SPDX-License-Identifier: MIT
// Metadata of a file whose architecture need not be supported: keys that begin with its name.
#pragma once

#include "gguf.h"

// general.architecture, or an empty slice.
struct str arch_name(const struct gguf *g);

// The value of ARCH.suffix, NULL when absent.
const struct gguf_value *arch_value(const struct gguf *g, const char *suffix);

// The same as a number; absent or of another type: `otherwise`. Of an array (heads of each layer) the largest element.
uint64_t arch_number(const struct gguf *g, const char *suffix, uint64_t otherwise);
