// SPDX-License-Identifier: MIT
// The inside of a tokenizer, for the files of text/ only. tok.c reads the vocabulary and the flags, tok_index.c finds
// texts, tok_special.c cuts out special tokens, and a kind (one row of tok_kinds.c) turns what lies between into ids.
//
// Texts stay in the mapped file. Everything here is made once by tok_open in the tokenizer's arena and only read later;
// what an encoding needs besides lives in struct tok_work.
#pragma once

#include "base/arena.h"

#include <string.h>

#include "text/merge.h"
#include "text/pretok.h"
#include "text/tok.h"
#include "text/tok_hash.h"

#define TOK_MAX_VOCAB (1u << 24)

// An open-addressing table of numbers below 2^31: a slot holds number + 1 in its low bits and bits of the hash above, 0
// when empty. At most 3/4 full.
struct tok_index {
    uint32_t *slots;
    uint32_t mask; // slots - 1
    unsigned id_bits;
};

// A list of strings inside the file: the text of entry i is base[start[i] .. start[i + 1] - 8), because every string of
// an array is preceded by its 8-byte length.
struct tok_texts {
    const char *base;
    uint32_t *start; // [n + 1]
    uint32_t n;
    uint32_t max_len; // of the longest
    struct tok_index index;
};

static inline struct str tok_text_at(const struct tok_texts *x, uint32_t i) {
    return (struct str){x->base + x->start[i], x->start[i + 1] - x->start[i] - 8};
}

// Steps through the slots that may hold a hash. Start with at = (uint32_t)hash; returns the entry's number, or -1.
static inline int32_t tok_index_next(const struct tok_index *x, uint64_t hash, uint32_t *at) {
    uint32_t tag = (uint32_t)(hash >> 32) >> x->id_bits;
    for (;;) {
        uint32_t slot = x->slots[*at & x->mask];
        if (!slot)
            return -1;
        (*at)++;
        if (slot >> x->id_bits == tag)
            return (int32_t)(slot & ((1u << x->id_bits) - 1)) - 1;
    }
}

// The merges of the file, "left right" each, indexed by the hashes of both halves. A merge's number is where its text
// begins, base[number], and serves as its rank: merges are listed by rank.
struct tok_merges {
    const char *base;
    struct tok_index index;
};

// Read the lists of the vocabulary and index them; of empty lists the value is all zero. Arrays that are too large, and
// texts that were chosen to collide, are errors that name the key.
bool tok_lists_open(struct tokenizer *t, const struct gguf_value *texts, const struct gguf_value *merges,
                    struct err *e);
// Indexes some of the texts: numbers[0..n), ascending.
bool tok_some_open(struct tok_index *x, struct arena *a, const struct tok_texts *texts, const uint32_t *numbers,
                   uint32_t n, struct err *e);

// Special tokens: a small table of their own, and which lengths those have that begin with a byte, longest first.
struct tok_special {
    struct tok_index index;
    uint32_t n;               // special tokens
    uint32_t max_len;         // of their texts
    uint64_t short_lens[256]; // bit L: one of L bytes, 1 <= L < 64
    uint32_t *long_lens;      // other lengths, descending
    uint32_t n_long;
    uint8_t *pairs;      // [8192] bit set of the first two bytes of those of 2 and more bytes
    bool runs_only[256]; // those that begin with this byte twice consist of nothing else
};

// Which lengths the plain tokens have that begin with certain bytes: all below TOK_LENS_START; up to TOK_LENS_HEAD
// those that the first TOK_LENS_START bytes choose, of the longer ones those that the first TOK_LENS_HEAD bytes choose.
#define TOK_LENS_START 3
#define TOK_LENS_HEAD 6
#define TOK_LENS_LONG 256 // RWKV has runs of 1 to 128 spaces
#define TOK_LENS_MAX (TOK_LENS_HEAD + 64 + TOK_LENS_LONG)
struct tok_lens {
    uint64_t *by_head; // [65536] by a hash: bit L for a token of L bytes; bit 0 for those of 64 and more
    uint8_t *by_start; // [65536] by a hash: bit n for n bytes
    uint32_t long_lens[TOK_LENS_LONG]; // lengths of 64 and more, ascending
    unsigned n_long;
};

// Unigram: the map that makes texts plain.
struct tok_unigram {
    bool stays[128];      // ASCII characters but the space that the map leaves alone where another one follows
    const uint8_t *nodes; // [n_nodes] little-endian words of a trie
    uint32_t n_nodes;
    const char *replacements; // [n_replacements] strings, each with a 0 behind
    size_t n_replacements;
    double unknown;    // the score of a character that is no token
    bool joins_spaces; // of several spaces one is kept, and none at the ends
};

enum tok_flag { TOK_ADD_BOS = 1, TOK_ADD_EOS = 2, TOK_SPACE_PREFIX = 4 };

// Ids that keys of the file name.
enum tok_named { TOK_BOS, TOK_EOS, TOK_EOT, TOK_EOM, TOK_UNK, TOK_SEP, TOK_PAD, TOK_MASK, TOK_N_NAMED };

struct tok_work;

// One kind of tokenizer.
struct tok_kind_row {
    const char *name;              // tokenizer.ggml.model
    unsigned flags;                // enum tok_flag, unless the file says otherwise
    int32_t defaults[TOK_N_NAMED]; // ids where the file names none
    bool merges;                   // the file has merges, and tokenizer.ggml.pre counts
    const char *pre;               // the pre-tokenizer whatever the file says, or NULL
    bool framed;                   // BOS and SEP are added, whatever the flags say
    bool escaped;                  // the file writes texts with escapes: \\n \\t \\r \\xHH
    bool drops_space;              // decoding drops the space that encoding puts before the text
    // Builds what the kind needs beyond the vocabulary.
    bool (*open)(struct tokenizer *t, const struct gguf *g, struct err *e);
    // Builds in *w what pays for a text of so many bytes; or NULL.
    bool (*prepare)(struct tok_work *w, size_t len);
    // Appends the ids of a stretch without special tokens. `first`: nothing but special tokens came directly before.
    bool (*encode)(struct tok_work *w, const char *text, size_t len, bool first);
    // Appends the bytes of a token that is neither special nor user-defined.
    void (*piece)(const struct tokenizer *t, int32_t id, struct buf *out);
};

const struct tok_kind_row *tok_kind_find(struct str name);

struct tokenizer {
    struct arena arena;
    const struct tok_kind_row *row; // NULL: no vocabulary, or a kind that pith does not know
    struct str kind, pre;
    const struct pretok *pretok;
    char warning[256];

    struct tok_texts texts;
    struct tok_index index;
    uint8_t *types;           // [n] enum tok_type
    struct gguf_value scores; // F32 or I32 [n], or no data
    int32_t named[TOK_N_NAMED];
    unsigned flags; // enum tok_flag
    int32_t ends[64];
    unsigned n_ends;
    struct tok_special special;
    int32_t strip_left;    // the special token that takes the white space before it, or -1
    bool strip_right;      // special tokens take the white space behind them,
    int32_t keep_right[3]; // but for these
    int32_t marks[8];      // user-defined tokens that are control tokens in what is encoded
    unsigned n_marks;

    struct tok_merges merges;
    uint64_t byte_hash[256];   // of the spelling of a byte
    int32_t byte_ids[256];     // the tokens that stand for single bytes, -1 where there is none
    bool lower, strip_accents; // WordPiece
    struct tok_lens lens;      // kinds that look for tokens at every place
    struct tok_unigram unigram;
};

// The state of one call of tok_encode, on its stack; `merge` grows and is freed at its end. Every thread has one; what
// threads share belongs to the first.
struct tok_word;
struct tok_work {
    const struct tokenizer *t;
    struct ids *out;
    struct merge merge;
    struct buf text;        // a piece in the spelling of the vocabulary
    struct buf lattice;     // Unigram and PLaMo-2: the best way to every place of a word; whitespace: a word
    struct tok_word *words; // ids of words seen before, or NULL
    uint64_t *seams;        // tok_seams.c, or NULL; shared
    uint32_t *bytes_rank;   // byte-level BPE: [65536] ranks of pairs of bytes, or NULL; shared
    bool shared;            // one of several threads
    struct err *e;
};

// Tokens that ordinary text may become.
static inline bool tok_is_plain(const struct tokenizer *t, int32_t id) {
    return t->types[id] != TOK_CONTROL && t->types[id] != TOK_UNKNOWN;
}

int32_t tok_find_hashed(const struct tokenizer *t, const struct tok_index *x, const char *text, size_t len,
                        uint64_t hash);
// The id of a text among the plain tokens, or -1.
int32_t tok_find_plain(const struct tokenizer *t, const char *text, size_t len);
float tok_score(const struct tokenizer *t, int32_t id);

// Words seen before in this text. tok_word_find appends the ids of a word and returns true, or returns false and in
// *slot what tok_word_keep needs after the ids from out->ptr[from] on were computed.
#define TOK_WORDS_MIN 4096 // bytes of text from which the memory is worth it
bool tok_words_open(struct tok_work *w);
void tok_work_free(struct tok_work *w); // all but what threads share
bool tok_word_find(struct tok_work *w, const char *word, size_t len, struct tok_word **slot);
void tok_word_keep(struct tok_work *w, struct tok_word *slot, const char *word, size_t len, size_t from);

// Calls the kind for the stretches between special tokens and appends those.
bool tok_special_open(struct tokenizer *t, struct err *e);
bool tok_special_encode(struct tok_work *w, const struct tok_input *in);

bool tok_bpe_open(struct tokenizer *t, const struct gguf *g, struct err *e);
bool tok_bpe_prepare(struct tok_work *w, size_t len);
bool tok_bpe_encode(struct tok_work *w, const char *text, size_t len, bool first);
void tok_bpe_piece(const struct tokenizer *t, int32_t id, struct buf *out);
// SentencePiece's writing, which raw BPE shares: spaces as word marks into w->text, tokens for bytes, whole characters.
bool tok_mark_spaces(struct tok_work *w, const char *text, size_t len);
void tok_find_bytes(struct tokenizer *t);
// The length that a lead byte claims, cut at the end. Nothing else is checked, as in the scheme's other programs: bytes
// that are not UTF-8 only decide where symbols begin.
static inline size_t tok_symbol_len(const char *text, size_t len) {
    static const uint8_t lens[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    return min_size(lens[(unsigned char)*text >> 4], len);
}
// Cuts a text at its seams (tok_seams.c) and calls `word` for what lies between; where tok_seams_open did not find the
// table worth it, the text is one word.
bool tok_seams_open(struct tok_work *w, size_t len);
bool tok_each_word(struct tok_work *w, const char *text, size_t len, pretok_sink *word, void *user);
// How many threads a text of so many bytes is worth.
unsigned tok_share_threads(const struct tok_work *w, size_t len);
// Encodes items[0..n) by several threads; what `encode` appends for an item must depend on the item alone.
typedef bool tok_part_fn(struct tok_work *w, const void *items, size_t from, size_t to);
bool tok_share(struct tok_work *w, unsigned n_threads, const void *items, size_t n, tok_part_fn *encode);
// The same for the pieces into which `cut` cuts a text. `encode` gets a struct tok_work.
typedef bool tok_cut_fn(struct tok_work *w, const char *text, size_t len, pretok_sink *piece, void *user);
bool tok_share_pieces(struct tok_work *w, const char *text, size_t len, tok_cut_fn *cut, pretok_sink *encode);
bool tok_spm_open(struct tokenizer *t, const struct gguf *g, struct err *e);
bool tok_spm_encode(struct tok_work *w, const char *text, size_t len, bool first);
void tok_spm_piece(const struct tokenizer *t, int32_t id, struct buf *out);
bool tok_wpm_open(struct tokenizer *t, const struct gguf *g, struct err *e);
bool tok_wpm_encode(struct tok_work *w, const char *text, size_t len, bool first);
// tok_lens_open fails when tokens have too many different lengths over 63. tok_lens_at lists the lengths worth a look
// at a place, ascending, from `first` on and up to `left`, and returns how many there are.
bool tok_lens_open(struct tokenizer *t, struct err *e);
unsigned tok_lens_at(const struct tok_lens *x, const char *text, size_t left, size_t first, uint32_t *lens);
bool tok_unigram_open(struct tokenizer *t, const struct gguf *g, struct err *e);
bool tok_unigram_encode(struct tok_work *w, const char *text, size_t len, bool first);
bool tok_rwkv_unescape(struct arena *a, struct gguf_value *texts, struct err *e);
bool tok_rwkv_open(struct tokenizer *t, const struct gguf *g, struct err *e);
bool tok_rwkv_encode(struct tok_work *w, const char *text, size_t len, bool first);
void tok_rwkv_piece(const struct tokenizer *t, int32_t id, struct buf *out);
bool tok_plamo2_open(struct tokenizer *t, const struct gguf *g, struct err *e);
bool tok_plamo2_encode(struct tok_work *w, const char *text, size_t len, bool first);
void tok_plamo2_piece(const struct tokenizer *t, int32_t id, struct buf *out);
bool tok_white_open(struct tokenizer *t, const struct gguf *g, struct err *e);
bool tok_white_encode(struct tok_work *w, const char *text, size_t len, bool first);
