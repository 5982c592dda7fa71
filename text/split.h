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
    SPLIT_BLANK = 16,       // a run takes one space before it along
    SPLIT_OTHERS = 32,      // all characters but those named
    SPLIT_STRAY_MARKS = 64, // marks that no word took count as punctuation
    SPLIT_PHRASES = 128,    // a word is \p{L}\p{M}*( ?\p{L}\p{M}*)*: words with one space between are one piece
    SPLIT_ONE_EXTRA = 256,  // one of `extra` behind punctuation, not a run
    SPLIT_BREAKS = 512, // every line break is a piece: [\r\n]|\s+(?!\S)|\s+ for white space, none behind punctuation
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
// Code points in `ranges` are no letters then: a run of them is a piece.
split_fn split_words;
// [!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
split_fn split_symbols;
// \s+$: the white space at the end
split_fn split_end_space;
// [^\n]+|[\n]+
split_fn split_lines;
// Numbers in groups of three counted from their end, in two rules: what precedes a number goes with its first group.
split_fn split_first_group;
split_fn split_more_groups;
// (?=(\d{3})+(?!\d)) in two rules: the places with a multiple of three digits behind them; the text goes on with the
// group before.
split_fn split_thousands;
split_fn split_more_thousands;
// White space without line breaks, when it is all of a piece, in runs of 512, 256, ... 2, 1.
split_fn split_halves;
// <sentinel:[0-9]+>
split_fn split_sentinels;
// IMGIMG[A-I]{1,4}Z
split_fn split_images;
// [\t\n]|    |  (tab, line break, four spaces, two spaces)
split_fn split_indents;

// Code points that rules name one by one.
extern const struct split_range split_cjk[];       // of deepseek-v3
extern const struct split_range split_cjk_wide[];  // of deepseek-llm and -coder
extern const struct split_range split_alphabets[]; // letters of deepseek-llm
extern const struct split_range split_marks[];     // punctuation of deepseek-llm
extern const struct split_range split_stops[];     // ends of sentences, of bloom
extern const struct split_range split_han[];       // of kimi-k2
extern const struct split_range split_asian[];     // of afmoe
extern const struct split_range split_hangul[];    // three of youtu
extern const struct split_range split_wide_marks[];
extern const struct split_range split_bopomofo[];
