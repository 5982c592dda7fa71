// SPDX-License-Identifier: MIT
// Tokenizers: text to ids and back, from the vocabulary in a GGUF file. Immutable after tok_open, shared by threads.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "gguf.h"

struct tokenizer;

// Token types as tokenizer.ggml.token_type stores them.
enum tok_type {
    TOK_NORMAL = 1,
    TOK_UNKNOWN = 2,
    TOK_CONTROL = 3,
    TOK_USER_DEFINED = 4,
    TOK_UNUSED = 5,
    TOK_BYTE = 6,
};

// A range of the text whose author may write control tokens: a template's own text, or what --special trusts.
struct tok_span {
    size_t begin, end;
};

// What to encode. User-defined tokens are matched everywhere; control tokens only where they lie inside one of the
// trusted spans (ascending, not overlapping), so data never turns into control tokens.
struct tok_input {
    const char *text;
    size_t len;
    const struct tok_span *trusted; // NULL: nothing is trusted
    size_t n_trusted;
    bool add_special;     // put BOS before and EOS behind, as the file's flags say
    bool continues;       // other ids stand before: SentencePiece puts no space in front
    const int32_t *marks; // user-defined tokens that count as control tokens here; NULL: none
    size_t n_marks;
};

// Builds the tables of the file's vocabulary; g must outlive the tokenizer. A file without a vocabulary, or with a kind
// that pith does not know, still opens: tok_kind tells, encoding is then an error and ids have no text.
bool tok_open(struct tokenizer **out, const struct gguf *g, struct err *e);
void tok_close(struct tokenizer *t); // NULL is fine

// Appends the ids of the input to *ids. Any bytes are accepted. O(n log n).
bool tok_encode(const struct tokenizer *t, const struct tok_input *in, struct ids *ids, struct err *e);

// Number of ids; 0 without a vocabulary.
size_t tok_n_vocab(const struct tokenizer *t);
// tokenizer.ggml.model and .pre as the file has them ("" when absent).
struct str tok_kind(const struct tokenizer *t);
struct str tok_pre(const struct tokenizer *t);
// A one-line warning about this vocabulary (an unknown pre-tokenizer and what is used instead), or NULL.
const char *tok_warning(const struct tokenizer *t);

enum tok_type tok_type(const struct tokenizer *t, int32_t id);
// The id whose text is exactly this, or -1.
int32_t tok_find(const struct tokenizer *t, const char *text, size_t len);
int32_t tok_bos(const struct tokenizer *t); // -1 when the file names none
int32_t tok_eos(const struct tokenizer *t);
bool tok_adds_bos(const struct tokenizer *t);
// True for every id that ends a generation: EOS, EOT, EOM as the file names them, and the usual end-of-turn texts.
bool tok_is_end(const struct tokenizer *t, int32_t id);

// Appends the bytes of one id to out. Control tokens have text only when `special` is set. These bytes may end in the
// middle of a character; SentencePiece's space marks are spaces here, a leading one included.
void tok_piece(const struct tokenizer *t, int32_t id, bool special, struct buf *out);

// Decoding as a stream: whole characters come out as soon as they are whole. Zero-initialise all but the first two.
struct tok_stream {
    const struct tokenizer *t;
    bool special;   // give control tokens their text
    bool started;   // a first piece was seen: SentencePiece drops the space that encoding put before the text
    bool continues; // set by the caller when text precedes this stream: then a leading space is kept
    char tail[4];   // an incomplete character
    unsigned n_tail;
};

// Appends what can be said now that id has come; tok_stream_end appends what is left (bytes that never became a
// character come out as they are).
void tok_stream_push(struct tok_stream *s, int32_t id, struct buf *out);
void tok_stream_end(struct tok_stream *s, struct buf *out);
