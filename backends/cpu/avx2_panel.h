// SPDX-License-Identifier: MIT
// Panels of the 256-bit levels: sixteen rows of weights unpacked into unsigned bytes whose lanes are rows, four
// elements of a row to a lane, in the thread's scratch. Codes of eight bits are cut into two planes of four bits where
// products are added in 16 bits. Included between a level's begin and end headers, with COLS, PLANES and ZERO_FIRST
// defined: whether integer sums begin with what the zero takes off them.
#pragma once

#include "backends/cpu/avx2_codes_iq.h"
#include "backends/cpu/kernels.h"

#define ROWS 16
#define VECTORS (ROWS / 8)
#define GROUP (ROWS * 4) // bytes of a group of four elements of all rows

// What the work behind the unpacking depends on (avx2_formats.h).
struct shape32 {
    int each, fit, planes;
    bool zero, min;
};

struct shape256 {
    int sub, fit, planes;
    bool zero, min;
};

// How a format is unpacked.
struct source32 {
    codes_reader *codes;
    scale_reader *d, *m;
    size_t block_size;
    int runs;
};

struct source256 {
    codes_reader *codes;
    scales_reader *scales, *mins;
    scale_reader *d, *m;
    size_t block_size;
    int zero;
};

#define CHUNK 2048 // elements of the columns that a tile takes at a time

// The columns of a tile, from the element on at which a chunk begins.
struct columns {
    const int8_t *q[COLS];
    const float *d[COLS], *s[COLS];
    const int16_t *bs[COLS];                       // formats of 256: sums over as many elements as have a sub-scale
    _Alignas(32) int32_t offset[COLS][CHUNK / 16]; // -zero times the sum over what has a scale
    int16_t bs32[COLS][CHUNK / 32];
};

// A panel of a format of 32 is, run by run: codes [planes][8] groups, scales [each][ROWS], minimums [ROWS].
struct places32 {
    size_t d, m, size;
};

INLINE struct places32 places32(const struct shape32 s) {
    struct places32 p;
    p.d = (size_t)s.planes * 8 * GROUP;
    p.m = p.d + (size_t)s.each * ROWS * sizeof(float);
    p.size = p.m + (s.min ? ROWS * sizeof(float) : 0);
    return p;
}

// A panel of a format of 256 is, block by block: codes [planes][64] groups; sub-scales [256 / sub][ROWS], each twice in
// 16 bits; what multiplies the sums of the activations, [128 / sub][ROWS] pairs of 16 bits for two sub-blocks:
// minimums, or sub-scales times zero where sums do not begin with it; scales [ROWS]; scales of minimums [ROWS].
struct places256 {
    size_t scale, pair, d, m, size;
};

INLINE bool has_pairs(const struct shape256 s) {
    return s.min || !ZERO_FIRST;
}

INLINE struct places256 places256(const struct shape256 s) {
    struct places256 p;
    p.scale = (size_t)s.planes * 64 * GROUP;
    p.pair = p.scale + (size_t)(256 / s.sub) * GROUP;
    p.d = p.pair + (has_pairs(s) ? (size_t)(128 / s.sub) * GROUP : 0);
    p.m = p.d + ROWS * sizeof(float);
    p.size = p.m + (s.min ? ROWS * sizeof(float) : 0);
    return p;
}

// A sum as it stands: a compiler that regroups the additions of a loop as a tree needs more registers than there are.
INLINE __m256i in_order(__m256i v) {
    __asm__("" : "+x"(v));
    return v;
}

// Nothing loaded before is kept: there are no registers to keep it in.
INLINE void load_again(void) {
    __asm__ volatile("" ::: "memory");
}

// Turns 8 rows of 8 four-byte groups into 8 groups of 8 rows, stored a GROUP apart.
INLINE void store_transposed(const __m256i v[8], uint8_t *out) {
    __m256i t[8], u[8];
    UNROLL for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < 2; i++) {
        u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    // u[4 i + k] holds, for rows 4 i .. 4 i + 3, groups k and k + 4.
    UNROLL for (int k = 0; k < 4; k++) {
        _mm256_store_si256((void *)(out + k * GROUP), _mm256_permute2x128_si256(u[k], u[4 + k], 0x20));
        _mm256_store_si256((void *)(out + (k + 4) * GROUP), _mm256_permute2x128_si256(u[k], u[4 + k], 0x31));
    }
}

// 32 elements of eight rows; the planes are plane_size apart.
INLINE void store_codes(__m256i v[8], int planes, size_t plane_size, uint8_t *out) {
    if (planes == 2) {
        const __m256i low = _mm256_set1_epi8(15);
        __m256i half[8];
        UNROLL for (int r = 0; r < 8; r++) half[r] = _mm256_and_si256(_mm256_srli_epi16(v[r], 4), low);
        store_transposed(half, out + plane_size);
        UNROLL for (int r = 0; r < 8; r++) v[r] = _mm256_and_si256(v[r], low);
    }
    store_transposed(v, out);
}

// Row pointers of a panel from row `first` of the job on; the last row stands in for rows that are not there.
INLINE void panel_rows(const struct dot_job *j, uint32_t first, const char *row[ROWS]) {
    for (uint32_t r = 0; r < ROWS; r++)
        row[r] = j->w + min_size(first + r, j->rows - 1) * j->row_size;
}

// Rows follow each other in the file: what lies ROWS rows ahead is the next panel.
INLINE void prefetch_next(const struct dot_job *j, const char *row[ROWS], size_t at, size_t size) {
    for (int r = 0; r < ROWS; r++)
        prefetch(row[r] + at + ROWS * j->row_size, size);
}

INLINE void unpack32(const struct shape32 s, const struct source32 f, const struct dot_job *j, uint32_t first) {
    const struct places32 at = places32(s);
    const char *row[ROWS];
    uint8_t *p = j->panel;
    panel_rows(j, first, row);
    for (size_t b = 0; b < j->n / 32; b++, p += at.size) {
        size_t block = b / (size_t)f.runs * f.block_size;
        int run = (int)(b % (size_t)f.runs);
        float *d = (float *)(void *)(p + at.d), *m = (float *)(void *)(p + at.m);
        if (b % 8 == 0)
            prefetch_next(j, row, block, 8 / (size_t)f.runs * f.block_size);
        for (int v = 0; v < VECTORS; v++) {
            __m256i q[8];
            for (int r = 0; r < 8; r++)
                q[r] = f.codes(row[8 * v + r] + block, run);
            store_codes(q, s.planes, 8 * GROUP, p + 32 * v);
        }
        for (int r = 0; r < ROWS; r++) {
            UNROLL for (int i = 0; i < s.each; i++) d[i * ROWS + r] = f.d(row[r] + block, run * s.each + i);
            if (s.min)
                m[r] = f.m(row[r] + block, run);
        }
    }
}

// Sixteen sub-scales of a row, and its minimums, as they stand in the panel.
INLINE void store_scales(const struct shape256 s, const struct source256 f, const char *block, uint8_t *panel, int r) {
    const struct places256 at = places256(s);
    int16_t scale[16], pair[16];
    __m256i scales = _mm256_cvtepi8_epi16(f.scales(block));
    __m256i pairs =
        s.min ? _mm256_cvtepu8_epi16(f.mins(block)) : _mm256_mullo_epi16(scales, _mm256_set1_epi16((short)f.zero));
    _mm256_storeu_si256((void *)scale, scales);
    _mm256_storeu_si256((void *)pair, pairs);
    UNROLL for (int i = 0; i < 256 / s.sub; i++) {
        int16_t *twice = (int16_t *)(void *)(panel + at.scale + i * GROUP) + 2 * r;
        twice[0] = twice[1] = scale[i * s.sub / 16];
        if (has_pairs(s))
            ((int16_t *)(void *)(panel + at.pair + i / 2 * GROUP))[2 * r + i % 2] = pair[i * s.sub / 16];
    }
}

INLINE void unpack256(const struct shape256 s, const struct source256 f, const struct dot_job *j, uint32_t first) {
    const struct places256 at = places256(s);
    const char *row[ROWS];
    uint8_t *p = j->panel;
    panel_rows(j, first, row);
    for (size_t b = 0; b < j->n / 256; b++, p += at.size) {
        float *d = (float *)(void *)(p + at.d), *m = (float *)(void *)(p + at.m);
        prefetch_next(j, row, b * f.block_size, f.block_size);
        for (int v = 0; v < VECTORS; v++) {
            __m256i q[8][8];
            for (int r = 0; r < 8; r++)
                UNROLL for (int c = 0; c < 8; c++) q[c][r] = f.codes(row[8 * v + r] + b * f.block_size, c);
            for (int c = 0; c < 8; c++)
                store_codes(q[c], s.planes, 64 * GROUP, p + 8 * c * GROUP + 32 * v);
        }
        for (int r = 0; r < ROWS; r++) {
            const char *block = row[r] + b * f.block_size;
            store_scales(s, f, block, p, r);
            d[r] = f.d(block, 0);
            if (s.min)
                m[r] = f.m(block, 0);
        }
    }
}
