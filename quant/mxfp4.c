// SPDX-License-Identifier: MIT
// MXFP4: 32 elements in 17 bytes (4.25 bits each): the OCP Microscaling format with elements E2M1 and scales E8M0, in
// ggml's order.
//
//     e  1 byte    the scale is 2^(e - 127)
//     qs 16 bytes  byte i: low nibble element i, high nibble element i + 16; a sign and one of 0, 1/2, 1, 3/2, 2, 3, 4,
//     6
//
// element = 2^(e - 127) * value, read as 2^(e - 128) * (2 value)
#include "quant/blocks.h"
#include "quant/grids.h"

// 2^(e - 128): for e under 2 a subnormal number.
static float half_scale(uint8_t e) {
    return num_float(e < 2 ? 0x200000u << e : (e - 1u) << 23);
}

void quant_read_mxfp4(const void *block, struct quant_block32 *out) {
    const struct block_mxfp4 *b = block;
    out->d = half_scale(b->e);
    out->zero = 12;
    for (int i = 0; i < 16; i++) {
        out->q[i] = (uint8_t)(grid_e2m1[b->qs[i] & 15] + 12);
        out->q[i + 16] = (uint8_t)(grid_e2m1[b->qs[i] >> 4] + 12);
    }
}
