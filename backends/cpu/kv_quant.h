// SPDX-License-Identifier: MIT
// Pages of quantized keys and values. A page is a run of blocks of 32 elements, the last one filled up with zeros; a
// block holds the scales of the page's 64 vectors and then their codes, and an element is scale * (code - zero):
//
//     scales   64 halves
//     codes of keys    8 (Q8_0) or 4 (Q4_0) groups: for each key 4 bytes, so that a vector is one group of many keys
//     codes of values  for each key its 32 or 16 bytes
//
// Q8_0: a byte is a code, and byte j of group g is element 4 g + j. Q4_0: the low half of a byte is the code of the
// element that Q8_0 has there, the high half that of the element 16 further on.
#pragma once

#include "backends/tape.h"

#define KV_BLOCK 32

// Blocks of a vector.
static inline uint32_t kv_blocks(uint32_t dim) {
    return (dim + KV_BLOCK - 1) / KV_BLOCK;
}

static inline int kv_zero(enum kv_type type) {
    return type == KV_Q4_0 ? 8 : 128;
}

// Bytes of a vector's codes in a block.
static inline size_t kv_code_bytes(enum kv_type type) {
    return type == KV_Q4_0 ? KV_BLOCK / 2 : KV_BLOCK;
}

// Block b of a page: its scales; its codes lie behind them.
static inline const uint16_t *kv_scales(enum kv_type type, const void *page, uint32_t b) {
    return (const uint16_t *)(const void *)((const char *)page + b * TAPE_PAGE * (2 + kv_code_bytes(type)));
}

static inline const uint8_t *kv_codes(const uint16_t *scales) {
    return (const uint8_t *)(scales + TAPE_PAGE);
}

// Quantizes x[dim] and puts it at place `slot` of a page. Q8_0: codes are round(x / scale) with scale max|x| / 127;
// Q4_0: the scale is the element of the largest magnitude / -8; both as halves, ties to even. NaN gets the least code.
void kv_store_key(enum kv_type type, const float *x, uint32_t dim, void *page, uint32_t slot);
void kv_store_value(enum kv_type type, const float *x, uint32_t dim, void *page, uint32_t slot);

// Elements that are mixed with each other before they are quantized, so that one large element does not cost all others
// of its block their precision: a power of two that divides every vector of `dim` filled up to whole blocks.
uint32_t kv_run(uint32_t dim);
// Mixes each run of x[n] by the Walsh-Hadamard matrix over the root of its size, which is its own inverse and keeps
// products of vectors. n is a multiple of `run`.
void kv_mix(float *x, uint32_t n, uint32_t run);

// Element i, less the zero, of a vector in a block.
int kv_key_code(enum kv_type type, const uint16_t *scales, uint32_t slot, uint32_t i);
int kv_value_code(enum kv_type type, const uint16_t *scales, uint32_t slot, uint32_t i);
// A block of keys laid out as values, its codes alone, into out[TAPE_PAGE][kv_code_bytes].
void kv_keys_as_values(enum kv_type type, const uint16_t *scales, uint8_t *out);
