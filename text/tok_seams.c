// SPDX-License-Identifier: MIT
// Where a text may be cut for the kinds that merge, or choose, across the whole of it: between two characters that no
// token has side by side. What lies between such seams is a word of its own, most words are short, and words seen
// before need no work.
//
// The pairs of the vocabulary are kept as bits by a hash. Two pairs with one bit cost a cut, nothing else.
#include "text/tok_impl.h"

#include <stdlib.h>

#define SEAM_BITS 21
#define MARK 0xE29681 // U+2581, the word mark, as character() gives it
#define MARK_BITS 12  // pairs that end with it have bits of their own: most words begin there
#define N_BITS (((size_t)1 << SEAM_BITS) + ((size_t)1 << MARK_BITS))

static inline uint32_t character(const char *text, size_t n) {
    uint32_t x = (unsigned char)*text;
    for (size_t i = 1; i < n; i++)
        x = x << 8 | (unsigned char)text[i];
    return x;
}

static inline uint32_t slot_of(uint32_t left, uint32_t right) {
    uint64_t hash = ((left * TOK_MIX1) ^ (right * TOK_MIX3 >> 7)) * TOK_MIX1;
    return right == MARK ? (1 << SEAM_BITS) + (uint32_t)(hash >> (64 - MARK_BITS))
                         : (uint32_t)(hash >> (64 - SEAM_BITS));
}

static void note_token(uint64_t *seams, struct str s) {
    uint32_t left = 0;
    for (size_t at = 0, n; at < s.len; at += n) {
        n = tok_symbol_len(s.ptr + at, s.len - at);
        uint32_t right = character(s.ptr + at, n), slot = slot_of(left, right);
        if (at)
            seams[slot / 64] |= (uint64_t)1 << slot % 64;
        left = right;
    }
}

// The table costs about as much as tokenizing a sixteenth of the vocabulary's own bytes.
bool tok_seams_open(struct tok_work *w, size_t len) {
    const struct tokenizer *t = w->t;
    if (len < t->texts.start[t->texts.n] / 16)
        return true;
    w->seams = calloc(N_BITS / 64, sizeof *w->seams);
    for (uint32_t id = 0; w->seams && id < t->texts.n; id++)
        if (tok_is_plain(t, (int32_t)id))
            note_token(w->seams, tok_text_at(&t->texts, id));
    return w->seams != NULL;
}

bool tok_each_word(struct tok_work *w, const char *text, size_t len, pretok_sink *word, void *user) {
    if (!w->seams)
        return word(user, text, len);
    size_t begin = 0;
    uint32_t left = 0;
    for (size_t at = 0, n; at < len; at += n) {
        n = tok_symbol_len(text + at, len - at);
        uint32_t right = character(text + at, n), slot = slot_of(left, right);
        if (at && !(w->seams[slot / 64] >> slot % 64 & 1)) {
            if (!word(user, text + begin, at - begin))
                return false;
            begin = at;
        }
        left = right;
    }
    return word(user, text + begin, len - begin);
}
