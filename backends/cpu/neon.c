// SPDX-License-Identifier: MIT
// The NEON level: the shared operations in its vectors, and its matrix products.
#if defined(__aarch64__)
#include "backends/cpu/neon.h"

#include <string.h>

#include "backends/cpu/v16_neon.h"

#include "backends/cpu/attend_v16.h"
#include "backends/cpu/recur_v16.h"

void kernels_fill_neon(struct kernels *k) {
    fill_ops(k);
    k->attend = attend;
    k->merge = merge;
    k->recur = recur;
    k->conv = conv;
    neon_fill_dot(k);
    neon_fill_float(k);
}

#endif
