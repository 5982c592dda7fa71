// SPDX-License-Identifier: MIT
// Number formats of weights. One row of formats.h and one file here make a format; the row creates the table entry that
// everything else walks: sizes, decoding, and the scalar dot product that is the specification of every kernel.
//
// The arithmetic of a dot product (docs/DESIGN.md, arithmetic): both sides are cut into blocks with one floating-point
// scale each; integer sums inside a block are exact; block b adds its contribution with fma to partial sum b mod 8;
// the eight partial sums are added by quant_tree8. Float formats use 16 partial sums, element index mod 16.
#pragma once

#include "base/base.h"

// What a format's dot product wants the activations (the vector side) to be.
enum quant_act {
    ACT_NONE, // the format has no dot product
    ACT_F32,  // float32 as they are
    ACT_Q8,   // int8 in -127..127 with one f32 scale per 32 elements
    ACT_Q8K,  // int8 in -127..127 with one f32 scale per 256 elements
    N_ACTS
};

// One quantized activation vector of n elements. Arrays are aligned to 64 bytes.
struct quant_vec {
    const float *f;    // ACT_F32: [n]
    const int8_t *q;   // [n]
    const float *d;    // [n / 32] or [n / 256]: scales
    const float *s;    // ACT_Q8: [n / 32]: d * sum of the block's q, for formats with a minimum
    const int16_t *bs; // [n / 16]: sums of q over 16 elements
};

struct quant_format {
    const char *name;   // as in GGUF files' tools: Q4_K
    uint32_t id;        // tensor type id in GGUF files
    uint32_t block_len; // elements
    uint32_t block_size; // bytes
    enum quant_act act;
    // n elements (a multiple of block_len) of a row, decoded to float32.
    void (*decode)(const void *row, float *out, size_t n);
    // The dot product of a row of n elements with one activation vector.
    float (*dot)(const void *row, const struct quant_vec *x, size_t n);
};

// NULL for ids that GGUF never had or that were removed; *removed then tells which, with the old name.
const struct quant_format *quant_by_id(uint32_t id, const char **removed);
// By name, in either case; NULL when unknown.
const struct quant_format *quant_by_name(const char *name);
// All rows, in the order of formats.h.
const struct quant_format *quant_all(size_t *n);

// Bytes of a row of n elements: false when n is not a multiple of the block or the size overflows.
bool quant_row_size(const struct quant_format *f, uint64_t n, uint64_t *size);
