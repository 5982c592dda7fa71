// SPDX-License-Identifier: MIT
// Filters on sequences. Those that are generators in Jinja give lists here.
#include "text/jinja_seq.h"

static bool get_or(struct jinja *j, struct jval item, struct jval key, const struct jval *otherwise, struct jval *out) {
    if (!j_get_attr(j, item, key, true, out))
        return false;
    if (out->type == J_UNDEFINED && otherwise && otherwise->type != J_NONE)
        *out = *otherwise;
    return true;
}

// The attribute of an item that a filter asks for: a number, or names and numbers separated by dots. None: the item.
// `otherwise`, where it is given, stands for an attribute that is missing on the way.
static bool attribute_or(struct jinja *j, struct jval item, const struct jval *path, const struct jval *otherwise,
                         struct jval *out) {
    *out = item;
    if (!path || path->type == J_NONE)
        return true;
    if (path->type != J_STR)
        return get_or(j, item, *path, otherwise, out);
    const char *p = path->s->ptr, *end = p + path->s->len;
    while (p <= end) {
        const char *dot = memchr(p, '.', (size_t)(end - p));
        size_t len = dot ? (size_t)(dot - p) : (size_t)(end - p), digits = 0;
        struct jval key;
        while (digits < len && digits < 9 && p[digits] >= '0' && p[digits] <= '9')
            digits++;
        if (!j_string(j, p, len, J_DATA, &key))
            return false;
        if (len && digits == len) {
            int64_t n = 0;
            for (size_t i = 0; i < len; i++)
                n = n * 10 + (p[i] - '0');
            key = j_int(n);
        }
        if (!get_or(j, *out, key, otherwise, out))
            return false;
        p += len + 1;
    }
    return true;
}

static bool attribute_of(struct jinja *j, struct jval item, const struct jval *path, struct jval *out) {
    return attribute_or(j, item, path, NULL, out);
}

static bool one_key(struct jinja *j, struct jval item, const struct jval *path, bool cased, struct jval *out) {
    if (!attribute_of(j, item, path, out))
        return false;
    return cased || out->type != J_STR || j_str_case(j, out->s, J_LOWER, out);
}

// What items are compared by: their attribute, or several with commas between, in lower case unless case counts.
static bool sort_key(struct jinja *j, struct jval item, const struct jval *path, bool cased, struct jval *out) {
    const struct jstr *names = path && path->type == J_STR ? path->s : NULL;
    if (!names || !memchr(names->ptr, ',', names->len))
        return one_key(j, item, path, cased, out);
    if (!j_list(j, J_TUPLE, out))
        return false;
    for (size_t from = 0; from <= names->len;) {
        const char *comma = memchr(names->ptr + from, ',', names->len - from);
        size_t to = comma ? (size_t)(comma - names->ptr) : names->len;
        struct jval part, key;
        if (!j_string(j, names->ptr + from, to - from, J_DATA, &part) || !one_key(j, item, &part, cased, &key) ||
            !j_push(j, out->list, key))
            return false;
        from = to + 1;
    }
    return true;
}

static bool is_true(const struct jval *v) {
    return v && j_truth(v);
}

struct keyed {
    struct jval key, value;
};

// A stable merge sort, from runs of one item up.
static bool merge_sort(struct jinja *j, struct keyed *items, size_t n, bool reverse) {
    struct keyed *other = j_alloc(j, n, sizeof *other), *from = items, *to = other;
    if (!other)
        return false;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t at = 0; at < n; at += 2 * width) {
            size_t a = at, a_end = min_size(at + width, n), b = a_end, b_end = min_size(at + 2 * width, n);
            for (size_t k = at; k < b_end; k++) {
                int order = b == b_end ? -1 : a == a_end ? 1 : 0;
                if (!order && !j_compare(j, &from[a].key, &from[b].key, &order))
                    return false;
                bool second = a == a_end || (b < b_end && (reverse ? order < 0 : order > 0));
                to[k] = second ? from[b++] : from[a++];
            }
        }
        struct keyed *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
    return true;
}

static bool sorted(struct jinja *j, struct jval v, const struct jval *path, bool cased, bool reverse,
                   struct keyed **out, size_t *n) {
    struct jlist *items;
    if (!j_iterate(j, v, &items))
        return false;
    struct keyed *keyed = *out = j_alloc(j, items->n, sizeof *keyed);
    *n = items->n;
    if (!keyed)
        return false;
    for (size_t i = 0; i < *n; i++) {
        keyed[i].value = items->items[i];
        if (!sort_key(j, items->items[i], path, cased, &keyed[i].key))
            return false;
    }
    return merge_sort(j, keyed, *n, reverse);
}

bool j_seq_sort(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct keyed *items;
    size_t n;
    if (!sorted(j, SELF, ARG(2), is_true(ARG(1)), is_true(ARG(0)), &items, &n) || !j_list(j, J_LIST, out))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!j_push(j, out->list, items[i].value))
            return false;
    return true;
}

static bool pair_of(struct jinja *j, struct jval a, struct jval b, struct jval *out) {
    return j_list(j, J_TUPLE, out) && j_push(j, out->list, a) && j_push(j, out->list, b);
}

static bool pairs_of(struct jinja *j, struct jval v, struct jval *out) {
    if (!j_list(j, J_LIST, out))
        return false;
    if (v.type == J_UNDEFINED)
        return true;
    if (v.type != J_DICT)
        return j_fail(j, "can only get item pairs from a mapping");
    for (size_t i = 0; i < v.dict->n; i++) {
        struct jval pair;
        if (!pair_of(j, v.dict->pairs[i].key, v.dict->pairs[i].value, &pair) || !j_push(j, out->list, pair))
            return false;
    }
    return true;
}

bool j_seq_items(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    (void)args;
    return pairs_of(j, SELF, out);
}

bool j_seq_dictsort(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jval pairs, place = j_int(ARG(1) && j_same_text(ARG(1), "value"));
    struct keyed *items;
    size_t n;
    if (!pairs_of(j, SELF, &pairs) || !sorted(j, pairs, &place, is_true(ARG(0)), is_true(ARG(2)), &items, &n) ||
        !j_list(j, J_LIST, out))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!j_push(j, out->list, items[i].value))
            return false;
    return true;
}

bool j_seq_groupby(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct keyed *items;
    size_t n;
    struct jval group, members, name;
    if (!sorted(j, SELF, ARG(0), is_true(ARG(2)), false, &items, &n) || !j_list(j, J_LIST, out))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool starts = !i || !j_equal(j, &items[i - 1].key, &items[i].key);
        if (starts && (!attribute_of(j, items[i].value, ARG(0), &name) || !j_list(j, J_LIST, &members) ||
                       !pair_of(j, name, members, &group) || !j_push(j, out->list, group)))
            return false;
        if (!j_push(j, members.list, items[i].value))
            return false;
    }
    return true;
}

bool j_seq_first(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jlist *items;
    (void)args;
    if (!j_iterate(j, SELF, &items))
        return false;
    *out = !items->n ? j_undefined(j, (struct str){NULL, 0}) : items->items[FUNC->arg ? items->n - 1 : 0];
    return true;
}

bool j_seq_join(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jlist *items;
    struct jval between, picked;
    if (!j_string(j, "", 0, J_TEMPLATE, &between) || (ARG(0) && !j_to_str(j, *ARG(0), &between)) ||
        !j_iterate(j, SELF, &items) || !j_list(j, J_LIST, &picked))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        struct jval item;
        if (!attribute_of(j, items->items[i], ARG(1), &item) || !j_push(j, picked.list, item))
            return false;
    }
    return j_str_join(j, between.s, picked.list, out);
}

bool j_seq_length(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    int64_t n;
    (void)args;
    if (!j_length(j, SELF, &n))
        return false;
    *out = j_int(n);
    return true;
}

bool j_seq_list(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jlist *items;
    (void)args;
    if (!j_iterate(j, SELF, &items) || !j_list(j, J_LIST, out))
        return false;
    for (size_t i = 0; i < items->n; i++)
        if (!j_push(j, out->list, items->items[i]))
            return false;
    return true;
}

bool j_seq_reverse(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jlist *items;
    struct jbuilder b = {0};
    (void)args;
    if (!j_iterate(j, SELF, &items) || !j_list(j, J_LIST, out))
        return false;
    for (size_t i = items->n; i-- > 0;) {
        const struct jval *item = &items->items[i];
        if (!(SELF.type == J_STR ? j_add_slice(j, &b, item->s, 0, item->s->len) : j_push(j, out->list, *item)))
            return false;
    }
    return SELF.type != J_STR || j_finish(j, &b, out);
}

// The rest of the arguments from number i on.
static struct jargs from_arg(const struct jargs *args, size_t i) {
    struct jargs rest = *args;
    i = min_size(i, args->n);
    rest.values += i;
    rest.n -= i;
    return rest;
}

static const struct jval *named(const struct jargs *args, const char *name) {
    for (size_t i = 0; i < args->n_named; i++)
        if (j_same_text(&args->named[i].key, name))
            return &args->named[i].value;
    return NULL;
}

bool j_seq_map(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    const struct jval *path = named(args, "attribute"), *otherwise = named(args, "default");
    struct jargs rest = from_arg(args, 1);
    struct jlist *items;
    if (!path && (!args->n || args->values[0].type != J_STR))
        return j_fail(j, "map requires a filter argument");
    if (!j_iterate(j, SELF, &items) || !j_list(j, J_LIST, out))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        struct jval v;
        bool ok = path ? attribute_or(j, items->items[i], path, otherwise, &v)
                       : j_filter(j, (struct str){args->values[0].s->ptr, args->values[0].s->len}, items->items[i],
                                  &rest, &v);
        if (!ok || !j_push(j, out->list, v))
            return false;
    }
    return true;
}

// func->arg: 1 rejects, 2 goes by an attribute, which is the first argument.
bool j_seq_select(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    bool by_attribute = FUNC->arg & 2, reject = FUNC->arg & 1;
    const struct jval *path = by_attribute ? &args->values[0] : NULL;
    const size_t at = by_attribute ? 1 : 0; // where the test's name stands
    struct jargs rest = from_arg(args, at + 1);
    struct jlist *items;
    bool has_test = args->n > at;
    if ((by_attribute && !args->n) || (has_test && args->values[at].type != J_STR))
        return j_fail(j, "%s: expected the name of a test", FUNC->name);
    if (!j_iterate(j, SELF, &items) || !j_list(j, J_LIST, out))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        struct jval v;
        if (!attribute_of(j, items->items[i], path, &v))
            return false;
        bool pass = j_truth(&v);
        const struct jstr *test = has_test ? args->values[at].s : NULL;
        if (test && !j_test(j, (struct str){test->ptr, test->len}, v, &rest, &pass))
            return false;
        if (pass != reject && !j_push(j, out->list, items->items[i]))
            return false;
    }
    return true;
}

bool j_seq_extreme(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jlist *items;
    struct jval best, key;
    if (!j_iterate(j, SELF, &items))
        return false;
    *out = j_undefined(j, (struct str){NULL, 0});
    for (size_t i = 0; i < items->n; i++) {
        int order = 0;
        if (!sort_key(j, items->items[i], ARG(1), is_true(ARG(0)), &key) || (i && !j_compare(j, &key, &best, &order)))
            return false;
        if (i && (FUNC->arg ? order <= 0 : order >= 0))
            continue;
        best = key;
        *out = items->items[i];
    }
    return true;
}

bool j_seq_sum(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jlist *items;
    *out = ARG(1) ? *ARG(1) : j_int(0);
    if (!j_iterate(j, SELF, &items))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        struct jval v;
        if (!attribute_of(j, items->items[i], ARG(0), &v) || !j_binary(j, OP_ADD, *out, v, out))
            return false;
    }
    return true;
}

bool j_seq_unique(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jlist *items;
    struct jval seen, key;
    if (!j_iterate(j, SELF, &items) || !j_list(j, J_LIST, out) || !j_list(j, J_LIST, &seen))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        bool found;
        if (!sort_key(j, items->items[i], ARG(1), is_true(ARG(0)), &key) || !j_contains(j, key, seen, &found))
            return false;
        if (!found && (!j_push(j, seen.list, key) || !j_push(j, out->list, items->items[i])))
            return false;
    }
    return true;
}

static bool fill(struct jinja *j, struct jlist *row, size_t n, const struct jval *with) {
    while (with && with->type != J_NONE && row->n < n)
        if (!j_push(j, row, *with))
            return false;
    return true;
}

bool j_seq_batch(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jlist *items;
    struct jval row = {.type = J_NONE};
    int64_t n;
    if (!j_filter_int(j, ARG(0), 1, &n) || !j_iterate(j, SELF, &items) || !j_list(j, J_LIST, out))
        return false;
    if (n < 1 || n > JINJA_MAX_RANGE)
        return j_fail(j, "batch: %lld is no size", (long long)n);
    for (size_t i = 0; i < items->n; i++) {
        if (i % (size_t)n == 0 && (!j_list(j, J_LIST, &row) || !j_push(j, out->list, row)))
            return false;
        if (!j_push(j, row.list, items->items[i]))
            return false;
    }
    return row.type == J_NONE || fill(j, row.list, (size_t)n, ARG(1));
}

bool j_seq_slice(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jlist *items;
    int64_t n;
    if (!j_filter_int(j, ARG(0), 1, &n) || !j_iterate(j, SELF, &items) || !j_list(j, J_LIST, out))
        return false;
    if (n < 1 || n > JINJA_MAX_RANGE)
        return j_fail(j, "slice: %lld is no count", (long long)n);
    size_t each = items->n / (size_t)n, more = items->n % (size_t)n, at = 0;
    for (size_t i = 0; i < (size_t)n; i++) {
        struct jval row;
        if (!j_list(j, J_LIST, &row) || !j_push(j, out->list, row))
            return false;
        for (size_t k = 0; k < each + (i < more); k++)
            if (!j_push(j, row.list, items->items[at++]))
                return false;
        if (i >= more && !fill(j, row.list, each + 1, ARG(1)))
            return false;
    }
    return true;
}
