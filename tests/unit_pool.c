// SPDX-License-Identifier: MIT
// The thread pool: every piece is done once, stages follow each other, and a thread without a piece holds nobody.
#include "base/pool.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

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

// A thread takes at most a portion of the pieces, so a slow one leaves the rest to the others.
static void check_slow(void) {
    struct held h = {.all = 800};
    struct pool *p;
    struct err e;
    test_case("pool with a slow thread");
    if (!CHECK_CALL(pool_open(&p, 2, &e), &e))
        return;
    pool_each(p, 1000, hold_piece, &h);
    CHECK_MSG(h.others >= h.all, "the other thread did %u of 1000 pieces", h.others);
    pool_close(p);
}

void unit_pool(void) {
    check_stages(1);
    check_stages(2);
    check_stages(5);
    check_each();
    check_close();
    check_slow();
}
