// SPDX-License-Identifier: MIT
// AVX-512: many columns. Thirty-two rows of weights are unpacked into a panel of signed bytes whose lanes are rows,
// four elements to a lane, and a tile of 32 rows times six columns is multiplied in registers. The activations' codes
// are made unsigned by adding 128 for the dot instruction, which the panel's correction -128 * (sum of weights) takes
// back.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_codes.h"

#define COLS 6 // 12 accumulators of blocks and 12 of sub-blocks, 2 of weights, 1 of activations: 27 of 32 registers
#define VECTORS (PANEL_ROWS / 16)

// A panel of formats of 32: one of these per block.
struct panel32 {
    int8_t q[8][PANEL_ROWS][4];
    int32_t correction[PANEL_ROWS];
    float d[PANEL_ROWS], m[PANEL_ROWS];
};

// A panel of formats of 256: one of these per block.
struct panel256 {
    int8_t q[64][PANEL_ROWS][4];
    int32_t correction[16][PANEL_ROWS]; // per sub-block of 16
    int32_t scale[16][PANEL_ROWS];
    int16_t min[8][PANEL_ROWS][2]; // of two sub-blocks each
    float d[PANEL_ROWS], dmin[PANEL_ROWS];
};

static_assert(8 * sizeof(struct panel32) <= PANEL_BYTES_PER_256, "panel32");
static_assert(sizeof(struct panel256) <= PANEL_BYTES_PER_256, "panel256");

// Turns 16 rows of 16 four-byte groups into 16 groups of 16 rows, stored PANEL_ROWS * 4 bytes apart.
INLINE void store_transposed(__m512i v[16], int8_t *out) {
    __m512i t[16];
    UNROLL for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        v[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        v[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        v[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        v[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    // v[4 i + k] holds, for rows 4 i .. 4 i + 3, group k of each 128 bits: groups k, k + 4, k + 8, k + 12.
    UNROLL for (int k = 0; k < 4; k++) {
        __m512i a = _mm512_shuffle_i32x4(v[k], v[4 + k], 0x88), b = _mm512_shuffle_i32x4(v[8 + k], v[12 + k], 0x88);
        __m512i c = _mm512_shuffle_i32x4(v[k], v[4 + k], 0xdd), d = _mm512_shuffle_i32x4(v[8 + k], v[12 + k], 0xdd);
        _mm512_storeu_si512(out + (size_t)k * PANEL_ROWS * 4, _mm512_shuffle_i32x4(a, b, 0x88));
        _mm512_storeu_si512(out + (size_t)(k + 4) * PANEL_ROWS * 4, _mm512_shuffle_i32x4(c, d, 0x88));
        _mm512_storeu_si512(out + (size_t)(k + 8) * PANEL_ROWS * 4, _mm512_shuffle_i32x4(a, b, 0xdd));
        _mm512_storeu_si512(out + (size_t)(k + 12) * PANEL_ROWS * 4, _mm512_shuffle_i32x4(c, d, 0xdd));
    }
}

// -128 * the sum of `groups` four-byte groups of each row.
INLINE void correct(const int8_t *q, int groups, int32_t *out) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
        __m512i sum = _mm512_setzero_si512();
        for (int g = 0; g < groups; g++)
            sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), _mm512_loadu_si512(q + (g * PANEL_ROWS + 16 * v) * 4));
        sum = _mm512_slli_epi32(sum, 7);
        _mm512_storeu_si512(out + 16 * v, _mm512_sub_epi32(_mm512_setzero_si512(), sum));
    }
}

struct format32 {
    codes32_reader *codes;
    size_t block_size;
    int zero;
    bool has_min;
};

// Row pointers of a panel; the last row stands in for rows that are not there.
INLINE void panel_rows(const struct dot_job *j, const char *row[PANEL_ROWS]) {
    for (uint32_t r = 0; r < PANEL_ROWS; r++)
        row[r] = j->w + (r < j->rows ? r : j->rows - 1) * j->row_size;
}

// Blocks b and b + 1 of sixteen rows. A last odd block is read through a copy, because nothing may be read behind it.
INLINE void unpack_two(const struct format32 f, const char *const row[16], size_t b, bool odd, struct panel32 *p,
                       int v) {
    __m512i q[16];
    UNROLL for (int r = 0; r < 16; r++) {
        char copy[2 * sizeof(struct block_q8_0)];
        const char *at = row[r] + b * f.block_size;
        if (odd) {
            memset(copy, 0, sizeof copy);
            memcpy(copy, at, f.block_size);
            at = copy;
        }
        q[r] = _mm512_sub_epi8(f.codes(at), _mm512_set1_epi8((char)f.zero));
    }
    int8_t groups[16][PANEL_ROWS][4];
    store_transposed(q, groups[0][0]);
    for (int i = 0; i < (odd ? 1 : 2); i++) {
        const char *at[16];
        for (int r = 0; r < 16; r++)
            at[r] = row[r] + (b + (size_t)i) * f.block_size;
        for (int g = 0; g < 8; g++)
            memcpy(p[i].q[g][16 * v], groups[8 * i + g], 64);
        _mm512_storeu_ps(p[i].d + 16 * v, halves16(at, 0));
        if (f.has_min)
            _mm512_storeu_ps(p[i].m + 16 * v, halves16(at, sizeof(uint16_t)));
    }
}

INLINE void unpack32(const struct format32 f, const struct dot_job *j) {
    struct panel32 *p = j->panel;
    const char *row[PANEL_ROWS];
    panel_rows(j, row);
    for (size_t b = 0; b < j->n / 32; b += 2) {
        bool odd = b + 1 == j->n / 32;
        for (int v = 0; v < VECTORS; v++)
            unpack_two(f, row + 16 * v, b, odd, p + b, v);
        for (int i = 0; i < (odd ? 1 : 2); i++)
            correct(p[b + (size_t)i].q[0][0], 8, p[b + (size_t)i].correction);
    }
}

// Columns of activations with unsigned codes.
struct columns {
    const uint8_t *q[COLS];
    const float *d[COLS], *s[COLS];
    const int16_t *bs[COLS];
};

typedef float sums[8][COLS][PANEL_ROWS]; // partial sums by block mod 8

INLINE int32_t four_codes(const uint8_t *q) {
    int32_t v;
    memcpy(&v, q, sizeof v);
    return v;
}

// `groups` groups of a panel times `cols` columns, added to acc.
INLINE void multiply(const int8_t *w, const struct columns *x, size_t at, int groups, int cols,
                     __m512i acc[COLS][VECTORS]) {
    for (int g = 0; g < groups; g++) {
        __m512i weights[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; v++) weights[v] = _mm512_load_si512(w + (g * PANEL_ROWS + 16 * v) * 4);
        UNROLL for (int c = 0; c < cols; c++) {
            __m512i codes = _mm512_set1_epi32(four_codes(x->q[c] + at + 4 * (size_t)g));
            UNROLL for (int v = 0; v < VECTORS; v++) acc[c][v] = _mm512_dpbusd_epi32(acc[c][v], codes, weights[v]);
        }
    }
}

INLINE void gemm32_tile(const struct panel32 *p, const struct columns *x, size_t blocks, int cols, bool has_min,
                        sums sum) {
    for (size_t b = 0; b < blocks; b++, p++) {
        __m512i acc[COLS][VECTORS];
        UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) acc[c][v] =
            _mm512_load_si512(p->correction + 16 * v);
        UNROLL for (int g = 0; g < 8; g++) multiply(p->q[g][0], x, 32 * b + 4 * (size_t)g, 1, cols, acc);
        UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) {
            float *at = sum[b % 8][c] + 16 * v;
            __m512 scale = _mm512_mul_ps(_mm512_load_ps(p->d + 16 * v), _mm512_set1_ps(x->d[c][b]));
            __m512 s = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(acc[c][v]), _mm512_load_ps(at));
            if (has_min)
                s = _mm512_fmadd_ps(_mm512_load_ps(p->m + 16 * v), _mm512_set1_ps(x->s[c][b]), s);
            _mm512_store_ps(at, s);
        }
    }
}

// The tree of quant_sum8 over the partial sums, and out.
INLINE void finish(const struct dot_job *j, sums sum, uint32_t first, int cols) {
    for (int c = 0; c < cols; c++)
        for (uint32_t v = 0; v < VECTORS; v++) {
            __m512 a[8];
            UNROLL for (int i = 0; i < 8; i++) a[i] = _mm512_load_ps(sum[i][c] + 16 * v);
            __m512 even = _mm512_add_ps(_mm512_add_ps(a[0], a[4]), _mm512_add_ps(a[2], a[6]));
            __m512 odd = _mm512_add_ps(_mm512_add_ps(a[1], a[5]), _mm512_add_ps(a[3], a[7]));
            uint32_t left = j->rows > 16 * v ? j->rows - 16 * v : 0;
            _mm512_mask_storeu_ps(j->y + (first + (uint32_t)c) * j->y_stride + 16 * v,
                                  left < 16 ? lanes(left) : (__mmask16)0xffff, _mm512_add_ps(even, odd));
        }
}

#define CHUNK 1024 // elements of a column made unsigned at a time: they stay in the first-level cache

// Makes `len` codes of a column unsigned.
INLINE void flip(const int8_t *q, size_t len, uint8_t *out) {
    for (size_t i = 0; i < len; i += 32) {
        __m256i v = _mm256_loadu_si256((const void *)(q + i));
        _mm256_store_si256((void *)(out + i), _mm256_xor_si256(v, _mm256_set1_epi8(-128)));
    }
}

// Points x at chunk `at` of the columns first, first + 1, ... of the job.
INLINE void load_columns(const struct dot_job *j, uint32_t first, int cols, size_t at, size_t len, size_t block_len,
                         uint8_t codes[COLS][CHUNK], struct columns *x) {
    for (int c = 0; c < cols; c++) {
        struct quant_vec v = quant_act_vec(j->layout, j->x + (first + (uint32_t)c) * j->x_stride);
        flip(v.q + at, len, codes[c]);
        x->q[c] = codes[c];
        x->d[c] = v.d + at / block_len;
        x->s[c] = v.s + at / block_len;
        x->bs[c] = v.bs + at / 16;
    }
}

INLINE void gemm32_columns(const struct dot_job *j, uint32_t first, int cols, bool has_min) {
    _Alignas(64) sums sum;
    _Alignas(64) uint8_t codes[COLS][CHUNK];
    struct columns x;
    memset(sum, 0, sizeof sum);
    for (size_t at = 0; at < j->n; at += CHUNK) {
        size_t len = j->n - at < CHUNK ? j->n - at : CHUNK;
        load_columns(j, first, cols, at, len, 32, codes, &x);
        gemm32_tile((const struct panel32 *)j->panel + at / 32, &x, len / 32, cols, has_min, sum);
    }
    finish(j, sum, first, cols);
}

INLINE void gemm32_all(const struct dot_job *j, bool has_min) {
    uint32_t c = 0;
    for (; c + COLS <= j->cols; c += COLS)
        gemm32_columns(j, c, COLS, has_min);
    for (; c < j->cols; c++)
        gemm32_columns(j, c, 1, has_min);
}

// What follows the unpacking does not depend on the format: two functions serve all.
static void gemm32_plain(const struct dot_job *j) {
    gemm32_all(j, false);
}

static void gemm32_min(const struct dot_job *j) {
    gemm32_all(j, true);
}

INLINE void gemm32(const struct format32 f, const struct dot_job *j) {
    unpack32(f, j);
    if (f.has_min)
        gemm32_min(j);
    else
        gemm32_plain(j);
}

static void gemm_q4_0(const struct dot_job *j) {
    gemm32((struct format32){codes_q4_0, sizeof(struct block_q4_0), 8, false}, j);
}

static void gemm_q4_1(const struct dot_job *j) {
    gemm32((struct format32){codes_q4_1, sizeof(struct block_q4_1), 0, true}, j);
}

static void gemm_q5_0(const struct dot_job *j) {
    gemm32((struct format32){codes_q5_0, sizeof(struct block_q5_0), 16, false}, j);
}

static void gemm_q5_1(const struct dot_job *j) {
    gemm32((struct format32){codes_q5_1, sizeof(struct block_q5_1), 0, true}, j);
}

static void gemm_q8_0(const struct dot_job *j) {
    gemm32((struct format32){codes_q8_0, sizeof(struct block_q8_0), 128, false}, j);
}

static void gemm_iq4_nl(const struct dot_job *j) {
    gemm32((struct format32){codes_iq4_nl, sizeof(struct block_iq4_nl), 128, false}, j);
}

struct format256 {
    codes256_reader *codes;
    __m128i (*scales)(const char *b);
    __m128i (*mins)(const char *b); // NULL: none
    size_t block_size, d_at, dmin_at;
    int zero;
    int sub_len; // elements with one sub-scale: 16 or 32
};

INLINE void unpack_scales(const struct format256 f, const char *const at[16], struct panel256 *p, int v) {
    for (int r = 0; r < 16; r++) {
        int8_t s[16];
        _mm_storeu_si128((void *)s, f.scales(at[r]));
        for (int i = 0; i < 16; i++)
            p->scale[i][16 * v + r] = s[i];
        if (!f.mins)
            continue;
        _mm_storeu_si128((void *)s, f.mins(at[r]));
        for (int i = 0; i < 16; i++)
            p->min[i / 2][16 * v + r][i % 2] = (uint8_t)s[i];
    }
}

INLINE void unpack_block(const struct format256 f, const char *const row[PANEL_ROWS], size_t b, struct panel256 *p) {
    for (int v = 0; v < VECTORS; v++) {
        const char *at[16];
        for (int r = 0; r < 16; r++)
            at[r] = row[16 * v + r] + b * f.block_size;
        UNROLL for (int c = 0; c < 4; c++) {
            __m512i q[16];
            UNROLL for (int r = 0; r < 16; r++) q[r] =
                _mm512_sub_epi8(f.codes(at[r], c), _mm512_set1_epi8((char)f.zero));
            store_transposed(q, p->q[16 * c][16 * v]);
        }
        unpack_scales(f, at, p, v);
        _mm512_store_ps(p->d + 16 * v, halves16(at, f.d_at));
        if (f.mins)
            _mm512_store_ps(p->dmin + 16 * v, halves16(at, f.dmin_at));
    }
    for (int s = 0; s < 256 / f.sub_len; s++)
        correct(p->q[s * f.sub_len / 4][0], f.sub_len / 4, p->correction[s]);
}

// The sum of one block over its sub-blocks for all columns.
INLINE void block_sums(int sub_len, const struct panel256 *p, const struct columns *x, size_t at, int cols,
                       __m512i total[COLS][VECTORS]) {
    const int groups = sub_len / 4;
    for (int s = 0; s < 256 / sub_len; s++) {
        __m512i acc[COLS][VECTORS];
        UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) acc[c][v] =
            _mm512_load_si512(p->correction[s] + 16 * v);
        UNROLL for (int g = 0; g < groups; g++)
            multiply(p->q[s * groups + g][0], x, at + 4 * (size_t)(s * groups + g), 1, cols, acc);
        UNROLL for (int v = 0; v < VECTORS; v++) {
            __m512i scale = _mm512_load_si512(p->scale[s * sub_len / 16] + 16 * v);
            UNROLL for (int c = 0; c < cols; c++) total[c][v] =
                _mm512_add_epi32(total[c][v], _mm512_mullo_epi32(acc[c][v], scale));
        }
    }
}

INLINE void gemm256_tile(int sub_len, bool has_min, const struct panel256 *p, const struct columns *x, size_t blocks,
                         size_t first, int cols, sums sum) {
    for (size_t b = 0; b < blocks; b++, p++) {
        __m512i total[COLS][VECTORS];
        UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) total[c][v] =
            _mm512_setzero_si512();
        block_sums(sub_len, p, x, 256 * b, cols, total);
        UNROLL for (int c = 0; c < cols; c++) UNROLL for (int v = 0; v < VECTORS; v++) {
            float *at = sum[(first + b) % 8][c] + 16 * v;
            const __m512 d = _mm512_set1_ps(x->d[c][b]);
            __m512 scale = _mm512_mul_ps(_mm512_load_ps(p->d + 16 * v), d);
            __m512 s = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(total[c][v]), _mm512_load_ps(at));
            if (has_min) {
                __m512i offset = _mm512_setzero_si512();
                UNROLL for (int i = 0; i < 8; i++) offset = _mm512_dpwssd_epi32(
                    offset, _mm512_set1_epi32(four_codes((const uint8_t *)(x->bs[c] + 16 * b + 2 * (size_t)i))),
                    _mm512_load_si512(p->min[i][16 * v]));
                s = _mm512_fnmadd_ps(_mm512_mul_ps(_mm512_load_ps(p->dmin + 16 * v), d), _mm512_cvtepi32_ps(offset), s);
            }
            _mm512_store_ps(at, s);
        }
    }
}

INLINE void gemm256_columns(int sub_len, bool has_min, const struct dot_job *j, uint32_t first, int cols) {
    _Alignas(64) sums sum;
    _Alignas(64) uint8_t codes[COLS][CHUNK];
    struct columns x;
    memset(sum, 0, sizeof sum);
    for (size_t at = 0; at < j->n; at += CHUNK) {
        size_t len = j->n - at < CHUNK ? j->n - at : CHUNK;
        load_columns(j, first, cols, at, len, 256, codes, &x);
        gemm256_tile(sub_len, has_min, (const struct panel256 *)j->panel + at / 256, &x, len / 256, at / 256, cols,
                     sum);
    }
    finish(j, sum, first, cols);
}

INLINE void gemm256_all(int sub_len, bool has_min, const struct dot_job *j) {
    uint32_t c = 0;
    for (; c + COLS <= j->cols; c += COLS)
        gemm256_columns(sub_len, has_min, j, c, COLS);
    for (; c < j->cols; c++)
        gemm256_columns(sub_len, has_min, j, c, 1);
}

static void gemm256_32_min(const struct dot_job *j) {
    gemm256_all(32, true, j);
}

static void gemm256_16_plain(const struct dot_job *j) {
    gemm256_all(16, false, j);
}

INLINE void unpack256(const struct format256 f, const struct dot_job *j) {
    const char *row[PANEL_ROWS];
    panel_rows(j, row);
    for (size_t b = 0; b < j->n / 256; b++)
        unpack_block(f, row, b, (struct panel256 *)j->panel + b);
}

static void gemm_q4_k(const struct dot_job *j) {
    unpack256((struct format256){codes_q4_k, scales_q4_k, mins_q4_k, sizeof(struct block_q4_k),
                                 offsetof(struct block_q4_k, d), offsetof(struct block_q4_k, dmin), 0, 32},
              j);
    gemm256_32_min(j);
}

static void gemm_q5_k(const struct dot_job *j) {
    unpack256((struct format256){codes_q5_k, scales_q4_k, mins_q4_k, sizeof(struct block_q5_k),
                                 offsetof(struct block_q5_k, d), offsetof(struct block_q5_k, dmin), 0, 32},
              j);
    gemm256_32_min(j);
}

static void gemm_q6_k(const struct dot_job *j) {
    unpack256((struct format256){codes_q6_k, scales_q6_k, NULL, sizeof(struct block_q6_k),
                                 offsetof(struct block_q6_k, d), 0, 32, 16},
              j);
    gemm256_16_plain(j);
}

#include "backends/cpu/avx512_end.h"

void avx512_fill_gemm(struct kernels *k) {
    k->gemm[QUANT_q4_0] = gemm_q4_0;
    k->gemm[QUANT_q4_1] = gemm_q4_1;
    k->gemm[QUANT_q5_0] = gemm_q5_0;
    k->gemm[QUANT_q5_1] = gemm_q5_1;
    k->gemm[QUANT_q8_0] = gemm_q8_0;
    k->gemm[QUANT_q4_k] = gemm_q4_k;
    k->gemm[QUANT_q5_k] = gemm_q5_k;
    k->gemm[QUANT_q6_k] = gemm_q6_k;
    k->gemm[QUANT_iq4_nl] = gemm_iq4_nl;
}

#endif
