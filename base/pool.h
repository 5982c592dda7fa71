// SPDX-License-Identifier: MIT
// A pool of threads that is entered once per forward pass: pool_run wakes the workers, every thread (the caller is
// thread 0) runs the same function, and inside it they share work by counters and meet at barriers. Waiting spins for a
// few microseconds, because barriers come that often, and then sleeps, because the other thread may have lost its core.
#pragma once

#include "base/err.h"

struct pool;

// n >= 1 threads including the caller.
bool pool_open(struct pool **out, unsigned n, struct err *e);
void pool_close(struct pool *p); // NULL is fine
unsigned pool_size(const struct pool *p);

// Runs work(user, thread) on every thread and returns when all have returned.
void pool_run(struct pool *p, void (*work)(void *user, unsigned thread), void *user);

// Inside work only: returns when every thread has come here. What was written before is visible to all after.
void pool_barrier(struct pool *p);

// Inside work only: the next piece number of the stretch between two barriers: 0, 1, 2, ..., each given to one thread.
size_t pool_take(struct pool *p);
