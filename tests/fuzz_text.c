// SPDX-License-Identifier: MIT
// Fuzzing what reads texts: templates, JSON, and tokenizers. The first byte says which: 1 JSON, 2 a text for one of the
// vocabularies made here, 3 a GGUF file whose vocabulary is opened and used; anything else begins a template, and a
// context in JSON may stand behind a 0. Everything may fail in any way it likes, as long as it says so, comes to an
// end, and keeps what the headers promise.
#include "base/json.h"
#include "tests/gguf_write.h"
#include "text/jinja.h"
#include "text/tok.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char context[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be \\u00e9 nice <|im_end|>.\"},{\"role\":\"user\",\"content\":"
    "[{\"type\":\"text\",\"text\":\"Hi\"}]},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":"
    "{\"name\":\"f\",\"arguments\":{\"x\":1,\"y\":2.5}}}]}],\"tools\":[{\"function\":{\"name\":\"f\"}}],\"n\":3,"
    "\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"add_generation_prompt\":true,\"none\":null}";

static void require(bool ok) {
    if (!ok)
        abort();
}

static void require_line(const struct err *e) {
    require(e->class != ERR_NONE && e->text[0] && !strchr(e->text, '\n'));
}

static void render(struct str source, struct str variables) {
    struct err e = {0};
    struct json_doc doc = {0};
    struct chat_text text = {0};
    if (!json_parse(&doc, variables, "context", 1, &e)) {
        require_line(&e);
        return;
    }
    bool ok = jinja_render(source, &doc.root, "2026-01-02T03:04:05", &text, &e);
    if (!ok)
        require_line(&e);
    const struct tok_span *spans = text.trusted.ptr;
    for (size_t i = 0; ok && i < text.trusted.n; i++) {
        require(spans[i].begin < spans[i].end && spans[i].end <= text.text.len);
        require(!i || spans[i - 1].end < spans[i].begin);
    }
    chat_text_free(&text);
    json_free(&doc);
}

static void write_value(struct json_writer *w, const struct json *v) {
    if (v->type == JSON_STR)
        json_str(w, v->text);
    else if (v->type == JSON_INT)
        json_int(w, v->integer);
    else if (v->type == JSON_FLOAT)
        json_float(w, v->number);
    else if (v->type != JSON_ARRAY)
        json_null(w);
    if (v->type != JSON_ARRAY)
        return;
    json_begin(w, '[');
    for (size_t i = 0; i < v->n; i++)
        write_value(w, &v->items[i]);
    json_end(w, ']');
}

// What was read and written is read and written again the same.
static void read_json(struct str text, unsigned again) {
    struct err e = {0};
    struct json_doc doc;
    struct buf out = {0};
    if (!json_parse(&doc, text, "json", 1, &e)) {
        require(again < 2);
        require_line(&e);
        return;
    }
    write_value(&(struct json_writer){.out = &out}, &doc.root);
    json_free(&doc);
    require(again < 2 || (out.len == text.len && !memcmp(out.ptr, text.ptr, out.len)));
    if (again < 2)
        read_json((struct str){out.ptr, out.len}, again + 1);
    buf_free(&out);
}

static const char *const kinds[][2] = {{"gpt2", "llama-bpe"},
                                       {"gpt2", "deepseek-v3"},
                                       {"gpt2", "gpt-4o"},
                                       {"gpt2", "superbpe"},
                                       {"gpt2", "afmoe"},
                                       {"llama", ""},
                                       {"gemma4", ""},
                                       {"bert", ""},
                                       {"t5", ""},
                                       {"rwkv", ""},
                                       {"plamo2", ""},
                                       {"whitespace", "whitespace"}};

struct opened {
    struct buf bytes;
    struct gguf *file;
    struct tokenizer *tok;
};

static size_t spell(unsigned b, char *out) {
    bool printable = (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD);
    unsigned code = printable ? b : b <= 0x20 ? 0x100 + b : b <= 0xA0 ? 0x121 + b - 0x7F : 0x143;
    return (size_t)(code < 0x80 ? sprintf(out, "%c", code)
                                : sprintf(out, "%c%c", 0xC0 | code >> 6, 0x80 | (code & 63)));
}

// One list of tokens for all kinds: bytes in every spelling, some words, some special tokens.
static bool open_kind(struct opened *o, const char *const kind[2]) {
    static const char *const words[] = {"<unk>",
                                        "<s>",
                                        "</s>",
                                        "<|im_end|>",
                                        "<tool>",
                                        "<tool>s",
                                        "\xE2\x96\x81",
                                        "\xE2\x96\x81"
                                        "a",
                                        "ab",
                                        "abc",
                                        "  ",
                                        "\xC3\xA9",
                                        "\xE6\x97\xA5",
                                        "\xC4\xA0"
                                        "a",
                                        "\n\n",
                                        "\xE2\x96\x81\xE2\x96\x81",
                                        "##a",
                                        "\xC3\x83\xC2\xA9"};
    static const char *const merges[] = {"a b", "ab c", "\xC4\xA0 a", "\xE2\x96\x81 a", "\xC3\x83 \xC2\xA9", "\n \n"};
    static char spelled[768][8];
    const char *texts[768 + ARRAY_LEN(words)];
    int32_t types[ARRAY_LEN(texts)] = {2, 3, 3, 3, 4, 4};
    float scores[ARRAY_LEN(texts)] = {0};
    struct gguf_writer w = {0};
    struct err e = {0};
    size_t n = ARRAY_LEN(words);
    memcpy(texts, words, sizeof words);
    for (size_t i = 6; i < n; i++)
        types[i] = 1;
    for (unsigned i = 0; i < 768; i++, n++) {
        texts[n] = spelled[i];
        types[n] = i < 256 ? 6 : 1;
        scores[n] = -(float)(i % 7);
        if (i < 512)
            snprintf(spelled[i], sizeof *spelled, i < 256 ? "<0x%02X>" : "\\x%02x", i % 256);
        else
            spell(i % 256, spelled[i]);
    }
    gguf_write_str(&w, "tokenizer.ggml.model", kind[0]);
    gguf_write_str(&w, "tokenizer.ggml.pre", kind[1]);
    gguf_write_strs(&w, "tokenizer.ggml.tokens", texts, n);
    gguf_write_array(&w, "tokenizer.ggml.token_type", GGUF_I32, n, types, n * 4);
    gguf_write_array(&w, "tokenizer.ggml.scores", GGUF_F32, n, scores, n * 4);
    gguf_write_u32(&w, "tokenizer.ggml.unknown_token_id", 0);
    gguf_write_u32(&w, "tokenizer.ggml.bos_token_id", 1);
    gguf_write_u32(&w, "tokenizer.ggml.eos_token_id", 2);
    gguf_write_strs(&w, "tokenizer.ggml.merges", merges, ARRAY_LEN(merges));
    return gguf_write_end(&w, &o->bytes) && gguf_parse(&o->file, o->bytes.ptr, o->bytes.len, "fuzz", &e) &&
           tok_open(&o->tok, o->file, &e);
}

// Untrusted text gives no control token; what the stream gives is what the pieces are, and for kinds over bytes the
// text.
static void encode(const struct tokenizer *t, const char *text, size_t len, bool own, bool over_bytes) {
    struct err e = {0};
    struct ids ids = {0};
    struct buf out = {0}, pieces = {0};
    struct tok_span all = {0, len};
    struct tok_input in = {.text = text, .len = len, .trusted = &all};
    struct tok_stream s = {.t = t, .special = true, .continues = true};
    if (tok_encode(t, &in, &ids, &e)) {
        for (size_t i = 0; i < ids.len; i++) {
            require(ids.ptr[i] >= 0 && (size_t)ids.ptr[i] < tok_n_vocab(t));
            require(!own || tok_type(t, ids.ptr[i]) != TOK_CONTROL); // a hostile file may name one as its unknown token
            tok_piece(t, ids.ptr[i], true, &pieces);
            tok_stream_push(&s, ids.ptr[i], &out);
        }
        tok_stream_end(&s, &out);
        require(!over_bytes || (out.len == len && (!len || !memcmp(out.ptr, text, len))));
        require(!over_bytes || (pieces.len == len && (!len || !memcmp(pieces.ptr, text, len))));
        in.n_trusted = in.add_special = true;
        require(tok_encode(t, &in, &ids, &e));
    } else {
        require_line(&e);
    }
    ids_free(&ids);
    buf_free(&out);
    buf_free(&pieces);
}

static void tokenize(const uint8_t *data, size_t size) {
    static struct opened opened[ARRAY_LEN(kinds)];
    size_t kind = size ? data[0] % ARRAY_LEN(kinds) : 0;
    require(opened[kind].tok || open_kind(&opened[kind], kinds[kind]));
    bool over_bytes = !strcmp(kinds[kind][0], "gpt2") || !strcmp(kinds[kind][0], "rwkv");
    if (size)
        encode(opened[kind].tok, (const char *)data + 1, size - 1, true, over_bytes);
}

static void open_vocabulary(const uint8_t *data, size_t size) {
    static const char text[] = "Hello <s> w\xC3\xB6rld,  12345 ab\n\n\xE6\x97\xA5 <tool>\xFF";
    struct gguf *file;
    struct tokenizer *tok;
    struct err e = {0};
    if (!gguf_parse(&file, data, size, "fuzz", &e))
        return;
    if (tok_open(&tok, file, &e)) {
        struct buf out = {0};
        encode(tok, text, sizeof text - 1, false, false);
        for (int32_t id = -1; id < 100; id++)
            tok_piece(tok, id, true, &out);
        buf_free(&out);
        tok_close(tok);
    } else {
        require_line(&e);
    }
    gguf_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    const char *zero = size ? memchr(text, 0, size) : NULL;
    size_t source = zero ? (size_t)(zero - text) : size;
    if (size && data[0] == 1)
        read_json((struct str){text + 1, size - 1}, 0);
    else if (size && data[0] == 2)
        tokenize(data + 1, size - 1);
    else if (size && data[0] == 3)
        open_vocabulary(data + 1, size - 1);
    else
        render((struct str){text, source},
               zero ? (struct str){zero + 1, size - source - 1} : (struct str){context, sizeof context - 1});
    return 0;
}
