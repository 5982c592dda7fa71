// SPDX-License-Identifier: MIT
// The table of pre-tokenizer names. A name is what converters write into tokenizer.ggml.pre; several stand for the same
// rules. The last row is the rule for files that name none.
#include "text/pretok.h"

#include <string.h>

#include "text/split.h"
#include "text/unicode.h"

// clang-format off
#define GPT2 {.next = split_gpt2}
#define LINES {.next = split_lines}
#define SYMBOLS {.next = split_symbols}
#define NEWLINES {.next = split_isolate, .max = 1, .extra = "\r\n"}
#define DIGITS NUMBERS(1)
#define NUMBERS(most) {.next = split_isolate, .set = UNI_N, .max = most}
#define CJK {.next = split_isolate, .ranges = split_cjk}
#define CJK_WIDE {.next = split_isolate, .ranges = split_cjk_wide}
#define PUNCTUATION(more) {.next = split_isolate, .set = UNI_P, .extra = more}
#define THREE_DIGITS {.next = split_three_digits}
#define WORDS(digits) {.next = split_words, .set = UNI_L, .max = digits, .extra = "\r\n", .flags = SPLIT_CONTRACTIONS}
#define WORDS_MARKS(digits) \
    {.next = split_words, .set = UNI_L | UNI_M, .max = digits, .extra = "\r\n", .flags = SPLIT_CONTRACTIONS}
// Letters and marks in words that take their endings; without distinction of case, as its users read the expression.
#define ENDED(digits)                                                                                        \
    {.next = split_words, .set = UNI_L | UNI_M, .max = digits, .extra = "\r\n/", .flags = SPLIT_ENDINGS | SPLIT_STRAY_MARKS}
#define SENTENCES {.next = split_isolate, .set = UNI_SPACE, .extra = "(|.,!?)", .ranges = split_stops, .flags = SPLIT_OTHERS | SPLIT_BLANK}
#define RUNS(of) {.next = split_isolate, .ranges = of}
#define GROUPS {.next = split_first_group}, {.next = split_more_groups}
#define CASED(letters, digits, how) {.next = split_words, .set = letters, .max = digits, .extra = "\r\n/", .flags = how}

static const struct pretok rows[] = {
    {"gpt-2", 0, {GPT2}},
    {"phi-2", 0, {GPT2}},
    {"jina-es", 0, {GPT2}},
    {"jina-de", 0, {GPT2}},
    {"gigachat", 0, {GPT2}},
    {"jina-v2-es", 0, {GPT2}},
    {"jina-v2-de", 0, {GPT2}},
    {"a.x-4.0", 0, {GPT2}},
    {"mellum", 0, {GPT2}},
    {"modern-bert", 0, {GPT2}},
    {"jina-v1-en", 0, {GPT2}},
    {"jina-v2-code", 0, {GPT2}},
    {"roberta-bpe", 0, {GPT2}},
    {"exaone4", 0, {GPT2}},
    {"mpt", 0, {GPT2}},
    {"olmo", 0, {GPT2}},
    {"jais", 0, {GPT2}},
    {"trillion", 0, {GPT2}},
    {"granite-docling", 0, {GPT2}},
    {"smollm", 0, {DIGITS, GPT2}},
    {"starcoder", 0, {DIGITS, GPT2}},
    {"refact", 0, {DIGITS, GPT2}},
    {"command-r", 0, {DIGITS, GPT2}},
    {"codeshell", 0, {DIGITS, GPT2}},
    {"exaone", 0, {DIGITS, GPT2}},
    {"minerva-7b", 0, {DIGITS, GPT2}},
    {"mellum2", 0, {DIGITS, GPT2}},
    {"qwen2", 0, {WORDS(1)}},
    {"deepseek-r1-qwen", 0, {WORDS(1)}},
    {"kormo", 0, {WORDS(1)}},
    {"f2llmv2", 0, {WORDS(1)}},
    {"megrez", 0, {WORDS(1)}},
    {"stablelm2", 0, {WORDS(1)}},
    {"hunyuan", 0, {WORDS(1)}},
    {"solar-open", 0, {WORDS(1)}},
    {"grok-2", 0, {WORDS(1)}},
    {"bailingmoe", 0, {WORDS(1)}},
    {"bailingmoe2", 0, {WORDS(1)}},
    {"llada-moe", 0, {WORDS(1)}},
    {"qwen35", 0, {WORDS_MARKS(1)}},
    {"llama-bpe", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"llama3", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"llama-v3", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"falcon3", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"falcon-h1", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"pixtral", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"midm-2.0", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"lfm2", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"jina-v5-nano", PRETOK_WHOLE | PRETOK_BOS, {WORDS(3)}},
    {"dbrx", 0, {WORDS(3)}},
    {"smaug-bpe", 0, {WORDS(3)}},
    {"chatglm-bpe", PRETOK_NO_BOS, {WORDS(3)}},
    {"glm4", PRETOK_WHOLE | PRETOK_NO_BOS, {WORDS(3)}},
    {"glm5", PRETOK_WHOLE | PRETOK_NO_BOS, {WORDS(3)}},
    {"minicpm5", PRETOK_WHOLE, {NUMBERS(3), WORDS(0)}},
    {"seed-coder", 0, {{.next = split_words, .set = UNI_L, .max = 1, .extra = "", .flags = SPLIT_CONTRACTIONS}}},
    {"ufakzeka", 0, {{.next = split_words, .set = UNI_L, .max = 1, .extra = "\r\n"}}},
    {"laguna", 0, {LINES, WORDS(1)}},
    {"gpt-4o", 0, {CASED(UNI_L, 3, SPLIT_CASES | SPLIT_ENDINGS)}},
    {"llama4", 0, {CASED(UNI_L, 3, SPLIT_CASES | SPLIT_ENDINGS)}},
    {"kanana2", 0, {CASED(UNI_L, 3, SPLIT_CASES | SPLIT_ENDINGS)}},
    {"talkie", 0, {CASED(UNI_L, 3, SPLIT_CASES | SPLIT_ENDINGS)}},
    {"minimax-m2", 0, {CASED(UNI_L, 3, SPLIT_CASES | SPLIT_ENDINGS)}},
    {"granite-embed-multi-97m", PRETOK_WHOLE, {CASED(UNI_L | UNI_M, 3, SPLIT_CASES | SPLIT_ENDINGS | SPLIT_STRAY_MARKS)}},
    {"tekken", PRETOK_WHOLE | PRETOK_BOS, {CASED(UNI_L, 1, SPLIT_CASES)}},
    {"deepseek-v3", 0, {NUMBERS(3), CJK, SYMBOLS}},
    {"hunyuan-dense", 0, {NUMBERS(3), CJK, SYMBOLS}},
    {"joyai-llm", 0, {NUMBERS(3), CJK, SYMBOLS}},
    {"hy_v4", 0, {NUMBERS(3), CJK, SYMBOLS}},
    {"deepseek-llm", 0, {NEWLINES, {.next = split_isolate, .ranges = split_alphabets, .flags = SPLIT_SPACE}, {.next = split_isolate, .ranges = split_marks, .flags = SPLIT_SPACE}, {.next = split_end_space}, CJK_WIDE, NUMBERS(0)}},
    {"deepseek-coder", 0, {NEWLINES, {.next = split_isolate, .set = UNI_L, .flags = SPLIT_SPACE}, {.next = split_isolate, .set = UNI_P, .flags = SPLIT_SPACE}, CJK_WIDE, DIGITS}},
    {"gemma4", PRETOK_RAW | PRETOK_LINES | PRETOK_BOS_ALWAYS, {LINES}},
    {"granite-embed-multi-311m", PRETOK_RAW | PRETOK_LINES | PRETOK_BOS_ALWAYS, {LINES}},
    {"sarvam-moe", PRETOK_RAW, {LINES}},
    {"whitespace", PRETOK_RAW | PRETOK_SPACES, {{.next = split_isolate, .set = UNI_SPACE, .flags = SPLIT_OTHERS}}},
    {"jais-2", 0, {WORDS(3), {.next = split_halves}}},
    {"bloom", 0, {SENTENCES}},
    {"poro-chat", 0, {SENTENCES}},
    {"gpt3-finnish", 0, {SENTENCES}},
    {"viking", 0, {SENTENCES, DIGITS}},
    {"chameleon", PRETOK_BOS, {{.next = split_sentinels}, {.next = split_images}, {.next = split_indents}, DIGITS, {.next = split_isolate, .set = UNI_P, .max = 1, .extra = "$+<=>^`|~"}, GPT2}},
    {"tiny_aya", 0, {GROUPS, ENDED(3)}},
    {"cohere2moe", 0, {GROUPS, ENDED(3)}},
    {"youtu", 0, {RUNS(split_hangul), RUNS(split_wide_marks), RUNS(split_bopomofo), CJK, ENDED(1)}},
    {"kimi-k2", PRETOK_NO_MERGES, {{.next = split_words, .set = UNI_L, .max = 3, .extra = "\r\n", .ranges = split_han, .flags = SPLIT_ENDINGS}}},
    {"superbpe", 0, {NUMBERS(0), {.next = split_thousands}, {.next = split_more_thousands}}},
    {"afmoe", 0, {GROUPS, RUNS(split_asian), SYMBOLS}},
    {"spark2_5", 0, {NUMBERS(3), CJK, {.next = split_symbols, .flags = SPLIT_BREAKS}, DIGITS}},
    {"exaone-moe", 0, {{.next = split_words, .set = UNI_L, .max = 1, .extra = "\r\n/", .flags = SPLIT_CONTRACTIONS | SPLIT_PHRASES | SPLIT_ONE_EXTRA}}},
    {"falcon", 0, {PUNCTUATION("$+<=>^~|`"), GPT2, THREE_DIGITS}},
    {"default", 0, {PUNCTUATION("$+<=>^~|"), GPT2, NUMBERS(0), THREE_DIGITS}},
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
