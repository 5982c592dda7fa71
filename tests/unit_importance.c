// SPDX-License-Identifier: MIT
// Tests of importance matrices: both forms are read, what is written is read back, defects are named.
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "infer/importance.h"
#include "tests/gguf_write.h"

static void put_float(struct buf *b, float x) {
    buf_append(b, &x, sizeof x);
}

static void put_text(struct buf *b, const char *text) {
    gguf_put(b, strlen(text), 4);
    buf_str(b, text);
}

// Two entries of the older form: means times windows.
static void build_old(struct buf *b, const char *second) {
    gguf_put(b, 2, 4);
    put_text(b, "blk.0.a.weight");
    gguf_put(b, 10, 4);
    gguf_put(b, 2, 4);
    put_float(b, 20);
    put_float(b, 5);
    put_text(b, second);
    gguf_put(b, 4, 4);
    gguf_put(b, 1, 4);
    put_float(b, 8);
    gguf_put(b, 10, 4);
    put_text(b, "text.txt");
}

static void check_old(void) {
    struct buf file = {0};
    struct importance m;
    struct err e = {0};
    float means[2];
    test_case("importance: the older form");
    build_old(&file, "blk.0.b.weight");
    if (CHECK_CALL(importance_parse(&m, file.ptr, file.len, "old.dat", &e), &e)) {
        const struct importance_entry *a = importance_find(&m, (struct str){"blk.0.a.weight", 14});
        CHECK(m.legacy && m.n == 2 && m.n_chunks == 10 && m.n_datasets == 1 && m.datasets[0].len == 8);
        if (CHECK(a && a->n_cols == 2 && a->n_matrices == 1)) {
            importance_means(a, means);
            CHECK(means[0] == 2 && means[1] == 0.5f);
        }
        CHECK(!importance_find(&m, (struct str){"blk.0.c.weight", 14}));
        importance_free(&m);
    }
    test_case("importance: the older form, cut anywhere, is refused or read up to its optional end");
    for (size_t n = 0; n < file.len; n++) {
        bool ok = importance_parse(&m, file.ptr, n, "old.dat", &e);
        CHECK_MSG(ok == (n >= file.len - 16), "%zu of %zu bytes", n, file.len);
        if (ok)
            importance_free(&m);
    }
    test_case("importance: the older form, a name that comes twice");
    file.len = 0;
    build_old(&file, "blk.0.a.weight");
    CHECK_FAILS(importance_parse(&m, file.ptr, file.len, "old.dat", &e), &e, ERR_INPUT,
                "'blk.0.a.weight': it is there twice");
    buf_free(&file);
}

static void check_round(void) {
    char path[] = "/tmp/pith-unit-XXXXXX";
    struct importance m = {.n_chunks = 7, .chunk_size = 512}, back;
    struct err e = {0};
    float means[4];
    test_case("importance: written and read back");
    int fd = mkstemp(path);
    if (!CHECK(fd >= 0))
        return;
    close(fd);
    struct importance_entry *z = importance_add(&m, (struct str){"z", 1}, 2, 2),
                            *a = importance_add(&m, (struct str){"a", 1}, 1, 1);
    CHECK(z && a && importance_add_dataset(&m, (struct str){"one", 3}) &&
          importance_add_dataset(&m, (struct str){"two", 3}));
    memcpy(z->sums, (const double[]){1, 2, 3, 4}, 4 * sizeof(double));
    z->counts[0] = 4; // no token reached the second matrix
    a->sums[0] = 1, a->counts[0] = 8;
    CHECK_CALL(importance_write(&m, path, &e), &e);
    if (CHECK_CALL(importance_read(&back, path, &e), &e)) {
        CHECK(!back.legacy && back.n == 2 && back.n_chunks == 7 && back.chunk_size == 512 && back.n_datasets == 2);
        const struct importance_entry *found = importance_find(&back, (struct str){"z", 1});
        if (CHECK(found && found->n_cols == 2 && found->n_matrices == 2)) {
            importance_means(found, means);
            CHECK(means[0] == 0.25f && means[1] == 0.5f && means[2] == 1 && means[3] == 1);
        }
        importance_free(&back);
    }
    importance_free(&m);
    unlink(path);
}

static const struct {
    const char *name, *words;
    const char *sums, *counts;
    uint32_t format;
    uint64_t n_sums, n_counts;
    float value;
} bad[] = {
    {"no counts", "tensor 'w.in_sum2': there is no tensor of counts", "w.in_sum2", "v.counts", 0, 4, 1, 1},
    {"another format", "not F32", "w.in_sum2", "w.counts", 1, 4, 1, 1},
    {"counts that do not divide", "does not divide", "w.in_sum2", "w.counts", 0, 4, 3, 1},
    {"a negative sum", "negative or not finite", "w.in_sum2", "w.counts", 0, 4, 2, -1},
    {"an infinite sum", "negative or not finite", "w.in_sum2", "w.counts", 0, 4, 2, INFINITY},
    {"nothing in it", "no tensors NAME.in_sum2", "w", "w.counts", 0, 4, 2, 1},
};

static void check_bad(void) {
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct gguf_writer w = {0};
        struct buf file = {0};
        struct importance m;
        struct err e = {0};
        float values[] = {1, 1, bad[i].value, 1};
        test_case("importance: %s", bad[i].name);
        gguf_write_str(&w, "general.type", "imatrix");
        gguf_write_tensor(&w, bad[i].sums, bad[i].format, 1, &bad[i].n_sums, values, bad[i].format ? 8 : 16);
        gguf_write_tensor(&w, bad[i].counts, 0, 1, &bad[i].n_counts, values, bad[i].n_counts * 4);
        CHECK(gguf_write_end(&w, &file));
        CHECK_FAILS(importance_parse(&m, file.ptr, file.len, "bad", &e), &e, ERR_INPUT, bad[i].words);
        buf_free(&file);
    }
}

void unit_importance(void) {
    check_old();
    check_round();
    check_bad();
}
