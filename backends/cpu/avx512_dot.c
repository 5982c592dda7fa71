// SPDX-License-Identifier: MIT
// AVX-512: few columns, weights read once from the file. Formats of 32: the lanes of the sum are eight consecutive
// blocks. Formats of 256: the lanes are four rows. Float formats: the lanes are the sixteen partial sums.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_codes.h"

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

// The codes of blocks i and i + 1 of n; nothing behind block n is touched.
INLINE __m512i two_codes(const struct format32 f, const char *w, size_t i, size_t n) {
    if (i + 2 <= n)
        return f.codes(w + i * f.block_size);
    if (i >= n)
        return _mm512_setzero_si512();
    char copy[2 * sizeof(struct block_q8_0)] = {0};
    for (size_t k = 0; k + 2 <= f.block_size; k += 2) // all block sizes are even
        memcpy(copy + k, w + i * f.block_size + k, 2);
    return f.codes(copy);
}

// Sums of up to eight blocks' codes times activations, block b in lane b.
INLINE __m256i block_sums(const struct format32 f, const char *w, const int8_t *q, size_t n) {
    __m512i z[4];
    UNROLL for (size_t i = 0; i < 4; i++) z[i] =
        _mm512_dpbusd_epi32(_mm512_setzero_si512(), two_codes(f, w, 2 * i, n), _mm512_loadu_si512(q + 64 * i));
    __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(z[0], z[1]), _mm512_unpackhi_epi32(z[0], z[1]));
    __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(z[2], z[3]), _mm512_unpackhi_epi32(z[2], z[3]));
    __m512i c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    c = _mm512_add_epi32(c, _mm512_shuffle_i32x4(c, c, 0xb1));
    const __m512i order = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, c));
}

// Adds n <= 8 blocks to the partial sums; the lanes behind them are left alone.
INLINE __m256 add_blocks(const struct format32 f, __m256 acc, const char *w, const struct column x, size_t n) {
    const __mmask8 m = (__mmask8)((1u << n) - 1);
    __m256i sum = block_sums(f, w, x.q, n);
    __m256 d, min;
    if (f.zero_shift >= 0) {
        __m256i of_x = _mm256_madd_epi16(_mm256_loadu_si256((const void *)x.bs), _mm256_set1_epi16(1));
        sum = _mm256_sub_epi32(sum, _mm256_slli_epi32(of_x, (int)f.zero_shift));
    }
    if (f.has_min)
        half_pairs8(w, f.block_size, n, &d, &min);
    else
        d = halves8(w, f.block_size, n);
    acc = _mm256_mask3_fmadd_ps(_mm256_mul_ps(d, _mm256_loadu_ps(x.d)), _mm256_cvtepi32_ps(sum), acc, m);
    return f.has_min ? _mm256_mask3_fmadd_ps(min, _mm256_loadu_ps(x.s), acc, m) : acc;
}

// The blocks that are left behind the last eight whole ones: two at a time is what rows of 576 or 640 leave.
INLINE __m256 add_rest(const struct format32 f, __m256 acc, const char *w, const struct padded *rest, size_t n) {
    const struct column x = {rest->q, rest->d, rest->s, rest->bs};
    if (n == 2)
        return add_blocks(f, acc, w, x, 2);
    return n == 4 ? add_blocks(f, acc, w, x, 4) : add_blocks(f, acc, w, x, n);
}

INLINE float row_dot(const struct format32 f, const char *w, const struct column x, const struct padded *rest,
                     size_t n) {
    size_t blocks = n / 32, b = 0;
    __m256 acc = _mm256_setzero_ps();
    for (; b + 8 <= blocks; b += 8) {
        const struct column at = {x.q + 32 * b, x.d + b, x.s + b, x.bs + 2 * b};
        prefetch(w + b * f.block_size + AHEAD, 8 * f.block_size);
        acc = add_blocks(f, acc, w + b * f.block_size, at, 8);
    }
    if (b < blocks)
        acc = add_rest(f, acc, w + b * f.block_size, rest, blocks - b);
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

static void dot_iq4_nl(const struct dot_job *j) {
    dot32((struct format32){codes_iq4_nl, sizeof(struct block_iq4_nl), 7, false}, j);
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

// What stands beside the codes in the blocks of four rows, against one column's block.
struct heads {
    __m512i scale[ROWS]; // int16: the row's sub-scales, from lane `first` on
    int first[ROWS];
    __m128 d, dmin;
    __m128i offset; // sums of minimum * x, or what the zero of the codes adds to sums of scale * code * x
};

struct format256 {
    codes256_reader *codes;
    void (*heads)(const char *const w[ROWS], const int16_t *bs, struct heads *h);
    size_t block_size;
    int subs; // sub-scales in 64 elements
    bool has_min;
};

// The headers of Q4_K, four rows in the four quarters of a vector: d and dmin, then twelve bytes with eight scales and
// eight minimums of six bits.
INLINE void heads_q4_k(const char *const w[ROWS], const int16_t *bs, struct heads *h) {
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
    __m512i mins = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(sorted, 1));
    __m256i pairs = _mm256_madd_epi16(_mm256_loadu_si256((const void *)bs), _mm256_set1_epi16(1));
    __m512i offset = _mm512_madd_epi16(mins, _mm512_broadcast_i32x4(_mm256_cvtepi32_epi16(pairs)));
    offset = _mm512_add_epi32(offset, _mm512_shuffle_epi32(offset, 0x4e));
    offset = _mm512_add_epi32(offset, _mm512_shuffle_epi32(offset, 0xb1));
    const __m512i quarters = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    h->offset = _mm512_castsi512_si128(_mm512_permutexvar_epi32(quarters, offset));
    __m128i d = _mm512_castsi512_si128(_mm512_permutexvar_epi32(quarters, v));
    d = _mm_shuffle_epi8(d, _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    __m256 both = _mm256_cvtph_ps(d);
    h->d = _mm256_castps256_ps128(both);
    h->dmin = _mm256_extractf128_ps(both, 1);
    UNROLL for (int r = 0; r < ROWS; r++) {
        h->scale[r] = scales;
        h->first[r] = 8 * r;
    }
}

INLINE void heads_q6_k(const char *const w[ROWS], const int16_t *bs, struct heads *h) {
    const __m256i of_x = _mm256_loadu_si256((const void *)bs);
    __m512i offset[ROWS];
    __m128i d = _mm_setzero_si128();
    UNROLL for (int r = 0; r < ROWS; r++) {
        __m256i scales = _mm256_cvtepi8_epi16(scales_q6_k(w[r]));
        h->scale[r] = _mm512_castsi256_si512(scales);
        h->first[r] = 0;
        offset[r] = _mm512_zextsi256_si512(_mm256_madd_epi16(scales, of_x));
    }
    d = _mm_insert_epi16(d, half_at(w[0] + offsetof(struct block_q6_k, d)), 0);
    d = _mm_insert_epi16(d, half_at(w[1] + offsetof(struct block_q6_k, d)), 1);
    d = _mm_insert_epi16(d, half_at(w[2] + offsetof(struct block_q6_k, d)), 2);
    d = _mm_insert_epi16(d, half_at(w[3] + offsetof(struct block_q6_k, d)), 3);
    h->offset = _mm_slli_epi32(int_sums_of_four(offset[0], offset[1], offset[2], offset[3]), 5);
    h->d = _mm_cvtph_ps(d);
    h->dmin = _mm_setzero_ps();
}

// The index of the sub-scale for each of the 32 pair sums of 64 elements, the first being `first`.
INLINE __m512i scale_lanes(int subs, int first) {
    const long long one = 0x0001000100010001;
    __m512i lane = subs == 2 ? _mm512_setr_epi64(0, 0, 0, 0, one, one, one, one)
                             : _mm512_setr_epi64(0, 0, one, one, 2 * one, 2 * one, 3 * one, 3 * one);
    return _mm512_add_epi16(lane, _mm512_set1_epi16((short)first));
}

// One row's block: the sum of scale * code * x over sixteen lanes. Pairs of products fit 16 bits (63 * 127 * 2).
INLINE __m512i block_lanes(const struct format256 f, const char *b, const struct heads *h, int r, const __m512i x[4]) {
    __m512i sum = _mm512_setzero_si512();
    UNROLL for (int c = 0; c < 4; c++) {
        __m512i spread = _mm512_permutexvar_epi16(scale_lanes(f.subs, h->first[r] + f.subs * c), h->scale[r]);
        sum = _mm512_dpwssd_epi32(sum, _mm512_maddubs_epi16(f.codes(b, c), x[c]), spread);
    }
    return sum;
}

// Four rows times one column; acc[b mod 8] holds the four rows' partial sums.
INLINE __m128 rows_dot256(const struct format256 f, const char *const row[ROWS], const struct quant_vec *x, size_t n,
                          size_t ahead) {
    __m128 acc[8];
    UNROLL for (int i = 0; i < 8; i++) acc[i] = _mm_setzero_ps();
    for (size_t b = 0; b < n / 256; b++) {
        const char *w[ROWS];
        struct heads h;
        __m512i q[4], sum[ROWS];
        prefetch(row[0] + ahead + b * ROWS * f.block_size, ROWS * f.block_size);
        UNROLL for (int c = 0; c < 4; c++) q[c] = _mm512_loadu_si512(x->q + 256 * b + 64 * c);
        UNROLL for (int r = 0; r < ROWS; r++) w[r] = row[r] + b * f.block_size;
        f.heads(w, x->bs + 16 * b, &h);
        UNROLL for (int r = 0; r < ROWS; r++) sum[r] = block_lanes(f, w[r], &h, r, q);
        __m128 d = _mm_set1_ps(x->d[b]), part = acc[b % 8];
        __m128i isum = int_sums_of_four(sum[0], sum[1], sum[2], sum[3]);
        isum = f.has_min ? isum : _mm_sub_epi32(isum, h.offset);
        part = _mm_fmadd_ps(_mm_mul_ps(h.d, d), _mm_cvtepi32_ps(isum), part);
        acc[b % 8] = f.has_min ? _mm_fnmadd_ps(_mm_mul_ps(h.dmin, d), _mm_cvtepi32_ps(h.offset), part) : part;
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
    dot256((struct format256){codes_q4_k, heads_q4_k, sizeof(struct block_q4_k), 2, true}, j);
}

static void dot_q5_k(const struct dot_job *j) {
    dot256((struct format256){codes_q5_k, heads_q4_k, sizeof(struct block_q5_k), 2, true}, j);
}

static void dot_q6_k(const struct dot_job *j) {
    dot256((struct format256){codes_q6_k, heads_q6_k, sizeof(struct block_q6_k), 4, false}, j);
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
    k->dot[QUANT_q5_k] = dot_q5_k;
    k->dot[QUANT_q6_k] = dot_q6_k;
    k->dot[QUANT_iq4_nl] = dot_iq4_nl;
}

#endif
