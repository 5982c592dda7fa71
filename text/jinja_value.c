// SPDX-License-Identifier: MIT
// Values of the template interpreter: making them, comparing them, walking them. Python's rules: True is 1, integers
// and floats compare by value, strings by code points, dictionaries keep their order.
#include "text/jinja_impl.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

bool j_fail(struct jinja *j, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(j->e, ERR_INPUT, "chat template: line %u: %s", j->line, text);
}

bool j_burn(struct jinja *j, size_t steps) {
    if (steps >= j->fuel)
        return j_fail(j, "the template does not come to an end (%u steps)", JINJA_MAX_FUEL);
    j->fuel -= (uint32_t)steps;
    return true;
}

void *j_alloc(struct jinja *j, size_t n, size_t size) {
    void *p = NULL;
    if (j->arena.used < JINJA_MAX_MEMORY && (!n || size <= JINJA_MAX_MEMORY / n))
        p = arena_alloc(&j->arena, n, size);
    if (!p)
        j_fail(j, "the template takes too much memory");
    return p;
}

// Room for n more elements of an array in the arena; doubling keeps the copies' sum linear.
static bool grow(struct jinja *j, void **array, size_t len, size_t *cap, size_t n, size_t size) {
    if (len + n <= *cap)
        return true;
    size_t want = max_size(len + n, max_size(*cap * 2, 8));
    void *p = j_alloc(j, want, size);
    if (!p)
        return false;
    if (len)
        memcpy(p, *array, len * size);
    *array = p;
    *cap = want;
    return true;
}

static bool builder_room(struct jinja *j, struct jbuilder *b, size_t n) {
    size_t cap = b->cap;
    void *mask = b->mask, *ptr = b->ptr;
    if (b->len + n <= b->cap)
        return true;
    if (b->len + n > JINJA_MAX_OUTPUT)
        return j_fail(j, "the template makes a text of over %zu MB", JINJA_MAX_OUTPUT >> 20);
    if (!grow(j, &ptr, b->len, &b->cap, n, 1) || !grow(j, &mask, b->len, &cap, n, 1))
        return false;
    b->ptr = ptr;
    b->mask = mask;
    return true;
}

// Appends bytes with the origin of a string that they were made from; origin NULL: data.
bool j_add(struct jinja *j, struct jbuilder *b, const char *ptr, size_t len, const struct jstr *origin) {
    if (!len)
        return true;
    if (!j_burn(j, len / 64) || !builder_room(j, b, len))
        return false;
    enum jorigin from = origin && origin->origin != J_MIXED ? origin->origin : J_DATA;
    memcpy(b->ptr + b->len, ptr, len);
    memset(b->mask + b->len, (int)from, len);
    b->len += len;
    b->origins |= 1u << from;
    return true;
}

bool j_add_slice(struct jinja *j, struct jbuilder *b, const struct jstr *s, size_t from, size_t to) {
    size_t at = b->len;
    if (!j_add(j, b, s->ptr + from, to - from, s))
        return false;
    if (s->origin == J_MIXED && to > from) {
        memcpy(b->mask + at, s->mask + from, to - from);
        b->origins |= 1u << J_DATA | 1u << J_TEMPLATE; // more than one, whichever
    }
    return true;
}

bool j_add_text(struct jinja *j, struct jbuilder *b, const char *text) {
    return j_add(j, b, text, strlen(text), NULL);
}

bool j_string(struct jinja *j, const char *ptr, size_t len, enum jorigin origin, struct jval *out) {
    struct jstr *s = j_alloc(j, 1, sizeof *s);
    if (!s)
        return false;
    *s = (struct jstr){ptr, len, origin, NULL, SIZE_MAX};
    *out = (struct jval){.type = J_STR, .s = s};
    return true;
}

bool j_finish(struct jinja *j, const struct jbuilder *b, struct jval *out) {
    enum jorigin origin = J_MIXED;
    for (unsigned i = 0; i < J_MIXED; i++)
        if (b->origins == 1u << i)
            origin = (enum jorigin)i;
    if (!b->origins)
        origin = J_DATA;
    if (!j_string(j, b->ptr ? b->ptr : "", b->len, origin, out))
        return false;
    out->s->mask = b->mask;
    return true;
}

bool j_substring(struct jinja *j, const struct jstr *s, size_t from, size_t to, struct jval *out) {
    if (!j_string(j, s->ptr + from, to - from, s->origin, out))
        return false;
    out->s->mask = s->mask ? s->mask + from : NULL;
    return true;
}

size_t j_chars(struct jstr *s) {
    if (s->n_chars != SIZE_MAX)
        return s->n_chars;
    size_t n = 0;
    for (size_t i = 0; i < s->len;) {
        unsigned len;
        utf8_decode(s->ptr + i, s->len - i, &len);
        i += len;
        n++;
    }
    return s->n_chars = n;
}

size_t j_char_offset(struct jstr *s, size_t index) {
    if (j_chars(s) == s->len)
        return min_size(index, s->len);
    size_t at = 0;
    for (; index && at < s->len; index--) {
        unsigned len;
        utf8_decode(s->ptr + at, s->len - at, &len);
        at += len;
    }
    return at;
}

struct jval j_none(void) {
    return (struct jval){.type = J_NONE};
}

struct jval j_bool(bool b) {
    return (struct jval){.type = J_BOOL, .b = b};
}

struct jval j_int(int64_t i) {
    return (struct jval){.type = J_INT, .i = i};
}

struct jval j_float(double f) {
    return (struct jval){.type = J_FLOAT, .f = f};
}

struct jval j_undefined(struct jinja *j, struct str name) {
    struct jval v = {.type = J_UNDEFINED};
    struct jval text;
    if (name.ptr && j_string(j, name.ptr, name.len, J_DATA, &text))
        v.s = text.s;
    return v;
}

bool j_list(struct jinja *j, enum jtype type, struct jval *out) {
    *out = (struct jval){.type = type, .list = j_alloc(j, 1, sizeof *out->list)};
    return out->list != NULL;
}

bool j_push(struct jinja *j, struct jlist *list, struct jval v) {
    void *items = list->items;
    if (!j_burn(j, 1) || !grow(j, &items, list->n, &list->cap, 1, sizeof *list->items))
        return false;
    list->items = items;
    list->items[list->n++] = v;
    return true;
}

bool j_dict(struct jinja *j, enum jtype type, struct jval *out) {
    *out = (struct jval){.type = type, .dict = j_alloc(j, 1, sizeof *out->dict)};
    return out->dict != NULL;
}

struct jval *j_dict_find_text(const struct jdict *d, const char *key, size_t len) {
    for (size_t i = 0; i < d->n; i++) {
        const struct jval *k = &d->pairs[i].key;
        if (k->type == J_STR && k->s->len == len && !memcmp(k->s->ptr, key, len))
            return &d->pairs[i].value;
    }
    return NULL;
}

struct jval *j_dict_find(struct jinja *j, const struct jdict *d, struct jval key) {
    j->fuel -= j->fuel > d->n ? (uint32_t)d->n / 4 : 0;
    if (key.type == J_STR)
        return j_dict_find_text(d, key.s->ptr, key.s->len);
    for (size_t i = 0; i < d->n; i++)
        if (j_equal(j, &d->pairs[i].key, &key))
            return &d->pairs[i].value;
    return NULL;
}

bool j_dict_set(struct jinja *j, struct jdict *d, struct jval key, struct jval value) {
    if (key.type == J_LIST || key.type == J_DICT)
        return j_fail(j, "unhashable type: '%s'", j_type_name(&key));
    struct jval *there = j_dict_find(j, d, key);
    if (there) {
        *there = value;
        return true;
    }
    void *pairs = d->pairs;
    if (!j_burn(j, 1) || !grow(j, &pairs, d->n, &d->cap, 1, sizeof *d->pairs))
        return false;
    d->pairs = pairs;
    d->pairs[d->n++] = (struct jpair){key, value};
    return true;
}

bool j_truth(const struct jval *v) {
    switch (v->type) {
    case J_UNDEFINED:
    case J_NONE:
        return false;
    case J_BOOL:
        return v->b;
    case J_INT:
        return v->i != 0;
    case J_FLOAT:
        return v->f != 0;
    case J_STR:
        return v->s->len > 0;
    case J_LIST:
    case J_TUPLE:
        return v->list->n > 0;
    case J_DICT:
        return v->dict->n > 0;
    default:
        return true;
    }
}

bool j_is_number(const struct jval *v) {
    return v->type == J_INT || v->type == J_FLOAT || v->type == J_BOOL;
}

double j_number(const struct jval *v) {
    return v->type == J_FLOAT ? v->f : v->type == J_BOOL ? v->b : (double)v->i;
}

bool j_as_int(const struct jval *v, int64_t *out) {
    if (v->type != J_INT && v->type != J_BOOL)
        return false;
    *out = v->type == J_INT ? v->i : v->b;
    return true;
}

bool j_same_text(const struct jval *v, const char *text) {
    return v->type == J_STR && v->s->len == strlen(text) && !memcmp(v->s->ptr, text, v->s->len);
}

static bool equal_lists(struct jinja *j, const struct jlist *a, const struct jlist *b) {
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!j_equal(j, &a->items[i], &b->items[i]))
            return false;
    return true;
}

static bool equal_dicts(struct jinja *j, const struct jdict *a, const struct jdict *b) {
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct jval *other = j_dict_find(j, b, a->pairs[i].key);
        if (!other || !j_equal(j, &a->pairs[i].value, other))
            return false;
    }
    return true;
}

static int compare_numbers(const struct jval *a, const struct jval *b) {
    int64_t x, y;
    if (j_as_int(a, &x) && j_as_int(b, &y))
        return (x > y) - (x < y);
    double p = j_number(a), q = j_number(b);
    return (p > q) - (p < q);
}

// Values that contain themselves (a list appended to itself) are as deep as the depth limit allows.
static bool equal_deep(struct jinja *j, const struct jval *a, const struct jval *b) {
    if (j_is_number(a) && j_is_number(b))
        return compare_numbers(a, b) == 0 && !(isnan(j_number(a)) || isnan(j_number(b)));
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case J_UNDEFINED:
    case J_NONE:
        return true;
    case J_STR:
        return a->s->len == b->s->len && !memcmp(a->s->ptr, b->s->ptr, a->s->len);
    case J_LIST:
    case J_TUPLE:
        return a->list == b->list || equal_lists(j, a->list, b->list);
    case J_DICT:
        return a->dict == b->dict || equal_dicts(j, a->dict, b->dict);
    default:
        return a->func == b->func;
    }
}

bool j_equal(struct jinja *j, const struct jval *a, const struct jval *b) {
    if (!j->fuel || j->depth >= JINJA_MAX_DEPTH)
        return false;
    j->fuel--;
    j->depth++;
    bool equal = equal_deep(j, a, b);
    j->depth--;
    return equal;
}

static bool compare_lists(struct jinja *j, const struct jlist *a, const struct jlist *b, int *order) {
    size_t n = min_size(a->n, b->n);
    for (size_t i = 0; i < n; i++)
        if (!j_equal(j, &a->items[i], &b->items[i]))
            return j_compare(j, &a->items[i], &b->items[i], order);
    *order = (a->n > b->n) - (a->n < b->n);
    return true;
}

bool j_compare(struct jinja *j, const struct jval *a, const struct jval *b, int *order) {
    bool ok = j_burn(j, 1);
    if (ok && j->depth >= JINJA_MAX_DEPTH)
        return j_fail(j, "values are nested too deeply");
    j->depth++;
    if (j_is_number(a) && j_is_number(b)) {
        *order = compare_numbers(a, b);
    } else if (a->type == J_STR && b->type == J_STR) {
        int c = memcmp(a->s->ptr, b->s->ptr, min_size(a->s->len, b->s->len)); // UTF-8 sorts as its code points do
        *order = c ? c : (a->s->len > b->s->len) - (a->s->len < b->s->len);
    } else if ((a->type == J_LIST || a->type == J_TUPLE) && a->type == b->type) {
        ok = ok && compare_lists(j, a->list, b->list, order);
    } else {
        ok = j_fail(j, "'<' not supported between '%s' and '%s'", j_type_name(a), j_type_name(b));
    }
    j->depth--;
    return ok;
}

static bool iterate_str(struct jinja *j, struct jstr *s, struct jlist *list) {
    for (size_t i = 0; i < s->len;) {
        unsigned n;
        struct jval c;
        utf8_decode(s->ptr + i, s->len - i, &n);
        if (!j_substring(j, s, i, i + n, &c) || !j_push(j, list, c))
            return false;
        i += n;
    }
    return true;
}

// Lists are given out themselves: who walks one must look at its length anew each time.
bool j_iterate(struct jinja *j, struct jval v, struct jlist **out) {
    struct jval copy;
    if (v.type == J_LIST || v.type == J_TUPLE) {
        *out = v.list;
        return true;
    }
    if (v.type == J_LOOP) {
        *out = v.loop->items;
        return true;
    }
    if (!j_list(j, J_LIST, &copy))
        return false;
    *out = copy.list;
    if (v.type == J_STR)
        return iterate_str(j, v.s, copy.list);
    if (v.type == J_UNDEFINED)
        return true;
    if (v.type != J_DICT)
        return j_fail(j, "'%s' object is not iterable", j_type_name(&v));
    for (size_t i = 0; i < v.dict->n; i++)
        if (!j_push(j, copy.list, v.dict->pairs[i].key))
            return false;
    return true;
}

bool j_length(struct jinja *j, struct jval v, int64_t *out) {
    switch (v.type) {
    case J_UNDEFINED:
        *out = 0;
        return true;
    case J_STR:
        *out = (int64_t)j_chars(v.s);
        return true;
    case J_LIST:
    case J_TUPLE:
        *out = (int64_t)v.list->n;
        return true;
    case J_DICT:
        *out = (int64_t)v.dict->n;
        return true;
    case J_LOOP:
        *out = (int64_t)v.loop->items->n;
        return true;
    default:
        return j_fail(j, "object of type '%s' has no len()", j_type_name(&v));
    }
}

const char *j_type_name(const struct jval *v) {
    static const char *const names[] = {
        [J_UNDEFINED] = "Undefined", [J_NONE] = "NoneType",    [J_BOOL] = "bool",     [J_INT] = "int",
        [J_FLOAT] = "float",         [J_STR] = "str",          [J_LIST] = "list",     [J_TUPLE] = "tuple",
        [J_DICT] = "dict",           [J_MACRO] = "Macro",      [J_FUNC] = "function", [J_METHOD] = "method",
        [J_NAMESPACE] = "Namespace", [J_LOOP] = "LoopContext", [J_CYCLER] = "Cycler", [J_JOINER] = "Joiner",
    };
    return names[v->type];
}

// JSON nests at most JSON_MAX_DEPTH deep, so this may recurse.
bool j_from_json(struct jinja *j, const struct json *value, struct jval *out) {
    *out = j_none();
    switch (value->type) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        *out = j_bool(value->boolean);
        return true;
    case JSON_INT:
        *out = j_int(value->integer);
        return true;
    case JSON_FLOAT:
        *out = j_float(value->number);
        return true;
    case JSON_STR:
        return j_string(j, value->text.ptr, value->text.len, J_DATA, out);
    case JSON_ARRAY:
        if (!j_list(j, J_LIST, out))
            return false;
        for (size_t i = 0; i < value->n; i++) {
            struct jval item;
            if (!j_from_json(j, &value->items[i], &item) || !j_push(j, out->list, item))
                return false;
        }
        return true;
    case JSON_OBJECT:
        break;
    }
    if (!j_dict(j, J_DICT, out))
        return false;
    for (size_t i = 0; i < value->n; i++) {
        struct jval key, item;
        const struct json_member *m = &value->members[i];
        if (!j_string(j, m->key.ptr, m->key.len, J_DATA, &key) || !j_from_json(j, &m->value, &item) ||
            !j_dict_set(j, out->dict, key, item))
            return false;
    }
    return true;
}
