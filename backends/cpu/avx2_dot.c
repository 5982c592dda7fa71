// SPDX-License-Identifier: MIT
// AVX2: products of integer formats with few columns, straight from the file. Formats of 32: the lanes of the sum are
// eight consecutive blocks, and a row is unpacked once for all columns. Formats of 256: the lanes are four rows.
#if defined(__x86_64__)
#include "backends/cpu/avx2.h"

#include <string.h>

#include "backends/cpu/avx2_begin.h"
#include "backends/cpu/avx2_codes_iq.h"

#define FOUR 4
#define MAX_COLS TAPE_MAX_ROWS

// Formats of 32 are read this far behind the prefetch: the distance of formats of 256 gains them nothing.
#define AHEAD 4096

struct format32 {
    codes_reader *codes;
    scales8_reader *d, *m; // m NULL: no minimum
    size_t block_size;
    int runs, zero;
    bool wide;
};

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

// Sums over the lanes of eight vectors, vector i in lane i.
INLINE __m256i sums_of_eight(const __m256i z[8]) {
    __m256i t[4], u[2];
    UNROLL for (int i = 0; i < 4; i++) t[i] =
        _mm256_add_epi32(_mm256_unpacklo_epi32(z[2 * i], z[2 * i + 1]), _mm256_unpackhi_epi32(z[2 * i], z[2 * i + 1]));
    UNROLL for (int i = 0; i < 2; i++) u[i] =
        _mm256_add_epi32(_mm256_unpacklo_epi64(t[2 * i], t[2 * i + 1]), _mm256_unpackhi_epi64(t[2 * i], t[2 * i + 1]));
    return _mm256_add_epi32(_mm256_permute2x128_si256(u[0], u[1], 0x20), _mm256_permute2x128_si256(u[0], u[1], 0x31));
}

// Sums over each half of four vectors: vector i in lanes 2 i and 2 i + 1.
INLINE __m256i sums_of_halves(const __m256i z[4]) {
    __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(z[0], z[1]), _mm256_hadd_epi32(z[2], z[3]));
    return _mm256_permutevar8x32_epi32(s, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// Up to eight runs of a row, unpacked.
struct runs8 {
    __m256i codes[8];
    __m256 d, m;
};

INLINE struct runs8 unpack8(const struct format32 f, const char *w, size_t n) {
    struct runs8 k;
    UNROLL for (size_t i = 0; i < 8; i++) {
        size_t runs = (size_t)f.runs;
        k.codes[i] = i < n ? f.codes(w + i / runs * f.block_size, (int)(i % runs)) : _mm256_setzero_si256();
    }
    k.d = f.d(w, n);
    k.m = f.m ? f.m(w, n) : _mm256_setzero_ps();
    return k;
}

// n numbers of eight; the lanes behind them are 0.
INLINE __m256 floats8(const float *p, size_t n) {
    float copy[8] = {0};
    if (n == 8)
        return _mm256_loadu_ps(p);
    memcpy(copy, p, n * sizeof *p);
    return _mm256_loadu_ps(copy);
}

// Zero times the sums of the activations over n <= 8 runs.
INLINE __m256i offset8(int zero, const int16_t *bs, size_t n) {
    int16_t copy[16] = {0};
    if (n < 8) {
        memcpy(copy, bs, 2 * n * sizeof *bs);
        bs = copy;
    }
    return _mm256_madd_epi16(_mm256_loadu_si256((const void *)bs), _mm256_set1_epi16((short)zero));
}

// Adds n <= 8 runs from run b on to one column's partial sums; lanes behind n are left alone.
INLINE __m256 add_runs(const struct format32 f, __m256 acc, const struct runs8 *k, const struct quant_vec *x, size_t b,
                       size_t n) {
    __m256i z[8];
    UNROLL for (size_t i = 0; i < 8; i++) {
        const int8_t *q = x->q + 32 * (b + (i < n ? i : 0));
        __m256i pairs = dot_codes(f.wide, k->codes[i], _mm256_loadu_si256((const void *)q));
        z[i] = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    }
    __m256i sum = sums_of_eight(z);
    if (f.zero && !f.wide)
        sum = _mm256_sub_epi32(sum, offset8(f.zero, x->bs + 2 * b, n));
    __m256 scale = _mm256_mul_ps(k->d, floats8(x->d + b, n));
    __m256 next = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(sum), acc);
    if (f.m)
        next = _mm256_fmadd_ps(k->m, floats8(x->s + b, n), next);
    return n == 8 ? next : _mm256_blendv_ps(acc, next, bits_to_lanes((1u << n) - 1));
}

// n <= 8 runs from run b of a row at w on, for all columns.
INLINE void add_to_columns(const struct format32 f, const char *w, const struct quant_vec *x, uint32_t cols, size_t b,
                           size_t n, float acc[][8]) {
    struct runs8 k = unpack8(f, w, n);
    for (uint32_t c = 0; c < cols; c++)
        _mm256_storeu_ps(acc[c], add_runs(f, _mm256_loadu_ps(acc[c]), &k, &x[c], b, n));
}

INLINE void row32(const struct format32 f, const char *w, const struct quant_vec *x, const struct dot_job *j,
                  uint32_t r) {
    float acc[MAX_COLS][8];
    const size_t runs = j->n / 32, step = 8 / (size_t)f.runs * f.block_size;
    size_t b = 0;
    memset(acc, 0, j->cols * sizeof *acc);
    for (; b + 8 <= runs; b += 8, w += step) {
        prefetch(w + AHEAD, step);
        add_to_columns(f, w, x, j->cols, b, 8, acc);
    }
    if (b < runs)
        add_to_columns(f, w, x, j->cols, b, runs - b, acc);
    for (uint32_t c = 0; c < j->cols; c++)
        j->y[c * j->y_stride + r] = sum8(_mm256_loadu_ps(acc[c]));
}

static void columns(const struct dot_job *j, struct quant_vec x[MAX_COLS]) {
    for (uint32_t c = 0; c < j->cols; c++)
        x[c] = quant_act_vec(j->layout, j->x + c * j->x_stride);
}

INLINE void dot32(const struct format32 f, const struct dot_job *j) {
    struct quant_vec x[MAX_COLS];
    columns(j, x);
    for (uint32_t r = 0; r < j->rows; r++)
        row32(f, j->w + r * j->row_size, x, j, r);
}

// Formats with two scales a run: n (4 or 8) runs of 16 from run b of 16 on.
INLINE __m256 add_runs16(const struct format32 f, __m256 acc, const char *w, const struct quant_vec *x, size_t b,
                         size_t n) {
    __m256i z[4];
    const __m128i bs = n == 8 ? _mm_loadu_si128((const void *)(x->bs + b)) : _mm_loadl_epi64((const void *)(x->bs + b));
    UNROLL for (size_t i = 0; i < 4; i++) {
        const int8_t *q = x->q + 16 * b + 32 * (2 * i < n ? i : 0);
        __m256i codes = 2 * i < n ? f.codes(w + i / 2 * f.block_size, (int)(i % 2)) : _mm256_setzero_si256();
        z[i] =
            _mm256_madd_epi16(_mm256_maddubs_epi16(codes, _mm256_loadu_si256((const void *)q)), _mm256_set1_epi16(1));
    }
    __m256i offset = _mm256_mullo_epi32(_mm256_cvtepi16_epi32(bs), _mm256_set1_epi32(f.zero));
    __m256i sum = _mm256_sub_epi32(sums_of_halves(z), offset);
    const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    __m256 scale = _mm256_mul_ps(f.d(w, n), _mm256_permutevar8x32_ps(floats8(x->d + b / 2, n / 2), twice));
    __m256 next = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(sum), acc);
    return n == 8 ? next : _mm256_blend_ps(acc, next, 0x0f);
}

INLINE void dot16(const struct format32 f, const struct dot_job *j) {
    const size_t runs = j->n / 16;
    for (uint32_t c = 0; c < j->cols; c++) {
        struct quant_vec x = quant_act_vec(j->layout, j->x + c * j->x_stride);
        for (uint32_t r = 0; r < j->rows; r++) {
            const char *w = j->w + r * j->row_size;
            __m256 acc = _mm256_setzero_ps();
            size_t b = 0;
            for (; b + 8 <= runs; b += 8, w += 2 * f.block_size) {
                prefetch(w + AHEAD, 2 * f.block_size);
                acc = add_runs16(f, acc, w, &x, b, 8);
            }
            if (b < runs)
                acc = add_runs16(f, acc, w, &x, b, 4);
            j->y[c * j->y_stride + r] = sum8(acc);
        }
    }
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

#define SHAPE32(shape, each, fit, zero, min)                                                                           \
    INLINE void dot_##shape(const struct format32 f, const struct dot_job *j) {                                        \
        if ((each) == 2)                                                                                               \
            dot16(f, j);                                                                                               \
        else                                                                                                           \
            dot32(f, j);                                                                                               \
    }                                                                                                                  \
    static const bool wide32_##shape = (fit) == 0;
#define SHAPE256(shape, sub, fit, zero, min) static const bool wide256_##shape = (fit) == 0;
#define FORMAT32(sym, shape, runs, zero, m, m8)
#define FORMAT256(sym, shape, zero, mins, m)
#include "backends/cpu/avx2_formats.h"

#define SHAPE32(shape, each, fit, zero, min)
#define SHAPE256(shape, sub, fit, zero, min)
#define FORMAT32(sym, shape, runs, zero, m, m8)                                                                        \
    static void dot_##sym(const struct dot_job *j) {                                                                   \
        dot_##shape(                                                                                                   \
            (struct format32){codes_##sym, d8_##sym, m8, sizeof(struct block_##sym), runs, zero, wide32_##shape}, j);  \
    }
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
#define FORMAT32(sym, shape, runs, zero, m, m8) k->dot[QUANT_##sym] = dot_##sym;
#define FORMAT256(sym, shape, zero, mins, m) k->dot[QUANT_##sym] = dot_##sym;
#include "backends/cpu/avx2_formats.h"
}
#endif
