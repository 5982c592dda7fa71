// SPDX-License-Identifier: MIT
// Python's two ways of formatting: "..." % values and "...".format(values), with the conversions that text needs.
#include "text/jinja_str.h"

#include <math.h>
#include <stdio.h>

struct spec {
    char fill, align, sign, type;
    bool alternate, zero, comma;
    int64_t width;
    int precision; // -1: not given
};

static bool read_number(const char **p, const char *end, int64_t *out) {
    *out = 0;
    while (*p < end && **p >= '0' && **p <= '9') {
        *out = *out * 10 + (*(*p)++ - '0');
        if (*out > 1000000)
            return false;
    }
    return true;
}

static void group_digits(char *text, size_t size) {
    size_t len = strlen(text), start = text[0] == '-' || text[0] == '+' || text[0] == ' ';
    size_t digits = strspn(text + start, "0123456789");
    for (size_t at = digits; at > 3 && len + 1 < size; len++) {
        at -= 3;
        memmove(text + start + at + 1, text + start + at, len - start - at + 1);
        text[start + at] = ',';
    }
}

// A number as text by its conversion; false for one that does not exist.
static bool number_text(const struct jval *v, const struct spec *spec, char text[512]) {
    char sign = spec->sign == '-' ? 0 : spec->sign, format[16];
    int64_t i = 0;
    bool whole = j_as_int(v, &i);
    char type = spec->type ? spec->type : whole ? 'd' : spec->precision >= 0 ? 'g' : 'r';
    int precision = spec->precision < 0 ? 6 : spec->precision > 100 ? 100 : spec->precision;
    size_t at = 0;
    double f = whole ? (double)i : v->f;
    if (sign && (whole ? i >= 0 : f >= 0))
        text[at++] = sign;
    if (strchr("dixXo", type) && (whole || fabs(f) < 9e18)) {
        i = whole ? i : (int64_t)f;
        uint64_t magnitude = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
        const char *prefix = !spec->alternate ? "" : type == 'x' ? "0x" : type == 'X' ? "0X" : type == 'o' ? "0o" : "";
        const char *layout = type == 'x'   ? "%s%s%llx"
                             : type == 'X' ? "%s%s%llX"
                             : type == 'o' ? "%s%s%llo"
                                           : "%s%s%llu";
        snprintf(text + at, 512 - at, layout, i < 0 ? "-" : "", prefix, (unsigned long long)magnitude);
    } else if (strchr("eEfFgG", type) && fabs(f) < 1e300) {
        snprintf(format, sizeof format, "%%%s.*%c", spec->alternate ? "#" : "", type);
        snprintf(text + at, 512 - at, format, precision, f);
    } else if (type == '%') {
        snprintf(text + at, 512 - at, "%.*f%%", precision, f * 100);
    } else if (type == 'r') {
        j_float_text(f, text + at);
    } else {
        return false;
    }
    if (spec->comma)
        group_digits(text, 512);
    return true;
}

static bool pad_number(struct jinja *j, char *text, const struct spec *spec, struct jval *out) {
    struct jstr s = {text, strlen(text), J_DATA, NULL, SIZE_MAX};
    char zeros[512];
    size_t len = strlen(text), start = len && strchr("+- ", *text) ? 1 : 0;
    if (spec->zero && spec->width > (int64_t)len && spec->width < (int64_t)sizeof zeros) {
        size_t gap = (size_t)spec->width - len;
        memcpy(zeros, text, start);
        memset(zeros + start, '0', gap);
        memcpy(zeros + start + gap, text + start, len - start);
        struct jstr padded = {zeros, len + gap, J_DATA, NULL, SIZE_MAX};
        return j_str_pad(j, &padded, 0, ' ', '>', out); // copies it
    }
    return j_str_pad(j, &s, spec->width, spec->fill, spec->align ? spec->align : '>', out);
}

static bool format_value(struct jinja *j, const struct jval *v, const struct spec *spec, struct jval *out) {
    char text[512];
    bool textual = !spec->type || spec->type == 's' || spec->type == 'r';
    if (textual && !(j_is_number(v) && v->type != J_BOOL && !spec->type)) {
        struct jbuilder b = {0};
        struct jval s;
        if (!(spec->type == 'r' ? j_add_repr(j, &b, v) : j_add_str(j, &b, v)) || !j_finish(j, &b, &s))
            return false;
        if (spec->precision >= 0 && !j_substring(j, s.s, 0, j_char_offset(s.s, (size_t)spec->precision), &s))
            return false;
        return j_str_pad(j, s.s, spec->width, spec->fill, spec->align ? spec->align : '<', out);
    }
    if (!j_is_number(v) || !number_text(v, spec, text))
        return j_fail(j, "cannot format a '%s' by '%c'", j_type_name(v), spec->type);
    return pad_number(j, text, spec, out);
}

// The flags, width, precision and letter behind a percent sign; *star takes its width from the arguments.
static bool percent_spec(const char **p, const char *end, struct spec *spec) {
    *spec = (struct spec){.fill = ' ', .align = '>', .precision = -1, .sign = '-'};
    for (; *p < end && strchr("-+ #0", **p); ++*p) {
        spec->align = **p == '-' ? '<' : spec->align;
        spec->sign = **p == '+' || (**p == ' ' && spec->sign == '-') ? **p : spec->sign;
        spec->alternate |= **p == '#';
        spec->zero |= **p == '0';
    }
    spec->zero &= spec->align == '>';
    int64_t precision;
    if (!read_number(p, end, &spec->width))
        return false;
    if (*p < end && **p == '.') {
        ++*p;
        if (!read_number(p, end, &precision))
            return false;
        spec->precision = (int)precision;
    }
    if (*p >= end)
        return false;
    spec->type = *(*p)++;
    return strchr("sdirxXoeEfFgGu%c", spec->type) != NULL;
}

// %(name)s: the value of the name in a dictionary that is the only argument.
static bool named_value(struct jinja *j, const char **p, const char *end, const struct jargs *args, struct jval *out) {
    const char *close = memchr(*p, ')', (size_t)(end - *p));
    const struct jval *v = NULL;
    struct str key = {*p + 1, close ? (size_t)(close - *p) - 1 : 0};
    if (close && args->n == 1 && args->values[0].type == J_DICT)
        v = j_dict_find_text(args->values[0].dict, key.ptr, key.len);
    for (size_t i = 0; close && i < args->n_named; i++)
        if (args->named[i].key.s->len == key.len && !memcmp(args->named[i].key.s->ptr, key.ptr, key.len))
            v = &args->named[i].value;
    if (!v)
        return j_fail(j, "format: no value of that name");
    *out = *v;
    *p = close + 1;
    return true;
}

static bool percent_one(struct jinja *j, struct jbuilder *b, const char **p, const char *end, const struct jargs *args,
                        size_t *used) {
    struct spec spec;
    struct jval v, text;
    bool named = *p < end && **p == '(';
    if (named && !named_value(j, p, end, args, &v))
        return false;
    if (!percent_spec(p, end, &spec))
        return j_fail(j, "unsupported format character or incomplete format");
    if (spec.type == '%')
        return j_add_text(j, b, "%");
    if (!named && *used >= args->n)
        return j_fail(j, "not enough arguments for format string");
    if (!named)
        v = args->values[(*used)++];
    spec.type = spec.type == 'i' || spec.type == 'u' ? 'd' : spec.type == 'c' ? 's' : spec.type;
    return format_value(j, &v, &spec, &text) && j_add_slice(j, b, text.s, 0, text.s->len);
}

bool j_str_percent(struct jinja *j, const struct jstr *s, const struct jargs *args, struct jval *out) {
    struct jbuilder b = {0};
    const char *end = s->ptr + s->len;
    size_t used = 0;
    bool mapping = args->n == 1 && args->values[0].type == J_DICT;
    for (const char *p = s->ptr; p < end;) {
        const char *percent = memchr(p, '%', (size_t)(end - p));
        const char *stop = percent ? percent : end;
        if (!j_add_slice(j, &b, s, (size_t)(p - s->ptr), (size_t)(stop - s->ptr)))
            return false;
        p = percent ? percent + 1 : end;
        if (percent && !percent_one(j, &b, &p, end, args, &used))
            return false;
    }
    if (used < args->n && !mapping)
        return j_fail(j, "not all arguments converted during string formatting");
    return j_finish(j, &b, out);
}

static bool brace_spec(const char *p, const char *end, struct spec *spec) {
    int64_t precision;
    *spec = (struct spec){.fill = ' ', .precision = -1, .sign = '-'};
    if (end - p >= 2 && strchr("<>^=", p[1])) {
        spec->fill = *p;
        spec->align = p[1];
        p += 2;
    } else if (p < end && strchr("<>^=", *p)) {
        spec->align = *p++;
    }
    if (p < end && strchr("+- ", *p))
        spec->sign = *p++;
    if (p < end && *p == '#')
        spec->alternate = *p++;
    if (p < end && *p == '0' && !spec->align)
        spec->zero = *p++;
    if (!read_number(&p, end, &spec->width))
        return false;
    if (p < end && (*p == ',' || *p == '_'))
        spec->comma = *p++;
    if (p < end && *p == '.') {
        p++;
        if (!read_number(&p, end, &precision))
            return false;
        spec->precision = (int)precision;
    }
    if (p < end)
        spec->type = *p++;
    if (spec->align == '=') {
        spec->align = '>';
        spec->zero = spec->fill == '0';
    }
    return p == end;
}

// The value that a field names: a place or a name, then attributes and items.
static bool field_value(struct jinja *j, const char *p, const char *end, const struct jargs *args, size_t *used,
                        struct jval *out) {
    const char *stop = p;
    while (stop < end && *stop != '.' && *stop != '[')
        stop++;
    const char *digits = p;
    int64_t place = (int64_t)*used;
    bool number = p == stop || (read_number(&digits, stop, &place) && digits == stop);
    struct jval key = {.type = J_STR};
    *used += p == stop;
    const struct jval *found = number && place < (int64_t)args->n ? &args->values[place] : NULL;
    for (size_t i = 0; !number && i < args->n_named; i++)
        if (args->named[i].key.s->len == (size_t)(stop - p) &&
            !memcmp(args->named[i].key.s->ptr, p, (size_t)(stop - p)))
            found = &args->named[i].value;
    if (!found)
        return j_fail(j, "format: no argument for a field");
    *out = *found;
    for (p = stop; p < end; p = stop) {
        bool item = *p++ == '[';
        for (stop = p; stop < end && (item ? *stop != ']' : *stop != '.' && *stop != '[');)
            stop++;
        digits = p;
        if (!j_string(j, p, (size_t)(stop - p), J_DATA, &key))
            return false;
        if (item && read_number(&digits, stop, &place) && digits == stop)
            key = j_int(place);
        if (!j_get_attr(j, *out, key, item, out))
            return false;
        stop += item && stop < end;
    }
    return true;
}

static bool brace_one(struct jinja *j, struct jbuilder *b, const char *p, const char *end, const struct jargs *args,
                      size_t *used) {
    const char *colon = memchr(p, ':', (size_t)(end - p));
    const char *name_end = colon ? colon : end;
    const char *bang = memchr(p, '!', (size_t)(name_end - p));
    struct spec spec;
    struct jval v, text;
    if (!field_value(j, p, bang ? bang : name_end, args, used, &v))
        return false;
    if (!brace_spec(colon ? colon + 1 : end, end, &spec))
        return j_fail(j, "invalid format specifier");
    if (bang && bang + 1 < name_end && bang[1] == 'r') {
        struct jbuilder repr = {0};
        if (!j_add_repr(j, &repr, &v) || !j_finish(j, &repr, &v))
            return false;
    }
    return format_value(j, &v, &spec, &text) && j_add_slice(j, b, text.s, 0, text.s->len);
}

bool j_str_format(struct jinja *j, const struct jstr *s, const struct jargs *args, struct jval *out) {
    struct jbuilder b = {0};
    const char *end = s->ptr + s->len;
    size_t used = 0;
    for (const char *p = s->ptr; p < end;) {
        const char *brace = p;
        while (brace < end && *brace != '{' && *brace != '}')
            brace++;
        bool twice = brace + 1 < end && brace[1] == *brace;
        if (!j_add_slice(j, &b, s, (size_t)(p - s->ptr), (size_t)(brace - s->ptr) + twice))
            return false;
        p = brace < end ? brace + 1 + twice : end;
        if (brace == end || twice)
            continue;
        const char *close = *brace == '{' ? memchr(p, '}', (size_t)(end - p)) : NULL;
        if (!close)
            return j_fail(j, "single '%c' encountered in format string", *brace);
        if (!brace_one(j, &b, p, close, args, &used))
            return false;
        p = close + 1;
    }
    return j_finish(j, &b, out);
}
