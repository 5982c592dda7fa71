// SPDX-License-Identifier: MIT
// The searches by kind of processor.
#include "quant/searches.h"

#include "base/cpu.h"

#define SEARCHES(level)                                                                                                \
    {                                                                                                                  \
        search_weights##level, search_errors##level, search_nearest##level, search_half_scale##level,                  \
            search_block##level, search_affine_half##level, search_affine_block##level, search_ternary##level,         \
            lattice_search##level                                                                                      \
    }

static const struct searches any = SEARCHES();

#if defined(__x86_64__)
#define FOR_AVX2(name) extern __typeof__(name) name##_avx2;
FOR_AVX2(search_weights)
FOR_AVX2(search_errors)
FOR_AVX2(search_nearest)
FOR_AVX2(search_half_scale)
FOR_AVX2(search_block)
FOR_AVX2(search_affine_half)
FOR_AVX2(search_affine_block)
FOR_AVX2(search_ternary)
FOR_AVX2(lattice_search)

static const struct searches for_avx2 = SEARCHES(_avx2);

const struct searches *searches_for(unsigned features) {
    return features & CPU_AVX2 ? &for_avx2 : &any;
}
#else
const struct searches *searches_for(unsigned features) {
    (void)features;
    return &any;
}
#endif
