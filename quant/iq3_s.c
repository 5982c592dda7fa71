// SPDX-License-Identifier: MIT
// IQ3_S: 256 elements in 110 bytes (3.4375 bits each), from ggml: points of a codebook of 512 with four odd values of 1
// to 15; eight sub-blocks of 32 with a scale of four bits.
//
//     d      half
//     qs     64 bytes  the low eight bits of the points
//     qh     8 bytes   bit l of byte j: the upper bit of point 8 j + l
//     signs  32 bytes  bit i of byte g: element 8 g + i is negative
//     scales 4 bytes   byte j: low nibble sub-block 2 j, high nibble 2 j + 1
//
// element = d * (2 scale + 1) * value
#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

void quant_read_iq3_s(const void *block, struct quant_block256 *out) {
    const struct block_iq3_s *b = block;
    out->d = num_f16_to_f32(b->d);
    out->zero = GRID_ZERO;
    for (int j = 0; j < 8; j++)
        out->scale[2 * j] = out->scale[2 * j + 1] = (int8_t)(2 * (b->scales[j / 2] >> j % 2 * 4 & 15) + 1);
    for (int g = 0; g < 64; g++) {
        int point = b->qs[g] | (b->qh[g / 8] >> g % 8 & 1) << 8;
        grid_read4(grid_iq3_s[point], grid_values_iq3_s, (unsigned)b->signs[g / 2] >> g % 2 * 4, out->q + 4 * g);
    }
}

void quant_encode_iq3_s(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct lattice lattice = {grid_iq3_s, 512, 4, grid_values_iq3_s, false, 1, 8, 16, 6.9f};
    struct block_iq3_s *b = block;
    struct lattice_found f;
    s->lattice(&lattice, 1, x, weights, &f);
    memset(b, 0, sizeof *b);
    b->d = f.half;
    for (int j = 0; j < 4; j++)
        b->scales[j] = (uint8_t)(f.scale[2 * j] | f.scale[2 * j + 1] << 4);
    for (int g = 0; g < 64; g++) {
        b->qs[g] = (uint8_t)f.point[g];
        b->qh[g / 8] |= (uint8_t)(f.point[g] >> 8 << g % 8);
        b->signs[g / 2] |= (uint8_t)(f.signs[g] << g % 2 * 4);
    }
}
