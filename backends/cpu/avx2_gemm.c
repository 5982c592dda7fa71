// SPDX-License-Identifier: MIT
// AVX2: many columns. Products of unsigned codes and signed activations are added up in 16 bits as long as they fit,
// then multiplied by the sub-scale and added in 32.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx2.h"

#define COLS 4   // 8 accumulators, 2 registers of weights, 1 of activations, 1 of products: 12 of 16
#define PLANES 2 // codes of eight bits are two planes of four
#define ZERO_FIRST 0
#define FIT(f) ((f).fit ? (f).fit : 8)

#include "backends/cpu/avx2_begin.h"
#include "backends/cpu/avx2_panel.h"

INLINE __m256i add_pairs(__m256i sum, __m256i a, __m256i b) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

// `groups` groups of the panel times the columns, in 16 bits.
INLINE void multiply(const uint8_t *w, const struct columns *x, size_t at, int groups, __m256i acc[COLS][VECTORS]) {
    UNROLL for (int g = 0; g < groups; g++) {
        __m256i weights[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; v++) weights[v] = _mm256_load_si256((const void *)(w + g * GROUP + 32 * v));
        UNROLL for (int c = 0; c < COLS; c++) {
            __m256i codes = _mm256_set1_epi32(word_at(x->q[c] + at + 4 * g));
            UNROLL for (int v = 0; v < VECTORS; v++) {
                __m256i product = _mm256_maddubs_epi16(weights[v], codes);
                acc[c][v] = g ? in_order(_mm256_add_epi16(acc[c][v], product)) : product;
            }
        }
    }
}

INLINE void block_sums32(const struct shape32 s, const uint8_t *p, const struct columns *x, size_t block,
                         __m256i dot[COLS][VECTORS]) {
    const int groups = 8 / s.each;
    UNROLL for (int plane = 0; plane < s.planes; plane++) UNROLL for (int g = 0; g < groups; g += FIT(s)) {
        __m256i acc[COLS][VECTORS];
        load_again();
        multiply(p + (plane * 8 + g) * GROUP, x, 4 * ((size_t)groups * block + (size_t)g), FIT(s), acc);
        UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++) {
            const __m256i sum = _mm256_madd_epi16(acc[c][v], _mm256_set1_epi16(plane ? 16 : 1));
            if (plane || g)
                dot[c][v] = _mm256_add_epi32(dot[c][v], sum);
            else
                dot[c][v] = s.zero ? _mm256_add_epi32(_mm256_set1_epi32(x->offset[c][block]), sum) : sum;
        }
    }
}

// The same where no more than two products fit 16 bits: the sums stand in registers, the products of a column do not.
INLINE void block_sums_in_registers(const struct shape256 s, const uint8_t *p, const struct columns *x, size_t b,
                                    int32_t total[COLS][ROWS]) {
    __m256i sum[COLS][VECTORS];
    UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++) sum[c][v] = _mm256_setzero_si256();
    for (int i = 0; i < 64; i += s.fit) {
        const uint8_t *scale = p + places256(s).scale + i / (s.sub / 4) * GROUP;
        load_again();
        UNROLL for (int c = 0; c < COLS; c++) {
            const int8_t *q = x->q[c] + 256 * b + 4 * (size_t)i;
            UNROLL for (int v = 0; v < VECTORS; v++) {
                __m256i products = _mm256_setzero_si256();
                UNROLL for (int g = 0; g < s.fit; g++) {
                    const __m256i weights = _mm256_load_si256((const void *)(p + (i + g) * GROUP + 32 * v));
                    const __m256i product = _mm256_maddubs_epi16(weights, _mm256_set1_epi32(word_at(q + 4 * g)));
                    products = g ? _mm256_add_epi16(products, product) : product;
                }
                products = _mm256_madd_epi16(products, _mm256_load_si256((const void *)(scale + 32 * v)));
                sum[c][v] = in_order(_mm256_add_epi32(sum[c][v], products));
            }
        }
    }
    UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++)
        _mm256_store_si256((void *)(total[c] + 8 * v), sum[c][v]);
}

INLINE void block_sums256(const struct shape256 s, const uint8_t *p, const struct columns *x, size_t b,
                          int32_t total[COLS][ROWS]) {
    const int groups = s.sub / 4;
    if (s.fit == 1 || s.fit == 2) {
        block_sums_in_registers(s, p, x, b, total);
        return;
    }
    memset(total, 0, COLS * sizeof *total);
    for (int i = 0; i < 256 / s.sub; i++) {
        UNROLL for (int plane = 0; plane < s.planes; plane++) UNROLL for (int g = 0; g < groups; g += FIT(s)) {
            __m256i acc[COLS][VECTORS];
            load_again();
            multiply(p + (plane * 64 + i * groups + g) * GROUP, x, 256 * b + 4 * (size_t)(i * groups + g), FIT(s), acc);
            UNROLL for (int v = 0; v < VECTORS; v++) {
                __m256i scale = _mm256_load_si256((const void *)(p + places256(s).scale + i * GROUP + 32 * v));
                scale = plane ? _mm256_slli_epi16(scale, 4) : scale;
                UNROLL for (int c = 0; c < COLS; c++) {
                    __m256i *at = (__m256i *)(void *)(total[c] + 8 * v);
                    _mm256_store_si256(at,
                                       _mm256_add_epi32(_mm256_load_si256(at), _mm256_madd_epi16(acc[c][v], scale)));
                }
            }
        }
    }
}

#include "backends/cpu/avx2_gemm.h"
#include "backends/cpu/avx2_end.h"

// From how many columns on panels pay, where that is not GEMM_MIN_COLS (measured on Zen 4).
static const struct {
    enum quant_index format;
    uint8_t cols;
} least[] = {
    {QUANT_q4_0, 8},    {QUANT_q4_1, 8},   {QUANT_q5_0, 8},    {QUANT_q5_1, 8},  {QUANT_mxfp4, 8},   {QUANT_q1_0, 8},
    {QUANT_q2_0, 8},    {QUANT_tq2_0, 8},  {QUANT_q2_k, 6},    {QUANT_q8_0, 11}, {QUANT_iq4_nl, 11}, {QUANT_nvfp4, 17},
    {QUANT_iq2_xxs, 3}, {QUANT_iq2_xs, 3}, {QUANT_iq3_xxs, 3}, {QUANT_iq3_s, 3},
};

void avx2_fill_gemm(struct kernels *k) {
    fill_gemm(k);
    for (size_t i = 0; i < ARRAY_LEN(least); i++)
        k->gemm_cols[least[i].format] = least[i].cols;
}

#endif
