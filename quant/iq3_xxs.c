// SPDX-License-Identifier: MIT
// IQ3_XXS: 256 elements in 98 bytes (3.0625 bits each), from ggml: points of a codebook of 256 with four values of 4 to
// 62; eight sub-blocks of 32 with a scale of four bits.
//
//     d     half
//     qs    64 bytes  points
//     signs 8 x 32    sub-block j: bits 7 l .. 7 l + 6 the signs of its eight elements from 8 l on (the eighth makes
//     their
//                     number even), bits 28..31 scale
//
// element = d * (scale + 1/2) / 2 * value, read as d / 4 * (2 scale + 1) * value
#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

void quant_read_iq3_xxs(const void *block, struct quant_block256 *out) {
    const struct block_iq3_xxs *b = block;
    out->d = num_f16_to_f32(b->d) * 0.25f;
    out->zero = GRID_ZERO;
    for (int j = 0; j < 8; j++)
        out->scale[2 * j] = out->scale[2 * j + 1] = (int8_t)(2 * (b->signs[j] >> 28) + 1);
    for (int g = 0; g < 64; g++) {
        unsigned signs = grid_signs(b->signs[g / 8] >> g % 8 / 2 * 7 & 127);
        grid_read4(grid_iq3_xxs[b->qs[g]], grid_values_iq3_xxs, signs >> g % 2 * 4, out->q + 4 * g);
    }
}

void quant_encode_iq3_xxs(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct lattice lattice = {grid_iq3_xxs, 256, 4, grid_values_iq3_xxs, true, 2, 8, 16, 28.7f};
    struct block_iq3_xxs *b = block;
    struct lattice_found f;
    s->lattice(&lattice, 0.25f, x, weights, &f);
    b->d = f.half;
    for (int j = 0; j < 8; j++)
        b->signs[j] = (uint32_t)f.scale[j] << 28;
    for (int g = 0; g < 64; g++) {
        b->qs[g] = (uint8_t)f.point[g];
        b->signs[g / 8] |= (f.signs[g] & (g % 2 ? 7u : 15u)) << (g % 8 / 2 * 7 + g % 2 * 4);
    }
}
