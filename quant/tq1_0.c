// SPDX-License-Identifier: MIT
// TQ1_0: 256 elements in 54 bytes (1.6875 bits each), from ggml: ternary numbers, five in a byte.
//
//     qs 48 bytes  a run of 32 bytes for elements 0..159, then one of 16 bytes for 160..239; byte i of a run of r bytes
//                  holds elements i + r k, k = 0..4
//     qh 4 bytes   byte i holds elements 240 + i + 4 k, k = 0..3
//     d  half
//
// A byte is its ternary digits as a fraction of 256, k = 0 the first digit, rounded up: digit k is the integer part of
// 3 * (byte * 3^k mod 256) / 256.
//
// element = d * (digit - 1)
#include "quant/blocks.h"
#include "quant/searches.h"

static void read_digits(const uint8_t *bytes, int n, int digits, uint8_t *q) {
    unsigned power = 1;
    for (int k = 0; k < digits; k++, power *= 3)
        for (int i = 0; i < n; i++)
            q[k * n + i] = (uint8_t)((bytes[i] * power & 255) * 3 >> 8);
}

void quant_read_tq1_0(const void *block, struct quant_block256 *out) {
    const struct block_tq1_0 *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = 1;
    memset(out->scale, 1, sizeof out->scale);
    read_digits(b->qs, 32, 5, out->q);
    read_digits(b->qs + 32, 16, 5, out->q + 160);
    read_digits(b->qh, 4, 4, out->q + 240);
}

static void write_digits(const int8_t *digit, int n, int digits, uint8_t *bytes) {
    for (int i = 0; i < n; i++) {
        int v = 0;
        for (int k = 0; k < 5; k++)
            v = v * 3 + (k < digits ? digit[k * n + i] + 1 : 0);
        bytes[i] = (uint8_t)((v * 256 + 242) / 243);
    }
}

void quant_encode_tq1_0(const struct searches *s, const float *x, const float *weights, void *block) {
    struct block_tq1_0 *b = block;
    int8_t digit[256];
    b->d = s->ternary(x, weights, digit);
    write_digits(digit, 32, 5, b->qs);
    write_digits(digit + 160, 16, 5, b->qs + 32);
    write_digits(digit + 240, 4, 4, b->qh);
}
