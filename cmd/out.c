// SPDX-License-Identifier: MIT
// Writing to descriptors. See cmd/out.h.
#include "cmd/out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

bool out_write(int fd, const char *name, const void *bytes, size_t n, struct err *e) {
    const char *at = bytes;
    while (n) {
        ssize_t done = write(fd, at, n);
        if (done >= 0) {
            at += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) { // somebody made the descriptor non-blocking
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (errno == EPIPE) { // SIGPIPE is blocked or was handled
            signal(SIGPIPE, SIG_DFL);
            raise(SIGPIPE);
            _exit(141);
        } else if (errno != EINTR) {
            return err_set(e, ERR_SYSTEM, "%s: %s", name, strerror(errno));
        }
    }
    return true;
}

bool out_buf(struct buf *b, struct err *e) {
    if (b->failed)
        return err_memory(e, b->len, "output");
    size_t n = b->len;
    b->len = 0;
    return out_write(OUT_STDOUT, "standard output", b->ptr, n, e);
}

bool out_open(int *fd, const char *path, struct err *e) {
    *fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : OUT_STDOUT;
    ERR_IF(*fd < 0, e, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    return true;
}

bool out_close(int fd, const char *path, struct err *e) {
    ERR_IF(close(fd) != 0 && errno != EINTR, e, ERR_SYSTEM, "%s: %s", path ? path : "standard output", strerror(errno));
    return true;
}
