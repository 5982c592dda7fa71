// SPDX-License-Identifier: MIT
// Loops that keep a level's multipliers busy from registers alone: what no kernel of the level can pass. Included by a
// level's file, so that it is compiled for that level.
#pragma once

#include "backends/cpu/vector.h"

// Sums that do not wait for each other: more than the latency of the instructions times the pipes that x86 has for
// them, and few enough for sixteen registers.
#define PEAK_CHAINS 10

// The compiler must not know what is in a register, or it computes once what does not change.
#if defined(__aarch64__)
#define PEAK_OPAQUE(x) __asm__ volatile("" : "+w"(x))
#else
#define PEAK_OPAQUE(x) __asm__ volatile("" : "+v"(x))
#endif

// Defines static void name(uint64_t rounds): PEAK_CHAINS times sum = step(sum, a, b) a round, where spread(i) makes a
// vector of a small number.
#define PEAK_LOOP(name, sums, vector, zero, spread, step)                                                              \
    static void name(uint64_t rounds) {                                                                                \
        vector a = spread(1), b = spread(2);                                                                           \
        sums sum[PEAK_CHAINS];                                                                                         \
        UNROLL for (int i = 0; i < PEAK_CHAINS; i++) {                                                                 \
            sum[i] = zero;                                                                                             \
            PEAK_OPAQUE(sum[i]);                                                                                       \
        }                                                                                                              \
        for (; rounds; rounds--)                                                                                       \
            UNROLL for (int i = 0; i < PEAK_CHAINS; i++) {                                                             \
                PEAK_OPAQUE(a);                                                                                        \
                sum[i] = step(sum[i], a, b);                                                                           \
            }                                                                                                          \
        UNROLL for (int i = 0; i < PEAK_CHAINS; i++) PEAK_OPAQUE(sum[i]);                                              \
    }
