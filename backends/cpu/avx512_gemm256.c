// SPDX-License-Identifier: MIT
// AVX-512, many columns, formats with one float scale per 256 elements. Sub-scales are multiplied as integers. Where
// code times sub-scale fits a byte, the panel holds the products, and a block is one sum. Else each part of a block is
// summed by itself and multiplied in 32 bits.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_gemm.h"
#include "backends/cpu/avx512_grids.h"
#include "backends/cpu/avx512_heads256.h"
#include "backends/cpu/avx512_turned256.h"

// A block of a panel.
struct panel256 {
    uint8_t q[64][GROUP_BYTES];
    int32_t scale[16][PANEL_ROWS]; // a part each
    int32_t min[8][PANEL_ROWS];    // two int16 each, of consecutive runs
    float d[PANEL_ROWS], dmin[PANEL_ROWS];
};

static_assert(sizeof(struct panel256) + GROUP_BYTES_PER_256 <= PANEL_BYTES_PER_256, "panel256");

// What the multiplication has to know of a format.
struct kind {
    int part_len; // elements that are summed before scaling: 16, 32; 256: the panel holds products
    int min_len;  // elements with one minimum: 16 or 32; 0: none
    bool halved;  // the panel holds (product + zero) / 2, because products are odd
};

// code * scale + offset (modulo 256) byte by byte; scale and offset are given for pairs of bytes in 16 bits.
INLINE __m512i scaled_bytes(__m512i codes, __m512i scale, __m512i offset) {
    const __m512i low = _mm512_set1_epi16(0xff);
    __m512i even = _mm512_mullo_epi16(codes, scale);
    __m512i odd = _mm512_slli_epi16(_mm512_mullo_epi16(_mm512_srli_epi16(codes, 8), scale), 8);
    return _mm512_add_epi8(_mm512_ternarylogic_epi64(low, even, odd, 0xca), offset);
}

// The sub-scales (int16, sixteen) spread to the words of elements 64 i .. 64 i + 63.
INLINE __m512i spread_scales(__m256i scales, int i) {
    const long long one = 0x0001000100010001;
    const __m512i lane = _mm512_setr_epi64(0, 0, one, one, 2 * one, 2 * one, 3 * one, 3 * one);
    return _mm512_permutexvar_epi16(_mm512_add_epi16(lane, _mm512_set1_epi16((short)(4 * i))),
                                    _mm512_castsi256_si512(scales));
}

INLINE void panel_q2_k(const char *b, __m512i q[4]) {
    __m256i scales = _mm256_cvtepi8_epi16(scales_q2_k(b));
    codes_q2_k(b, q);
    UNROLL for (int i = 0; i < 4; i++) q[i] = scaled_bytes(q[i], spread_scales(scales, i), _mm512_setzero_si512());
}

#define ZERO_Q3_K 127 // products are -124 .. 128

INLINE void panel_q3_k(const char *b, __m512i q[4]) {
    __m256i scales = _mm256_cvtepi8_epi16(scales_q3_k(b));
    codes_q3_k(b, q);
    UNROLL for (int i = 0; i < 4; i++) q[i] =
        scaled_bytes(_mm512_sub_epi8(q[i], _mm512_set1_epi8(4)), spread_scales(scales, i), _mm512_set1_epi8(ZERO_Q3_K));
}

#define ZERO_IQ1 135 // products are odd, -135 .. 135

// (product + 135) / 2 for product = scale * (code - 9): codes are even and scales odd.
INLINE void halve_products(__m512i q[4], __m128i scales) {
    __m256i s = _mm256_cvtepi8_epi16(scales);
    // code / 2 * s + (135 - 9 s) / 2
    __m256i offset = _mm256_sub_epi16(_mm256_set1_epi16(ZERO_IQ1), _mm256_mullo_epi16(s, _mm256_set1_epi16(9)));
    offset = _mm256_srli_epi16(offset, 1);
    offset = _mm256_or_si256(offset, _mm256_slli_epi16(offset, 8));
    UNROLL for (int i = 0; i < 4; i++) q[i] =
        scaled_bytes(_mm512_srli_epi16(q[i], 1), spread_scales(s, i), spread_scales(offset, i));
}

INLINE void panel_iq1_s(const char *b, __m512i q[4]) {
    codes_iq1_s(b, q);
    halve_products(q, scales_iq1_s(b));
}

INLINE void panel_iq1_m(const char *b, __m512i q[4]) {
    codes_iq1_m(b, q);
    halve_products(q, scales_iq1_m(b));
}

// The codes of the rows 16 v .. 16 v + 15.
INLINE void unpack_codes(size_t size, codes256_reader *read, const char *w, size_t stride, const char *const ask[16],
                         struct panel256 *p, int v) {
    __m512i q[4][16];
    for (size_t r = 0; r < 16; r++) {
        __m512i row[4];
        prefetch_lines(ask[r], size);
        read(w + r * stride, row);
        UNROLL for (int i = 0; i < 4; i++) q[i][r] = row[i];
    }
    for (int i = 0; i < 4; i++) {
        __m512i turned[16];
        turn_rows(q[i], turned);
        UNROLL for (int g = 0; g < 16; g++) _mm512_store_si512(p->q[16 * i + g] + 64 * v, turned[g]);
    }
}

// Byte i of each word, widened with its sign.
INLINE __m512i widened(__m512i words, size_t i) {
    return _mm512_srai_epi32(_mm512_slli_epi32(words, (unsigned)(24 - 8 * i)), 24);
}

// Bytes 2 i and 2 i + 1 of each word, widened.
INLINE __m512i widened_pair(__m512i words, size_t i) {
    return _mm512_shuffle_epi8(
        words, _mm512_broadcast_i32x4(i ? _mm_setr_epi8(2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15, -1)
                                        : _mm_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1)));
}

// What stands beside the codes of the rows 16 v .. 16 v + 15.
INLINE void unpack_head(const struct kind k, head_reader *read, const char *w, size_t stride, struct panel256 *p,
                        int v) {
    struct head h;
    read(w, stride, &h);
    _mm512_store_ps(p->d + 16 * v, h.d);
    if (k.part_len < 256)
        UNROLL for (size_t i = 0; i < 256 / (size_t)k.part_len; i++)
            _mm512_store_si512(p->scale[i] + 16 * v, widened(h.scales[i * h.each / 4], i * h.each % 4));
    if (!k.min_len)
        return;
    _mm512_store_ps(p->dmin + 16 * v, h.dmin);
    UNROLL for (size_t i = 0; i < 128 / (size_t)k.min_len; i++)
        _mm512_store_si512(p->min[i] + 16 * v, widened_pair(h.mins[i / 2], i % 2));
}

// Block b of all rows; where rows are missing they are read through a copy.
INLINE void unpack256(size_t size, const struct kind k, codes256_reader *read, head_reader *head,
                      const struct dot_job *j, size_t b, struct panel256 *p) {
    char copy[PANEL_ROWS * sizeof(struct block_q6_k)]; // the largest
    const bool whole = j->rows == PANEL_ROWS;
    const size_t stride = whole ? j->row_size : size, at = b * size;
    const char *w = whole ? j->w + at : copy, *ask[PANEL_ROWS];
    if (!whole)
        copy_runs(j, 0, PANEL_ROWS, at, size, size, copy);
    for (uint32_t r = 0; r < PANEL_ROWS; r++)
        ask[r] = ahead_in_row(j, r, at);
    for (int v = 0; v < VECTORS; v++, w += 16 * stride) {
        unpack_codes(size, read, w, stride, ask + 16 * v, p, v);
        unpack_head(k, head, w, stride, p, v);
    }
}

typedef __m512i tile[COLS][VECTORS];

// The integer sums of a block times `cols` columns of a strip.
INLINE void sum_parts(int cols, const struct kind k, bool has_zero, const struct panel256 *p, const struct strip *x,
                      size_t b, tile total) {
    const size_t parts = 256 / (size_t)k.part_len, groups = (size_t)k.part_len / 4;
    UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) total[c][v] = _mm512_setzero_si512();
    for (size_t i = 0; i < parts; i++) {
        tile acc;
        UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) acc[c][v] =
            has_zero ? _mm512_set1_epi32(x->zeros[c][parts * b + i]) : _mm512_setzero_si512();
        UNROLL for (size_t g = 0; g < groups; g++)
            multiply(cols, p->q[groups * i + g], x, 256 * b + 4 * (groups * i + g), acc);
        UNROLL for (int v = 0; v < VECTORS; v++) {
            const __m512i scale = _mm512_load_si512(p->scale[i] + 16 * v);
            UNROLL for (int c = 0; c < cols; c++) total[c][v] =
                _mm512_add_epi32(total[c][v], _mm512_mullo_epi32(acc[c][v], scale));
        }
    }
}

INLINE void sum_products(int cols, bool has_zero, bool halved, const struct panel256 *p, const struct strip *x,
                         size_t b, tile total) {
    UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) total[c][v] =
        has_zero && !halved ? _mm512_set1_epi32(x->zeros[c][b]) : _mm512_setzero_si512();
    for (size_t i = 0; i < 64; i += 8)
        UNROLL for (size_t g = i; g < i + 8; g++) multiply(cols, p->q[g], x, 256 * b + 4 * g, total);
    if (halved)
        UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) total[c][v] =
            _mm512_add_epi32(_mm512_slli_epi32(total[c][v], 1), _mm512_set1_epi32(x->zeros[c][b]));
}

// Sums of minimum * x for one column and sixteen rows.
INLINE __m512i sum_mins(int min_len, const struct panel256 *p, const int16_t *bs, size_t b, int v) {
    const size_t pairs = 128 / (size_t)min_len;
    __m512i sum = _mm512_setzero_si512();
    UNROLL for (size_t i = 0; i < pairs; i++) sum = _mm512_dpwssd_epi32(
        sum, _mm512_set1_epi32(word32(bs + 2 * (pairs * b + i))), _mm512_load_si512(p->min[i] + 16 * v));
    return sum;
}

// Block b times `cols` columns of a strip, added to its partial sums.
INLINE void tile256(int cols, const struct kind k, bool has_zero, const struct panel256 *p, const struct strip *x,
                    size_t b, float sum[COLS][PANEL_ROWS]) {
    tile total;
    if (k.part_len == 256)
        sum_products(cols, has_zero, k.halved, p, x, b, total);
    else
        sum_parts(cols, k, has_zero, p, x, b, total);
    UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) {
        const __m512 d = _mm512_set1_ps(x->d[c][b]);
        __m512 s = b < 8 ? _mm512_setzero_ps() : _mm512_load_ps(sum[c] + 16 * v);
        s = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_load_ps(p->d + 16 * v), d), _mm512_cvtepi32_ps(total[c][v]), s);
        if (k.min_len) {
            __m512i offset = sum_mins(k.min_len, p, x->bs[c], b, v);
            s = _mm512_fnmadd_ps(_mm512_mul_ps(_mm512_load_ps(p->dmin + 16 * v), d), _mm512_cvtepi32_ps(offset), s);
        }
        _mm512_store_ps(sum[c] + 16 * v, s);
    }
}

// The same for any number of columns.
INLINE void strip256(uint32_t cols, const struct kind k, bool has_zero, const struct panel256 *p, const struct strip *x,
                     size_t b, float sum[COLS][PANEL_ROWS]) {
    if (cols > 4)
        tile256(6, k, has_zero, p, x, b, sum);
    else if (cols > 2)
        tile256(4, k, has_zero, p, x, b, sum);
    else
        tile256(2, k, has_zero, p, x, b, sum);
}

// Unpacks block b of a job's rows.
typedef void block_reader(const struct dot_job *j, size_t b, struct panel256 *p);

// A block is unpacked when the first group of columns comes to it; one group needs no more than the block at hand.
INLINE void multiply256(const struct kind k, int zero, block_reader *read, const struct dot_job *j) {
    const struct scratch s = cut(j);
    struct panel256 *panel = (struct panel256 *)(void *)s.panel;
    struct ahead ahead = ahead_of(j, (j->cols + COLS - 1) / COLS * (j->n / 256));
    for (uint32_t first = 0; first < j->cols; first += GROUP) {
        struct strip strips[STRIPS];
        uint32_t cols = j->cols - first < GROUP ? j->cols - first : GROUP;
        prepare_group((struct wants){zero, k.part_len, k.min_len == 32}, j, &s, first, cols, strips);
        for (size_t b = 0; b < j->n / 256; b++) {
            struct panel256 *p = panel + (j->cols <= GROUP ? 0 : b);
            if (first == 0)
                read(j, b, p);
            for (uint32_t c = 0; c < cols; c += COLS) {
                if (j->cols > GROUP)
                    ask_ahead(&ahead);
                strip256(cols - c, k, zero != 0, p, &strips[c / COLS], b, s.sum[b % 8] + c);
            }
        }
        finish(j, &s, first, cols, j->n / 256);
    }
}

#include "backends/cpu/avx512_few256.h"

// The kinds: X(name, elements of a part, elements of a minimum, halved).
#define KINDS(X)                                                                                                       \
    X(products, 256, 0, false)                                                                                         \
    X(products_halved, 256, 0, true)                                                                                   \
    X(products_min, 256, 16, false)                                                                                    \
    X(wide16, 16, 0, false)                                                                                            \
    X(wide32, 32, 0, false)                                                                                            \
    X(wide32_min, 32, 32, false)

// What follows the unpacking is the same for formats of a kind.
#define KIND(name, part_len, min_len, halved)                                                                          \
    static const struct kind name = {part_len, min_len, halved};                                                       \
    static void multiply_##name(block_reader *read, int zero, const struct dot_job *j) {                               \
        multiply256((struct kind){part_len, min_len, halved}, zero, read, j);                                          \
    }
KINDS(KIND)

// A format whose rows are read one by one for few columns as well.
#define BY_ROWS(sym, codes)                                                                                            \
    INLINE void step_##sym(const char *w, size_t stride, size_t i, __m512i *rest, __m512i q[16]) {                     \
        step_by_rows(codes, w, stride, i, rest, q);                                                                    \
    }
BY_ROWS(iq1_s, panel_iq1_s)
BY_ROWS(iq1_m, panel_iq1_m)
BY_ROWS(iq2_xxs, codes_iq2_xxs)
BY_ROWS(iq2_xs, codes_iq2_xs)
BY_ROWS(iq2_s, codes_iq2_s)
BY_ROWS(iq3_xxs, codes_iq3_xxs)
BY_ROWS(iq3_s, codes_iq3_s)
BY_ROWS(tq1_0, codes_tq1_0)

// How each format is multiplied: X(symbol, kind, reader of the panel, zero; for few columns kind, zero, elements
// between the halves of a step; from how many columns on turning rows pays (measured)).
#define PANELS256(X)                                                                                                   \
    X(q2_k, products_min, panel_q2_k, 0, products_min, 0, 32, 2)                                                       \
    X(q3_k, products, panel_q3_k, ZERO_Q3_K, wide16, 4, 32, 2)                                                         \
    X(q4_k, wide32_min, codes_q4_k, 0, wide32_min, 0, 32, 2)                                                           \
    X(q5_k, wide32_min, codes_q5_k, 0, wide32_min, 0, 32, 2)                                                           \
    X(q6_k, wide16, codes_q6_k, 32, wide16, 32, 64, 2)                                                                 \
    X(iq1_s, products_halved, panel_iq1_s, ZERO_IQ1, products_halved, ZERO_IQ1, 32, 4)                                 \
    X(iq1_m, products_halved, panel_iq1_m, ZERO_IQ1, products_halved, ZERO_IQ1, 32, 3)                                 \
    X(iq2_xxs, wide32, codes_iq2_xxs, GRID_ZERO, wide32, GRID_ZERO, 32, 2)                                             \
    X(iq2_xs, wide16, codes_iq2_xs, GRID_ZERO, wide16, GRID_ZERO, 32, 2)                                               \
    X(iq2_s, wide16, codes_iq2_s, GRID_ZERO, wide16, GRID_ZERO, 32, 2)                                                 \
    X(iq3_xxs, wide32, codes_iq3_xxs, GRID_ZERO, wide32, GRID_ZERO, 32, 2)                                             \
    X(iq3_s, wide32, codes_iq3_s, GRID_ZERO, wide32, GRID_ZERO, 32, 2)                                                 \
    X(iq4_xs, wide32, codes_iq4_xs, 128, wide32, 128, 32, 2)                                                           \
    X(tq1_0, products, codes_tq1_0, 1, products, 1, 32, 3)                                                             \
    X(tq2_0, products, codes_tq2_0, 1, products, 1, 32, 2)

#define GEMM256(sym, kind, read, zero, few_kind, few_zero, apart, least)                                               \
    static void unpack_##sym(const struct dot_job *j, size_t b, struct panel256 *p) {                                  \
        unpack256(sizeof(struct block_##sym), kind, read, head_##sym, j, b, p);                                        \
    }                                                                                                                  \
    static void few_##sym(const struct few256 *f, const char *w, size_t stride, const struct few_block *block) {       \
        few_block(sizeof(struct block_##sym), few_kind, few_zero, head_##sym, step_##sym, apart, f, w, stride, block); \
    }                                                                                                                  \
    static void gemm_##sym(const struct dot_job *j) {                                                                  \
        if (j->cols <= FEW_COLS)                                                                                       \
            few256(few_##sym, sizeof(struct block_##sym), few_kind, few_zero, j);                                      \
        else                                                                                                           \
            multiply_##kind(unpack_##sym, zero, j);                                                                    \
    }

PANELS256(GEMM256)

#include "backends/cpu/avx512_end.h"

void avx512_fill_gemm256(struct kernels *k) {
#define SLOT(sym, kind, read, zero, few_kind, few_zero, apart, least)                                                  \
    k->gemm[QUANT_##sym] = gemm_##sym, k->gemm_cols[QUANT_##sym] = least;
    PANELS256(SLOT)
}

#endif
