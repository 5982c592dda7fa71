// SPDX-License-Identifier: MIT
// What happens when memory is short: each operation is run again and again, and the first, second, third ... allocation
// of the run fails, until one run gets all it wants. A run that lacked memory must say so and leave nothing behind (the
// address sanitizer looks for leaks). Linked with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup.
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "gguf.h"
#include "tests/gguf_write.h"

static unsigned long countdown; // allocations until one fails; 0: none does
static bool hit;

static bool fails(void) {
    if (countdown == 0 || --countdown > 0)
        return false;
    hit = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *ptr, size_t size) {
    return fails() ? NULL : __real_realloc(ptr, size);
}

char *__wrap_strdup(const char *text) {
    return fails() ? NULL : __real_strdup(text);
}

static bool parse_gguf(const struct buf *input, struct err *e) {
    struct gguf *g;
    ERR_FORWARD(gguf_parse(&g, input->ptr, input->len, "t.gguf", e));
    gguf_close(g);
    return true;
}

static bool parse_json(const struct buf *input, struct err *e) {
    struct json_doc doc;
    ERR_FORWARD(json_parse(&doc, (struct str){input->ptr, input->len}, "t.json", 1, e));
    json_free(&doc);
    return true;
}

static bool write_json(const struct buf *input, struct err *e) {
    struct buf out = {0};
    struct json_writer w = {.out = &out};
    json_begin(&w, '[');
    json_str(&w, (struct str){input->ptr, input->len});
    json_float(&w, 0.5);
    json_end(&w, ']');
    bool ok = !out.failed || err_memory(e, out.len, "t.json");
    buf_free(&out);
    return ok;
}

static void make_gguf(struct buf *out) {
    struct gguf_writer w = {0};
    char name[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "name%d", i);
        gguf_write_u32(&w, name, 1);
        gguf_write_tensor(&w, name, 24, 1, (uint64_t[]){1}, "x", 1);
    }
    gguf_write_end(&w, out);
}

static void make_json(struct buf *out) {
    buf_str(out, "{\"a\":[1.5,\"\\n\"]");
    for (int i = 0; i < 100; i++)
        buf_printf(out, ",\"key%d\":{\"a\":[]},\"key%d\":[[1,2]]", i, i);
    buf_char(out, '}');
}

static void make_bytes(struct buf *out) {
    for (int i = 0; i < 1000; i++)
        buf_char(out, (char)(i % 256));
}

static const struct {
    const char *name;
    void (*make)(struct buf *out);
    bool (*run)(const struct buf *input, struct err *e);
} operations[] = {
    {"gguf_parse", make_gguf, parse_gguf},
    {"json_parse", make_json, parse_json},
    {"json writing", make_bytes, write_json},
};

int main(void) {
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        struct buf input = {0};
        struct err e = {0};
        test_case("every allocation of %s fails once", operations[i].name);
        operations[i].make(&input);
        unsigned long n = 0;
        do {
            countdown = ++n;
            hit = false;
            bool ok = operations[i].run(&input, &e);
            countdown = 0;
            CHECK_MSG(ok != hit, "allocation %lu: %s", n, ok ? "its failure goes unnoticed" : e.text);
            CHECK_MSG(ok || e.class == ERR_SYSTEM, "allocation %lu: class %d, %s", n, (int)e.class, e.text);
        } while (hit && n < 100000);
        CHECK_MSG(n > 3 && !hit, "%lu allocations", n - 1);
        buf_free(&input);
    }
    return test_end();
}
