// SPDX-License-Identifier: MIT
// IQ1_M: 256 elements in 56 bytes (1.75 bits each), from ggml: as IQ1_S, with sixteen sub-blocks of 16 that have a
// scale of three bits, and a shift of each point.
//
//     qs     32 bytes  the low eight bits of the points
//     qh     16 bytes  byte j: low nibble point 2 j, high nibble point 2 j + 1: three upper bits, bit 3: moved down
//     scales 4 x 16    bits 3 l .. 3 l + 2 of number k: the scale of sub-block 4 k + l; the four upper bits of the four
//                      numbers together, lowest first: d (half)
//
// element = d * (2 scale + 1) * (value +- 1/8), read as d / 8 * (2 scale + 1) * (8 value +- 1)
#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

void quant_read_iq1_m(const void *block, struct quant_block256 *out) {
    const struct block_iq1_m *b = block;
    unsigned d = 0;
    for (int k = 0; k < 4; k++)
        d |= (unsigned)(b->scales[k] >> 12) << 4 * k;
    out->d = num_f16_to_f32((uint16_t)d) * 0.125f;
    out->zero = GRID_ZERO_IQ1;
    for (int j = 0; j < 16; j++)
        out->scale[j] = (int8_t)(2 * (b->scales[j / 4] >> 3 * (j % 4) & 7) + 1);
    for (int g = 0; g < 32; g++) {
        unsigned high = (unsigned)b->qh[g / 2] >> g % 2 * 4;
        grid_read_iq1(grid_iq1[b->qs[g] | (high & 7) << 8], high & 8 ? -1 : 1, out->q + 8 * g);
    }
}

void quant_encode_iq1_m(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct lattice lattice = {grid_iq1, 2048, 8, NULL, false, 1, 2, 8, 6};
    struct block_iq1_m *b = block;
    struct lattice_found f;
    s->lattice(&lattice, 0.125f, x, weights, &f);
    memset(b, 0, sizeof *b);
    for (int k = 0; k < 4; k++) {
        unsigned scales = (unsigned)(f.half >> 4 * k & 15) << 12;
        for (int l = 0; l < 4; l++)
            scales |= (unsigned)f.scale[4 * k + l] << 3 * l;
        b->scales[k] = (uint16_t)scales;
    }
    for (int g = 0; g < 32; g++) {
        b->qs[g] = (uint8_t)f.point[g];
        b->qh[g / 2] |= (uint8_t)((f.point[g] >> 8 | f.way[g] << 3) << g % 2 * 4);
    }
}
