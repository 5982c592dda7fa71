// SPDX-License-Identifier: MIT
// Which lengths the tokens have that begin with certain bytes, for the kinds that look for every token, or the longest
// one, at a place of the text: without it they would try all lengths up to the longest token's.
#include "text/tok_impl.h"

static inline size_t slot_of(const char *text, size_t n) {
    uint64_t x = 0;
    memcpy(&x, text, n);
    return (x * TOK_MIX1) >> 48;
}

// Keeps the lengths of 64 and more in order; false when there are too many of them.
static bool note_long(struct tok_lens *x, uint32_t len) {
    unsigned i = x->n_long;
    while (i && x->long_lens[i - 1] >= len)
        i--;
    if (i < x->n_long && x->long_lens[i] == len)
        return true;
    if (x->n_long == TOK_LENS_LONG)
        return false;
    memmove(x->long_lens + i + 1, x->long_lens + i, (x->n_long - i) * sizeof *x->long_lens);
    x->long_lens[i] = len;
    x->n_long++;
    return true;
}

bool tok_lens_open(struct tokenizer *t, struct err *e) {
    struct tok_lens *x = &t->lens;
    x->by_head = arena_alloc(&t->arena, 1 << 16, sizeof *x->by_head);
    x->by_start = arena_alloc(&t->arena, 1 << 16, sizeof *x->by_start);
    if (!x->by_head || !x->by_start)
        return err_memory(e, sizeof *x->by_head << 16, "the tokenizer's tables");
    for (uint32_t id = 0; id < t->texts.n; id++) {
        struct str s = tok_text_at(&t->texts, id);
        if (!tok_is_plain(t, (int32_t)id) || s.len < TOK_LENS_START)
            continue;
        if (s.len < TOK_LENS_HEAD) {
            x->by_start[slot_of(s.ptr, TOK_LENS_START)] |= (uint8_t)(1 << s.len);
            continue;
        }
        x->by_head[slot_of(s.ptr, TOK_LENS_HEAD)] |= s.len < 64 ? (uint64_t)1 << s.len : 1;
        ERR_IF(s.len >= 64 && !note_long(x, (uint32_t)s.len), e, ERR_INPUT,
               "key 'tokenizer.ggml.tokens': tokens of more than %d different lengths over 63 bytes", TOK_LENS_LONG);
    }
    return true;
}

unsigned tok_lens_at(const struct tok_lens *x, const char *text, size_t left, size_t first, uint32_t *lens) {
    unsigned n = 0;
    unsigned start = left >= TOK_LENS_START ? x->by_start[slot_of(text, TOK_LENS_START)] : 0;
    start |= (1 << TOK_LENS_START) - 1;
    for (size_t len = first; len < TOK_LENS_HEAD && len <= left; len++)
        if (start >> len & 1)
            lens[n++] = (uint32_t)len;
    uint64_t bits = left >= TOK_LENS_HEAD ? x->by_head[slot_of(text, TOK_LENS_HEAD)] : 0;
    bool longer = bits & 1;
    for (bits &= ~(uint64_t)1; bits; bits &= bits - 1) {
        uint32_t len = (uint32_t)__builtin_ctzll(bits);
        if (len > left)
            return n;
        lens[n++] = len;
    }
    for (unsigned i = 0; longer && i < x->n_long && x->long_lens[i] <= left; i++)
        lens[n++] = x->long_lens[i];
    return n;
}
