// SPDX-License-Identifier: MIT
// A checksum of bytes that come in pieces, to notice files that were damaged; the pieces' lengths do not matter. Every
// step is a bijection of what it takes up, so a change within 8 bytes always changes the sum. It keeps nobody out who
// means harm.
#pragma once

#include "base/base.h"

struct sum {
    uint64_t lanes[4]; // each of every fourth word, so that memory is the limit
    uint64_t len;
    uint8_t part[32]; // len % 32 bytes that wait for more
};

void sum_begin(struct sum *s);
void sum_add(struct sum *s, const void *bytes, size_t n);
uint64_t sum_end(const struct sum *s);
