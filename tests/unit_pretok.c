// SPDX-License-Identifier: MIT
// Tests of the pre-tokenizers: pieces of short texts, worked out from the published expressions (where the
// programs in use cut numbers otherwise than those, as the programs do), and for every name that the pieces of any text
// are the text.
#include "tests/test.h"

#include <string.h>

#include "base/buf.h"
#include "text/pretok.h"

// Pieces are separated by U+00A6, which no text here has.
#define CUT "\xC2\xA6"

static const struct {
    const char *name, *text, *pieces;
} cases[] = {
    {"jais-2", "a     b", "a¦    ¦ b"},
    {"jais-2", "       ", "    ¦  ¦ "},
    {"jais-2", "a   \n  b", "a¦   \n¦ ¦ b"},
    {"jais-2", "\t\tb!! \n", "\t¦\tb¦!!¦ \n"},
    {"bloom", "a, b  c", "a¦,¦ b¦ ¦ c"},
    {"poro-chat", "don't stop... now (yes)|no", "don't¦ stop¦...¦ now¦ (¦yes¦)|¦no"},
    {"gpt3-finnish", "你好。好 1\n2", "你好¦。¦好¦ 1¦\n¦2"},
    {"viking", "abc12 3.4", "abc¦1¦2¦ ¦3¦.¦4"},
    {"chameleon", "a<sentinel:12>b<sentinel:>", "a¦<¦sentinel¦:¦1¦2¦>¦b¦<¦sentinel¦:¦>"},
    {"chameleon", "IMGIMGABCZxIMGIMGABCDEZ", "IMGIMGABCZ¦xIMGIMGABCDEZ"},
    {"chameleon", "a       b\t\n", "a¦    ¦  ¦ b¦\t¦\n"},
    {"tiny_aya", "x1234567 it'sOK!/\n", "x¦1¦234¦567¦ it's¦OK¦!/\n"},
    {"cohere2moe", "  123 1234", " ¦ ¦123¦ ¦1¦234"},
    {"tiny_aya", "!e\xCC\x81!!\xCC\x81", "!e\xCC\x81¦!!\xCC\x81"},
    {"youtu", "한국ㄱ，、ok12", "한국ㄱ¦，、¦ok¦1¦2"},
    {"youtu", "中の々ㄅ Don't", "中の¦々¦ㄅ¦ Don't"},
    {"kimi-k2", "ab中文cd  中", "ab¦中文¦cd¦ ¦ ¦中"},
    {"kimi-k2", "Don'T 1234 'll!\n\n", "Don'T¦ ¦123¦4¦ '¦ll¦!\n\n"},
    {"superbpe", "any text, 1234567 and 12", "any text, ¦1¦234¦567¦ and ¦12"},
    {"superbpe",
     "123456\xE0\xA5\xA7"
     "12345",
     "123¦456\xE0\xA5\xA7"
     "12¦345"},
    {"afmoe", "a1234中ไทย 12", "a¦1¦234¦中ไ¦ทย¦ ¦12"},
    {"spark2_5", "a!\n\n  b1234", "a¦!¦\n¦\n¦ ¦ b¦1¦2¦3¦4"},
    {"exaone-moe", "hello big e\xCC\x81l  world 12", "hello big e\xCC\x81l¦ ¦ world¦ ¦1¦2"},
    {"exaone-moe", "it's!!\n\n a", "it¦'s¦!!\n¦\n¦ a"},
    {"whitespace", "ab  c\n", "ab¦  ¦c¦\n"},
    {"granite-embed-multi-97m", "!!\xCC\x81 It's", "!!\xCC\x81¦ It's"},
};

static bool add_piece(void *user, const char *piece, size_t len) {
    struct buf *out = user;
    if (out->len)
        buf_append(out, CUT, 2);
    buf_append(out, piece, len);
    return true;
}

static void check_pieces(void) {
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct pretok *p = pretok_find(cases[i].name, strlen(cases[i].name));
        struct buf got = {0};
        test_case("pretok: %s, case %zu", cases[i].name, i + 1);
        if (!CHECK(p != NULL))
            continue;
        pretok_split(p, cases[i].text, 0, strlen(cases[i].text), add_piece, &got);
        buf_char(&got, '\0');
        CHECK_STR(got.ptr, cases[i].pieces);
        buf_free(&got);
    }
}

// Every name that converters write.
static const char *const names[] = {
    "a.x-4.0",
    "afmoe",
    "bailingmoe",
    "bailingmoe2",
    "bloom",
    "chameleon",
    "chatglm-bpe",
    "codeshell",
    "cohere2moe",
    "command-r",
    "dbrx",
    "deepseek-coder",
    "deepseek-llm",
    "deepseek-r1-qwen",
    "deepseek-v3",
    "default",
    "exaone",
    "exaone-moe",
    "exaone4",
    "f2llmv2",
    "falcon",
    "falcon-h1",
    "falcon3",
    "gemma4",
    "gigachat",
    "glm4",
    "glm5",
    "gpt-2",
    "gpt-4o",
    "gpt3-finnish",
    "granite-docling",
    "granite-embed-multi-311m",
    "granite-embed-multi-97m",
    "grok-2",
    "hunyuan",
    "hunyuan-dense",
    "hy_v4",
    "jais",
    "jais-2",
    "jina-de",
    "jina-es",
    "jina-v1-en",
    "jina-v2-code",
    "jina-v2-de",
    "jina-v2-es",
    "jina-v5-nano",
    "joyai-llm",
    "kanana2",
    "kimi-k2",
    "kormo",
    "laguna",
    "lfm2",
    "llada-moe",
    "llama-bpe",
    "llama-v3",
    "llama3",
    "llama4",
    "megrez",
    "mellum",
    "mellum2",
    "midm-2.0",
    "minerva-7b",
    "minicpm5",
    "minimax-m2",
    "modern-bert",
    "mpt",
    "olmo",
    "phi-2",
    "pixtral",
    "poro-chat",
    "qwen2",
    "qwen35",
    "refact",
    "roberta-bpe",
    "sarvam-moe",
    "seed-coder",
    "smaug-bpe",
    "smollm",
    "solar-open",
    "spark2_5",
    "stablelm2",
    "starcoder",
    "superbpe",
    "talkie",
    "tekken",
    "tiny_aya",
    "trillion",
    "ufakzeka",
    "viking",
    "whitespace",
    "youtu",
};

struct cover {
    const char *at;
    size_t n;
};

static bool follow(void *user, const char *piece, size_t len) {
    struct cover *c = user;
    bool next = piece == c->at && len;
    c->at += len;
    c->n++;
    return next;
}

static void check_cover(const struct pretok *p, const char *text, size_t len) {
    struct cover c = {.at = text};
    CHECK_MSG(pretok_split(p, text, 0, len, follow, &c) && c.at == text + len, "%s: the pieces are not the text",
              p->name);
}

static void check_names(void) {
    static const char bytes[] = "a Bc1234\xFF\xE4\xBD\xA0 \xCC\x81!\n'S\t<sentinel:1IMGIMG\xE2\x80\xA8 0";
    uint32_t state = 1;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct pretok *p = pretok_find(names[i], strlen(names[i]));
        test_case("pretok: %s is known, and loses nothing", names[i]);
        for (unsigned round = 0; p && round < 50; round++) {
            char text[200];
            for (size_t k = 0; k < sizeof text; k++) {
                state = state * 1664525u + 1013904223u;
                text[k] = round & 1 ? (char)(state >> 24) : bytes[(state >> 8) % (sizeof bytes - 1)];
            }
            check_cover(p, text, sizeof text - round);
        }
        CHECK(p != NULL);
    }
}

// Rules that count ahead must not count again for every piece: a megabyte each, at once.
static void check_long(void) {
    static const char *const stuff[] = {"1", " ", "a", "\t", "1,", "<", "IMGIMG", "\xE0\xA5\xA7", "12 "};
    struct buf text = {0};
    for (size_t i = 0; i < ARRAY_LEN(stuff); i++) {
        test_case("pretok: a megabyte of '%s'", i == 3 ? "tabs" : stuff[i]);
        text.len = 0;
        while (text.len < 1000000)
            buf_append(&text, stuff[i], strlen(stuff[i]));
        for (size_t n = 0; n < ARRAY_LEN(names); n++)
            check_cover(pretok_find(names[n], strlen(names[n])), text.ptr, text.len);
    }
    buf_free(&text);
}

void unit_pretok(void) {
    check_pieces();
    check_names();
    check_long();
}
