// SPDX-License-Identifier: MIT
// The thread pool: every piece is done once, stages follow each other, and a thread without a piece holds nobody.
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/place.h"
#include "tests/test.h"

#define MAX_PIECES 64
#define STAGES 2000

struct stages {
    unsigned stage, n; // at hand, and pieces of it
    atomic_uint done[MAX_PIECES];
    atomic_uint wrong;
    uint64_t sum; // changed between stages only
};

static size_t next_stage(void *user) {
    struct stages *s = user;
    for (unsigned i = 0; i < MAX_PIECES; i++)
        s->wrong += atomic_exchange(&s->done[i], 0) != (i < s->n);
    s->sum += s->n;
    s->n = s->stage++ < STAGES ? s->stage * 7919 % MAX_PIECES + 1 : 0;
    return s->n;
}

static void do_piece(void *user, size_t piece, unsigned thread) {
    struct stages *s = user;
    (void)thread;
    s->wrong += piece >= s->n;
    atomic_fetch_add(&s->done[piece], 1);
}

static void check_stages(unsigned threads) {
    struct pool *p;
    struct err e;
    test_case("pool stages with %u threads", threads);
    if (!CHECK_CALL(pool_open(&p, threads, &e), &e))
        return;
    for (int run = 0; run < 3; run++) {
        struct stages s = {0};
        uint64_t sum = 0;
        pool_run(p, &(struct pool_job){next_stage, do_piece, &s});
        for (unsigned i = 1; i <= STAGES; i++)
            sum += i * 7919 % MAX_PIECES + 1;
        CHECK_INT(s.wrong, 0);
        CHECK_INT(s.sum, sum);
    }
    pool_close(p);
}

static void count_piece(void *user, size_t piece, unsigned thread) {
    atomic_uint *counts = user;
    (void)thread;
    atomic_fetch_add(&counts[piece], 1);
}

static void check_each(void) {
    static const size_t sizes[] = {0, 1, 2, 3, 1000};
    atomic_uint counts[1000];
    struct pool *p;
    struct err e;
    test_case("pool each");
    if (!CHECK_CALL(pool_open(&p, 3, &e), &e))
        return;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t wrong = 0;
        memset(counts, 0, sizeof counts);
        pool_each(p, sizes[i], count_piece, counts);
        for (size_t k = 0; k < ARRAY_LEN(counts); k++)
            wrong += counts[k] != (k < sizes[i]);
        CHECK_INT(wrong, 0);
    }
    pool_close(p);
}

// Closing finds the workers anywhere between their last piece and their sleep.
static void check_close(void) {
    struct err e;
    test_case("pool opened and closed");
    for (int i = 0; i < 1000; i++) {
        atomic_uint counts[8] = {0};
        struct pool *p;
        if (!CHECK_CALL(pool_open(&p, 4, &e), &e))
            return;
        pool_each(p, (size_t)i % 4, count_piece, counts);
        pool_close(p);
    }
}

// Thread 1 is kept in the first piece that it takes until the others have done all the rest.
struct held {
    atomic_uint others;
    unsigned all;
};

static void hold_piece(void *user, size_t piece, unsigned thread) {
    struct held *h = user;
    (void)piece;
    if (thread != 1) {
        atomic_fetch_add(&h->others, 1);
        return;
    }
    for (int ms = 0; ms < 10000 && atomic_load(&h->others) < h->all; ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

// A slow thread leaves the pieces of its share to the others.
static void check_slow(void) {
    struct held h = {.all = 999};
    struct pool *p;
    struct err e;
    test_case("pool with a slow thread");
    if (!CHECK_CALL(pool_open(&p, 2, &e), &e))
        return;
    pool_each(p, 1000, hold_piece, &h);
    CHECK_MSG(h.others >= h.all, "the other thread did %u of 1000 pieces", h.others);
    pool_close(p);
}

#ifdef __linux__
// A thread that says where it runs until it is told to end.
struct runner {
    atomic_int thread, cpu;
    atomic_bool quit;
};

static void *run_about(void *user) {
    struct runner *r = user;
    atomic_store(&r->thread, place_thread());
    while (!atomic_load(&r->quit))
        atomic_store(&r->cpu, place_cpu());
    return NULL;
}

static bool same_affinity(int thread, const cpu_set_t *before) {
    cpu_set_t now;
    return sched_getaffinity(thread, sizeof now, &now) == 0 && CPU_EQUAL(&now, before);
}

// Sends the runner to another processor than `here`; where it then runs.
static int send_elsewhere(const struct runner *r, int here, const cpu_set_t *usable) {
    cpu_set_t others = *usable;
    CPU_CLR((size_t)here, &others);
    while (!atomic_load(&r->thread))
        sched_yield();
    if (sched_setaffinity(atomic_load(&r->thread), sizeof others, &others) != 0)
        return here;
    while (atomic_load(&r->cpu) == here || atomic_load(&r->cpu) < 0)
        sched_yield();
    sched_setaffinity(atomic_load(&r->thread), sizeof *usable, usable);
    return atomic_load(&r->cpu);
}

// Both land on the other's processor, at the latest in one of some tries, as the system moves threads too; and both may
// go where they could before.
static void check_exchange(void) {
    struct runner r = {.cpu = -1};
    pthread_t other;
    cpu_set_t before;
    test_case("threads change places");
    if (!CHECK(sched_getaffinity(0, sizeof before, &before) == 0) ||
        !CHECK(pthread_create(&other, NULL, run_about, &r) == 0))
        return;
    bool moved = CPU_COUNT(&before) < 2;
    for (int i = 0; i < 1000 && !moved; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        int here = place_cpu(), there = send_elsewhere(&r, here, &before);
        place_exchange(atomic_load(&r.thread), there);
        moved = place_cpu() == there;
        for (int k = 0; k < 1000000 && moved && atomic_load(&r.cpu) != here; k++)
            sched_yield();
        moved = moved && atomic_load(&r.cpu) == here;
    }
    CHECK(moved);
    CHECK(same_affinity(0, &before) && same_affinity(atomic_load(&r.thread), &before));
    atomic_store(&r.quit, true);
    pthread_join(other, NULL);
}
#else
static void check_exchange(void) {}
#endif

void unit_pool(void) {
    check_exchange();
    check_stages(1);
    check_stages(2);
    check_stages(5);
    check_each();
    check_close();
    check_slow();
}
