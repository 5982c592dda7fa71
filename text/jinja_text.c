// SPDX-License-Identifier: MIT
// Values as text: str() and repr() as Python prints them, and JSON as its json module writes it. Characters of strings
// keep their origin; what is written around them (quotes, brackets, numbers) counts as data.
#include "text/jinja_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "text/unicode.h"

// The shortest digits that read back to f, in Python's layout.
void j_float_text(double f, char out[64]) {
    char digits[40];
    int precision = 0, exponent = 0;
    if (!isfinite(f)) {
        strcpy(out, isnan(f) ? "nan" : f > 0 ? "inf" : "-inf");
        return;
    }
    do
        snprintf(digits, sizeof digits, "%.*e", precision, f);
    while (strtod(digits, NULL) != f && precision++ < 17);
    exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent >= -4 && exponent < 16) {
        int decimals = precision > exponent ? precision - exponent : 0;
        snprintf(out, 64, "%.*f", decimals ? decimals : 1, f);
        return;
    }
    *strchr(digits, 'e') = 0;
    snprintf(out, 64, "%se%c%02d", digits, exponent < 0 ? '-' : '+', abs(exponent));
}

static bool add_number(struct jinja *j, struct jbuilder *b, const struct jval *v) {
    char text[64];
    if (v->type == J_FLOAT)
        j_float_text(v->f, text);
    else
        snprintf(text, sizeof text, "%lld", (long long)v->i);
    return j_add_text(j, b, text);
}

static bool printable(uint32_t c) {
    uint32_t hidden = UNI_BIT(UNI_CC) | UNI_BIT(UNI_CW) | UNI_BIT(UNI_CF) | UNI_BIT(UNI_CS) | UNI_BIT(UNI_CO) |
                      UNI_BIT(UNI_CN) | UNI_Z;
    return c == ' ' || (c < 0x110000 && !(UNI_BIT(uni_class(c)) & hidden));
}

static bool add_repr_str(struct jinja *j, struct jbuilder *b, const struct jstr *s) {
    char quote = memchr(s->ptr, '\'', s->len) && !memchr(s->ptr, '"', s->len) ? '"' : '\'';
    bool ok = j_add(j, b, &quote, 1, NULL);
    for (size_t i = 0; i < s->len && ok;) {
        unsigned n;
        uint32_t c = utf8_decode(s->ptr + i, s->len - i, &n);
        char text[16] = {'\\', (char)c, 0};
        if (c == '\n' || c == '\r' || c == '\t')
            text[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
        else if (c != '\\' && c != (uint32_t)quote && !printable(c))
            snprintf(text, sizeof text, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
        else if (c != '\\' && c != (uint32_t)quote)
            text[0] = 0;
        ok = text[0] ? j_add_text(j, b, text) : j_add_slice(j, b, s, i, i + n);
        i += n;
    }
    return ok && j_add(j, b, &quote, 1, NULL);
}

static bool add_repr_list(struct jinja *j, struct jbuilder *b, const struct jval *v) {
    bool tuple = v->type == J_TUPLE;
    if (!j_add_text(j, b, tuple ? "(" : "["))
        return false;
    for (size_t i = 0; i < v->list->n; i++)
        if ((i && !j_add_text(j, b, ", ")) || !j_add_repr(j, b, &v->list->items[i]))
            return false;
    return j_add_text(j, b, tuple ? v->list->n == 1 ? ",)" : ")" : "]");
}

static bool add_repr_dict(struct jinja *j, struct jbuilder *b, const struct jdict *d) {
    if (!j_add_text(j, b, "{"))
        return false;
    for (size_t i = 0; i < d->n; i++)
        if ((i && !j_add_text(j, b, ", ")) || !j_add_repr(j, b, &d->pairs[i].key) || !j_add_text(j, b, ": ") ||
            !j_add_repr(j, b, &d->pairs[i].value))
            return false;
    return j_add_text(j, b, "}");
}

static bool add_repr_macro(struct jinja *j, struct jbuilder *b, const struct jmacro *m) {
    if (m->node->kind != N_MACRO)
        return j_add_text(j, b, "<Macro anonymous>");
    return j_add_text(j, b, "<Macro '") && j_add(j, b, m->name.ptr, m->name.len, NULL) && j_add_text(j, b, "'>");
}

static bool add_repr_deep(struct jinja *j, struct jbuilder *b, const struct jval *v) {
    switch (v->type) {
    case J_UNDEFINED:
        return j_add_text(j, b, "Undefined");
    case J_NONE:
        return j_add_text(j, b, "None");
    case J_BOOL:
        return j_add_text(j, b, v->b ? "True" : "False");
    case J_INT:
    case J_FLOAT:
        return add_number(j, b, v);
    case J_STR:
        return add_repr_str(j, b, v->s);
    case J_LIST:
    case J_TUPLE:
        return add_repr_list(j, b, v);
    case J_DICT:
        return add_repr_dict(j, b, v->dict);
    case J_MACRO:
        return add_repr_macro(j, b, v->macro);
    default:
        return j_add_text(j, b, "<") && j_add_text(j, b, j_type_name(v)) && j_add_text(j, b, ">");
    }
}

static bool deeper(struct jinja *j) {
    if (j->depth >= JINJA_MAX_DEPTH)
        return j_fail(j, "values are nested too deeply");
    j->depth++;
    return true;
}

bool j_add_repr(struct jinja *j, struct jbuilder *b, const struct jval *v) {
    if (!j_burn(j, 1) || !deeper(j))
        return false;
    bool ok = add_repr_deep(j, b, v);
    j->depth--;
    return ok;
}

bool j_add_str(struct jinja *j, struct jbuilder *b, const struct jval *v) {
    struct jval out;
    if (v->type == J_STR)
        return j_add_slice(j, b, v->s, 0, v->s->len);
    if (v->type == J_UNDEFINED)
        return true;
    if (v->type != J_JOINER)
        return j_add_repr(j, b, v);
    return j_call(j, *v, &(struct jargs){0}, &out) && j_add_str(j, b, &out);
}

bool j_to_str(struct jinja *j, struct jval v, struct jval *out) {
    struct jbuilder b = {0};
    *out = v;
    return v.type == J_STR || (j_add_str(j, &b, &v) && j_finish(j, &b, out));
}

static bool add_json_escape(struct jinja *j, struct jbuilder *b, uint32_t c) {
    static const char *const names = "\"\"\\\\\nn\rr\tt\bb\ff";
    char text[16];
    for (const char *e = names; *e; e += 2)
        if ((uint32_t)(unsigned char)*e == c)
            return j_add(j, b, (char[]){'\\', e[1]}, 2, NULL);
    if (c < 0x10000)
        snprintf(text, sizeof text, "\\u%04x", c);
    else
        snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD7C0 + (c >> 10), 0xDC00 + (c & 0x3FF));
    return j_add_text(j, b, text);
}

static bool add_json_str(struct jinja *j, struct jbuilder *b, const struct jstr *s, bool ascii) {
    bool ok = j_add_text(j, b, "\"");
    size_t from = 0;
    for (size_t i = 0; i < s->len && ok;) {
        unsigned n;
        uint32_t c = utf8_decode(s->ptr + i, s->len - i, &n);
        if (c < 0x20 || c == '"' || c == '\\' || (ascii && c > 0x7E && c != UTF8_BAD)) {
            ok = j_add_slice(j, b, s, from, i) && add_json_escape(j, b, c);
            from = i + n;
        }
        i += n;
    }
    return ok && j_add_slice(j, b, s, from, s->len) && j_add_text(j, b, "\"");
}

static bool add_break(struct jinja *j, struct jbuilder *b, const struct jjson *how, unsigned depth) {
    if (how->indent < 0)
        return true;
    if (!j_add_text(j, b, "\n"))
        return false;
    for (uint64_t i = 0; i < (uint64_t)how->indent * depth; i++)
        if (!j_add_text(j, b, " "))
            return false;
    return true;
}

static bool add_json_list(struct jinja *j, struct jbuilder *b, const struct jlist *list, const struct jjson *how,
                          unsigned depth) {
    if (!list->n)
        return j_add_text(j, b, "[]");
    if (!j_add_text(j, b, "["))
        return false;
    for (size_t i = 0; i < list->n; i++)
        if ((i && !j_add(j, b, how->item_sep.ptr, how->item_sep.len, NULL)) || !add_break(j, b, how, depth + 1) ||
            !j_add_json(j, b, &list->items[i], how, depth + 1))
            return false;
    return add_break(j, b, how, depth) && j_add_text(j, b, "]");
}

static bool add_json_key(struct jinja *j, struct jbuilder *b, const struct jval *key, const struct jjson *how) {
    struct jjson plain = {.indent = -1};
    if (key->type == J_STR)
        return add_json_str(j, b, key->s, how->ascii);
    if (key->type == J_TUPLE)
        return j_fail(j, "keys must be str, int, float, bool or None, not tuple");
    return j_add_text(j, b, "\"") && j_add_json(j, b, key, &plain, 0) && j_add_text(j, b, "\"");
}

// The places of the members in the order of their keys, by insertion: dictionaries here are small, and steps count.
static bool sorted_places(struct jinja *j, const struct jdict *d, size_t *order) {
    for (size_t i = 0; i < d->n; i++) {
        size_t at = i;
        for (; at > 0; at--) {
            int c;
            if (!j_compare(j, &d->pairs[i].key, &d->pairs[order[at - 1]].key, &c))
                return false;
            if (c >= 0)
                break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    return true;
}

static bool add_json_dict(struct jinja *j, struct jbuilder *b, const struct jdict *d, const struct jjson *how,
                          unsigned depth) {
    size_t *order = how->sort ? j_alloc(j, d->n, sizeof *order) : NULL;
    if (how->sort && (!order || !sorted_places(j, d, order)))
        return false;
    if (!d->n)
        return j_add_text(j, b, "{}");
    if (!j_add_text(j, b, "{"))
        return false;
    for (size_t i = 0; i < d->n; i++) {
        const struct jpair *pair = &d->pairs[order ? order[i] : i];
        if ((i && !j_add(j, b, how->item_sep.ptr, how->item_sep.len, NULL)) || !add_break(j, b, how, depth + 1) ||
            !add_json_key(j, b, &pair->key, how) || !j_add(j, b, how->key_sep.ptr, how->key_sep.len, NULL) ||
            !j_add_json(j, b, &pair->value, how, depth + 1))
            return false;
    }
    return add_break(j, b, how, depth) && j_add_text(j, b, "}");
}

static bool add_json_number(struct jinja *j, struct jbuilder *b, const struct jval *v) {
    if (v->type == J_FLOAT && !isfinite(v->f))
        return j_add_text(j, b, isnan(v->f) ? "NaN" : v->f > 0 ? "Infinity" : "-Infinity");
    return add_number(j, b, v);
}

static bool add_json_deep(struct jinja *j, struct jbuilder *b, const struct jval *v, const struct jjson *how,
                          unsigned depth) {
    switch (v->type) {
    case J_NONE:
        return j_add_text(j, b, "null");
    case J_BOOL:
        return j_add_text(j, b, v->b ? "true" : "false");
    case J_INT:
    case J_FLOAT:
        return add_json_number(j, b, v);
    case J_STR:
        return add_json_str(j, b, v->s, how->ascii);
    case J_LIST:
    case J_TUPLE:
        return add_json_list(j, b, v->list, how, depth);
    case J_DICT:
        return add_json_dict(j, b, v->dict, how, depth);
    default:
        return j_fail(j, "Object of type %s is not JSON serializable", j_type_name(v));
    }
}

bool j_add_json(struct jinja *j, struct jbuilder *b, const struct jval *v, const struct jjson *how, unsigned depth) {
    if (!j_burn(j, 1) || !deeper(j))
        return false;
    bool ok = add_json_deep(j, b, v, how, depth);
    j->depth--;
    return ok;
}
