// SPDX-License-Identifier: MIT
// PLaMo-2's vocabulary (kind plamo2): of all ways to cut the text into tokens the one with the greatest sum of scores
// is taken, the longer token among equals. A character that is no token costs more than any of them and is written byte
// by byte. Scores count in whole 1e-4; a sum is exact, so the order of the additions is free.
#include "text/tok_impl.h"

#include <math.h>

#include "base/utf8.h"

#define NO_TOKEN (-20000000) // tokens with this score or less are never taken
#define UNKNOWN_COST 10000000

// The best way from a place of the text to its end.
struct step {
    int64_t cost;
    uint32_t len;
    int32_t id; // -1: bytes
};

bool tok_plamo2_open(struct tokenizer *t, const struct gguf *g, struct err *e) {
    (void)g;
    tok_find_bytes(t);
    return tok_lens_open(t, e);
}

static int64_t whole_score(float score) {
    double scaled = round((double)score * 1e4);
    return isfinite(score) && scaled > NO_TOKEN ? (int64_t)fmin(scaled, INT32_MAX) : NO_TOKEN;
}

// Writes the text into w->text with U+FFFD for bytes that are not UTF-8. A byte order mark at its beginning goes.
static void make_plain(struct tok_work *w, const char *text, size_t len) {
    static const char mark[] = "\xEF\xBB\xBF";
    w->text.len = 0;
    size_t at = len >= 3 && !memcmp(text, mark, 3) ? 3 : 0;
    for (unsigned n; at < len; at += n) {
        bool bad = utf8_decode(text + at, len - at, &n) == UTF8_BAD;
        n = bad ? 1 : n;
        buf_append(&w->text, bad ? "\xEF\xBF\xBD" : text + at, bad ? 3 : n);
    }
}

static struct step best_step(const struct tokenizer *t, const struct step *steps, const char *text, size_t left) {
    size_t symbol = tok_symbol_len(text, left);
    struct step best = {steps[symbol].cost + UNKNOWN_COST, (uint32_t)symbol, -1};
    uint32_t lens[TOK_LENS_MAX];
    for (unsigned i = 0, n = tok_lens_at(&t->lens, text, left, symbol, lens); i < n; i++) {
        int32_t id = tok_find_plain(t, text, lens[i]);
        if (id < 0 || t->types[id] == TOK_BYTE)
            continue;
        int64_t score = whole_score(tok_score(t, id)), cost = steps[lens[i]].cost - score;
        if (score > NO_TOKEN && cost <= best.cost)
            best = (struct step){cost, lens[i], id};
    }
    return best;
}

bool tok_plamo2_encode(struct tok_work *w, const char *text, size_t len, bool first) {
    (void)first;
    make_plain(w, text, len);
    len = w->text.len;
    if (w->text.failed || len > UINT32_MAX / 2 || !buf_reserve(&w->lattice, (len + 1) * sizeof(struct step)))
        return false;
    struct step *steps = (void *)w->lattice.ptr;
    text = w->text.ptr;
    steps[len] = (struct step){0};
    for (size_t at = len; at-- > 0;)
        if (((unsigned char)text[at] & 0xC0) != 0x80) // inside a character no token can begin or end
            steps[at] = best_step(w->t, steps + at, text + at, len - at);
    for (size_t at = 0; at < len; at += steps[at].len) {
        if (steps[at].id >= 0)
            ids_push(w->out, steps[at].id);
        for (uint32_t i = 0; steps[at].id < 0 && i < steps[at].len; i++)
            if (w->t->byte_ids[(unsigned char)text[at + i]] >= 0)
                ids_push(w->out, w->t->byte_ids[(unsigned char)text[at + i]]);
    }
    return true;
}

void tok_plamo2_piece(const struct tokenizer *t, int32_t id, struct buf *out) {
    struct str s = tok_text_at(&t->texts, (uint32_t)id);
    if (t->types[id] != TOK_BYTE)
        buf_append(out, s.ptr, s.len);
    for (unsigned b = 0; b < 256 && t->types[id] == TOK_BYTE; b++)
        if (t->byte_ids[b] == id)
            buf_char(out, (char)b);
}
