// SPDX-License-Identifier: MIT
// Hash tables over the texts of a vocabulary, and the memory of words within one encoding.
#include "text/tok_impl.h"

#include <stdlib.h>

#define MIX1 0x9E3779B97F4A7C15u // odd constants without structure: fractions of the golden ratio and of pi
#define MIX2 0x243F6A8885A308D3u
#define MIX3 0x13198A2E03707345u

static inline uint64_t load8(const char *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

static inline uint64_t load4(const char *p) {
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

static inline uint64_t finish(uint64_t a, uint64_t b) {
    uint64_t h = (a ^ MIX2) * MIX1;
    h ^= (h >> 32) ^ b;
    h *= MIX3;
    h ^= h >> 29;
    h *= MIX1;
    return h ^ h >> 32;
}

// Up to 8 bytes are read as two overlapping words, so nothing behind the text is touched.
uint64_t tok_hash(const char *p, size_t n) {
    uint64_t seed = n * MIX3;
    while (n > 16) {
        seed = finish(load8(p) ^ seed, load8(p + 8) + MIX2);
        p += 16;
        n -= 16;
    }
    if (n >= 8)
        return finish(load8(p) ^ seed, load8(p + n - 8) * MIX2);
    if (n >= 4)
        return finish((load4(p) | load4(p + n - 4) << 32) ^ seed, 0);
    if (n == 0)
        return finish(seed, 0);
    uint64_t first = (unsigned char)p[0], middle = (unsigned char)p[n / 2], last = (unsigned char)p[n - 1];
    return finish((first | middle << 8 | last << 16) ^ seed, 0);
}

uint64_t tok_hash_pair(uint64_t left, uint64_t right) {
    uint64_t h = (left ^ (right << 21 | right >> 43)) * MIX1;
    return h ^ h >> 31;
}

bool tok_index_open(struct tok_index *x, struct arena *a, uint32_t n, struct err *e) {
    uint32_t n_slots = 16;
    while (n_slots / 4 * 3 < n)
        n_slots *= 2;
    x->id_bits = 1;
    while (n >> x->id_bits)
        x->id_bits++;
    x->mask = n_slots - 1;
    x->slots = arena_alloc(a, n_slots, sizeof *x->slots);
    return x->slots || err_memory(e, n_slots * sizeof *x->slots, "the tokenizer's tables");
}

bool tok_index_put(struct tok_index *x, uint64_t hash, uint32_t number, uint64_t *budget) {
    uint32_t at = (uint32_t)hash;
    while (x->slots[at & x->mask]) {
        at++;
        if (--*budget == 0)
            return false;
    }
    uint32_t tag = (uint32_t)(hash >> 32) >> x->id_bits;
    x->slots[at & x->mask] = tag << x->id_bits | (number + 1);
    return true;
}

#define WORD_SLOTS 8192
#define WORD_TEXT 22
#define WORD_IDS 10

struct tok_word {
    uint8_t len, n; // len 0: empty
    char text[WORD_TEXT];
    int32_t ids[WORD_IDS];
};

bool tok_words_open(struct tok_work *w) {
    w->words = calloc(WORD_SLOTS, sizeof *w->words);
    return w->words != NULL;
}

bool tok_word_find(struct tok_work *w, const char *word, size_t len, struct tok_word **slot) {
    *slot = NULL;
    if (!w->words || len > WORD_TEXT)
        return false;
    *slot = &w->words[tok_hash(word, len) % WORD_SLOTS];
    if ((*slot)->len != len || memcmp((*slot)->text, word, len) != 0)
        return false;
    ids_append(w->out, (*slot)->ids, (*slot)->n);
    return true;
}

void tok_word_keep(struct tok_work *w, struct tok_word *slot, const char *word, size_t len, size_t from) {
    if (!slot || w->out->failed || w->out->len - from > WORD_IDS)
        return;
    slot->len = (uint8_t)len;
    slot->n = (uint8_t)(w->out->len - from);
    memcpy(slot->text, word, len);
    memcpy(slot->ids, w->out->ptr + from, slot->n * sizeof *slot->ids);
}
