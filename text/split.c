// SPDX-License-Identifier: MIT
// The splitting rules of the GPT-2 family (split.h). Positions are bytes; characters are read where they are needed,
// and a rule reads each a bounded number of times.
#include "text/split.h"

#include <string.h>

#include "text/unicode.h"

// The end of the run of characters of the set from pos, at most max of them (0: any number).
static size_t run_of(const char *text, size_t pos, size_t end, uint32_t set, unsigned max) {
    for (unsigned n = 0; !max || n < max; n++) {
        struct uni_char c = uni_char_at(text, pos, end);
        if (!(c.bit & set))
            break;
        pos += c.len;
    }
    return pos;
}

static bool is_newline(const char *text, size_t pos, size_t end) {
    return pos < end && (text[pos] == '\n' || text[pos] == '\r');
}

// 's 't 'm 'd 're 've 'll at pos: the length, or 0. `fold` accepts capitals.
static size_t contraction(const char *text, size_t pos, size_t end, bool fold) {
    if (text[pos] != '\'' || pos + 1 >= end)
        return 0;
    char fold_bit = fold ? 0x20 : 0;
    char a = (char)(text[pos + 1] | fold_bit);
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    if (pos + 2 >= end)
        return 0;
    char b = (char)(text[pos + 2] | fold_bit);
    bool two = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
    return two ? 3 : 0;
}

// \s+(?!\S)|\s+ at a white-space character: the run, without its last character when something follows it. With
// `newlines`, \s*[\r\n]+ goes before: the run up to its last line break.
static size_t white_space(const char *text, size_t pos, size_t end, bool newlines) {
    size_t at = pos, last = pos, after_newline = 0;
    for (;;) {
        struct uni_char c = uni_char_at(text, at, end);
        if (!(c.bit & UNI_SPACE))
            break;
        last = at;
        at += c.len;
        if (c.code == '\n' || c.code == '\r')
            after_newline = at;
    }
    if (newlines && after_newline)
        return after_newline;
    return at < end && last > pos ? last : at;
}

static bool isolated(const struct split_rule *rule, const struct uni_char *c) {
    if (c->bit & rule->set)
        return true;
    return rule->extra && c->code && c->code < 0x80 && strchr(rule->extra, (int)c->code);
}

size_t split_isolate(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    struct uni_char c = uni_char_at(text, pos, end);
    bool inside = isolated(rule, &c);
    for (unsigned n = 1;; n++) {
        pos += c.len;
        if (pos >= end || (inside && n == rule->max))
            return pos;
        c = uni_char_at(text, pos, end);
        if (isolated(rule, &c) != inside)
            return pos;
    }
}

static bool three_digits(const char *text, size_t pos, size_t end) {
    if (end - pos < 3)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (text[pos + i] < '0' || text[pos + i] > '9')
            return false;
    return true;
}

size_t split_three_digits(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    (void)rule;
    if (three_digits(text, pos, end))
        return pos + 3;
    do
        pos++;
    while (pos < end && !three_digits(text, pos, end));
    return pos;
}

size_t split_gpt2(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    (void)rule;
    size_t n = contraction(text, pos, end, false);
    if (n)
        return pos + n;
    size_t body = pos + (text[pos] == ' ');
    struct uni_char c = uni_char_at(text, body, end);
    if (c.bit & UNI_L)
        return run_of(text, body, end, UNI_L, 0);
    if (c.bit & UNI_N)
        return run_of(text, body, end, UNI_N, 0);
    if (c.bit && !(c.bit & UNI_SPACE))
        return run_of(text, body, end, ~(UNI_SPACE | UNI_L | UNI_N), 0);
    return white_space(text, pos, end, false);
}

size_t split_words(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    size_t n = contraction(text, pos, end, true);
    if (n)
        return pos + n;
    struct uni_char c = uni_char_at(text, pos, end);
    if (c.bit & UNI_N)
        return run_of(text, pos, end, UNI_N, rule->max);
    if (c.bit & rule->set)
        return run_of(text, pos, end, rule->set, 0);
    if (!is_newline(text, pos, end)) {
        size_t letters = pos + c.len;
        size_t after = run_of(text, letters, end, rule->set, 0);
        if (after > letters)
            return after;
    }
    size_t body = pos + (c.code == ' ');
    size_t after = run_of(text, body, end, ~(UNI_SPACE | UNI_N | rule->set), 0);
    if (after == body)
        return white_space(text, pos, end, true);
    while (is_newline(text, after, end))
        after++;
    return after;
}
