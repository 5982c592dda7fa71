// SPDX-License-Identifier: MIT
// What both widths of v16 on x86 make of v16_from_i8: codes of quantized values. Included at the end of v16_avx2.h and
// v16_avx512.h.
#pragma once

#include "backends/cpu/x86_common.h"

// Sixteen codes of values, less their zero.
INLINE v16 v16_value_bytes(const uint8_t *p) {
    return v16_from_i8(_mm_xor_si128(_mm_loadu_si128((const void *)p), _mm_set1_epi8(-128)));
}

// The low (0) or high (1) halves of the bytes.
INLINE v16 v16_value_nibbles(const uint8_t *p, int high) {
    __m128i c = _mm_loadu_si128((const void *)p);
    c = _mm_and_si128(high ? _mm_srli_epi16(c, 4) : c, _mm_set1_epi8(15));
    return v16_from_i8(_mm_sub_epi8(c, _mm_set1_epi8(8)));
}
