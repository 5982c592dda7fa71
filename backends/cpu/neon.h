// SPDX-License-Identifier: MIT
// The ARM levels. neon: what every 64-bit ARM has; neon.c small operations and attention, neon_dot.c and neon_float.c
// matrix products. dotprod adds SDOT (Cortex-A76 and later, Apple A11 and later), i8mm adds SMMLA (Cortex-A710, Apple
// M2, Graviton 3 and later). Integer products are written once (neon_dot.h, neon_gemm.h); a level brings its
// instruction.
#pragma once

#include "backends/cpu/kernels.h"

void neon_fill_dot(struct kernels *k);
void neon_fill_float(struct kernels *k);
void dotprod_fill_gemm(struct kernels *k);
