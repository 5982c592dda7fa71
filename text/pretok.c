// SPDX-License-Identifier: MIT
// The table of pre-tokenizer names. A name is what converters write into tokenizer.ggml.pre; several stand for the same
// rules. The last row is the rule for files that name none.
#include "text/pretok.h"

#include <string.h>

#include "text/split.h"
#include "text/unicode.h"

// clang-format off
#define GPT2 {.next = split_gpt2}
#define DIGITS {.next = split_isolate, .set = UNI_N, .max = 1}
#define NUMBERS {.next = split_isolate, .set = UNI_N}
#define PUNCTUATION(more) {.next = split_isolate, .set = UNI_P, .extra = more}
#define THREE_DIGITS {.next = split_three_digits}
#define WORDS(digits) {.next = split_words, .set = UNI_L, .max = digits}
#define WORDS_MARKS(digits) {.next = split_words, .set = UNI_L | UNI_M, .max = digits}

static const struct pretok rows[] = {
    {"gpt-2", 0, {GPT2}},
    {"mpt", 0, {GPT2}},
    {"olmo", 0, {GPT2}},
    {"jais", 0, {GPT2}},
    {"phi-2", 0, {GPT2}},
    {"smollm", 0, {DIGITS, GPT2}},
    {"starcoder", 0, {DIGITS, GPT2}},
    {"refact", 0, {DIGITS, GPT2}},
    {"command-r", 0, {DIGITS, GPT2}},
    {"codeshell", 0, {DIGITS, GPT2}},
    {"exaone", 0, {DIGITS, GPT2}},
    {"minerva-7b", 0, {DIGITS, GPT2}},
    {"qwen2", 0, {WORDS(1)}},
    {"deepseek-r1-qwen", 0, {WORDS(1)}},
    {"megrez", 0, {WORDS(1)}},
    {"stablelm2", 0, {WORDS(1)}},
    {"hunyuan", 0, {WORDS(1)}},
    {"qwen35", 0, {WORDS_MARKS(1)}},
    {"llama-bpe", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"llama3", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"llama-v3", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"falcon3", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"falcon-h1", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"pixtral", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"midm-2.0", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"lfm2", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"dbrx", 0, {WORDS(3)}},
    {"smaug-bpe", 0, {WORDS(3)}},
    {"falcon", 0, {PUNCTUATION("$+<=>^~|`"), GPT2, THREE_DIGITS}},
    {"default", 0, {PUNCTUATION("$+<=>^~|"), GPT2, NUMBERS, THREE_DIGITS}},
};
// clang-format on

const struct pretok *pretok_find(const char *name, size_t len) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strlen(rows[i].name) == len && !memcmp(rows[i].name, name, len))
            return &rows[i];
    return NULL;
}

const struct pretok *pretok_default(void) {
    return &rows[ARRAY_LEN(rows) - 1];
}

// Cuts by rule number `level` and hands the pieces to the next rule; the depth is the length of the list.
static bool split_level(const struct pretok *p, unsigned level, const char *text, size_t begin, size_t end,
                        pretok_sink *sink, void *user) {
    bool last = level + 1 == PRETOK_MAX_RULES || !p->rules[level + 1].next;
    const struct split_rule *rule = &p->rules[level];
    while (begin < end) {
        size_t to = rule->next(rule, text, begin, end);
        bool go_on =
            last ? sink(user, text + begin, to - begin) : split_level(p, level + 1, text, begin, to, sink, user);
        if (!go_on)
            return false;
        begin = to;
    }
    return true;
}

bool pretok_split(const struct pretok *p, const char *text, size_t begin, size_t end, pretok_sink *sink, void *user) {
    return split_level(p, 0, text, begin, end, sink, user);
}
