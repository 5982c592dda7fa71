// SPDX-License-Identifier: MIT
// Jinja's tests: what may stand behind `is`.
#include "text/jinja_impl.h"

#include "text/jinja_str.h"

enum what {
    IS_DEFINED,
    IS_UNDEFINED,
    IS_NONE,
    IS_BOOLEAN,
    IS_TRUE,
    IS_FALSE,
    IS_INTEGER,
    IS_FLOAT,
    IS_NUMBER,
    IS_STRING,
    IS_MAPPING,
    IS_SEQUENCE,
    IS_ITERABLE,
    IS_CALLABLE,
    IS_ODD,
    IS_EVEN,
    IS_DIVISIBLE,
    IS_LOWER,
    IS_UPPER,
    IS_SAMEAS,
    IS_IN,
    IS_FILTER,
    IS_TEST,
    IS_ESCAPED,
    IS_COMPARED,
};

static const struct row {
    const char *name;
    enum what what;
    enum jop op; // IS_COMPARED
} rows[] = {
    {"defined", IS_DEFINED, 0},
    {"undefined", IS_UNDEFINED, 0},
    {"none", IS_NONE, 0},
    {"boolean", IS_BOOLEAN, 0},
    {"true", IS_TRUE, 0},
    {"false", IS_FALSE, 0},
    {"integer", IS_INTEGER, 0},
    {"float", IS_FLOAT, 0},
    {"number", IS_NUMBER, 0},
    {"string", IS_STRING, 0},
    {"mapping", IS_MAPPING, 0},
    {"sequence", IS_SEQUENCE, 0},
    {"iterable", IS_ITERABLE, 0},
    {"callable", IS_CALLABLE, 0},
    {"odd", IS_ODD, 0},
    {"even", IS_EVEN, 0},
    {"divisibleby", IS_DIVISIBLE, 0},
    {"lower", IS_LOWER, 0},
    {"upper", IS_UPPER, 0},
    {"sameas", IS_SAMEAS, 0},
    {"in", IS_IN, 0},
    {"filter", IS_FILTER, 0},
    {"test", IS_TEST, 0},
    {"escaped", IS_ESCAPED, 0},
    {"eq", IS_COMPARED, OP_EQ},
    {"equalto", IS_COMPARED, OP_EQ},
    {"==", IS_COMPARED, OP_EQ},
    {"ne", IS_COMPARED, OP_NE},
    {"!=", IS_COMPARED, OP_NE},
    {"lt", IS_COMPARED, OP_LT},
    {"lessthan", IS_COMPARED, OP_LT},
    {"<", IS_COMPARED, OP_LT},
    {"le", IS_COMPARED, OP_LE},
    {"<=", IS_COMPARED, OP_LE},
    {"gt", IS_COMPARED, OP_GT},
    {"greaterthan", IS_COMPARED, OP_GT},
    {">", IS_COMPARED, OP_GT},
    {"ge", IS_COMPARED, OP_GE},
    {">=", IS_COMPARED, OP_GE},
};

static const struct row *find_row(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strlen(rows[i].name) == name.len && !memcmp(rows[i].name, name.ptr, name.len))
            return &rows[i];
    return NULL;
}

// The tests that ask for the type of a value, as sets of types.
static unsigned types_of(enum what what) {
#define BIT(type) (1u << (type))
    static const unsigned sets[] = {
        [IS_UNDEFINED] = BIT(J_UNDEFINED),
        [IS_DEFINED] = ~BIT(J_UNDEFINED),
        [IS_NONE] = BIT(J_NONE),
        [IS_BOOLEAN] = BIT(J_BOOL),
        [IS_INTEGER] = BIT(J_INT),
        [IS_FLOAT] = BIT(J_FLOAT),
        [IS_NUMBER] = BIT(J_INT) | BIT(J_FLOAT) | BIT(J_BOOL),
        [IS_STRING] = BIT(J_STR),
        [IS_MAPPING] = BIT(J_DICT),
        [IS_SEQUENCE] = BIT(J_STR) | BIT(J_LIST) | BIT(J_TUPLE) | BIT(J_DICT) | BIT(J_UNDEFINED),
        [IS_ITERABLE] = BIT(J_STR) | BIT(J_LIST) | BIT(J_TUPLE) | BIT(J_DICT) | BIT(J_UNDEFINED) | BIT(J_LOOP),
        [IS_CALLABLE] = BIT(J_MACRO) | BIT(J_FUNC) | BIT(J_METHOD) | BIT(J_LOOP) | BIT(J_JOINER) | BIT(J_UNDEFINED),
        [IS_COMPARED] = 0,
    };
    return sets[what];
}

static bool same(struct jinja *j, const struct jval *a, const struct jval *b) {
    return a->type == b->type && (a->type <= J_STR ? j_equal(j, a, b) : a->list == b->list);
}

static bool is_remainder(struct jinja *j, enum what what, struct jval self, const struct jval *arg, bool *out) {
    struct jval rest, zero = j_int(what == IS_ODD), by = what == IS_DIVISIBLE ? *arg : j_int(2);
    if (!j_binary(j, OP_MOD, self, by, &rest))
        return false;
    *out = j_equal(j, &rest, &zero);
    return true;
}

static bool is_case(struct jinja *j, enum what what, struct jval self, bool *out) {
    struct jval text;
    if (!j_to_str(j, self, &text))
        return false;
    *out = j_str_is(text.s, what == IS_LOWER ? J_IS_LOWER : J_IS_UPPER);
    return true;
}

static bool is_compared(struct jinja *j, enum jop op, struct jval self, struct jval arg, bool *out) {
    struct jnode a = {.kind = N_CONST, .value = self}, b = {.kind = N_CONST, .value = arg};
    struct jnode operand = {.kind = N_COMPARE, .op = op, .a = &b}, *kids[] = {&operand};
    struct jnode compare = {.kind = N_COMPARE, .a = &a, .kids = kids, .n_kids = 1};
    struct jval result;
    a.line = b.line = compare.line = j->line;
    if (!j_eval(j, j->globals, &compare, &result))
        return false;
    *out = result.b;
    return true;
}

static bool needs_argument(enum what what) {
    return what == IS_DIVISIBLE || what == IS_SAMEAS || what == IS_IN || what == IS_COMPARED;
}

bool j_test(struct jinja *j, struct str name, struct jval self, const struct jargs *args, bool *out) {
    const struct row *row = find_row(name);
    if (!row)
        return j_fail(j, "no test named '%.*s'", (int)min_size(name.len, 60), name.ptr);
    if (args->n != needs_argument(row->what) || args->n_named)
        return j_fail(j, "the test '%s' takes %d arguments", row->name, needs_argument(row->what));
    *out =
        row->what < IS_ODD && row->what != IS_TRUE && row->what != IS_FALSE && (types_of(row->what) >> self.type & 1);
    switch (row->what) {
    case IS_TRUE:
    case IS_FALSE:
        *out = self.type == J_BOOL && self.b == (row->what == IS_TRUE);
        return true;
    case IS_ODD:
    case IS_EVEN:
    case IS_DIVISIBLE:
        return is_remainder(j, row->what, self, args->values, out);
    case IS_LOWER:
    case IS_UPPER:
        return is_case(j, row->what, self, out);
    case IS_SAMEAS:
        *out = same(j, &self, args->values);
        return true;
    case IS_IN:
        return j_contains(j, self, args->values[0], out);
    case IS_FILTER:
        *out = self.type == J_STR && j_find_filter((struct str){self.s->ptr, self.s->len});
        return true;
    case IS_TEST:
        *out = self.type == J_STR && find_row((struct str){self.s->ptr, self.s->len});
        return true;
    case IS_COMPARED:
        return is_compared(j, row->op, self, args->values[0], out);
    default:
        return true;
    }
}
