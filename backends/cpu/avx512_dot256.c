// SPDX-License-Identifier: MIT
// AVX-512, one column, formats with one float scale per 256 elements. The lanes of a sum are four rows. avx512_one.c
// has those that gain by another order of the column.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_codes256.h"
#include "backends/cpu/avx512_sums4.h"

#define ROWS 4

struct format256 {
    codes256_reader *codes;
    scales256_reader *scales; // NULL: all are 1, or heads are those of Q4_K
    half_reader *half;        // NULL: heads are those of Q4_K
    size_t block_size;
    int zero; // the code of 0
};

INLINE bool has_packed_heads(const struct format256 f) {
    return !f.half;
}

// What stands beside the codes in the blocks of four rows.
struct heads {
    __m512i scale[ROWS]; // int16: the row's sub-scales (Q4_K, Q5_K: all eight in each quarter)
    __m512i mins;        // int16: eight minimums of each row in a quarter (Q4_K, Q5_K)
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
    uint16_t d[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) {
        d[r] = f.half(w[r]);
        if (f.scales)
            h->scale[r] = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(f.scales(w[r])));
    }
    h->d = four_halves(d);
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

// What the zero of the codes adds to a row's sum: zero * sum of scale * x.
INLINE __m512i zero_lanes(const struct format256 f, const struct heads *h, int r, const int16_t *bs) {
    __m256i zero = _mm256_set1_epi16((short)f.zero);
    if (f.scales)
        zero = _mm256_mullo_epi16(_mm512_castsi512_si256(h->scale[r]), zero);
    return _mm512_zextsi256_si512(_mm256_madd_epi16(zero, _mm256_loadu_si256((const void *)bs)));
}

// The sum of scale * (code - zero) * x of row r, in lanes.
INLINE __m512i row_lanes(const struct format256 f, const char *w, const struct heads *h, int r, const int8_t *q,
                         const int16_t *bs) {
    const bool scaled = f.scales || has_packed_heads(f);
    __m512i sum = _mm512_setzero_si512(), codes[4];
    f.codes(w, codes);
    UNROLL for (int i = 0; i < 4; i++) {
        const __m512i x = _mm512_loadu_si512(q + 64 * i);
        sum = scaled ? _mm512_dpwssd_epi32(sum, _mm512_maddubs_epi16(codes[i], x),
                                           scale_words(has_packed_heads(f), h->scale[r], i))
                     : _mm512_dpbusd_epi32(sum, codes[i], x);
    }
    return f.zero ? _mm512_sub_epi32(sum, zero_lanes(f, h, r, bs)) : sum;
}

// The sums of minimum * x of four rows.
INLINE __m128i offsets(const struct heads *h, const int16_t *bs) {
    const __m256i of_x = _mm256_loadu_si256((const void *)bs);
    __m256i pairs = _mm256_madd_epi16(of_x, _mm256_set1_epi16(1));
    __m512i v = _mm512_madd_epi16(h->mins, _mm512_broadcast_i32x4(_mm256_cvtepi32_epi16(pairs)));
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0x4e));
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0xb1));
    const __m512i quarters = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castsi512_si128(_mm512_permutexvar_epi32(quarters, v));
}

// What block b of four rows adds to a partial sum.
INLINE __m128 add_block(const struct format256 f, const struct heads *h, const __m512i lanes4[ROWS],
                        const struct quant_vec *x, size_t b, __m128 acc) {
    const __m128 d = _mm_set1_ps(x->d[b]);
    const __m128i sum = int_sums_of_four(lanes4);
    acc = _mm_fmadd_ps(_mm_mul_ps(h->d, d), _mm_cvtepi32_ps(sum), acc);
    if (!has_packed_heads(f))
        return acc;
    return _mm_fnmadd_ps(_mm_mul_ps(h->dmin, d), _mm_cvtepi32_ps(offsets(h, x->bs + 16 * b)), acc);
}

INLINE void heads_at(const struct format256 f, const char *const row[ROWS], size_t b, struct heads *h) {
    const char *w[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) w[r] = row[r] + b * f.block_size;
    if (has_packed_heads(f))
        heads_of_q4_k(w, h);
    else
        heads_of(f, w, h);
}

// Four rows; acc[b mod 8] holds their partial sums. Heads are read a block ahead: all of a block's work waits for them,
// and where a page is new they come late.
INLINE void add_blocks(const struct format256 f, const char *const row[ROWS], const struct quant_vec *x, size_t n,
                       const char *ahead, __m128 acc[8]) {
    struct heads h, next;
    heads_at(f, row, 0, &next);
    for (size_t b = 0; b < n / 256; b++) {
        __m512i sum[ROWS];
        prefetch(ahead + b * ROWS * f.block_size, ROWS * f.block_size);
        h = next;
        heads_at(f, row, b + 1 < n / 256 ? b + 1 : b, &next);
        UNROLL for (int r = 0; r < ROWS; r++) sum[r] =
            row_lanes(f, row[r] + b * f.block_size, &h, r, x->q + 256 * b, x->bs + 16 * b);
        acc[b % 8] = add_block(f, &h, sum, x, b, acc[b % 8]);
    }
}

INLINE void one_column(const struct format256 f, const struct dot_job *j) {
    const struct quant_vec x = quant_act_vec(j->layout, j->x);
    for (uint32_t r = 0; r < j->rows; r += ROWS) {
        const char *row[ROWS];
        uint32_t rows = j->rows - r < ROWS ? j->rows - r : ROWS;
        __m128 acc[8];
        for (uint32_t i = 0; i < ROWS; i++)
            row[i] = j->w + (r + (i < rows ? i : rows - 1)) * j->row_size;
        UNROLL for (int i = 0; i < 8; i++) acc[i] = _mm_setzero_ps();
        add_blocks(f, row, &x, j->n, ahead_of_row(j, r, ROWS), acc);
        _mm_mask_storeu_ps(j->y + r, (__mmask8)((1u << rows) - 1), sum8_of_four(acc));
    }
}

// One row a format: X(symbol, sub-scales, half, zero).
#define FORMATS256(X)                                                                                                  \
    X(q4_k, NULL, NULL, 0)                                                                                             \
    X(q5_k, NULL, NULL, 0)                                                                                             \
    X(q6_k, scales_q6_k, half_q6_k, 32)                                                                                \
    X(tq2_0, NULL, half_tq2_0, 1)

#define DOT256(sym, scales, half, zero)                                                                                \
    static void dot_##sym(const struct dot_job *j) {                                                                   \
        for (uint32_t c = 0; c < j->cols; c++) {                                                                       \
            const struct dot_job one = job_of_column(j, c);                                                            \
            one_column((struct format256){codes_##sym, scales, half, sizeof(struct block_##sym), zero}, &one);         \
        }                                                                                                              \
    }
FORMATS256(DOT256)

#include "backends/cpu/avx512_end.h"

void avx512_fill_dot256(struct kernels *k) {
#define SLOT(sym, scales, half, zero) k->dot[QUANT_##sym] = dot_##sym;
    FORMATS256(SLOT)
}

#endif
