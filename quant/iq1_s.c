// SPDX-License-Identifier: MIT
// IQ1_S: 256 elements in 50 bytes (1.5625 bits each), from ggml: points of a codebook of 2048 with eight values -1, 0,
// 1, all moved by an eighth up or down; eight sub-blocks of 32 with a scale of three bits.
//
//     d  half
//     qs 32 bytes  the low eight bits of the points
//     qh 8 x 16    sub-block j: bits 3 l .. 3 l + 2 the upper bits of its point l, bits 12..14 scale, bit 15: moved
//     down
//
// element = d * (2 scale + 1) * (value +- 1/8), read as d / 8 * (2 scale + 1) * (8 value +- 1)
#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

void quant_read_iq1_s(const void *block, struct quant_block256 *out) {
    const struct block_iq1_s *b = block;
    out->d = num_f16_to_f32(b->d) * 0.125f;
    out->zero = GRID_ZERO_IQ1;
    for (int j = 0; j < 8; j++) {
        unsigned qh = b->qh[j];
        out->scale[2 * j] = out->scale[2 * j + 1] = (int8_t)(2 * (qh >> 12 & 7) + 1);
        for (int l = 0; l < 4; l++) {
            unsigned point = b->qs[4 * j + l] | (qh >> 3 * l & 7) << 8;
            grid_read_iq1(grid_iq1[point], qh >> 15 ? -1 : 1, out->q + 32 * j + 8 * l);
        }
    }
}

void quant_encode_iq1_s(const struct searches *s, const float *x, const float *weights, void *block) {
    static const struct lattice lattice = {grid_iq1, 2048, 8, NULL, false, 4, 4, 8, 6};
    struct block_iq1_s *b = block;
    struct lattice_found f;
    s->lattice(&lattice, 0.125f, x, weights, &f);
    b->d = f.half;
    for (int j = 0; j < 8; j++) {
        unsigned qh = (unsigned)(f.scale[j] << 12 | f.way[4 * j] << 15);
        for (int l = 0; l < 4; l++) {
            b->qs[4 * j + l] = (uint8_t)f.point[4 * j + l];
            qh |= (unsigned)(f.point[4 * j + l] >> 8) << 3 * l;
        }
        b->qh[j] = (uint16_t)qh;
    }
}
