// SPDX-License-Identifier: MIT
// Keys that begin with the architecture's name. See cmd/arch_keys.h.
#include "cmd/arch_keys.h"

#include "base/buf.h"

struct str arch_name(const struct gguf *g) {
    struct str name = {0};
    struct err ignored;
    gguf_get_str(g, "general.architecture", false, &name, &ignored);
    return name;
}

const struct gguf_value *arch_value(const struct gguf *g, const char *suffix) {
    struct str arch = arch_name(g);
    struct buf key = {0};
    buf_append(&key, arch.ptr, arch.len);
    buf_printf(&key, ".%s%c", suffix, 0);
    const struct gguf_value *v = key.failed ? NULL : gguf_find(g, key.ptr);
    buf_free(&key);
    return v;
}

static bool is_whole(enum gguf_type type) {
    return type == GGUF_U8 || type == GGUF_I8 || type == GGUF_U16 || type == GGUF_I16 || type == GGUF_U32 ||
           type == GGUF_I32 || type == GGUF_U64 || type == GGUF_I64;
}

uint64_t arch_number(const struct gguf *g, const char *suffix, uint64_t otherwise) {
    const struct gguf_value *v = arch_value(g, suffix);
    if (!v)
        return otherwise;
    // A number is read as the only element of an array.
    struct gguf_value array = *v;
    if (v->type != GGUF_ARRAY)
        array = (struct gguf_value){.type = GGUF_ARRAY, .elem = v->type, .count = 1, .data = v->data, .size = v->size};
    if (!is_whole(array.elem))
        return otherwise;
    int64_t most = 0;
    for (uint64_t i = 0; i < array.count; i++) {
        int64_t n = gguf_array_int(&array, i);
        most = n > most ? n : most;
    }
    return (uint64_t)most;
}
