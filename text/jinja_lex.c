// SPDX-License-Identifier: MIT
// The words of a template. Text between tags follows the rules of trim_blocks and lstrip_blocks: a block tag takes the
// line break behind it and the blanks before it on its line; a minus sign takes all white space on its side, a plus
// sign none.
#include "text/jinja_impl.h"

#include <stdlib.h>

#include "base/utf8.h"

static bool lex_error(struct jlexer *x, const char *what) {
    x->j->line = x->line;
    return j_fail(x->j, "%s", what);
}

static bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool at_text(const struct jlexer *x, size_t pos, const char *text) {
    size_t n = strlen(text);
    return x->len - pos >= n && !memcmp(x->src + pos, text, n);
}

static void advance(struct jlexer *x, size_t to) {
    for (; x->pos < to; x->pos++)
        x->line += x->src[x->pos] == '\n';
}

// Behind a closing tag: white space goes with '-', one line break goes with the tags that trim.
static void after_close(struct jlexer *x, char sign, bool trims) {
    if (sign == '-')
        while (x->pos < x->len && is_blank(x->src[x->pos]))
            advance(x, x->pos + 1);
    else if (trims && sign != '+' && x->pos < x->len && x->src[x->pos] == '\n')
        advance(x, x->pos + 1);
    x->line_starting = x->pos > 0 && x->src[x->pos - 1] == '\n';
}

// Where the text before a tag ends: from..to, `sign` stands behind the tag's opening.
static size_t strip_before(const struct jlexer *x, size_t from, size_t to, char sign, bool variable) {
    if (sign == '-') {
        while (to > from && is_blank(x->src[to - 1]))
            to--;
        return to;
    }
    if (sign == '+' || variable)
        return to;
    size_t at = to;
    while (at > from && is_blank(x->src[at - 1]) && x->src[at - 1] != '\n')
        at--;
    bool line_start = at > from ? x->src[at - 1] == '\n' : x->line_starting;
    return line_start ? at : to;
}

static size_t find(const struct jlexer *x, size_t from, const char *text) {
    const char *p = from < x->len ? memmem(x->src + from, x->len - from, text, strlen(text)) : NULL;
    return p ? (size_t)(p - x->src) : x->len;
}

static size_t next_tag(const struct jlexer *x, size_t from) {
    for (size_t at = from; at + 1 < x->len; at++) {
        const char *brace = memchr(x->src + at, '{', x->len - at - 1);
        if (!brace)
            break;
        at = (size_t)(brace - x->src);
        if (brace[1] == '{' || brace[1] == '%' || brace[1] == '#')
            return at;
    }
    return x->len;
}

static char sign_at(const struct jlexer *x, size_t pos) {
    return pos < x->len && (x->src[pos] == '-' || x->src[pos] == '+') ? x->src[pos] : 0;
}

// Takes a word and the end of its tag after blanks, as `raw %}`: where that ends, or 0. *sign: of the end.
static size_t word_tag(const struct jlexer *x, size_t pos, const char *word, char *sign) {
    while (pos < x->len && is_blank(x->src[pos]))
        pos++;
    if (!at_text(x, pos, word))
        return 0;
    pos += strlen(word);
    while (pos < x->len && is_blank(x->src[pos]))
        pos++;
    *sign = sign_at(x, pos);
    pos += *sign != 0;
    return at_text(x, pos, "%}") ? pos + 2 : 0;
}

static bool give_text(struct jlexer *x, size_t from, size_t to) {
    x->type = T_TEXT;
    return j_string(x->j, x->src + from, to - from, J_TEMPLATE, &x->value);
}

// The text of a raw block, whose opening tag ends at x->pos.
static bool lex_raw(struct jlexer *x, bool *got) {
    size_t from = x->pos;
    for (size_t at = from; (at = find(x, at, "{%")) < x->len; at += 2) {
        char open = sign_at(x, at + 2), close;
        size_t end = word_tag(x, at + 2 + (open != 0), "endraw", &close);
        if (!end)
            continue;
        size_t to = strip_before(x, from, at, open, false);
        advance(x, end);
        after_close(x, close, true);
        *got = to > from;
        return !*got || give_text(x, from, to);
    }
    return lex_error(x, "a raw block has no end");
}

static bool lex_comment(struct jlexer *x) {
    size_t end = find(x, x->pos + 2, "#}");
    if (end == x->len)
        return lex_error(x, "a comment has no end");
    char sign = end > x->pos + 2 ? sign_at(x, end - 1) : 0;
    advance(x, end + 2);
    after_close(x, sign, true);
    return true;
}

// Opens the tag at x->pos; *got: a token came of it (an opening, or the text of a raw block).
static bool open_tag(struct jlexer *x, bool *got) {
    char kind = x->src[x->pos + 1];
    if (kind == '#')
        return lex_comment(x);
    char sign = sign_at(x, x->pos + 2), close;
    size_t body = x->pos + 2 + (sign != 0);
    size_t raw = kind == '%' ? word_tag(x, body, "raw", &close) : 0;
    if (raw) {
        advance(x, raw);
        after_close(x, close, false);
        return lex_raw(x, got);
    }
    advance(x, body);
    x->mode = kind == '%' ? IN_BLOCK : IN_VAR;
    x->type = kind == '%' ? T_OPEN_BLOCK : T_OPEN_VAR;
    x->nesting = 0;
    *got = true;
    return true;
}

static bool lex_text(struct jlexer *x) {
    for (bool got = false; !got;) {
        size_t from = x->pos, tag = next_tag(x, from);
        if (tag == x->len) {
            advance(x, tag);
            x->type = T_END;
            return from == tag || give_text(x, from, tag);
        }
        size_t to = strip_before(x, from, tag, sign_at(x, tag + 2), x->src[tag + 1] == '{');
        advance(x, tag);
        if (to > from)
            return give_text(x, from, to);
        if (!open_tag(x, &got))
            return false;
    }
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) || (unsigned char)c >= 0x80;
}

static size_t digits(const struct jlexer *x, size_t at) {
    while (at < x->len && (is_digit(x->src[at]) || (x->src[at] == '_' && at + 1 < x->len && is_digit(x->src[at + 1]))))
        at++;
    return at;
}

// The digits from..to without underscores, as a terminated text.
static bool digit_text(struct jlexer *x, size_t from, size_t to, char text[64]) {
    size_t n = 0;
    for (; from < to; from++)
        if (x->src[from] != '_') {
            if (n == 63)
                return lex_error(x, "a number is too long");
            text[n++] = x->src[from];
        }
    text[n] = 0;
    return true;
}

static bool whole_number(struct jlexer *x, const char *text, int base) {
    int64_t n = 0;
    for (; *text; text++) {
        int digit = is_digit(*text) ? *text - '0' : (*text | 0x20) - 'a' + 10;
        if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit, &n))
            return lex_error(x, "an integer does not fit in 64 bits");
    }
    x->type = T_INT;
    x->value = j_int(n);
    return true;
}

static bool prefixed_number(struct jlexer *x, bool *is) {
    char kind = x->pos + 1 < x->len && x->src[x->pos] == '0' ? (char)(x->src[x->pos + 1] | 0x20) : 0;
    int base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
    size_t at = x->pos + 2;
    char text[64];
    *is = base != 0;
    if (!base)
        return true;
    for (; at < x->len; at++) {
        char c = x->src[at];
        int digit = is_digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : 99;
        if (c != '_' && digit >= base)
            break;
    }
    if (!digit_text(x, x->pos + 2, at, text) || !whole_number(x, text, base))
        return false;
    advance(x, at);
    return true;
}

static bool lex_number(struct jlexer *x) {
    bool prefixed;
    char text[64];
    if (!prefixed_number(x, &prefixed))
        return false;
    if (prefixed)
        return true;
    size_t end = digits(x, x->pos);
    bool is_float = false;
    bool after_dot = x->pos > 0 && x->src[x->pos - 1] == '.';
    if (!after_dot && end + 1 < x->len && x->src[end] == '.' && is_digit(x->src[end + 1])) {
        end = digits(x, end + 1);
        is_float = true;
    }
    if (!after_dot && end < x->len && (x->src[end] | 0x20) == 'e') {
        size_t exponent = end + 1 + (end + 1 < x->len && (x->src[end + 1] == '+' || x->src[end + 1] == '-'));
        if (exponent < x->len && is_digit(x->src[exponent])) {
            end = digits(x, exponent);
            is_float = true;
        }
    }
    if (!digit_text(x, x->pos, end, text))
        return false;
    advance(x, end);
    if (!is_float)
        return whole_number(x, text, 10);
    x->type = T_FLOAT;
    x->value = j_float(strtod(text, NULL));
    return true;
}

static const char *const simple_escapes = "n\nt\tr\rb\bf\fv\va\a\\\\''\"\"";

static int hex_digit(char c) {
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The escape behind a backslash at *at, as Python reads it; unknown ones stay as they are.
static bool unescape(struct jlexer *x, size_t *at, size_t end, struct jbuilder *b, const struct jstr *origin) {
    char c = x->src[(*at)++], out[4] = {c};
    for (const char *e = simple_escapes; *e; e += 2)
        if (*e == c)
            return j_add(x->j, b, e + 1, 1, origin);
    unsigned n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t code = 0;
    if (c == '\n')
        return true;
    if (c >= '0' && c <= '7') {
        code = (uint32_t)(c - '0');
        for (unsigned i = 1; i < 3 && *at < end && x->src[*at] >= '0' && x->src[*at] <= '7'; i++)
            code = code * 8 + (uint32_t)(x->src[(*at)++] - '0');
    } else if (!n) {
        return j_add(x->j, b, "\\", 1, origin) && j_add(x->j, b, out, 1, origin);
    }
    for (unsigned i = 0; i < n; i++) {
        int digit = *at < end ? hex_digit(x->src[*at]) : -1;
        if (digit < 0)
            return lex_error(x, "an escape in a string has too few digits");
        code = code << 4 | (uint32_t)digit;
        ++*at;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return lex_error(x, "an escape in a string is no character");
    return j_add(x->j, b, out, utf8_encode(code, out), origin);
}

static bool lex_string(struct jlexer *x) {
    struct jstr origin = {.origin = J_TEMPLATE};
    struct jbuilder b = {0};
    char quote = x->src[x->pos];
    size_t end = x->pos + 1;
    while (end < x->len && x->src[end] != quote)
        end += x->src[end] == '\\' ? 2 : 1;
    if (end >= x->len)
        return lex_error(x, "a string has no end");
    for (size_t at = x->pos + 1; at < end;) {
        const char *slash = memchr(x->src + at, '\\', end - at);
        size_t stop = slash ? (size_t)(slash - x->src) : end;
        if (!j_add(x->j, &b, x->src + at, stop - at, &origin))
            return false;
        at = stop + 1;
        if (slash && !unescape(x, &at, end, &b, &origin))
            return false;
    }
    advance(x, end + 1);
    x->type = T_STR;
    return j_finish(x->j, &b, &x->value);
}

// The closing tag of the mode at x->pos.
static bool lex_close(struct jlexer *x, bool *is) {
    char sign = sign_at(x, x->pos);
    const char *close = x->mode == IN_VAR ? "}}" : "%}";
    *is = x->nesting == 0 && at_text(x, x->pos + (sign != 0), close) && !(sign == '+' && x->mode == IN_VAR);
    if (!*is)
        return true;
    advance(x, x->pos + (sign != 0) + 2);
    x->type = x->mode == IN_VAR ? T_CLOSE_VAR : T_CLOSE_BLOCK;
    after_close(x, sign, x->mode == IN_BLOCK);
    x->mode = IN_TEXT;
    return true;
}

static bool lex_operator(struct jlexer *x) {
    static const char *const operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                            "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        const char *op = operators[i];
        if (!at_text(x, x->pos, op))
            continue;
        if (strchr("([{", *op)) {
            if (x->nesting == JINJA_MAX_NESTING)
                return lex_error(x, "brackets are nested too deeply");
            x->open[x->nesting++] = *op == '(' ? ')' : *op == '[' ? ']' : '}';
        } else if (strchr(")]}", *op)) {
            if (!x->nesting || x->open[x->nesting - 1] != *op)
                return lex_error(x, "a closing bracket has no opening one");
            x->nesting--;
        }
        x->type = T_OP;
        x->text = (struct str){x->src + x->pos, strlen(op)};
        advance(x, x->pos + strlen(op));
        return true;
    }
    return lex_error(x, "a character that belongs to no expression");
}

bool j_lex_next(struct jlexer *x) {
    x->token_line = x->line;
    if (x->mode == IN_TEXT)
        return lex_text(x);
    while (x->pos < x->len && is_blank(x->src[x->pos]))
        advance(x, x->pos + 1);
    x->token_line = x->line;
    if (x->pos == x->len)
        return lex_error(x, "a tag has no end");
    bool closed;
    if (!lex_close(x, &closed) || closed)
        return closed;
    char c = x->src[x->pos];
    if (is_digit(c))
        return lex_number(x);
    if (c == '"' || c == '\'')
        return lex_string(x);
    if (!is_name(c))
        return lex_operator(x);
    size_t end = x->pos;
    while (end < x->len && is_name(x->src[end]))
        end++;
    x->type = T_NAME;
    x->text = (struct str){x->src + x->pos, end - x->pos};
    advance(x, end);
    return true;
}
