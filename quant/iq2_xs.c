// SPDX-License-Identifier: MIT
// IQ2_XS: 256 elements in 74 bytes (2.3125 bits each), from ggml: points of a codebook of 512 with eight values of 8,
// 25 or 43; sixteen sub-blocks of 16 with a scale of four bits.
//
//     d      half
//     qs     32 x 16  bits 0..8 point, bits 9..15 signs (the eighth makes their number even)
//     scales 8 bytes  byte j: low nibble sub-block 2 j, high nibble 2 j + 1
//
// element = d * (scale + 1/2) / 4 * value, read as d / 8 * (2 scale + 1) * value
#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

void quant_read_iq2_xs(const void *block, struct quant_block256 *out) {
    const struct block_iq2_xs *b = block;
    out->d = num_f16_to_f32(b->d) * 0.125f;
    out->zero = GRID_ZERO;
    for (int j = 0; j < 16; j++)
        out->scale[j] = (int8_t)(2 * (b->scales[j / 2] >> j % 2 * 4 & 15) + 1);
    for (int g = 0; g < 32; g++)
        grid_read8(grid_iq2_xs[b->qs[g] & 511], grid_signs(b->qs[g] >> 9), out->q + 8 * g);
}

void quant_encode_iq2_xs(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct lattice lattice = {grid_iq2_xs, 512, 8, grid_values_iq2, true, 1, 2, 16, 23.5f};
    struct block_iq2_xs *b = block;
    struct lattice_found f;
    s->lattice(&lattice, 0.125f, x, weights, &f);
    b->d = f.half;
    for (int j = 0; j < 8; j++)
        b->scales[j] = (uint8_t)(f.scale[2 * j] | f.scale[2 * j + 1] << 4);
    for (int g = 0; g < 32; g++)
        b->qs[g] = (uint16_t)(f.point[g] | (f.signs[g] & 127) << 9);
}
