// SPDX-License-Identifier: MIT
// Rendering as a whole: the context becomes variables, the source a tree, and the tree a text with its origins. Also
// the functions that templates may call.
//
// Everything that a context holds is data, but for two things that the program itself puts there: the texts of special
// tokens (top-level strings named *_token), and the names of roles, as long as they are plain words.
#include "text/jinja_str.h"

#include <stdlib.h>
#include <time.h>

#define FUNCTION(name) static bool name(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out)

FUNCTION(range) {
    int64_t v[3] = {0, 0, 1};
    (void)self;
    for (size_t i = 0; i < args->n; i++)
        if (!j_as_int(&args->values[i], &v[args->n == 1 ? 1 : i]))
            return j_fail(j, "range() takes integers");
    if (!v[2])
        return j_fail(j, "range() arg 3 must not be zero");
    if (!j_list(j, J_LIST, out))
        return false;
    for (int64_t i = v[0]; v[2] > 0 ? i < v[1] : i > v[1];) {
        if (out->list->n >= JINJA_MAX_RANGE)
            return j_fail(j, "range too big: at most %d", JINJA_MAX_RANGE);
        if (!j_push(j, out->list, j_int(i)))
            return false;
        if (__builtin_add_overflow(i, v[2], &i))
            break;
    }
    return true;
}

static bool fill_dict(struct jinja *j, const struct jargs *args, struct jdict *d) {
    const struct jval *from = args->n ? &args->values[0] : NULL;
    struct jlist *pairs;
    for (size_t i = 0; from && from->type == J_DICT && i < from->dict->n; i++)
        if (!j_dict_set(j, d, from->dict->pairs[i].key, from->dict->pairs[i].value))
            return false;
    if (from && from->type != J_DICT) {
        if (!j_iterate(j, *from, &pairs))
            return false;
        for (size_t i = 0; i < pairs->n; i++) {
            struct jlist *pair;
            if (!j_iterate(j, pairs->items[i], &pair) || (pair->n != 2 && !j_fail(j, "dict() takes pairs")) ||
                !j_dict_set(j, d, pair->items[0], pair->items[1]))
                return false;
        }
    }
    for (size_t i = 0; i < args->n_named; i++)
        if (!j_dict_set(j, d, args->named[i].key, args->named[i].value))
            return false;
    return true;
}

FUNCTION(dict) {
    (void)self;
    return j_dict(j, J_DICT, out) && fill_dict(j, args, out->dict);
}

FUNCTION(namespace) {
    (void)self;
    return j_dict(j, J_NAMESPACE, out) && fill_dict(j, args, out->dict);
}

static bool make_cycler(struct jinja *j, enum jtype type, const struct jval *items, size_t n, struct jval *out) {
    struct jval list;
    *out = (struct jval){.type = type, .cycler = j_alloc(j, 1, sizeof *out->cycler)};
    if (!out->cycler || !j_list(j, J_LIST, &list))
        return false;
    out->cycler->items = list.list;
    for (size_t i = 0; i < n; i++)
        if (!j_push(j, list.list, items[i]))
            return false;
    return true;
}

FUNCTION(cycler) {
    (void)self;
    return args->n ? make_cycler(j, J_CYCLER, args->values, args->n, out) : j_fail(j, "no items for cycling given");
}

FUNCTION(joiner) {
    struct jval comma;
    (void)self;
    return j_string(j, ", ", 2, J_TEMPLATE, &comma) &&
           make_cycler(j, J_JOINER, args->n ? args->values : &comma, 1, out);
}

FUNCTION(raise_exception) {
    struct jval text;
    (void)self;
    (void)out;
    return j_to_str(j, args->values[0], &text) && j_fail(j, "%.*s", (int)min_size(text.s->len, 300), text.s->ptr);
}

FUNCTION(strftime_now) {
    char format[256], text[1024];
    struct tm tm = {0};
    struct jstr *s;
    time_t now = time(NULL);
    (void)self;
    if (!j_str_arg(j, &args->values[0], "format", &s))
        return false;
    if (s->len >= sizeof format || memchr(s->ptr, 0, s->len))
        return j_fail(j, "strftime_now: the format is too long");
    memcpy(format, s->ptr, s->len);
    format[s->len] = 0;
    if (!j->now)
        localtime_r(&now, &tm);
    else if (!strptime(j->now, "%Y-%m-%dT%H:%M:%S", &tm))
        return j_fail(j, "strftime_now: the time '%s' is not YYYY-MM-DDTHH:MM:SS", j->now);
    size_t n = s->len ? strftime(text, sizeof text, format, &tm) : 0;
    char *copy = j_alloc(j, n, 1);
    return copy && j_string(j, memcpy(copy, text, n), n, J_DATA, out);
}

static const struct jfunc globals[] = {
    {"range", range, 0, 1, 3, ""},
    {"dict", dict, 0, 0, 1, ""},
    {"namespace", namespace, 0, 0, 1, ""},
    {"cycler", cycler, 0, 0, 255, ""},
    {"joiner", joiner, 0, 0, 1, "sep"},
    {"raise_exception", raise_exception, 0, 1, 1, "message"},
    {"strftime_now", strftime_now, 0, 1, 1, "format"},
};

const struct jfunc *j_find_global(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(globals); i++)
        if (strlen(globals[i].name) == name.len && !memcmp(globals[i].name, name.ptr, name.len))
            return &globals[i];
    return NULL;
}

static bool ends_with(struct str s, const char *end) {
    size_t n = strlen(end);
    return s.len >= n && !memcmp(s.ptr + s.len - n, end, n);
}

static void trust_role(struct jval *v) {
    for (size_t i = 0; v && v->type == J_STR && i < v->s->len; i++)
        if ((v->s->ptr[i] < 'a' || v->s->ptr[i] > 'z') && v->s->ptr[i] != '_')
            return;
    if (v && v->type == J_STR)
        v->s->origin = J_TEMPLATE;
}

// What the model said in an earlier turn.
static void mark_answer(struct jdict *message) {
    static const char *const keys[] = {"content", "reasoning_content", "thinking"};
    const struct jval *role = j_dict_find_text(message, "role", 4);
    if (!role || !j_same_text(role, "assistant"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct jval *v = j_dict_find_text(message, keys[i], strlen(keys[i]));
        if (v && v->type == J_STR)
            v->s->origin = J_MODEL;
    }
}

static bool define_context(struct jinja *j, const struct json *context) {
    if (context->type != JSON_OBJECT)
        return j_fail(j, "the context must be a JSON object");
    for (size_t i = 0; i < context->n; i++) {
        struct str key = context->members[i].key;
        struct jval v;
        if (!j_from_json(j, &context->members[i].value, &v) || !j_define(j, j->globals, key, v))
            return false;
        if (v.type == J_STR && ends_with(key, "_token"))
            v.s->origin = J_TEMPLATE;
        bool messages = v.type == J_LIST && ends_with(key, "messages");
        for (size_t k = 0; messages && k < v.list->n; k++)
            if (v.list->items[k].type == J_DICT) {
                trust_role(j_dict_find_text(v.list->items[k].dict, "role", 4));
                mark_answer(v.list->items[k].dict);
            }
    }
    return true;
}

static bool add_span(struct chat_spans *spans, size_t begin, size_t end) {
    if (spans->n == spans->cap) {
        size_t cap = spans->cap ? 2 * spans->cap : 16;
        struct tok_span *more = realloc(spans->ptr, cap * sizeof *more);
        if (!more)
            return false;
        spans->ptr = more;
        spans->cap = cap;
    }
    spans->ptr[spans->n++] = (struct tok_span){begin, end};
    return true;
}

static bool give(const struct jbuilder *b, struct chat_text *out, struct err *e) {
    buf_append(&out->text, b->ptr, b->len);
    bool ok = !out->text.failed;
    for (size_t at = 0, end; at < b->len && ok; at = end) {
        end = at + 1;
        while (end < b->len && b->mask[end] == b->mask[at])
            end++;
        if (b->mask[at] != J_DATA)
            ok = add_span(b->mask[at] == J_TEMPLATE ? &out->trusted : &out->said, at, end);
    }
    return ok || err_memory(e, b->len, "the conversation");
}

bool jinja_render(struct str source, const struct json *context, const char *now, struct chat_text *out,
                  struct err *e) {
    struct jbuilder text = {0};
    struct jinja j = {.fuel = JINJA_MAX_FUEL, .out = &text, .now = now};
    struct jnode *tree = NULL;
    struct err inner = {0};
    *out = (struct chat_text){0};
    j.e = &inner;
    j.globals = j_scope(&j, NULL);
    bool ok = j.globals && j_parse(&j, source, &tree) && define_context(&j, context) &&
              j_exec(&j, j.globals, tree) != FLOW_FAIL;
    if (ok)
        ok = give(&text, out, e);
    else
        *e = inner;
    arena_free(&j.arena);
    return ok;
}

bool jinja_check(struct str source, struct err *e) {
    struct jbuilder text = {0};
    struct jinja j = {.fuel = JINJA_MAX_FUEL, .out = &text, .e = e};
    struct jnode *tree = NULL;
    bool ok = j_parse(&j, source, &tree);
    arena_free(&j.arena);
    return ok;
}
