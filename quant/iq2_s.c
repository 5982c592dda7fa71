// SPDX-License-Identifier: MIT
// IQ2_S: 256 elements in 82 bytes (2.5625 bits each), from ggml: points of a codebook of 1024 with eight values of 8,
// 25 or 43; sixteen sub-blocks of 16 with a scale of four bits.
//
//     d      half
//     qs     32 bytes  the low eight bits of the points
//     signs  32 bytes  bit i of byte g: element 8 g + i is negative
//     qh     8 bytes   byte j: bit pairs with the upper bits of points 4 j .. 4 j + 3
//     scales 8 bytes   byte j: low nibble sub-block 2 j, high nibble 2 j + 1
//
// element = d * (scale + 1/2) / 4 * value, read as d / 8 * (2 scale + 1) * value
#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

void quant_read_iq2_s(const void *block, struct quant_block256 *out) {
    const struct block_iq2_s *b = block;
    out->d = num_f16_to_f32(b->d) * 0.125f;
    out->zero = GRID_ZERO;
    for (int j = 0; j < 16; j++)
        out->scale[j] = (int8_t)(2 * (b->scales[j / 2] >> j % 2 * 4 & 15) + 1);
    for (int g = 0; g < 32; g++) {
        int point = b->qs[g] | (b->qh[g / 4] >> g % 4 * 2 & 3) << 8;
        grid_read8(grid_iq2_s[point], b->signs[g], out->q + 8 * g);
    }
}

void quant_encode_iq2_s(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct lattice lattice = {grid_iq2_s, 1024, 8, grid_values_iq2, false, 1, 2, 16, 23.5f};
    struct block_iq2_s *b = block;
    struct lattice_found f;
    s->lattice(&lattice, 0.125f, x, weights, &f);
    b->d = f.half;
    memset(b->qh, 0, sizeof b->qh);
    for (int j = 0; j < 8; j++)
        b->scales[j] = (uint8_t)(f.scale[2 * j] | f.scale[2 * j + 1] << 4);
    for (int g = 0; g < 32; g++) {
        b->qs[g] = (uint8_t)f.point[g];
        b->qh[g / 4] |= (uint8_t)(f.point[g] >> 8 << g % 4 * 2);
        b->signs[g] = f.signs[g];
    }
}
