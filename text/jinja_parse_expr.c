// SPDX-License-Identifier: MIT
// Expressions of templates, by precedence from the loosest to the tightest. The nesting of the source is bounded, so
// the parser's own recursion is.
#include "text/jinja_impl.h"

bool j_parse_error(struct jparser *p, const char *what) {
    p->j->line = p->x.token_line;
    return j_fail(p->j, "%s", what);
}

struct jnode *j_node(struct jparser *p, enum jkind kind) {
    struct jnode *n = j_alloc(p->j, 1, sizeof *n);
    if (n) {
        n->kind = kind;
        n->line = p->x.token_line;
    }
    return n;
}

bool j_add_kid(struct jparser *p, struct jnode *n, struct jnode *kid) {
    if (n->n_kids == n->cap_kids) {
        size_t cap = n->cap_kids ? 2 * n->cap_kids : 4;
        struct jnode **kids = j_alloc(p->j, cap, sizeof(struct jnode *));
        if (!kids)
            return false;
        if (n->n_kids)
            memcpy(kids, n->kids, n->n_kids * sizeof *kids);
        n->kids = kids;
        n->cap_kids = cap;
    }
    n->kids[n->n_kids++] = kid;
    return true;
}

bool j_advance(struct jparser *p) {
    return j_lex_next(&p->x);
}

bool j_token_is(const struct jparser *p, enum jtoken type, const char *text) {
    return p->x.type == type &&
           (!text || (p->x.text.len == strlen(text) && !memcmp(p->x.text.ptr, text, strlen(text))));
}

bool j_take(struct jparser *p, enum jtoken type, const char *text, bool *taken) {
    *taken = j_token_is(p, type, text);
    return !*taken || j_advance(p);
}

bool j_expect(struct jparser *p, enum jtoken type, const char *text) {
    bool taken;
    if (!j_take(p, type, text, &taken))
        return false;
    if (taken)
        return true;
    p->j->line = p->x.token_line;
    return j_fail(p->j, "expected '%s'", text ? text : type == T_NAME ? "a name" : "the end of the tag");
}

static bool binary(struct jparser *p, enum jkind kind, enum jop op, struct jnode *a, struct jnode *b,
                   struct jnode **out) {
    struct jnode *n = j_node(p, kind);
    if (!n)
        return false;
    n->op = op;
    n->a = a;
    n->b = b;
    *out = n;
    return true;
}

struct level {
    const char *text;
    enum jop op;
};

typedef bool parse_fn(struct jparser *p, struct jnode **out);

// Operands of `next` joined by the operators of a level, from left to right.
static bool parse_level(struct jparser *p, const struct level *ops, size_t n_ops, parse_fn *next, struct jnode **out) {
    if (!next(p, out))
        return false;
    for (size_t i = 0; i < n_ops;) {
        bool taken;
        struct jnode *right;
        if (!j_take(p, T_OP, ops[i].text, &taken))
            return false;
        if (!taken) {
            i++;
            continue;
        }
        if (!next(p, &right) || !binary(p, N_BINARY, ops[i].op, *out, right, out))
            return false;
        i = 0;
    }
    return true;
}

static bool parse_unary(struct jparser *p, bool filters, struct jnode **out);

static bool parse_filtered_unary(struct jparser *p, struct jnode **out) {
    return parse_unary(p, true, out);
}

static bool parse_pow(struct jparser *p, struct jnode **out) {
    static const struct level ops[] = {{"**", OP_POW}};
    return parse_level(p, ops, ARRAY_LEN(ops), parse_filtered_unary, out);
}

static bool parse_product(struct jparser *p, struct jnode **out) {
    static const struct level ops[] = {{"*", OP_MUL}, {"/", OP_DIV}, {"//", OP_FLOORDIV}, {"%", OP_MOD}};
    return parse_level(p, ops, ARRAY_LEN(ops), parse_pow, out);
}

static bool parse_concat(struct jparser *p, struct jnode **out) {
    static const struct level ops[] = {{"~", OP_CONCAT}};
    return parse_level(p, ops, ARRAY_LEN(ops), parse_product, out);
}

static bool parse_sum(struct jparser *p, struct jnode **out) {
    static const struct level ops[] = {{"+", OP_ADD}, {"-", OP_SUB}};
    return parse_level(p, ops, ARRAY_LEN(ops), parse_concat, out);
}

// The comparison operator at the token, if there is one, taken.
static bool take_comparison(struct jparser *p, enum jop *op, bool *taken) {
    static const struct level ops[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT},
                                       {"<=", OP_LE}, {">", OP_GT},  {">=", OP_GE}};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (j_token_is(p, T_OP, ops[i].text)) {
            *op = ops[i].op;
            return j_take(p, T_OP, ops[i].text, taken);
        }
    *op = OP_IN;
    if (!j_take(p, T_NAME, "in", taken) || *taken)
        return *taken;
    if (!j_token_is(p, T_NAME, "not"))
        return true;
    struct jlexer before = p->x;
    if (!j_advance(p))
        return false;
    *op = OP_NOT_IN;
    if (!j_take(p, T_NAME, "in", taken))
        return false;
    if (!*taken)
        p->x = before;
    return true;
}

static bool parse_compare(struct jparser *p, struct jnode **out) {
    struct jnode *n = NULL, *right, *operand;
    enum jop op;
    bool taken;
    if (!parse_sum(p, out))
        return false;
    for (;;) {
        if (!take_comparison(p, &op, &taken))
            return false;
        if (!taken)
            return true;
        if (!n) {
            if (!(n = j_node(p, N_COMPARE)))
                return false;
            n->a = *out;
            *out = n;
        }
        if (!parse_sum(p, &right) || !binary(p, N_COMPARE, op, right, NULL, &operand) || !j_add_kid(p, n, operand))
            return false;
    }
}

static bool parse_not(struct jparser *p, struct jnode **out) {
    bool negative = false, any = false, taken;
    do {
        if (!j_take(p, T_NAME, "not", &taken))
            return false;
        negative ^= taken;
        any |= taken;
    } while (taken);
    if (!parse_compare(p, out))
        return false;
    if (!any)
        return true;
    if (!negative && !binary(p, N_NOT, OP_EQ, *out, NULL, out))
        return false;
    return binary(p, N_NOT, OP_EQ, *out, NULL, out);
}

static bool parse_words(struct jparser *p, const char *word, enum jkind kind, parse_fn *next, struct jnode **out) {
    bool taken;
    struct jnode *right;
    if (!next(p, out))
        return false;
    for (;;) {
        if (!j_take(p, T_NAME, word, &taken))
            return false;
        if (!taken)
            return true;
        if (!next(p, &right) || !binary(p, kind, OP_EQ, *out, right, out))
            return false;
    }
}

static bool parse_and(struct jparser *p, struct jnode **out) {
    return parse_words(p, "and", N_AND, parse_not, out);
}

bool j_parse_or(struct jparser *p, struct jnode **out) {
    return parse_words(p, "or", N_OR, parse_and, out);
}

static bool parse_conditional(struct jparser *p, struct jnode **out) {
    bool taken;
    if (!j_parse_or(p, out))
        return false;
    for (;;) {
        if (!j_take(p, T_NAME, "if", &taken))
            return false;
        if (!taken)
            return true;
        struct jnode *n = j_node(p, N_IF);
        if (!n || !j_parse_or(p, &n->a) || !j_take(p, T_NAME, "else", &taken))
            return false;
        n->b = *out;
        *out = n;
        if (taken)
            return j_parse_expr(p, &n->c);
    }
}

bool j_parse_expr(struct jparser *p, struct jnode **out) {
    if (++p->depth > JINJA_MAX_NESTING)
        return j_parse_error(p, "expressions are nested too deeply");
    bool ok = parse_conditional(p, out);
    p->depth--;
    return ok;
}

bool j_parse_tuple(struct jparser *p, bool with_if, struct jnode **out) {
    parse_fn *next = with_if ? j_parse_expr : j_parse_or;
    bool comma;
    if (!next(p, out) || !j_take(p, T_OP, ",", &comma))
        return false;
    if (!comma)
        return true;
    struct jnode *tuple = j_node(p, N_TUPLE);
    if (!tuple || !j_add_kid(p, tuple, *out))
        return false;
    while (comma) {
        bool end = p->x.type == T_CLOSE_BLOCK || p->x.type == T_CLOSE_VAR || j_token_is(p, T_OP, ")") ||
                   j_token_is(p, T_OP, "]") || j_token_is(p, T_OP, "=") || j_token_is(p, T_NAME, "in");
        if (end)
            break;
        if (!next(p, out) || !j_add_kid(p, tuple, *out) || !j_take(p, T_OP, ",", &comma))
            return false;
    }
    *out = tuple;
    return true;
}

static bool constant(struct jparser *p, struct jval v, struct jnode **out) {
    *out = j_node(p, N_CONST);
    if (!*out)
        return false;
    (*out)->value = v;
    return j_advance(p);
}

static bool parse_name(struct jparser *p, struct jnode **out) {
    struct jval v = {.type = J_STR};
    if (j_token_is(p, T_NAME, "true") || j_token_is(p, T_NAME, "True"))
        v = j_bool(true);
    else if (j_token_is(p, T_NAME, "false") || j_token_is(p, T_NAME, "False"))
        v = j_bool(false);
    else if (j_token_is(p, T_NAME, "none") || j_token_is(p, T_NAME, "None"))
        v = j_none();
    if (v.type != J_STR)
        return constant(p, v, out);
    static const char *const asked[] = {"varargs", "kwargs", "caller"}; // in the order of enum juses
    for (size_t i = 0; i < ARRAY_LEN(asked); i++)
        p->uses |= j_token_is(p, T_NAME, asked[i]) ? 1u << i : 0;
    *out = j_node(p, N_NAME);
    if (!*out)
        return false;
    (*out)->name = p->x.text;
    return j_advance(p);
}

// Strings that stand side by side are one.
static bool parse_strings(struct jparser *p, struct jnode **out) {
    if (!constant(p, p->x.value, out))
        return false;
    while (p->x.type == T_STR) {
        struct jbuilder b = {0};
        const struct jstr *s = (*out)->value.s, *more = p->x.value.s;
        if (!j_add_slice(p->j, &b, s, 0, s->len) || !j_add_slice(p->j, &b, more, 0, more->len) ||
            !j_finish(p->j, &b, &(*out)->value) || !j_advance(p))
            return false;
    }
    return true;
}

static bool parse_parentheses(struct jparser *p, struct jnode **out) {
    bool empty;
    if (!j_advance(p) || !j_take(p, T_OP, ")", &empty))
        return false;
    if (empty)
        return (*out = j_node(p, N_TUPLE)) != NULL;
    return j_parse_tuple(p, true, out) && j_expect(p, T_OP, ")");
}

static bool parse_list(struct jparser *p, struct jnode **out) {
    struct jnode *list = *out = j_node(p, N_LIST), *item;
    bool end, comma = true;
    if (!list || !j_advance(p))
        return false;
    for (;;) {
        if (!j_take(p, T_OP, "]", &end) || end)
            return end;
        if (!comma)
            return j_parse_error(p, "expected ',' or ']'");
        if (!j_parse_expr(p, &item) || !j_add_kid(p, list, item) || !j_take(p, T_OP, ",", &comma))
            return false;
    }
}

static bool parse_dict(struct jparser *p, struct jnode **out) {
    struct jnode *dict = *out = j_node(p, N_DICT), *item;
    bool end, comma = true;
    if (!dict || !j_advance(p))
        return false;
    for (;;) {
        if (!j_take(p, T_OP, "}", &end) || end)
            return end;
        if (!comma)
            return j_parse_error(p, "expected ',' or '}'");
        if (!j_parse_expr(p, &item) || !j_add_kid(p, dict, item) || !j_expect(p, T_OP, ":") ||
            !j_parse_expr(p, &item) || !j_add_kid(p, dict, item) || !j_take(p, T_OP, ",", &comma))
            return false;
    }
}

bool j_parse_primary(struct jparser *p, struct jnode **out) {
    switch (p->x.type) {
    case T_NAME:
        return parse_name(p, out);
    case T_STR:
        return parse_strings(p, out);
    case T_INT:
    case T_FLOAT:
        return constant(p, p->x.value, out);
    default:
        break;
    }
    if (j_token_is(p, T_OP, "("))
        return parse_parentheses(p, out);
    if (j_token_is(p, T_OP, "["))
        return parse_list(p, out);
    if (j_token_is(p, T_OP, "{"))
        return parse_dict(p, out);
    return j_parse_error(p, "expected an expression");
}

static bool parse_one_arg(struct jparser *p, struct jnode *call) {
    struct jnode *arg = NULL;
    bool star, starstar, assign = false;
    if (!j_take(p, T_OP, "**", &starstar) || !j_take(p, T_OP, "*", &star))
        return false;
    struct jlexer before = p->x;
    if (p->x.type == T_NAME && !star && !starstar) {
        if (!j_advance(p) || !j_take(p, T_OP, "=", &assign))
            return false;
        if (!assign)
            p->x = before;
    }
    if (star || starstar || assign) {
        arg = j_node(p, star ? N_STAR : starstar ? N_STARSTAR : N_KEYWORD);
        if (!arg)
            return false;
        arg->name = before.text;
        return j_parse_expr(p, &arg->a) && j_add_kid(p, call, arg);
    }
    return j_parse_expr(p, &arg) && j_add_kid(p, call, arg);
}

bool j_parse_args(struct jparser *p, struct jnode *call) {
    bool end, comma = true;
    if (!j_expect(p, T_OP, "("))
        return false;
    for (;;) {
        if (!j_take(p, T_OP, ")", &end) || end)
            return end;
        if (!comma)
            return j_parse_error(p, "expected ',' or ')'");
        if (!parse_one_arg(p, call) || !j_take(p, T_OP, ",", &comma))
            return false;
    }
}

// One subscript: an expression or a slice.
static bool parse_subscript(struct jparser *p, struct jnode *base, struct jnode **out) {
    struct jnode *parts[3] = {NULL, NULL, NULL}, *n;
    unsigned at = 0;
    while (!j_token_is(p, T_OP, "]") && !j_token_is(p, T_OP, ",")) {
        bool colon;
        if (!j_take(p, T_OP, ":", &colon))
            return false;
        if (colon && ++at > 2)
            return j_parse_error(p, "a slice has three parts at most");
        if (!colon && !parts[at]) {
            if (!j_parse_expr(p, &parts[at]))
                return false;
        } else if (!colon) {
            return j_parse_error(p, "expected ']'");
        }
    }
    n = *out = j_node(p, at ? N_SLICE : N_ITEM);
    if (!n)
        return false;
    n->a = base;
    n->b = parts[0];
    for (unsigned i = 0; at && i < 3; i++)
        if (!j_add_kid(p, n, parts[i]))
            return false;
    return at || parts[0] || j_parse_error(p, "expected a subscript");
}

static bool parse_attribute(struct jparser *p, struct jnode *base, struct jnode **out) {
    struct jnode *n = *out = j_node(p, N_ATTR);
    if (!n)
        return false;
    n->a = base;
    if (p->x.type == T_INT) {
        n->kind = N_ITEM;
        return constant(p, p->x.value, &n->b);
    }
    n->name = p->x.text;
    return j_expect(p, T_NAME, NULL);
}

static bool parse_postfix(struct jparser *p, struct jnode **out) {
    for (;;) {
        bool dot, bracket;
        if (!j_take(p, T_OP, ".", &dot) || (dot && !parse_attribute(p, *out, out)))
            return false;
        if (dot)
            continue;
        if (j_token_is(p, T_OP, "(")) {
            struct jnode *call = j_node(p, N_CALL);
            if (!call || !j_parse_args(p, call))
                return false;
            call->a = *out;
            *out = call;
            continue;
        }
        if (!j_take(p, T_OP, "[", &bracket))
            return false;
        if (!bracket)
            return true;
        if (!parse_subscript(p, *out, out) || !j_expect(p, T_OP, "]"))
            return false;
    }
}

bool j_parse_unary_postfix(struct jparser *p, struct jnode **out) {
    return j_parse_primary(p, out) && parse_postfix(p, out);
}

static bool parse_filter(struct jparser *p, struct jnode *base, struct jnode **out) {
    struct jnode *n = *out = j_node(p, N_FILTER);
    if (!n)
        return false;
    n->a = base;
    n->name = p->x.text;
    return j_expect(p, T_NAME, NULL) && (!j_token_is(p, T_OP, "(") || j_parse_args(p, n));
}

// A test's argument may stand without parentheses: `is divisibleby 3`.
static bool parse_bare_argument(struct jparser *p, struct jnode *test) {
    bool starts = p->x.type == T_STR || p->x.type == T_INT || p->x.type == T_FLOAT || p->x.type == T_NAME ||
                  j_token_is(p, T_OP, "[") || j_token_is(p, T_OP, "{");
    static const char *const others[] = {"else", "or", "and", "if", "not", "in", "is", "recursive"};
    for (size_t i = 0; i < ARRAY_LEN(others) && starts; i++)
        starts = !j_token_is(p, T_NAME, others[i]);
    struct jnode *arg;
    return !starts || (j_parse_unary_postfix(p, &arg) && j_add_kid(p, test, arg));
}

static bool parse_test(struct jparser *p, struct jnode *base, struct jnode **out) {
    struct jnode *n = *out = j_node(p, N_TEST);
    if (!n || !j_take(p, T_NAME, "not", &n->flag))
        return false;
    n->a = base;
    n->name = p->x.text;
    if (!j_expect(p, T_NAME, NULL))
        return false;
    return j_token_is(p, T_OP, "(") ? j_parse_args(p, n) : parse_bare_argument(p, n);
}

bool j_parse_filters(struct jparser *p, struct jnode *base, bool first_named, struct jnode **out) {
    *out = base;
    if (first_named && !parse_filter(p, base, out))
        return false;
    for (;;) {
        bool bar, is = false;
        if (!j_take(p, T_OP, "|", &bar) || (bar && !parse_filter(p, *out, out)))
            return false;
        if (!bar && (!j_take(p, T_NAME, "is", &is) || (is && !parse_test(p, *out, out))))
            return false;
        if (!bar && !is && *out != base && j_token_is(p, T_OP, "(")) {
            struct jnode *call = j_node(p, N_CALL);
            if (!call || !j_parse_args(p, call))
                return false;
            call->a = *out;
            *out = call;
        } else if (!bar && !is) {
            return true;
        }
    }
}

static bool parse_unary(struct jparser *p, bool filters, struct jnode **out) {
    bool minus, plus = false;
    struct jnode *inner;
    if (++p->depth > JINJA_MAX_NESTING)
        return j_parse_error(p, "expressions are nested too deeply");
    if (!j_take(p, T_OP, "-", &minus) || (!minus && !j_take(p, T_OP, "+", &plus)))
        return false;
    bool ok = minus || plus
                  ? parse_unary(p, false, &inner) && binary(p, minus ? N_NEG : N_POS, OP_EQ, inner, NULL, &inner)
                  : j_parse_primary(p, &inner);
    ok = ok && parse_postfix(p, &inner);
    p->depth--;
    *out = inner;
    return ok && (!filters || j_parse_filters(p, inner, false, out));
}
