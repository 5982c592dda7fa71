// SPDX-License-Identifier: MIT
// The AVX-VNNI level: AVX2 with the byte dot instruction at 256 bits (Alder Lake and later, Zen 5 and later). Products
// of unsigned codes of any width and signed activations are added up in 32 bits.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx2.h"

#define COLS 6   // 12 accumulators, 2 registers of weights, 1 of activations: 15 of 16
#define PLANES 1 // codes of eight bits need no cutting
#define ZERO_FIRST 1

#include "backends/cpu/avxvnni_begin.h"
#include "backends/cpu/avx2_panel.h"

INLINE __m256i add_pairs(__m256i sum, __m256i a, __m256i b) {
    return _mm256_dpwssd_avx_epi32(sum, a, b);
}

// `groups` groups of the panel times the columns, added to acc.
INLINE void multiply(const uint8_t *w, const struct columns *x, size_t at, int groups, __m256i acc[COLS][VECTORS]) {
    UNROLL for (int g = 0; g < groups; g++) {
        __m256i weights[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; v++) weights[v] = _mm256_load_si256((const void *)(w + g * GROUP + 32 * v));
        UNROLL for (int c = 0; c < COLS; c++) {
            __m256i codes = _mm256_set1_epi32(word_at(x->q[c] + at + 4 * g));
            UNROLL for (int v = 0; v < VECTORS; v++) acc[c][v] = _mm256_dpbusd_avx_epi32(acc[c][v], weights[v], codes);
        }
    }
}

INLINE void block_sums32(const struct shape32 s, const uint8_t *p, const struct columns *x, size_t block,
                         __m256i dot[COLS][VECTORS]) {
    const int groups = 8 / s.each;
    UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++) dot[c][v] =
        s.zero ? _mm256_set1_epi32(x->offset[c][block]) : _mm256_setzero_si256();
    multiply(p, x, 4 * (size_t)groups * block, groups, dot);
}

INLINE void block_sums256(const struct shape256 s, const uint8_t *p, const struct columns *x, size_t b,
                          int32_t total[COLS][ROWS]) {
    const int groups = s.sub / 4;
    memset(total, 0, COLS * sizeof *total);
    for (int i = 0; i < 256 / s.sub; i++) {
        __m256i acc[COLS][VECTORS];
        UNROLL for (int c = 0; c < COLS; c++) UNROLL for (int v = 0; v < VECTORS; v++) acc[c][v] =
            s.zero ? _mm256_set1_epi32(x->offset[c][(size_t)(256 / s.sub) * b + (size_t)i]) : _mm256_setzero_si256();
        multiply(p + i * groups * GROUP, x, 256 * b + 4 * (size_t)(i * groups), groups, acc);
        UNROLL for (int v = 0; v < VECTORS; v++) {
            __m256i twice = _mm256_load_si256((const void *)(p + places256(s).scale + i * GROUP + 32 * v));
            __m256i scale = _mm256_srai_epi32(twice, 16);
            UNROLL for (int c = 0; c < COLS; c++) {
                __m256i *at = (__m256i *)(void *)(total[c] + 8 * v);
                _mm256_store_si256(at, _mm256_add_epi32(_mm256_load_si256(at), _mm256_mullo_epi32(acc[c][v], scale)));
            }
        }
    }
}

#include "backends/cpu/avx2_gemm.h"
#include "backends/cpu/peak.h"

#define STEP_INT(sum, a, b) _mm256_dpbusd_avx_epi32(sum, a, b)
PEAK_LOOP(peak_int, __m256i, __m256i, _mm256_setzero_si256(), _mm256_set1_epi8, STEP_INT)

#include "backends/cpu/avx2_end.h"

void kernels_fill_avxvnni(struct kernels *k) {
    fill_gemm(k);
    k->peak_int = (struct kernel_peak){"vpdpbusd ymm", 64 * PEAK_CHAINS, peak_int};
}
#endif
