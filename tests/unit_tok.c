// SPDX-License-Identifier: MIT
// Tests of the tokenizers on vocabularies made here: what every kind must do with special tokens, with bytes that are
// no text, with long inputs and with vocabularies that nobody should have written. Agreement on real vocabularies is
// the business of tests/conform/vocab.py.
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#include "tests/gguf_write.h"
#include "text/tok.h"
#include "text/unicode.h"

#define KEY(name) "tokenizer.ggml." name
#define MARK "\xE2\x96\x81"

struct vocabulary {
    const char *kind, *pre;
    const char **texts;
    int32_t *types;
    float *scores;
    size_t n, cap;
    const char *const *merges;
    size_t n_merges;
};

static int32_t add(struct vocabulary *v, const char *text, enum tok_type type, float score) {
    if (v->n == v->cap) {
        v->cap = v->cap ? 2 * v->cap : 512;
        v->texts = realloc(v->texts, v->cap * sizeof *v->texts);
        v->types = realloc(v->types, v->cap * sizeof *v->types);
        v->scores = realloc(v->scores, v->cap * sizeof *v->scores);
    }
    v->texts[v->n] = text;
    v->types[v->n] = (int32_t)type;
    v->scores[v->n] = score;
    return (int32_t)v->n++;
}

static void forget(struct vocabulary *v) {
    free(v->texts);
    free(v->types);
    free(v->scores);
}

// A tokenizer with the file that it lives in.
struct opened {
    struct buf bytes;
    struct gguf *file;
    struct tokenizer *tok;
    struct err e;
};

static void write_vocabulary(struct gguf_writer *w, const struct vocabulary *v) {
    gguf_write_str(w, KEY("model"), v->kind);
    if (v->pre)
        gguf_write_str(w, KEY("pre"), v->pre);
    gguf_write_strs(w, KEY("tokens"), v->texts, v->n);
    gguf_write_array(w, KEY("token_type"), GGUF_I32, v->n, v->types, v->n * 4);
    gguf_write_array(w, KEY("scores"), GGUF_F32, v->n, v->scores, v->n * 4);
    if (v->merges)
        gguf_write_strs(w, KEY("merges"), v->merges, v->n_merges);
}

static bool open_written(struct opened *o, struct gguf_writer *w) {
    *o = (struct opened){0};
    return gguf_write_end(w, &o->bytes) && gguf_parse(&o->file, o->bytes.ptr, o->bytes.len, "test", &o->e) &&
           tok_open(&o->tok, o->file, &o->e);
}

static void close_opened(struct opened *o) {
    tok_close(o->tok);
    gguf_close(o->file);
    buf_free(&o->bytes);
}

static bool open_vocabulary(struct opened *o, const struct vocabulary *v) {
    struct gguf_writer w = {0};
    write_vocabulary(&w, v);
    return CHECK_CALL(open_written(o, &w), &o->e);
}

static void ids_text(const struct ids *ids, struct buf *out) {
    out->len = 0;
    for (size_t i = 0; i < ids->len; i++)
        buf_printf(out, "%s%d", i ? " " : "", ids->ptr[i]);
    buf_char(out, '\0');
}

// The ids of a text, written out, against those wanted. `trust`: control tokens may be read from the whole text.
static void check_ids(const struct opened *o, const char *text, bool trust, bool special, const char *wanted) {
    struct err e = {0};
    struct ids ids = {0};
    struct buf got = {0};
    struct tok_span all = {0, strlen(text)};
    struct tok_input in = {
        .text = text, .len = strlen(text), .trusted = trust ? &all : NULL, .n_trusted = trust, .add_special = special};
    CHECK_CALL(tok_encode(o->tok, &in, &ids, &e), &e);
    ids_text(&ids, &got);
    CHECK_MSG(!strcmp(got.ptr, wanted), "'%s' gave %s, wanted %s", text, got.ptr, wanted);
    ids_free(&ids);
    buf_free(&got);
}

// The GPT-2 alphabet for all bytes, in the order of the bytes: id b is byte b.
static void add_bytes(struct vocabulary *v, char (*spelled)[3]) {
    uint32_t next = 256;
    for (uint32_t b = 0; b < 256; b++) {
        bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        uint32_t c = printable ? b : next++;
        spelled[b][0] = (char)(c < 0x80 ? c : 0xC0 | c >> 6);
        spelled[b][1] = (char)(c < 0x80 ? 0 : 0x80 | (c & 0x3F));
        spelled[b][2] = 0;
        add(v, spelled[b], TOK_NORMAL, 0);
    }
}

#define SPACE "\xC4\xA0" // the character that stands for it

static const char *const merges[] = {"a b", "ab c", "b c", SPACE " a", SPACE " ab", "a a", "aa aa"};

static bool open_bpe(struct opened *o) {
    static char spelled[256][3];
    struct vocabulary v = {.kind = "gpt2", .pre = "gpt-2", .merges = merges, .n_merges = ARRAY_LEN(merges)};
    add_bytes(&v, spelled);
    add(&v, "ab", TOK_NORMAL, 0);            // 256
    add(&v, "abc", TOK_NORMAL, 0);           // 257
    add(&v, SPACE "a", TOK_NORMAL, 0);       // 258
    add(&v, SPACE "ab", TOK_NORMAL, 0);      // 259
    add(&v, "aa", TOK_NORMAL, 0);            // 260
    add(&v, "aaaa", TOK_NORMAL, 0);          // 261
    add(&v, "<|im_end|>", TOK_NORMAL, 0);    // 262: becomes control, and ends
    add(&v, "<tool>", TOK_USER_DEFINED, 0);  // 263
    add(&v, "<tool><tool>", TOK_CONTROL, 0); // 264
    add(&v, "<s>", TOK_CONTROL, 0);          // 265
    struct gguf_writer w = {0};
    write_vocabulary(&w, &v);
    gguf_write_u32(&w, KEY("bos_token_id"), 265);
    gguf_write_u32(&w, KEY("eos_token_id"), 100000); // out of range: as if absent
    gguf_write_bool(&w, KEY("add_bos_token"), true);
    bool ok = CHECK_CALL(open_written(o, &w), &o->e);
    forget(&v);
    return ok;
}

static void test_bpe(void) {
    struct opened o;
    test_case("tok: byte-level BPE merges by rank, special tokens where they are trusted");
    if (!open_bpe(&o))
        return;
    check_ids(&o, "", false, false, "");
    check_ids(&o, "", false, true, "265");
    check_ids(&o, "abc", false, false, "257");
    check_ids(&o, "bc abc", false, false, "98 99 32 257");
    check_ids(&o, "aaaaaaa", false, false, "261 260 97");
    check_ids(&o, "ab<|im_end|>ab", true, false, "256 262 256");
    check_ids(&o, "ab<s>", true, true, "265 256 265");
    check_ids(&o, "a<tool>b", false, false, "97 263 98");
    check_ids(&o, "<tool><tool>", false, false, "263 263");
    check_ids(&o, "<tool><tool>", true, false, "264");
    CHECK(tok_is_end(o.tok, 262));
    CHECK_INT(tok_type(o.tok, 262), TOK_CONTROL);
    CHECK_INT(tok_bos(o.tok), 265);
    CHECK_INT(tok_eos(o.tok), 11); // the kind's own
    CHECK(tok_warning(o.tok) == NULL);
    close_opened(&o);
}

// No control token comes out of text that is not trusted, and one that reaches over the end of a trusted span is text.
static void test_trust(void) {
    struct opened o;
    test_case("tok: text outside the trusted spans never becomes a control token");
    if (!open_bpe(&o))
        return;
    const char *text = "<s>ab<s><|im_end|><s>";
    struct tok_span spans[] = {{0, 3}, {5, 7}, {18, 21}};
    struct tok_input in = {.text = text, .len = strlen(text), .trusted = spans, .n_trusted = ARRAY_LEN(spans)};
    struct ids ids = {0};
    CHECK_CALL(tok_encode(o.tok, &in, &ids, &o.e), &o.e);
    size_t n_control = 0;
    for (size_t i = 0; i < ids.len; i++)
        n_control += tok_type(o.tok, ids.ptr[i]) == TOK_CONTROL;
    CHECK_INT(n_control, 2);
    CHECK_INT(ids.ptr[0], 265);
    CHECK_INT(ids.ptr[ids.len - 1], 265);
    ids_free(&ids);
    check_ids(&o, "<s>", false, false, "60 115 62");
    close_opened(&o);
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

// decode(encode(x)) = x, at once and as a stream of whole characters.
static void test_round_trip(void) {
    struct opened o;
    test_case("tok: random bytes survive encoding and decoding");
    if (!open_bpe(&o))
        return;
    uint32_t state = 7;
    for (unsigned round = 0; round < 300; round++) {
        char text[300];
        size_t n = next_random(&state) % sizeof text;
        for (size_t i = 0; i < n; i++)
            text[i] = round & 1 ? (char)next_random(&state) : "ab c\n\xF0\x9F\x98\x80"[next_random(&state) % 9];
        struct ids ids = {0};
        struct buf out = {0};
        struct tok_input in = {.text = text, .len = n};
        struct tok_stream s = {.t = o.tok};
        CHECK_CALL(tok_encode(o.tok, &in, &ids, &o.e), &o.e);
        for (size_t i = 0; i < ids.len; i++)
            tok_stream_push(&s, ids.ptr[i], &out);
        tok_stream_end(&s, &out);
        CHECK_MSG(out.len == n && (!n || !memcmp(out.ptr, text, n)), "round %u: %zu bytes became %zu", round, n,
                  out.len);
        ids_free(&ids);
        buf_free(&out);
    }
    close_opened(&o);
}

static void test_stream(void) {
    struct opened o;
    test_case("tok: a stream gives whole characters");
    if (!open_bpe(&o))
        return;
    struct tok_stream s = {.t = o.tok};
    struct buf out = {0};
    static const struct {
        int32_t id;
        size_t len; // of the output afterwards
    } steps[] = {{0xF0, 0}, {0x9F, 0}, {0x98, 0}, {0x80, 4}, {0xE2, 4}, {'a', 6}, {0xC3, 6}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        tok_stream_push(&s, steps[i].id, &out);
        CHECK_INT(out.len, steps[i].len);
    }
    tok_stream_end(&s, &out);
    CHECK(out.len == 7 && !memcmp(out.ptr,
                                  "\xF0\x9F\x98\x80\xE2"
                                  "a\xC3",
                                  7));
    buf_free(&out);
    close_opened(&o);
}

static bool open_spm(struct opened *o) {
    struct vocabulary v = {.kind = "llama"};
    static char bytes[256][7];
    add(&v, "<unk>", TOK_UNKNOWN, 0); // 0
    add(&v, "<s>", TOK_CONTROL, 0);
    add(&v, "</s>", TOK_CONTROL, 0);
    for (unsigned b = 0; b < 256; b++) { // 3 + b
        static const char hex[] = "0123456789ABCDEF";
        memcpy(bytes[b], "<0x00>", 7);
        bytes[b][3] = hex[b >> 4];
        bytes[b][4] = hex[b & 15];
        add(&v, bytes[b], TOK_BYTE, 0);
    }
    add(&v, MARK, TOK_NORMAL, -1); // 259
    add(&v, "a", TOK_NORMAL, -2);
    add(&v, "b", TOK_NORMAL, -3);
    add(&v, "ab", TOK_NORMAL, -1);          // 262
    add(&v, MARK "a", TOK_NORMAL, -1.5f);   // 263
    add(&v, MARK "ab", TOK_NORMAL, -4);     // 264
    add(&v, MARK MARK, TOK_NORMAL, -0.5f);  // 265
    add(&v, "a" MARK "b", TOK_NORMAL, -9);  // 266: joins words
    add(&v, "b" MARK, TOK_NORMAL, -0.25f);  // 267
    add(&v, "<tool>", TOK_USER_DEFINED, 0); // 268
    bool ok = open_vocabulary(o, &v);
    forget(&v);
    return ok;
}

static void test_spm(void) {
    struct opened o;
    test_case("tok: SentencePiece merges the best score, across words too, and falls back to bytes");
    if (!open_spm(&o))
        return;
    check_ids(&o, "", false, true, "1");
    check_ids(&o, "ab", false, false, "264");
    check_ids(&o, "ab", false, true, "1 264");
    check_ids(&o, "  ab", false, false, "265 264");
    check_ids(&o, "ab ab", false, false, "263 267 262");
    check_ids(&o, "\xC3\xA9", false, false, "259 198 172");
    check_ids(&o, "<s>a", false, false, "259 63 118 65 260");
    check_ids(&o, "<s>a", true, false, "1 263");
    struct tok_stream s = {.t = o.tok};
    struct buf out = {0};
    tok_stream_push(&s, 264, &out);
    tok_stream_push(&s, 264, &out);
    CHECK(out.len == 5 && !memcmp(out.ptr, "ab ab", 5));
    buf_free(&out);
    close_opened(&o);
}

static const unsigned char map[] = {
    // A trie of 104 nodes that replaces "A" and "BBB" by "ab": the root's base is 0, 'A' is node 65, its leaf stands at
    // 65 ^ 2; the three 'B' are nodes 66, 80 and 90, their leaf stands at 92.
    104 * 4 % 256,
    104 * 4 / 256,
    0,
    0,
};

static size_t write_map(unsigned char *out) {
    memset(out, 0, 4 + 104 * 4 + 4);
    memcpy(out, map, sizeof map);
    const struct {
        uint32_t at, node;
    } nodes[] = {{65, 2 << 10 | 0x100 | 'A'},       {65 ^ 2, 0x80000000u | 1},           {66, 80 << 10 | 'B'},
                 {80, (80 ^ 'B' ^ 90) << 10 | 'B'}, {90, (90 ^ 92) << 10 | 0x100 | 'B'}, {92, 0x80000000u | 1}};
    for (size_t n = 0; n < ARRAY_LEN(nodes); n++)
        for (unsigned i = 0; i < 4; i++)
            out[4 + nodes[n].at * 4 + i] = (unsigned char)(nodes[n].node >> 8 * i);
    memcpy(out + 4 + 104 * 4, "\0ab", 4);
    return 4 + 104 * 4 + 4;
}

static bool open_unigram(struct opened *o, const void *bytes, size_t size) {
    struct vocabulary v = {.kind = "t5"};
    struct gguf_writer w = {0};
    add(&v, "<pad>", TOK_CONTROL, 0); // 0
    add(&v, "</s>", TOK_CONTROL, 0);
    add(&v, "<unk>", TOK_UNKNOWN, 0);
    add(&v, MARK, TOK_NORMAL, -2); // 3
    add(&v, "a", TOK_NORMAL, -3);
    add(&v, "b", TOK_NORMAL, -3);
    add(&v, "ab", TOK_NORMAL, -5);        // 6
    add(&v, MARK "a", TOK_NORMAL, -3.5f); // 7
    add(&v, "bbbbbb", TOK_NORMAL, -4);    // 8
    add(&v, "aabbaa", TOK_UNUSED, -1);    // 9
    write_vocabulary(&w, &v);
    gguf_write_bool(&w, KEY("add_space_prefix"), true);
    gguf_write_bool(&w, KEY("remove_extra_whitespaces"), true);
    if (size)
        gguf_write_array(&w, KEY("precompiled_charsmap"), GGUF_U8, size, bytes, size);
    forget(&v);
    return open_written(o, &w);
}

static void test_unigram(void) {
    struct opened o;
    unsigned char bytes[600];
    size_t size = write_map(bytes);
    test_case("tok: Unigram takes the best sum of scores, one unknown for several, spaces as the flags say");
    if (CHECK_CALL(open_unigram(&o, bytes, size), &o.e)) {
        check_ids(&o, "", false, true, "1");
        check_ids(&o, "  ", false, false, "");
        check_ids(&o, "ab", false, true, "7 5 1");
        check_ids(&o, " ab  aab ", false, false, "7 5 7 6");
        check_ids(&o, "Ax", false, false, "7 5 2");
        check_ids(&o, "aBBBa", false, false, "7 6 4");
        check_ids(&o, "xy\xFFz", false, false, "3 2");
        check_ids(&o, "bbbbbbb", false, false, "3 5 8");
        check_ids(&o, "aabbaa", false, false, "3 9");
        check_ids(&o, "a</s>", true, false, "7 1");
    }
    close_opened(&o);
    test_case("tok: a character map that does not fit is refused, one that points nowhere does nothing");
    bytes[1] = 2;
    CHECK_FAILS(open_unigram(&o, bytes, size), &o.e, ERR_INPUT, "precompiled_charsmap");
    close_opened(&o);
    CHECK_FAILS(open_unigram(&o, bytes, 3), &o.e, ERR_INPUT, "precompiled_charsmap");
    close_opened(&o);
    write_map(bytes);
    memset(bytes + 4 + 65 * 4, 0xFF, 3);
    bytes[4 + 65 * 4] = 'A';
    bytes[4 + 65 * 4 + 3] = 0x7F;
    if (CHECK_CALL(open_unigram(&o, bytes, size), &o.e))
        check_ids(&o, "A", false, false, "3 2");
    close_opened(&o);
}

// A long piece goes another way than a short one: pieces around the border and far above give the ids that merging
// "the lowest rank, leftmost first" step by step gives, here known in closed form.
static void test_long(void) {
    struct opened o;
    test_case("tok: long pieces give what short ones give");
    if (!open_bpe(&o))
        return;
    for (size_t n = 1; n < 20000; n = n < 70 ? n + 1 : n * 3) {
        char *text = malloc(n);
        memset(text, 'a', n);
        struct ids ids = {0};
        struct tok_input in = {.text = text, .len = n};
        CHECK_CALL(tok_encode(o.tok, &in, &ids, &o.e), &o.e);
        CHECK_INT(ids.len, n / 4 + n % 4 / 2 + n % 2);
        for (size_t i = 0; i < ids.len; i++)
            CHECK_INT(ids.ptr[i], i < n / 4 ? 261 : n % 4 >= 2 && i == n / 4 ? 260 : 97);
        ids_free(&ids);
        free(text);
    }
    close_opened(&o);
}

static void encode_more(struct opened *o, const char *text, size_t len, struct ids *ids) {
    struct tok_input in = {.text = text, .len = len};
    CHECK_CALL(tok_encode(o->tok, &in, ids, &o->e), &o->e);
}

// A text that is long enough for several threads, and for the tables that long texts get, has the ids of its parts:
// `parts` of them, with `between` behind each.
static void check_parts(struct opened *o, size_t parts, const char *alphabet, const char *between) {
    struct buf text = {0};
    struct ids whole = {0}, pieces = {0};
    uint32_t state = 11;
    for (size_t i = 0; i < parts; i++) {
        size_t from = text.len;
        for (size_t n = 1 + next_random(&state) % 40; n; n--)
            buf_char(&text, alphabet[next_random(&state) % strlen(alphabet)]);
        if (*between == ' ')
            text.ptr[from] = ' ';
        encode_more(o, text.ptr + from, text.len - from, &pieces);
        if (*between != ' ') {
            encode_more(o, between, strlen(between), &pieces);
            buf_str(&text, between);
        }
    }
    CHECK(text.len > (1 << 20));
    encode_more(o, text.ptr, text.len, &whole);
    CHECK_INT(whole.len, pieces.len);
    CHECK(whole.len == pieces.len && !memcmp(whole.ptr, pieces.ptr, whole.len * sizeof *whole.ptr));
    ids_free(&whole);
    ids_free(&pieces);
    buf_free(&text);
}

static void test_threads(void) {
    struct opened o;
    test_case("tok: a long text has the ids of its parts");
    if (open_bpe(&o)) {
        check_parts(&o, 100000, "abcab", " ");
        check_parts(&o, 60000, "abc aa\n\xC3\xA9", "<tool>");
        close_opened(&o);
    }
    if (open_spm(&o)) {
        check_parts(&o, 60000, "ab ab  c\xC3\xA9", "<tool>");
        close_opened(&o);
    }
}

static void test_overlap(void) {
    struct opened o;
    static char spelled[256][3];
    struct vocabulary v = {.kind = "gpt2", .pre = "gpt-2", .merges = merges, .n_merges = 0};
    test_case("tok: of special tokens that overlap the longest counts");
    add_bytes(&v, spelled);
    add(&v, "xxx", TOK_USER_DEFINED, 0);  // 256
    add(&v, "xx", TOK_USER_DEFINED, 0);   // 257
    add(&v, "xy", TOK_USER_DEFINED, 0);   // 258
    add(&v, "yzzz", TOK_USER_DEFINED, 0); // 259
    if (open_vocabulary(&o, &v)) {
        check_ids(&o, "xxxxx", false, false, "256 257");
        check_ids(&o, "xxxxy", false, false, "256 258");
        check_ids(&o, "xxyzzz", false, false, "257 259");
        check_ids(&o, "xyzz", false, false, "258 122 122");
        check_ids(&o, "axxxyzzzb", false, false, "97 256 259 98");
        close_opened(&o);
    }
    forget(&v);
}

// Vocabularies that are wrong: an error that names the key, or an open tokenizer that does something defined.
static void test_hostile(void) {
    struct opened o;
    struct gguf_writer w = {0};
    static const char *const few[] = {"a", "", "a", "b", "<|im_end|>"};
    static const char *const bad_merges[] = {"", " ", "a", "a ", " a", "a  b", "x y", "a b"};
    static const int32_t types[] = {1, 1, 99, -1, 3};
    test_case("tok: token types must cover the vocabulary");
    gguf_write_str(&w, KEY("model"), "llama");
    gguf_write_strs(&w, KEY("tokens"), few, ARRAY_LEN(few));
    gguf_write_array(&w, KEY("token_type"), GGUF_I32, 2, types, 8);
    CHECK_FAILS(open_written(&o, &w), &o.e, ERR_INPUT, "token_type");
    close_opened(&o);

    test_case("tok: scores must be numbers");
    w = (struct gguf_writer){0};
    gguf_write_str(&w, KEY("model"), "llama");
    gguf_write_strs(&w, KEY("tokens"), few, ARRAY_LEN(few));
    gguf_write_strs(&w, KEY("scores"), few, ARRAY_LEN(few));
    CHECK_FAILS(open_written(&o, &w), &o.e, ERR_INPUT, "scores");
    close_opened(&o);

    test_case("tok: a vocabulary of a known kind needs tokens");
    w = (struct gguf_writer){0};
    gguf_write_str(&w, KEY("model"), "llama");
    CHECK_FAILS(open_written(&o, &w), &o.e, ERR_INPUT, "tokens");
    close_opened(&o);

    test_case("tok: duplicates, empty texts and broken merges do no harm");
    w = (struct gguf_writer){0};
    gguf_write_str(&w, KEY("model"), "gpt2");
    gguf_write_strs(&w, KEY("tokens"), few, ARRAY_LEN(few));
    gguf_write_array(&w, KEY("token_type"), GGUF_I32, ARRAY_LEN(types), types, sizeof types);
    gguf_write_strs(&w, KEY("merges"), bad_merges, ARRAY_LEN(bad_merges));
    if (CHECK_CALL(open_written(&o, &w), &o.e)) {
        CHECK(tok_warning(o.tok) != NULL);
        check_ids(&o, "ab a<|im_end|>", false, true, "2 3 2");
        struct buf out = {0};
        for (int32_t id = -3; id < 9; id++)
            tok_piece(o.tok, id, true, &out);
        buf_free(&out);
    }
    close_opened(&o);

    test_case("tok: an unknown kind opens and refuses to encode");
    w = (struct gguf_writer){0};
    gguf_write_str(&w, KEY("model"), "nobody-knows");
    gguf_write_strs(&w, KEY("tokens"), few, ARRAY_LEN(few));
    if (CHECK_CALL(open_written(&o, &w), &o.e)) {
        struct ids ids = {0};
        struct tok_input in = {.text = "a", .len = 1};
        CHECK_INT(tok_n_vocab(o.tok), 5);
        CHECK_FAILS(tok_encode(o.tok, &in, &ids, &o.e), &o.e, ERR_INPUT, "nobody-knows");
        CHECK_INT(tok_find(o.tok, "a", 1), -1);
    }
    close_opened(&o);
}

static void test_collisions(void) {
    struct opened o;
    struct gguf_writer w = {0};
    size_t n = 20000;
    const char **same = malloc(n * sizeof *same);
    test_case("tok: a vocabulary of one text many times over is refused, not crawled through");
    for (size_t i = 0; i < n; i++)
        same[i] = "same";
    gguf_write_str(&w, KEY("model"), "llama");
    gguf_write_strs(&w, KEY("tokens"), same, n);
    CHECK_FAILS(open_written(&o, &w), &o.e, ERR_INPUT, "tokens");
    close_opened(&o);
    free(same);
}

static void test_classes(void) {
    static const struct {
        uint32_t code;
        enum uni_class class;
    } known[] = {
        {'A', UNI_LU},    {'z', UNI_LL},    {'5', UNI_ND},    {' ', UNI_ZS},      {'\n', UNI_CW},    {0x85, UNI_CW},
        {0xA0, UNI_ZS},   {0xBD, UNI_NO},   {0x2B0, UNI_LM},  {0x301, UNI_MN},    {0x2028, UNI_ZL},  {0x3042, UNI_LO},
        {0x4E00, UNI_LO}, {0xAC00, UNI_LO}, {0xD800, UNI_CS}, {0xE000, UNI_CO},   {0x1F600, UNI_SO}, {0x20000, UNI_LO},
        {0x378, UNI_CN},  {0x1C5, UNI_LT},  {0x2160, UNI_NL}, {0x10FFFF, UNI_CN}, {0x2EBF0, UNI_LO},
    };
    test_case("tok: classes of characters");
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        CHECK_MSG(uni_class(known[i].code) == known[i].class, "U+%04X is %d", known[i].code, uni_class(known[i].code));
    for (uint32_t c = 0; c < 128; c++)
        CHECK_MSG(uni_ascii_bit[c] == UNI_BIT(uni_class(c)), "U+%04X differs between the tables", c);
}

void unit_tok(void) {
    test_classes();
    test_bpe();
    test_trust();
    test_round_trip();
    test_stream();
    test_spm();
    test_unigram();
    test_long();
    test_threads();
    test_overlap();
    test_hostile();
    test_collisions();
}
