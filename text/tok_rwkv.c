// SPDX-License-Identifier: MIT
// RWKV's vocabulary (kind rwkv): at every place the longest token is taken, over bytes. The file writes the texts with
// escapes, because they may be any bytes.
#include "text/tok_impl.h"

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The byte that an escape stands for, which begins behind its backslash; *at moves behind it.
static char unescape(const char *text, size_t len, size_t *at) {
    static const char names[] = "tnr", bytes[] = "\t\n\r";
    char c = text[(*at)++];
    const char *name = c ? strchr(names, c) : NULL;
    if (c == 'x' && len - *at >= 2 && hex_digit(text[*at]) >= 0 && hex_digit(text[*at + 1]) >= 0) {
        *at += 2;
        return (char)(hex_digit(text[*at - 2]) << 4 | hex_digit(text[*at - 1]));
    }
    return name ? bytes[name - names] : c;
}

// Replaces the list of texts by one without escapes, which is laid out as the file's.
bool tok_rwkv_unescape(struct arena *a, struct gguf_value *texts, struct err *e) {
    uint8_t *copy = arena_alloc(a, texts->size + 8, 1);
    if (!copy)
        return err_memory(e, texts->size, "the vocabulary");
    uint64_t from = 0, size = 0;
    for (uint64_t i = 0; i < texts->count; i++) {
        struct str s = gguf_array_next_str(texts, &from);
        uint64_t len = 0;
        for (size_t at = 0; at < s.len;) {
            char c = s.ptr[at++];
            copy[size + 8 + len++] = (uint8_t)(c == '\\' && at < s.len ? unescape(s.ptr, s.len, &at) : c);
        }
        memcpy(copy + size, &len, 8);
        size += 8 + len;
    }
    texts->data = copy;
    texts->size = size;
    return true;
}

bool tok_rwkv_open(struct tokenizer *t, const struct gguf *g, struct err *e) {
    (void)g;
    return tok_lens_open(t, e);
}

bool tok_rwkv_encode(struct tok_work *w, const char *text, size_t len, bool first) {
    (void)first;
    for (size_t at = 0; at < len;) {
        uint32_t lens[TOK_LENS_MAX];
        unsigned n = tok_lens_at(&w->t->lens, text + at, len - at, 1, lens);
        int32_t id = -1;
        while (n && (id = tok_find_plain(w->t, text + at, lens[--n])) < 0)
            ;
        size_t taken = id < 0 ? 1 : lens[n];
        id = id < 0 ? w->t->named[TOK_UNK] : id;
        if (id >= 0)
            ids_push(w->out, id);
        at += taken;
    }
    return true;
}

void tok_rwkv_piece(const struct tokenizer *t, int32_t id, struct buf *out) {
    struct str s = tok_text_at(&t->texts, (uint32_t)id);
    buf_append(out, s.ptr, s.len);
}
