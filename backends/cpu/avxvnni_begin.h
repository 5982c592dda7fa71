// SPDX-License-Identifier: MIT
// What follows is compiled for AVX-VNNI, whatever the flags say. Closed by avx2_end.h.
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avxvnni")
#endif
