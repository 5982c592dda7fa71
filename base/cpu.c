// SPDX-License-Identifier: MIT
// Detection: CPUID and XGETBV on x86, HWCAP on ARM; cores from affinity, cpu_capacity or the top frequency, and cgroup.
#include "base/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

// Which register sets the operating system saves (XCR0).
static uint64_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool bits_set(unsigned word, unsigned bits) {
    return (word & bits) == bits;
}

unsigned cpu_features(void) {
    unsigned a, b, c, d, b7, c7, d7, a71 = 0, unused;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !bits_set(c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C))
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) || !(b7 & bit_AVX2))
        return 0;
    uint64_t saved = saved_registers();
    if ((saved & 6) != 6)
        return 0;
    unsigned f = CPU_AVX2;
    if (a >= 1)
        __get_cpuid_count(7, 1, &a71, &unused, &unused, &unused);
    if (a71 & 1u << 4)
        f |= CPU_AVXVNNI;
    if ((saved & 0xe6) != 0xe6 || !bits_set(b7, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ))
        return f;
    f |= CPU_AVX512;
    if (c7 & bit_AVX512VNNI)
        f |= CPU_AVX512VNNI;
    if (c7 & bit_AVX512VBMI)
        f |= CPU_AVX512VBMI;
    if (a71 & 1u << 5)
        f |= CPU_AVX512BF16;
    return f;
}
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

unsigned cpu_features(void) {
    unsigned long cap = getauxval(AT_HWCAP), cap2 = getauxval(AT_HWCAP2);
    unsigned f = CPU_NEON;
    if (cap & 1ul << 20)
        f |= CPU_DOTPROD;
    if (cap2 & 1ul << 13)
        f |= CPU_I8MM;
    return f;
}
#else
unsigned cpu_features(void) {
    return 0;
}
#endif

// The first number in a small file, or -1.
static long file_number(const char *path) {
    FILE *f = fopen(path, "re");
    long n = -1;
    if (!f)
        return -1;
    if (fscanf(f, "%ld", &n) != 1)
        n = -1;
    fclose(f);
    return n;
}

#if defined(__linux__)
// How fast a core is, in the kernel's own scale or in kHz; 0 when it does not say.
static long core_speed(size_t cpu) {
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/cpu_capacity", cpu);
    long speed = file_number(path);
    if (speed > 0)
        return speed;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/cpufreq/cpuinfo_max_freq", cpu);
    speed = file_number(path);
    if (speed > 0)
        return speed;
    return 0;
}

// Whole processors that the cgroup's quota grants, or 0 without a quota.
static unsigned quota_threads(void) {
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    long quota = 0, period = 0;
    if (!f)
        return 0;
    int got = fscanf(f, "%ld %ld", &quota, &period);
    fclose(f);
    return got == 2 && quota > 0 && period > 0 ? (unsigned)((quota + period - 1) / period) : 0;
}

unsigned cpu_threads(void) {
    cpu_set_t set;
    long speed[CPU_SETSIZE], best = 0; // a speed is one or two files read
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        speed[i] = CPU_ISSET(i, &set) ? core_speed(i) : 0;
        best = speed[i] > best ? speed[i] : best;
    }
    // Cores within a fifth of the fastest count: favoured cores of one kind differ by a few per cent.
    unsigned n = 0;
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set) && speed[i] >= best - best / 5)
            n++;
    unsigned quota = quota_threads();
    if (quota && quota < n)
        n = quota;
    return n ? n : 1;
}
#else
unsigned cpu_threads(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}
#endif
