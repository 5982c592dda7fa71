// SPDX-License-Identifier: MIT
// AVX-512, many columns: what the panels of all integer formats share. Thirty-two rows of weights are unpacked to
// unsigned bytes, lanes are rows, four elements to a lane; a tile of 32 rows times six columns is multiplied in
// registers. The columns are taken in groups whose partial sums and zeros lie in the job's scratch before the panel;
// within a group a slice of the panel stays in the first-level cache while all its columns pass.
// Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/v16_avx512.h"

#define COLS 6 // 12 sums and 12 integer sums, 2 registers of weights, 1 of activations: 27 of 32
#define VECTORS (PANEL_ROWS / 16)
#define GROUP 48 // columns
#define STRIPS (GROUP / COLS)

// A column of activations beside what is made of it for a group of columns.
struct strip {
    const int8_t *q[COLS];
    const float *d[COLS], *s[COLS];
    const int16_t *bs[COLS];    // sums over as many elements as a minimum has
    const int32_t *zeros[COLS]; // -zero * sum of q, per run with an integer sum of its own
};

typedef float sums[8][GROUP][PANEL_ROWS]; // partial sums

// The parts of the scratch.
struct scratch {
    float (*sum)[GROUP][PANEL_ROWS];
    int32_t *zeros; // [GROUP][n / 16]
    int16_t *bs;    // [GROUP][n / 32]
    char *panel;
};

INLINE struct scratch cut(const struct dot_job *j) {
    size_t per_256 = j->n / 256 + 1;
    struct scratch s;
    char *p = j->panel;
    s.sum = (float(*)[GROUP][PANEL_ROWS])(void *)p;
    p += sizeof(sums);
    s.zeros = (int32_t *)(void *)p;
    p += per_256 * GROUP * 16 * sizeof *s.zeros;
    s.bs = (int16_t *)(void *)p;
    p += per_256 * GROUP * 8 * sizeof *s.bs;
    s.panel = p;
    return s;
}

#define GROUP_BYTES_PER_256 (GROUP * (16 * sizeof(int32_t) + 8 * sizeof(int16_t)))
static_assert(sizeof(sums) <= PANEL_BYTES, "sums");

// How a kind of panel wants its columns: -zero * the sum of x over runs of `run_len` elements (16, 32 or 256), and x's
// sums over 32 elements instead of 16.
struct wants {
    int zero, run_len;
    bool wide_bs;
};

// zeros and bs of one column from its sums over 16 elements.
INLINE void prepare_column(const struct wants want, const struct quant_vec *x, size_t n, int32_t *zeros, int16_t *bs) {
    const __m256i zero = _mm256_set1_epi16((short)-want.zero);
    for (size_t i = 0; i < n / 16; i += 16) {
        size_t left = n / 16 - i;
        __m256i v = _mm256_maskz_loadu_epi16(left < 16 ? lanes(left) : (__mmask16)0xffff, x->bs + i);
        __m256i pairs = _mm256_madd_epi16(v, zero);
        if (want.run_len == 32)
            _mm256_storeu_si256((void *)(zeros + i / 2), pairs);
        if (want.run_len == 16)
            _mm512_storeu_si512(zeros + i, _mm512_mullo_epi32(_mm512_cvtepi16_epi32(v), _mm512_set1_epi32(-want.zero)));
        if (want.run_len == 256)
            zeros[i / 16] = _mm512_reduce_add_epi32(_mm512_zextsi256_si512(pairs));
        if (want.wide_bs)
            _mm_storeu_si128((void *)(bs + i / 2), _mm256_cvtepi32_epi16(_mm256_madd_epi16(v, _mm256_set1_epi16(1))));
    }
}

// Points the strips at columns first .. first + cols - 1; the last one stands in for columns that are not there.
INLINE void prepare_group(const struct wants want, const struct dot_job *j, const struct scratch *s, uint32_t first,
                          uint32_t cols, struct strip strips[STRIPS]) {
    size_t stride = (j->n / 256 + 1) * 16;
    const struct quant_layout at = *j->layout;
    for (uint32_t c = 0; c < (cols + COLS - 1) / COLS * COLS; c++) {
        uint32_t col = c < cols ? c : cols - 1;
        const char *record = j->x + (first + col) * j->x_stride;
        struct quant_vec x = {
            NULL,
            (const int8_t *)(record + at.q),
            (const float *)(const void *)(record + at.d),
            (const float *)(const void *)(record + at.s),
            (const int16_t *)(const void *)(record + at.bs),
        };
        struct strip *to = &strips[c / COLS];
        uint32_t i = c % COLS;
        to->q[i] = x.q;
        to->d[i] = x.d;
        to->s[i] = x.s;
        to->zeros[i] = s->zeros + col * stride;
        to->bs[i] = want.wide_bs ? s->bs + col * stride / 2 : x.bs;
        if (c < cols && (want.zero || want.wide_bs))
            prepare_column(want, &x, j->n, s->zeros + col * stride, s->bs + col * stride / 2);
    }
}

// The tree of quant_sum8 over the partial sums of a group, and out. Where there are fewer than eight blocks the other
// sums are 0.
INLINE void finish(const struct dot_job *j, const struct scratch *s, uint32_t first, uint32_t cols, size_t blocks) {
    for (uint32_t c = 0; c < cols; c++)
        for (uint32_t v = 0; v < VECTORS; v++) {
            __m512 a[8];
            UNROLL for (size_t i = 0; i < 8; i++) a[i] =
                i < blocks ? _mm512_load_ps(s->sum[i][c] + 16 * v) : _mm512_setzero_ps();
            __m512 even = _mm512_add_ps(_mm512_add_ps(a[0], a[4]), _mm512_add_ps(a[2], a[6]));
            __m512 odd = _mm512_add_ps(_mm512_add_ps(a[1], a[5]), _mm512_add_ps(a[3], a[7]));
            uint32_t left = j->rows > 16 * v ? j->rows - 16 * v : 0;
            _mm512_mask_storeu_ps(j->y + (first + c) * j->y_stride + 16 * v,
                                  left < 16 ? lanes(left) : (__mmask16)0xffff, _mm512_add_ps(even, odd));
        }
}

INLINE int32_t word32(const void *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE __m512 same_float(const char *p) {
    float v;
    memcpy(&v, p, sizeof v);
    return _mm512_set1_ps(v);
}

// In each quarter, word k of in[0..3] becomes word 0..3 of out[k].
INLINE void turn_four(const __m512i in[4], __m512i out[4]) {
    __m512i a = _mm512_unpacklo_epi32(in[0], in[1]), b = _mm512_unpackhi_epi32(in[0], in[1]);
    __m512i c = _mm512_unpacklo_epi32(in[2], in[3]), d = _mm512_unpackhi_epi32(in[2], in[3]);
    out[0] = _mm512_unpacklo_epi64(a, c);
    out[1] = _mm512_unpackhi_epi64(a, c);
    out[2] = _mm512_unpacklo_epi64(b, d);
    out[3] = _mm512_unpackhi_epi64(b, d);
}

// One four-byte group of the panel times the first `cols` columns of a strip, added to acc.
INLINE void multiply(int cols, const uint8_t *w, const struct strip *x, size_t at, __m512i acc[COLS][VECTORS]) {
    __m512i weights[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) weights[v] = _mm512_load_si512(w + 64 * v);
    UNROLL for (int c = 0; c < cols; c++) {
        __m512i codes = _mm512_set1_epi32(word32(x->q[c] + at));
        UNROLL for (int v = 0; v < VECTORS; v++) acc[c][v] = _mm512_dpbusd_epi32(acc[c][v], weights[v], codes);
    }
}

#define GROUP_BYTES (PANEL_ROWS * 4) // of a panel: four elements of each row

// Turns 16 rows of 64 codes into groups: q[g] holds elements 4 g .. 4 g + 3 of each row.
INLINE void turn_rows(const __m512i rows[16], __m512i q[16]) {
    __m512i v[16];
    UNROLL for (int i = 0; i < 4; i++) turn_four(rows + 4 * i, v + 4 * i);
    // v[4 i + k] holds, for rows 4 i .. 4 i + 3, group k of each 128 bits: groups k, k + 4, k + 8, k + 12.
    UNROLL for (size_t k = 0; k < 4; k++) {
        __m512i a = _mm512_shuffle_i32x4(v[k], v[4 + k], 0x88), b = _mm512_shuffle_i32x4(v[8 + k], v[12 + k], 0x88);
        __m512i c = _mm512_shuffle_i32x4(v[k], v[4 + k], 0xdd), d = _mm512_shuffle_i32x4(v[8 + k], v[12 + k], 0xdd);
        q[k] = _mm512_shuffle_i32x4(a, b, 0x88);
        q[4 + k] = _mm512_shuffle_i32x4(c, d, 0x88);
        q[8 + k] = _mm512_shuffle_i32x4(a, b, 0xdd);
        q[12 + k] = _mm512_shuffle_i32x4(c, d, 0xdd);
    }
}

// Row r of the panel; the last row stands in for rows that are not there.
INLINE const char *panel_row(const struct dot_job *j, uint32_t r) {
    return j->w + (r < j->rows ? r : j->rows - 1) * j->row_size;
}

#define AHEAD_ROW 1024 // bytes

// What is read AHEAD_ROW bytes after byte `at` of a row; at the end of the row it is the one that comes next. So many
// rows are more streams than the hardware follows.
INLINE const char *ahead_in_row(const struct dot_job *j, uint32_t r, size_t at) {
    at += AHEAD_ROW;
    return at < j->row_size || !j->next ? j->w + r * j->row_size + at : j->next + r * j->row_size + at - j->row_size;
}

// Asks for the lines that begin in [p, p + size), so that stretches that follow each other ask for each line once.
INLINE void prefetch_lines(const char *p, size_t size) {
    for (size_t i = -(uintptr_t)p % 64; i < size; i += 64)
        _mm_prefetch(p + i, _MM_HINT_T1);
}
