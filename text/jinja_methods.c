// SPDX-License-Identifier: MIT
// Methods of strings, lists and dictionaries, one row each.
#include "text/jinja_str.h"

#include <stdlib.h>

const struct jval *j_arg(const struct jfunc *f, const struct jargs *args, size_t i) {
    const char *p = f->params ? f->params : "";
    if (i < args->n)
        return &args->values[i];
    for (; i && *p; i--) {
        p += strcspn(p, " ");
        p += *p == ' ';
    }
    size_t len = strcspn(p, " ");
    for (size_t k = 0; len && k < args->n_named; k++)
        if (args->named[k].key.s->len == len && !memcmp(args->named[k].key.s->ptr, p, len))
            return &args->named[k].value;
    return NULL;
}

static const struct jval *arg(const struct jargs *args, size_t i) {
    return i < args->n ? &args->values[i] : NULL;
}

#define METHOD(name) static bool name(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out)

// An optional string argument: NULL for None or none.
static bool optional_str(struct jinja *j, const struct jval *v, struct jstr **out) {
    *out = NULL;
    return !v || v->type == J_NONE || j_str_arg(j, v, "argument", out);
}

static bool optional_int(struct jinja *j, const struct jval *v, int64_t otherwise, int64_t *out) {
    *out = otherwise;
    return !v || v->type == J_NONE || j_as_int(v, out) || j_fail(j, "argument must be an integer");
}

static bool strip(struct jinja *j, struct jval self, const struct jargs *args, unsigned sides, struct jval *out) {
    struct jstr *set;
    return optional_str(j, arg(args, 0), &set) && j_str_strip(j, self.s, set, sides, out);
}

METHOD(str_strip) {
    return strip(j, self, args, 3, out);
}

METHOD(str_lstrip) {
    return strip(j, self, args, 1, out);
}

METHOD(str_rstrip) {
    return strip(j, self, args, 2, out);
}

static bool push_part(struct jinja *j, struct jlist *list, const struct jstr *s, size_t from, size_t to) {
    struct jval part;
    return j_substring(j, s, from, to, &part) && j_push(j, list, part);
}

static bool is_blank_at(const struct jstr *s, size_t at, size_t *len) {
    struct jstr c = {s->ptr + at, 1, J_DATA, NULL, SIZE_MAX};
    while (at + c.len < s->len && ((unsigned char)s->ptr[at + c.len] & 0xC0) == 0x80)
        c.len++;
    *len = c.len;
    return j_str_is(&c, J_IS_SPACE);
}

static bool split_blanks(struct jinja *j, const struct jstr *s, int64_t most, struct jlist *list) {
    size_t at = 0, n;
    for (;;) {
        while (at < s->len && is_blank_at(s, at, &n))
            at += n;
        if (at == s->len)
            return true;
        size_t from = at;
        if (most-- == 0)
            return push_part(j, list, s, from, s->len);
        while (at < s->len && !is_blank_at(s, at, &n))
            at += n;
        if (!push_part(j, list, s, from, at))
            return false;
    }
}

static bool split_by(struct jinja *j, const struct jstr *s, const struct jstr *by, int64_t most, struct jlist *list) {
    size_t at = 0;
    for (; most != 0; most--) {
        const char *p = memmem(s->ptr + at, s->len - at, by->ptr, by->len);
        if (!p)
            break;
        if (!push_part(j, list, s, at, (size_t)(p - s->ptr)))
            return false;
        at = (size_t)(p - s->ptr) + by->len;
    }
    return j_burn(j, s->len / 64) && push_part(j, list, s, at, s->len);
}

// The last place of part in s[0..end), or end + 1 when there is none.
static size_t find_last(const struct jstr *s, size_t end, const struct jstr *part) {
    for (size_t at = end + 1; at-- > 0;)
        if (at + part->len <= end && !memcmp(s->ptr + at, part->ptr, part->len))
            return at;
    return end + 1;
}

static bool rsplit_by(struct jinja *j, const struct jstr *s, const struct jstr *by, int64_t most, struct jlist *list) {
    size_t end = s->len;
    for (; most != 0; most--) {
        size_t at = find_last(s, end, by);
        if (at > end)
            break;
        if (!push_part(j, list, s, at + by->len, end))
            return false;
        end = at;
    }
    if (!j_burn(j, s->len / 16) || !push_part(j, list, s, 0, end))
        return false;
    for (size_t i = 0; i < list->n / 2; i++) {
        struct jval swap = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = swap;
    }
    return true;
}

static const struct jfunc split_row = {"split", NULL, 0, 0, 2, "sep maxsplit"};

static bool split(struct jinja *j, struct jval self, const struct jargs *args, bool right, struct jval *out) {
    struct jstr *by;
    int64_t most;
    if (!optional_str(j, j_arg(&split_row, args, 0), &by) || !optional_int(j, j_arg(&split_row, args, 1), -1, &most) ||
        !j_list(j, J_LIST, out))
        return false;
    if (by && !by->len)
        return j_fail(j, "empty separator");
    if (!by)
        return split_blanks(j, self.s, most, out->list);
    return (right ? rsplit_by : split_by)(j, self.s, by, most, out->list);
}

METHOD(str_split) {
    return split(j, self, args, false, out);
}

METHOD(str_rsplit) {
    return split(j, self, args, true, out);
}

METHOD(str_splitlines) {
    const struct jstr *s = self.s;
    bool keep = arg(args, 0) && j_truth(arg(args, 0));
    size_t from = 0;
    if (!j_list(j, J_LIST, out))
        return false;
    for (size_t i = 0; i < s->len; i++) {
        if (s->ptr[i] != '\n' && s->ptr[i] != '\r' && s->ptr[i] != '\v' && s->ptr[i] != '\f')
            continue;
        size_t end = i + 1 + (s->ptr[i] == '\r' && i + 1 < s->len && s->ptr[i + 1] == '\n');
        if (!push_part(j, out->list, s, from, keep ? end : i))
            return false;
        from = end;
        i = end - 1;
    }
    return from == s->len || push_part(j, out->list, s, from, s->len);
}

// Whether s has the part at one end: the part, or one of a tuple of them.
static bool has_end(struct jinja *j, const struct jstr *s, const struct jval *part, bool front, bool *out) {
    struct jstr *p;
    for (size_t i = 0; part->type == J_TUPLE && i < part->list->n && !*out; i++)
        if (!has_end(j, s, &part->list->items[i], front, out))
            return false;
    if (part->type == J_TUPLE)
        return true;
    if (!j_str_arg(j, part, "argument", &p))
        return false;
    *out = p->len <= s->len && !memcmp(front ? s->ptr : s->ptr + s->len - p->len, p->ptr, p->len);
    return true;
}

static bool test_end(struct jinja *j, struct jval self, const struct jargs *args, bool front, struct jval *out) {
    struct jstr cut = *self.s;
    int64_t from = 0;
    bool result = false;
    if (!optional_int(j, arg(args, 1), 0, &from))
        return false;
    size_t skip = from > 0 ? j_char_offset(self.s, (size_t)from) : 0;
    cut.ptr += skip;
    cut.len -= skip;
    if (arg(args, 0)->type == J_TUPLE && j->depth + 1 >= JINJA_MAX_DEPTH)
        return j_fail(j, "values are nested too deeply");
    if (!has_end(j, &cut, arg(args, 0), front, &result))
        return false;
    *out = j_bool(result);
    return true;
}

METHOD(str_startswith) {
    return test_end(j, self, args, true, out);
}

METHOD(str_endswith) {
    return test_end(j, self, args, false, out);
}

METHOD(str_replace) {
    static const struct jfunc row = {"replace", NULL, 0, 2, 3, "old new count"};
    struct jstr *from, *to;
    int64_t most;
    return j_str_arg(j, j_arg(&row, args, 0), "argument", &from) &&
           j_str_arg(j, j_arg(&row, args, 1), "argument", &to) && optional_int(j, j_arg(&row, args, 2), -1, &most) &&
           j_str_replace(j, self.s, from, to, most, out);
}

METHOD(str_upper) {
    (void)args;
    return j_str_case(j, self.s, J_UPPER, out);
}

METHOD(str_lower) {
    (void)args;
    return j_str_case(j, self.s, J_LOWER, out);
}

METHOD(str_title) {
    (void)args;
    return j_str_case(j, self.s, J_TITLE, out);
}

METHOD(str_capitalize) {
    (void)args;
    return j_str_case(j, self.s, J_CAPITALIZE, out);
}

METHOD(str_swapcase) {
    (void)args;
    return j_str_case(j, self.s, J_SWAPCASE, out);
}

// The place of a part, in characters, from one side; -1 when it is nowhere.
static bool find(struct jinja *j, struct jval self, const struct jargs *args, bool last, int64_t *out) {
    struct jstr *part, cut = *self.s;
    int64_t from;
    if (!j_str_arg(j, arg(args, 0), "argument", &part) || !optional_int(j, arg(args, 1), 0, &from) ||
        !j_burn(j, cut.len / 16))
        return false;
    from = from < 0 ? from + (int64_t)j_chars(self.s) : from;
    size_t skip = from > 0 ? j_char_offset(self.s, (size_t)from) : 0;
    cut.ptr += skip;
    cut.len -= skip;
    const char *p = memmem(cut.ptr, cut.len, part->ptr, part->len);
    size_t at = last ? find_last(&cut, cut.len, part) : p ? (size_t)(p - cut.ptr) : cut.len + 1;
    struct jstr before = {self.s->ptr, skip + at, J_DATA, NULL, SIZE_MAX};
    *out = at > cut.len ? -1 : (int64_t)j_chars(&before);
    return true;
}

METHOD(str_find) {
    int64_t at;
    if (!find(j, self, args, false, &at))
        return false;
    *out = j_int(at);
    return true;
}

METHOD(str_rfind) {
    int64_t at;
    if (!find(j, self, args, true, &at))
        return false;
    *out = j_int(at);
    return true;
}

METHOD(str_index) {
    return str_find(j, self, args, out) && (out->i >= 0 || j_fail(j, "substring not found"));
}

METHOD(str_rindex) {
    return str_rfind(j, self, args, out) && (out->i >= 0 || j_fail(j, "substring not found"));
}

METHOD(str_count) {
    struct jstr *part;
    int64_t n = 0;
    if (!j_str_arg(j, arg(args, 0), "argument", &part) || !j_burn(j, self.s->len / 64))
        return false;
    for (const char *p = self.s->ptr, *end = p + self.s->len;
         part->len && (p = memmem(p, (size_t)(end - p), part->ptr, part->len)); p += part->len)
        n++;
    *out = j_int(part->len ? n : (int64_t)j_chars(self.s) + 1);
    return true;
}

METHOD(str_join) {
    struct jlist *items;
    if (!j_iterate(j, *arg(args, 0), &items))
        return false;
    for (size_t i = 0; i < items->n; i++)
        if (items->items[i].type != J_STR)
            return j_fail(j, "sequence item %zu: expected str instance, %s found", i, j_type_name(&items->items[i]));
    return j_str_join(j, self.s, items, out);
}

METHOD(str_format) {
    return j_str_format(j, self.s, args, out);
}

static bool test_str(struct jval self, enum jstr_is what, struct jval *out) {
    *out = j_bool(j_str_is(self.s, what));
    return true;
}

#define TEST_METHOD(name, what)                                                                                        \
    METHOD(name) {                                                                                                     \
        (void)j;                                                                                                       \
        (void)args;                                                                                                    \
        return test_str(self, what, out);                                                                              \
    }
TEST_METHOD(str_isdigit, J_IS_DIGIT)
TEST_METHOD(str_isalpha, J_IS_ALPHA)
TEST_METHOD(str_isalnum, J_IS_ALNUM)
TEST_METHOD(str_isspace, J_IS_SPACE)
TEST_METHOD(str_isupper, J_IS_UPPER)
TEST_METHOD(str_islower, J_IS_LOWER)
TEST_METHOD(str_isnumeric, J_IS_NUMERIC)
TEST_METHOD(str_isdecimal, J_IS_DECIMAL)
TEST_METHOD(str_isascii, J_IS_ASCII)
TEST_METHOD(str_istitle, J_IS_TITLE)

static bool remove_end(struct jinja *j, struct jval self, const struct jargs *args, bool front, struct jval *out) {
    struct jstr *part;
    bool has = false;
    if (!j_str_arg(j, arg(args, 0), "argument", &part) || !has_end(j, self.s, arg(args, 0), front, &has))
        return false;
    size_t n = has ? part->len : 0;
    return j_substring(j, self.s, front ? n : 0, self.s->len - (front ? 0 : n), out);
}

METHOD(str_removeprefix) {
    return remove_end(j, self, args, true, out);
}

METHOD(str_removesuffix) {
    return remove_end(j, self, args, false, out);
}

static bool partition(struct jinja *j, struct jval self, const struct jargs *args, bool last, struct jval *out) {
    struct jstr *part, *s = self.s;
    if (!j_str_arg(j, arg(args, 0), "argument", &part) || !j_list(j, J_TUPLE, out))
        return false;
    if (!part->len)
        return j_fail(j, "empty separator");
    const char *p = memmem(s->ptr, s->len, part->ptr, part->len);
    size_t at = last ? find_last(s, s->len, part) : p ? (size_t)(p - s->ptr) : s->len + 1;
    bool found = at <= s->len;
    size_t a = found ? at : last ? 0 : s->len, b = found ? at + part->len : a;
    return push_part(j, out->list, s, 0, a) && push_part(j, out->list, s, a, b) &&
           push_part(j, out->list, s, b, s->len);
}

METHOD(str_partition) {
    return partition(j, self, args, false, out);
}

METHOD(str_rpartition) {
    return partition(j, self, args, true, out);
}

static bool pad(struct jinja *j, struct jval self, const struct jargs *args, char align, struct jval *out) {
    struct jstr *fill;
    int64_t width;
    if (!optional_int(j, arg(args, 0), 0, &width) || !optional_str(j, arg(args, 1), &fill))
        return false;
    if (fill && fill->len != 1)
        return j_fail(j, "the fill character must be one character");
    return j_str_pad(j, self.s, width, fill ? *fill->ptr : ' ', align, out);
}

METHOD(str_ljust) {
    return pad(j, self, args, '<', out);
}

METHOD(str_rjust) {
    return pad(j, self, args, '>', out);
}

METHOD(str_center) {
    return pad(j, self, args, '^', out);
}

METHOD(str_zfill) {
    int64_t width;
    struct jval rest;
    bool sign = self.s->len && strchr("+-", *self.s->ptr);
    struct jbuilder b = {0};
    return optional_int(j, arg(args, 0), 0, &width) && j_substring(j, self.s, sign, self.s->len, &rest) &&
           j_add_slice(j, &b, self.s, 0, sign) && j_str_pad(j, rest.s, width - sign, '0', '>', &rest) &&
           j_add_slice(j, &b, rest.s, 0, rest.s->len) && j_finish(j, &b, out);
}

METHOD(dict_get) {
    const struct jval *found = j_dict_find(j, self.dict, *arg(args, 0));
    *out = found ? *found : arg(args, 1) ? *arg(args, 1) : j_none();
    return true;
}

// 1: keys, 2: values, 3: pairs.
static bool dict_list(struct jinja *j, const struct jdict *d, unsigned what, struct jval *out) {
    if (!j_list(j, J_LIST, out))
        return false;
    for (size_t i = 0; i < d->n; i++) {
        struct jval pair = what == 1 ? d->pairs[i].key : d->pairs[i].value;
        if (what == 3 && (!j_list(j, J_TUPLE, &pair) || !j_push(j, pair.list, d->pairs[i].key) ||
                          !j_push(j, pair.list, d->pairs[i].value)))
            return false;
        if (!j_push(j, out->list, pair))
            return false;
    }
    return true;
}

METHOD(dict_keys) {
    (void)args;
    return dict_list(j, self.dict, 1, out);
}

METHOD(dict_values) {
    (void)args;
    return dict_list(j, self.dict, 2, out);
}

METHOD(dict_items) {
    (void)args;
    return dict_list(j, self.dict, 3, out);
}

METHOD(dict_pop) {
    struct jdict *d = self.dict;
    struct jval *found = j_dict_find(j, d, *arg(args, 0));
    if (!found && !arg(args, 1))
        return j_fail(j, "pop(): no such key");
    *out = found ? *found : *arg(args, 1);
    if (!found)
        return true;
    struct jpair *pair = (struct jpair *)(void *)((char *)found - offsetof(struct jpair, value));
    size_t at = (size_t)(pair - d->pairs);
    memmove(pair, pair + 1, (d->n - at - 1) * sizeof *pair);
    d->n--;
    return true;
}

static bool copy_pairs(struct jinja *j, struct jdict *to, const struct jpair *pairs, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!j_dict_set(j, to, pairs[i].key, pairs[i].value))
            return false;
    return true;
}

METHOD(dict_update) {
    *out = j_none();
    if (arg(args, 0) && arg(args, 0)->type != J_DICT)
        return j_fail(j, "update() takes a mapping");
    if (arg(args, 0) && !copy_pairs(j, self.dict, arg(args, 0)->dict->pairs, arg(args, 0)->dict->n))
        return false;
    return copy_pairs(j, self.dict, args->named, args->n_named);
}

METHOD(dict_setdefault) {
    const struct jval *found = j_dict_find(j, self.dict, *arg(args, 0));
    *out = found ? *found : arg(args, 1) ? *arg(args, 1) : j_none();
    return found || j_dict_set(j, self.dict, *arg(args, 0), *out);
}

METHOD(dict_copy) {
    (void)args;
    return j_dict(j, J_DICT, out) && copy_pairs(j, out->dict, self.dict->pairs, self.dict->n);
}

METHOD(dict_clear) {
    (void)j;
    (void)args;
    self.dict->n = 0;
    *out = j_none();
    return true;
}

METHOD(list_append) {
    *out = j_none();
    return j_push(j, self.list, *arg(args, 0));
}

METHOD(list_extend) {
    struct jlist *more;
    *out = j_none();
    if (!j_iterate(j, *arg(args, 0), &more))
        return false;
    for (size_t i = 0, n = more->n; i < n; i++)
        if (!j_push(j, self.list, more->items[i]))
            return false;
    return true;
}

METHOD(list_insert) {
    int64_t at, n = (int64_t)self.list->n;
    *out = j_none();
    if (!optional_int(j, arg(args, 0), 0, &at) || !j_push(j, self.list, *arg(args, 1)))
        return false;
    at = at < 0 ? at + n : at;
    at = at < 0 ? 0 : at > n ? n : at;
    struct jval *items = self.list->items;
    memmove(items + at + 1, items + at, (size_t)(n - at) * sizeof *items);
    items[at] = *arg(args, 1);
    return true;
}

METHOD(list_pop) {
    int64_t at, n = (int64_t)self.list->n;
    if (!optional_int(j, arg(args, 0), -1, &at))
        return false;
    at = at < 0 ? at + n : at;
    if (at < 0 || at >= n)
        return j_fail(j, n ? "pop index out of range" : "pop from empty list");
    struct jval *items = self.list->items;
    *out = items[at];
    memmove(items + at, items + at + 1, (size_t)(n - at - 1) * sizeof *items);
    self.list->n--;
    return true;
}

METHOD(list_index) {
    for (size_t i = 0; i < self.list->n; i++)
        if (j_equal(j, &self.list->items[i], arg(args, 0))) {
            *out = j_int((int64_t)i);
            return true;
        }
    return j_fail(j, "the value is not in the list");
}

METHOD(list_remove) {
    struct jval place;
    if (!list_index(j, self, args, &place))
        return false;
    struct jargs at = {.values = &place, .n = 1};
    if (!list_pop(j, self, &at, out))
        return false;
    *out = j_none();
    return true;
}

METHOD(list_count) {
    int64_t n = 0;
    for (size_t i = 0; i < self.list->n; i++)
        n += j_equal(j, &self.list->items[i], arg(args, 0));
    *out = j_int(n);
    return true;
}

METHOD(list_reverse) {
    (void)j;
    (void)args;
    for (size_t i = 0, n = self.list->n; i < n / 2; i++) {
        struct jval swap = self.list->items[i];
        self.list->items[i] = self.list->items[n - 1 - i];
        self.list->items[n - 1 - i] = swap;
    }
    *out = j_none();
    return true;
}

METHOD(list_copy) {
    struct jargs all = {.values = &self, .n = 1};
    struct jval ignored;
    (void)args;
    return j_list(j, J_LIST, out) && list_extend(j, *out, &all, &ignored);
}

METHOD(list_clear) {
    (void)j;
    (void)args;
    self.list->n = 0;
    *out = j_none();
    return true;
}

METHOD(list_sort) {
    static const struct str sort = {"sort", 4};
    struct jval sorted;
    (void)args;
    if (!j_filter(j, sort, self, &(struct jargs){0}, &sorted))
        return false;
    memcpy(self.list->items, sorted.list->items, self.list->n * sizeof *self.list->items);
    *out = j_none();
    return true;
}

METHOD(cycler_next) {
    (void)args;
    struct jcycler *c = self.cycler;
    (void)j;
    *out = c->items->items[c->at++ % c->items->n];
    return true;
}

METHOD(cycler_reset) {
    (void)j;
    (void)args;
    self.cycler->at = 0;
    *out = j_none();
    return true;
}

METHOD(loop_cycle) {
    if (!args->n)
        return j_fail(j, "no items for cycling given");
    *out = args->values[self.loop->at % args->n];
    return true;
}

METHOD(loop_changed) {
    struct jval now = {.type = J_TUPLE}, values;
    if (!j_list(j, J_TUPLE, &values))
        return false;
    for (size_t i = 0; i < args->n; i++)
        if (!j_push(j, values.list, args->values[i]))
            return false;
    now = values;
    *out = j_bool(!self.loop->has_changed || !j_equal(j, &self.loop->changed, &now));
    self.loop->changed = now;
    self.loop->has_changed = true;
    return true;
}

#define ANY 255

static const struct {
    unsigned types; // bit set of enum jtype
    struct jfunc func;
} rows[] = {
#define ON_STR 1u << J_STR
#define ON_DICT 1u << J_DICT
#define ON_LIST 1u << J_LIST
#define ON_BOTH (1u << J_LIST | 1u << J_TUPLE)
    {ON_STR, {"strip", str_strip, 0, 0, 1, "chars"}},
    {ON_STR, {"lstrip", str_lstrip, 0, 0, 1, "chars"}},
    {ON_STR, {"rstrip", str_rstrip, 0, 0, 1, "chars"}},
    {ON_STR, {"split", str_split, 0, 0, 2, "sep maxsplit"}},
    {ON_STR, {"rsplit", str_rsplit, 0, 0, 2, "sep maxsplit"}},
    {ON_STR, {"splitlines", str_splitlines, 0, 0, 1, "keepends"}},
    {ON_STR, {"startswith", str_startswith, 0, 1, 3, ""}},
    {ON_STR, {"endswith", str_endswith, 0, 1, 3, ""}},
    {ON_STR, {"replace", str_replace, 0, 2, 3, "old new count"}},
    {ON_STR, {"upper", str_upper, 0, 0, 0, ""}},
    {ON_STR, {"lower", str_lower, 0, 0, 0, ""}},
    {ON_STR, {"casefold", str_lower, 0, 0, 0, ""}},
    {ON_STR, {"title", str_title, 0, 0, 0, ""}},
    {ON_STR, {"capitalize", str_capitalize, 0, 0, 0, ""}},
    {ON_STR, {"swapcase", str_swapcase, 0, 0, 0, ""}},
    {ON_STR, {"find", str_find, 0, 1, 2, ""}},
    {ON_STR, {"rfind", str_rfind, 0, 1, 2, ""}},
    {ON_STR, {"index", str_index, 0, 1, 2, ""}},
    {ON_STR, {"rindex", str_rindex, 0, 1, 2, ""}},
    {ON_STR, {"count", str_count, 0, 1, 1, ""}},
    {ON_STR, {"join", str_join, 0, 1, 1, ""}},
    {ON_STR, {"format", str_format, 0, 0, ANY, ""}},
    {ON_STR, {"isdigit", str_isdigit, 0, 0, 0, ""}},
    {ON_STR, {"isalpha", str_isalpha, 0, 0, 0, ""}},
    {ON_STR, {"isalnum", str_isalnum, 0, 0, 0, ""}},
    {ON_STR, {"isspace", str_isspace, 0, 0, 0, ""}},
    {ON_STR, {"isupper", str_isupper, 0, 0, 0, ""}},
    {ON_STR, {"islower", str_islower, 0, 0, 0, ""}},
    {ON_STR, {"isnumeric", str_isnumeric, 0, 0, 0, ""}},
    {ON_STR, {"isdecimal", str_isdecimal, 0, 0, 0, ""}},
    {ON_STR, {"isascii", str_isascii, 0, 0, 0, ""}},
    {ON_STR, {"istitle", str_istitle, 0, 0, 0, ""}},
    {ON_STR, {"removeprefix", str_removeprefix, 0, 1, 1, ""}},
    {ON_STR, {"removesuffix", str_removesuffix, 0, 1, 1, ""}},
    {ON_STR, {"partition", str_partition, 0, 1, 1, ""}},
    {ON_STR, {"rpartition", str_rpartition, 0, 1, 1, ""}},
    {ON_STR, {"ljust", str_ljust, 0, 1, 2, ""}},
    {ON_STR, {"rjust", str_rjust, 0, 1, 2, ""}},
    {ON_STR, {"center", str_center, 0, 1, 2, ""}},
    {ON_STR, {"zfill", str_zfill, 0, 1, 1, ""}},
    {ON_DICT, {"get", dict_get, 0, 1, 2, ""}},
    {ON_DICT, {"keys", dict_keys, 0, 0, 0, ""}},
    {ON_DICT, {"values", dict_values, 0, 0, 0, ""}},
    {ON_DICT, {"items", dict_items, 0, 0, 0, ""}},
    {ON_DICT, {"pop", dict_pop, 0, 1, 2, ""}},
    {ON_DICT, {"update", dict_update, 0, 0, 1, ""}},
    {ON_DICT, {"setdefault", dict_setdefault, 0, 1, 2, ""}},
    {ON_DICT, {"copy", dict_copy, 0, 0, 0, ""}},
    {ON_DICT, {"clear", dict_clear, 0, 0, 0, ""}},
    {ON_LIST, {"append", list_append, 0, 1, 1, ""}},
    {ON_LIST, {"extend", list_extend, 0, 1, 1, ""}},
    {ON_LIST, {"insert", list_insert, 0, 2, 2, ""}},
    {ON_LIST, {"pop", list_pop, 0, 0, 1, ""}},
    {ON_LIST, {"remove", list_remove, 0, 1, 1, ""}},
    {ON_LIST, {"reverse", list_reverse, 0, 0, 0, ""}},
    {ON_LIST, {"sort", list_sort, 0, 0, 0, ""}},
    {ON_LIST, {"copy", list_copy, 0, 0, 0, ""}},
    {ON_LIST, {"clear", list_clear, 0, 0, 0, ""}},
    {ON_BOTH, {"index", list_index, 0, 1, 1, ""}},
    {ON_BOTH, {"count", list_count, 0, 1, 1, ""}},
    {1u << J_CYCLER, {"next", cycler_next, 0, 0, 0, ""}},
    {1u << J_CYCLER, {"reset", cycler_reset, 0, 0, 0, ""}},
    {1u << J_LOOP, {"cycle", loop_cycle, 0, 0, ANY, ""}},
    {1u << J_LOOP, {"changed", loop_changed, 0, 0, ANY, ""}},
};

const struct jfunc *j_find_method(const struct jval *v, struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].types >> v->type & 1 && strlen(rows[i].func.name) == name.len &&
            !memcmp(rows[i].func.name, name.ptr, name.len))
            return &rows[i].func;
    return NULL;
}
