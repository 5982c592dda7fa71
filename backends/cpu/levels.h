// SPDX-License-Identifier: MIT
// SIMD levels, each above the ones before it. No include guard: a list, included with the macros defined. LEVEL is in
// this build and runs where the processor has all its features; LEVEL_ELSEWHERE is a name of another architecture.
LEVEL(scalar, 0)
#if defined(__x86_64__)
LEVEL(avx2, CPU_AVX2)
LEVEL(avxvnni, CPU_AVX2 | CPU_AVXVNNI)
LEVEL(avx512, CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI | CPU_AVX512VBMI)
LEVEL(avx512bf16, CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI | CPU_AVX512VBMI | CPU_AVX512BF16)
LEVEL_ELSEWHERE(neon)
LEVEL_ELSEWHERE(dotprod)
LEVEL_ELSEWHERE(i8mm)
#elif defined(__aarch64__)
LEVEL_ELSEWHERE(avx2)
LEVEL_ELSEWHERE(avxvnni)
LEVEL_ELSEWHERE(avx512)
LEVEL_ELSEWHERE(avx512bf16)
LEVEL(neon, CPU_NEON)
LEVEL(dotprod, CPU_NEON | CPU_DOTPROD)
LEVEL(i8mm, CPU_NEON | CPU_DOTPROD | CPU_I8MM)
#else
LEVEL_ELSEWHERE(avx2)
LEVEL_ELSEWHERE(avxvnni)
LEVEL_ELSEWHERE(avx512)
LEVEL_ELSEWHERE(avx512bf16)
LEVEL_ELSEWHERE(neon)
LEVEL_ELSEWHERE(dotprod)
LEVEL_ELSEWHERE(i8mm)
#endif
#undef LEVEL
#undef LEVEL_ELSEWHERE
