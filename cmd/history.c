// SPDX-License-Identifier: MIT
// The history of inputs. See cmd/history.h.
#include "cmd/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define KEPT 1000 // entries; a file of twice as many is shortened

static void find_path(struct history *h, const char *named) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (!named)
        named = getenv("PITH_HISTORY");
    if (named)
        buf_str(&h->path, named);
    else if (data && *data == '/')
        buf_printf(&h->path, "%s/pith/history", data);
    else if (home && *home)
        buf_printf(&h->path, "%s/.local/share/pith/history", home);
    if (h->path.len)
        buf_char(&h->path, 0);
    if (h->path.failed)
        h->path.len = 0;
}

static void add(struct history *h, const char *bytes, size_t n, bool escaped) {
    size_t at = h->text.len;
    for (size_t i = 0; i < n; i++) {
        bool escape = escaped && bytes[i] == '\\' && i + 1 < n;
        i += escape;
        if (bytes[i])
            buf_char(&h->text, escape && bytes[i] == 'n' ? '\n' : bytes[i]);
    }
    buf_char(&h->text, 0);
    if (!h->text.failed && buf_reserve(&h->index, sizeof at))
        buf_append(&h->index, &at, sizeof at);
}

static void write_entry(struct buf *out, const char *entry) {
    for (; *entry; entry++) {
        if (*entry == '\n' || *entry == '\\')
            buf_char(out, '\\');
        buf_char(out, *entry == '\n' ? 'n' : *entry);
    }
    buf_char(out, '\n');
}

static void shorten(struct history *h) {
    struct file_writer w;
    struct buf out = {0};
    struct err ignored;
    for (size_t i = history_n(h) - KEPT; i < history_n(h); i++)
        write_entry(&out, history_at(h, i));
    mode_t mask = umask(077);
    if (!out.failed) {
        if (file_writer_open(&w, h->path.ptr, &ignored) && file_writer_put(&w, out.ptr, out.len, &ignored))
            file_writer_end(&w, &ignored);
        file_writer_close(&w);
    }
    umask(mask);
    buf_free(&out);
}

void history_open(struct history *h, const char *named) {
    struct buf text = {0};
    struct err ignored;
    *h = (struct history){0};
    find_path(h, named);
    if (h->path.len && file_read(h->path.ptr, &text, &ignored))
        for (size_t at = 0, end; at < text.len; at = end + 1) {
            const char *newline = memchr(text.ptr + at, '\n', text.len - at);
            end = newline ? (size_t)(newline - text.ptr) : text.len;
            add(h, text.ptr + at, end - at, true);
        }
    buf_free(&text);
    if (history_n(h) > 2 * KEPT)
        shorten(h);
}

void history_close(struct history *h) {
    buf_free(&h->path);
    buf_free(&h->text);
    buf_free(&h->index);
}

size_t history_n(const struct history *h) {
    return h->index.len / sizeof(size_t);
}

const char *history_at(const struct history *h, size_t i) {
    size_t at;
    memcpy(&at, h->index.ptr + i * sizeof at, sizeof at);
    return h->text.ptr + at;
}

// Makes the folders above a file, for their owner only.
static void make_folders(char *path) {
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        mkdir(path, 0700);
        *at = '/';
    }
}

void history_add(struct history *h, struct str entry) {
    size_t n = history_n(h);
    const char *last = n ? history_at(h, n - 1) : "";
    if (strlen(last) == entry.len && memcmp(last, entry.ptr, entry.len) == 0)
        return;
    add(h, entry.ptr, entry.len, false);
    if (!h->path.len || history_n(h) == n)
        return;
    struct buf out = {0};
    write_entry(&out, history_at(h, n));
    int fd = open(h->path.ptr, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ENOENT) {
        make_folders(h->path.ptr);
        fd = open(h->path.ptr, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    ssize_t written = fd < 0 || out.failed ? 0 : write(fd, out.ptr, out.len);
    (void)written;
    if (fd >= 0)
        close(fd);
    buf_free(&out);
}
