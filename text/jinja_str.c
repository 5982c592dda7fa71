// SPDX-License-Identifier: MIT
// Operations on strings (jinja_str.h), as Python's str has them.
#include "text/jinja_str.h"

#include "base/utf8.h"
#include "text/unicode.h"

#define CASED (UNI_BIT(UNI_LU) | UNI_BIT(UNI_LL) | UNI_BIT(UNI_LT))

static bool is_space(uint32_t c, uint32_t bit) {
    return bit & UNI_SPACE || (c >= 0x1C && c <= 0x1F);
}

static uint32_t set_of(enum jstr_is what) {
    static const uint32_t sets[] = {
        [J_IS_LOWER] = UNI_BIT(UNI_LL), [J_IS_UPPER] = UNI_BIT(UNI_LU),   [J_IS_DIGIT] = UNI_BIT(UNI_ND),
        [J_IS_ALPHA] = UNI_L,           [J_IS_ALNUM] = UNI_L | UNI_N,     [J_IS_SPACE] = UNI_SPACE,
        [J_IS_NUMERIC] = UNI_N,         [J_IS_DECIMAL] = UNI_BIT(UNI_ND), [J_IS_ASCII] = ~0u,
        [J_IS_TITLE] = CASED,
    };
    return sets[what];
}

// Lower and upper look at cased characters only and want one; title wants capitals exactly at the words' beginnings;
// the others want every character in the set.
bool j_str_is(const struct jstr *s, enum jstr_is what) {
    bool cased = what == J_IS_LOWER || what == J_IS_UPPER || what == J_IS_TITLE, any = false, in_word = false;
    for (size_t i = 0; i < s->len;) {
        struct uni_char c = uni_char_at(s->ptr, i, s->len);
        bool counts = !cased || c.bit & CASED;
        bool good = what == J_IS_ASCII   ? c.code < 0x80
                    : what == J_IS_TITLE ? (c.bit == UNI_BIT(UNI_LL)) == in_word
                                         : (c.bit & set_of(what)) || (what == J_IS_SPACE && is_space(c.code, c.bit));
        if (counts && !good)
            return false;
        any |= counts;
        in_word = c.bit & CASED;
        i += c.len;
    }
    return any || what == J_IS_ASCII;
}

static bool to_upper(uint32_t bit, enum jcase how, bool word_start, bool text_start) {
    return how == J_UPPER || (how == J_TITLE && word_start) || (how == J_CAPITALIZE && text_start) ||
           (how == J_SWAPCASE && bit == UNI_BIT(UNI_LL));
}

bool j_str_case(struct jinja *j, const struct jstr *s, enum jcase how, struct jval *out) {
    struct jbuilder b = {0};
    bool in_word = false;
    for (size_t i = 0; i < s->len;) {
        struct uni_char c = uni_char_at(s->ptr, i, s->len);
        bool upper = to_upper(c.bit, how, !in_word, i == 0);
        uint32_t to = upper ? uni_to_upper(c.code) : uni_to_lower(c.code);
        char text[4];
        unsigned n = utf8_encode(to, text);
        bool sharp = c.code == 0xDF && upper; // the one common letter that becomes two
        struct jstr origin = {.origin = s->origin == J_MIXED ? (enum jorigin)s->mask[i] : s->origin};
        bool same = to == c.code || c.code == 0xFFFD;
        if (sharp ? !j_add(j, &b, how == J_UPPER || how == J_SWAPCASE ? "SS" : "Ss", 2, &origin)
                  : !(same ? j_add_slice(j, &b, s, i, i + c.len) : j_add(j, &b, text, n, &origin)))
            return false;
        in_word = c.bit & CASED;
        i += c.len;
    }
    return j_finish(j, &b, out);
}

static bool in_set(const struct jstr *set, const char *c, size_t len) {
    for (size_t i = 0; set && i + len <= set->len; i++)
        if (!memcmp(set->ptr + i, c, len) && (i + len == set->len || ((unsigned char)set->ptr[i + len] & 0xC0) != 0x80))
            return true;
    return false;
}

static bool strips(const struct jstr *s, size_t at, const struct jstr *set, size_t *len) {
    struct uni_char c = uni_char_at(s->ptr, at, s->len);
    *len = c.len;
    return set ? in_set(set, s->ptr + at, c.len) : is_space(c.code, c.bit);
}

bool j_str_strip(struct jinja *j, struct jstr *s, const struct jstr *set, unsigned sides, struct jval *out) {
    size_t from = 0, to = s->len, len;
    while (sides & 1 && from < to && strips(s, from, set, &len))
        from += len;
    while (sides & 2 && to > from) {
        size_t at = to - 1;
        while (at > from && ((unsigned char)s->ptr[at] & 0xC0) == 0x80)
            at--;
        if (!strips(s, at, set, &len) || at + len != to)
            break;
        to = at;
    }
    return j_burn(j, 1) && j_substring(j, s, from, to, out);
}

static bool replace_between(struct jinja *j, const struct jstr *s, const struct jstr *to, int64_t most,
                            struct jval *out) {
    struct jbuilder b = {0};
    size_t i = 0;
    for (; most != 0; most--) {
        if (!j_add_slice(j, &b, to, 0, to->len))
            return false;
        if (i == s->len)
            break;
        unsigned n;
        utf8_decode(s->ptr + i, s->len - i, &n);
        if (!j_add_slice(j, &b, s, i, i + n))
            return false;
        i += n;
    }
    return j_add_slice(j, &b, s, i, s->len) && j_finish(j, &b, out);
}

bool j_str_replace(struct jinja *j, const struct jstr *s, const struct jstr *from, const struct jstr *to, int64_t most,
                   struct jval *out) {
    struct jbuilder b = {0};
    size_t at = 0;
    if (!from->len)
        return replace_between(j, s, to, most, out);
    for (; most != 0; most--) {
        const char *p = memmem(s->ptr + at, s->len - at, from->ptr, from->len);
        if (!p)
            break;
        size_t found = (size_t)(p - s->ptr);
        if (!j_burn(j, 1) || !j_add_slice(j, &b, s, at, found) || !j_add_slice(j, &b, to, 0, to->len))
            return false;
        at = found + from->len;
    }
    return j_burn(j, s->len / 64) && j_add_slice(j, &b, s, at, s->len) && j_finish(j, &b, out);
}

bool j_str_join(struct jinja *j, const struct jstr *between, const struct jlist *items, struct jval *out) {
    struct jbuilder b = {0};
    for (size_t i = 0; i < items->n; i++)
        if ((i && !j_add_slice(j, &b, between, 0, between->len)) || !j_add_str(j, &b, &items->items[i]))
            return false;
    return j_finish(j, &b, out);
}

bool j_str_arg(struct jinja *j, const struct jval *v, const char *what, struct jstr **out) {
    if (v->type != J_STR)
        return j_fail(j, "%s must be str, not %s", what, j_type_name(v));
    *out = v->s;
    return true;
}

bool j_str_pad(struct jinja *j, struct jstr *s, int64_t width, char fill, char align, struct jval *out) {
    struct jbuilder b = {0};
    int64_t n = (int64_t)j_chars(s), gap = width > n ? width - n : 0;
    int64_t left = align == '<' ? 0 : align == '>' ? gap : gap / 2 + (gap & width & 1);
    if ((size_t)gap > JINJA_MAX_OUTPUT)
        return j_fail(j, "a width of %lld is too large", (long long)width);
    for (int64_t i = 0; i < gap + 1; i++) {
        if (i == left && !j_add_slice(j, &b, s, 0, s->len))
            return false;
        if (i < gap && !j_add(j, &b, &fill, 1, NULL))
            return false;
    }
    return j_finish(j, &b, out);
}
