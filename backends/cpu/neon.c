// SPDX-License-Identifier: MIT
// The NEON level: the shared operations in its vectors, and its matrix products.
#if defined(__aarch64__)
#include "backends/cpu/neon.h"

#include <string.h>

#include "backends/cpu/v16_neon.h"

#include "backends/cpu/attend_v16.h"
#include "backends/cpu/recur_v16.h"
#include "backends/cpu/peak.h"

#define STEP_INT(sum, a, b) vpadalq_s16(sum, vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b))
PEAK_LOOP(peak_int, int32x4_t, int8x16_t, vdupq_n_s32(0), vdupq_n_s8, STEP_INT)

#define STEP_FLOAT(sum, a, b) vfmaq_f32(sum, a, b)
PEAK_LOOP(peak_float, float32x4_t, float32x4_t, vdupq_n_f32(0), vdupq_n_f32, STEP_FLOAT)

void kernels_fill_neon(struct kernels *k) {
    fill_ops(k);
    k->attend = attend;
    k->merge = merge;
    k->recur = recur;
    k->conv = conv;
    k->peak_int = (struct kernel_peak){"smull + smlal2 + sadalp", 32 * PEAK_CHAINS, peak_int};
    k->peak_float = (struct kernel_peak){"fmla", 8 * PEAK_CHAINS, peak_float};
    neon_fill_dot(k);
    neon_fill_float(k);
}

#endif
