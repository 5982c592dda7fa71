// SPDX-License-Identifier: MIT
// The pool: C11 atomics, and a futex-like sleep made of one mutex and one condition variable.
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/place.h"

#if defined(__x86_64__)
#define SPIN_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define SPIN_PAUSE() __asm__ volatile("yield")
#else
#define SPIN_PAUSE() ((void)0)
#endif

// About 20 microseconds; a stage usually ends within one.
#define SPINS 2000
// Nanoseconds beyond those for two pieces after which whoever is still at work is taken to have lost its core.
#define PATIENCE 100000

// Of a thread, on cache lines of its own.
struct seat {
    // The pieces that are left of those that the stage gave it: the first one in the high half, the end in the low one.
    // It takes them from the front, others from the back.
    _Alignas(64) _Atomic uint64_t range;
    _Alignas(64) atomic_bool holds; // a piece
    atomic_int thread, cpu;         // as base/place.h names them; known anew in every stage
    uint64_t helped;                // the stage within which another thread gave it its core; of who is moving
};

struct pool {
    unsigned n;
    unsigned spins; // 0 where threads outnumber cores: spinning would only keep the others from running
    pthread_t *threads;
    unsigned n_started;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    // The job and its stage: written while all pieces are done and none can be taken, read by who holds a piece. Who
    // takes one of an older stage's ranges has taken one of this stage: whatever it knows of stages it reads after
    // that.
    struct pool_job job;
    _Atomic uint32_t n_pieces;
    _Atomic uint64_t began; // nanoseconds: the stage
    struct seat *seats;     // [n]
    atomic_flag moving;     // held by the thread that exchanges cores: affinities are changed by one at a time
    // Each on a cache line of its own: they are written by one thread while others read their neighbour.
    _Alignas(64) _Atomic uint64_t ticket; // the number of the stage, and OVER
    _Alignas(64) _Atomic uint64_t left;   // pieces that are not done, its announcement being one
    _Alignas(64) atomic_uint sleepers;
    atomic_bool quit;
};

#define OVER ((uint64_t)1 << 63)  // the job's last stage is done
#define FRONT ((uint64_t)1 << 32) // of a range

struct worker_start {
    struct pool *pool;
    unsigned thread;
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// Whether the ticket changed within n looks at it.
static bool changes(struct pool *p, uint64_t old, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        if (atomic_load_explicit(&p->ticket, memory_order_acquire) != old)
            return true;
        SPIN_PAUSE();
    }
    return false;
}

// The same, within the time that another thread's last pieces of the stage may take.
static bool ends_in_time(struct pool *p, uint64_t old) {
    uint64_t from = now(), spent = from - atomic_load_explicit(&p->began, memory_order_relaxed);
    uint64_t piece = spent * p->n / (atomic_load_explicit(&p->n_pieces, memory_order_relaxed) + 1u);
    while (now() - from < PATIENCE + 2 * piece)
        if (changes(p, old, 16))
            return true;
    return changes(p, old, 1); // this thread may have lost its core itself
}

// A thread that still holds pieces has most likely lost its core to another process, which may keep it for
// milliseconds. This one has nothing to do: it gives the other its core and queues up at that one's.
static void give_core(struct pool *p, uint64_t stage, unsigned thread) {
    if (atomic_flag_test_and_set(&p->moving))
        return;
    for (unsigned t = 0; t < p->n; t++) {
        struct seat *s = &p->seats[t];
        if (t == thread || !atomic_load(&s->holds) || s->helped == stage)
            continue;
        s->helped = stage;
        place_exchange(atomic_load(&s->thread), atomic_load(&s->cpu));
        break;
    }
    atomic_flag_clear(&p->moving);
}

// Returns when the ticket is not `old` any more: spins first, then sees to the others, then sleeps.
static void wait_change(struct pool *p, uint64_t old, unsigned thread) {
    if (changes(p, old, p->spins))
        return;
    if (p->spins && !(old & OVER)) {
        if (ends_in_time(p, old))
            return;
        give_core(p, old, thread);
    }
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->sleepers, 1);
    while (atomic_load(&p->ticket) == old)
        pthread_cond_wait(&p->cond, &p->mutex);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->mutex);
}

// Changes the ticket and wakes who sleeps. The counter of sleepers is read after the change and raised before a sleeper
// looks at the ticket, both sequentially consistent, so nobody sleeps through a change.
static void announce(struct pool *p, uint64_t ticket) {
    atomic_store(&p->ticket, ticket);
    if (atomic_load(&p->sleepers)) {
        pthread_mutex_lock(&p->mutex);
        pthread_cond_broadcast(&p->cond);
        pthread_mutex_unlock(&p->mutex);
    }
}

// The stage after the one at hand. Numbers only rise: a ticket that came back would be taken for the one that a sleeper
// knows.
static uint64_t next_stage(const struct pool *p) {
    return (atomic_load_explicit(&p->ticket, memory_order_relaxed) & ~OVER) + 1;
}

// Gives the threads their pieces of a stage of n. The announcement counts as a piece, so that the stage cannot end, and
// another thread begin the next one, before it is made.
static void begin_stage(struct pool *p, size_t n) {
    const uint64_t stage = next_stage(p);
    atomic_store_explicit(&p->n_pieces, (uint32_t)n, memory_order_relaxed);
    atomic_store_explicit(&p->began, now(), memory_order_relaxed);
    atomic_store_explicit(&p->left, n + 1, memory_order_relaxed);
    for (unsigned t = 0; n && t < p->n; t++)
        atomic_store_explicit(&p->seats[t].range, pool_first(p, n, t) * FRONT | pool_first(p, n, t + 1),
                              memory_order_release);
    announce(p, (n ? 0 : OVER) | stage);
}

// Whether those n were the stage's last pieces.
static bool count_done(struct pool *p, uint64_t n) {
    return atomic_fetch_sub_explicit(&p->left, n, memory_order_acq_rel) == n;
}

// Begins the next stage. Stages of one piece are done on the spot: passing them on would take longer than most of them.
static void advance(struct pool *p, unsigned thread) {
    size_t n;
    // Nobody knows how long those may take, so nobody is to find them late.
    atomic_store_explicit(&p->seats[thread].holds, false, memory_order_relaxed);
    do {
        while ((n = p->job.next(p->job.user)) == 1)
            p->job.piece(p->job.user, 0, thread);
        begin_stage(p, n);
    } while (n && count_done(p, 1)); // the others may have been faster
}

// Takes the first or the last piece that is left of a range.
static bool take_from(_Atomic uint64_t *range, bool front, size_t *piece) {
    uint64_t r = atomic_load_explicit(range, memory_order_relaxed);
    while ((uint32_t)(r / FRONT) < (uint32_t)r) {
        *piece = front ? (uint32_t)(r / FRONT) : (uint32_t)r - 1u;
        if (atomic_compare_exchange_weak_explicit(range, &r, front ? r + FRONT : r - 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

static bool take_from_others(struct pool *p, unsigned thread, size_t *piece) {
    bool taken = false;
    for (unsigned i = 1; !taken && i < p->n; i++)
        taken = take_from(&p->seats[(thread + i) % p->n].range, false, piece);
    return taken;
}

static void do_piece(struct pool *p, unsigned thread, size_t piece) {
    atomic_store_explicit(&p->seats[thread].holds, true, memory_order_relaxed);
    p->job.piece(p->job.user, piece, thread);
}

// Takes and does pieces, and begins the stages after those that end here, until none is left to take. Returns the
// ticket that was there before. The stage cannot end before this thread has counted what it did, which it does when its
// own pieces are taken: threads that count the same stage's pieces one by one would wait for each other.
static uint64_t work(struct pool *p, unsigned thread) {
    struct seat *seat = &p->seats[thread];
    uint64_t ticket, seated = 0, done = 0; // seated: the stage within which the thread's core was asked for
    for (size_t piece;;) {
        ticket = atomic_load_explicit(&p->ticket, memory_order_acquire);
        if (ticket != seated)
            atomic_store_explicit(&seat->cpu, place_cpu(), memory_order_relaxed);
        seated = ticket;
        if (take_from(&seat->range, true, &piece)) {
            do_piece(p, thread, piece);
            done++;
        } else if (done) {
            if (count_done(p, done))
                advance(p, thread);
            done = 0;
        } else if (take_from_others(p, thread, &piece)) {
            do_piece(p, thread, piece);
            done = 1;
        } else {
            break;
        }
    }
    atomic_store_explicit(&seat->holds, false, memory_order_relaxed);
    return ticket;
}

static void *worker(void *argument) {
    struct worker_start start = *(struct worker_start *)argument;
    free(argument);
    atomic_store(&start.pool->seats[start.thread].thread, place_thread());
    for (;;) {
        uint64_t ticket = work(start.pool, start.thread);
        if (atomic_load(&start.pool->quit)) // looked at after the ticket: it is set before the last change
            return NULL;
        wait_change(start.pool, ticket, start.thread);
    }
}

void pool_run(struct pool *p, const struct pool_job *job) {
    uint64_t ticket;
    p->job = *job;
    atomic_store(&p->seats[0].thread, place_thread());
    advance(p, 0);
    while (!((ticket = work(p, 0)) & OVER))
        wait_change(p, ticket, 0);
}

struct each {
    size_t n;
    void (*piece)(void *user, size_t piece, unsigned thread);
    void *user;
};

static size_t each_next(void *user) {
    struct each *each = user;
    size_t n = each->n;
    each->n = 0;
    return n;
}

static void each_piece(void *user, size_t piece, unsigned thread) {
    const struct each *each = user;
    each->piece(each->user, piece, thread);
}

void pool_each(struct pool *p, size_t n, void (*piece)(void *user, size_t piece, unsigned thread), void *user) {
    struct each each = {n, piece, user};
    pool_run(p, &(struct pool_job){each_next, each_piece, &each});
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
    *p = (struct pool){.n = n, .ticket = OVER};
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->cond, NULL);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    p->spins = cores > 0 && n <= (unsigned long)cores ? SPINS : 0;
    p->threads = calloc(n, sizeof *p->threads);
    if (posix_memalign((void **)&p->seats, 64, n * sizeof *p->seats) != 0)
        p->seats = NULL;
    else
        memset(p->seats, 0, n * sizeof *p->seats);
    if (!p->threads || !p->seats || !start_workers(p)) {
        pool_close(p);
        return err_set(e, ERR_SYSTEM, "threads: the system refused to start %u", n);
    }
    *out = p;
    return true;
}

void pool_close(struct pool *p) {
    if (!p)
        return;
    atomic_store(&p->quit, true);
    announce(p, OVER | next_stage(p));
    for (unsigned i = 1; i < p->n_started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->cond);
    pthread_mutex_destroy(&p->mutex);
    free(p->threads);
    free(p->seats);
    free(p);
}

unsigned pool_size(const struct pool *p) {
    return p->n;
}

size_t pool_first(const struct pool *p, size_t n, unsigned thread) {
    return n * thread / p->n;
}

size_t pool_next(const struct pool *p, unsigned thread) {
    for (unsigned i = 0; i < p->n; i++) {
        uint64_t r = atomic_load_explicit(&p->seats[(thread + i) % p->n].range, memory_order_relaxed);
        uint32_t first = (uint32_t)(r / FRONT), end = (uint32_t)r;
        if (i == 0 && first < end)
            return first;
        if (i > 0 && first + (uint64_t)1 < end)
            return end - 1u;
    }
    return POOL_NONE;
}
