// SPDX-License-Identifier: MIT
// IQ2_XXS: 256 elements in 66 bytes (2.0625 bits each), from ggml: points of a codebook of 256 with eight values of 8,
// 25 or 43; eight sub-blocks of 32 with a scale of four bits.
//
//     d    half
//     runs 8 x 8 bytes  sub-block j: four bytes of points, then 32 bits: bits 7 l .. 7 l + 6 the signs of point l (the
//                       eighth makes their number even), bits 28..31 scale
//
// element = d * (scale + 1/2) / 4 * value, read as d / 8 * (2 scale + 1) * value
#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

void quant_read_iq2_xxs(const void *block, struct quant_block256 *out) {
    const struct block_iq2_xxs *b = block;
    out->d = num_f16_to_f32(b->d) * 0.125f;
    out->zero = GRID_ZERO;
    for (int j = 0; j < 8; j++) {
        uint32_t signs = b->runs[j].signs;
        out->scale[2 * j] = out->scale[2 * j + 1] = (int8_t)(2 * (signs >> 28) + 1);
        for (int l = 0; l < 4; l++)
            grid_read8(grid_iq2_xxs[b->runs[j].points[l]], grid_signs(signs >> 7 * l & 127), out->q + 32 * j + 8 * l);
    }
}

void quant_encode_iq2_xxs(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct lattice lattice = {grid_iq2_xxs, 256, 8, grid_values_iq2, true, 1, 4, 16, 23.5f};
    struct block_iq2_xxs *b = block;
    struct lattice_found f;
    s->lattice(&lattice, 0.125f, x, weights, &f);
    b->d = f.half;
    for (int j = 0; j < 8; j++) {
        uint32_t signs = (uint32_t)f.scale[j] << 28;
        for (int l = 0; l < 4; l++) {
            b->runs[j].points[l] = (uint8_t)f.point[4 * j + l];
            signs |= (f.signs[4 * j + l] & 127u) << 7 * l;
        }
        b->runs[j].signs = signs;
    }
}
