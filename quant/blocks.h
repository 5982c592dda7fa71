// SPDX-License-Identifier: MIT
// The blocks as they lie in a file, for the readers here and for the kernels of the levels; each format's file draws
// its own. Half-precision numbers are stored as their 16 bits, everything little-endian and unaligned.
#pragma once

#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "quant/quant.h"

#define PACKED __attribute__((packed))

struct PACKED block_q4_0 {
    uint16_t d;
    uint8_t qs[16];
};

struct PACKED block_q4_1 {
    uint16_t d, m;
    uint8_t qs[16];
};

struct PACKED block_q5_0 {
    uint16_t d;
    uint32_t qh;
    uint8_t qs[16];
};

struct PACKED block_q5_1 {
    uint16_t d, m;
    uint32_t qh;
    uint8_t qs[16];
};

struct PACKED block_q8_0 {
    uint16_t d;
    int8_t qs[32];
};

struct PACKED block_q4_k {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qs[128];
};

struct PACKED block_q6_k {
    uint8_t ql[128], qh[64];
    int8_t scales[16];
    uint16_t d;
};

// The size that formats.h states is the size of the struct.
#define BLOCK_SIZE_IS(sym, size) static_assert(sizeof(struct block_##sym) == (size), "block_" #sym)
BLOCK_SIZE_IS(q4_0, 18);
BLOCK_SIZE_IS(q4_1, 20);
BLOCK_SIZE_IS(q5_0, 22);
BLOCK_SIZE_IS(q5_1, 24);
BLOCK_SIZE_IS(q8_0, 34);
BLOCK_SIZE_IS(q4_k, 144);
BLOCK_SIZE_IS(q6_k, 210);

// The readers that the rows of formats.h promise.
#define FORMAT_FLOAT(sym, name, id, len, size) void quant_read_##sym(const void *row, float *out, size_t n);
#define FORMAT_32(sym, name, id, len, size) void quant_read_##sym(const void *block, struct quant_block32 *out);
#define FORMAT_256(sym, name, id, len, size) void quant_read_##sym(const void *block, struct quant_block256 *out);
#define FORMAT_NAMED(sym, name, id, len, size)
#include "quant/formats.h"
