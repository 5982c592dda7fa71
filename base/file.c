// SPDX-License-Identifier: MIT
// Mapping, reading and writing files. What the user named wrongly is ERR_INPUT, what the system refuses is ERR_SYSTEM.
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 << 10)
#define WRITE_SIZE ((size_t)1 << 20)

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

// Of the pages that a range touches; the last one may belong to what comes next.
static void advise(const void *ptr, size_t size, int advice) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)ptr, end = begin + size;
    begin = begin / page * page;
    end = end / page * page;
    if (end > begin)
        madvise((void *)begin, end - begin, advice);
}

void file_release(const void *ptr, size_t size) {
    advise(ptr, size, MADV_DONTNEED);
}

void file_prefetch(const void *ptr, size_t size) {
    advise(ptr, size, MADV_WILLNEED);
}

void file_large_pages(const void *ptr, size_t size) {
#ifdef MADV_HUGEPAGE
    advise(ptr, size, MADV_HUGEPAGE);
#else
    (void)ptr, (void)size;
#endif
}

static bool write_failed(const struct file_writer *w, struct err *e, int error) {
    return err_set(e, ERR_SYSTEM, "%s: %s", w->path, strerror(error));
}

// Where the file will lie: behind symbolic links; *path is owned by the caller.
static bool find_target(const char *name, char **path, struct err *e) {
    struct stat st;
    bool exists = stat(name, &st) == 0;
    ERR_IF(exists && S_ISDIR(st.st_mode), e, ERR_INPUT, "%s: is a directory", name);
    ERR_IF(exists && !S_ISREG(st.st_mode), e, ERR_INPUT, "%s: not a regular file", name);
    *path = exists ? realpath(name, NULL) : strdup(name);
    return *path || err_memory(e, strlen(name), name);
}

bool file_writer_open(struct file_writer *w, const char *path, struct err *e) {
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    *w = (struct file_writer){.fd = -1};
    ERR_FORWARD(find_target(path, &w->path, e));
    size_t size = strlen(w->path) + 32;
    w->temporary = malloc(size);
    if (!w->temporary)
        return err_memory(e, size, path);
    snprintf(w->temporary, size, "%s.part-%ld", w->path, (long)getpid());
    w->fd = open(w->temporary, flags, 0666);
    if (w->fd < 0 && errno == EEXIST) { // of a killed process that had our number
        unlink(w->temporary);
        w->fd = open(w->temporary, flags, 0666);
    }
    return w->fd >= 0 || write_failed(w, e, errno);
}

static bool write_all(struct file_writer *w, const char *bytes, size_t n, struct err *e) {
    while (n) {
        ssize_t done = write(w->fd, bytes, n);
        if (done < 0 && errno != EINTR)
            return write_failed(w, e, errno);
        bytes += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

static bool flush(struct file_writer *w, struct err *e) {
    size_t n = w->pending.len;
    w->pending.len = 0;
    return write_all(w, w->pending.ptr, n, e);
}

bool file_writer_put(struct file_writer *w, const void *bytes, size_t n, struct err *e) {
    w->size += n;
    if (w->pending.len + n > WRITE_SIZE)
        ERR_FORWARD(flush(w, e));
    if (n > WRITE_SIZE)
        return write_all(w, bytes, n, e);
    buf_append(&w->pending, bytes, n);
    return !w->pending.failed || err_memory(e, n, w->path);
}

bool file_writer_end(struct file_writer *w, struct err *e) {
    ERR_FORWARD(flush(w, e));
    if (fsync(w->fd) != 0 && errno != EINVAL && errno != ENOTSUP) // file systems without it
        return write_failed(w, e, errno);
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0 && errno != EINTR)
        return write_failed(w, e, errno);
    if (rename(w->temporary, w->path) != 0)
        return write_failed(w, e, errno);
    free(w->temporary);
    w->temporary = NULL;
    return true;
}

void file_writer_close(struct file_writer *w) {
    if (w->temporary && w->fd >= 0)
        close(w->fd);
    if (w->temporary)
        unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    buf_free(&w->pending);
    *w = (struct file_writer){.fd = -1};
}
