// SPDX-License-Identifier: MIT
// Looking for numbers that are not finite in stored weights. Codes are always finite, so of a block only the scales are
// read: this goes at the speed of reading.
#pragma once

#include "quant/quant.h"

// The first of n blocks at data, counted from `from`, that holds a NaN or an infinity as a scale or as a decoded
// weight; n when none does. Formats that are known by name only have none.
uint64_t quant_find_nonfinite(const struct quant_format *f, const void *data, uint64_t from, uint64_t n);
