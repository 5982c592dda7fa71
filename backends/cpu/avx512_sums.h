// SPDX-License-Identifier: MIT
// AVX-512, many columns of float weights. The lanes of a sum are partial sums; a tile of four rows times six columns
// (four where few are left) stays in registers while CHUNK elements pass. Weights are read as they lie in the file and
// widened in registers: a strip of six columns passes all rows of the job before the next one. Rows of more than CHUNK
// elements leave the sums of a group of strips in the scratch in between. Included between a level's begin and end
// headers.
#pragma once

#include "backends/cpu/v16_avx512.h"

#define ROWS V16_TILE
#define COLS 6
#define TILES (PANEL_ROWS / ROWS)
#define STEP 32    // elements
#define CHUNK 1536 // elements: a strip's and four rows' lie near the core, those of all rows in the second-level cache
#define GROUP 8    // strips that pass a chunk before the next one

typedef __m512 tile[COLS][ROWS];

// Adds the products of STEP elements from i on, or of the `left` < STEP last ones.
typedef void float_step(int cols, const char *const w[ROWS], const char *const x[COLS], size_t i, size_t left,
                        tile sum);

struct float_kind {
    float_step *step;
    size_t weight_size, x_size; // bytes of an element
};

// The partial sums of a strip; the scratch has those of a group.
typedef float strip_sums[TILES][COLS][ROWS][16];

static_assert(GROUP * sizeof(strip_sums) <= PANEL_BYTES, "strip_sums");

// A row or column of the job; the last one stands in for those that are not there.
INLINE const char *row_of(const struct dot_job *j, uint32_t r) {
    return j->w + (r < j->rows ? r : j->rows - 1) * j->row_size;
}

INLINE const char *column_of(const struct dot_job *j, uint32_t c) {
    return j->x + (c < j->cols ? c : j->cols - 1) * j->x_stride;
}

// A tile of rows times a strip of columns.
struct place {
    const char *w[ROWS], *x[COLS];
    const char *next; // a column of the next strip
    uint32_t row, col;
};

// The results of a tile.
INLINE void write_tile(uint32_t cols, const struct dot_job *j, const struct place *p, const tile sum) {
    UNROLL for (uint32_t c = 0; c < cols; c++) {
        float out[ROWS], *y = j->y + (p->col + c) * j->y_stride + p->row;
        if (p->col + c >= j->cols)
            return;
        v16_sums(sum[c], out);
        if (p->row + ROWS <= j->rows)
            memcpy(y, out, sizeof out);
        else
            memcpy(y, out, (j->rows - p->row) * sizeof *out);
    }
}

// Elements at .. end - 1 of a tile; the next weights and a column of the next strip are asked for meanwhile.
INLINE void add_tile(int cols, const struct float_kind k, const struct dot_job *j, const struct place *p, size_t at,
                     size_t end, struct ahead *ahead, float rest[COLS][ROWS][16]) {
    tile sum;
    size_t i = at;
    UNROLL for (int c = 0; c < cols; c++) UNROLL for (int r = 0; r < ROWS; r++) sum[c][r] =
        at == 0 ? _mm512_setzero_ps() : _mm512_load_ps(rest[c][r]);
    for (; i + STEP <= end; i += STEP) {
        prefetch(p->next + i * k.x_size, STEP * k.x_size);
        ask_ahead(ahead);
        k.step(cols, p->w, p->x, i, STEP, sum);
    }
    if (i < end)
        k.step(cols, p->w, p->x, i, end - i, sum);
    if (end == j->n)
        write_tile((uint32_t)cols, j, p, sum);
    else
        UNROLL for (int c = 0; c < cols; c++) UNROLL for (int r = 0; r < ROWS; r++)
            _mm512_store_ps(rest[c][r], sum[c][r]);
}

// Columns of the strip with which `left` columns go on: no tile is left half empty where another width can be had.
INLINE uint32_t strip_width(uint32_t left) {
    return left <= 4 || left == 7 || left == 8 ? 4 : COLS;
}

INLINE void add_strip(const struct float_kind k, const struct dot_job *j, uint32_t first, uint32_t width, size_t at,
                      size_t end, strip_sums *sums, struct ahead *ahead) {
    struct place p = {.col = first};
    for (uint32_t c = 0; c < COLS; c++)
        p.x[c] = column_of(j, first + c);
    for (uint32_t t = 0; t < TILES && t * ROWS < j->rows; t++) {
        p.row = t * ROWS;
        p.next = column_of(j, first + width + t);
        for (uint32_t r = 0; r < ROWS; r++)
            p.w[r] = row_of(j, p.row + r);
        if (width == COLS)
            add_tile(COLS, k, j, &p, at, end, ahead, (*sums)[t]);
        else
            add_tile(4, k, j, &p, at, end, ahead, (*sums)[t]);
    }
}

INLINE void gemm_rows(const struct float_kind k, const struct dot_job *j) {
    const size_t chunks = (j->n + CHUNK - 1) / CHUNK, len = round_up((j->n + chunks - 1) / chunks, STEP);
    struct ahead ahead = ahead_of(j, (j->cols + COLS - 1) / COLS * TILES * (j->n / STEP + 1));
    for (uint32_t first = 0; first < j->cols; first += GROUP * COLS)
        for (size_t at = 0; at < j->n; at += len) {
            strip_sums *sums = j->panel;
            for (uint32_t c = first, width; c < j->cols && c < first + GROUP * COLS; c += width) {
                width = strip_width(j->cols - c);
                add_strip(k, j, c, width, at, at + len < j->n ? at + len : j->n, sums++, &ahead);
            }
        }
}
