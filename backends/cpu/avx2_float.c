// SPDX-License-Identifier: MIT
// AVX2: matrix products of float formats. The lanes of a sum are the sixteen partial sums.
#if defined(__x86_64__)
#include "backends/cpu/avx2.h"

#include <string.h>

#include "backends/cpu/avx2_begin.h"
#include "backends/cpu/v16_avx2.h"

#define FOUR 4

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

// One row times four columns.
INLINE void float_row(float_reader *read, size_t size, const char *w, const float *const x[FOUR], size_t n,
                      float out[FOUR]) {
    v16 sum[FOUR];
    size_t i = 0;
    UNROLL for (int c = 0; c < FOUR; c++) sum[c] = v16_set1(0.0f);
    for (; i + 16 <= n; i += 16) {
        v16 v = read(w + i * size, 16);
        UNROLL for (int c = 0; c < FOUR; c++) sum[c] = v16_fma(v, v16_load(x[c] + i), sum[c]);
    }
    if (i < n) {
        v16 v = read(w + i * size, n - i);
        UNROLL for (int c = 0; c < FOUR; c++) sum[c] =
            v16_pick((1u << (n - i)) - 1, v16_fma(v, v16_load_n(x[c] + i, n - i), sum[c]), sum[c]);
    }
    UNROLL for (int c = 0; c < FOUR; c++) out[c] = sum8(v16_halves(sum[c]));
}

// Four rows times one column: one row's sums would wait for each other.
INLINE void float_rows(float_reader *read, size_t size, const char *const w[FOUR], const float *x, size_t n,
                       const char *ahead, float out[FOUR]) {
    v16 sum[FOUR];
    size_t i = 0;
    UNROLL for (int r = 0; r < FOUR; r++) sum[r] = v16_set1(0.0f);
    for (; i + 16 <= n; i += 16) {
        const v16 v = v16_load(x + i);
        prefetch(ahead + FOUR * i * size, FOUR * 16 * size);
        UNROLL for (int r = 0; r < FOUR; r++) sum[r] = v16_fma(read(w[r] + i * size, 16), v, sum[r]);
    }
    if (i < n) {
        const v16 v = v16_load_n(x + i, n - i);
        UNROLL for (int r = 0; r < FOUR; r++) sum[r] =
            v16_pick((1u << (n - i)) - 1, v16_fma(read(w[r] + i * size, n - i), v, sum[r]), sum[r]);
    }
    UNROLL for (int r = 0; r < FOUR; r++) out[r] = sum8(v16_halves(sum[r]));
}

INLINE void dot_one(float_reader *read, size_t size, const struct dot_job *j) {
    for (uint32_t r = 0; r < j->rows; r += FOUR) {
        const uint32_t rows = j->rows - r < FOUR ? j->rows - r : FOUR;
        const char *w[FOUR];
        float out[FOUR];
        for (uint32_t i = 0; i < FOUR; i++)
            w[i] = j->w + (r + (i < rows ? i : rows - 1)) * j->row_size;
        float_rows(read, size, w, (const float *)(const void *)j->x, j->n, ahead_of_row(j, r, FOUR), out);
        memcpy(j->y + r, out, rows * sizeof *out);
    }
}

INLINE void dot_float(float_reader *read, size_t size, const struct dot_job *j) {
    if (j->cols == 1) {
        dot_one(read, size, j);
        return;
    }
    for (uint32_t c = 0; c < j->cols; c += FOUR) {
        uint32_t cols = j->cols - c < FOUR ? j->cols - c : FOUR;
        const float *x[FOUR];
        for (uint32_t i = 0; i < FOUR; i++)
            x[i] = (const float *)(const void *)(j->x + (c + (i < cols ? i : cols - 1)) * j->x_stride);
        for (uint32_t r = 0; r < j->rows; r++) {
            float out[FOUR];
            float_row(read, size, j->w + r * j->row_size, x, j->n, out);
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

// Many columns: a CHUNK of elements of BLOCK_COLS columns stays in the second-level cache while all rows of the job
// pass, as do the rows' sums; eight rows of it, widened, stay in the first-level cache; a tile of two rows times three
// columns keeps its 6 x 16 partial sums in registers for a chunk.
#define GROUP_ROWS 8
#define BLOCK_COLS 72
#define CHUNK 512
#define TILE_ROWS 2
#define TILE_COLS 3

typedef float float_sums[GROUP_ROWS][BLOCK_COLS][16];

static_assert(PANEL_ROWS / GROUP_ROWS * sizeof(float_sums) <= PANEL_BYTES, "float_sums");

INLINE void float_tile(float w[TILE_ROWS][CHUNK], const float *const x[TILE_COLS], size_t n,
                       float *const at[TILE_ROWS][TILE_COLS]) {
    __m256 sum[TILE_ROWS][TILE_COLS][2];
    UNROLL for (int r = 0; r < TILE_ROWS; r++) UNROLL for (int c = 0; c < TILE_COLS; c++)
        UNROLL for (int h = 0; h < 2; h++) sum[r][c][h] = _mm256_load_ps(at[r][c] + 8 * h);
    for (size_t i = 0; i < n; i += 16)
        UNROLL for (int h = 0; h < 2; h++) {
            __m256 a[TILE_ROWS];
            UNROLL for (int r = 0; r < TILE_ROWS; r++) a[r] = _mm256_loadu_ps(w[r] + i + 8 * h);
            UNROLL for (int c = 0; c < TILE_COLS; c++) {
                __m256 b = _mm256_loadu_ps(x[c] + i + 8 * h);
                __asm__("" : "+x"(b)); // loaded once: as operands of two products it would be loaded twice
                UNROLL for (int r = 0; r < TILE_ROWS; r++) sum[r][c][h] = _mm256_fmadd_ps(a[r], b, sum[r][c][h]);
            }
        }
    UNROLL for (int r = 0; r < TILE_ROWS; r++) UNROLL for (int c = 0; c < TILE_COLS; c++)
        UNROLL for (int h = 0; h < 2; h++) _mm256_store_ps(at[r][c] + 8 * h, sum[r][c][h]);
}

// Column c of the job; the last one stands in for those behind it.
INLINE const float *float_column(const struct dot_job *j, uint32_t c) {
    return (const float *)(const void *)(j->x + min_size(c, j->cols - 1) * j->x_stride);
}

// The elements [at, at + len) of eight rows times the columns from `col` on.
static void multiply_chunk(float w[GROUP_ROWS][CHUNK], const struct dot_job *j, uint32_t col, size_t at, size_t len,
                           float_sums sums) {
    for (uint32_t c = 0; c < BLOCK_COLS && col + c < j->cols; c += TILE_COLS) {
        const float *x[TILE_COLS];
        for (uint32_t i = 0; i < TILE_COLS; i++)
            x[i] = float_column(j, col + c + i) + at;
        for (int r = 0; r < GROUP_ROWS; r += TILE_ROWS) {
            float *const sum[TILE_ROWS][TILE_COLS] = {{sums[r][c], sums[r][c + 1], sums[r][c + 2]},
                                                      {sums[r + 1][c], sums[r + 1][c + 1], sums[r + 1][c + 2]}};
            float_tile(w + r, x, len, sum);
        }
    }
}

// The trees of sum8 over the partial sums of eight rows.
INLINE __m256 sum8_of_eight(const __m256 a[GROUP_ROWS]) {
    __m256 b[4], c[2];
    UNROLL for (int i = 0; i < 4; i++) b[i] =
        _mm256_add_ps(_mm256_permute2f128_ps(a[i], a[i + 4], 0x20), _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
    UNROLL for (int i = 0; i < 2; i++) {
        const __m256d x = _mm256_castps_pd(b[2 * i]), y = _mm256_castps_pd(b[2 * i + 1]);
        c[i] = _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(x, y)), _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
    }
    return _mm256_add_ps(_mm256_shuffle_ps(c[0], c[1], 0x88), _mm256_shuffle_ps(c[0], c[1], 0xdd));
}

INLINE void finish_group(float_reader *read, size_t size, const struct dot_job *j, uint32_t first, uint32_t col,
                         float_sums sums) {
    const size_t whole = j->n / 16 * 16, rest = j->n % 16;
    for (uint32_t c = 0; c < BLOCK_COLS && col + c < j->cols; c++) {
        const float *x = float_column(j, col + c) + whole;
        __m256 half[GROUP_ROWS];
        float out[GROUP_ROWS];
        UNROLL for (uint32_t r = 0; r < GROUP_ROWS; r++) {
            v16 sum = v16_load(sums[r][c]);
            if (rest) {
                v16 w = read(j->w + min_size(first + r, j->rows - 1) * j->row_size + whole * size, rest);
                sum = v16_pick((1u << rest) - 1, v16_fma(w, v16_load_n(x, rest), sum), sum);
            }
            half[r] = v16_halves(sum);
        }
        _mm256_storeu_ps(out, sum8_of_eight(half));
        memcpy(j->y + (col + c) * j->y_stride + first, out, min_size(GROUP_ROWS, j->rows - first) * sizeof *out);
    }
}

// The elements [at, at + len) of the rows from `first` on as float32. Rows that are so in the file are copied too:
// there they begin at any address, and some way apart that suits the cache badly.
INLINE void widen_group(float_reader *read, size_t size, const struct dot_job *j, uint32_t first, size_t at, size_t len,
                        float wide[GROUP_ROWS][CHUNK]) {
    for (uint32_t r = 0; r < GROUP_ROWS; r++) {
        const char *row = j->w + min_size(first + r, j->rows - 1) * j->row_size + at * size;
        for (size_t i = 0; i < len; i += 16)
            v16_store(wide[r] + i, read(row + i * size, 16));
    }
}

INLINE void gemm_float(float_reader *read, size_t size, const struct dot_job *j) {
    _Alignas(64) float wide[GROUP_ROWS][CHUNK];
    float_sums *sums = j->panel; // of all groups
    const size_t whole = j->n / 16 * 16;
    const uint32_t groups = (j->rows + GROUP_ROWS - 1) / GROUP_ROWS;
    for (uint32_t col = 0; col < j->cols; col += BLOCK_COLS) {
        memset(sums, 0, groups * sizeof *sums);
        for (size_t at = 0; at < whole; at += CHUNK)
            for (uint32_t g = 0; g < groups; g++) {
                const size_t len = min_size(CHUNK, whole - at);
                widen_group(read, size, j, g * GROUP_ROWS, at, len, wide);
                multiply_chunk(wide, j, col, at, len, sums[g]);
            }
        for (uint32_t g = 0; g < groups; g++)
            finish_group(read, size, j, g * GROUP_ROWS, col, sums[g]);
    }
}

static void gemm_f32(const struct dot_job *j) {
    gemm_float(read_f32, 4, j);
}

static void gemm_f16(const struct dot_job *j) {
    gemm_float(read_f16, 2, j);
}

static void gemm_bf16(const struct dot_job *j) {
    gemm_float(read_bf16, 2, j);
}

#include "backends/cpu/avx2_end.h"

#define LEAST_COLS 17 // which pay (measured)

void avx2_fill_float(struct kernels *k) {
    k->dot[QUANT_f32] = dot_f32;
    k->dot[QUANT_f16] = dot_f16;
    k->dot[QUANT_bf16] = dot_bf16;
    k->gemm[QUANT_f32] = gemm_f32;
    k->gemm[QUANT_f16] = gemm_f16;
    k->gemm[QUANT_bf16] = gemm_bf16;
    k->gemm_cols[QUANT_f32] = k->gemm_cols[QUANT_f16] = k->gemm_cols[QUANT_bf16] = LEAST_COLS;
}
#endif
