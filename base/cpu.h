// SPDX-License-Identifier: MIT
// What the processor can do, and how many threads it is worth starting.
#pragma once

#include "base/base.h"

enum cpu_feature {
    CPU_AVX2 = 1 << 0,       // AVX2, FMA, F16C, and an operating system that saves the registers
    CPU_AVXVNNI = 1 << 1,    // VNNI at 256 bits
    CPU_AVX512 = 1 << 2,     // F, BW, VL, DQ, and the operating system
    CPU_AVX512VNNI = 1 << 3, // VNNI at 512 bits
    CPU_AVX512VBMI = 1 << 4,
    CPU_AVX512BF16 = 1 << 5,
    CPU_NEON = 1 << 6,
    CPU_DOTPROD = 1 << 7,
    CPU_I8MM = 1 << 8,
};

// The set of features of the machine, an OR of enum cpu_feature.
unsigned cpu_features(void);

// Threads for work that keeps every core busy: the fastest kind of cores among those that this process may use,
// at most its share of processor time (affinity masks, cgroup quotas). At least 1.
unsigned cpu_threads(void);

// The same from the system's files under `root` ("" is this machine), for the n processors marked in `usable`; those
// that get no thread are unmarked.
unsigned cpu_threads_under(const char *root, bool *usable, size_t n);
