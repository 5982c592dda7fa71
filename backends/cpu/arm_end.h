// SPDX-License-Identifier: MIT
// Closes dotprod_begin.h and i8mm_begin.h.
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
