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
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

static bool has(const char *name) {
    int value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, NULL, 0) == 0 && value;
}

unsigned cpu_features(void) {
    return CPU_NEON | (has("hw.optional.arm.FEAT_DotProd") ? CPU_DOTPROD : 0) |
           (has("hw.optional.arm.FEAT_I8MM") ? CPU_I8MM : 0);
}
#else
unsigned cpu_features(void) {
    return 0;
}
#endif

// The first number in the file root/name, or -1.
static long file_number(const char *root, const char *name) {
    char path[512];
    FILE *f = NULL;
    long n = -1;
    if (snprintf(path, sizeof path, "%s%s", root, name) < (int)sizeof path)
        f = fopen(path, "re");
    if (!f)
        return -1;
    if (fscanf(f, "%ld", &n) != 1)
        n = -1;
    fclose(f);
    return n;
}

// Leaves those of the processors that the kernel counts among the performance cores of a hybrid x86 machine: a list
// such as 0-7,16. A machine of one kind has no such list.
static void keep_big_x86(const char *root, bool *usable, size_t n) {
    char path[512];
    bool *big = calloc(n, sizeof *big), any = false;
    snprintf(path, sizeof path, "%s/sys/devices/cpu_core/cpus", root);
    FILE *f = big ? fopen(path, "re") : NULL;
    size_t from, to;
    while (f && fscanf(f, "%zu", &from) == 1) {
        int next = fgetc(f);
        to = from;
        if (next == '-' && fscanf(f, "%zu", &to) == 1)
            next = fgetc(f);
        for (size_t i = from; i <= to && i < n; i++) {
            big[i] = usable[i];
            any |= usable[i];
        }
        if (next != ',')
            break;
    }
    if (f)
        fclose(f);
    if (any)
        memcpy(usable, big, n * sizeof *big);
    free(big);
}

// Numbers of the processors in /sys/devices/system/cpu; those below `part` percent of the best are taken out, unless
// not all have a number.
static bool keep_fast(const char *root, const char *file, long part, bool *usable, size_t n) {
    long *speed = calloc(n, sizeof *speed), best = 0;
    bool all = speed != NULL;
    for (size_t i = 0; all && i < n; i++) {
        char name[96];
        if (!usable[i])
            continue;
        snprintf(name, sizeof name, "/sys/devices/system/cpu/cpu%zu/%s", i, file);
        speed[i] = file_number(root, name);
        all = speed[i] > 0;
        best = speed[i] > best ? speed[i] : best;
    }
    for (size_t i = 0; all && i < n; i++)
        usable[i] = usable[i] && speed[i] >= best / 100 * part;
    free(speed);
    return all;
}

// Whole processors of a quota in a period, or 0 without one.
static unsigned whole(long quota, long period) {
    return quota > 0 && period > 0 ? (unsigned)((quota - 1) / period + 1) : 0;
}

// The smaller of two quotas, of which 0 is none.
static unsigned tighter(unsigned a, unsigned b) {
    return !a || (b && b < a) ? b : a;
}

// The quota of a group in the unified hierarchy and of those that it lies in.
static unsigned unified_quota(const char *root, char *group) {
    unsigned least = 0;
    for (;;) {
        char path[1024];
        long quota = 0, period = 0;
        snprintf(path, sizeof path, "%s/sys/fs/cgroup%s/cpu.max", root, group);
        FILE *f = fopen(path, "re");
        if (f && fscanf(f, "%ld %ld", &quota, &period) == 2) // "max" is no number
            least = tighter(least, whole(quota, period));
        if (f)
            fclose(f);
        char *end = strrchr(group, '/');
        if (!end)
            return least;
        *end = 0;
    }
}

// Whole processors that the control group of this process is granted, or 0 without a quota.
static unsigned quota_threads(const char *root) {
    char path[512], line[512], group[512] = "";
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "0::/", 4) == 0)
            snprintf(group, sizeof group, "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
    if (f)
        fclose(f);
    unsigned old = whole(file_number(root, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
                         file_number(root, "/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
    return tighter(unified_quota(root, group), old);
}

unsigned cpu_threads_under(const char *root, bool *usable, size_t n) {
    keep_big_x86(root, usable, n);
    // Capacity counts work done: a middle core is worth a thread, a little one (a quarter to under a half) is not.
    // Frequencies hide such differences, and favoured cores of one kind differ by a few per cent.
    if (!keep_fast(root, "cpu_capacity", 50, usable, n))
        keep_fast(root, "cpufreq/cpuinfo_max_freq", 80, usable, n);
    unsigned threads = 0, quota = quota_threads(root);
    for (size_t i = 0; i < n; i++)
        threads += usable[i];
    if (quota && quota < threads)
        threads = quota;
    return threads ? threads : 1;
}

unsigned cpu_threads(void) {
#if defined(__linux__)
    cpu_set_t set;
    bool usable[CPU_SETSIZE];
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        for (size_t i = 0; i < CPU_SETSIZE; i++)
            usable[i] = CPU_ISSET(i, &set);
        return cpu_threads_under("", usable, CPU_SETSIZE);
    }
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}
