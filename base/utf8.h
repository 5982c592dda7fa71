// SPDX-License-Identifier: MIT
// UTF-8: strict decoding (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF), encoding, incomplete tails.
#pragma once

#include "base/base.h"

#define UTF8_BAD 0xFFFFFFFFu

// The code point at text[0..len) and its length in *n (1..4). A byte that begins no valid sequence gives UTF8_BAD with
// *n = 1. len must be at least 1.
uint32_t utf8_decode(const char *text, size_t len, unsigned *n);

// Writes the 1 to 4 bytes of a code point; returns how many.
unsigned utf8_encode(uint32_t code_point, char out[4]);

// Offset of the first byte that is not part of valid UTF-8, or len when all is valid.
size_t utf8_valid_prefix(const char *text, size_t len);

// How many bytes at the end of text are a begun sequence that more bytes could complete (0..3).
size_t utf8_incomplete_tail(const char *text, size_t len);
