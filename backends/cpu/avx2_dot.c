// SPDX-License-Identifier: MIT
// AVX2: matrix products straight from the file, any number of columns. A row's codes are unpacked once for all columns.
// Formats of 32: the lanes of a sum are eight consecutive blocks. Formats of 256: the lanes are four rows when there
// are few columns, else four columns. Float formats: the lanes are the sixteen partial sums.
#if defined(__x86_64__)
#include "backends/cpu/avx2.h"

#include <string.h>

#include "backends/cpu/avx2_begin.h"
#include "backends/cpu/avx2_codes.h"

#define FOUR 4
#define MAX_COLS TAPE_MAX_ROWS

// Formats of 32 are read this far behind the prefetch.
#define AHEAD 4096

struct format32 {
    codes_reader *codes;
    size_t block_size;
    int zero_shift; // the zero is 1 << zero_shift; -1: none
    bool has_min, is_signed;
};

// Codes times activations, added up in pairs: 16 bits hold 2 * 127 * 63 of unsigned codes and 2 * 127 * 128 of signed
// ones.
INLINE __m256i dot_codes(bool is_signed, __m256i w, __m256i x) {
    if (is_signed) {
        w = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
        return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    }
    return _mm256_maddubs_epi16(w, x);
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

// Up to eight blocks of a row, unpacked.
struct blocks8 {
    __m256i codes[8];
    __m256 d, m;
};

INLINE struct blocks8 unpack8(const struct format32 f, const char *w, size_t n) {
    struct blocks8 k;
    UNROLL for (size_t i = 0; i < 8; i++) k.codes[i] =
        i < n ? f.codes(w + i * f.block_size, 0) : _mm256_setzero_si256();
    k.d = halves8(w, f.block_size, n);
    k.m = f.has_min ? halves8(w + sizeof(uint16_t), f.block_size, n) : _mm256_setzero_ps();
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

INLINE __m256i sums_of_x(const int16_t *bs, size_t n) {
    int16_t copy[16] = {0};
    if (n < 8) {
        memcpy(copy, bs, 2 * n * sizeof *bs);
        bs = copy;
    }
    return _mm256_madd_epi16(_mm256_loadu_si256((const void *)bs), _mm256_set1_epi16(1));
}

// Adds n <= 8 blocks from block b on to one column's partial sums; lanes behind n are left alone.
INLINE __m256 add_blocks(const struct format32 f, __m256 acc, const struct blocks8 *k, const struct quant_vec *x,
                         size_t b, size_t n) {
    __m256i z[8];
    UNROLL for (size_t i = 0; i < 8; i++) {
        const int8_t *q = x->q + 32 * (b + (i < n ? i : 0));
        __m256i pairs = dot_codes(f.is_signed, k->codes[i], _mm256_loadu_si256((const void *)q));
        z[i] = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    }
    __m256i sum = sums_of_eight(z);
    if (f.zero_shift >= 0)
        sum = _mm256_sub_epi32(sum, _mm256_slli_epi32(sums_of_x(x->bs + 2 * b, n), f.zero_shift));
    __m256 scale = _mm256_mul_ps(k->d, floats8(x->d + b, n));
    __m256 next = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(sum), acc);
    if (f.has_min)
        next = _mm256_fmadd_ps(k->m, floats8(x->s + b, n), next);
    return n == 8 ? next : _mm256_blendv_ps(acc, next, bits_to_lanes((1u << n) - 1));
}

INLINE void row32(const struct format32 f, const char *w, const struct quant_vec *x, const struct dot_job *j,
                  uint32_t r) {
    float acc[MAX_COLS][8];
    size_t blocks = j->n / 32, b = 0;
    memset(acc, 0, j->cols * sizeof *acc);
    for (; b + 8 <= blocks; b += 8) {
        prefetch(w + b * f.block_size + AHEAD, 8 * f.block_size);
        struct blocks8 k = unpack8(f, w + b * f.block_size, 8);
        for (uint32_t c = 0; c < j->cols; c++)
            _mm256_storeu_ps(acc[c], add_blocks(f, _mm256_loadu_ps(acc[c]), &k, &x[c], b, 8));
    }
    if (b < blocks) {
        struct blocks8 k = unpack8(f, w + b * f.block_size, blocks - b);
        for (uint32_t c = 0; c < j->cols; c++)
            _mm256_storeu_ps(acc[c], add_blocks(f, _mm256_loadu_ps(acc[c]), &k, &x[c], b, blocks - b));
    }
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

static void dot_q4_0(const struct dot_job *j) {
    dot32((struct format32){codes_q4_0, sizeof(struct block_q4_0), 3, false, false}, j);
}

static void dot_q4_1(const struct dot_job *j) {
    dot32((struct format32){codes_q4_1, sizeof(struct block_q4_1), -1, true, false}, j);
}

static void dot_q5_0(const struct dot_job *j) {
    dot32((struct format32){codes_q5_0, sizeof(struct block_q5_0), 4, false, false}, j);
}

static void dot_q5_1(const struct dot_job *j) {
    dot32((struct format32){codes_q5_1, sizeof(struct block_q5_1), -1, true, false}, j);
}

static void dot_q8_0(const struct dot_job *j) {
    dot32((struct format32){codes_q8_0, sizeof(struct block_q8_0), -1, false, true}, j);
}

static void dot_iq4_nl(const struct dot_job *j) {
    dot32((struct format32){codes_iq4_nl, sizeof(struct block_iq4_nl), -1, false, true}, j);
}

struct format256 {
    codes_reader *codes;
    __m128i (*scales)(const char *b);
    __m128i (*mins)(const char *b); // NULL: none
    size_t block_size, d_at, dmin_at;
    int zero_shift; // -1: none
};

// A block of a row, unpacked: codes, sub-scales as they multiply the codes' pair sums, minimums.
struct block256 {
    __m256i codes[8], scale[8];
    __m256i scales, mins; // int16[16]
};

INLINE void unpack256(const struct format256 f, const char *b, struct block256 *k) {
    k->scales = _mm256_cvtepi8_epi16(f.scales(b));
    k->mins = f.mins ? _mm256_cvtepu8_epi16(f.mins(b)) : _mm256_setzero_si256();
    int16_t s[16];
    _mm256_storeu_si256((void *)s, k->scales);
    UNROLL for (int c = 0; c < 8; c++) {
        k->codes[c] = f.codes(b, c);
        k->scale[c] = _mm256_set_m128i(_mm_set1_epi16(s[2 * c + 1]), _mm_set1_epi16(s[2 * c]));
    }
}

// The sum of scale * (code - zero) * x over eight lanes.
INLINE __m256i block_lanes(const struct format256 f, const struct block256 *k, const int8_t *q, const int16_t *bs) {
    __m256i sum = _mm256_setzero_si256();
    if (f.zero_shift >= 0) {
        __m256i of_x = _mm256_madd_epi16(k->scales, _mm256_loadu_si256((const void *)bs));
        sum = _mm256_sub_epi32(sum, _mm256_slli_epi32(of_x, f.zero_shift));
    }
    UNROLL for (int c = 0; c < 8; c++) {
        __m256i pairs = _mm256_maddubs_epi16(k->codes[c], _mm256_loadu_si256((const void *)(q + 32 * c)));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, k->scale[c]));
    }
    return sum;
}

INLINE __m128i sums_of_four(const __m256i z[FOUR]) {
    __m256i a = _mm256_add_epi32(_mm256_unpacklo_epi32(z[0], z[1]), _mm256_unpackhi_epi32(z[0], z[1]));
    __m256i b = _mm256_add_epi32(_mm256_unpacklo_epi32(z[2], z[3]), _mm256_unpackhi_epi32(z[2], z[3]));
    __m256i c = _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    return _mm_add_epi32(_mm256_castsi256_si128(c), _mm256_extracti128_si256(c, 1));
}

// acc + d * sum, and - dmin * offset in formats with minimums.
INLINE __m128 add_four(const struct format256 f, __m128 acc, const __m256i sum[FOUR], const __m256i offset[FOUR],
                       __m128 d, __m128 dmin) {
    acc = _mm_fmadd_ps(d, _mm_cvtepi32_ps(sums_of_four(sum)), acc);
    return f.mins ? _mm_fnmadd_ps(dmin, _mm_cvtepi32_ps(sums_of_four(offset)), acc) : acc;
}

INLINE __m256i offset_lanes(const struct block256 *k, const int16_t *bs) {
    return _mm256_madd_epi16(k->mins, _mm256_loadu_si256((const void *)bs));
}

// The tree of quant_sum8 over the eight partial sums of four results.
INLINE __m128 tree(const float *acc, size_t stride) {
    __m128 a[8];
    UNROLL for (size_t i = 0; i < 8; i++) a[i] = _mm_loadu_ps(acc + i * stride);
    __m128 even = _mm_add_ps(_mm_add_ps(a[0], a[4]), _mm_add_ps(a[2], a[6]));
    __m128 odd = _mm_add_ps(_mm_add_ps(a[1], a[5]), _mm_add_ps(a[3], a[7]));
    return _mm_add_ps(even, odd);
}

INLINE void store_four(float *y, __m128 v, uint32_t n) {
    float copy[FOUR];
    _mm_storeu_ps(copy, v);
    memcpy(y, copy, n * sizeof *y);
}

// Four rows times one column.
INLINE __m128 four_rows(const struct format256 f, const char *const row[FOUR], const struct quant_vec *x, size_t n,
                        size_t ahead) {
    float acc[8][FOUR] = {{0}};
    for (size_t b = 0; b < n / 256; b++) {
        __m256i sum[FOUR], offset[FOUR];
        uint16_t d[8] = {0};
        prefetch(row[0] + ahead + b * FOUR * f.block_size, FOUR * f.block_size);
        UNROLL for (int r = 0; r < FOUR; r++) {
            const char *w = row[r] + b * f.block_size;
            struct block256 k;
            unpack256(f, w, &k);
            sum[r] = block_lanes(f, &k, x->q + 256 * b, x->bs + 16 * b);
            offset[r] = offset_lanes(&k, x->bs + 16 * b);
            d[r] = half_at(w + f.d_at);
            d[r + FOUR] = half_at(w + f.dmin_at);
        }
        __m256 both = _mm256_mul_ps(_mm256_cvtph_ps(_mm_loadu_si128((const void *)d)), _mm256_set1_ps(x->d[b]));
        __m128 part = _mm_loadu_ps(acc[b % 8]);
        part = add_four(f, part, sum, offset, _mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
        _mm_storeu_ps(acc[b % 8], part);
    }
    return tree(acc[0], FOUR);
}

INLINE void dot256_rows(const struct format256 f, const struct dot_job *j, const struct quant_vec *x) {
    for (uint32_t r = 0; r < j->rows; r += FOUR) {
        const char *row[FOUR];
        uint32_t rows = j->rows - r < FOUR ? j->rows - r : FOUR;
        for (uint32_t i = 0; i < FOUR; i++)
            row[i] = j->w + (r + (i < rows ? i : rows - 1)) * j->row_size;
        for (uint32_t c = 0; c < j->cols; c++)
            store_four(j->y + c * j->y_stride + r, four_rows(f, row, &x[c], j->n, FOUR * j->row_size), rows);
    }
}

// One unpacked block times the columns c .. c + 3.
INLINE void four_columns(const struct format256 f, const struct block256 *k, const struct quant_vec x[FOUR], size_t b,
                         float d, float dmin, float *acc) {
    __m256i sum[FOUR], offset[FOUR];
    UNROLL for (int c = 0; c < FOUR; c++) {
        sum[c] = block_lanes(f, k, x[c].q + 256 * b, x[c].bs + 16 * b);
        offset[c] = offset_lanes(k, x[c].bs + 16 * b);
    }
    __m128 dx = _mm_setr_ps(x[0].d[b], x[1].d[b], x[2].d[b], x[3].d[b]);
    __m128 part =
        add_four(f, _mm_loadu_ps(acc), sum, offset, _mm_mul_ps(_mm_set1_ps(d), dx), _mm_mul_ps(_mm_set1_ps(dmin), dx));
    _mm_storeu_ps(acc, part);
}

INLINE void row256(const struct format256 f, const char *w, const struct dot_job *j, const struct quant_vec *x,
                   uint32_t r) {
    float acc[8][MAX_COLS];
    for (int i = 0; i < 8; i++)
        memset(acc[i], 0, round_up(j->cols, FOUR) * sizeof(float));
    for (size_t b = 0; b < j->n / 256; b++, w += f.block_size) {
        struct block256 k;
        unpack256(f, w, &k);
        float d = num_f16_to_f32(half_at(w + f.d_at)), dmin = num_f16_to_f32(half_at(w + f.dmin_at));
        for (uint32_t c = 0; c < j->cols; c += FOUR)
            four_columns(f, &k, x + c, b, d, dmin, &acc[b % 8][c]);
    }
    for (uint32_t c = 0; c < j->cols; c += FOUR) {
        float v[FOUR];
        _mm_storeu_ps(v, tree(&acc[0][c], MAX_COLS));
        for (uint32_t i = 0; i < FOUR && c + i < j->cols; i++)
            j->y[(c + i) * j->y_stride + r] = v[i];
    }
}

INLINE void dot256(const struct format256 f, const struct dot_job *j) {
    struct quant_vec x[MAX_COLS + FOUR];
    columns(j, x);
    if (j->cols < FOUR) {
        dot256_rows(f, j, x);
        return;
    }
    for (uint32_t c = j->cols; c % FOUR; c++) // stand in for columns that are not there
        x[c] = x[j->cols - 1];
    for (uint32_t r = 0; r < j->rows; r++)
        row256(f, j->w + r * j->row_size, j, x, r);
}

static void dot_q4_k(const struct dot_job *j) {
    dot256((struct format256){codes_q4_k, scales_q4_k, mins_q4_k, sizeof(struct block_q4_k),
                              offsetof(struct block_q4_k, d), offsetof(struct block_q4_k, dmin), -1},
           j);
}

static void dot_q5_k(const struct dot_job *j) {
    dot256((struct format256){codes_q5_k, scales_q4_k, mins_q4_k, sizeof(struct block_q5_k),
                              offsetof(struct block_q5_k, d), offsetof(struct block_q5_k, dmin), -1},
           j);
}

static void dot_q6_k(const struct dot_job *j) {
    dot256((struct format256){codes_q6_k, scales_q6_k, NULL, sizeof(struct block_q6_k), offsetof(struct block_q6_k, d),
                              0, 5},
           j);
}

// n <= 16 weights at p as float32; lanes behind them are 0.
typedef v16 float_reader(const char *p, size_t n);

INLINE v16 read_f32(const char *p, size_t n) {
    float copy[16] = {0};
    if (n < 16) {
        memcpy(copy, p, n * sizeof *copy);
        return v16_load(copy);
    }
    return v16_load((const float *)(const void *)p);
}

INLINE const uint16_t *sixteen_halves(const char *p, size_t n, uint16_t copy[16]) {
    if (n == 16)
        return (const uint16_t *)(const void *)p;
    memset(copy, 0, 16 * sizeof *copy);
    memcpy(copy, p, n * sizeof *copy);
    return copy;
}

INLINE v16 read_f16(const char *p, size_t n) {
    uint16_t copy[16];
    return v16_load_f16(sixteen_halves(p, n, copy));
}

INLINE v16 read_bf16(const char *p, size_t n) {
    uint16_t copy[16];
    __m256i h = _mm256_loadu_si256((const void *)sixteen_halves(p, n, copy));
    __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(h));
    __m256i high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(h, 1));
    return (v16){_mm256_castsi256_ps(_mm256_slli_epi32(low, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(high, 16))};
}

// One row times up to four columns.
INLINE void float_row(float_reader *read, size_t size, const char *w, const float *const x[FOUR], int cols, size_t n,
                      float out[FOUR]) {
    v16 sum[FOUR];
    size_t i = 0;
    UNROLL for (int c = 0; c < cols; c++) sum[c] = v16_set1(0.0f);
    for (; i + 16 <= n; i += 16) {
        v16 v = read(w + i * size, 16);
        UNROLL for (int c = 0; c < cols; c++) sum[c] = v16_fma(v, v16_load(x[c] + i), sum[c]);
    }
    if (i < n) {
        v16 v = read(w + i * size, n - i);
        UNROLL for (int c = 0; c < cols; c++) sum[c] =
            v16_pick((1u << (n - i)) - 1, v16_fma(v, v16_load_n(x[c] + i, n - i), sum[c]), sum[c]);
    }
    UNROLL for (int c = 0; c < cols; c++) out[c] = sum8(v16_halves(sum[c]));
}

INLINE void dot_float(float_reader *read, size_t size, const struct dot_job *j) {
    for (uint32_t c = 0; c < j->cols; c += FOUR) {
        uint32_t cols = j->cols - c < FOUR ? j->cols - c : FOUR;
        const float *x[FOUR];
        for (uint32_t i = 0; i < FOUR; i++)
            x[i] = (const float *)(const void *)(j->x + (c + (i < cols ? i : cols - 1)) * j->x_stride);
        for (uint32_t r = 0; r < j->rows; r++) {
            float out[FOUR];
            if (cols == 1)
                float_row(read, size, j->w + r * j->row_size, x, 1, j->n, out);
            else
                float_row(read, size, j->w + r * j->row_size, x, FOUR, j->n, out);
            for (uint32_t i = 0; i < cols; i++)
                j->y[(c + i) * j->y_stride + r] = out[i];
        }
    }
}

static void dot_f32(const struct dot_job *j) {
    dot_float(read_f32, 4, j);
}

static void dot_f16(const struct dot_job *j) {
    dot_float(read_f16, 2, j);
}

static void dot_bf16(const struct dot_job *j) {
    dot_float(read_bf16, 2, j);
}

#include "backends/cpu/avx2_end.h"

void avx2_fill_dot(struct kernels *k) {
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
