// SPDX-License-Identifier: MIT
// The codebooks of the IQ and FP4 formats: facts of the formats.
//
// A point of a codebook is packed: its values, the first in the lowest bits, are indices into the few values that the
// codebook uses; two bits each for points of eight values, three for points of four.
#pragma once

#include "base/base.h"

extern const int8_t grid_nonlinear[16]; // IQ4_NL, IQ4_XS
extern const int8_t grid_e2m1[16];      // MXFP4, NVFP4: twice the value of the four-bit float

// The code of one of the levels of grid_nonlinear.
static inline int grid_nonlinear_code(int8_t level) {
    int code = 0;
    for (int step = 8; step; step /= 2)
        code += grid_nonlinear[code + step] <= level ? step : 0;
    return code;
}

// The code of one of the levels of grid_e2m1.
static inline int grid_e2m1_code(int level) {
    static const uint8_t codes[25] = {15, 0, 0, 0, 14, 0, 13, 0, 12, 11, 10, 9, 0, 1, 2, 3, 4, 0, 5, 0, 6, 0, 0, 0, 7};
    return codes[level + 12];
}

extern const uint8_t grid_values_iq2[4];
extern const uint8_t grid_values_iq3_xxs[8];
extern const uint8_t grid_values_iq3_s[8];

// Three points longer than they are: vector code reads four at a time.
extern const uint16_t grid_iq2_xxs[256 + 3];
extern const uint16_t grid_iq2_xs[512 + 3];
extern const uint16_t grid_iq2_s[1024 + 3];
extern const uint16_t grid_iq3_xxs[256 + 3];
extern const uint16_t grid_iq3_s[512 + 3];
extern const uint16_t grid_iq1[2048 + 3]; // index - 1 is the value

// Formats that store seven signs of a group of eight: the eighth makes the number of negative values even.
static inline unsigned grid_signs(unsigned seven) {
    return seven | (unsigned)__builtin_parity(seven) << 7;
}

// Codes around 64 of the values of a point and their signs.
#define GRID_ZERO 64

static inline void grid_read8(uint16_t point, unsigned signs, uint8_t q[8]) {
    for (int j = 0; j < 8; j++) {
        uint8_t v = grid_values_iq2[point >> 2 * j & 3];
        q[j] = (uint8_t)(signs >> j & 1 ? GRID_ZERO - v : GRID_ZERO + v);
    }
}

static inline void grid_read4(uint16_t point, const uint8_t values[8], unsigned signs, uint8_t q[4]) {
    for (int j = 0; j < 4; j++) {
        uint8_t v = values[point >> 3 * j & 7];
        q[j] = (uint8_t)(signs >> j & 1 ? GRID_ZERO - v : GRID_ZERO + v);
    }
}

// Codes around GRID_ZERO_IQ1 of eight times the values of a point, moved by shift (1 or -1).
#define GRID_ZERO_IQ1 9

static inline void grid_read_iq1(uint16_t point, int shift, uint8_t q[8]) {
    for (int j = 0; j < 8; j++)
        q[j] = (uint8_t)(GRID_ZERO_IQ1 + 8 * ((point >> 2 * j & 3) - 1) + shift);
}
