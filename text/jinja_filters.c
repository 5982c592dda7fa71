// SPDX-License-Identifier: MIT
// Jinja's filters on single values and texts, and the table of all filters; those on sequences are in jinja_seq.c. A
// filter gets its row and the value that it is applied to in `self` (a bound method).
#include "text/jinja_seq.h"
#include "text/unicode.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

bool j_filter_int(struct jinja *j, const struct jval *v, int64_t otherwise, int64_t *out) {
    *out = otherwise;
    return !v || v->type == J_NONE || j_as_int(v, out) || j_fail(j, "expected an integer, not %s", j_type_name(v));
}

static bool flag(const struct jval *v) {
    return v && j_truth(v);
}

// The value as a string: most text filters take anything.
static bool text_of(struct jinja *j, struct jval v, struct jstr **out) {
    struct jval text;
    if (!j_to_str(j, v, &text))
        return false;
    *out = text.s;
    return true;
}

static bool optional_text(struct jinja *j, const struct jval *v, const char *otherwise, struct jstr **out) {
    struct jval text;
    if (v && v->type != J_NONE)
        return text_of(j, *v, out);
    if (!j_string(j, otherwise, strlen(otherwise), J_TEMPLATE, &text))
        return false;
    *out = text.s;
    return true;
}

FILTER(abs_) {
    int64_t i;
    if (j_as_int(&SELF, &i))
        return j_binary(j, i < 0 ? OP_SUB : OP_ADD, j_int(0), j_int(i), out);
    if (SELF.type != J_FLOAT)
        return j_fail(j, "bad operand type for abs(): '%s'", j_type_name(&SELF));
    *out = j_float(fabs(SELF.f));
    return true;
}

FILTER(attr) {
    return SELF.type == J_UNDEFINED ? (*out = SELF, true) : j_get_attr(j, SELF, *ARG(0), false, out);
}

static bool change(struct jinja *j, struct jval v, enum jcase how, struct jval *out) {
    struct jstr *s;
    return text_of(j, v, &s) && j_str_case(j, s, how, out);
}

FILTER(capitalize) {
    return change(j, SELF, J_CAPITALIZE, out);
}

FILTER(upper) {
    return change(j, SELF, J_UPPER, out);
}

FILTER(lower) {
    return change(j, SELF, J_LOWER, out);
}

// Words begin behind white space, hyphens and opening brackets.
FILTER(title) {
    struct jstr *s;
    struct jbuilder b = {0};
    size_t from = 0;
    if (!text_of(j, SELF, &s))
        return false;
    for (size_t i = 0; i <= s->len; i++) {
        bool stop = i == s->len || strchr("-({[< \t\n\r\v\f", s->ptr[i]);
        struct jval word;
        if (stop && i > from &&
            (!j_substring(j, s, from, i, &word) || !j_str_case(j, word.s, J_CAPITALIZE, &word) ||
             !j_add_slice(j, &b, word.s, 0, word.s->len)))
            return false;
        if (stop && i < s->len && !j_add_slice(j, &b, s, i, i + 1))
            return false;
        from = stop ? i + 1 : from;
    }
    return j_finish(j, &b, out);
}

FILTER(center) {
    struct jstr *s;
    int64_t width;
    return text_of(j, SELF, &s) && j_filter_int(j, ARG(0), 80, &width) && j_str_pad(j, s, width, ' ', '^', out);
}

FILTER(default_) {
    bool replaced = SELF.type == J_UNDEFINED || (flag(ARG(1)) && !j_truth(&SELF));
    if (replaced && !ARG(0))
        return j_string(j, "", 0, J_TEMPLATE, out);
    *out = replaced ? *ARG(0) : SELF;
    return true;
}

FILTER(escape) {
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
    struct jstr *s;
    struct jbuilder b = {0};
    if (!text_of(j, SELF, &s))
        return false;
    for (size_t i = 0; i < s->len; i++) {
        const char *special = s->ptr[i] ? strchr("&<>\"'", s->ptr[i]) : NULL;
        if (special ? !j_add_text(j, &b, names[special - strchr("&<>\"'", '&')]) : !j_add_slice(j, &b, s, i, i + 1))
            return false;
    }
    return j_finish(j, &b, out);
}

static bool escaped(struct jinja *j, struct jval v, struct jval *out) {
    struct jmethod m = {.self = v};
    return escape(j, (struct jval){.type = J_METHOD, .method = &m}, &(struct jargs){0}, out);
}

// The members of a dictionary as attributes of an element, each behind a space.
FILTER(xmlattr) {
    struct jbuilder b = {0};
    struct jval key, value;
    bool space = !ARG(0) || j_truth(ARG(0));
    if (SELF.type != J_DICT)
        return j_fail(j, "xmlattr: expected a mapping, not %s", j_type_name(&SELF));
    for (size_t i = 0; i < SELF.dict->n; i++) {
        const struct jpair *pair = &SELF.dict->pairs[i];
        if (pair->value.type == J_NONE || pair->value.type == J_UNDEFINED)
            continue;
        if (pair->key.type != J_STR)
            return j_fail(j, "xmlattr: expected a string as key, not %s", j_type_name(&pair->key));
        for (size_t k = 0; k < pair->key.s->len; k++)
            if (uni_char_at(pair->key.s->ptr, k, pair->key.s->len).bit & UNI_SPACE ||
                (pair->key.s->ptr[k] && strchr("/>=", pair->key.s->ptr[k])))
                return j_fail(j, "xmlattr: invalid character in an attribute's name");
        if (!escaped(j, pair->key, &key) || !escaped(j, pair->value, &value) ||
            ((b.len || space) && !j_add_text(j, &b, " ")) || !j_add_slice(j, &b, key.s, 0, key.s->len) ||
            !j_add_text(j, &b, "=\"") || !j_add_slice(j, &b, value.s, 0, value.s->len) || !j_add_text(j, &b, "\""))
            return false;
    }
    return j_finish(j, &b, out);
}

// A character reference at text[0]: its code point, or 0 where it is none. Of the named ones the usual are known.
static uint32_t reference(struct str text, size_t *len) {
    static const struct {
        const char *name;
        uint32_t code;
    } names[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&nbsp;", 0xA0}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if ((*len = strlen(names[i].name)) <= text.len && !memcmp(text.ptr, names[i].name, *len))
            return names[i].code;
    char digits[12] = {0}, *end;
    memcpy(digits, text.ptr, min_size(text.len, sizeof digits - 1));
    bool hex = digits[1] == '#' && (digits[2] | 0x20) == 'x';
    const char *first = digits + (hex ? 3 : 2);
    if (digits[1] != '#' || !(hex ? isxdigit((unsigned char)*first) : isdigit((unsigned char)*first)))
        return 0;
    unsigned long code = strtoul(first, &end, hex ? 16 : 10);
    *len = (size_t)(end - digits) + (*end == ';');
    bool possible = code && code < 0x110000 && !(code >= 0xD800 && code < 0xE000);
    return possible ? (uint32_t)code : 0xFFFD;
}

// The text without comments; then without tags.
static bool strip_marked(struct jinja *j, struct jstr *s, const char *open, const char *close, struct jstr **out) {
    struct jbuilder b = {0};
    struct jval stripped;
    size_t at = 0;
    for (;;) {
        const char *begin = memmem(s->ptr + at, s->len - at, open, strlen(open));
        const char *end = begin ? memmem(begin, (size_t)(s->ptr + s->len - begin), close, strlen(close)) : NULL;
        if (!end)
            break;
        if (!j_add_slice(j, &b, s, at, (size_t)(begin - s->ptr)))
            return false;
        at = (size_t)(end - s->ptr) + strlen(close);
    }
    if (!j_add_slice(j, &b, s, at, s->len) || !j_finish(j, &b, &stripped))
        return false;
    *out = stripped.s;
    return true;
}

// Then white space becomes single spaces, and references their characters.
FILTER(striptags) {
    struct jstr *s;
    struct jbuilder b = {0};
    bool space = false;
    if (!text_of(j, SELF, &s) || !strip_marked(j, s, "<!--", "-->", &s) || !strip_marked(j, s, "<", ">", &s))
        return false;
    for (size_t i = 0, n; i < s->len; i += n) {
        struct uni_char c = uni_char_at(s->ptr, i, s->len);
        n = c.len;
        bool blank = c.bit & UNI_SPACE || (c.code >= 0x1C && c.code <= 0x1F);
        if (!blank && space && b.len && !j_add_text(j, &b, " "))
            return false;
        space = blank;
        char text[4];
        uint32_t code = s->ptr[i] == '&' ? reference((struct str){s->ptr + i, s->len - i}, &n) : 0;
        if (!code)
            n = c.len;
        if (!blank && !(code ? j_add(j, &b, text, utf8_encode(code, text), NULL) : j_add_slice(j, &b, s, i, i + n)))
            return false;
    }
    return j_finish(j, &b, out);
}

FILTER(float_) {
    struct jval other = ARG(0) ? *ARG(0) : j_float(0);
    char text[128], *end = text;
    *out = other;
    if (j_is_number(&SELF))
        *out = j_float(j_number(&SELF));
    if (SELF.type != J_STR || SELF.s->len >= sizeof text || !SELF.s->len)
        return true;
    memcpy(text, SELF.s->ptr, SELF.s->len);
    text[SELF.s->len] = 0;
    double f = strtod(text, &end);
    if (end == text)
        return true;
    end += strspn(end, " \t\n\r\v\f");
    if (end == text + SELF.s->len && !strpbrk(text, "xXpP"))
        *out = j_float(f);
    return true;
}

FILTER(filesizeformat) {
    static const char *const letters[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
    struct jval size, none = {.type = J_NONE};
    struct jargs other = {.values = &none, .n = 1};
    char text[64];
    bool binary = flag(ARG(0));
    if (!float_(j, self, &other, &size))
        return false;
    if (size.type != J_FLOAT || !isfinite(size.f))
        return j_fail(j, "filesizeformat: expected a number, not %s", j_type_name(&SELF));
    double base = binary ? 1024 : 1000, bytes = size.f, unit = base;
    unsigned i = 0;
    while (i + 1 < ARRAY_LEN(letters) && bytes >= unit * base) {
        unit *= base;
        i++;
    }
    if (bytes == 1 || bytes < base)
        snprintf(text, sizeof text, bytes == 1 ? "1 Byte" : "%.0f Bytes", trunc(bytes));
    else
        snprintf(text, sizeof text, "%.1f %s%sB", bytes / unit, binary && !i ? "K" : letters[i], binary ? "i" : "");
    return j_string(j, text, strlen(text), J_DATA, out);
}

static bool text_to_int(const struct jstr *s, int64_t base, int64_t *out) {
    char text[80], *end;
    size_t n = 0;
    for (size_t i = 0; i < s->len; i++) {
        if (n == sizeof text - 1)
            return false;
        if (s->ptr[i] != '_')
            text[n++] = s->ptr[i];
    }
    text[n] = 0;
    bool prefixed =
        n > 2 && text[0] == '0' && ((base == 2 && (text[1] | 0x20) == 'b') || (base == 8 && (text[1] | 0x20) == 'o'));
    char *digits = text + (prefixed ? 2 : 0);
    *out = strtoll(digits, &end, (int)base);
    if (end == digits)
        return false;
    end += strspn(end, " \t\n\r\v\f");
    return n && end == text + n && *out != INT64_MAX && *out != INT64_MIN;
}

FILTER(int_) {
    int64_t i, base;
    struct jval f, none = {.type = J_NONE};
    *out = ARG(0) ? *ARG(0) : j_int(0);
    if (SELF.type == J_UNDEFINED)
        return j_fail(j, "int: the value is undefined");
    if (!j_filter_int(j, ARG(1), 10, &base))
        return false;
    if (base < 0 || base == 1 || base > 36)
        return true;
    if (j_as_int(&SELF, &i) || (SELF.type == J_STR && text_to_int(SELF.s, base, &i))) {
        *out = j_int(i);
        return true;
    }
    struct jargs other = {.values = &none, .n = 1};
    if (!float_(j, self, &other, &f))
        return false;
    if (f.type == J_FLOAT && isfinite(f.f) && fabs(f.f) < 9e18)
        *out = j_int((int64_t)f.f);
    return true;
}

FILTER(format) {
    struct jstr *s;
    return text_of(j, SELF, &s) && j_str_percent(j, s, args, out);
}

// Every line but the first gets the indentation, empty ones only with `blank`.
FILTER(indent) {
    struct jstr *s, *pad;
    struct jval spaces;
    struct jbuilder b = {0};
    int64_t width = 4;
    bool first = flag(ARG(1)), blank = flag(ARG(2));
    if (!text_of(j, SELF, &s) || !j_string(j, "", 0, J_TEMPLATE, &spaces))
        return false;
    if (ARG(0) && ARG(0)->type == J_STR)
        pad = ARG(0)->s;
    else if (!j_filter_int(j, ARG(0), 4, &width) || !j_str_pad(j, spaces.s, width, ' ', '<', &spaces))
        return false;
    else
        pad = spaces.s;
    for (size_t from = 0; from <= s->len;) {
        const char *newline = memchr(s->ptr + from, '\n', s->len - from);
        size_t to = newline ? (size_t)(newline - s->ptr) : s->len;
        bool wanted = from == 0 ? first : blank || to > from;
        if ((wanted && !j_add_slice(j, &b, pad, 0, pad->len)) || !j_add_slice(j, &b, s, from, to + (newline != NULL)))
            return false;
        from = to + 1;
    }
    return j_finish(j, &b, out);
}

FILTER(replace) {
    struct jstr *s, *from, *to;
    int64_t most;
    return text_of(j, SELF, &s) && text_of(j, *ARG(0), &from) && text_of(j, *ARG(1), &to) &&
           j_filter_int(j, ARG(2), -1, &most) && j_str_replace(j, s, from, to, most, out);
}

static double round_even(double x) {
    double r = round(x);
    return fabs(x - trunc(x)) == 0.5 ? 2.0 * round(x / 2.0) : r;
}

FILTER(round_) {
    int64_t digits;
    struct jstr *how;
    if (!j_is_number(&SELF))
        return j_fail(j, "type %s doesn't define __round__ method", j_type_name(&SELF));
    if (!j_filter_int(j, ARG(0), 0, &digits) || !optional_text(j, ARG(1), "common", &how))
        return false;
    if (digits < -15 || digits > 15)
        return j_fail(j, "round: at most 15 digits");
    double scale = pow(10, (double)digits), x = j_number(&SELF);
    if (SELF.type != J_FLOAT && how->len == 6 && !memcmp(how->ptr, "common", 6) && digits >= 0) {
        *out = SELF;
        return true;
    }
    bool up = how->len == 4 && !memcmp(how->ptr, "ceil", 4), down = how->len == 5 && !memcmp(how->ptr, "floor", 5);
    // Python's ceil and floor give integers, which have no negative zero.
    *out = j_float((up ? ceil(x * scale) + 0.0 : down ? floor(x * scale) + 0.0 : round_even(x * scale)) / scale);
    return true;
}

FILTER(same) {
    *out = SELF;
    return true;
}

FILTER(string) {
    return j_to_str(j, SELF, out);
}

FILTER(trim) {
    struct jstr *s, *set = NULL;
    if (!text_of(j, SELF, &s) || (ARG(0) && ARG(0)->type != J_NONE && !j_str_arg(j, ARG(0), "chars", &set)))
        return false;
    return j_str_strip(j, s, set, 3, out);
}

// Cuts at `length` characters including the end mark, at a word's end unless words may be cut.
FILTER(truncate) {
    struct jstr *s, *end;
    int64_t length, leeway;
    struct jbuilder b = {0};
    if (!text_of(j, SELF, &s) || !j_filter_int(j, ARG(0), 255, &length) || !optional_text(j, ARG(2), "...", &end) ||
        !j_filter_int(j, ARG(3), 5, &leeway))
        return false;
    int64_t keep = length - (int64_t)j_chars(end);
    if (keep < 0)
        return j_fail(j, "truncate: the length is less than that of the end");
    if ((int64_t)j_chars(s) <= length + leeway) {
        *out = (struct jval){.type = J_STR, .s = s};
        return true;
    }
    size_t to = j_char_offset(s, (size_t)keep);
    size_t space = to;
    while (space && s->ptr[space - 1] != ' ')
        space--;
    to = space && !flag(ARG(1)) ? space - 1 : to;
    return j_add_slice(j, &b, s, 0, to) && j_add_slice(j, &b, end, 0, end->len) && j_finish(j, &b, out);
}

FILTER(wordcount) {
    struct jstr *s;
    int64_t n = 0;
    bool inside = false;
    if (!text_of(j, SELF, &s))
        return false;
    for (size_t i = 0; i < s->len;) {
        struct uni_char c = uni_char_at(s->ptr, i, s->len);
        bool word = c.bit & (UNI_L | UNI_N) || c.code == '_';
        n += word && !inside;
        inside = word;
        i += c.len;
    }
    *out = j_int(n);
    return true;
}

FILTER(urlencode) {
    struct jstr *s;
    struct jbuilder b = {0};
    if (!text_of(j, SELF, &s))
        return false;
    for (size_t i = 0; i < s->len; i++) {
        static const char hex[] = "0123456789ABCDEF";
        unsigned char c = (unsigned char)s->ptr[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("_.-~/", c));
        char text[3] = {'%', hex[c >> 4], hex[c & 15]};
        if (plain ? !j_add_slice(j, &b, s, i, i + 1) : !j_add(j, &b, text, 3, NULL))
            return false;
    }
    return j_finish(j, &b, out);
}

static bool json_separators(struct jinja *j, const struct jval *v, struct jjson *how) {
    if (!v || v->type == J_NONE)
        return true;
    bool pair = (v->type == J_TUPLE || v->type == J_LIST) && v->list->n == 2 && v->list->items[0].type == J_STR &&
                v->list->items[1].type == J_STR;
    if (!pair)
        return j_fail(j, "tojson: separators must be two strings");
    how->item_sep = (struct str){v->list->items[0].s->ptr, v->list->items[0].s->len};
    how->key_sep = (struct str){v->list->items[1].s->ptr, v->list->items[1].s->len};
    return true;
}

FILTER(tojson) {
    struct jbuilder b = {0};
    int64_t indent = -1;
    const struct jval *width = ARG(1);
    if (width && width->type == J_STR)
        indent = (int64_t)j_chars(width->s);
    else if (!j_filter_int(j, width, -1, &indent))
        return false;
    if (indent > 1000)
        return j_fail(j, "tojson: an indentation of %lld is too large", (long long)indent);
    struct jjson how = {.indent = (int)(indent < -1 ? 0 : indent),
                        .ascii = flag(ARG(0)),
                        .sort = flag(ARG(3)),
                        .item_sep = {", ", indent >= 0 ? 1 : 2},
                        .key_sep = {": ", 2}};
    return json_separators(j, ARG(2), &how) && j_add_json(j, &b, &SELF, &how, 0) && j_finish(j, &b, out);
}

static const struct jfunc rows[] = {
    {"abs", abs_, 0, 0, 0, ""},
    {"attr", attr, 0, 1, 1, "name"},
    {"batch", j_seq_batch, 0, 1, 2, "linecount fill_with"},
    {"capitalize", capitalize, 0, 0, 0, ""},
    {"center", center, 0, 0, 1, "width"},
    {"count", j_seq_length, 0, 0, 0, ""},
    {"d", default_, 0, 0, 2, "default_value boolean"},
    {"default", default_, 0, 0, 2, "default_value boolean"},
    {"dictsort", j_seq_dictsort, 0, 0, 3, "case_sensitive by reverse"},
    {"e", escape, 0, 0, 0, ""},
    {"escape", escape, 0, 0, 0, ""},
    {"filesizeformat", filesizeformat, 0, 0, 1, "binary"},
    {"first", j_seq_first, 0, 0, 0, ""},
    {"float", float_, 0, 0, 1, "default"},
    {"forceescape", escape, 0, 0, 0, ""},
    {"format", format, 0, 0, 255, ""},
    {"groupby", j_seq_groupby, 0, 1, 3, "attribute default case_sensitive"},
    {"indent", indent, 0, 0, 3, "width first blank"},
    {"int", int_, 0, 0, 2, "default base"},
    {"items", j_seq_items, 0, 0, 0, ""},
    {"join", j_seq_join, 0, 0, 2, "d attribute"},
    {"last", j_seq_first, 1, 0, 0, ""},
    {"length", j_seq_length, 0, 0, 0, ""},
    {"list", j_seq_list, 0, 0, 0, ""},
    {"lower", lower, 0, 0, 0, ""},
    {"map", j_seq_map, 0, 0, 255, ""},
    {"max", j_seq_extreme, 1, 0, 2, "case_sensitive attribute"},
    {"min", j_seq_extreme, 0, 0, 2, "case_sensitive attribute"},
    {"pprint", j_filter_pprint, 0, 0, 0, ""},
    {"reject", j_seq_select, 1, 0, 255, ""},
    {"rejectattr", j_seq_select, 3, 1, 255, ""},
    {"replace", replace, 0, 2, 3, "old new count"},
    {"reverse", j_seq_reverse, 0, 0, 0, ""},
    {"round", round_, 0, 0, 2, "precision method"},
    {"safe", same, 0, 0, 0, ""},
    {"select", j_seq_select, 0, 0, 255, ""},
    {"selectattr", j_seq_select, 2, 1, 255, ""},
    {"slice", j_seq_slice, 0, 1, 2, "slices fill_with"},
    {"sort", j_seq_sort, 0, 0, 3, "reverse case_sensitive attribute"},
    {"string", string, 0, 0, 0, ""},
    {"striptags", striptags, 0, 0, 0, ""},
    {"sum", j_seq_sum, 0, 0, 2, "attribute start"},
    {"title", title, 0, 0, 0, ""},
    {"tojson", tojson, 0, 0, 4, "ensure_ascii indent separators sort_keys"},
    {"trim", trim, 0, 0, 1, "chars"},
    {"truncate", truncate, 0, 0, 4, "length killwords end leeway"},
    {"unique", j_seq_unique, 0, 0, 2, "case_sensitive attribute"},
    {"upper", upper, 0, 0, 0, ""},
    {"urlencode", urlencode, 0, 0, 0, ""},
    {"wordcount", wordcount, 0, 0, 0, ""},
    {"wordwrap", j_filter_wordwrap, 0, 0, 4, "width break_long_words wrapstring break_on_hyphens"},
    {"xmlattr", xmlattr, 0, 0, 1, "autospace"},
};

const struct jfunc *j_find_filter(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strlen(rows[i].name) == name.len && !memcmp(rows[i].name, name.ptr, name.len))
            return &rows[i];
    return NULL;
}
