// SPDX-License-Identifier: MIT
// The AVX2 level (with FMA and F16C): avx2.c small operations and attention, avx2_dot32.c and avx2_dot256.c few columns
// of integer formats, avx2_gemm.c many, avx2_float.c float formats. Haswell and later, Zen and later.
#pragma once

#include "backends/cpu/kernels.h"

void avx2_fill_dot32(struct kernels *k);
void avx2_fill_dot256(struct kernels *k);
void avx2_fill_gemm(struct kernels *k);
void avx2_fill_float(struct kernels *k);
