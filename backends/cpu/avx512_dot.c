// SPDX-License-Identifier: MIT
// AVX-512: few columns, weights read once from the file. Formats of 32: the lanes of the sum are eight consecutive
// blocks. Formats of 256: the lanes are four rows. Float formats: the lanes are the sixteen partial sums.
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_codes.h"

// Asks for the lines of [p, p + size) ahead of their use. Rows follow each other in the file, so running ahead of a row
// is running into the next one; the hardware's own prefetch stops at every page and sees four rows as four streams.
INLINE void prefetch(const char *p, size_t size) {
    for (size_t i = 0; i < size; i += 64)
        _mm_prefetch(p + i, _MM_HINT_T1);
}

// Rows of formats of 32 are read one after the other, this far behind the prefetch.
#define AHEAD 4096

// One column of activations; the part past the last eight whole blocks lies in a padded copy.
struct column {
    const int8_t *q;
    const float *d, *s;
    const int16_t *bs;
};

struct padded {
    int8_t q[256];
    float d[8], s[8];
    int16_t bs[16];
};

// What is the same for all rows of a format of 32.
struct format32 {
    codes32_reader *codes;
    size_t block_size;
    int zero_shift; // the zero is 1 << zero_shift; -1: none
    bool has_min;
};

// Sums of eight blocks' codes times activations, block b in lane b.
INLINE __m256i block_sums(const struct format32 f, const char *w, const int8_t *q) {
    __m512i z[4];
    UNROLL for (int i = 0; i < 4; i++) z[i] = _mm512_dpbusd_epi32(
        _mm512_setzero_si512(), f.codes(w + (size_t)(2 * i) * f.block_size), _mm512_loadu_si512(q + 64 * i));
    __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(z[0], z[1]), _mm512_unpackhi_epi32(z[0], z[1]));
    __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(z[2], z[3]), _mm512_unpackhi_epi32(z[2], z[3]));
    __m512i c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    c = _mm512_add_epi32(c, _mm512_shuffle_i32x4(c, c, 0xb1));
    const __m512i order = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, c));
}

INLINE __m256 add_blocks(const struct format32 f, __m256 acc, const char *w, const struct column x, __mmask8 m) {
    __m256i sum = block_sums(f, w, x.q);
    if (f.zero_shift >= 0) {
        __m256i of_x = _mm256_madd_epi16(_mm256_loadu_si256((const void *)x.bs), _mm256_set1_epi16(1));
        sum = _mm256_sub_epi32(sum, _mm256_slli_epi32(of_x, f.zero_shift));
    }
    __m256 scale = _mm256_mul_ps(halves8(w, f.block_size), _mm256_loadu_ps(x.d));
    acc = _mm256_mask3_fmadd_ps(scale, _mm256_cvtepi32_ps(sum), acc, m);
    if (f.has_min)
        acc = _mm256_mask3_fmadd_ps(halves8(w + sizeof(uint16_t), f.block_size), _mm256_loadu_ps(x.s), acc, m);
    return acc;
}

INLINE float row_dot(const struct format32 f, const char *w, const struct column x, const struct padded *rest,
                     size_t n) {
    size_t blocks = n / 32, b = 0;
    __m256 acc = _mm256_setzero_ps();
    for (; b + 8 <= blocks; b += 8) {
        const struct column at = {x.q + 32 * b, x.d + b, x.s + b, x.bs + 2 * b};
        prefetch(w + b * f.block_size + AHEAD, 8 * f.block_size);
        acc = add_blocks(f, acc, w + b * f.block_size, at, 0xff);
    }
    if (b < blocks) {
        char copy[8 * sizeof(struct block_q8_0)] = {0};
        memcpy(copy, w + b * f.block_size, (blocks - b) * f.block_size);
        const struct column at = {rest->q, rest->d, rest->s, rest->bs};
        acc = add_blocks(f, acc, copy, at, (__mmask8)((1u << (blocks - b)) - 1));
    }
    return sum8(acc);
}

static void pad(struct padded *p, const struct quant_vec *x, size_t n) {
    size_t first = n / 256 * 8, blocks = n / 32 - first;
    memset(p, 0, sizeof *p);
    memcpy(p->q, x->q + 32 * first, 32 * blocks);
    memcpy(p->d, x->d + first, blocks * sizeof *p->d);
    memcpy(p->s, x->s + first, blocks * sizeof *p->s);
    memcpy(p->bs, x->bs + 2 * first, 2 * blocks * sizeof *p->bs);
}

INLINE void dot32(const struct format32 f, const struct dot_job *j) {
    for (uint32_t c = 0; c < j->cols; c++) {
        struct quant_vec x = quant_act_vec(j->layout, j->x + c * j->x_stride);
        struct padded rest;
        pad(&rest, &x, j->n);
        const struct column column = {x.q, x.d, x.s, x.bs};
        for (uint32_t r = 0; r < j->rows; r++)
            j->y[c * j->y_stride + r] = row_dot(f, j->w + r * j->row_size, column, &rest, j->n);
    }
}

static void dot_q4_0(const struct dot_job *j) {
    dot32((struct format32){codes_q4_0, sizeof(struct block_q4_0), 3, false}, j);
}

static void dot_q4_1(const struct dot_job *j) {
    dot32((struct format32){codes_q4_1, sizeof(struct block_q4_1), -1, true}, j);
}

static void dot_q5_0(const struct dot_job *j) {
    dot32((struct format32){codes_q5_0, sizeof(struct block_q5_0), 4, false}, j);
}

static void dot_q5_1(const struct dot_job *j) {
    dot32((struct format32){codes_q5_1, sizeof(struct block_q5_1), -1, true}, j);
}

static void dot_q8_0(const struct dot_job *j) {
    dot32((struct format32){codes_q8_0, sizeof(struct block_q8_0), 7, false}, j);
}

// Four vectors of 16 lanes to four sums.
INLINE __m128i int_sums_of_four(__m512i a, __m512i b, __m512i c, __m512i d) {
    __m512i x = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i y = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i z = _mm512_add_epi32(_mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y));
    __m256i h = _mm256_add_epi32(_mm512_castsi512_si256(z), _mm512_extracti64x4_epi64(z, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
}

#define ROWS 4

struct format256 {
    codes256_reader *codes;
    __m128i (*scales)(const char *b);
    __m128i (*mins)(const char *b); // NULL: none
    size_t block_size, d_at, dmin_at;
    int zero_shift; // -1: none
};

// One row's block: the sum of scale * (code - zero) * x over sixteen lanes.
INLINE __m512i block_lanes(const struct format256 f, const char *b, const __m512i x[4], __m512i bs) {
    __m512i scale = _mm512_cvtepi8_epi32(f.scales(b)), sum = _mm512_setzero_si512();
    if (f.zero_shift >= 0)
        sum = _mm512_slli_epi32(_mm512_sub_epi32(sum, _mm512_mullo_epi32(scale, bs)), (unsigned)f.zero_shift);
    UNROLL for (int c = 0; c < 4; c++) {
        const __m512i spread =
            _mm512_setr_epi32(4 * c, 4 * c, 4 * c, 4 * c, 4 * c + 1, 4 * c + 1, 4 * c + 1, 4 * c + 1, 4 * c + 2,
                              4 * c + 2, 4 * c + 2, 4 * c + 2, 4 * c + 3, 4 * c + 3, 4 * c + 3, 4 * c + 3);
        __m512i z = _mm512_dpbusd_epi32(_mm512_setzero_si512(), f.codes(b, c), x[c]);
        sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(z, _mm512_permutexvar_epi32(spread, scale)));
    }
    return sum;
}

INLINE __m128 halves4(const char *const w[ROWS], size_t at) {
    __m128i h = _mm_cvtsi32_si128(half_at(w[0] + at));
    h = _mm_insert_epi16(h, half_at(w[1] + at), 1);
    h = _mm_insert_epi16(h, half_at(w[2] + at), 2);
    h = _mm_insert_epi16(h, half_at(w[3] + at), 3);
    return _mm_cvtph_ps(h);
}

// Four rows times one column; acc[b mod 8] holds the four rows' partial sums.
INLINE __m128 rows_dot256(const struct format256 f, const char *const row[ROWS], const struct quant_vec *x, size_t n,
                          size_t ahead) {
    __m128 acc[8];
    UNROLL for (int i = 0; i < 8; i++) acc[i] = _mm_setzero_ps();
    for (size_t b = 0; b < n / 256; b++) {
        const char *w[ROWS];
        prefetch(row[0] + ahead + b * ROWS * f.block_size, ROWS * f.block_size);
        __m512i q[4], sum[ROWS], bs = _mm512_cvtepi16_epi32(_mm256_loadu_si256((const void *)(x->bs + 16 * b)));
        UNROLL for (int c = 0; c < 4; c++) q[c] = _mm512_loadu_si512(x->q + 256 * b + 64 * c);
        UNROLL for (int r = 0; r < ROWS; r++) {
            w[r] = row[r] + b * f.block_size;
            sum[r] = block_lanes(f, w[r], q, bs);
        }
        __m128 d = _mm_set1_ps(x->d[b]), part = acc[b % 8];
        __m128 isum = _mm_cvtepi32_ps(int_sums_of_four(sum[0], sum[1], sum[2], sum[3]));
        part = _mm_fmadd_ps(_mm_mul_ps(halves4(w, f.d_at), d), isum, part);
        if (f.mins) {
            UNROLL for (int r = 0; r < ROWS; r++) sum[r] = _mm512_mullo_epi32(_mm512_cvtepu8_epi32(f.mins(w[r])), bs);
            __m128 offset = _mm_cvtepi32_ps(int_sums_of_four(sum[0], sum[1], sum[2], sum[3]));
            part = _mm_fnmadd_ps(_mm_mul_ps(halves4(w, f.dmin_at), d), offset, part);
        }
        acc[b % 8] = part;
    }
    __m128 even = _mm_add_ps(_mm_add_ps(acc[0], acc[4]), _mm_add_ps(acc[2], acc[6]));
    __m128 odd = _mm_add_ps(_mm_add_ps(acc[1], acc[5]), _mm_add_ps(acc[3], acc[7]));
    return _mm_add_ps(even, odd);
}

INLINE void dot256(const struct format256 f, const struct dot_job *j) {
    for (uint32_t r = 0; r < j->rows; r += ROWS) {
        const char *row[ROWS];
        uint32_t rows = j->rows - r < ROWS ? j->rows - r : ROWS;
        for (uint32_t i = 0; i < ROWS; i++)
            row[i] = j->w + (r + (i < rows ? i : rows - 1)) * j->row_size;
        for (uint32_t c = 0; c < j->cols; c++) {
            const struct quant_vec x = quant_act_vec(j->layout, j->x + c * j->x_stride);
            __m128 v = rows_dot256(f, row, &x, j->n, ROWS * j->row_size);
            _mm_mask_storeu_ps(j->y + c * j->y_stride + r, (__mmask8)((1u << rows) - 1), v);
        }
    }
}

static void dot_q4_k(const struct dot_job *j) {
    dot256((struct format256){codes_q4_k, scales_q4_k, mins_q4_k, sizeof(struct block_q4_k),
                              offsetof(struct block_q4_k, d), offsetof(struct block_q4_k, dmin), -1},
           j);
}

static void dot_q6_k(const struct dot_job *j) {
    dot256((struct format256){codes_q6_k, scales_q6_k, NULL, sizeof(struct block_q6_k), offsetof(struct block_q6_k, d),
                              0, 5},
           j);
}

// Sixteen weights at an element offset, as float32; lanes outside the mask are 0.
typedef __m512 float_reader(const char *w, size_t i, __mmask16 m);

INLINE __m512 read_f32(const char *w, size_t i, __mmask16 m) {
    return _mm512_maskz_loadu_ps(m, w + 4 * i);
}

INLINE __m512 read_f16(const char *w, size_t i, __mmask16 m) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, w + 2 * i));
}

INLINE __m512 read_bf16(const char *w, size_t i, __mmask16 m) {
    __m512i v = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, w + 2 * i));
    return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
}

// ROWS rows times `cols` columns in registers.
INLINE void float_tile(float_reader *read, const char *const row[ROWS], const float *const x[ROWS], int cols, size_t n,
                       float out[ROWS][ROWS]) {
    __m512 sum[ROWS][ROWS];
    UNROLL for (int i = 0; i < ROWS * ROWS; i++) sum[i / ROWS][i % ROWS] = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? lanes(n - i) : (__mmask16)0xffff;
        __m512 w[ROWS];
        UNROLL for (int r = 0; r < ROWS; r++) w[r] = read(row[r], i, m);
        UNROLL for (int c = 0; c < cols; c++) {
            __m512 v = _mm512_maskz_loadu_ps(m, x[c] + i);
            UNROLL for (int r = 0; r < ROWS; r++) sum[r][c] = _mm512_mask3_fmadd_ps(w[r], v, sum[r][c], m);
        }
    }
    UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int c = 0; c < cols; c++) out[r][c] = sum8(v16_halves(sum[r][c]));
}

INLINE void dot_float(float_reader *read, const struct dot_job *j) {
    for (uint32_t r = 0; r < j->rows; r += ROWS) {
        const char *row[ROWS];
        uint32_t rows = j->rows - r < ROWS ? j->rows - r : ROWS;
        for (uint32_t i = 0; i < ROWS; i++)
            row[i] = j->w + (r + (i < rows ? i : rows - 1)) * j->row_size;
        for (uint32_t c = 0; c < j->cols; c += ROWS) {
            uint32_t cols = j->cols - c < ROWS ? j->cols - c : ROWS;
            const float *x[ROWS];
            float out[ROWS][ROWS];
            for (uint32_t i = 0; i < ROWS; i++)
                x[i] = (const float *)(const void *)(j->x + (c + (i < cols ? i : cols - 1)) * j->x_stride);
            if (cols == 1)
                float_tile(read, row, x, 1, j->n, out);
            else
                float_tile(read, row, x, ROWS, j->n, out);
            for (uint32_t i = 0; i < cols; i++)
                for (uint32_t k = 0; k < rows; k++)
                    j->y[(c + i) * j->y_stride + r + k] = out[k][i];
        }
    }
}

static void dot_f32(const struct dot_job *j) {
    dot_float(read_f32, j);
}

static void dot_f16(const struct dot_job *j) {
    dot_float(read_f16, j);
}

static void dot_bf16(const struct dot_job *j) {
    dot_float(read_bf16, j);
}

#include "backends/cpu/avx512_end.h"

void avx512_fill_dot(struct kernels *k) {
    k->dot[QUANT_f32] = dot_f32;
    k->dot[QUANT_f16] = dot_f16;
    k->dot[QUANT_bf16] = dot_bf16;
    k->dot[QUANT_q4_0] = dot_q4_0;
    k->dot[QUANT_q4_1] = dot_q4_1;
    k->dot[QUANT_q5_0] = dot_q5_0;
    k->dot[QUANT_q5_1] = dot_q5_1;
    k->dot[QUANT_q8_0] = dot_q8_0;
    k->dot[QUANT_q4_k] = dot_q4_k;
    k->dot[QUANT_q6_k] = dot_q6_k;
}
