// SPDX-License-Identifier: MIT
// Unigram (kind t5): the text is made plain by the file's map of characters, spaces become word marks, and of all ways
// to cut a word into tokens the one with the greatest sum of scores is taken. Characters that are no token count as
// unknown, several in a row as one.
//
// The map is a double-array trie whose nodes are words of 32 bits: the children of a node stand at its base XOR their
// byte, and a leaf's base leads to the offset of its replacement.
#include "text/tok_impl.h"

#include <float.h>

#include "base/utf8.h"

#define MARK "\xE2\x96\x81" // U+2581, the word mark
#define MARK_LEN 3

// The best way to a place of the word: its score, and the token that ends there.
struct step {
    double score;
    uint32_t from;
    int32_t id;
};

static bool is_piece(uint8_t type) {
    return type == TOK_NORMAL || type == TOK_USER_DEFINED || type == TOK_UNUSED;
}

static uint32_t read_u32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// The map: the size of the trie in bytes, the trie, the replacements.
static bool read_map(struct tok_unigram *u, const struct gguf *g, struct err *e) {
    static const char key[] = "tokenizer.ggml.precompiled_charsmap";
    const struct gguf_value *v = gguf_find(g, key);
    if (!v)
        return true;
    ERR_IF(v->type != GGUF_ARRAY || (v->elem != GGUF_I8 && v->elem != GGUF_U8), e, ERR_INPUT,
           "key '%s': expected an array of i8 or u8", key);
    uint64_t size = v->count >= 4 ? read_u32(v->data) : 0;
    ERR_IF(v->count < 4 || size + 4 >= v->count, e, ERR_INPUT, "key '%s': its trie does not fit into its %llu bytes",
           key, (unsigned long long)v->count);
    u->nodes = v->data + 4;
    u->n_nodes = (uint32_t)(size / 4);
    u->replacements = (const char *)v->data + 4 + size;
    u->n_replacements = (size_t)(v->count - 4 - size);
    ERR_IF(u->replacements[u->n_replacements - 1], e, ERR_INPUT, "key '%s': its last replacement has no end", key);
    return true;
}

static uint32_t node_at(const struct tok_unigram *u, uint32_t i) {
    return i < u->n_nodes ? read_u32(u->nodes + (size_t)i * 4) : UINT32_MAX;
}

static uint32_t node_base(uint32_t node) {
    return (node >> 10) << (node & 0x200 ? 8 : 0);
}

// Goes from the children at *at on by one byte: false where there is no such child.
static bool walk(const struct tok_unigram *u, uint32_t *at, unsigned char byte, uint32_t *node) {
    *at ^= byte;
    *node = node_at(u, *at);
    if ((*node & 0x800000FF) != byte)
        return false;
    *at ^= node_base(*node);
    return true;
}

// The longest beginning of the text that the map replaces: its length, or 0, and the replacement.
static size_t replace(const struct tok_unigram *u, const char *text, size_t len, const char **with) {
    size_t longest = 0;
    uint32_t at = node_base(node_at(u, 0));
    for (size_t i = 0; u->n_nodes && i < len && text[i]; i++) {
        uint32_t node;
        if (!walk(u, &at, (unsigned char)text[i], &node))
            break;
        uint32_t offset = node & 0x100 ? node_at(u, at) & INT32_MAX : UINT32_MAX;
        if (offset >= u->n_replacements)
            continue;
        longest = i + 1;
        *with = u->replacements + offset;
    }
    return longest;
}

// Whether no rule begins with the character alone or with it and an ASCII character.
static bool stays(const struct tok_unigram *u, unsigned char c) {
    uint32_t at = node_base(node_at(u, 0)), node, unused;
    const char *with, text = (char)c;
    if (!u->n_nodes || !walk(u, &at, c, &node))
        return true;
    bool any = replace(u, &text, 1, &with) != 0;
    for (unsigned next = 1; next < 128; next++) {
        uint32_t child = at;
        any |= walk(u, &child, (unsigned char)next, &unused);
    }
    return !any;
}

static void find_staying(struct tok_unigram *u) {
    for (unsigned c = 1; c < 128; c++)
        u->stays[c] = c != ' ' && stays(u, (unsigned char)c);
}

bool tok_unigram_open(struct tokenizer *t, const struct gguf *g, struct err *e) {
    struct tok_unigram *u = &t->unigram;
    double least = FLT_MAX;
    for (uint32_t id = 0; id < t->texts.n; id++)
        if (t->types[id] == TOK_NORMAL && tok_score(t, (int32_t)id) < least)
            least = tok_score(t, (int32_t)id);
    u->unknown = (float)least - 10.0f;
    ERR_FORWARD(gguf_get_bool(g, "tokenizer.ggml.remove_extra_whitespaces", false, &u->joins_spaces, e));
    ERR_FORWARD(read_map(u, g, e));
    find_staying(u);
    tok_find_bytes(t);
    return tok_lens_open(t, e);
}

struct plain {
    struct buf *out;
    bool prefix; // a mark goes before the first word
    bool joins;  // one mark before every word, whatever white space was there
    bool inside; // of a word
};

static void add_plain(struct plain *p, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        bool space = text[i] == ' ';
        if (space ? !p->joins : !p->inside && (p->prefix || p->joins)) {
            buf_append(p->out, MARK, MARK_LEN);
            p->prefix = p->prefix && space;
        }
        if (!space)
            buf_char(p->out, text[i]);
        p->inside = !space;
    }
}

// How many characters from `at` on the map leaves alone, the last one before a space or the like left out.
static size_t staying(const struct tok_unigram *u, const char *text, size_t at, size_t len) {
    size_t end = at;
    while (end + 1 < len && !((text[end] | text[end + 1]) & 0x80) && u->stays[(unsigned char)text[end]])
        end++;
    return end - at;
}

// Writes the text as the vocabulary has it into w->text.
static bool make_plain(struct tok_work *w, const char *text, size_t len) {
    const struct tokenizer *t = w->t;
    struct plain p = {.out = &w->text, .prefix = t->flags & TOK_SPACE_PREFIX, .joins = t->unigram.joins_spaces};
    w->text.len = 0;
    for (size_t at = 0; at < len;) {
        const char *with = NULL;
        unsigned n;
        size_t run = p.inside ? staying(&t->unigram, text, at, len) : 0;
        buf_append(p.out, text + at, run);
        at += run;
        size_t replaced = replace(&t->unigram, text + at, len - at, &with);
        if (replaced)
            add_plain(&p, with, strlen(with));
        else if (utf8_decode(text + at, len - at, &n) == UTF8_BAD)
            add_plain(&p, "\xEF\xBF\xBD", 3);
        else
            add_plain(&p, text + at, n);
        at += replaced ? replaced : n;
    }
    return !w->text.failed;
}

static void offer(struct step *steps, size_t from, size_t to, int32_t id, double score) {
    score += steps[from].score;
    if (score > steps[to].score)
        steps[to] = (struct step){score, (uint32_t)from, id};
}

// Offers the token of n bytes at a place, when there is one.
static bool offer_token(const struct tokenizer *t, struct step *steps, const char *word, size_t at, size_t n,
                        uint64_t hash) {
    int32_t id = tok_find_hashed(t, &t->texts.index, word + at, n, hash);
    if (id < 0 || !is_piece(t->types[id]))
        return false;
    offer(steps, at, at + n, id, t->types[id] == TOK_USER_DEFINED ? 0.0 : (double)tok_score(t, id));
    return true;
}

static void take_place(const struct tokenizer *t, struct step *steps, const char *word, size_t at, size_t len) {
    size_t symbol = tok_symbol_len(word + at, len - at);
    uint32_t lens[TOK_LENS_MAX];
    uint64_t hashes[TOK_LENS_MAX];
    bool known = false;
    unsigned n = tok_lens_at(&t->lens, word + at, len - at, symbol, lens);
    // All are asked for before the first is looked at: nearly every one is a miss of the cache.
    for (unsigned i = 0; i < n; i++) {
        hashes[i] = tok_hash(word + at, lens[i]);
        __builtin_prefetch(&t->texts.index.slots[(uint32_t)hashes[i] & t->texts.index.mask]);
    }
    // What ends inside a character leads nowhere.
    for (unsigned i = 0; i < n; i++)
        known |= offer_token(t, steps, word, at, lens[i], hashes[i]) && lens[i] == symbol;
    if (!known)
        offer(steps, at, at + symbol, t->named[TOK_UNK], t->unigram.unknown);
}

static void push_steps(struct tok_work *w, const struct step *steps, size_t len) {
    int32_t unknown = w->t->named[TOK_UNK], last = -1;
    size_t from = w->out->len;
    for (size_t at = len; at; at = steps[at].from) {
        if (steps[at].id >= 0 && !(steps[at].id == unknown && last == unknown))
            ids_push(w->out, steps[at].id);
        last = steps[at].id;
    }
    for (size_t a = from, b = w->out->len; a + 1 < b && !w->out->failed; a++) {
        int32_t id = w->out->ptr[--b];
        w->out->ptr[b] = w->out->ptr[a];
        w->out->ptr[a] = id;
    }
}

static bool best_way(struct tok_work *w, const char *word, size_t len) {
    if (len > UINT32_MAX / 2 || !buf_reserve(&w->lattice, (len + 1) * sizeof(struct step)))
        return false;
    struct step *steps = (void *)w->lattice.ptr;
    for (size_t i = 0; i <= len; i++)
        steps[i] = (struct step){i ? -DBL_MAX : 0.0, 0, w->t->named[TOK_UNK]};
    for (size_t at = 0; at < len; at += tok_symbol_len(word + at, len - at))
        take_place(w->t, steps, word, at, len);
    push_steps(w, steps, len);
    return true;
}

static bool encode_word(void *user, const char *word, size_t len) {
    struct tok_work *w = user;
    struct tok_word *slot;
    size_t from = w->out->len;
    if (tok_word_find(w, word, len, &slot))
        return true;
    if (!best_way(w, word, len))
        return false;
    tok_word_keep(w, slot, word, len, from);
    return true;
}

// Unknown characters in a row are one unknown token, across words too.
static void join_unknown(struct ids *ids, size_t from, int32_t unknown) {
    size_t n = from;
    for (size_t i = from; i < ids->len; i++)
        if (ids->ptr[i] != unknown || n == from || ids->ptr[n - 1] != unknown)
            ids->ptr[n++] = ids->ptr[i];
    ids->len = n;
}

bool tok_unigram_encode(struct tok_work *w, const char *text, size_t len, bool first) {
    (void)first;
    size_t from = w->out->len;
    bool ok = make_plain(w, text, len) &&
              (!w->text.len || tok_share_pieces(w, w->text.ptr, w->text.len, tok_each_word, encode_word));
    join_unknown(w->out, from, w->t->named[TOK_UNK]);
    return ok;
}
