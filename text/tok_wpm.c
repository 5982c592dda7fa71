// SPDX-License-Identifier: MIT
// WordPiece (kind bert): the text is made plain (lower case and without accents, as the file says), cut into words at
// white space, punctuation and Chinese characters, and each word is covered by the longest tokens from its beginning. A
// word that cannot be covered is one unknown token.
#include "text/tok_impl.h"

#include "base/utf8.h"
#include "text/unicode.h"

#define MARK "\xE2\x96\x81" // U+2581 stands before every word
#define MARK_LEN 3
#define PIECE_MIN 4096 // bytes

bool tok_wpm_open(struct tokenizer *t, const struct gguf *g, struct err *e) {
    t->lower = true;
    ERR_FORWARD(gguf_get_bool(g, "tokenizer.ggml.normalizer.lowercase", false, &t->lower, e));
    t->strip_accents = t->lower;
    return gguf_get_bool(g, "tokenizer.ggml.normalizer.strip_accents", false, &t->strip_accents, e);
}

// Ideographs that are words of their own. The fifth range begins where the original program has it.
static bool is_chinese(uint32_t c) {
    static const uint32_t ranges[][2] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                         {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
                                         {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

// Appends the ids of a word, which begins with the mark.
static void cover_word(struct tok_work *w, const char *word, size_t len) {
    size_t from = w->out->len, at = 0;
    while (at < len) {
        size_t n = min_size(len - at, w->t->texts.max_len);
        int32_t id = -1;
        for (; n > 0 && (id = tok_find_plain(w->t, word + at, n)) < 0; n--)
            ;
        if (id < 0)
            break;
        ids_push(w->out, id);
        at += n;
    }
    if (at < len) {
        w->out->len = from;
        if (w->t->named[TOK_UNK] >= 0)
            ids_push(w->out, w->t->named[TOK_UNK]);
    }
}

// Appends the ids of the word in w->text and empties it.
static void end_word(struct tok_work *w) {
    const char *word = w->text.ptr;
    size_t len = w->text.len, from = w->out->len;
    struct tok_word *slot;
    w->text.len = 0;
    if (len <= MARK_LEN || tok_word_find(w, word, len, &slot))
        return;
    cover_word(w, word, len);
    tok_word_keep(w, slot, word, len, from);
}

static void add_char(struct tok_work *w, uint32_t code) {
    char text[4];
    if (!w->text.len)
        buf_append(&w->text, MARK, MARK_LEN);
    buf_append(&w->text, text, utf8_encode(code, text));
}

static void take_char(struct tok_work *w, uint32_t code, uint32_t bit) {
    const struct tokenizer *t = w->t;
    if (bit & UNI_SPACE) {
        end_word(w);
        return;
    }
    if (!code || code == 0xFFFD || bit & UNI_C || (t->strip_accents && bit & UNI_M))
        return;
    bool alone = bit & UNI_P || (code < 0x7F && bit & UNI_S) || is_chinese(code);
    if (alone)
        end_word(w);
    add_char(w, t->lower ? uni_to_lower(code) : code);
    if (alone)
        end_word(w);
}

static bool encode_piece(void *user, const char *text, size_t len) {
    struct tok_work *w = user;
    w->text.len = 0;
    for (size_t at = 0; at < len;) {
        struct uni_char c = uni_char_at(text, at, len);
        uint32_t code = w->t->strip_accents ? uni_base(c.code) : c.code;
        take_char(w, code, code == c.code ? c.bit : UNI_BIT(uni_class(code)));
        at += c.len;
    }
    end_word(w);
    return !w->text.failed;
}

// Pieces of some thousand bytes that begin at a space or an ASCII character that is a word of its own.
static bool cut(struct tok_work *w, const char *text, size_t len, pretok_sink *piece, void *user) {
    (void)w;
    size_t begin = 0;
    for (size_t at = PIECE_MIN; at < len; at++) {
        if (text[at] & 0x80 || !(UNI_BIT(uni_class((unsigned char)text[at])) & (UNI_SPACE | UNI_P | UNI_S)))
            continue;
        if (!piece(user, text + begin, at - begin))
            return false;
        begin = at;
        at += PIECE_MIN;
    }
    return piece(user, text + begin, len - begin);
}

bool tok_wpm_encode(struct tok_work *w, const char *text, size_t len, bool first) {
    (void)first;
    return tok_share_pieces(w, text, len, cut, encode_piece);
}
