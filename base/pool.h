// SPDX-License-Identifier: MIT
// A pool of threads that is entered once per forward pass. A job is a row of stages, a stage is a number of pieces: the
// threads (the caller is thread 0) take pieces, each from the front of a share of its own, then from the back of the
// others', and a stage is over when all of its pieces are done, whoever did them. So nobody waits for a thread that
// holds no piece, such as one whose core is busy with another process: it finds the stage over when it comes back.
// Waiting spins for a few microseconds, because stages end that often; where another thread then takes 0.1 ms and two
// pieces longer than it should, it has most likely lost its core to another process, and the one that waits gives it
// its own before it sleeps (base/place.h).
#pragma once

#include "base/err.h"

struct pool;

struct pool_job {
    // The number of pieces (below 2^32) of the next stage, or 0 when there is none. One thread at a time calls it, any
    // of them, when the stage before is done; what it and the pieces before wrote is visible to all pieces after.
    size_t (*next)(void *user);
    // Does piece number `piece` of the stage at hand on thread number `thread` < pool_size.
    void (*piece)(void *user, size_t piece, unsigned thread);
    void *user;
};

// n >= 1 threads including the caller.
bool pool_open(struct pool **out, unsigned n, struct err *e);
void pool_close(struct pool *p); // NULL is fine
unsigned pool_size(const struct pool *p);
// Where the share of a thread <= pool_size begins in a stage of n pieces; that of thread pool_size is n.
size_t pool_first(const struct pool *p, size_t n, unsigned thread);

#define POOL_NONE SIZE_MAX
// Within a piece: the one of the same stage that the thread will most likely do after it, or POOL_NONE.
size_t pool_next(const struct pool *p, unsigned thread);

// Returns when all stages are done. One job at a time.
void pool_run(struct pool *p, const struct pool_job *job);

// The same for one stage of n < 2^32 pieces.
void pool_each(struct pool *p, size_t n, void (*piece)(void *user, size_t piece, unsigned thread), void *user);
