// SPDX-License-Identifier: MIT
// AVX-512, many columns of float weights: tiles of four rows times six columns, whose lanes are partial sums. Groups of
// columns rest in the scratch between chunks of a row. Included between a level's begin and end headers.
#pragma once

#include "backends/cpu/v16_avx512.h"

#define ROWS V16_TILE
#define COLS 6
#define TILES (PANEL_ROWS / ROWS)
#define STRIPS 8 // in a group of columns

// The partial sums of a strip, for every tile of rows.
typedef float strip_sums[TILES][COLS][ROWS][16];

// Writes the results of the group of `cols` columns from `first` on.
INLINE void write_sums(const struct dot_job *j, const strip_sums sum[STRIPS], uint32_t first, uint32_t cols) {
    for (uint32_t c = 0; c < cols; c++)
        for (uint32_t r = 0; r < j->rows; r += ROWS) {
            __m512 v[ROWS];
            float out[ROWS];
            UNROLL for (int i = 0; i < ROWS; i++) v[i] = _mm512_load_ps(sum[c / COLS][r / ROWS][c % COLS][i]);
            v16_sums(v, out);
            for (uint32_t i = 0; i < ROWS && r + i < j->rows; i++)
                j->y[(first + c) * j->y_stride + r + i] = out[i];
        }
}
