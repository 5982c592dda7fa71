// SPDX-License-Identifier: MIT
// What every file of pith begins with: the arithmetic rules of the program and a few checked helpers.
//
// Floating-point contraction is switched off here and not by a compiler flag, so that a plain `cc` line computes
// the same bits as the Makefile (docs/DESIGN.md, arithmetic). A fused multiply-add is always written out.
#pragma once

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif
#ifdef __FAST_MATH__
#error "pith computes exact sums: build it without -ffast-math"
#endif

#ifndef _GNU_SOURCE
#define _GNU_SOURCE // mmap flags, sched_getaffinity, memmem
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#if defined(__GNUC__)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define PRINTF_LIKE(fmt, args)
#endif

// A slice of bytes that somebody else owns; not terminated.
struct str {
    const char *ptr;
    size_t len;
};

// a * b and a + b with the overflow reported: true when the result fits.
static inline bool mul_fits(uint64_t a, uint64_t b, uint64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool add_fits(uint64_t a, uint64_t b, uint64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

static inline size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

static inline size_t max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

// n rounded up to a multiple of unit (a power of two); the caller knows that it fits.
static inline size_t round_up(size_t n, size_t unit) {
    return (n + unit - 1) & ~(unit - 1);
}
