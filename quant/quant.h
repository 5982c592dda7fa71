// SPDX-License-Identifier: MIT
// Number formats of weights. One row of formats.h and one file here make a format; the row creates the table entry that
// everything else walks. A format's file says how its bits are read; decoding and the scalar dot product, which is the
// specification of every faster kernel, are the same code for all formats of a kind (quant.c).
//
// The arithmetic of a dot product (docs/DESIGN.md, arithmetic): both sides are cut into blocks with one floating-point
// scale each; integer sums inside a block are exact; block b adds its contribution with fma to partial sum b mod 8;
// the eight partial sums are added by quant_sum8. Float formats use 16 partial sums, element index mod 16.
#pragma once

#include "base/base.h"

// What a format's dot product wants the activations (the vector side) to be.
enum quant_act {
    ACT_NONE, // the format has no dot product
    ACT_F32,  // float32 as they are
    ACT_Q8,   // int8 in -127..127 with one f32 scale per 32 elements, for weights with a scale per 32 or 16
    ACT_Q8K,  // int8 in -127..127 with one f32 scale per 256 elements
    ACT_BF16, // rounded to bfloat16: in place of ACT_F32 where a level multiplies these
    N_ACTS
};

// One activation vector of n elements, where its parts lie. Arrays are aligned to 64 bytes.
struct quant_vec {
    const float *f;    // ACT_F32: [n]; ACT_BF16 has no parts: it is uint16_t[n] and zeros up to a multiple of 32
    const int8_t *q;   // [n]
    const float *d;    // [n / 32] or [n / 256]: scales
    const float *s;    // ACT_Q8: [n / 32]: d * sum of the block's q, for formats with a minimum
    const int16_t *bs; // [n / 16]: sums of q over 16 elements
};

// The place of the numbers above in one record of `size` bytes: offsets from its start.
struct quant_layout {
    size_t q, d, s, bs;
    size_t size;
};

// 16 elements, read: element i is d * (q[i] - zero). Integer sums over a block are exact: below 2^31 at any codes.
struct quant_block16 {
    uint8_t q[16];
    int zero;
    float d;
};

// 32 elements: element i is d * (q[i] - zero), plus m in formats with a minimum.
struct quant_block32 {
    uint8_t q[32];
    int zero;
    float d, m;
    bool has_min;
};

// 256 elements: element i is d * scale[i / 16] * (q[i] - zero), minus dmin * min[i / 16] in formats with a minimum. The
// largest sums are those of Q6_K, 256 * |scale 128| * |code 32| * 127, and IQ4_XS, 256 * 32 * 127 * 127: under 2^28.
struct quant_block256 {
    uint8_t q[256];
    int zero;
    float d, dmin;
    bool has_min;
    int8_t scale[16];
    uint8_t min[16];
};

// An index of formats: QUANT_q4_k and so on.
enum quant_index {
#define FORMAT_FLOAT(sym, name, id, len, size, largest) QUANT_##sym,
#define FORMAT_PLAIN(sym, name, id, len, size, largest) QUANT_##sym,
#define FORMAT_16(sym, name, id, len, size, largest) QUANT_##sym,
#define FORMAT_32(sym, name, id, len, size, largest) QUANT_##sym,
#define FORMAT_256(sym, name, id, len, size, largest) QUANT_##sym,
#define FORMAT_NAMED(sym, name, id, len, size, largest) QUANT_##sym,
#include "quant/formats.h"
    N_QUANTS
};

struct searches; // quant/searches.h

struct quant_format {
    const char *name;    // as GGUF tools write it: Q4_K
    uint32_t id;         // tensor type id in GGUF files
    uint32_t block_len;  // elements
    uint32_t block_size; // bytes
    enum quant_index index;
    enum quant_act act; // ACT_NONE: not for weights
    float largest;      // the largest magnitude that the encoder takes
    // One of these, by the format's kind, or none: known by name and size only. Weights may lie at any address.
    void (*read_float)(const void *row, float *out, size_t n);
    void (*read16)(const void *block, struct quant_block16 *out); // block_len / 16 of them
    void (*read32)(const void *block, struct quant_block32 *out); // block_len / 32 of them
    void (*read256)(const void *block, struct quant_block256 *out);
    // The other way, with the same choice.
    void (*write_float)(const float *x, void *row, size_t n);
    // One block of block_len finite values up to `largest`, with weights that are positive and 1 on average.
    void (*encode)(const struct searches *s, const float *x, const float *weights, void *block);
};

// The most that a block of 16 or 32 elements' kind gives at once, and the longest block of all.
#define QUANT_MAX_RUNS 4
#define QUANT_MAX_BLOCK 256

// NULL for ids that GGUF never had or that were removed; *removed then is the old name, else NULL.
const struct quant_format *quant_by_id(uint32_t id, const char **removed);
// By name, in either case; NULL when unknown.
const struct quant_format *quant_by_name(const char *name);
// All rows, in the order of formats.h.
const struct quant_format *quant_all(size_t *n);

// Bytes of a row of n elements: false when n is not a multiple of the block or the size overflows.
bool quant_row_size(const struct quant_format *f, uint64_t n, uint64_t *size);

// n elements (a multiple of block_len) of a row, decoded to float32. The format has a reader.
void quant_decode(const struct quant_format *f, const void *row, float *out, size_t n);
// Encodes n elements (a multiple of block_len) with the weights of importance of the elements (NULL: all the same).
// False, with *bad the index, when x holds a value that is not finite or larger than the format can hold; the row then
// is undefined. The format has an encoder (quant_can_encode). The bytes depend on the arguments alone, not on the
// machine's features (cpu_features(), or 0), which only make it faster.
bool quant_encode_for(unsigned features, const struct quant_format *f, const float *x, const float *importance,
                      size_t n, void *row, size_t *bad);
// The same for this machine; asking it takes longer than encoding a short row.
bool quant_encode(const struct quant_format *f, const float *x, const float *importance, size_t n, void *row,
                  size_t *bad);
bool quant_can_encode(const struct quant_format *f);
// The dot product of a row of n elements with one activation vector of the format's kind.
float quant_dot(const struct quant_format *f, const void *row, const struct quant_vec *x, size_t n);

// Records of activations: n a multiple of 32 (ACT_Q8) or 256 (ACT_Q8K).
struct quant_layout quant_act_layout(enum quant_act act, size_t n);
// The parts of a record.
struct quant_vec quant_act_vec(const struct quant_layout *layout, const void *record);
// Quantizes x[n] into a record: per block d = max|x| / 127 and q = round(x * (127 / max|x|)), ties to even.
// Blocks too small to have an inverse (max up to 2^-100) are zero. ACT_BF16: ties to even, below 2^-126 zero.
void quant_act_encode(enum quant_act act, const float *x, size_t n, void *record);

// The fixed trees that end a dot product.
float quant_sum8(const float sum[8]);
float quant_sum16(const float sum[16]);
