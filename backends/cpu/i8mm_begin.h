// SPDX-License-Identifier: MIT
// What follows is compiled for ARMv8.2 with SMMLA, whatever the flags say. Clang before 17 declares the intrinsics only
// under -march, which the Makefile gives for these files; without it they are empty. Closed by arm_end.h.
#include <arm_neon.h>

#if defined(__clang__) && __clang_major__ < 17 && !defined(__ARM_FEATURE_MATMUL_INT8)
#define NO_I8MM
#endif

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("i8mm"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+i8mm")
#endif
