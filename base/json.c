// SPDX-License-Identifier: MIT
// The JSON reader and writer. The reader does not recurse: open arrays and objects lie on a stack of its own, their
// finished members on another, and a container's members move to the arena when it closes.
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

// An array or object that is still open.
struct frame {
    enum json_type type;
    size_t first;   // its first member on the stack of members
    struct str key; // of the value that comes next
};

struct parser {
    const char *text, *name;
    size_t len, pos, line;
    struct frame frames[JSON_MAX_DEPTH];
    size_t depth;
    struct json_member *members; // finished, of all open frames; arrays leave the keys empty
    size_t n_members, cap;
    char *scratch; // for strings with escapes, never longer than the text they come from
    size_t scratch_used;
    struct arena *arena;
    struct err *e;
};

static bool fail(struct parser *p, const char *format, ...) PRINTF_LIKE(2, 3);

// An error at the current position.
static bool fail(struct parser *p, const char *format, ...) {
    char why[200];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    size_t line = p->line, column = 1;
    for (size_t i = 0; i < p->pos; i++) {
        if (p->text[i] == '\n') {
            line++;
            column = 1;
        } else {
            column += ((uint8_t)p->text[i] & 0xC0) != 0x80;
        }
    }
    return err_set(p->e, ERR_INPUT, "%s: line %zu, column %zu: %s", p->name, line, column, why);
}

static bool fail_expected(struct parser *p, const char *expected) {
    if (p->pos == p->len)
        return fail(p, "expected %s, found the end of the text", expected);
    unsigned n;
    uint32_t c = utf8_decode(p->text + p->pos, p->len - p->pos, &n);
    if (c == UTF8_BAD)
        return fail(p, "expected %s, found byte 0x%02X, which is not UTF-8", expected, (uint8_t)p->text[p->pos]);
    if (c > 0x20 && c < 0x7F)
        return fail(p, "expected %s, found '%c'", expected, (char)c);
    return fail(p, "expected %s, found U+%04" PRIX32, expected, c);
}

// The next byte, or -1 at the end.
static int peek(const struct parser *p) {
    return p->pos < p->len ? (uint8_t)p->text[p->pos] : -1;
}

static bool accept(struct parser *p, char c) {
    bool found = peek(p) == (uint8_t)c;
    p->pos += found;
    return found;
}

static void skip_space(struct parser *p) {
    while (p->pos < p->len && strchr(" \t\n\r", p->text[p->pos]) && p->text[p->pos] != '\0')
        p->pos++;
}

// Memory for at least as many bytes as the rest of the text has, and one more.
static char *scratch(struct parser *p) {
    if (!p->scratch) {
        p->scratch = arena_alloc(p->arena, p->len - p->pos + 1, 1);
        if (!p->scratch)
            err_memory(p->e, p->len - p->pos + 1, p->name);
    }
    return p->scratch ? p->scratch + p->scratch_used : NULL;
}

static bool read_hex4(struct parser *p, uint32_t *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++, p->pos++) {
        int c = peek(p);
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)c - '0'
                         : c >= 'a' && c <= 'f' ? (uint32_t)c - 'a' + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)c - 'A' + 10
                                                : 16;
        if (digit == 16)
            return fail_expected(p, "four hexadecimal digits after \\u");
        *unit = *unit << 4 | digit;
    }
    return true;
}

// The character of a \u escape, whose \u is read already, with the second half of a surrogate pair.
static bool read_unicode(struct parser *p, uint32_t *c) {
    uint32_t low;
    size_t begins = p->pos;
    ERR_FORWARD(read_hex4(p, c));
    if (*c < 0xD800 || *c > 0xDFFF)
        return true;
    bool high = *c < 0xDC00;
    if (high && accept(p, '\\') && accept(p, 'u')) {
        ERR_FORWARD(read_hex4(p, &low));
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *c = 0x10000 + ((*c - 0xD800) << 10) + (low - 0xDC00);
            return true;
        }
    }
    p->pos = begins;
    return fail(p, "\\u%04" PRIX32 " is half of a surrogate pair", *c);
}

static bool read_escape(struct parser *p, char **out) {
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    uint32_t c;
    if (accept(p, 'u')) {
        ERR_FORWARD(read_unicode(p, &c));
        *out += utf8_encode(c, *out);
        return true;
    }
    const char *name = peek(p) > 0 ? strchr(names, peek(p)) : NULL;
    if (!name)
        return fail_expected(p, "one of \" \\ / b f n r t u after a backslash");
    *(*out)++ = bytes[name - names];
    p->pos++;
    return true;
}

// Moves over what a string holds as it is.
static bool skip_plain(struct parser *p) {
    while (p->pos < p->len) {
        uint8_t c = (uint8_t)p->text[p->pos];
        unsigned n = 1;
        if (c == '"' || c == '\\')
            return true;
        if (c < 0x20)
            return fail(p, "control character 0x%02X in a string, expected \\u%04X", c, c);
        if (c >= 0x80 && utf8_decode(p->text + p->pos, p->len - p->pos, &n) == UTF8_BAD)
            return fail(p, "byte 0x%02X in a string is not UTF-8", c);
        p->pos += n;
    }
    return fail(p, "the text ends inside a string");
}

// The rest of a string that has escapes, from its first one on; begins is where the string's text begins.
static bool read_escaped(struct parser *p, size_t begins, struct str *s) {
    char *start = scratch(p), *out = start;
    if (!start)
        return false;
    for (size_t from = begins;; from = p->pos) {
        ERR_FORWARD(skip_plain(p));
        memcpy(out, p->text + from, p->pos - from);
        out += p->pos - from;
        if (accept(p, '"'))
            break;
        p->pos++; // the backslash
        ERR_FORWARD(read_escape(p, &out));
    }
    *s = (struct str){start, (size_t)(out - start)};
    p->scratch_used += s->len;
    return true;
}

static bool read_string(struct parser *p, struct str *s) {
    size_t begins = ++p->pos;
    ERR_FORWARD(skip_plain(p));
    if (p->text[p->pos] == '\\') {
        if (!p->scratch) // sized from here, so that it also holds what was skipped
            p->pos = begins;
        return read_escaped(p, begins, s);
    }
    *s = (struct str){p->text + begins, p->pos - begins};
    p->pos++;
    return true;
}

static size_t skip_digits(struct parser *p) {
    size_t begins = p->pos;
    while (peek(p) >= '0' && peek(p) <= '9')
        p->pos++;
    return p->pos - begins;
}

// Moves over a number as the grammar has it; *whole tells whether it has neither fraction nor exponent.
static bool skip_number(struct parser *p, bool *whole) {
    accept(p, '-');
    bool zero = peek(p) == '0';
    size_t digits = skip_digits(p);
    if (digits == 0)
        return fail_expected(p, "a digit");
    if (zero && digits > 1)
        return fail(p, "a number with a leading zero");
    *whole = true;
    if (accept(p, '.')) {
        *whole = false;
        if (skip_digits(p) == 0)
            return fail_expected(p, "a digit after the decimal point");
    }
    if (accept(p, 'e') || accept(p, 'E')) {
        *whole = false;
        if (!accept(p, '+'))
            accept(p, '-');
        if (skip_digits(p) == 0)
            return fail_expected(p, "a digit in the exponent");
    }
    return true;
}

static bool to_int64(struct str text, int64_t *out) {
    bool negative = text.ptr[0] == '-';
    int64_t n = 0;
    for (size_t i = negative; i < text.len; i++) {
        int64_t digit = text.ptr[i] - '0';
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, digit, &n))
            return false; // counted downwards, because there is one negative number more
    }
    return negative ? (*out = n, true) : !__builtin_sub_overflow((int64_t)0, n, out);
}

// strtod reads a decimal point because the program never sets a locale for numbers.
static bool read_number(struct parser *p, struct json *v) {
    size_t begins = p->pos;
    bool whole;
    ERR_FORWARD(skip_number(p, &whole));
    v->text = (struct str){p->text + begins, p->pos - begins};
    v->type = JSON_INT;
    if (whole && to_int64(v->text, &v->integer))
        return true;
    v->type = JSON_FLOAT;
    p->pos = begins;
    char *digits = scratch(p);
    if (!digits)
        return false;
    memcpy(digits, v->text.ptr, v->text.len);
    digits[v->text.len] = '\0';
    v->number = strtod(digits, NULL);
    if (isinf(v->number))
        return fail(p, "the number is too large for a double");
    p->pos = begins + v->text.len;
    return true;
}

static const struct {
    const char *text;
    struct json value;
} words[] = {
    {"null", {.type = JSON_NULL}},
    {"true", {.type = JSON_BOOL, .boolean = true}},
    {"false", {.type = JSON_BOOL, .boolean = false}},
};

static bool read_word(struct parser *p, struct json *v) {
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t len = strlen(words[i].text);
        if (len <= p->len - p->pos && memcmp(p->text + p->pos, words[i].text, len) == 0) {
            *v = words[i].value;
            p->pos += len;
            return true;
        }
    }
    return fail_expected(p, "a value");
}

static bool read_scalar(struct parser *p, struct json *v) {
    int c = peek(p);
    *v = (struct json){0};
    if (c == '"') {
        v->type = JSON_STR;
        return read_string(p, &v->text);
    }
    return c == '-' || (c >= '0' && c <= '9') ? read_number(p, v) : read_word(p, v);
}

static bool push_member(struct parser *p, struct str key, const struct json *v) {
    if (p->n_members == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 32;
        struct json_member *grew = realloc(p->members, cap * sizeof *grew);
        if (!grew)
            return err_memory(p->e, cap * sizeof *grew, p->name);
        p->members = grew;
        p->cap = cap;
    }
    p->members[p->n_members++] = (struct json_member){key, *v};
    return true;
}

static bool same_key(const struct json_member *a, const struct json_member *b) {
    return a->key.len == b->key.len && memcmp(a->key.ptr, b->key.ptr, a->key.len) == 0;
}

// By key, equal keys in their order.
static int compare_members(const void *a, const void *b) {
    const struct json_member *s = *(const struct json_member *const *)a, *t = *(const struct json_member *const *)b;
    int order = memcmp(s->key.ptr, t->key.ptr, min_size(s->key.len, t->key.len));
    if (order != 0)
        return order;
    return s->key.len != t->key.len ? (s->key.len > t->key.len) - (s->key.len < t->key.len) : (s > t) - (s < t);
}

// Keeps each key once, with its last value in its first place; *n becomes the number that is left.
static bool merge_duplicates(struct parser *p, struct json_member *m, size_t *n) {
    struct json_member **sorted = malloc(max_size(*n, 1) * sizeof *sorted);
    if (!sorted)
        return err_memory(p->e, *n * sizeof *sorted, p->name);
    for (size_t i = 0; i < *n; i++)
        sorted[i] = &m[i];
    qsort(sorted, *n, sizeof *sorted, compare_members);
    for (size_t i = 1, first = 0; i < *n; i++) {
        if (same_key(sorted[first], sorted[i])) {
            sorted[first]->value = sorted[i]->value;
            sorted[i]->key.ptr = NULL; // goes
        } else {
            first = i;
        }
    }
    free(sorted);
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (m[i].key.ptr)
            m[kept++] = m[i];
    *n = kept;
    return true;
}

// The innermost open array or object as a value, its members in the arena.
static bool close_frame(struct parser *p, struct json *v) {
    struct frame *f = &p->frames[--p->depth];
    size_t n = p->n_members - f->first;
    bool object = f->type == JSON_OBJECT;
    p->n_members = f->first;
    *v = (struct json){.type = f->type};
    if (n == 0)
        return true;
    struct json_member *m = p->members + f->first;
    if (object)
        ERR_FORWARD(merge_duplicates(p, m, &n));
    void *block = arena_alloc(p->arena, n, object ? sizeof *m : sizeof m->value);
    if (!block)
        return err_memory(p->e, n * sizeof *m, p->name);
    v->n = n;
    if (object) {
        v->members = memcpy(block, m, n * sizeof *m);
    } else {
        struct json *items = block;
        v->items = items;
        for (size_t i = 0; i < n; i++)
            items[i] = m[i].value;
    }
    return true;
}

static bool open_frame(struct parser *p, enum json_type type) {
    if (p->depth == JSON_MAX_DEPTH)
        return fail(p, "nested deeper than %d", JSON_MAX_DEPTH);
    p->frames[p->depth++] = (struct frame){.type = type, .first = p->n_members};
    p->pos++;
    return true;
}

static bool in_object(const struct parser *p) {
    return p->depth > 0 && p->frames[p->depth - 1].type == JSON_OBJECT;
}

static bool read_key(struct parser *p) {
    if (peek(p) != '"')
        return fail_expected(p, "a key in quotes");
    ERR_FORWARD(read_string(p, &p->frames[p->depth - 1].key));
    skip_space(p);
    if (!accept(p, ':'))
        return fail_expected(p, "':' behind a key");
    skip_space(p);
    return true;
}

// Reads on to the end of a value that holds no other: a scalar, or an empty array or object.
static bool read_leaf(struct parser *p, struct json *v) {
    for (;;) {
        skip_space(p);
        if (in_object(p))
            ERR_FORWARD(read_key(p));
        int c = peek(p);
        if (c != '[' && c != '{')
            return read_scalar(p, v);
        ERR_FORWARD(open_frame(p, c == '{' ? JSON_OBJECT : JSON_ARRAY));
        skip_space(p);
        if (accept(p, c == '{' ? '}' : ']'))
            return close_frame(p, v);
    }
}

static bool read_document(struct parser *p, struct json *v) {
    for (;;) {
        ERR_FORWARD(read_leaf(p, v));
        while (p->depth > 0) { // v is a finished member of the innermost frame
            bool object = in_object(p);
            ERR_FORWARD(push_member(p, p->frames[p->depth - 1].key, v));
            skip_space(p);
            if (accept(p, ','))
                break;
            if (!accept(p, object ? '}' : ']'))
                return fail_expected(p, object ? "',' or '}'" : "',' or ']'");
            ERR_FORWARD(close_frame(p, v));
        }
        if (p->depth == 0)
            return true;
    }
}

bool json_parse(struct json_doc *doc, struct str text, const char *name, size_t line, struct err *e) {
    *doc = (struct json_doc){0};
    struct parser p = {.text = text.ptr, .name = name, .len = text.len, .line = line, .arena = &doc->arena, .e = e};
    bool ok = !(text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0) || fail(&p, "a byte order mark");
    ok = ok && read_document(&p, &doc->root);
    if (ok) {
        skip_space(&p);
        ok = p.pos == p.len || fail_expected(&p, "the end of the text");
    }
    free(p.members);
    if (!ok)
        json_free(doc);
    return ok;
}

void json_free(struct json_doc *doc) {
    arena_free(&doc->arena);
    *doc = (struct json_doc){0};
}

const struct json *json_get(const struct json *object, const char *key) {
    if (object->type != JSON_OBJECT)
        return NULL;
    size_t len = strlen(key);
    for (size_t i = 0; i < object->n; i++)
        if (object->members[i].key.len == len && memcmp(object->members[i].key.ptr, key, len) == 0)
            return &object->members[i].value;
    return NULL;
}

// What stands between a value and the one before.
static void separate(struct json_writer *w) {
    if (w->comma)
        buf_char(w->out, ',');
    w->comma = true;
}

void json_begin(struct json_writer *w, char bracket) {
    separate(w);
    buf_char(w->out, bracket);
    w->comma = false;
}

void json_end(struct json_writer *w, char bracket) {
    buf_char(w->out, bracket);
    w->comma = true;
}

static void write_escape(struct buf *out, uint32_t c) {
    static const char names[] = "\"\\bfnrt", bytes[] = "\"\\\b\f\n\r\t";
    const char *found = c != 0 && c < 0x80 ? strchr(bytes, (int)c) : NULL;
    if (c == UTF8_BAD)
        buf_str(out, "\xEF\xBF\xBD");
    else if (found)
        buf_append(out, (char[]){'\\', names[found - bytes]}, 2);
    else
        buf_printf(out, "\\u%04" PRIx32, c);
}

static void write_string(struct buf *out, struct str s) {
    buf_char(out, '"');
    size_t done = 0;
    unsigned n;
    for (size_t i = 0; i < s.len; i += n) {
        uint32_t c = utf8_decode(s.ptr + i, s.len - i, &n);
        if (c >= 0x20 && c != '"' && c != '\\' && c != UTF8_BAD)
            continue;
        buf_append(out, s.ptr + done, i - done);
        write_escape(out, c);
        done = i + n;
    }
    buf_append(out, s.ptr + done, s.len - done);
    buf_char(out, '"');
}

void json_key(struct json_writer *w, const char *key) {
    separate(w);
    write_string(w->out, (struct str){key, strlen(key)});
    buf_char(w->out, ':');
    w->comma = false;
}

void json_str(struct json_writer *w, struct str text) {
    separate(w);
    write_string(w->out, text);
}

void json_int(struct json_writer *w, int64_t n) {
    separate(w);
    buf_int(w->out, n);
}

void json_uint(struct json_writer *w, uint64_t n) {
    separate(w);
    buf_uint(w->out, n);
}

void json_float(struct json_writer *w, double d) {
    char digits[40];
    if (!isfinite(d)) {
        json_null(w);
        return;
    }
    separate(w);
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, d);
        if (strtod(digits, NULL) == d)
            break;
    }
    buf_str(w->out, digits);
    if (!strpbrk(digits, ".e"))
        buf_str(w->out, ".0");
}

void json_bool(struct json_writer *w, bool b) {
    separate(w);
    buf_str(w->out, b ? "true" : "false");
}

void json_null(struct json_writer *w) {
    separate(w);
    buf_str(w->out, "null");
}
