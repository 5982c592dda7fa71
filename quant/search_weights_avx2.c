// SPDX-License-Identifier: MIT
// search_weights.c for AVX2.
#if defined(__x86_64__)
#include "quant/for_avx2.h"
#include "quant/search_weights.c"
#include "quant/for_avx2_end.h"
#else
typedef int nothing_here;
#endif
