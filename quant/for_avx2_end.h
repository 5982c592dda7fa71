// SPDX-License-Identifier: MIT
// Closes for_avx2.h.
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
