// SPDX-License-Identifier: MIT
// Byte-level BPE (kind gpt2): the pre-tokenizer cuts the text into pieces, the bytes of a piece are written in the
// vocabulary's alphabet, where each byte is a printable character, and pairs are merged by the rank of the merge that
// joins them. Ranks are found by the hashes of both halves, so opening never looks up the tokens of a merge.
#include "text/tok_impl.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "text/unicode.h"

#define BYTES_RANK_MIN ((size_t)1 << 18) // bytes of text from which a table of ranks is worth it

// The character that stands for a byte: itself where that is printable, else the next free one from U+0100 on.
static uint32_t byte_code(uint32_t byte) {
    if (byte <= 0x20)
        return 0x100 + byte;
    if (byte >= 0x7F && byte <= 0xA0)
        return 0x121 + byte - 0x7F;
    return byte == 0xAD ? 0x143 : byte;
}

// The byte that a character stands for, or -1.
static int code_byte(uint32_t code) {
    if (code < 0x100)
        return byte_code(code) == code ? (int)code : -1;
    if (code <= 0x120)
        return (int)code - 0x100;
    if (code <= 0x142)
        return (int)code - 0x121 + 0x7F;
    return code == 0x143 ? 0xAD : -1;
}

// Writes a byte in the vocabulary's alphabet: one or two bytes.
static inline unsigned spell(unsigned char byte, char *out) {
    if (byte > 0x20 && byte < 0x7F) {
        out[0] = (char)byte;
        return 1;
    }
    uint32_t code = byte_code(byte);
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3F));
    return 2;
}

bool tok_bpe_open(struct tokenizer *t, const struct gguf *g, struct err *e) {
    (void)g;
    (void)e;
    for (unsigned b = 0; b < 256; b++) {
        char spelled[2];
        unsigned n = spell((unsigned char)b, spelled);
        t->byte_hash[b] = tok_hash(spelled, n);
        t->byte_ids[b] = tok_find_plain(t, spelled, n);
    }
    if (t->pretok->flags & PRETOK_RAW)
        tok_find_bytes(t);
    return true;
}

static uint32_t merge_rank(const struct merge *m, struct merge_symbol *left, struct merge_symbol *right) {
    const struct tokenizer *t = m->user;
    const char *text = m->text + left->start;
    if (!left->hash)
        left->hash = tok_hash(text, left->len);
    if (!right->hash)
        right->hash = tok_hash(m->text + right->start, right->len);
    uint64_t hash = tok_hash_pair(left->hash, right->hash);
    uint32_t at = (uint32_t)hash;
    size_t len = (size_t)left->len + right->len + 1;
    for (int32_t rank; (rank = tok_index_next(&t->merges.index, hash, &at)) >= 0;) {
        const char *merge = t->merges.base + rank;
        uint64_t merge_len;
        memcpy(&merge_len, merge - 8, 8);
        if (merge_len == len && merge[left->len] == ' ' && !memcmp(merge, text, left->len) &&
            !memcmp(merge + left->len + 1, text + left->len, right->len))
            return (uint32_t)rank;
    }
    return MERGE_NONE;
}

// Appends the id of a symbol; of one that is no token, the ids of those of its bytes that are, as they are spelled.
static void push_symbol(struct tok_work *w, const char *text, size_t len) {
    int32_t id = tok_find_plain(w->t, text, len);
    if (id >= 0) {
        ids_push(w->out, id);
        return;
    }
    for (size_t i = 0; i < len; i++)
        if ((id = tok_find_plain(w->t, text + i, 1)) >= 0)
            ids_push(w->out, id);
}

static bool merge_piece(struct tok_work *w, const char *piece, size_t len) {
    struct merge *m = &w->merge;
    w->text.len = 0;
    if (len > UINT32_MAX / 8 || !merge_reserve(m, len) || !buf_reserve(&w->text, 2 * len))
        return false;
    char *text = w->text.ptr;
    uint32_t at = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)piece[i];
        unsigned n = spell(byte, text + at);
        m->symbols[i].start = at;
        m->symbols[i].len = n;
        m->symbols[i].hash = w->t->byte_hash[byte];
        at += n;
    }
    int32_t whole = w->t->pretok->flags & PRETOK_WHOLE ? tok_find_plain(w->t, text, at) : -1;
    if (whole >= 0) {
        ids_push(w->out, whole);
        return true;
    }
    m->n = (uint32_t)len;
    m->text = text;
    m->bytes = (const unsigned char *)piece;
    m->bytes_rank = w->bytes_rank;
    m->rank = merge_rank;
    merge_run(m);
    for (uint32_t i = 0; i != MERGE_NONE; i = m->symbols[i].next)
        push_symbol(w, text + m->symbols[i].start, m->symbols[i].len);
    return true;
}

static bool encode_piece(void *user, const char *piece, size_t len) {
    struct tok_work *w = user;
    if (len == 1 && w->t->byte_ids[(unsigned char)*piece] >= 0) {
        ids_push(w->out, w->t->byte_ids[(unsigned char)*piece]);
        return true;
    }
    struct tok_word *slot;
    if (tok_word_find(w, piece, len, &slot))
        return true;
    size_t from = w->out->len;
    if (!merge_piece(w, piece, len))
        return false;
    tok_word_keep(w, slot, piece, len, from);
    return true;
}

// A piece in raw UTF-8: characters are symbols, what is no token is written byte by byte.
static bool merge_raw(struct tok_work *w, const char *piece, size_t len) {
    struct merge *m = &w->merge;
    int32_t whole = *piece == '\n' && w->t->pretok->flags & PRETOK_LINES ? tok_find_plain(w->t, piece, len) : -1;
    if (len > UINT32_MAX / 8 || !merge_reserve(m, len))
        return false;
    m->n = 0;
    for (size_t at = 0, n; at < len && whole < 0; at += n) {
        n = tok_symbol_len(piece + at, len - at);
        m->symbols[m->n++] = (struct merge_symbol){.start = (uint32_t)at, .len = (uint32_t)n};
    }
    if (whole >= 0) {
        ids_push(w->out, whole);
        return true;
    }
    m->text = piece;
    m->rank = merge_rank;
    merge_run(m);
    for (uint32_t i = 0; i != MERGE_NONE; i = m->symbols[i].next) {
        const struct merge_symbol *s = &m->symbols[i];
        int32_t id = tok_find_plain(w->t, piece + s->start, s->len);
        if (id >= 0)
            ids_push(w->out, id);
        for (uint32_t k = 0; id < 0 && k < s->len; k++)
            if (w->t->byte_ids[(unsigned char)piece[s->start + k]] >= 0)
                ids_push(w->out, w->t->byte_ids[(unsigned char)piece[s->start + k]]);
    }
    return true;
}

static bool encode_raw_piece(void *user, const char *piece, size_t len) {
    struct tok_work *w = user;
    struct tok_word *slot;
    if (tok_word_find(w, piece, len, &slot))
        return true;
    size_t from = w->out->len;
    if (!merge_raw(w, piece, len))
        return false;
    tok_word_keep(w, slot, piece, len, from);
    return true;
}

// The ranks of all pairs of bytes, with which every piece begins.
bool tok_bpe_prepare(struct tok_work *w, size_t len) {
    if (len < BYTES_RANK_MIN || w->t->pretok->flags & PRETOK_RAW)
        return true;
    w->bytes_rank = malloc((1 << 16) * sizeof *w->bytes_rank);
    for (uint32_t pair = 0; w->bytes_rank && pair < 1 << 16; pair++) {
        char text[4];
        unsigned n = spell((unsigned char)(pair >> 8), text), more = spell((unsigned char)pair, text + n);
        struct merge_symbol left = {.len = n, .hash = w->t->byte_hash[pair >> 8]};
        struct merge_symbol right = {.start = n, .len = more, .hash = w->t->byte_hash[pair & 0xFF]};
        w->bytes_rank[pair] = merge_rank(&(struct merge){.text = text, .user = w->t}, &left, &right);
    }
    return w->bytes_rank != NULL;
}

static bool cut_pieces(struct tok_work *w, const char *text, size_t len, pretok_sink *piece, void *user) {
    return pretok_split(w->t->pretok, text, 0, len, piece, user);
}

bool tok_bpe_encode(struct tok_work *w, const char *text, size_t len, bool first) {
    (void)first;
    unsigned flags = w->t->pretok->flags;
    if (!(flags & PRETOK_RAW))
        return tok_share_pieces(w, text, len, cut_pieces, encode_piece);
    if (flags & PRETOK_SPACES)
        return tok_share_pieces(w, text, len, cut_pieces, encode_raw_piece);
    w->text.len = 0;
    return tok_mark_spaces(w, text, len) && tok_share_pieces(w, w->text.ptr, w->text.len, cut_pieces, encode_raw_piece);
}

bool tok_white_open(struct tokenizer *t, const struct gguf *g, struct err *e) {
    t->lower = !(t->pretok->flags & PRETOK_SPACES);
    return gguf_get_bool(g, "tokenizer.ggml.normalizer.lowercase", false, &t->lower, e) && tok_bpe_open(t, g, e);
}

// Words between white space, which is dropped, in lower case where the file says so.
bool tok_white_encode(struct tok_work *w, const char *text, size_t len, bool first) {
    struct buf *word = &w->lattice;
    bool ok = true;
    for (size_t at = 0; at <= len && ok;) {
        struct uni_char c = uni_char_at(text, at, len);
        at += c.len ? c.len : 1;
        if (c.len && !(c.bit & UNI_SPACE)) {
            char spelled[4];
            buf_append(word, spelled, utf8_encode(w->t->lower ? uni_to_lower(c.code) : c.code, spelled));
        } else if (word->len) {
            ok = !word->failed && tok_bpe_encode(w, word->ptr, word->len, first);
            word->len = 0;
        }
    }
    return ok && !word->failed;
}

// Characters outside the alphabet, as added tokens of sloppy files have them, stand for themselves.
void tok_bpe_piece(const struct tokenizer *t, int32_t id, struct buf *out) {
    struct str s = tok_text_at(&t->texts, (uint32_t)id);
    if (t->pretok->flags & PRETOK_RAW) {
        tok_spm_piece(t, id, out);
        return;
    }
    if (t->types[id] != TOK_NORMAL)
        return;
    for (size_t i = 0; i < s.len;) {
        unsigned n;
        uint32_t code = utf8_decode(s.ptr + i, s.len - i, &n);
        int byte = code == UTF8_BAD ? -1 : code_byte(code);
        if (byte >= 0)
            buf_char(out, (char)byte);
        else
            buf_append(out, s.ptr + i, n);
        i += n;
    }
}
