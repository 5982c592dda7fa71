// SPDX-License-Identifier: MIT
// The AVX-512 level: avx512_ops.c small operations, avx512_attend.c attention, avx512_dot.c few columns, avx512_gemm.c
// many columns. Zen 4 and later, Ice Lake and later.
#pragma once

#include "backends/cpu/kernels.h"

void avx512_fill_attend(struct kernels *k);
void avx512_fill_dot(struct kernels *k);
void avx512_fill_gemm(struct kernels *k);
