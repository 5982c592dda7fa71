// SPDX-License-Identifier: MIT
// Tests of the GGUF reader on good files; tests/malformed.c has the bad ones. A file of each kind is written in memory
// and read back.
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gguf.h"
#include "tests/fuzz_gguf.h"
#include "tests/gguf_write.h"

// Ends the writer and opens what it wrote; the bytes live in *file.
static struct gguf *written(struct gguf_writer *w, struct buf *file) {
    struct gguf *g = NULL;
    struct err e = {0};
    if (CHECK(gguf_write_end(w, file)) && CHECK_CALL(gguf_parse(&g, file->ptr, file->len, "t.gguf", &e), &e))
        LLVMFuzzerTestOneInput((const uint8_t *)file->ptr, file->len);
    return g;
}

static const struct {
    const char *key;
    uint32_t type;
    unsigned size;
    uint64_t bits;
    bool fits_u32, fits_u64; // what the integer reads say
    double number;           // as an array's element
} scalars[] = {
    {"u8", GGUF_U8, 1, 0xFF, true, true, 255},
    {"i8", GGUF_I8, 1, 0x7F, true, true, 127},
    {"i8.negative", GGUF_I8, 1, 0x80, false, false, -128},
    {"u16", GGUF_U16, 2, 0xFFFE, true, true, 65534},
    {"i16.negative", GGUF_I16, 2, 0xFFFF, false, false, -1},
    {"u32", GGUF_U32, 4, 0xFFFFFFFF, true, true, 4294967295.0},
    {"i32", GGUF_I32, 4, 0x7FFFFFFF, true, true, 2147483647.0},
    {"i32.negative", GGUF_I32, 4, 0x80000000, false, false, -2147483648.0},
    {"u64", GGUF_U64, 8, 0x100000000, false, true, 4294967296.0},
    {"u64.max", GGUF_U64, 8, UINT64_MAX, false, true, 18446744073709551615.0},
    {"u64.small", GGUF_U64, 8, 7, true, true, 7},
    {"i64", GGUF_I64, 8, 0x7FFFFFFFFFFFFFFF, false, true, 9223372036854775807.0},
    {"i64.negative", GGUF_I64, 8, 0x8000000000000000, false, false, -9223372036854775808.0},
    {"f32", GGUF_F32, 4, 0xC0200000, false, false, -2.5},
    {"f64", GGUF_F64, 8, 0x3FF8000000000000, false, false, 1.5},
    {"bool", GGUF_BOOL, 1, 1, false, false, 1},
};

static void check_scalar(const struct gguf *g, size_t i) {
    const struct gguf_value *v = gguf_find(g, scalars[i].key);
    struct err e = {0};
    uint32_t u32 = 1;
    uint64_t u64 = 1;
    if (!CHECK_MSG(v && v->type == scalars[i].type && v->size == scalars[i].size, "%s", scalars[i].key))
        return;
    CHECK_MSG(gguf_get_u32(g, scalars[i].key, true, &u32, &e) == scalars[i].fits_u32, "%s", scalars[i].key);
    CHECK_MSG(gguf_get_u64(g, scalars[i].key, true, &u64, &e) == scalars[i].fits_u64, "%s", scalars[i].key);
    CHECK_MSG(u32 == (scalars[i].fits_u32 ? (uint32_t)scalars[i].bits : 1), "%s", scalars[i].key);
    CHECK_MSG(u64 == (scalars[i].fits_u64 ? scalars[i].bits : 1), "%s", scalars[i].key);
    if (!scalars[i].fits_u64)
        CHECK_MSG(strstr(e.text, scalars[i].key) && e.class == ERR_INPUT, "%s", e.text);

    char name[40];
    snprintf(name, sizeof name, "array.%s", scalars[i].key);
    const struct gguf_value *a = gguf_find(g, name);
    if (CHECK(a && a->type == GGUF_ARRAY && a->elem == scalars[i].type && a->count == 2)) {
        CHECK_MSG(gguf_array_float(a, 1) == scalars[i].number, "%s: %g", name, gguf_array_float(a, 1));
        if (scalars[i].type != GGUF_U64 && scalars[i].type != GGUF_I64)
            CHECK_MSG(gguf_array_int(a, 1) == (int64_t)scalars[i].number, "%s", name);
    }
}

static void value_types(uint32_t version) {
    test_case("gguf: every value type, version %u", version);
    struct gguf_writer w = {.version = version};
    struct buf file = {0}, raw = {0};
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
        char name[40];
        snprintf(name, sizeof name, "array.%s", scalars[i].key);
        raw.len = 0;
        gguf_put(&raw, 0, scalars[i].size);
        gguf_put(&raw, scalars[i].bits, scalars[i].size);
        gguf_write_key(&w, scalars[i].key, scalars[i].type, raw.ptr + scalars[i].size, scalars[i].size);
        gguf_write_array(&w, name, scalars[i].type, 2, raw.ptr, raw.len);
    }
    struct gguf *g = written(&w, &file);
    if (g) {
        CHECK_INT(g->version, version);
        CHECK_INT(g->alignment, 32);
        CHECK_INT(g->n_keys, 2 * ARRAY_LEN(scalars));
        for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
            check_scalar(g, i);
    }
    gguf_close(g);
    buf_free(&file);
    buf_free(&raw);
}

static void typed_reads(void) {
    test_case("gguf: typed reads, absent keys, wrong types");
    struct gguf_writer w = {0};
    struct buf file = {0};
    gguf_write_f32(&w, "f", 2.5f);
    gguf_write_key(&w, "double", GGUF_F64, "\0\0\0\0\0\0\xf8\x3f", 8);
    gguf_write_key(&w, "nan", GGUF_F32, "\0\0\xc0\x7f", 4);
    gguf_write_key(&w, "huge", GGUF_F64, "\0\0\0\0\0\0\xf0\x7e", 8);
    gguf_write_bool(&w, "b", true);
    gguf_write_str(&w, "s", "text");
    gguf_write_u32(&w, "n", 5);
    struct gguf *g = written(&w, &file);
    struct err e = {0};
    uint32_t n = 77;
    float f = 0;
    bool b = false;
    struct str s = {0};
    struct gguf_value v = {.count = 99};
    CHECK(gguf_get_f32(g, "f", true, &f, &e) && f == 2.5f);
    CHECK(gguf_get_f32(g, "double", true, &f, &e) && f == 1.5f);
    CHECK_FAILS(gguf_get_f32(g, "nan", true, &f, &e), &e, ERR_INPUT, "t.gguf: key 'nan' is nan, expected a finite");
    CHECK_FAILS(gguf_get_f32(g, "huge", true, &f, &e), &e, ERR_INPUT, "key 'huge' is");
    CHECK_FAILS(gguf_get_f32(g, "n", true, &f, &e), &e, ERR_INPUT, "key 'n' is u32, expected f32 or f64");
    CHECK(gguf_get_bool(g, "b", true, &b, &e) && b);
    CHECK_FAILS(gguf_get_bool(g, "n", true, &b, &e), &e, ERR_INPUT, "key 'n' is u32, expected bool");
    CHECK(gguf_get_str(g, "s", true, &s, &e) && s.len == 4 && memcmp(s.ptr, "text", 4) == 0);
    CHECK_FAILS(gguf_get_str(g, "n", true, &s, &e), &e, ERR_INPUT, "key 'n' is u32, expected str");
    CHECK_FAILS(gguf_get_u32(g, "s", true, &n, &e), &e, ERR_INPUT, "key 's' is str, expected an integer");
    CHECK_FAILS(gguf_get_u32(g, "b", true, &n, &e), &e, ERR_INPUT, "key 'b' is bool, expected an integer");
    CHECK_FAILS(gguf_get_u32(g, "f", true, &n, &e), &e, ERR_INPUT, "key 'f' is f32, expected an integer");
    CHECK_FAILS(gguf_get_array(g, "s", true, GGUF_STR, &v, &e), &e, ERR_INPUT, "'s' is str, expected array of str");
    CHECK_FAILS(gguf_get_u32(g, "none", true, &n, &e), &e, ERR_INPUT, "t.gguf: key 'none' is missing");
    CHECK(gguf_get_u32(g, "none", false, &n, &e) && n == 77);
    CHECK(gguf_get_array(g, "none", false, GGUF_STR, &v, &e) && v.count == 99);
    CHECK(gguf_find(g, "none") == NULL && gguf_find(g, "") == NULL && gguf_find_tensor(g, "s") == NULL);
    gguf_close(g);
    buf_free(&file);
}

static void arrays(void) {
    test_case("gguf: arrays of strings, empty and nested arrays");
    struct gguf_writer w = {0};
    struct buf file = {0}, nested = {0};
    static const char *const words[] = {"", "one", "\xff\xfe", "three"};
    gguf_write_strs(&w, "words", words, ARRAY_LEN(words));
    gguf_write_array(&w, "empty", GGUF_F32, 0, NULL, 0);
    gguf_write_array(&w, "no.strings", GGUF_STR, 0, NULL, 0);
    for (int depth = 1; depth < GGUF_MAX_NESTING; depth++) {
        gguf_put(&nested, depth + 1 < GGUF_MAX_NESTING ? GGUF_ARRAY : GGUF_U16, 4);
        gguf_put(&nested, 1, 8);
    }
    gguf_put(&nested, 0x1234, 2);
    gguf_write_array(&w, "nested", GGUF_ARRAY, 1, nested.ptr, nested.len);
    gguf_write_bool(&w, "after", true);
    struct gguf *g = written(&w, &file);
    struct err e = {0};
    struct gguf_value v = {0};
    uint64_t at = 0;
    if (g && CHECK_CALL(gguf_get_array(g, "words", true, GGUF_STR, &v, &e), &e)) {
        CHECK_INT(v.count, 4);
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
            struct str s = gguf_array_next_str(&v, &at);
            CHECK(s.len == strlen(words[i]) && memcmp(s.ptr, words[i], s.len) == 0);
        }
        CHECK_INT(at, v.size);
        CHECK_FAILS(gguf_get_array(g, "words", true, GGUF_I32, &v, &e), &e, ERR_INPUT,
                    "key 'words' is array of str, expected array of i32");
        CHECK_CALL(gguf_get_array(g, "empty", true, GGUF_F32, &v, &e), &e);
        CHECK(v.count == 0 && v.size == 0);
        const struct gguf_value *n = gguf_find(g, "nested");
        CHECK(n && n->elem == GGUF_ARRAY && n->count == 1 && n->size == nested.len);
        CHECK(gguf_find(g, "after") != NULL);
    }
    gguf_close(g);
    buf_free(&file);
    buf_free(&nested);
}

static void formats(void) {
    test_case("gguf: a tensor of every format");
    struct gguf_writer w = {0};
    struct buf file = {0};
    size_t n;
    const struct quant_format *all = quant_all(&n);
    for (size_t i = 0; i < n; i++)
        gguf_write_tensor(&w, all[i].name, all[i].id, 3, (uint64_t[]){2 * all[i].block_len, 3, 2}, NULL,
                          12 * all[i].block_size);
    struct gguf *g = written(&w, &file);
    CHECK_INT(n, 35);
    for (size_t i = 0; g && i < n; i++) {
        const struct gguf_tensor *t = gguf_find_tensor(g, all[i].name);
        if (!CHECK_MSG(t && t->format == &all[i], "%s", all[i].name))
            continue;
        CHECK_MSG(t->size == 12 * all[i].block_size && t->n_elements == 12 * all[i].block_len, "%s", all[i].name);
        CHECK(t->n_dims == 3 && t->dims[1] == 3 && t->dims[2] == 2 && t->dims[3] == 1);
        CHECK(t->offset % 32 == 0);
    }
    gguf_close(g);
    buf_free(&file);
}

// A tensor of two numbers behind one of five bytes, at every alignment; with less than 4 they only lie well by luck.
static void alignment(uint32_t align) {
    test_case("gguf: alignment %u", align);
    struct gguf_writer w = {.alignment = align};
    struct buf file = {0};
    gguf_write_u32(&w, "general.alignment", align);
    gguf_write_tensor(&w, "bytes", 24, 1, (uint64_t[]){5}, "abcde", 5);
    gguf_write_tensor(&w, "words", 25, 1, (uint64_t[]){2}, "AaBb", 4);
    CHECK(gguf_write_end(&w, &file));
    struct gguf *g = NULL;
    struct err e = {0};
    if (gguf_parse(&g, file.ptr, file.len, "t.gguf", &e)) {
        const struct gguf_tensor *bytes = gguf_find_tensor(g, "bytes"), *words = gguf_find_tensor(g, "words");
        CHECK_INT(g->alignment, align);
        CHECK_INT(g->data_offset % align, 0);
        CHECK(bytes && bytes->offset == g->data_offset && memcmp(bytes->data, "abcde", 5) == 0);
        CHECK(words && words->offset % 2 == 0 && memcmp(words->data, "AaBb", 4) == 0);
    } else {
        CHECK(align == 1);
        CHECK_FAILS(g, &e, ERR_INPUT, "tensor 'words': I16 at file offset");
    }
    gguf_close(g);
    buf_free(&file);
}

static void shapes(void) {
    test_case("gguf: a scalar, four dimensions, bytes behind the last tensor");
    struct gguf_writer w = {0};
    struct buf file = {0};
    gguf_write_tensor(&w, "scalar", 0, 0, NULL, "\0\0\x80\x3f", 4);
    gguf_write_tensor(&w, "four", 0, 4, (uint64_t[]){2, 3, 4, 5}, NULL, 480);
    buf_append(&w.data, "behind", 6);
    struct gguf *g = written(&w, &file);
    if (g) {
        const struct gguf_tensor *t = gguf_find_tensor(g, "scalar");
        CHECK(t && t->n_dims == 0 && t->n_elements == 1 && t->size == 4 && t->dims[0] == 1);
        t = gguf_find_tensor(g, "four");
        CHECK(t && t->n_elements == 120 && t->size == 480);
    }
    gguf_close(g);

    test_case("gguf: tensors in another order than their data, with gaps");
    w = (struct gguf_writer){0};
    for (int i = 0; i < 3; i++)
        gguf_write_tensor(&w, (const char *[]){"a", "b", "c"}[i], 24, 1, (uint64_t[]){32}, NULL, 32);
    CHECK(gguf_write_end(&w, &file));
    file.ptr[24 + 8 + 1 + 4 + 8 + 4] = 96; // the offset of the first; its place becomes a gap
    buf_append(&file, (char[32]){0}, 32);
    struct err e = {0};
    if (CHECK_CALL(gguf_parse(&g, file.ptr, file.len, "t.gguf", &e), &e))
        CHECK_INT(gguf_find_tensor(g, "a")->offset, g->data_offset + 96);
    gguf_close(g);

    test_case("gguf: no keys and no tensors");
    w = (struct gguf_writer){0};
    g = written(&w, &file);
    CHECK(g && g->n_keys == 0 && g->n_tensors == 0 && g->data_offset <= g->size);
    gguf_close(g);
    buf_free(&file);
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

// Names that share a long beginning, in descending order: the worst for a lookup by comparison.
static void many_names(void) {
    test_case("gguf: 20000 keys and 50000 tensors");
    struct gguf_writer w = {0};
    struct buf file = {0};
    char name[64];
    for (unsigned i = 20000; i-- > 0;) {
        snprintf(name, sizeof name, "a.rather.long.beginning.of.a.key.%08u", i);
        gguf_write_u32(&w, name, i);
    }
    for (unsigned i = 50000; i-- > 0;) {
        snprintf(name, sizeof name, "a.rather.long.beginning.of.a.name.%08u", i);
        gguf_write_tensor(&w, name, 24, 1, (uint64_t[]){1}, "x", 1);
    }
    CHECK(gguf_write_end(&w, &file));
    struct gguf *g = NULL;
    struct err e = {0};
    double begin = now_ms();
    CHECK_CALL(gguf_parse(&g, file.ptr, file.len, "t.gguf", &e), &e);
    double ms = now_ms() - begin;
    CHECK_MSG(ms < 1000 || TEST_SANITIZED, "parsing took %.0f ms", ms);
    uint32_t n = 0;
    CHECK(g && gguf_get_u32(g, "a.rather.long.beginning.of.a.key.00012345", true, &n, &e) && n == 12345);
    CHECK(g && gguf_find_tensor(g, "a.rather.long.beginning.of.a.name.00049999") == &g->tensors[0]);
    gguf_close(g);
    buf_free(&file);
}

// The best of some, so that only the work is measured.
static double open_ms(const char *path) {
    double best = 1e9;
    for (int i = 0; i < 200 && best >= 5; i++) { // many tries: others may use the machine's caches
        struct gguf *g;
        struct err e = {0};
        double begin = now_ms();
        bool ok = gguf_open(&g, path, &e);
        double ms = now_ms() - begin;
        if (!CHECK_CALL(ok, &e))
            return 0;
        best = ms < best ? ms : best;
        gguf_close(g);
    }
    return best;
}

static void opening_time(void) {
    char path[] = "/tmp/pith-unit-XXXXXX";
    struct gguf_writer w = {0};
    struct buf file = {0}, words = {0};
    test_case("gguf: a file with 262144 tokens and 524288 merges opens in under 5 ms");
    for (unsigned i = 0; i < 524288; i++) {
        char word[16];
        gguf_put_str(&words, word, (size_t)snprintf(word, sizeof word, "%u", i * 77));
    }
    struct gguf_value v = {.data = (const uint8_t *)words.ptr};
    uint64_t half = 0;
    for (unsigned i = 0; i < 262144; i++)
        gguf_array_next_str(&v, &half);
    gguf_write_array(&w, "tokenizer.ggml.tokens", GGUF_STR, 262144, words.ptr, half);
    gguf_write_array(&w, "tokenizer.ggml.merges", GGUF_STR, 524288, words.ptr, words.len);
    CHECK(gguf_write_end(&w, &file));
    int fd = mkstemp(path);
    if (CHECK(fd >= 0 && write(fd, file.ptr, file.len) == (ssize_t)file.len)) {
        double ms = open_ms(path);
        CHECK_MSG(ms < 5 || TEST_SANITIZED, "it took %.2f ms", ms);
    }
    close(fd);
    unlink(path);
    buf_free(&file);
    buf_free(&words);
}

static void paths(void) {
    struct gguf *g = NULL;
    struct err e = {0};
    char path[4000];
    test_case("gguf: files that cannot be opened, and long paths");
    CHECK_FAILS(gguf_open(&g, "/nonexistent/model.gguf", &e), &e, ERR_INPUT, "/nonexistent/model.gguf: no such file");
    CHECK_FAILS(gguf_open(&g, "/", &e), &e, ERR_INPUT, "/: is a directory");
    memset(path, 'p', sizeof path);
    snprintf(path + sizeof path - 20, 20, "/model.gguf");
    CHECK_FAILS(gguf_parse(&g, "GGUF", 4, path, &e), &e, ERR_INPUT, "pp/model.gguf: the header is truncated");
    gguf_close(NULL);
}

void unit_gguf(void) {
    value_types(2);
    value_types(3);
    typed_reads();
    arrays();
    formats();
    for (uint32_t align = 1; align <= 65536; align *= 2)
        alignment(align);
    shapes();
    many_names();
    opening_time();
    paths();
}
