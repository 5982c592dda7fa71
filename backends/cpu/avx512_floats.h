// SPDX-License-Identifier: MIT
// AVX-512: the readers of float formats. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/v16_avx512.h"

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

// The lanes of sixteen elements from i on that are before n.
INLINE __mmask16 lanes_before(size_t i, size_t n) {
    return n - i < 16 ? lanes(n - i) : (__mmask16)0xffff;
}
