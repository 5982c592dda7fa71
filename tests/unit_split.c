// SPDX-License-Identifier: MIT
// Tests of split files: good ones open from any part; parts that are missing or do not belong together are named.
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parts.h"
#include "gguf.h"
#include "tests/gguf_write.h"

#define PARTS 3u

struct folder {
    char dir[32], paths[PARTS][128];
    struct buf parts[PARTS];
};

static void part_path(const struct folder *f, unsigned part, char out[128]) {
    snprintf(out, 128, "%s/m-%05u-of-%05u.gguf", f->dir, part + 1, PARTS);
}

static void write_file(const char *path, const struct buf *bytes) {
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes->ptr, 1, bytes->len, file) == bytes->len);
    if (file)
        fclose(file);
}

static void build(struct folder *f) {
    struct gguf_writer w = {0};
    struct buf whole = {0};
    struct gguf *g = NULL;
    struct err e = {0};
    gguf_write_str(&w, "general.architecture", "none");
    gguf_write_strs(&w, "a.strings", (const char *const[]){"x", "yz"}, 2);
    for (unsigned i = 0; i < 7; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%u", i);
        gguf_write_tensor(&w, name, 0, 1, (const uint64_t[]){4}, &"0123456789abcdefghijklmnop"[i], 16);
    }
    CHECK(gguf_write_end(&w, &whole));
    if (CHECK_CALL(gguf_parse(&g, whole.ptr, whole.len, "whole", &e), &e))
        for (unsigned i = 0; i < PARTS; i++) {
            CHECK(gguf_write_part(g, i, PARTS, &f->parts[i]));
            part_path(f, i, f->paths[i]);
            write_file(f->paths[i], &f->parts[i]);
        }
    gguf_close(g);
    buf_free(&whole);
}

static void check_good(const struct folder *f) {
    for (unsigned part = 0; part < PARTS; part++) {
        struct gguf *g;
        struct err e = {0};
        test_case("split: opened by part %u", part + 1);
        if (!CHECK_CALL(gguf_open(&g, f->paths[part], &e), &e))
            continue;
        CHECK_STR(g->path, f->paths[part]);
        CHECK_INT(g->n_parts, PARTS);
        CHECK_INT(g->n_tensors, 7);
        CHECK_INT(g->size, f->parts[0].len + f->parts[1].len + f->parts[2].len);
        CHECK(gguf_find(g, "a.strings") && gguf_find(g, "general.architecture"));
        for (unsigned i = 0; i < 7; i++) {
            char name[8];
            snprintf(name, sizeof name, "t%u", i);
            const struct gguf_tensor *t = gguf_find_tensor(g, name);
            if (CHECK(t != NULL)) {
                CHECK(memcmp(t->data, &"0123456789abcdefghijklmnop"[i], 16) == 0);
                CHECK((const uint8_t *)t->data == g->parts[t->part].base + t->offset);
            }
        }
        gguf_close(g);
    }
}

// The place of a key's value in a part that test writers made.
static char *value_of(const struct buf *part, const char *key) {
    char *at = memmem(part->ptr, part->len, key, strlen(key));
    return at ? at + strlen(key) + 4 : NULL;
}

static const struct {
    const char *name, *words;
    unsigned part;
    const char *key;
    unsigned char byte; // the value's first
} changes[] = {
    {"another number", "m-00002-of-00003.gguf: its split keys say part 3 of 3", 1, "split.no", 2},
    {"a number beyond the count", "key 'split.no' is 9, expected less than the 3 parts", 1, "split.no", 9},
    {"another count", "m-00002-of-00003.gguf: its split keys say part 2 of 4", 1, "split.count", 4},
    {"a part that says it is whole", "m-00003-of-00003.gguf: its split keys say", 2, "split.count", 1},
    {"another number of tensors", "m-00002-of-00003.gguf: its split keys say", 1, "split.tensors.count", 6},
    {"a first part with another count", "expected a name that ends in -00001-of-00002.gguf", 0, "split.count", 2},
    {"a first part with another number", "expected a name that ends in -00002-of-00003.gguf", 0, "split.no", 1},
};

static void check_changes(const struct folder *f) {
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        const struct buf *part = &f->parts[changes[i].part];
        char *at = value_of(part, changes[i].key), kept;
        struct gguf *g;
        struct err e = {0};
        test_case("split: %s", changes[i].name);
        if (!CHECK(at != NULL))
            continue;
        kept = *at;
        *at = (char)changes[i].byte;
        write_file(f->paths[changes[i].part], part);
        CHECK_FAILS(gguf_open(&g, f->paths[0], &e), &e, ERR_INPUT, changes[i].words);
        *at = kept;
        write_file(f->paths[changes[i].part], part);
    }
}

static void check_tensors(const struct folder *f) {
    struct gguf *g;
    struct err e = {0};
    char *name = memmem(f->parts[2].ptr, f->parts[2].len, "t6", 2);
    test_case("split: a tensor that two parts have");
    if (CHECK(name != NULL)) {
        name[1] = '0';
        write_file(f->paths[2], &f->parts[2]);
        CHECK_FAILS(gguf_open(&g, f->paths[1], &e), &e, ERR_INPUT, "tensor 't0': it is there twice");
        name[1] = '6';
        write_file(f->paths[2], &f->parts[2]);
    }
    test_case("split: all parts agree on a number of tensors that they do not have");
    for (unsigned i = 0; i < PARTS; i++) {
        *value_of(&f->parts[i], "split.tensors.count") = 8;
        write_file(f->paths[i], &f->parts[i]);
    }
    CHECK_FAILS(gguf_open(&g, f->paths[0], &e), &e, ERR_INPUT,
                "its 3 parts have 7 tensors, 'split.tensors.count' is 8");
    for (unsigned i = 0; i < PARTS; i++) {
        *value_of(&f->parts[i], "split.tensors.count") = 7;
        write_file(f->paths[i], &f->parts[i]);
    }
}

static void check_missing(const struct folder *f) {
    struct gguf *g;
    struct err e = {0};
    char other[128];
    test_case("split: missing parts are named, all of them");
    unlink(f->paths[0]);
    CHECK_FAILS(gguf_open(&g, f->paths[1], &e), &e, ERR_INPUT, "1 of its 3 parts are missing: ");
    CHECK(strstr(e.text, f->paths[0]) != NULL);
    unlink(f->paths[2]);
    CHECK_FAILS(gguf_open(&g, f->paths[1], &e), &e, ERR_INPUT, "2 of its 3 parts are missing: ");
    CHECK(strstr(e.text, f->paths[0]) && strstr(e.text, f->paths[2]));
    CHECK_FAILS(gguf_open(&g, f->paths[0], &e), &e, ERR_INPUT, "no such file");
    test_case("split: a part under another name says what its name should be");
    snprintf(other, sizeof other, "%s/other.gguf", f->dir);
    CHECK(rename(f->paths[1], other) == 0);
    CHECK_FAILS(gguf_open(&g, other, &e), &e, ERR_INPUT,
                "it is part 2 of 3, expected a name that ends in -00002-of-00003");
    unlink(other);
}

static void check_names(void) {
    static const char *const bad[] = {"",
                                      "m.gguf",
                                      "-0001-of-00003.gguf",
                                      "m-00001-of-00003.ggu",
                                      "m-0000a-of-00003.gguf",
                                      "m_00001-of-00003.gguf",
                                      "m-00001-or-00003.gguf"};
    struct parts_name name;
    struct buf path = {0};
    test_case("split: names of parts");
    CHECK(parts_parse("a/m-00002-of-00013.gguf", &name) && name.prefix_len == 3 && name.number == 2 &&
          name.count == 13);
    CHECK(parts_path("a/m-00002-of-00013.gguf", &name, 11, &path));
    CHECK_STR(path.ptr, "a/m-00011-of-00013.gguf");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_MSG(!parts_parse(bad[i], &name), "'%s' is taken", bad[i]);
    buf_free(&path);
}

void unit_split(void) {
    struct folder f = {.dir = "/tmp/pith-unit-XXXXXX"};
    check_names();
    if (!CHECK(mkdtemp(f.dir)))
        return;
    build(&f);
    check_good(&f);
    check_changes(&f);
    check_tensors(&f);
    check_missing(&f);
    CHECK(rmdir(f.dir) == 0);
    for (unsigned i = 0; i < PARTS; i++)
        buf_free(&f.parts[i]);
}
