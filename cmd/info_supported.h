// SPDX-License-Identifier: MIT
// `pith info --supported`: what this program can do, read off the lists that it is built from.
#pragma once

#include "base/buf.h"

void info_supported(struct buf *out, bool json);
