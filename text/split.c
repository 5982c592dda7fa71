// SPDX-License-Identifier: MIT
// The splitting rules of the GPT-2 family (split.h). Positions are bytes; characters are read where they are needed,
// and a rule reads each a bounded number of times.
#include "text/split.h"

#include <limits.h>
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

static bool in_ranges(const struct split_range *r, uint32_t code) {
    for (; r && r->last; r++)
        if (code >= r->first && code <= r->last)
            return true;
    return false;
}

static bool isolated(const struct split_rule *rule, const struct uni_char *c) {
    bool named = c->bit & rule->set || (c->len && in_ranges(rule->ranges, c->code)) ||
                 (rule->extra && c->code && c->code < 0x80 && strchr(rule->extra, (int)c->code));
    return c->len && named == !(rule->flags & SPLIT_OTHERS);
}

// Whether a piece of the rule begins here: at a character of the set, or at the white space that goes with one.
static bool begins(const struct split_rule *rule, const struct uni_char *c, const char *text, size_t pos, size_t end) {
    if (isolated(rule, c))
        return true;
    if (!(rule->flags & SPLIT_SPACE && c->bit & UNI_SPACE) && !(rule->flags & SPLIT_BLANK && c->code == ' '))
        return false;
    struct uni_char next = uni_char_at(text, pos + c->len, end);
    return next.len && isolated(rule, &next);
}

size_t split_isolate(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    struct uni_char c = uni_char_at(text, pos, end);
    bool inside = begins(rule, &c, text, pos, end);
    for (unsigned n = 1;; n++) {
        pos += c.len;
        if (pos >= end || (inside && n == rule->max))
            return pos;
        c = uni_char_at(text, pos, end);
        if (inside ? !isolated(rule, &c) : begins(rule, &c, text, pos, end))
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

static bool is_lower(const struct uni_char *c) {
    return c->code >= 'a' && c->code <= 'z';
}

static bool is_upper(const struct uni_char *c) {
    return c->code >= 'A' && c->code <= 'Z';
}

// The end of the word whose letters begin at pos, told apart by case: capitals (all letters but [a-z]) and then small
// ones (all but [A-Z]). Without small ones behind them, the capitals end with the last that is neither.
static size_t cased_word(const char *text, size_t pos, size_t end, uint32_t set) {
    size_t neither = 0;
    struct uni_char c;
    for (;;) {
        c = uni_char_at(text, pos, end);
        if (!(c.bit & set) || is_lower(&c))
            break;
        pos += c.len;
        neither = is_upper(&c) ? neither : pos;
    }
    if (!(c.bit & set))
        return neither ? neither : pos;
    while (c.bit & set && !is_upper(&c)) {
        pos += c.len;
        c = uni_char_at(text, pos, end);
    }
    return pos;
}

// The end of the words from pos with one space between, or pos when no letter is there.
static size_t phrase(const char *text, size_t pos, size_t end) {
    uint32_t wanted = UNI_L;
    for (;; wanted = UNI_L | UNI_M) {
        struct uni_char c = uni_char_at(text, pos, end);
        size_t letter = pos + (c.code == ' ' && wanted & UNI_M);
        if (letter > pos)
            c = uni_char_at(text, letter, end);
        if (!(c.bit & (letter > pos ? UNI_L : wanted)))
            return pos;
        pos = letter + c.len;
    }
}

// The end of the letters from pos: those that are not in the ranges.
static size_t letters(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    for (;;) {
        struct uni_char c = uni_char_at(text, pos, end);
        if (!(c.bit & rule->set) || in_ranges(rule->ranges, c.code))
            return pos;
        pos += c.len;
    }
}

static size_t word(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    size_t to;
    if (rule->flags & SPLIT_CASES)
        to = cased_word(text, pos, end, rule->set);
    else if (rule->flags & SPLIT_PHRASES)
        to = phrase(text, pos, end);
    else
        to = rule->ranges ? letters(rule, text, pos, end) : run_of(text, pos, end, rule->set, 0);
    return to > pos && to < end && rule->flags & SPLIT_ENDINGS ? to + contraction(text, to, end, true) : to;
}

// ` ?[^\s\p{L}\p{N}]+[\r\n]*` at pos, or else white space.
static size_t punctuation(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    uint32_t words = rule->flags & SPLIT_STRAY_MARKS ? rule->set & ~UNI_M : rule->set;
    size_t body = pos + (text[pos] == ' ');
    size_t after = run_of(text, body, end, ~(UNI_SPACE | UNI_N | words), 0);
    if (after == body)
        return white_space(text, pos, end, true);
    unsigned most = rule->flags & SPLIT_ONE_EXTRA ? 1 : UINT_MAX;
    for (; most && after < end && text[after] && strchr(rule->extra, text[after]); most--)
        after++;
    return after;
}

size_t split_words(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    size_t n = rule->flags & SPLIT_CONTRACTIONS ? contraction(text, pos, end, true) : 0;
    if (n)
        return pos + n;
    struct uni_char c = uni_char_at(text, pos, end);
    if (c.bit & UNI_N)
        return run_of(text, pos, end, UNI_N, rule->max);
    for (; c.len && in_ranges(rule->ranges, c.code); c = uni_char_at(text, pos + n, end))
        n += c.len;
    if (n)
        return pos + n;
    if (c.bit & rule->set)
        return word(rule, text, pos, end);
    if (!is_newline(text, pos, end)) {
        size_t first = pos + c.len;
        size_t after = word(rule, text, first, end);
        if (after > first)
            return after;
    }
    return punctuation(rule, text, pos, end);
}

// The end of what split_symbols matches at pos, or pos.
static size_t match_symbols(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    struct uni_char c = uni_char_at(text, pos, end);
    size_t next = pos + c.len, after = next;
    bool ascii_mark = c.code < 0x80 && c.bit & (UNI_P | UNI_S);
    while (ascii_mark && after < end && ((text[after] | 0x20) >= 'a' && (text[after] | 0x20) <= 'z'))
        after++;
    if (after > next)
        return after;
    if (c.bit & (UNI_L | UNI_M))
        return run_of(text, pos, end, UNI_L | UNI_M, 0);
    bool prefix = c.len && !(c.bit & (UNI_P | UNI_S)) && c.code != '\n' && c.code != '\r';
    if (prefix && (after = run_of(text, next, end, UNI_L | UNI_M, 0)) > next)
        return after;
    size_t body = pos + (c.code == ' ');
    after = run_of(text, body, end, UNI_P | UNI_S, 0);
    bool breaks = rule->flags & SPLIT_BREAKS;
    if (after == body && breaks && is_newline(text, pos, end))
        return pos + 1;
    if (after == body)
        return c.bit & UNI_SPACE ? white_space(text, pos, end, !breaks) : pos;
    while (!breaks && is_newline(text, after, end))
        after++;
    return after;
}

size_t split_symbols(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    size_t to = match_symbols(rule, text, pos, end);
    if (to > pos)
        return to;
    do
        pos += uni_char_at(text, pos, end).len;
    while (pos < end && match_symbols(rule, text, pos, end) == pos);
    return pos;
}

size_t split_end_space(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    size_t spaces = end;
    (void)rule;
    for (size_t at = pos; at < end;) {
        struct uni_char c = uni_char_at(text, at, end);
        spaces = !(c.bit & UNI_SPACE) ? end : spaces == end ? at : spaces;
        at += c.len;
    }
    return spaces > pos ? spaces : end;
}

size_t split_lines(const struct split_rule *rule, const char *text, size_t pos, size_t end) {
    bool newline = text[pos] == '\n';
    (void)rule;
    while (pos < end && (text[pos] == '\n') == newline)
        pos++;
    return pos;
}
