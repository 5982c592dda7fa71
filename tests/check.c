// SPDX-License-Identifier: MIT
// The driver of the kernel checks.
//
//     check [--bench] [--json] [--seed N] [FILTER]     FILTER: part of a case's name, such as avx512.dot.q4_k
#include "tests/check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "backends/backend.h"

// What the signal handler needs to see; a test program may have it.
static sigjmp_buf trap;
static volatile sig_atomic_t trapped;
static const char *filter;
static bool json;
static uint64_t seed = 1;

uint32_t check_u32(struct check_rng *r) {
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = r->state ^ r->state >> 33;
    return (uint32_t)(x * 0xff51afd7ed558ccdu >> 32);
}

float check_float(struct check_rng *r) {
    return (float)(int32_t)check_u32(r) * 0x1p-31f;
}

void *check_alloc(struct check_memory *m, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (size + page - 1) / page * page;
    char *p = mmap(NULL, used + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || m->n == ARRAY_LEN(m->pages) || mprotect(p + used, page, PROT_NONE) != 0) {
        fprintf(stderr, "check: no memory\n");
        exit(4);
    }
    memset(p, 0xa5, used);
    m->pages[m->n] = p;
    m->sizes[m->n++] = used + page;
    return p + used - size;
}

void check_free_all(struct check_memory *m) {
    while (m->n) {
        m->n--;
        munmap(m->pages[m->n], m->sizes[m->n]);
    }
}

bool check_same(const float *a, const float *b, size_t n, size_t *at) {
    for (*at = 0; *at < n; ++*at) {
        bool nan = a[*at] != a[*at] && b[*at] != b[*at];
        if (!nan && memcmp(a + *at, b + *at, sizeof *a) != 0)
            return false;
    }
    return true;
}

bool check_begin(struct check_level *l, bool differs, const char *format, ...) {
    char name[128], full[160];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    snprintf(full, sizeof full, "%s.%s", l->name, name);
    if (!differs || (filter && !strstr(full, filter)))
        return false;
    l->rng.state = seed;
    if (!l->bench)
        test_case("%s", full);
    return true;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double check_time(void (*call)(void *), void *user) {
    double best = 1e30;
    call(user);
    for (int i = 0; i < 15; i++) {
        int n = 0;
        double begin = now(), end;
        do {
            call(user);
            n++;
            end = now();
        } while (end - begin < 1e6);
        best = (end - begin) / n < best ? (end - begin) / n : best;
    }
    return best;
}

void check_report(const struct check_level *l, const char *slot, double fast_ns, double slow_ns, double bytes,
                  double ops) {
    const char *format =
        json ? "{\"level\":\"%s\",\"slot\":\"%s\",\"ns\":%.1f,\"ratio\":%.1f,\"gbps\":%.1f,\"gops\":%.1f}\n"
             : "%-8s %-16s %10.1f ns %7.1f x scalar %7.1f GB/s %8.1f Gop/s\n";
    printf(format, l->name, slot, fast_ns, slow_ns / fast_ns, bytes / fast_ns, ops / fast_ns);
}

static void on_signal(int sig) {
    trapped = sig;
    siglongjmp(trap, 1);
}

// Runs a group of cases; a signal fails the case at hand and ends the group.
static void run_group(struct check_level *l, void (*group)(struct check_level *l)) {
    if (sigsetjmp(trap, 1) == 0)
        group(l);
    else
        CHECK_MSG(false, "signal %d", (int)trapped);
    check_free_all(&l->memory);
}

// Fills k and returns true if this machine has the level.
static bool open_level(struct kernels *k, const char *name) {
    struct err e;
    return kernels_init(k, name, &e) && strcmp(k->level, name) == 0;
}

// Checks names[i] beside the next level below it that this machine has.
static void check_level(const char *const *names, size_t i, const struct kernels *scalar, bool bench) {
    struct kernels k, below;
    if (!open_level(&k, names[i])) {
        if (!bench) {
            test_case("%s", names[i]);
            test_skip("this machine does not have it");
        }
        return;
    }
    for (size_t b = i - 1; !open_level(&below, names[b]);)
        b--;
    struct check_level l = {.name = names[i], .fast = &k, .slow = scalar, .below = &below, .bench = bench};
    run_group(&l, check_matrices);
    run_group(&l, check_rows);
    run_group(&l, check_attention);
    run_group(&l, check_recurrences);
}

int main(int argc, char **argv) {
    bool bench = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            bench = true;
        else if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else
            filter = argv[i];
    }
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
    fprintf(stderr, "check: seed %llu\n", (unsigned long long)seed);
    struct kernels scalar;
    struct err e;
    if (!kernels_init(&scalar, "scalar", &e))
        return 4;
    const char *const *names = backend_cpu_levels();
    for (size_t i = 1; names[i]; i++)
        check_level(names, i, &scalar, bench);
    return bench ? 0 : test_end();
}
