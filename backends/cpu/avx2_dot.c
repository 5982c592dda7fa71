// SPDX-License-Identifier: MIT
// AVX2: products of formats with one float scale per 256 elements with few columns, straight from the file. The lanes
// of a sum are four rows.
#if defined(__x86_64__)
#include "backends/cpu/avx2.h"

#include <string.h>

#include "backends/cpu/avx2_begin.h"
#include "backends/cpu/avx2_codes_iq.h"

#define FOUR 4

struct format256 {
    codes_reader *codes;
    scales_reader *scales, *mins; // mins NULL: none
    scale_reader *d, *m;
    size_t block_size;
    int zero;
    bool wide;
};

// Codes times activations, added up in pairs in 16 bits: 2 * 127 * 128 fits. Codes of eight bits lose their zero of 128
// first, so that they have a sign to move to the activations.
INLINE __m256i dot_codes(bool wide, __m256i w, __m256i x) {
    if (!wide)
        return _mm256_maddubs_epi16(w, x);
    w = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
    return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

// Sub-scales 2 c and 2 c + 1 to the two halves, from the even ones in the low half and the odd ones in the high half.
INLINE __m256i two_scales(__m256i scales, int c) {
    return _mm256_shuffle_epi8(scales, _mm256_set1_epi16((short)(0x0100 + 0x0202 * c)));
}

// The block at w times a column: the sum of scale * (code - zero) * x over eight lanes, and of minimum * x.
INLINE void block_lanes(const struct format256 f, const char *w, const int8_t *q, const int16_t *bs, __m256i *sum,
                        __m256i *offset) {
    const __m128i scales8 = f.scales(w);
    const __m256i scales = _mm256_cvtepi8_epi16(scales8), x = _mm256_loadu_si256((const void *)bs);
    const __m256i sorted = _mm256_cvtepi8_epi16(
        _mm_shuffle_epi8(scales8, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15)));
    __m256i s = _mm256_setzero_si256();
    UNROLL for (int c = 0; c < 8; c++) {
        __m256i pairs = dot_codes(f.wide, f.codes(w, c), _mm256_loadu_si256((const void *)(q + 32 * c)));
        s = _mm256_add_epi32(s, _mm256_madd_epi16(pairs, two_scales(sorted, c)));
    }
    if (f.zero && !f.wide) {
        __m256i times_zero = _mm256_mullo_epi16(scales, _mm256_set1_epi16((short)f.zero));
        s = _mm256_sub_epi32(s, _mm256_madd_epi16(times_zero, x));
    }
    *sum = s;
    *offset = f.mins ? _mm256_madd_epi16(_mm256_cvtepu8_epi16(f.mins(w)), x) : _mm256_setzero_si256();
}

INLINE __m128i sums_of_four(const __m256i z[FOUR]) {
    __m256i a = _mm256_add_epi32(_mm256_unpacklo_epi32(z[0], z[1]), _mm256_unpackhi_epi32(z[0], z[1]));
    __m256i b = _mm256_add_epi32(_mm256_unpacklo_epi32(z[2], z[3]), _mm256_unpackhi_epi32(z[2], z[3]));
    __m256i c = _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    return _mm_add_epi32(_mm256_castsi256_si128(c), _mm256_extracti128_si256(c, 1));
}

// The tree of quant_sum8 over the eight partial sums of four results.
INLINE __m128 tree(float acc[8][FOUR]) {
    __m128 a[8];
    UNROLL for (int i = 0; i < 8; i++) a[i] = _mm_loadu_ps(acc[i]);
    __m128 even = _mm_add_ps(_mm_add_ps(a[0], a[4]), _mm_add_ps(a[2], a[6]));
    __m128 odd = _mm_add_ps(_mm_add_ps(a[1], a[5]), _mm_add_ps(a[3], a[7]));
    return _mm_add_ps(even, odd);
}

// Four rows times one column.
INLINE __m128 four_rows(const struct format256 f, const char *const row[FOUR], const struct quant_vec *x, size_t n,
                        const char *ahead) {
    float acc[8][FOUR] = {{0}};
    for (size_t b = 0; b < n / 256; b++) {
        __m256i sum[FOUR], offset[FOUR];
        float d[FOUR], m[FOUR];
        prefetch(ahead + b * FOUR * f.block_size, FOUR * f.block_size);
        for (int r = 0; r < FOUR; r++) {
            const char *w = row[r] + b * f.block_size;
            block_lanes(f, w, x->q + 256 * b, x->bs + 16 * b, &sum[r], &offset[r]);
            d[r] = f.d(w, 0);
            m[r] = f.mins ? f.m(w, 0) : 0.0f;
        }
        const __m128 dx = _mm_set1_ps(x->d[b]);
        __m128 part = _mm_loadu_ps(acc[b % 8]);
        part = _mm_fmadd_ps(_mm_mul_ps(_mm_loadu_ps(d), dx), _mm_cvtepi32_ps(sums_of_four(sum)), part);
        if (f.mins)
            part = _mm_fnmadd_ps(_mm_mul_ps(_mm_loadu_ps(m), dx), _mm_cvtepi32_ps(sums_of_four(offset)), part);
        _mm_storeu_ps(acc[b % 8], part);
    }
    return tree(acc);
}

INLINE void dot256(const struct format256 f, const struct dot_job *j) {
    for (uint32_t r = 0; r < j->rows; r += FOUR) {
        const char *row[FOUR];
        uint32_t rows = j->rows - r < FOUR ? j->rows - r : FOUR;
        for (uint32_t i = 0; i < FOUR; i++)
            row[i] = j->w + (r + (i < rows ? i : rows - 1)) * j->row_size;
        for (uint32_t c = 0; c < j->cols; c++) {
            struct quant_vec x = quant_act_vec(j->layout, j->x + c * j->x_stride);
            float y[FOUR];
            _mm_storeu_ps(y, four_rows(f, row, &x, j->n, ahead_of_row(j, r, FOUR)));
            memcpy(j->y + c * j->y_stride + r, y, rows * sizeof *y);
        }
    }
}

#define SHAPE32(shape, each, fit, zero, min)
#define SHAPE256(shape, sub, fit, zero, min) static const bool wide256_##shape = (fit) == 0;
#define FORMAT32(sym, shape, runs, zero, m)
#define FORMAT256(sym, shape, zero, mins, m)
#include "backends/cpu/avx2_formats.h"

#define SHAPE32(shape, each, fit, zero, min)
#define SHAPE256(shape, sub, fit, zero, min)
#define FORMAT32(sym, shape, runs, zero, m)
#define FORMAT256(sym, shape, zero, mins, m)                                                                           \
    static void dot_##sym(const struct dot_job *j) {                                                                   \
        dot256((struct format256){codes_##sym, scales_##sym, mins, d_##sym, m, sizeof(struct block_##sym), zero,       \
                                  wide256_##shape},                                                                    \
               j);                                                                                                     \
    }
#include "backends/cpu/avx2_formats.h"
#include "backends/cpu/avx2_end.h"

void avx2_fill_dot(struct kernels *k) {
#define SHAPE32(shape, each, fit, zero, min)
#define SHAPE256(shape, sub, fit, zero, min)
#define FORMAT32(sym, shape, runs, zero, m)
#define FORMAT256(sym, shape, zero, mins, m) k->dot[QUANT_##sym] = dot_##sym;
#include "backends/cpu/avx2_formats.h"
}
#endif
