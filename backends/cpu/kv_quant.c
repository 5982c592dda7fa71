// SPDX-License-Identifier: MIT
// Quantizing keys and values into pages, and reading them back one by one.
#include "backends/cpu/kv_quant.h"

#include <string.h>

#include "base/num.h"

#define HALF_MAX 65504.0f
#define MIX_MOST 256 // elements of a run

static float clamp(float x, float most) {
    return x < -most ? -most : x > most ? most : x;
}

// The element of the largest magnitude, the first of equals.
static float largest(const float *x, uint32_t n) {
    float most = 0, best = 0;
    for (uint32_t i = 0; i < n; i++) {
        float a = x[i] < 0 ? -x[i] : x[i];
        best = a > most ? x[i] : best;
        most = a > most ? a : most;
    }
    return best;
}

// round(x), limited to [least, most]; NaN is the least.
static int code(float x, float least, float most) {
    x = x > least ? x : least;
    return (int)num_round(x < most ? x : most);
}

// Codes of n <= 32 elements, one a byte, and those of zeros behind them; returns the scale.
static uint16_t encode_bytes(const float *x, uint32_t n, uint8_t *q) {
    float top = largest(x, n), most = top < 0 ? -top : top;
    uint16_t half = num_f32_to_f16(clamp(most / 127, HALF_MAX));
    float d = num_f16_to_f32(half), inverse = d > 0 ? 1 / d : 0;
    for (uint32_t i = 0; i < KV_BLOCK; i++)
        q[i] = i < n ? (uint8_t)(code(x[i] * inverse, -127, 127) + 128) : 128;
    return half;
}

static uint16_t encode_nibbles(const float *x, uint32_t n, uint8_t *q) {
    uint16_t half = num_f32_to_f16(clamp(largest(x, n) / -8, HALF_MAX));
    float d = num_f16_to_f32(half), inverse = d != 0 ? 1 / d : 0;
    uint8_t codes[KV_BLOCK];
    for (uint32_t i = 0; i < KV_BLOCK; i++)
        codes[i] = i < n ? (uint8_t)(code(x[i] * inverse, -8, 7) + 8) : 8;
    for (uint32_t i = 0; i < KV_BLOCK / 2; i++)
        q[i] = (uint8_t)(codes[i] | codes[i + KV_BLOCK / 2] << 4);
    return half;
}

static uint16_t encode(enum kv_type type, const float *x, uint32_t n, uint8_t *q) {
    n = n < KV_BLOCK ? n : KV_BLOCK;
    return type == KV_Q4_0 ? encode_nibbles(x, n, q) : encode_bytes(x, n, q);
}

void kv_store_key(enum kv_type type, const float *x, uint32_t dim, void *page, uint32_t slot) {
    uint8_t q[KV_BLOCK];
    for (uint32_t b = 0; b < kv_blocks(dim); b++) {
        uint16_t *scales = (uint16_t *)kv_scales(type, page, b);
        uint8_t *codes = (uint8_t *)kv_codes(scales);
        scales[slot] = encode(type, x + (size_t)b * KV_BLOCK, dim - b * KV_BLOCK, q);
        for (uint32_t g = 0; g < kv_code_bytes(type) / 4; g++)
            memcpy(codes + 4 * ((size_t)g * TAPE_PAGE + slot), q + 4 * g, 4);
    }
}

void kv_store_value(enum kv_type type, const float *x, uint32_t dim, void *page, uint32_t slot) {
    for (uint32_t b = 0; b < kv_blocks(dim); b++) {
        uint16_t *scales = (uint16_t *)kv_scales(type, page, b);
        uint8_t *codes = (uint8_t *)kv_codes(scales) + slot * kv_code_bytes(type);
        scales[slot] = encode(type, x + (size_t)b * KV_BLOCK, dim - b * KV_BLOCK, codes);
    }
}

// The code of element i: byte `at(i)` of the codes, one of its halves in Q4_0.
static int element(enum kv_type type, uint8_t byte, uint32_t i) {
    return type == KV_Q4_0 ? (i < KV_BLOCK / 2 ? byte & 15 : byte >> 4) - kv_zero(type) : byte - kv_zero(type);
}

uint32_t kv_run(uint32_t dim) {
    uint32_t wide = kv_blocks(dim) * KV_BLOCK, run = wide & -wide;
    return run < MIX_MOST ? run : MIX_MOST;
}

// Sums and differences of the elements i and i + step, 4 at a time.
static void butterflies(float *restrict a, float *restrict b, uint32_t step) {
    for (uint32_t i = 0; i < step; i += 4)
        for (uint32_t k = i; k < i + 4; k++) {
            float x = a[k], y = b[k];
            a[k] = x + y;
            b[k] = x - y;
        }
}

static void mix4(float *x, float scale) {
    float a = x[0] + x[1], b = x[0] - x[1], c = x[2] + x[3], d = x[2] - x[3];
    x[0] = (a + c) * scale;
    x[1] = (b + d) * scale;
    x[2] = (a - c) * scale;
    x[3] = (b - d) * scale;
}

void kv_mix(float *x, uint32_t n, uint32_t run) {
    const float scale = 1 / num_sqrt((float)run);
    for (uint32_t step = run / 2; step >= 4; step /= 2)
        for (uint32_t i = 0; i < n; i += 2 * step)
            butterflies(x + i, x + i + step, step);
    for (uint32_t i = 0; i < n; i += 4)
        mix4(x + i, scale);
}

int kv_key_code(enum kv_type type, const uint16_t *scales, uint32_t slot, uint32_t i) {
    uint32_t byte = i % (uint32_t)kv_code_bytes(type);
    return element(type, kv_codes(scales)[4 * ((size_t)(byte / 4) * TAPE_PAGE + slot) + byte % 4], i);
}

int kv_value_code(enum kv_type type, const uint16_t *scales, uint32_t slot, uint32_t i) {
    size_t bytes = kv_code_bytes(type);
    return element(type, kv_codes(scales)[slot * bytes + i % bytes], i);
}

void kv_keys_as_values(enum kv_type type, const uint16_t *scales, uint8_t *out) {
    const uint8_t *codes = kv_codes(scales);
    size_t bytes = kv_code_bytes(type);
    for (size_t slot = 0; slot < TAPE_PAGE; slot++)
        for (size_t g = 0; g < bytes / 4; g++)
            memcpy(out + slot * bytes + 4 * g, codes + 4 * (g * TAPE_PAGE + slot), 4);
}
