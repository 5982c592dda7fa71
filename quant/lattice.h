// SPDX-License-Identifier: MIT
// Encoding onto the codebooks of the IQ formats: which points, signs, sub-scales and scale make the weighted error
// small, searched together.
#pragma once

#include "quant/blocks.h"

// How a format cuts a block of 256: groups of `len` elements take a point each; units of groups choose together between
// two ways; sub-blocks have a scale. Element = d * (2 scale + 1) * code, where code is plus or minus the point's value,
// or, in the IQ1 formats, 8 * value + 1 or 8 * value - 1: the two ways.
struct lattice {
    const uint16_t *points;
    int n_points;
    int len;               // 8 values of two bits or 4 of three
    const uint8_t *values; // magnitudes that the indices stand for; NULL in the IQ1 formats
    bool even;             // the number of negative elements in eight is even: one that fits badly may have to flip
    int unit, sub;         // groups in a unit, in a sub-block
    int scales;            // sub-scales are below
    float typical;         // root mean square of common codes
};

// What was found: for group g the index of its point, and its signs or, in the IQ1 formats, its way (0: +1, 1: -1).
struct lattice_found {
    uint16_t half;
    uint8_t scale[16];
    uint16_t point[64];
    uint8_t signs[64]; // bit i: element i of the group is negative
    uint8_t way[64];
};

// The format's d is a half-precision number times `unit`.
void lattice_search(const struct lattice *l, float unit, const float x[256], const float w[256],
                    struct lattice_found *out);
