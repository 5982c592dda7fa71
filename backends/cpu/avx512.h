// SPDX-License-Identifier: MIT
// The AVX-512 level: avx512.c small operations and attention, avx512_dot*.c few columns, avx512_gemm*.c many
// columns.
// Zen 4 and later, Ice Lake and later.
#pragma once

#include "backends/cpu/kernels.h"

void avx512_fill_dot_float(struct kernels *k);
void avx512_fill_dot32(struct kernels *k);
void avx512_fill_dot256(struct kernels *k);
void avx512_fill_one(struct kernels *k);   // after dot256
void avx512_fill_one32(struct kernels *k); // after dot32
void avx512_fill_gemm_float(struct kernels *k);
void avx512_fill_gemm32(struct kernels *k);
void avx512_fill_gemm256(struct kernels *k);

// Few columns of formats with one scale per 256 elements.
#define AVX512_DOT256(X)                                                                                               \
    X(q2_k)                                                                                                            \
    X(q3_k)                                                                                                            \
    X(q4_k)                                                                                                            \
    X(q5_k) X(q6_k) X(iq1_s) X(iq1_m) X(iq2_xxs) X(iq2_xs) X(iq2_s) X(iq3_xxs) X(iq3_s) X(iq4_xs) X(tq1_0) X(tq2_0)
#define AVX512_DOT(sym) void avx512_dot_##sym(const struct dot_job *j);
AVX512_DOT256(AVX512_DOT)

// Few columns of formats with one scale per 32 or 16 elements.
#define AVX512_DOT32(X) X(q4_0) X(q4_1) X(q5_0) X(q5_1) X(q8_0) X(iq4_nl) X(mxfp4) X(nvfp4) X(q1_0) X(q2_0)
AVX512_DOT32(AVX512_DOT)
