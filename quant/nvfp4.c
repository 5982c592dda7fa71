// SPDX-License-Identifier: MIT
// NVFP4: 64 elements in 36 bytes (4.5 bits each): elements E2M1 with a scale E4M3 without sign per 16, as NVIDIA
// defined them, in ggml's order.
//
//     d  4 bytes   scales of the four runs of 16: four bits of exponent, bias 7, three of mantissa; 0x7f is 0
//     qs 32 bytes  byte i of a run of 8: low nibble element i of the run, high nibble element i + 8
//
// element = scale * value, read as scale / 2 * (2 value)
#include <math.h>

#include "quant/blocks.h"
#include "quant/grids.h"
#include "quant/searches.h"

// 448; the code above it stands for 0.
#define LARGEST_D 0x7e

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

#define TRIED 16 // scales

// The first scale that reaches the largest element with level 12, then the ones around it, as they are few.
static uint8_t best_scale(const struct searches *s, const float *x, const float *w) {
    const float top = fabsf(search_largest(x, 16));
    float least = INFINITY;
    int first = 0, best = 0;
    for (int step = 64; step; step /= 2)
        first += first + step <= LARGEST_D && half_scale((uint8_t)(first + step - 1)) * 12 < top ? step : 0;
    first = first > TRIED * 2 / 3 ? first - TRIED * 2 / 3 : 0;
    for (int d = first; d < first + TRIED; d += 8) {
        float scale[8], error[8];
        for (int j = 0; j < 8; j++)
            scale[j] = half_scale((uint8_t)(d + j <= LARGEST_D ? d + j : LARGEST_D));
        s->errors(&search_e2m1, x, w, 16, scale, error);
        for (int j = 0; j < 8; j++)
            if (error[j] < least && d + j <= LARGEST_D) {
                least = error[j];
                best = d + j;
            }
    }
    return (uint8_t)best;
}

void quant_encode_nvfp4(const struct searches *s, const float *x, const float *weights, void *block) {
    struct block_nvfp4 *b = block;
    for (int r = 0; r < 4; r++) {
        int8_t level[16];
        b->d[r] = best_scale(s, x + 16 * r, weights + 16 * r);
        s->nearest(&search_e2m1, x + 16 * r, weights + 16 * r, 16, half_scale(b->d[r]), level);
        for (int i = 0; i < 8; i++)
            b->qs[8 * r + i] = (uint8_t)(grid_e2m1_code(level[i]) | grid_e2m1_code(level[i + 8]) << 4);
    }
}
