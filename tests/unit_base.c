// SPDX-License-Identifier: MIT
// Tests of base: errors, buffers, arenas, files.
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/sum.h"

static void errors(void) {
    struct err e;
    test_case("err: class and text");
    CHECK(!err_set(&e, ERR_INPUT, "%s: %d", "file", 7));
    CHECK_INT(e.class, ERR_INPUT);
    CHECK_STR(e.text, "file: 7");
    CHECK(!err_prefix(&e, "model"));
    CHECK_STR(e.text, "model: file: 7");
    CHECK(!err_memory(&e, 100, "cache"));
    CHECK_INT(e.class, ERR_SYSTEM);

    test_case("err: one line whatever the arguments hold");
    err_set(&e, ERR_INPUT, "a%sz", "\n\r\t\x1b[31m\x7f");
    CHECK_STR(e.text, "a????[31m?z");
    err_set(&e, ERR_INPUT, "a%sz", "\xff\xc3\xa9\xe2\x80\xa8\xc2\x9b\xed\xa0\x80");
    CHECK_STR(e.text, "a?\xc3\xa9?????z");

    test_case("err: long texts are cut visibly");
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&e, ERR_INPUT, "%s", text);
    CHECK_INT(strlen(e.text), sizeof e.text - 1);
    CHECK_STR(e.text + sizeof e.text - 5, "x...");
}

static void buffers(void) {
    test_case("buf: appends of every kind");
    struct buf b = {0};
    buf_append(&b, NULL, 0);
    buf_str(&b, "ab");
    buf_char(&b, '\0');
    buf_printf(&b, "%05d", 42);
    buf_append(&b, "cd", 2);
    CHECK_INT(b.len, 10);
    CHECK(memcmp(b.ptr,
                 "ab\0"
                 "00042cd",
                 10) == 0);
    buf_free(&b);
    CHECK(b.ptr == NULL && b.len == 0);

    test_case("buf: a megabyte byte by byte");
    for (int i = 0; i < 1 << 20; i++)
        buf_char(&b, (char)(i % 127));
    bool same = b.len == 1 << 20;
    for (int i = 0; same && i < 1 << 20; i++)
        same = b.ptr[i] == (char)(i % 127);
    CHECK(same);
    buf_free(&b);

    test_case("buf: what cannot fit fails once and for all");
    buf_str(&b, "kept");
    CHECK(buf_reserve(&b, SIZE_MAX) == NULL);
    CHECK(b.failed);
    buf_str(&b, "more");
    CHECK_INT(b.len, 4);
    buf_free(&b);
    CHECK(!b.failed);

    test_case("ids: push and append");
    struct ids v = {0};
    for (int32_t i = 0; i < 1000; i++)
        ids_push(&v, i);
    ids_append(&v, (int32_t[]){-1, -2}, 2);
    ids_append(&v, NULL, 0);
    CHECK_INT(v.len, 1002);
    CHECK(v.ptr[999] == 999 && v.ptr[1001] == -2);
    ids_free(&v);
}

static void arenas(void) {
    test_case("arena: pieces are aligned, zeroed and apart");
    struct arena a = {0};
    struct {
        unsigned char *ptr;
        size_t size;
    } pieces[400];
    bool good = true;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        size_t size = i % 50 == 49 ? 100000 + i : i * 7 % 3000;
        unsigned char *p = pieces[i].ptr = arena_alloc(&a, size, 1);
        pieces[i].size = size;
        good &= p && (uintptr_t)p % 64 == 0;
        for (size_t j = 0; good && j < size; j++)
            good &= p[j] == 0;
        memset(p, (int)(i % 255 + 1), size);
    }
    CHECK(good);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        for (size_t j = 0; j < pieces[i].size; j++)
            good &= pieces[i].ptr[j] == i % 255 + 1;
    CHECK(good);
    CHECK(a.used > 800000);
    arena_free(&a);
    CHECK(a.chunks == NULL && a.used == 0);

    test_case("arena: sizes that overflow give NULL");
    CHECK(arena_alloc(&a, SIZE_MAX / 2, 3) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX, 1) == NULL);
    CHECK(arena_alloc(&a, 0, 8) != NULL);
    arena_free(&a);
}

static char *in_dir(const char *dir, const char *name) {
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void refused_files(const char *dir) {
    struct file_map m;
    struct err e;
    char long_name[5000];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    test_case("file: missing, directory, empty, not regular");
    CHECK_FAILS(file_map(&m, in_dir(dir, "missing"), &e), &e, ERR_INPUT, "missing: no such file");
    CHECK_FAILS(file_map(&m, dir, &e), &e, ERR_INPUT, ": is a directory");
    CHECK_FAILS(file_map(&m, "/dev/null", &e), &e, ERR_INPUT, "/dev/null: not a regular file");
    CHECK_FAILS(file_map(&m, long_name, &e), &e, ERR_INPUT, "nnn");
    int fd = open(in_dir(dir, "empty"), O_CREAT | O_WRONLY, 0600);
    close(fd);
    CHECK_FAILS(file_map(&m, in_dir(dir, "empty"), &e), &e, ERR_INPUT, "empty: the file is empty");
    CHECK_INT(mkfifo(in_dir(dir, "fifo"), 0600), 0);
    CHECK_FAILS(file_map(&m, in_dir(dir, "fifo"), &e), &e, ERR_INPUT, "fifo: not a regular file");
    CHECK(m.ptr == NULL && m.size == 0);
    struct buf b = {0};
    CHECK_FAILS(file_read(in_dir(dir, "missing"), &b, &e), &e, ERR_INPUT, "missing: no such file");
    CHECK_FAILS(file_read(dir, &b, &e), &e, ERR_INPUT, ": is a directory");
    buf_free(&b);
    unlink(in_dir(dir, "empty"));
    unlink(in_dir(dir, "fifo"));
}

static void read_files(const char *dir) {
    struct file_map m;
    struct err e;
    struct buf b = {0}, all = {0};
    test_case("file: mapped and read whole");
    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "%d\n", i);
    int fd = open(in_dir(dir, "numbers"), O_CREAT | O_WRONLY, 0600);
    CHECK_INT(write(fd, b.ptr, b.len), b.len);
    close(fd);
    if (CHECK_CALL(file_map(&m, in_dir(dir, "numbers"), &e), &e))
        CHECK(m.size == b.len && memcmp(m.ptr, b.ptr, b.len) == 0);
    file_unmap(&m);
    CHECK(m.ptr == NULL);
    buf_str(&all, "before");
    CHECK_CALL(file_read(in_dir(dir, "numbers"), &all, &e), &e);
    CHECK(all.len == b.len + 6 && memcmp(all.ptr + 6, b.ptr, b.len) == 0);
    unlink(in_dir(dir, "numbers"));
    buf_free(&b);
    buf_free(&all);
}

static void ignore(int signal) {
    (void)signal;
}

static void read_pipes(void) {
    struct err e;
    struct buf b = {0};
    int fds[2];
    test_case("file: a pipe without bytes, and one that is non-blocking");
    CHECK_INT(pipe(fds), 0);
    close(fds[1]);
    CHECK_CALL(file_read_fd(fds[0], "pipe", &b, &e), &e);
    CHECK_INT(b.len, 0);
    close(fds[0]);
    CHECK_INT(pipe2(fds, O_NONBLOCK), 0);
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        _exit(write(fds[1], "late", 4) != 4);
    }
    close(fds[1]);
    CHECK_CALL(file_read_fd(fds[0], "pipe", &b, &e), &e);
    CHECK(b.len == 4 && memcmp(b.ptr, "late", 4) == 0);
    waitpid(child, NULL, 0);
    close(fds[0]);

    test_case("file: a signal ends a read that waits");
    struct sigaction action = {.sa_handler = ignore}, old;
    sigaction(SIGALRM, &action, &old);
    CHECK_INT(pipe(fds), 0);
    struct itimerval timer = {{0, 20000}, {0, 20000}}, off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
    CHECK_FAILS(file_read_fd(fds[0], "pipe", &b, &e), &e, ERR_INTERRUPT, "pipe: interrupted");
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &old, NULL);
    close(fds[0]);
    close(fds[1]);
    CHECK_FAILS(file_read_fd(-1, "nothing", &b, &e), &e, ERR_INPUT, "nothing: ");
    buf_free(&b);
}

static void files(void) {
    char dir[] = "/tmp/pith-unit-XXXXXX";
    test_case("file: a temporary directory");
    if (!CHECK(mkdtemp(dir) != NULL))
        return;
    refused_files(dir);
    read_files(dir);
    rmdir(dir);
    read_pipes();
}

static uint64_t sum_of(const void *bytes, size_t n, size_t piece) {
    struct sum sum;
    sum_begin(&sum);
    for (size_t at = 0; at < n; at += piece)
        sum_add(&sum, (const char *)bytes + at, min_size(piece, n - at));
    return sum_end(&sum);
}

static void sums(void) {
    uint8_t bytes[200];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i);
    test_case("sum: pieces do not matter");
    for (size_t piece = 1; piece <= sizeof bytes; piece++)
        CHECK(sum_of(bytes, sizeof bytes, piece) == sum_of(bytes, sizeof bytes, sizeof bytes));
    test_case("sum: every bit and the length count");
    for (size_t n = 0; n < sizeof bytes; n++) {
        uint64_t sum = sum_of(bytes, n, 64);
        CHECK(sum != sum_of(bytes, n + 1, 64));
        for (size_t bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            CHECK(sum_of(bytes, n, 64) != sum);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

void unit_base(void) {
    sums();
    errors();
    buffers();
    arenas();
    files();
}
