// SPDX-License-Identifier: MIT
// Where threads run.
#pragma once

#include "base/base.h"

// The calling thread as the system names it; 0 where there are no such names.
int place_thread(void);
// The processor that the calling thread runs on, -1 where the system does not say.
int place_cpu(void);

// Sends a thread of this process, last seen on processor `there`, to the caller's processor, and the caller to `there`.
// Which processors both may use stays as it was (processors that are offline are left out from then on). One exchange
// at a time: a second one would take the first one's steps for what a thread may use. Nothing happens where the system
// refuses or cannot.
void place_exchange(int thread, int there);
