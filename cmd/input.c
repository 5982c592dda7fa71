// SPDX-License-Identifier: MIT
// Assembling the message. See cmd/input.h.
#include "cmd/input.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "cmd/cmd.h"

#define STDIN_NAME "standard input"
#define PATIENCE_MS 2000

bool input_stdin(struct buf *out, struct err *e) {
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    if (isatty(STDERR_FILENO) && !isatty(STDIN_FILENO) && poll(&p, 1, PATIENCE_MS) == 0)
        cmd_note("waiting for standard input (--no-stdin leaves it alone)");
    return file_read_fd(STDIN_FILENO, STDIN_NAME, out, e);
}

// Copies text with U+FFFD for every bad byte and without NUL bytes.
static void mend(const struct buf *text, struct buf *out) {
    char replacement[4];
    unsigned width = utf8_encode(0xFFFD, replacement), n;
    for (size_t i = 0; i < text->len; i += n) {
        bool bad = utf8_decode(text->ptr + i, text->len - i, &n) == UTF8_BAD;
        if (bad)
            buf_append(out, replacement, width);
        else if (text->ptr[i])
            buf_append(out, text->ptr + i, n);
    }
}

bool input_check_text(struct buf *text, const char *name, bool lossy, struct err *e) {
    size_t valid = utf8_valid_prefix(text->ptr, text->len);
    const char *nul = text->len ? memchr(text->ptr, 0, text->len) : NULL;
    if (valid == text->len && !nul)
        return true;
    if (lossy) {
        struct buf mended = {0};
        mend(text, &mended);
        buf_free(text);
        *text = mended;
        return !text->failed || err_memory(e, text->len, name);
    }
    size_t nul_at = nul ? (size_t)(nul - text->ptr) : text->len;
    const char *what = nul_at < valid ? "NUL byte" : "invalid UTF-8";
    return err_set(e, ERR_INPUT, "%s: %s at offset %zu (--lossy replaces it)", name, what, min_size(nul_at, valid));
}

// Adds a part to the message, after a blank line.
static void add_part(struct buf *message, const struct buf *part) {
    if (!part->len)
        return;
    size_t n = message->len;
    if (n && !(n >= 2 && message->ptr[n - 1] == '\n' && message->ptr[n - 2] == '\n'))
        buf_str(message, message->ptr[n - 1] == '\n' ? "\n" : "\n\n");
    buf_append(message, part->ptr, part->len);
}

// Reads a file, or standard input when path is NULL, and adds it.
static bool add_source(const struct settings *o, const char *path, struct buf *message, struct err *e) {
    struct buf part = {0};
    bool ok = path ? file_read(path, &part, e) : input_stdin(&part, e);
    ok = ok && input_check_text(&part, path ? path : STDIN_NAME, o->lossy, e);
    if (ok)
        add_part(message, &part);
    buf_free(&part);
    return ok;
}

static bool add_words(const struct settings *o, struct buf *message, struct err *e) {
    struct buf part = {0};
    for (size_t i = 0; i < o->words.n; i++) {
        if (i)
            buf_char(&part, ' ');
        buf_str(&part, o->words.ptr[i]);
    }
    bool ok = input_check_text(&part, "PROMPT", o->lossy, e);
    if (ok)
        add_part(message, &part);
    buf_free(&part);
    return ok;
}

static bool is_stdin(const char *file) {
    return strcmp(file, "-") == 0;
}

// How often -f - places standard input.
static size_t n_placed(const struct settings *o) {
    size_t n = 0;
    for (size_t i = 0; i < o->files.n; i++)
        n += is_stdin(o->files.ptr[i]);
    return n;
}

static bool reads_stdin(const struct settings *o) {
    return !o->no_stdin && !isatty(STDIN_FILENO);
}

bool input_is_absent(const struct settings *o) {
    return !o->words.n && !o->files.n && !reads_stdin(o);
}

bool input_message(const struct settings *o, struct buf *message, struct err *e) {
    size_t placed = n_placed(o);
    ERR_IF(placed > 1, e, ERR_USAGE, "--file -: standard input can be placed once");
    ERR_IF(placed && o->no_stdin, e, ERR_USAGE, "--file -: contradicts --no-stdin");
    ERR_FORWARD(add_words(o, message, e));
    for (size_t i = 0; i < o->files.n; i++)
        ERR_FORWARD(add_source(o, is_stdin(o->files.ptr[i]) ? NULL : o->files.ptr[i], message, e));
    if (!placed && reads_stdin(o))
        ERR_FORWARD(add_source(o, NULL, message, e));
    return !message->failed || err_memory(e, message->len, "message");
}
