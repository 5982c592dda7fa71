// SPDX-License-Identifier: MIT
// The entry of the GGUF fuzz target, by the name that fuzzers look for.
#pragma once

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
