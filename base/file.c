// SPDX-License-Identifier: MIT
// Mapping and reading files. What the user named wrongly is ERR_INPUT, what the system refuses is ERR_SYSTEM.
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 << 10)

static bool system_refused(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO || error == EOVERFLOW;
}

static bool failed(struct err *e, const char *path, int error) {
    enum err_class class = system_refused(error) ? ERR_SYSTEM : ERR_INPUT;
    const char *why = error == ENOENT ? "no such file" : error == EISDIR ? "is a directory" : strerror(error);
    return err_set(e, class, "%s: %s", path, why);
}

static bool map_fd(struct file_map *m, int fd, const char *path, struct err *e) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return failed(e, path, errno);
    if (S_ISDIR(st.st_mode))
        return failed(e, path, EISDIR);
    ERR_IF(!S_ISREG(st.st_mode), e, ERR_INPUT, "%s: not a regular file", path);
    ERR_IF(st.st_size == 0, e, ERR_INPUT, "%s: the file is empty", path);
    ERR_IF((uintmax_t)st.st_size > PTRDIFF_MAX, e, ERR_SYSTEM, "%s: larger than the address space", path);
    void *ptr = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    ERR_IF(ptr == MAP_FAILED, e, ERR_SYSTEM, "%s: cannot map: %s", path, strerror(errno));
    *m = (struct file_map){ptr, (size_t)st.st_size};
    return true;
}

bool file_map(struct file_map *m, const char *path, struct err *e) {
    *m = (struct file_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not block before it is refused
    if (fd < 0)
        return failed(e, path, errno);
    bool ok = map_fd(m, fd, path, e);
    close(fd);
    return ok;
}

void file_unmap(struct file_map *m) {
    if (m->ptr)
        munmap((void *)(uintptr_t)m->ptr, m->size);
    *m = (struct file_map){0};
}

// True to read again: a descriptor that somebody made non-blocking is waited for.
static bool may_retry(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return (errno == EAGAIN || errno == EWOULDBLOCK) && poll(&p, 1, -1) >= 0;
}

bool file_read_fd(int fd, const char *name, struct buf *out, struct err *e) {
    for (;;) {
        char *end = buf_reserve(out, READ_SIZE);
        if (!end)
            return err_memory(e, out->len + READ_SIZE, name);
        ssize_t n = read(fd, end, READ_SIZE);
        if (n == 0)
            return true;
        if (n > 0)
            out->len += (size_t)n;
        else if (!may_retry(fd))
            return errno == EINTR ? err_set(e, ERR_INTERRUPT, "%s: interrupted", name) : failed(e, name, errno);
    }
}

bool file_read(const char *path, struct buf *out, struct err *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return failed(e, path, errno);
    bool ok = file_read_fd(fd, path, out, e);
    close(fd);
    return ok;
}
