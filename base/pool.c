// SPDX-License-Identifier: MIT
// The pool: C11 atomics, and a futex-like sleep made of one mutex and one condition variable.
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__)
#define SPIN_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define SPIN_PAUSE() __asm__ volatile("yield")
#else
#define SPIN_PAUSE() ((void)0)
#endif

// About 20 microseconds; a barrier is usually reached within one.
#define SPINS 2000

struct pool {
    unsigned n;
    unsigned spins; // 0 where threads outnumber cores: spinning would only keep the others from running
    pthread_t *threads;
    unsigned n_started;
    void (*work)(void *user, unsigned thread);
    void *user;
    bool quit;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    // Each on a cache line of its own: they are written by one thread while others read their neighbour.
    _Alignas(64) atomic_uint round; // odd numbers of pool_run calls wake the workers
    _Alignas(64) atomic_uint arrived;
    _Alignas(64) atomic_uint generation; // of the barrier
    _Alignas(64) atomic_uint sleepers;
    _Alignas(64) atomic_size_t next[2]; // piece counters of the even and odd phases
};

struct worker_start {
    struct pool *pool;
    unsigned thread;
};

// Returns when *word != old: spins first, then sleeps.
static void wait_change(struct pool *p, atomic_uint *word, unsigned old) {
    for (unsigned i = 0; i < p->spins; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != old)
            return;
        SPIN_PAUSE();
    }
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->sleepers, 1);
    while (atomic_load(word) == old)
        pthread_cond_wait(&p->cond, &p->mutex);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->mutex);
}

// Changes *word and wakes who sleeps on it. The counter of sleepers is read after the change and raised before a
// sleeper looks at the word, both sequentially consistent, so nobody sleeps through a change.
static void announce(struct pool *p, atomic_uint *word) {
    atomic_fetch_add(word, 1);
    if (atomic_load(&p->sleepers)) {
        pthread_mutex_lock(&p->mutex);
        pthread_cond_broadcast(&p->cond);
        pthread_mutex_unlock(&p->mutex);
    }
}

void pool_barrier(struct pool *p) {
    if (p->n == 1) {
        atomic_store_explicit(&p->next[0], 0, memory_order_relaxed);
        atomic_store_explicit(&p->next[1], 0, memory_order_relaxed);
        return;
    }
    unsigned generation = atomic_load_explicit(&p->generation, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&p->arrived, 1, memory_order_acq_rel) + 1 == p->n) {
        atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
        // The stretch that ends here used one counter; the stretch after the next will use it again.
        atomic_store_explicit(&p->next[generation & 1], 0, memory_order_relaxed);
        announce(p, &p->generation);
    } else {
        wait_change(p, &p->generation, generation);
    }
}

size_t pool_take(struct pool *p) {
    unsigned phase = atomic_load_explicit(&p->generation, memory_order_relaxed) & 1;
    return atomic_fetch_add_explicit(&p->next[phase], 1, memory_order_relaxed);
}

static void *worker(void *argument) {
    struct worker_start start = *(struct worker_start *)argument;
    struct pool *p = start.pool;
    free(argument);
    for (unsigned round = 0;; round++) {
        wait_change(p, &p->round, round);
        if (p->quit)
            return NULL;
        p->work(p->user, start.thread);
        pool_barrier(p);
    }
}

void pool_run(struct pool *p, void (*work)(void *user, unsigned thread), void *user) {
    p->work = work;
    p->user = user;
    if (p->n > 1)
        announce(p, &p->round);
    work(user, 0);
    pool_barrier(p);
}

static bool start_worker(struct pool *p, unsigned thread) {
    struct worker_start *start = malloc(sizeof *start);
    if (!start)
        return false;
    *start = (struct worker_start){p, thread};
    if (pthread_create(&p->threads[thread], NULL, worker, start) == 0)
        return true;
    free(start);
    return false;
}

// Workers leave every signal to the caller's thread.
static bool start_workers(struct pool *p) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    p->n_started = 1;
    while (p->n_started < p->n && start_worker(p, p->n_started))
        p->n_started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return p->n_started == p->n;
}

bool pool_open(struct pool **out, unsigned n, struct err *e) {
    struct pool *p = NULL;
    *out = NULL;
    if (posix_memalign((void **)&p, 64, sizeof *p) != 0)
        return err_memory(e, sizeof *p, "the thread pool");
    *p = (struct pool){.n = n};
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->cond, NULL);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    p->spins = cores > 0 && n <= (unsigned long)cores ? SPINS : 0;
    p->threads = calloc(n, sizeof *p->threads);
    if (!p->threads || !start_workers(p)) {
        pool_close(p);
        return err_set(e, ERR_SYSTEM, "threads: the system refused to start %u", n);
    }
    *out = p;
    return true;
}

void pool_close(struct pool *p) {
    if (!p)
        return;
    p->quit = true;
    if (p->n_started > 1)
        announce(p, &p->round);
    for (unsigned i = 1; i < p->n_started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->cond);
    pthread_mutex_destroy(&p->mutex);
    free(p->threads);
    free(p);
}

unsigned pool_size(const struct pool *p) {
    return p->n;
}
