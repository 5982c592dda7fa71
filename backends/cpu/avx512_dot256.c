// SPDX-License-Identifier: MIT
// AVX-512, few columns, formats with one float scale per 256 elements. The lanes of a sum are four rows; their codes
// are read once for all columns.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_grids.h"
#include "backends/cpu/avx512_sums4.h"

#define ROWS 4
#define MAX_COLS 8 // at once

// Pairs of products beyond 16 bits (most * 127 * 2) need the dot instruction and a multiplication in 32 bits;
// sub-scales of such formats are those of 32 elements.
#define WIDE_CODE 129

// What stands beside the codes in the blocks of four rows.
struct heads {
    __m512i scale[ROWS]; // int16: the row's sub-scales (Q4_K, Q5_K: all eight in each quarter)
    __m512i mins;        // int16: eight minimums of each row in a quarter (Q4_K, Q5_K)
    __m256i min[ROWS];   // int16 (other formats with minimums)
    __m128 d, dmin;
};

// The headers of Q4_K, four rows in the four quarters of a vector: d and dmin, then twelve bytes with eight scales and
// eight minimums of six bits.
INLINE void heads_of_q4_k(const char *const w[ROWS], struct heads *h) {
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)w[0]));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)w[1]), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)w[2]), 2);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)w[3]), 3);
    const __m512i low_bytes =
        _mm512_broadcast_i32x4(_mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
    const __m512i high_bytes =
        _mm512_broadcast_i32x4(_mm_setr_epi8(-1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, 11));
    const __m512i keep = _mm512_broadcast_i32x4(_mm_setr_epi32(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f));
    __m512i low =
        _mm512_srlv_epi32(_mm512_shuffle_epi8(v, low_bytes), _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0, 0, 4)));
    __m512i high = _mm512_srli_epi16(_mm512_shuffle_epi8(v, high_bytes), 2);
    __m512i six = _mm512_or_si512(_mm512_and_si512(low, keep), _mm512_and_si512(high, _mm512_set1_epi8(0x30)));
    // Scales are the even 64 bits, minimums the odd ones.
    __m512i sorted = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), six);
    __m512i scales = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(sorted));
    h->mins = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(sorted, 1));
    // Words 0, 8, 16, 24 and the ones behind them.
    const __m512i at = _mm512_castsi128_si512(_mm_setr_epi16(0, 8, 16, 24, 1, 9, 17, 25));
    __m256 both = _mm256_cvtph_ps(_mm512_castsi512_si128(_mm512_permutexvar_epi16(at, v)));
    h->d = _mm256_castps256_ps128(both);
    h->dmin = _mm256_extractf128_ps(both, 1);
    h->scale[0] = _mm512_shuffle_i64x2(scales, scales, 0x00);
    h->scale[1] = _mm512_shuffle_i64x2(scales, scales, 0x55);
    h->scale[2] = _mm512_shuffle_i64x2(scales, scales, 0xaa);
    h->scale[3] = _mm512_shuffle_i64x2(scales, scales, 0xff);
}

INLINE void heads_of(const struct format256 f, const char *const w[ROWS], struct heads *h) {
    uint16_t d[ROWS], dmin[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) {
        h->scale[r] = f.scales ? _mm512_castsi256_si512(_mm256_cvtepi8_epi16(f.scales(w[r]))) : _mm512_setzero_si512();
        d[r] = f.half(w[r]);
        if (f.mins) {
            h->min[r] = _mm256_cvtepu8_epi16(f.mins(w[r]));
            dmin[r] = half_at(w[r] + offsetof(struct block_q2_k, dmin));
        }
    }
    h->d = _mm_mul_ps(four_halves(d), _mm_set1_ps(f.factor));
    if (f.mins)
        h->dmin = four_halves(dmin);
}

// The sub-scale of each of the 32 words of the bytes of 64 elements, the i-th of a block.
INLINE __m512i scale_words(bool packed, __m512i scales, int i) {
    const long long one = 0x0001000100010001;
    if (!packed) {
        __m512i lane = _mm512_setr_epi64(0, 0, one, one, 2 * one, 2 * one, 3 * one, 3 * one);
        return _mm512_permutexvar_epi16(_mm512_add_epi16(lane, _mm512_set1_epi16((short)(4 * i))), scales);
    }
    __m512i word = _mm512_setr_epi64(0, 0, 0, 0, one, one, one, one);
    word = _mm512_add_epi16(word, _mm512_set1_epi16((short)(2 * i)));
    // Word k is the bytes 2 k and 2 k + 1.
    return _mm512_shuffle_epi8(
        scales, _mm512_add_epi16(_mm512_mullo_epi16(word, _mm512_set1_epi16(0x0202)), _mm512_set1_epi16(0x0100)));
}

// A row's codes and, for each pair of them, its sub-scale in 16 bits. With wide codes `scale` is one vector of 32 bits:
// twice the sub-scales of the even 32 elements, then twice those of the odd ones.
struct row_codes {
    __m512i q[4], scale[4];
};

INLINE bool has_packed_heads(const struct format256 f) {
    return f.scales == scales_q4_k;
}

INLINE void read_codes(const struct format256 f, const char *w, const struct heads *h, int r, struct row_codes *c) {
    f.codes(w, c->q);
    if (!f.scales)
        return;
    if (f.most >= WIDE_CODE) {
        const __m512i even_odd = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 2, 6, 10, 14, 2, 6, 10, 14);
        __m512i scales = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(h->scale[r]));
        c->scale[0] = _mm512_permutexvar_epi32(even_odd, scales);
        return;
    }
    UNROLL for (int i = 0; i < 4; i++) c->scale[i] = scale_words(has_packed_heads(f), h->scale[r], i);
}

INLINE __m256i times(__m256i v, int k) {
    switch (k) {
    case 1:
        return v;
    case 4:
        return _mm256_slli_epi32(v, 2);
    case 32:
        return _mm256_slli_epi32(v, 5);
    case 64:
        return _mm256_slli_epi32(v, 6);
    case 128:
        return _mm256_slli_epi32(v, 7);
    default:
        return _mm256_mullo_epi32(v, _mm256_set1_epi32(k));
    }
}

// What the zero of the codes adds to a row's sum: zero * sum of scale * x.
INLINE __m512i zero_lanes(const struct format256 f, const struct heads *h, int r, const int16_t *bs) {
    __m256i scale = f.scales ? _mm512_castsi512_si256(h->scale[r]) : _mm256_set1_epi16(1);
    __m256i sum = _mm256_madd_epi16(scale, _mm256_loadu_si256((const void *)bs));
    return _mm512_zextsi256_si512(times(sum, f.zero));
}

// The sum of scale * code * x of wide codes. A vector of products has eight lanes for each of two sub-scales; the four
// are added up so that each 128 bits have a lane of each.
INLINE __m512i wide_lanes(const struct row_codes *c, const int8_t *q) {
    __m512i v[4];
    UNROLL for (int i = 0; i < 4; i++) v[i] =
        _mm512_dpbusd_epi32(_mm512_setzero_si512(), c->q[i], _mm512_loadu_si512(q + 64 * i));
    __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
    __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
    __m512i sums = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    return _mm512_mullo_epi32(sums, c->scale[0]);
}

// One row's block: the sum of scale * (code - zero) * x over sixteen lanes.
INLINE __m512i row_lanes(const struct format256 f, const struct row_codes *c, const struct heads *h, int r,
                         const int8_t *q, const int16_t *bs) {
    __m512i sum = _mm512_setzero_si512();
    if (f.most >= WIDE_CODE)
        sum = wide_lanes(c, q);
    else
        UNROLL for (int i = 0; i < 4; i++) {
            __m512i x = _mm512_loadu_si512(q + 64 * i);
            sum = f.scales ? _mm512_dpwssd_epi32(sum, _mm512_maddubs_epi16(c->q[i], x), c->scale[i])
                           : _mm512_dpbusd_epi32(sum, c->q[i], x);
        }
    return f.zero ? _mm512_sub_epi32(sum, zero_lanes(f, h, r, bs)) : sum;
}

// The sums of minimum * x of four rows.
INLINE __m128i offsets(const struct format256 f, const struct heads *h, const int16_t *bs) {
    const __m256i of_x = _mm256_loadu_si256((const void *)bs);
    if (!has_packed_heads(f)) {
        __m512i v[ROWS];
        UNROLL for (int r = 0; r < ROWS; r++) v[r] = _mm512_zextsi256_si512(_mm256_madd_epi16(h->min[r], of_x));
        return int_sums_of_four(v[0], v[1], v[2], v[3]);
    }
    __m256i pairs = _mm256_madd_epi16(of_x, _mm256_set1_epi16(1));
    __m512i v = _mm512_madd_epi16(h->mins, _mm512_broadcast_i32x4(_mm256_cvtepi32_epi16(pairs)));
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0x4e));
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0xb1));
    const __m512i quarters = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castsi512_si128(_mm512_permutexvar_epi32(quarters, v));
}

// What block b of four rows adds to one column's partial sum.
INLINE __m128 add_block(const struct format256 f, const struct heads *h, const __m512i lanes4[ROWS],
                        const struct quant_vec *x, size_t b, __m128 acc) {
    __m128 d = _mm_set1_ps(x->d[b]);
    __m128i sum = int_sums_of_four(lanes4[0], lanes4[1], lanes4[2], lanes4[3]);
    acc = _mm_fmadd_ps(_mm_mul_ps(h->d, d), _mm_cvtepi32_ps(sum), acc);
    if (!f.mins)
        return acc;
    return _mm_fnmadd_ps(_mm_mul_ps(h->dmin, d), _mm_cvtepi32_ps(offsets(f, h, x->bs + 16 * b)), acc);
}

INLINE void heads_at(const struct format256 f, const char *const row[ROWS], size_t b, struct heads *h) {
    const char *w[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) w[r] = row[r] + b * f.block_size;
    if (has_packed_heads(f))
        heads_of_q4_k(w, h);
    else
        heads_of(f, w, h);
}

// Four rows times `cols` columns; acc[c][b mod 8] holds the four rows' partial sums. Heads are read a block ahead: all
// of a block's work waits for them, and where a page is new they come late.
INLINE void add_blocks(const struct format256 f, const char *const row[ROWS], const struct quant_vec *x, uint32_t cols,
                       size_t n, const char *ahead, __m128 acc[MAX_COLS][8]) {
    struct heads h, next;
    heads_at(f, row, 0, &next);
    for (size_t b = 0; b < n / 256; b++) {
        struct row_codes codes;
        __m512i sum[MAX_COLS][ROWS];
        prefetch(ahead + b * ROWS * f.block_size, ROWS * f.block_size);
        h = next;
        heads_at(f, row, b + 1 < n / 256 ? b + 1 : b, &next);
        UNROLL for (int r = 0; r < ROWS; r++) {
            read_codes(f, row[r] + b * f.block_size, &h, r, &codes);
            for (uint32_t c = 0; c < cols; c++)
                sum[c][r] = row_lanes(f, &codes, &h, r, x[c].q + 256 * b, x[c].bs + 16 * b);
        }
        for (uint32_t c = 0; c < cols; c++)
            acc[c][b % 8] = add_block(f, &h, sum[c], &x[c], b, acc[c][b % 8]);
    }
}

INLINE void rows_dot(const struct format256 f, const struct dot_job *j, uint32_t first, uint32_t cols) {
    struct quant_vec x[MAX_COLS];
    for (uint32_t c = 0; c < cols; c++)
        x[c] = quant_act_vec(j->layout, j->x + (first + c) * j->x_stride);
    for (uint32_t r = 0; r < j->rows; r += ROWS) {
        const char *row[ROWS];
        uint32_t rows = j->rows - r < ROWS ? j->rows - r : ROWS;
        for (uint32_t i = 0; i < ROWS; i++)
            row[i] = j->w + (r + (i < rows ? i : rows - 1)) * j->row_size;
        __m128 acc[MAX_COLS][8];
        for (uint32_t c = 0; c < cols; c++)
            UNROLL for (int i = 0; i < 8; i++) acc[c][i] = _mm_setzero_ps();
        add_blocks(f, row, x, cols, j->n, ahead_of_row(j, r, ROWS), acc);
        for (uint32_t c = 0; c < cols; c++)
            _mm_mask_storeu_ps(j->y + (first + c) * j->y_stride + r, (__mmask8)((1u << rows) - 1),
                               sum8_of_four(acc[c]));
    }
}

INLINE void dot256(const struct format256 f, const struct dot_job *j) {
    if (j->cols == 1)
        rows_dot(f, j, 0, 1);
    else
        for (uint32_t c = 0; c < j->cols; c += MAX_COLS)
            rows_dot(f, j, c, j->cols - c < MAX_COLS ? j->cols - c : MAX_COLS);
}

#define DOT256(sym, scales, mins, factor, zero, most)                                                                  \
    void avx512_dot_##sym(const struct dot_job *j) {                                                                   \
        dot256(                                                                                                        \
            (struct format256){codes_##sym, scales, mins, half_##sym, sizeof(struct block_##sym), factor, zero, most}, \
            j);                                                                                                        \
    }
FORMATS256(DOT256)

#include "backends/cpu/avx512_end.h"

void avx512_fill_dot256(struct kernels *k) {
#define SLOT(sym, scales, mins, factor, zero, most) k->dot[QUANT_##sym] = avx512_dot_##sym;
    FORMATS256(SLOT)
}

#endif
