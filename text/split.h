// SPDX-License-Identifier: MIT
// The splitting rules that the rows of pretok.c are made of. Each is described by the regular expression that it
// reproduces; what no alternative matches becomes a piece of its own between the matches.
#pragma once

#include "text/pretok.h"

enum split_flag {
    SPLIT_CONTRACTIONS = 1, // (?i:'s|'t|'re|'ve|'m|'ll|'d) is a piece
    SPLIT_ENDINGS = 2,      // the same at the end of a word belongs to it
    SPLIT_CASES = 4,        // words end where [A-Z] follows what [a-z] may follow
    SPLIT_SPACE = 8,        // a run takes one white-space character before it along
};

// One character of the set, or of `extra`, as a piece; max 0: a run of them, otherwise runs of at most max.
split_fn split_isolate;
// [0-9][0-9][0-9]
split_fn split_three_digits;
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
split_fn split_gpt2;
// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,max}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// The set stands where \p{L} stands: letters, or letters and marks; `extra` for the [\r\n] behind punctuation. The
// flags say which contractions there are and whether letters are told apart by case:
// [^\r\n\p{L}\p{N}]?((?=\p{L})[^a-z])*((?=\p{L})[^A-Z])+|[^\r\n\p{L}\p{N}]?((?=\p{L})[^a-z])+((?=\p{L})[^A-Z])*
split_fn split_words;
// [!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
split_fn split_symbols;
// \s+$: the white space at the end
split_fn split_end_space;
// [^\n]+|[\n]+
split_fn split_lines;

// Code points that rules name one by one.
extern const struct split_range split_cjk[];       // of deepseek-v3
extern const struct split_range split_cjk_wide[];  // of deepseek-llm and -coder
extern const struct split_range split_alphabets[]; // letters of deepseek-llm
extern const struct split_range split_marks[];     // punctuation of deepseek-llm
