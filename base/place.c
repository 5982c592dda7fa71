// SPDX-License-Identifier: MIT
// Linux moves a thread, even one that waits for its turn, at once when its affinity leaves it no other processor.
#include "base/place.h"

#ifdef __linux__
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

int place_thread(void) {
    return (int)syscall(SYS_gettid);
}

int place_cpu(void) {
    return sched_getcpu();
}

// Leaves the thread on that processor, free to go where it could before.
static void send_to(int thread, int cpu) {
    cpu_set_t before, only;
    if (sched_getaffinity(thread, sizeof before, &before) != 0)
        return;
    CPU_ZERO(&only);
    CPU_SET((size_t)cpu, &only);
    sched_setaffinity(thread, sizeof only, &only);
    sched_setaffinity(thread, sizeof before, &before);
}

void place_exchange(int thread, int there) {
    int here = place_cpu();
    if (here < 0 || there < 0 || here >= CPU_SETSIZE || there >= CPU_SETSIZE || here == there)
        return;
    send_to(thread, here);
    send_to(0, there);
}
#else
int place_thread(void) {
    return 0;
}

int place_cpu(void) {
    return -1;
}

void place_exchange(int thread, int there) {
    (void)thread, (void)there;
}
#endif
