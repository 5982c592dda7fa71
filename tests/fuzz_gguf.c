// SPDX-License-Identifier: MIT
// The fuzz target of the GGUF reader, in the form that libFuzzer and afl++ take: bytes are parsed, and of a file that
// is accepted everything is read through the public calls. It aborts where a promise of gguf.h does not hold; the rest
// is for the sanitizers. tests/malformed.c runs it too.
#include "tests/fuzz_gguf.h"

#include <stdlib.h>
#include <string.h>

#include "gguf.h"

static void require(bool ok) {
    if (!ok)
        abort();
}

static void require_line(const struct err *e) {
    require(e->class == ERR_INPUT || e->class == ERR_SYSTEM);
    require(e->text[0] != '\0' && strpbrk(e->text, "\n\r") == NULL);
}

static uint64_t read_array(const struct gguf_value *v) {
    uint64_t sum = 0, at = 0;
    const char *end = (const char *)v->data + v->size;
    if (v->elem == GGUF_ARRAY)
        return 0;
    for (uint64_t i = 0; i < v->count; i++) {
        if (v->elem == GGUF_STR) {
            struct str s = gguf_array_next_str(v, &at);
            require(s.ptr + s.len <= end);
            sum += s.len ? (uint8_t)s.ptr[s.len - 1] : 0;
        } else {
            sum += (uint64_t)gguf_array_int(v, i) + (uint64_t)(gguf_array_float(v, i) > 0);
        }
    }
    require(v->elem != GGUF_STR || at == v->size);
    return sum;
}

// Every typed read of one key; each gives a value or a line.
static void read_key(const struct gguf *g, const char *name, const struct gguf_value *v) {
    struct err e = {0};
    uint32_t u32;
    uint64_t u64;
    float f;
    bool b;
    struct str s;
    struct gguf_value array;
    require(gguf_find(g, name) == v);
    require(strcmp(gguf_type_name(v->type), "unknown") != 0);
    if (!gguf_get_u32(g, name, true, &u32, &e) && !gguf_get_u64(g, name, true, &u64, &e))
        require_line(&e);
    if (!gguf_get_f32(g, name, true, &f, &e))
        require_line(&e);
    if (!gguf_get_bool(g, name, true, &b, &e))
        require_line(&e);
    if (gguf_get_str(g, name, true, &s, &e))
        require(s.len + 8 == v->size);
    if (v->type == GGUF_ARRAY && gguf_get_array(g, name, true, v->elem, &array, &e))
        read_array(&array);
}

static char *terminated(struct str s) {
    char *copy = malloc(s.len + 1);
    if (copy) {
        memcpy(copy, s.ptr, s.len);
        copy[s.len] = '\0';
    }
    return copy;
}

static void read_all(const struct gguf *g) {
    for (uint64_t i = 0; i < g->n_keys; i++) {
        char *name = terminated(g->keys[i].name);
        if (name)
            read_key(g, name, &g->keys[i].value);
        free(name);
    }
    volatile uint8_t sink = 0;
    for (uint64_t i = 0; i < g->n_tensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        const uint8_t *data = t->data;
        char *name = terminated(t->name);
        require(!name || gguf_find_tensor(g, name) == t);
        free(name);
        require(t->size > 0 && data == g->base + t->offset && t->offset + t->size <= g->size);
        sink = (uint8_t)(sink + data[0] + data[t->size - 1]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct gguf *g;
    struct err e = {0};
    if (!gguf_parse(&g, bytes, size, "fuzz.gguf", &e)) {
        require(g == NULL);
        require_line(&e);
        return 0;
    }
    read_all(g);
    gguf_close(g);
    return 0;
}
