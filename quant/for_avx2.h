// SPDX-License-Identifier: MIT
// What follows is compiled for AVX2, with wide registers (wide.h), and the searches get names of their own: for files
// that compile a search once more. Closed by for_avx2_end.h.
#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "base/base.h"

#define SEARCH_AVX2
#define search_e2m1 search_e2m1_avx2
#define search_half(...) search_half_avx2(__VA_ARGS__)
#define search_half_unit(...) search_half_unit_avx2(__VA_ARGS__)
#define search_is_constant(...) search_is_constant_avx2(__VA_ARGS__)
#define search_largest(...) search_largest_avx2(__VA_ARGS__)
#define search_product(...) search_product_avx2(__VA_ARGS__)
#define search_weights(...) search_weights_avx2(__VA_ARGS__)
#define search_nearest(...) search_nearest_avx2(__VA_ARGS__)
#define search_errors(...) search_errors_avx2(__VA_ARGS__)
#define search_scale(...) search_scale_avx2(__VA_ARGS__)
#define search_half_scale(...) search_half_scale_avx2(__VA_ARGS__)
#define search_ternary(...) search_ternary_avx2(__VA_ARGS__)
#define search_block(...) search_block_avx2(__VA_ARGS__)
#define search_affine_nearest(...) search_affine_nearest_avx2(__VA_ARGS__)
#define search_affine_errors(...) search_affine_errors_avx2(__VA_ARGS__)
#define search_affine(...) search_affine_avx2(__VA_ARGS__)
#define search_affine_half(...) search_affine_half_avx2(__VA_ARGS__)
#define search_affine_block(...) search_affine_block_avx2(__VA_ARGS__)
#define lattice_bits(...) lattice_bits_avx2(__VA_ARGS__)
#define lattice_code(...) lattice_code_avx2(__VA_ARGS__)
#define lattice_list_runs(...) lattice_list_runs_avx2(__VA_ARGS__)
#define lattice_choose(...) lattice_choose_avx2(__VA_ARGS__)
#define lattice_search(...) lattice_search_avx2(__VA_ARGS__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
