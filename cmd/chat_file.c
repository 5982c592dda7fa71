// SPDX-License-Identifier: MIT
// Conversations on disk. See cmd/chat_file.h.
#include "cmd/chat_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/input.h"
#include "cmd/out.h"

#ifdef __APPLE__ // its name for POSIX.1-2008's member
#define st_mtim st_mtimespec
#endif

static void look(struct chat_file *f) {
    if (!f->path || stat(f->path, &f->seen) != 0)
        f->seen = (struct stat){0};
}

bool chat_file_changed(const struct chat_file *f) {
    struct stat now = {0};
    if (!f->path)
        return false;
    if (stat(f->path, &now) != 0)
        return f->seen.st_ino != 0;
    return now.st_ino != f->seen.st_ino || now.st_dev != f->seen.st_dev || now.st_size != f->seen.st_size ||
           now.st_mtim.tv_sec != f->seen.st_mtim.tv_sec || now.st_mtim.tv_nsec != f->seen.st_mtim.tv_nsec;
}

bool chat_file_read(struct chat_file *f, struct turns *turns, bool lossy, struct err *e) {
    struct buf text = {0};
    f->fd = -1;
    look(f);
    if (!f->path || !f->seen.st_ino)
        return true;
    bool ok = file_read(f->path, &text, e) && input_check_text(&text, f->path, lossy, e) &&
              turns_parse(turns, (struct str){text.ptr, text.len}, f->path, e);
    buf_free(&text);
    return ok;
}

// What goes between the end of the file and a new turn: the end of its last line, and an empty line.
static const char *separator(int fd) {
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0)
        return "";
    return pread(fd, &last, 1, size - 1) == 1 && last != '\n' ? "\n\n" : "\n";
}

bool chat_file_begin(struct chat_file *f, const char *role, struct err *e) {
    if (!f->path)
        return true;
    f->line.len = 0;
    f->fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    ERR_IF(f->fd < 0, e, ERR_SYSTEM, "%s: %s", f->path, strerror(errno));
    struct buf head = {0};
    buf_str(&head, separator(f->fd));
    turns_write_head(role, &head);
    bool ok = head.failed ? err_memory(e, head.len, f->path) : out_write(f->fd, f->path, head.ptr, head.len, e);
    buf_free(&head);
    return ok;
}

static bool write_line(struct chat_file *f, struct err *e) {
    struct buf out = {0};
    turns_write_line((struct str){f->line.ptr, f->line.len}, &out);
    bool ok = out.failed ? err_memory(e, out.len, f->path) : out_write(f->fd, f->path, out.ptr, out.len, e);
    buf_free(&out);
    f->line.len = 0;
    return ok;
}

bool chat_file_add(struct chat_file *f, const char *text, size_t n, struct err *e) {
    for (size_t i = 0; f->fd >= 0 && i < n; i++) {
        if (text[i] == '\n')
            ERR_FORWARD(write_line(f, e));
        else
            buf_char(&f->line, text[i]);
    }
    return !f->line.failed || err_memory(e, n, f->path);
}

bool chat_file_end(struct chat_file *f, struct err *e) {
    if (f->fd < 0)
        return true;
    bool ok = !f->line.len || write_line(f, e);
    if (ok && fsync(f->fd) != 0 && errno != EINVAL && errno != ENOTSUP) // pipes and file systems without it
        ok = err_set(e, ERR_SYSTEM, "%s: %s", f->path, strerror(errno));
    int fd = f->fd;
    f->fd = -1;
    if (close(fd) != 0 && errno != EINTR && ok)
        ok = err_set(e, ERR_SYSTEM, "%s: %s", f->path, strerror(errno));
    look(f);
    return ok;
}

bool chat_file_append(struct chat_file *f, const char *role, struct str text, struct err *e) {
    return chat_file_begin(f, role, e) && chat_file_add(f, text.ptr, text.len, e) && chat_file_end(f, e);
}

bool chat_file_save(const char *path, const struct turns *turns, struct err *e) {
    struct file_writer w;
    struct buf text = {0};
    turns_write(turns, &text);
    bool ok = text.failed ? err_memory(e, text.len, path)
                          : file_writer_open(&w, path, e) &&
                                (!text.len || file_writer_put(&w, text.ptr, text.len, e)) && file_writer_end(&w, e);
    if (!text.failed)
        file_writer_close(&w);
    buf_free(&text);
    return ok;
}

bool chat_file_write(struct chat_file *f, const struct turns *turns, struct err *e) {
    if (!f->path)
        return true;
    bool ok = chat_file_save(f->path, turns, e);
    look(f);
    return ok;
}

void chat_file_close(struct chat_file *f) {
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    buf_free(&f->line);
}
