// SPDX-License-Identifier: MIT
// Splitting rules that count (split.h): digits in groups of three from the end of a number, white space in halves, and
// the few fixed forms that one pre-tokenizer names. Where a number must be seen whole before it can be cut, a rule cuts
// its beginning off and a second one cuts the rest, so that no digit is read more than a few times.
#include "text/split.h"

#include <string.h>

#include "text/unicode.h"

// The end of at most max numerals from pos, and how many they are.
static size_t numerals(const char *text, size_t pos, size_t end, size_t max, size_t *count) {
    for (*count = 0; *count < max; (*count)++) {
        struct uni_char c = uni_char_at(text, pos, end);
        if (!(c.bit & UNI_N))
            break;
        pos += c.len;
    }
    return pos;
}

size_t split_first_group(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    (void)rule;
    size_t begin = pos, n;
    for (struct uni_char c = {0}; pos < end && !(c = uni_char_at(text, pos, end), c.bit & UNI_N);)
        pos += c.len;
    size_t to = numerals(text, pos, end, SIZE_MAX, &n);
    size_t first = n % 3 ? n % 3 : 3;
    return pos == begin && n % 3 == 0 ? to : numerals(text, pos, end, first, &n);
}

size_t split_more_groups(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    (void)rule;
    size_t n, to = numerals(text, pos, end, 3, &n);
    return n ? to : end;
}

static size_t digits(const char *text, size_t pos, size_t end, size_t max) {
    size_t n = 0;
    while (n < max && pos + n < end && text[pos + n] >= '0' && text[pos + n] <= '9')
        n++;
    return n;
}

size_t split_thousands(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    (void)rule;
    size_t n = digits(text, pos, end, SIZE_MAX);
    if (n > 3 && n % 3)
        return pos + n % 3;
    for (pos += n; pos < end; pos += n) {
        n = digits(text, pos, end, SIZE_MAX);
        if (n && n % 3 == 0)
            return pos;
        if (n > 3)
            return pos + n % 3;
        n += !n;
    }
    return end;
}

size_t split_more_thousands(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    (void)rule;
    return digits(text, pos, end, 6) == 6 ? pos + 3 : end;
}

size_t split_halves(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    struct uni_char c = uni_char_at(text, pos, end), next = uni_char_at(text, pos + c.len, end);
    bool blank = c.bit & UNI_SPACE && (!next.len || next.bit & UNI_SPACE);
    (void)rule;
    if (!blank || text[end - 1] == '\n' || text[end - 1] == '\r')
        return end;
    size_t n = 1, to = pos;
    for (size_t at = pos + c.len; at < end && n < 512; n++)
        at += uni_char_at(text, at, end).len;
    for (size_t half = (size_t)1 << (63 - __builtin_clzll(n)); half; half--)
        to += uni_char_at(text, to, end).len;
    return to;
}

// The matches of a function, which gives the length of what it matches or 0, and what lies between them.
static inline size_t at_matches(size_t (*match)(const char *, size_t), const char *text, size_t pos, size_t end) {
    size_t n = match(text + pos, end - pos);
    if (n)
        return pos + n;
    do
        pos++;
    while (pos < end && !match(text + pos, end - pos));
    return pos;
}

static size_t match_sentinel(const char *text, size_t len) {
    static const char begin[] = "<sentinel:";
    size_t at = sizeof begin - 1;
    if (len <= at || memcmp(text, begin, at) != 0)
        return 0;
    size_t n = digits(text, at, len, SIZE_MAX);
    return n && at + n < len && text[at + n] == '>' ? at + n + 1 : 0;
}

size_t split_sentinels(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    (void)rule;
    return at_matches(match_sentinel, text, pos, end);
}

static size_t match_image(const char *text, size_t len) {
    static const char begin[] = "IMGIMG";
    size_t at = sizeof begin - 1, n = 0;
    if (len <= at || memcmp(text, begin, at) != 0)
        return 0;
    while (n < 4 && at + n < len && text[at + n] >= 'A' && text[at + n] <= 'I')
        n++;
    return n && at + n < len && text[at + n] == 'Z' ? at + n + 1 : 0;
}

size_t split_images(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    (void)rule;
    return at_matches(match_image, text, pos, end);
}

static size_t match_indent(const char *text, size_t len) {
    if (*text == '\t' || *text == '\n')
        return 1;
    if (len >= 4 && !memcmp(text, "    ", 4))
        return 4;
    return len >= 2 && !memcmp(text, "  ", 2) ? 2 : 0;
}

size_t split_indents(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    (void)rule;
    return at_matches(match_indent, text, pos, end);
}
