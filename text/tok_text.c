// SPDX-License-Identifier: MIT
// Questions to an open vocabulary, encoding as a whole, and decoding as a stream.
#include "text/tok_impl.h"

#include <stdlib.h>

#include "base/utf8.h"

size_t tok_n_vocab(const struct tokenizer *t) {
    return t->texts.n;
}

struct str tok_kind(const struct tokenizer *t) {
    return t->kind;
}

struct str tok_pre(const struct tokenizer *t) {
    return t->pre;
}

const char *tok_warning(const struct tokenizer *t) {
    return t->warning[0] ? t->warning : NULL;
}

static bool in_vocabulary(const struct tokenizer *t, int32_t id) {
    return t->row && id >= 0 && (uint32_t)id < t->texts.n;
}

enum tok_type tok_type(const struct tokenizer *t, int32_t id) {
    return in_vocabulary(t, id) && t->types[id] ? (enum tok_type)t->types[id] : TOK_UNUSED;
}

// Of several tokens with one text the last counts: it was put into the table behind the others.
int32_t tok_find_hashed(const struct tokenizer *t, const struct tok_index *x, const char *text, size_t len,
                        uint64_t hash) {
    int32_t found = -1;
    uint32_t at = (uint32_t)hash;
    for (int32_t id; (id = tok_index_next(x, hash, &at)) >= 0;) {
        struct str s = tok_text_at(&t->texts, (uint32_t)id);
        if (s.len == len && !memcmp(s.ptr, text, len))
            found = id;
    }
    return found;
}

int32_t tok_find(const struct tokenizer *t, const char *text, size_t len) {
    if (!t->row || !len || len > t->texts.max_len)
        return -1;
    return tok_find_hashed(t, &t->texts.index, text, len, tok_hash(text, len));
}

int32_t tok_find_plain(const struct tokenizer *t, const char *text, size_t len) {
    int32_t id = tok_find(t, text, len);
    return id >= 0 && tok_is_plain(t, id) ? id : -1;
}

float tok_score(const struct tokenizer *t, int32_t id) {
    float score = 0;
    if (!t->scores.data)
        return 0;
    if (t->scores.elem != GGUF_F32)
        return (float)gguf_array_int(&t->scores, (uint64_t)id);
    memcpy(&score, t->scores.data + (size_t)id * 4, 4);
    return score;
}

int32_t tok_bos(const struct tokenizer *t) {
    return t->named[TOK_BOS];
}

int32_t tok_eos(const struct tokenizer *t) {
    return t->named[TOK_EOS];
}

bool tok_adds_bos(const struct tokenizer *t) {
    return t->flags & TOK_ADD_BOS && t->named[TOK_BOS] >= 0;
}

bool tok_is_end(const struct tokenizer *t, int32_t id) {
    for (unsigned i = 0; i < t->n_ends; i++)
        if (t->ends[i] == id)
            return true;
    return false;
}

bool tok_encode(const struct tokenizer *t, const struct tok_input *in, struct ids *ids, struct err *e) {
    ERR_IF(!t->row, e, ERR_INPUT, "tokenizer kind '%.*s' is not supported", (int)min_size(t->kind.len, 60),
           t->kind.len ? t->kind.ptr : "(none)");
    struct tok_work w = {.t = t, .out = ids, .e = e, .merge.user = t};
    bool ok = (in->len < TOK_WORDS_MIN || tok_words_open(&w)) && (!t->row->prepare || t->row->prepare(&w, in->len));
    if (in->add_special && t->named[TOK_BOS] >= 0 && (t->row->framed || t->flags & TOK_ADD_BOS))
        ids_push(ids, t->named[TOK_BOS]);
    ok = ok && tok_special_encode(&w, in);
    if (in->add_special && t->row->framed && t->named[TOK_SEP] >= 0)
        ids_push(ids, t->named[TOK_SEP]);
    if (in->add_special && !t->row->framed && t->flags & TOK_ADD_EOS && t->named[TOK_EOS] >= 0)
        ids_push(ids, t->named[TOK_EOS]);
    tok_work_free(&w);
    free(w.seams);
    free(w.bytes_rank);
    return (ok && !ids->failed) || err_memory(e, in->len, "tokenizing");
}

void tok_piece(const struct tokenizer *t, int32_t id, bool special, struct buf *out) {
    if (!in_vocabulary(t, id))
        return;
    struct str text = tok_text_at(&t->texts, (uint32_t)id);
    uint8_t type = t->types[id];
    bool stands_for_text = t->row->framed && id == t->named[TOK_UNK]; // WordPiece's words that it does not know
    if (type == TOK_CONTROL && !special && !stands_for_text)
        return;
    if (type == TOK_CONTROL || type == TOK_UNKNOWN || type == TOK_USER_DEFINED)
        buf_append(out, text.ptr, text.len);
    else
        t->row->piece(t, id, out);
}

// Keeps the incomplete character at the end of out[from..) for later.
static void hold_tail(struct tok_stream *s, size_t from, struct buf *out) {
    size_t n = utf8_incomplete_tail(out->ptr + from, out->len - from);
    memcpy(s->tail, out->ptr + out->len - n, n);
    s->n_tail = (unsigned)n;
    out->len -= n;
}

// WordPiece puts a space before every word, punctuation included. It goes before ? ! . and comma; an apostrophe
// between words loses the spaces on both sides, so one waits in the tail for what follows.
static void push_word(struct tok_stream *s, int32_t id, struct buf *out) {
    struct buf piece = {0};
    tok_piece(s->t, id, s->special, &piece);
    size_t skip = piece.len == 2 && piece.ptr[0] == ' ' && strchr("?!.,", piece.ptr[1]) && piece.ptr[1];
    if (s->n_tail && piece.len) {
        bool joins = !skip && piece.ptr[0] == ' ';
        buf_append(out, joins ? "'" : " '", joins ? 1 : 2);
        skip += joins;
        s->n_tail = 0;
    }
    if (piece.len == 2 && !skip && !memcmp(piece.ptr, " '", 2)) {
        s->n_tail = 2;
        memcpy(s->tail, " '", 2);
    } else if (piece.len) {
        buf_append(out, piece.ptr + skip, piece.len - skip);
    }
    buf_free(&piece);
}

void tok_stream_push(struct tok_stream *s, int32_t id, struct buf *out) {
    size_t before = out->len;
    if (s->t->row && s->t->row->framed) {
        push_word(s, id, out);
        return;
    }
    buf_append(out, s->tail, s->n_tail);
    size_t from = out->len;
    tok_piece(s->t, id, s->special, out);
    if (out->failed || out->len == from) {
        out->len = before;
        return;
    }
    bool drop = !s->started && !s->continues && s->t->flags & TOK_SPACE_PREFIX && s->t->row->drops_space;
    s->started = true;
    if (drop && out->ptr[from] == ' ')
        memmove(out->ptr + from, out->ptr + from + 1, --out->len - from);
    hold_tail(s, before, out);
}

void tok_stream_end(struct tok_stream *s, struct buf *out) {
    buf_append(out, s->tail, s->n_tail);
    s->n_tail = 0;
}
