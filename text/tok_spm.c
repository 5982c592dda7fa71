// SPDX-License-Identifier: MIT
// SentencePiece BPE (kind llama): spaces become word marks, characters are symbols, and the pair whose joint text is
// the token with the highest score is merged first. What is no token is written byte by byte.
//
// The scheme merges across the whole text. It is cut all the same where no merge could cross (tok_seams.c).
#include "text/tok_impl.h"

#define MARK "\xE2\x96\x81" // U+2581, the word mark
#define MARK_LEN 3

static bool is_mark(const char *text, size_t len) {
    return len >= MARK_LEN && !memcmp(text, MARK, MARK_LEN);
}

// The tokens that stand for bytes: <0x41>, or else the byte itself.
void tok_find_bytes(struct tokenizer *t) {
    static const char hex[] = "0123456789ABCDEF";
    for (unsigned b = 0; b < 256; b++) {
        char text[6] = {'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'}, byte = (char)b;
        int32_t id = tok_find(t, text, sizeof text);
        t->byte_ids[b] = id >= 0 ? id : tok_find_plain(t, &byte, 1);
    }
}

bool tok_spm_open(struct tokenizer *t, const struct gguf *g, struct err *e) {
    (void)g;
    (void)e;
    tok_find_bytes(t);
    return true;
}

// Higher scores merge first: the float's order, turned around.
static uint32_t score_rank(float score) {
    uint32_t bits;
    score += 0.0f; // -0 is 0
    memcpy(&bits, &score, sizeof bits);
    uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return ascending ? ~ascending : MERGE_NONE - 1;
}

static uint32_t pair_rank(const struct merge *m, struct merge_symbol *left, struct merge_symbol *right) {
    const struct tokenizer *t = m->user;
    int32_t id = tok_find_plain(t, m->text + left->start, (size_t)left->len + right->len);
    return id < 0 ? MERGE_NONE : score_rank(tok_score(t, id));
}

static void push_symbol(struct tok_work *w, const char *text, size_t len) {
    int32_t id = tok_find_plain(w->t, text, len);
    if (id >= 0) {
        ids_push(w->out, id);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        id = w->t->byte_ids[(unsigned char)text[i]];
        id = id >= 0 ? id : w->t->named[TOK_UNK];
        if (id >= 0)
            ids_push(w->out, id);
    }
}

static bool merge_word(struct tok_work *w, const char *word, size_t len) {
    struct merge *m = &w->merge;
    if (len > UINT32_MAX / 2 || !merge_reserve(m, len))
        return false;
    m->n = 0;
    for (size_t at = 0; at < len;) {
        size_t n = tok_symbol_len(word + at, len - at);
        m->symbols[m->n++] = (struct merge_symbol){.start = (uint32_t)at, .len = (uint32_t)n};
        at += n;
    }
    m->text = word;
    m->rank = pair_rank;
    merge_run(m);
    for (uint32_t i = 0; i != MERGE_NONE; i = m->symbols[i].next)
        push_symbol(w, word + m->symbols[i].start, m->symbols[i].len);
    return true;
}

static bool encode_word(void *user, const char *word, size_t len) {
    struct tok_work *w = user;
    struct tok_word *slot;
    if (tok_word_find(w, word, len, &slot))
        return true;
    size_t from = w->out->len;
    if (!merge_word(w, word, len))
        return false;
    tok_word_keep(w, slot, word, len, from);
    return true;
}

bool tok_mark_spaces(struct tok_work *w, const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        const char *space = memchr(text + i, ' ', len - i);
        size_t n = space ? (size_t)(space - text) - i : len - i;
        buf_append(&w->text, text + i, n);
        if (space)
            buf_append(&w->text, MARK, MARK_LEN);
        i += n + (space != NULL);
    }
    return !w->text.failed;
}

bool tok_spm_encode(struct tok_work *w, const char *text, size_t len, bool first) {
    w->text.len = 0;
    if (first && w->t->flags & TOK_SPACE_PREFIX)
        buf_append(&w->text, MARK, MARK_LEN);
    return tok_mark_spaces(w, text, len) && tok_share_pieces(w, w->text.ptr, w->text.len, tok_each_word, encode_word);
}

void tok_spm_piece(const struct tokenizer *t, int32_t id, struct buf *out) {
    struct str s = tok_text_at(&t->texts, (uint32_t)id);
    if (t->types[id] == TOK_BYTE) {
        for (unsigned b = 0; b < 256; b++)
            if (t->byte_ids[b] == id)
                buf_char(out, (char)b);
        return;
    }
    if (t->types[id] != TOK_NORMAL)
        return;
    for (size_t i = 0; i < s.len;) {
        bool mark = is_mark(s.ptr + i, s.len - i);
        buf_char(out, mark ? ' ' : s.ptr[i]);
        i += mark ? MARK_LEN : 1;
    }
}
