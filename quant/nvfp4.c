// SPDX-License-Identifier: MIT
// NVFP4: 64 elements in 36 bytes (4.5 bits each): elements E2M1 with a scale E4M3 without sign per 16, as NVIDIA
// defined them, in ggml's order.
//
//     d  4 bytes   scales of the four runs of 16: four bits of exponent, bias 7, three of mantissa; 0x7f is 0
//     qs 32 bytes  byte i of a run of 8: low nibble element i of the run, high nibble element i + 8
//
// element = scale * value, read as scale / 2 * (2 value)
#include "quant/blocks.h"
#include "quant/grids.h"

static float half_scale(uint8_t d) {
    if (d == 0x7f)
        return 0;
    int exponent = d >> 3 & 15, mantissa = d & 7;
    if (exponent == 0)
        return (float)mantissa * 0x1p-10f;
    return (float)(8 + mantissa) * num_float((uint32_t)(exponent + 127 - 11) << 23);
}

void quant_read_nvfp4(const void *block, struct quant_block16 *out) {
    const struct block_nvfp4 *b = block;
    for (int r = 0; r < 4; r++) {
        out[r].d = half_scale(b->d[r]);
        out[r].zero = 12;
        for (int i = 0; i < 8; i++) {
            out[r].q[i] = (uint8_t)(grid_e2m1[b->qs[8 * r + i] & 15] + 12);
            out[r].q[i + 8] = (uint8_t)(grid_e2m1[b->qs[8 * r + i] >> 4] + 12);
        }
    }
}
