// SPDX-License-Identifier: MIT
// Evaluating expressions: names, attributes, operators, calls. An undefined value can be printed, tested and compared;
// anything else with it is an error, as in Jinja's default.
#include "text/jinja_impl.h"

#include <math.h>

#include "base/utf8.h"

static bool undefined_error(struct jinja *j, const struct jval *v) {
    if (v->s)
        return j_fail(j, "'%.*s' is undefined", (int)min_size(v->s->len, 100), v->s->ptr);
    return j_fail(j, "a value is undefined");
}

static bool find_name(struct jinja *j, struct jscope *scope, struct str name, struct jval *out) {
    for (; scope; scope = scope->parent)
        for (size_t i = scope->n; i-- > 0;)
            if (scope->vars[i].name.len == name.len && !memcmp(scope->vars[i].name.ptr, name.ptr, name.len)) {
                *out = scope->vars[i].value;
                return true;
            }
    const struct jfunc *f = j_find_global(name);
    *out = f ? (struct jval){.type = J_FUNC, .func = f} : j_undefined(j, name);
    return true;
}

static bool method_of(struct jinja *j, struct jval v, struct str name, struct jval *out) {
    const struct jfunc *f = j_find_method(&v, name);
    if (!f)
        return false;
    struct jmethod *m = j_alloc(j, 1, sizeof *m);
    if (!m)
        return false;
    *m = (struct jmethod){v, f};
    *out = (struct jval){.type = J_METHOD, .method = m};
    return true;
}

static int64_t loop_index(const struct jloop *l) {
    return (int64_t)l->at;
}

static bool loop_attr(struct jinja *j, struct jloop *l, struct str name, struct jval *out) {
    int64_t at = loop_index(l), n = (int64_t)l->items->n;
    const struct {
        const char *name;
        struct jval value;
    } attrs[] = {
        {"index", j_int(at + 1)},
        {"index0", j_int(at)},
        {"revindex", j_int(n - at)},
        {"revindex0", j_int(n - at - 1)},
        {"first", j_bool(at == 0)},
        {"last", j_bool(at == n - 1)},
        {"length", j_int(n)},
        {"depth", j_int(l->depth + 1)},
        {"depth0", j_int(l->depth)},
        {"previtem", at > 0 ? l->items->items[at - 1] : j_undefined(j, name)},
        {"nextitem", at + 1 < n ? l->items->items[at + 1] : j_undefined(j, name)},
    };
    for (size_t i = 0; i < ARRAY_LEN(attrs); i++)
        if (strlen(attrs[i].name) == name.len && !memcmp(attrs[i].name, name.ptr, name.len)) {
            *out = attrs[i].value;
            return true;
        }
    return false;
}

static bool index_value(struct jval v, int64_t i, size_t n, size_t *at) {
    (void)v;
    if (i < 0)
        i += (int64_t)n;
    *at = (size_t)i;
    return i >= 0 && i < (int64_t)n;
}

// v[key]; false without an error where there is nothing.
static bool get_item(struct jinja *j, struct jval v, struct jval key, struct jval *out) {
    int64_t i;
    size_t at;
    if (v.type == J_DICT) {
        const struct jval *found = j_dict_find(j, v.dict, key);
        if (found)
            *out = *found;
        return found != NULL;
    }
    if (!j_as_int(&key, &i))
        return false;
    if ((v.type == J_LIST || v.type == J_TUPLE) && index_value(v, i, v.list->n, &at)) {
        *out = v.list->items[at];
        return true;
    }
    if (v.type == J_STR && index_value(v, i, j_chars(v.s), &at)) {
        size_t from = j_char_offset(v.s, at);
        unsigned n;
        utf8_decode(v.s->ptr + from, v.s->len - from, &n);
        return j_substring(j, v.s, from, from + n, out);
    }
    return false;
}

// getattr(v, name); false without an error where there is nothing.
static bool get_own(struct jinja *j, struct jval v, struct str name, struct jval *out) {
    struct jval *found;
    if (v.type == J_NAMESPACE && (found = j_dict_find_text(v.dict, name.ptr, name.len))) {
        *out = *found;
        return true;
    }
    if (v.type == J_LOOP && loop_attr(j, v.loop, name, out))
        return true;
    if (v.type == J_CYCLER && name.len == 7 && !memcmp(name.ptr, "current", 7)) {
        *out = v.cycler->items->items[v.cycler->at % v.cycler->items->n];
        return true;
    }
    if (v.type == J_MACRO && name.len == 4 && !memcmp(name.ptr, "name", 4))
        return j_string(j, v.macro->name.ptr, v.macro->name.len, J_TEMPLATE, out);
    return method_of(j, v, name, out);
}

// Attributes come before items where a template writes v.key, after them where it writes v[key].
bool j_get_attr(struct jinja *j, struct jval v, struct jval key, bool item_first, struct jval *out) {
    if (v.type == J_UNDEFINED)
        return undefined_error(j, &v);
    struct str name = key.type == J_STR ? (struct str){key.s->ptr, key.s->len} : (struct str){NULL, 0};
    if (item_first && get_item(j, v, key, out))
        return true;
    if (name.ptr && get_own(j, v, name, out))
        return true;
    if (!item_first && get_item(j, v, key, out))
        return true;
    *out = j_undefined(j, name);
    return j->e->class == ERR_NONE;
}

// Where a slice of n items begins and ends, as Python clips it.
static bool slice_bounds(struct jinja *j, const struct jval part[3], int64_t n, int64_t *from, int64_t *to,
                         int64_t *step) {
    int64_t v[3];
    bool given[3];
    for (unsigned i = 0; i < 3; i++) {
        given[i] = part[i].type != J_NONE;
        if (given[i] && !j_as_int(&part[i], &v[i]))
            return j_fail(j, "slice indices must be integers or None");
    }
    *step = given[2] ? v[2] : 1;
    if (*step == 0)
        return j_fail(j, "slice step cannot be zero");
    int64_t low = *step > 0 ? 0 : -1, high = *step > 0 ? n : n - 1;
    int64_t bounds[2] = {*step > 0 ? low : high, *step > 0 ? high : low};
    for (unsigned i = 0; i < 2; i++) {
        if (!given[i])
            continue;
        int64_t x = v[i] < 0 ? v[i] + n : v[i];
        bounds[i] = x < low ? low : x > high ? high : x;
    }
    *from = bounds[0];
    *to = bounds[1];
    if (*step > n + 1 || *step < -n - 1)
        *step = *step > 0 ? n + 1 : -n - 1;
    return true;
}

static bool slice(struct jinja *j, struct jval v, const struct jval part[3], struct jval *out) {
    int64_t n = 0, from = 0, to = 0, step = 1;
    struct jlist *items;
    struct jval joined;
    struct jbuilder b = {0};
    if (v.type == J_UNDEFINED)
        return undefined_error(j, &v);
    if (v.type != J_STR && v.type != J_LIST && v.type != J_TUPLE)
        return j_fail(j, "'%s' object is not subscriptable by a slice", j_type_name(&v));
    if (!j_length(j, v, &n) || !slice_bounds(j, part, n, &from, &to, &step))
        return false;
    if (v.type == J_STR && step == 1)
        return j_substring(j, v.s, j_char_offset(v.s, (size_t)from),
                           j_char_offset(v.s, (size_t)(to > from ? to : from)), out);
    if (!j_iterate(j, v, &items) || !j_list(j, v.type == J_TUPLE ? J_TUPLE : J_LIST, out))
        return false;
    for (int64_t i = from; step > 0 ? i < to : i > to; i += step) {
        const struct jval *item = &items->items[i];
        if (!(v.type == J_STR ? j_add_slice(j, &b, item->s, 0, item->s->len) : j_push(j, out->list, *item)))
            return false;
    }
    if (v.type != J_STR)
        return true;
    if (!j_finish(j, &b, &joined))
        return false;
    *out = joined;
    return true;
}

bool j_contains(struct jinja *j, struct jval item, struct jval in, bool *out) {
    struct jlist *items;
    *out = false;
    if (in.type == J_STR) {
        if (item.type != J_STR)
            return j_fail(j, "'in <string>' requires string as left operand, not %s", j_type_name(&item));
        *out = !item.s->len || memmem(in.s->ptr, in.s->len, item.s->ptr, item.s->len);
        return j_burn(j, in.s->len / 64);
    }
    if (in.type == J_DICT) {
        *out = j_dict_find(j, in.dict, item) != NULL;
        return true;
    }
    if (!j_iterate(j, in, &items))
        return false;
    for (size_t i = 0; i < items->n && !*out; i++)
        *out = j_equal(j, &items->items[i], &item);
    return true;
}

static bool repeat(struct jinja *j, struct jval v, int64_t times, struct jval *out) {
    struct jbuilder b = {0};
    if (v.type != J_STR && !j_list(j, v.type, out))
        return false;
    size_t n = v.type == J_STR ? v.s->len : v.list->n;
    for (int64_t i = 0; i < times && n; i++) {
        if (v.type == J_STR && !j_add_slice(j, &b, v.s, 0, n))
            return false;
        for (size_t k = 0; v.type != J_STR && k < n; k++)
            if (!j_push(j, out->list, v.list->items[k]))
                return false;
        if (!j_burn(j, 1))
            return false;
    }
    return v.type != J_STR || j_finish(j, &b, out);
}

static bool concatenate(struct jinja *j, struct jval a, struct jval b, struct jval *out) {
    struct jbuilder text = {0};
    if (a.type == J_STR)
        return j_add_slice(j, &text, a.s, 0, a.s->len) && j_add_slice(j, &text, b.s, 0, b.s->len) &&
               j_finish(j, &text, out);
    if (!j_list(j, a.type, out))
        return false;
    for (size_t i = 0; i < a.list->n; i++)
        if (!j_push(j, out->list, a.list->items[i]))
            return false;
    for (size_t i = 0, n = b.list->n; i < n; i++)
        if (!j_push(j, out->list, b.list->items[i]))
            return false;
    return true;
}

static bool int_power(struct jinja *j, int64_t base, int64_t exponent, struct jval *out) {
    int64_t result = 1;
    if (exponent < 0) {
        *out = j_float(pow((double)base, (double)exponent));
        return base != 0 || j_fail(j, "0.0 cannot be raised to a negative power");
    }
    for (; exponent; exponent >>= 1) {
        if (exponent & 1 && __builtin_mul_overflow(result, base, &result))
            return j_fail(j, "integers have 64 bits here");
        if (exponent > 1 && __builtin_mul_overflow(base, base, &base))
            return j_fail(j, "integers have 64 bits here");
    }
    *out = j_int(result);
    return true;
}

static bool int_binary(struct jinja *j, enum jop op, int64_t a, int64_t b, struct jval *out) {
    int64_t r = 0;
    bool overflow = false;
    if ((op == OP_DIV || op == OP_FLOORDIV || op == OP_MOD) && b == 0)
        return j_fail(j, "division by zero");
    switch (op) {
    case OP_ADD:
        overflow = __builtin_add_overflow(a, b, &r);
        break;
    case OP_SUB:
        overflow = __builtin_sub_overflow(a, b, &r);
        break;
    case OP_MUL:
        overflow = __builtin_mul_overflow(a, b, &r);
        break;
    case OP_DIV:
        *out = j_float((double)a / (double)b);
        return true;
    case OP_POW:
        return int_power(j, a, b, out);
    default:
        if (b == -1) { // the one division that can overflow
            overflow = __builtin_sub_overflow((int64_t)0, a, &r);
            r = op == OP_MOD ? 0 : r;
            break;
        }
        r = a % b;
        r += r && (r ^ b) < 0 ? b : 0;
        r = op == OP_MOD ? r : (a - r) / b;
    }
    *out = j_int(r);
    return !overflow || j_fail(j, "integers have 64 bits here");
}

static bool float_binary(struct jinja *j, enum jop op, double a, double b, struct jval *out) {
    double r = 0;
    if ((op == OP_DIV || op == OP_FLOORDIV || op == OP_MOD) && b == 0)
        return j_fail(j, "float division by zero");
    switch (op) {
    case OP_ADD:
        r = a + b;
        break;
    case OP_SUB:
        r = a - b;
        break;
    case OP_MUL:
        r = a * b;
        break;
    case OP_DIV:
        r = a / b;
        break;
    case OP_POW:
        r = pow(a, b);
        break;
    default:
        r = fmod(a, b);
        r += r != 0 && (r < 0) != (b < 0) ? b : 0;
        r = op == OP_MOD ? r : floor((a - r) / b + 0.5);
    }
    *out = j_float(r);
    return true;
}

static const char *const op_names[] = {
    [OP_ADD] = "+",       [OP_SUB] = "-", [OP_MUL] = "*",           [OP_DIV] = "/",
    [OP_FLOORDIV] = "//", [OP_MOD] = "%", [OP_POW] = "** or pow()", [OP_CONCAT] = "~",
};

static bool sequence_binary(struct jinja *j, enum jop op, struct jval a, struct jval b, bool *is, struct jval *out) {
    int64_t times;
    bool a_sequence = a.type == J_STR || a.type == J_LIST || a.type == J_TUPLE;
    bool b_sequence = b.type == J_STR || b.type == J_LIST || b.type == J_TUPLE;
    *is = true;
    if (op == OP_ADD && a_sequence && a.type == b.type)
        return concatenate(j, a, b, out);
    if (op == OP_MUL && a_sequence && j_as_int(&b, &times))
        return repeat(j, a, times, out);
    if (op == OP_MUL && b_sequence && j_as_int(&a, &times))
        return repeat(j, b, times, out);
    if (op == OP_MOD && a.type == J_STR) {
        struct jargs args = {.values = &b, .n = 1};
        if (b.type == J_TUPLE)
            args = (struct jargs){.values = b.list->items, .n = b.list->n};
        struct str name = {"format", 6};
        return j_filter(j, name, a, &args, out);
    }
    *is = false;
    return true;
}

bool j_binary(struct jinja *j, enum jop op, struct jval a, struct jval b, struct jval *out) {
    int64_t x, y;
    bool sequence;
    if (op == OP_CONCAT) {
        struct jbuilder text = {0};
        return j_add_str(j, &text, &a) && j_add_str(j, &text, &b) && j_finish(j, &text, out);
    }
    if (a.type == J_UNDEFINED || b.type == J_UNDEFINED)
        return undefined_error(j, a.type == J_UNDEFINED ? &a : &b);
    if (j_as_int(&a, &x) && j_as_int(&b, &y))
        return int_binary(j, op, x, y, out);
    if (j_is_number(&a) && j_is_number(&b))
        return float_binary(j, op, j_number(&a), j_number(&b), out);
    if (!sequence_binary(j, op, a, b, &sequence, out) || sequence)
        return sequence && j->e->class == ERR_NONE;
    return j_fail(j, "unsupported operand type(s) for %s: '%s' and '%s'", op_names[op], j_type_name(&a),
                  j_type_name(&b));
}

static bool holds(struct jinja *j, enum jop op, struct jval a, struct jval b, bool *out) {
    int order = 0;
    if (op == OP_EQ || op == OP_NE) {
        *out = j_equal(j, &a, &b) == (op == OP_EQ);
        return true;
    }
    if (op == OP_IN || op == OP_NOT_IN) {
        if (!j_contains(j, a, b, out))
            return false;
        *out ^= op == OP_NOT_IN;
        return true;
    }
    if (a.type == J_UNDEFINED || b.type == J_UNDEFINED)
        return undefined_error(j, a.type == J_UNDEFINED ? &a : &b);
    if (!j_compare(j, &a, &b, &order))
        return false;
    *out = op == OP_LT ? order < 0 : op == OP_LE ? order <= 0 : op == OP_GT ? order > 0 : order >= 0;
    return true;
}

// a < b < c: each operand is evaluated once, and the first comparison that fails ends it.
static bool eval_compare(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    struct jval left, right;
    bool result = true;
    if (!j_eval(j, scope, n->a, &left))
        return false;
    for (size_t i = 0; i < n->n_kids && result; i++) {
        if (!j_eval(j, scope, n->kids[i]->a, &right) || !holds(j, n->kids[i]->op, left, right, &result))
            return false;
        left = right;
    }
    *out = j_bool(result);
    return true;
}

static bool push_arg(struct jinja *j, struct jargs *args, size_t *cap, struct jval v) {
    struct jlist list = {args->values, args->n, *cap};
    if (!j_push(j, &list, v))
        return false;
    args->values = list.items;
    args->n = list.n;
    *cap = list.cap;
    return true;
}

static bool push_named(struct jinja *j, struct jdict *named, struct jval key, struct jval v) {
    if (key.type != J_STR)
        return j_fail(j, "keywords must be strings");
    return j_dict_set(j, named, key, v);
}

static bool eval_arg(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jargs *args, size_t *cap,
                     struct jdict *named) {
    struct jval v, key;
    struct jlist *items;
    bool marked = n->kind == N_KEYWORD || n->kind == N_STAR || n->kind == N_STARSTAR;
    if (!j_eval(j, scope, marked ? n->a : n, &v))
        return false;
    if (n->kind == N_KEYWORD)
        return j_string(j, n->name.ptr, n->name.len, J_TEMPLATE, &key) && push_named(j, named, key, v);
    if (n->kind == N_STARSTAR) {
        if (v.type != J_DICT)
            return j_fail(j, "the argument after ** must be a mapping");
        for (size_t i = 0; i < v.dict->n; i++)
            if (!push_named(j, named, v.dict->pairs[i].key, v.dict->pairs[i].value))
                return false;
        return true;
    }
    if (n->kind != N_STAR)
        return push_arg(j, args, cap, v);
    if (!j_iterate(j, v, &items))
        return false;
    for (size_t i = 0; i < items->n; i++)
        if (!push_arg(j, args, cap, items->items[i]))
            return false;
    return true;
}

bool j_eval_args(struct jinja *j, struct jscope *scope, const struct jnode *call, struct jargs *args) {
    struct jdict named = {0};
    size_t cap = 0;
    *args = (struct jargs){0};
    for (size_t i = 0; i < call->n_kids; i++)
        if (!eval_arg(j, scope, call->kids[i], args, &cap, &named))
            return false;
    args->named = named.pairs;
    args->n_named = named.n;
    return true;
}

static bool check_args(struct jinja *j, const struct jfunc *f, const struct jargs *args) {
    if (args->n > f->max)
        return j_fail(j, "%s() takes at most %u arguments", f->name, f->max);
    for (size_t i = args->n; i < f->min; i++)
        if (!j_arg(f, args, i))
            return j_fail(j, "%s() misses an argument", f->name);
    return true;
}

bool j_call(struct jinja *j, struct jval callee, const struct jargs *args, struct jval *out) {
    struct jlist *items;
    switch (callee.type) {
    case J_MACRO:
        return j_call_macro(j, callee.macro, args, out);
    case J_FUNC:
        return check_args(j, callee.func, args) && callee.func->call(j, callee, args, out);
    case J_METHOD:
        return check_args(j, callee.method->func, args) && callee.method->func->call(j, callee.method->self, args, out);
    case J_LOOP:
        return args->n == 1 ? j_call_loop(j, callee.loop, args->values[0], out) : j_fail(j, "loop() takes 1 argument");
    case J_JOINER:
        items = callee.cycler->items;
        if (callee.cycler->at++)
            *out = items->items[0];
        return callee.cycler->at > 1 || j_string(j, "", 0, J_DATA, out);
    case J_UNDEFINED:
        return undefined_error(j, &callee);
    default:
        return j_fail(j, "'%s' object is not callable", j_type_name(&callee));
    }
}

static const struct jfunc *find_or_fail(struct jinja *j, struct str name) {
    const struct jfunc *f = j_find_filter(name);
    if (!f)
        j_fail(j, "no filter named '%.*s'", (int)min_size(name.len, 60), name.ptr);
    return f;
}

bool j_filter(struct jinja *j, struct str name, struct jval self, const struct jargs *args, struct jval *out) {
    const struct jfunc *f = find_or_fail(j, name);
    struct jmethod bound = {self, f};
    return f && check_args(j, f, args) && f->call(j, (struct jval){.type = J_METHOD, .method = &bound}, args, out);
}

static bool eval_filter(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    struct jval self;
    struct jargs args;
    return j_eval(j, scope, n->a, &self) && j_eval_args(j, scope, n, &args) && j_filter(j, n->name, self, &args, out);
}

static bool eval_test(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    struct jval self;
    struct jargs args;
    bool result;
    if (!j_eval(j, scope, n->a, &self) || !j_eval_args(j, scope, n, &args) || !j_test(j, n->name, self, &args, &result))
        return false;
    *out = j_bool(result != n->flag);
    return true;
}

static bool eval_list(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    if (!j_list(j, n->kind == N_TUPLE ? J_TUPLE : J_LIST, out))
        return false;
    for (size_t i = 0; i < n->n_kids; i++) {
        struct jval item;
        if (!j_eval(j, scope, n->kids[i], &item) || !j_push(j, out->list, item))
            return false;
    }
    return true;
}

static bool eval_dict(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    if (!j_dict(j, J_DICT, out))
        return false;
    for (size_t i = 0; i + 1 < n->n_kids; i += 2) {
        struct jval key, value;
        if (!j_eval(j, scope, n->kids[i], &key) || !j_eval(j, scope, n->kids[i + 1], &value) ||
            !j_dict_set(j, out->dict, key, value))
            return false;
    }
    return true;
}

static bool eval_slice(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    struct jval base, part[3] = {j_none(), j_none(), j_none()};
    if (!j_eval(j, scope, n->a, &base))
        return false;
    for (unsigned i = 0; i < 3; i++)
        if (n->kids[i] && !j_eval(j, scope, n->kids[i], &part[i]))
            return false;
    return slice(j, base, part, out);
}

static bool eval_attr(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    struct jval base, key;
    struct jstr name = {n->name.ptr, n->name.len, J_TEMPLATE, NULL, SIZE_MAX};
    if (!j_eval(j, scope, n->a, &base))
        return false;
    key = (struct jval){.type = J_STR, .s = &name};
    return n->kind == N_ATTR ? j_get_attr(j, base, key, false, out)
                             : j_eval(j, scope, n->b, &key) && j_get_attr(j, base, key, true, out);
}

static bool eval_call(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    struct jval callee;
    struct jargs args;
    return j_eval(j, scope, n->a, &callee) && j_eval_args(j, scope, n, &args) && j_call(j, callee, &args, out);
}

static bool eval_logic(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    if (!j_eval(j, scope, n->a, out))
        return false;
    bool truth = j_truth(out);
    if (n->kind == N_NOT)
        *out = j_bool(!truth);
    else if (n->kind == N_IF && !truth && !n->c)
        *out = j_undefined(j, (struct str){NULL, 0});
    else if (n->kind == N_IF)
        return j_eval(j, scope, truth ? n->b : n->c, out);
    else if (truth == (n->kind == N_AND))
        return j_eval(j, scope, n->b, out);
    return true;
}

static bool eval_sign(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    struct jval v;
    if (!j_eval(j, scope, n->a, &v))
        return false;
    if (v.type == J_FLOAT) {
        *out = j_float(n->kind == N_NEG ? -v.f : v.f);
        return true;
    }
    return j_binary(j, n->kind == N_NEG ? OP_SUB : OP_ADD, j_int(0), v, out);
}

static bool eval_binary(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    struct jval a, b;
    return j_eval(j, scope, n->a, &a) && j_eval(j, scope, n->b, &b) && j_binary(j, n->op, a, b, out);
}

static bool eval_const(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    (void)j;
    (void)scope;
    *out = n->value;
    return true;
}

static bool eval_name(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    return find_name(j, scope, n->name, out);
}

typedef bool eval_fn(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out);

static eval_fn *const evaluators[] = {
    [N_CONST] = eval_const, [N_NAME] = eval_name,     [N_LIST] = eval_list,       [N_TUPLE] = eval_list,
    [N_DICT] = eval_dict,   [N_ATTR] = eval_attr,     [N_ITEM] = eval_attr,       [N_SLICE] = eval_slice,
    [N_CALL] = eval_call,   [N_FILTER] = eval_filter, [N_TEST] = eval_test,       [N_IF] = eval_logic,
    [N_AND] = eval_logic,   [N_OR] = eval_logic,      [N_NOT] = eval_logic,       [N_NEG] = eval_sign,
    [N_POS] = eval_sign,    [N_BINARY] = eval_binary, [N_COMPARE] = eval_compare,
};

bool j_eval(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out) {
    if (!j_burn(j, 1))
        return false;
    if (j->depth >= JINJA_MAX_DEPTH)
        return j_fail(j, "calls are nested too deeply");
    uint32_t line = j->line;
    j->line = n->line;
    j->depth++;
    bool ok = evaluators[n->kind](j, scope, n, out);
    j->depth--;
    if (ok)
        j->line = line;
    return ok;
}
