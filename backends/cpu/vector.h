// SPDX-License-Identifier: MIT
// What the files of all vector levels are written with. Included after a level's begin header, so that it is compiled
// for that level.
#pragma once

#include "quant/blocks.h"

// Loops over registers must be unrolled whole, or the registers become memory.
#define UNROLL _Pragma("GCC unroll 16")
#define INLINE static inline __attribute__((always_inline))

INLINE uint16_t half_at(const char *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return h;
}
