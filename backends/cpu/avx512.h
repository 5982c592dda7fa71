// SPDX-License-Identifier: MIT
// The AVX-512 level: avx512.c small operations and attention, avx512_dot*.c and avx512_one*.c one column,
// avx512_gemm*.c several and many columns.
// Zen 4 and later, Ice Lake and later.
#pragma once

#include "backends/cpu/kernels.h"

void avx512_fill_dot_float(struct kernels *k);
void avx512_fill_dot256(struct kernels *k);
void avx512_fill_one(struct kernels *k);
void avx512_fill_one32(struct kernels *k);
void avx512_fill_gemm_float(struct kernels *k);
void avx512_fill_gemm32(struct kernels *k);
void avx512_fill_gemm256(struct kernels *k);
