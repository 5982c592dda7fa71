// SPDX-License-Identifier: MIT
// The splitting rules that the rows of pretok.c are made of. Each is described by the regular expression that it
// reproduces; what no alternative matches becomes a piece of its own between the matches.
#pragma once

#include "text/pretok.h"

// One character of the set, or of `extra`, as a piece; max 0: a run of them, otherwise runs of at most max.
split_fn split_isolate;
// [0-9][0-9][0-9]
split_fn split_three_digits;
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
split_fn split_gpt2;
// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,max}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// The set stands where \p{L} stands: letters, or letters and marks.
split_fn split_words;
