// SPDX-License-Identifier: MIT
// Tests of writing: files that appear whole or not at all, and GGUF files written as a stream, which the reader must
// find as they were announced.
#include "tests/test.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "infer/gguf_out.h"
#include "tests/gguf_write.h"

static size_t n_files(const char *dir) {
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *entry; d && (entry = readdir(d));)
        n += entry->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void check_content(const char *path, const char *wanted) {
    struct buf text = {0};
    struct err e = {0};
    CHECK_CALL(file_read(path, &text, &e), &e);
    CHECK(text.len == strlen(wanted) && memcmp(text.ptr, wanted, text.len) == 0);
    buf_free(&text);
}

static bool write_text(const char *path, const char *text, bool end, struct err *e) {
    struct file_writer w = {0};
    bool ok =
        file_writer_open(&w, path, e) && file_writer_put(&w, text, strlen(text), e) && (!end || file_writer_end(&w, e));
    file_writer_close(&w);
    return ok;
}

static void check_whole_or_not(const char *dir) {
    char path[128], link[128];
    struct err e = {0};
    snprintf(path, sizeof path, "%s/a", dir);
    snprintf(link, sizeof link, "%s/link", dir);
    test_case("file writer: a file appears at its end, and not without one");
    CHECK_CALL(write_text(path, "one", false, &e), &e);
    CHECK_INT(n_files(dir), 0);
    CHECK_CALL(write_text(path, "two", true, &e), &e);
    CHECK_INT(n_files(dir), 1);
    check_content(path, "two");
    test_case("file writer: an existing file stays until it is replaced, also behind a link");
    CHECK_CALL(write_text(path, "three", false, &e), &e);
    check_content(path, "two");
    CHECK(symlink("a", link) == 0);
    CHECK_CALL(write_text(link, "four", true, &e), &e);
    check_content(path, "four");
    struct stat st;
    CHECK(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    test_case("file writer: what is no regular file is left alone");
    CHECK_FAILS(write_text(dir, "x", true, &e), &e, ERR_INPUT, "is a directory");
    CHECK_FAILS(write_text("/dev/null", "x", true, &e), &e, ERR_INPUT, "/dev/null: not a regular file");
    CHECK_FAILS(write_text("/nowhere/a", "x", true, &e), &e, ERR_SYSTEM, "/nowhere/a: No such file");
}

// A limit on the size of files stands for a full disk.
static void check_full(const char *dir) {
    char path[128];
    struct err e = {0};
    struct rlimit before, small = {4096, RLIM_INFINITY};
    struct file_writer w = {0};
    static char bytes[1 << 16];
    size_t files = n_files(dir);
    test_case("file writer: a full disk is an error of the system, and nothing stays");
    snprintf(path, sizeof path, "%s/full", dir);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    bool ok = file_writer_open(&w, path, &e) && file_writer_put(&w, bytes, sizeof bytes, &e) && file_writer_end(&w, &e);
    file_writer_close(&w);
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK_FAILS(ok, &e, ERR_SYSTEM, "full: File too large");
    CHECK_INT(n_files(dir), files);
}

static bool copy_file(const struct gguf *g, const char *path, uint32_t alignment, size_t piece, struct err *e) {
    struct gguf_out *o;
    ERR_FORWARD(gguf_out_open(&o, path, alignment, e));
    bool ok = true;
    for (uint64_t i = 0; i < g->n_keys; i++)
        if (strncmp(g->keys[i].name.ptr, "general.alignment", g->keys[i].name.len) != 0)
            gguf_out_value(o, g->keys[i].name, &g->keys[i].value);
    gguf_out_u32(o, "general.alignment", alignment);
    gguf_out_strs(o, "new.strings", (struct str[]){{"one", 3}, {"", 0}}, 2);
    gguf_out_str(o, "new.string", (struct str){"text", 4});
    for (uint64_t i = 0; ok && i < g->n_tensors; i++)
        ok = gguf_out_tensor(o, g->tensors[i].name, g->tensors[i].format, g->tensors[i].n_dims, g->tensors[i].dims, e);
    ok = ok && gguf_out_begin(o, e);
    for (uint64_t i = 0; ok && i < g->n_tensors; i++)
        for (size_t at = 0; ok && at < g->tensors[i].size; at += piece)
            ok = gguf_out_data(o, (const char *)g->tensors[i].data + at, min_size(piece, g->tensors[i].size - at), e);
    ok = ok && gguf_out_end(o, e);
    gguf_out_close(o);
    return ok;
}

static void check_same(const struct gguf *a, const struct gguf *b) {
    CHECK_INT(b->n_keys, a->n_keys + 3);
    CHECK_INT(b->n_tensors, a->n_tensors);
    for (uint64_t i = 0; i < a->n_keys && i < b->n_keys; i++) {
        const struct gguf_value *v = &a->keys[i].value, *w = &b->keys[i].value;
        CHECK(v->type == w->type && v->elem == w->elem && v->size == w->size && memcmp(v->data, w->data, v->size) == 0);
    }
    for (uint64_t i = 0; i < a->n_tensors && i < b->n_tensors; i++) {
        const struct gguf_tensor *t = &a->tensors[i], *u = &b->tensors[i];
        CHECK(t->format == u->format && t->n_dims == u->n_dims && memcmp(t->dims, u->dims, sizeof t->dims) == 0);
        CHECK(t->size == u->size && memcmp(t->data, u->data, t->size) == 0);
    }
}

static struct gguf *sample(struct buf *file) {
    struct gguf_writer w = {0};
    struct gguf *g = NULL;
    struct err e = {0};
    gguf_write_str(&w, "general.architecture", "none");
    gguf_write_f32(&w, "a.float", 1.5f);
    gguf_write_strs(&w, "a.strings", (const char *const[]){"x", "", "yz"}, 3);
    gguf_write_tensor(&w, "one", 0, 2, (const uint64_t[]){3, 1}, "abcdefghijkl", 12);
    gguf_write_tensor(&w, "two", 8, 1, (const uint64_t[]){32}, NULL, 34);
    gguf_write_tensor(&w, "three", 1, 3, (const uint64_t[]){1, 1, 5}, "0123456789", 10);
    CHECK(gguf_write_end(&w, file));
    CHECK_CALL(gguf_parse(&g, file->ptr, file->len, "sample", &e), &e);
    return g;
}

static void check_gguf(const char *dir) {
    static const uint32_t alignments[] = {8, 32, 64, 65536};
    char path[128];
    struct buf file = {0};
    struct gguf *g = sample(&file), *copy;
    snprintf(path, sizeof path, "%s/copy.gguf", dir);
    for (size_t i = 0; g && i < ARRAY_LEN(alignments); i++) {
        struct err e = {0};
        struct stat st = {0};
        test_case("gguf writer: a copy at alignment %u, in pieces of %zu", alignments[i], i + 1);
        CHECK_CALL(copy_file(g, path, alignments[i], i + 1, &e), &e);
        if (!CHECK_CALL(gguf_open(&copy, path, &e), &e))
            continue;
        check_same(g, copy);
        CHECK(stat(path, &st) == 0 && (uint64_t)st.st_size % alignments[i] == 0);
        gguf_close(copy);
    }
    gguf_close(g);
    buf_free(&file);
}

static void check_promises(const char *dir) {
    char path[128];
    struct gguf_out *o = NULL;
    struct err e = {0};
    const struct quant_format *f32 = quant_by_name("F32"), *q8_0 = quant_by_name("Q8_0");
    const uint64_t dims[] = {4}, huge[] = {1ull << 40, 1ull << 40};
    snprintf(path, sizeof path, "%s/promise.gguf", dir);
    test_case("gguf writer: more or less data than announced is an error");
    if (!CHECK_CALL(gguf_out_open(&o, path, 32, &e), &e))
        return;
    CHECK_CALL(gguf_out_tensor(o, (struct str){"t", 1}, f32, 1, dims, &e), &e);
    CHECK_FAILS(gguf_out_tensor(o, (struct str){"q", 1}, q8_0, 1, dims, &e), &e, ERR_INPUT, "tensor 'q'");
    CHECK_FAILS(gguf_out_tensor(o, (struct str){"h", 1}, f32, 2, huge, &e), &e, ERR_INPUT, "tensor 'h'");
    CHECK_CALL(gguf_out_begin(o, &e), &e);
    CHECK_CALL(gguf_out_data(o, "0123456789abcde", 15, &e), &e);
    CHECK_FAILS(gguf_out_end(o, &e), &e, ERR_SYSTEM, "less data");
    CHECK_FAILS(gguf_out_data(o, "ff", 2, &e), &e, ERR_SYSTEM, "more data");
    gguf_out_close(o);
    CHECK(access(path, F_OK) != 0);
}

void unit_writer(void) {
    char dir[] = "/tmp/pith-unit-XXXXXX", path[128];
    static const char *const left[] = {"a", "link", "copy.gguf"};
    if (!CHECK(mkdtemp(dir)))
        return;
    check_whole_or_not(dir);
    check_full(dir);
    check_gguf(dir);
    check_promises(dir);
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, left[i]);
        unlink(path);
    }
    test_case("file writer: the tests leave nothing behind");
    CHECK(rmdir(dir) == 0);
}
