// SPDX-License-Identifier: MIT
// How many threads are worth starting, on machines made of files.
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cpu.h"
#include "tests/test.h"

#define CPUS 8
#define CPU(i) "/sys/devices/system/cpu/cpu" #i "/"
#define EIGHT(file, a, b, c, d, e, f, g, h)                                                                            \
    {CPU(0) file, a}, {CPU(1) file, b}, {CPU(2) file, c}, {CPU(3) file, d}, {CPU(4) file, e}, {CPU(5) file, f},        \
        {CPU(6) file, g}, {                                                                                            \
        CPU(7) file, h                                                                                                 \
    }

struct machine {
    const char *name;
    const char *usable; // a digit a processor: 1 for those in the affinity mask
    unsigned threads;
    struct {
        const char *path, *text;
    } files[10];
};

static const struct machine machines[] = {
    {"nothing known", "11111111", 8, {{NULL, NULL}}},
    {"an affinity mask", "00110100", 3, {{NULL, NULL}}},
    {"a phone with cores of three kinds: the little ones get none",
     "11111111",
     4,
     {EIGHT("cpu_capacity", "250", "250", "250", "250", "761", "761", "1024", "1024")}},
    {"the phone's little cores only",
     "11110000",
     4,
     {EIGHT("cpu_capacity", "250", "250", "250", "250", "761", "761", "1024", "1024")}},
    {"frequencies",
     "11111111",
     4,
     {EIGHT("cpufreq/cpuinfo_max_freq", "5200000", "5000000", "5200000", "5000000", "3900000", "3900000", "3900000",
            "3900000")}},
    {"a core without a frequency",
     "11111111",
     8,
     {{CPU(0) "cpufreq/cpuinfo_max_freq", "5200000"}, {CPU(1) "cpufreq/cpuinfo_max_freq", "2000000"}}},
    {"hybrid x86", "11111111", 5, {{"/sys/devices/cpu_core/cpus", "0-3,5"}, {"/sys/devices/cpu_atom/cpus", "4,6-7"}}},
    {"hybrid x86, held to the small cores",
     "00001011",
     3,
     {{"/sys/devices/cpu_core/cpus", "0-3,5"}, {"/sys/devices/cpu_atom/cpus", "4,6-7"}}},
    {"a hostile list", "11111111", 2, {{"/sys/devices/cpu_core/cpus", "6-99999999999,x"}}},
    {"a quota of two and a half processors", "11111111", 3, {{"/sys/fs/cgroup/cpu.max", "250000 100000"}}},
    {"no quota", "11111111", 8, {{"/sys/fs/cgroup/cpu.max", "max 100000"}}},
    {"a quota above the group's own",
     "11111111",
     2,
     {{"/proc/self/cgroup", "0::/a/b\n"},
      {"/sys/fs/cgroup/a/b/cpu.max", "400000 100000"},
      {"/sys/fs/cgroup/a/cpu.max", "200000 100000"}}},
    {"a quota of the first kind of control groups",
     "11111111",
     4,
     {{"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000"}, {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000"}}},
    {"a quota below one processor", "11111111", 1, {{"/sys/fs/cgroup/cpu.max", "1000 100000"}}},
};

// Writes root/path with the folders that it lies in.
static bool write_file(const char *root, const char *path, const char *text) {
    char full[300];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    if (!f)
        return false;
    fputs(text, f);
    return fclose(f) == 0;
}

void unit_cpu(void) {
    for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
        char root[] = "/tmp/pith-unit-XXXXXX", command[64];
        bool usable[CPUS];
        test_case("cpu: %s", machines[m].name);
        if (!CHECK(mkdtemp(root)))
            continue;
        for (size_t i = 0; i < ARRAY_LEN(machines[m].files) && machines[m].files[i].path; i++)
            CHECK(write_file(root, machines[m].files[i].path, machines[m].files[i].text));
        for (size_t i = 0; i < CPUS; i++)
            usable[i] = machines[m].usable[i] == '1';
        unsigned threads = cpu_threads_under(root, usable, CPUS);
        CHECK_MSG(threads == machines[m].threads, "%u threads, expected %u", threads, machines[m].threads);
        snprintf(command, sizeof command, "rm -r %s", root);
        CHECK(system(command) == 0);
    }
    test_case("cpu: this machine has at least one");
    CHECK(cpu_threads() >= 1);
}
