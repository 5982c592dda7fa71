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

struct PACKED block_q2_k {
    uint8_t scales[16];
    uint8_t qs[64];
    uint16_t d, dmin;
};

struct PACKED block_q3_k {
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12];
    uint16_t d;
};

struct PACKED block_q4_k {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qs[128];
};

struct PACKED block_q5_k {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qh[32];
    uint8_t qs[128];
};

struct PACKED block_q6_k {
    uint8_t ql[128], qh[64];
    int8_t scales[16];
    uint16_t d;
};

struct PACKED block_iq1_s {
    uint16_t d;
    uint8_t qs[32];
    uint16_t qh[8];
};

struct PACKED block_iq1_m {
    uint8_t qs[32];
    uint8_t qh[16];
    uint16_t scales[4];
};

struct PACKED block_iq2_xxs {
    uint16_t d;
    struct PACKED {
        uint8_t points[4];
        uint32_t signs; // and the scale
    } runs[8];
};

struct PACKED block_iq2_xs {
    uint16_t d;
    uint16_t qs[32];
    uint8_t scales[8];
};

struct PACKED block_iq2_s {
    uint16_t d;
    uint8_t qs[32];
    uint8_t signs[32];
    uint8_t qh[8];
    uint8_t scales[8];
};

struct PACKED block_iq3_xxs {
    uint16_t d;
    uint8_t qs[64];
    uint32_t signs[8]; // and the scales
};

struct PACKED block_iq3_s {
    uint16_t d;
    uint8_t qs[64];
    uint8_t qh[8];
    uint8_t signs[32];
    uint8_t scales[4];
};

struct PACKED block_iq4_nl {
    uint16_t d;
    uint8_t qs[16];
};

struct PACKED block_iq4_xs {
    uint16_t d;
    uint16_t scales_h;
    uint8_t scales_l[4];
    uint8_t qs[128];
};

struct PACKED block_tq1_0 {
    uint8_t qs[48];
    uint8_t qh[4];
    uint16_t d;
};

struct PACKED block_tq2_0 {
    uint8_t qs[64];
    uint16_t d;
};

struct PACKED block_mxfp4 {
    uint8_t e;
    uint8_t qs[16];
};

struct PACKED block_nvfp4 {
    uint8_t d[4];
    uint8_t qs[32];
};

struct PACKED block_q1_0 {
    uint16_t d;
    uint8_t qs[16];
};

struct PACKED block_q2_0 {
    uint16_t d;
    uint8_t qs[16];
};

// The size that formats.h states is the size of the struct.
#define FORMAT_FLOAT(sym, name, id, len, size, largest)
#define FORMAT_PLAIN(sym, name, id, len, size, largest)
#define FORMAT_BLOCK(sym, size) static_assert(sizeof(struct block_##sym) == (size), "block_" #sym);
#define FORMAT_16(sym, name, id, len, size, largest) FORMAT_BLOCK(sym, size)
#define FORMAT_32(sym, name, id, len, size, largest) FORMAT_BLOCK(sym, size)
#define FORMAT_256(sym, name, id, len, size, largest) FORMAT_BLOCK(sym, size)
#define FORMAT_NAMED(sym, name, id, len, size, largest)
#include "quant/formats.h"

// The readers and encoders that the rows of formats.h promise.
#define FORMAT_READER(sym, struct_out)                                                                                 \
    void quant_read_##sym(const void *block, struct struct_out *out);                                                  \
    void quant_encode_##sym(const struct searches *s, const float *x, const float *weights, void *block);
#define FORMAT_PLAIN(sym, name, id, len, size, largest) void quant_read_##sym(const void *row, float *out, size_t n);
#define FORMAT_FLOAT(sym, name, id, len, size, largest)                                                                \
    void quant_read_##sym(const void *row, float *out, size_t n);                                                      \
    void quant_write_##sym(const float *x, void *row, size_t n);
#define FORMAT_16(sym, name, id, len, size, largest) FORMAT_READER(sym, quant_block16)
#define FORMAT_32(sym, name, id, len, size, largest) FORMAT_READER(sym, quant_block32)
#define FORMAT_256(sym, name, id, len, size, largest) FORMAT_READER(sym, quant_block256)
#define FORMAT_NAMED(sym, name, id, len, size, largest)
#include "quant/formats.h"

// Scales and minimums of Q4_K and Q5_K (scales6.c).
void quant_read_scales6(const uint8_t s[12], struct quant_block256 *out);
void quant_write_scales6(const uint8_t scale[8], const uint8_t min[8], uint8_t s[12]);

// The largest finite half-precision number.
#define HALF_MAX 65504.0f
