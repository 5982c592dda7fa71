// SPDX-License-Identifier: MIT
// The inside of the template interpreter, for text/jinja_*.c only: values as Python has them, the syntax tree, and the
// state of one rendering. Everything lives in the arena of the rendering and goes with it.
//
// Strings know where they come from: every byte was written by the template or came in as data. A string of one origin
// says so in one field; one of both has a mask beside its bytes. Whoever makes a string from others uses a builder,
// which carries the origins along.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "text/jinja.h"

#include <string.h>

#define JINJA_MAX_FUEL 100000000u // steps of evaluation
#define JINJA_MAX_MEMORY ((size_t)512 << 20)
#define JINJA_MAX_OUTPUT ((size_t)256 << 20)
#define JINJA_MAX_NESTING 150 // of expressions and blocks in the source
#define JINJA_MAX_DEPTH 1500  // of nested evaluations
#define JINJA_MAX_RANGE 1000000

enum jtype {
    J_UNDEFINED, // name in `s`, may be NULL
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_STR,
    J_LIST,
    J_TUPLE,
    J_DICT,
    J_NAMESPACE, // a dict that can be assigned to
    J_MACRO,
    J_FUNC,   // a function of the interpreter
    J_METHOD, // a function bound to a value
    J_LOOP,
    J_CYCLER,
    J_JOINER,
};

// Who wrote a byte: a user, the template, or the model (an assistant's turn: data too, but the prompt may take it as
// the ids that it was generated as).
enum jorigin { J_DATA, J_TEMPLATE, J_MODEL, J_MIXED };

struct jstr {
    const char *ptr;
    size_t len;
    enum jorigin origin;
    const uint8_t *mask; // J_MIXED: [len] the origin of each byte
    size_t n_chars;      // SIZE_MAX: not counted yet
};

struct jval {
    enum jtype type;
    union {
        bool b;
        int64_t i;
        double f;
        struct jstr *s;
        struct jlist *list;
        struct jdict *dict;
        struct jmacro *macro;
        struct jmethod *method;
        struct jloop *loop;
        struct jcycler *cycler;
        const struct jfunc *func;
    };
};

struct jlist {
    struct jval *items;
    size_t n, cap;
};

struct jpair {
    struct jval key, value;
};

struct jdict {
    struct jpair *pairs; // in the order of insertion
    size_t n, cap;
};

struct jcycler {
    struct jlist *items; // joiner: one item, the separator
    size_t at;
};

struct jnode;
struct jinja;

// The arguments of a call.
struct jargs {
    struct jval *values;
    size_t n;
    struct jpair *named;
    size_t n_named;
    const struct jmacro *caller; // of a call block, or NULL
};

// Functions, filters and methods take the value that they are applied to as `self`; plain functions ignore it.
typedef bool jfunc_fn(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out);

struct jfunc {
    const char *name;
    jfunc_fn *call;
    int arg;            // what tells functions with one implementation apart
    uint8_t min, max;   // positional arguments; named ones count where `params` lists them
    const char *params; // names of the parameters, separated by spaces
};

struct jmethod {
    struct jval self;
    const struct jfunc *func;
};

struct jscope {
    struct jscope *parent;
    struct jpair_name *vars;
    size_t n, cap;
};

struct jpair_name {
    struct str name;
    struct jval value;
};

struct jmacro {
    const struct jnode *node; // the macro or call block
    struct jscope *scope;     // where it was defined
    struct str name;
};

struct jloop {
    struct jlist *items;
    size_t at;
    unsigned depth;
    const struct jnode *node; // the for statement, when it is recursive
    struct jscope *scope;
    struct jval changed; // what loop.changed saw last
    bool has_changed;
};

enum jkind {
    // expressions
    N_CONST,  // value
    N_NAME,   // name
    N_LIST,   // kids
    N_TUPLE,  // kids
    N_DICT,   // kids: key, value, key, value ...
    N_ATTR,   // a.name
    N_ITEM,   // a[b]
    N_SLICE,  // a[kids0:kids1:kids2], absent ones NULL
    N_CALL,   // a(kids)
    N_FILTER, // a|name(kids); a NULL: of a filter or set block
    N_TEST,   // a is name(kids); flag: not
    N_IF,     // b if a else c (NULL: undefined)
    N_AND,
    N_OR,
    N_NOT,
    N_NEG,
    N_POS,
    N_BINARY,   // a op b
    N_COMPARE,  // a, then kids: operands with `op` each
    N_KEYWORD,  // in calls: name = a
    N_STAR,     // in calls: *a
    N_STARSTAR, // in calls: **a
    // statements
    N_TEXT,         // value
    N_OUTPUT,       // a
    N_IF_STMT,      // a: condition; body; c: the next condition of the chain, or other: the else part
    N_FOR,          // a: target, b: iterable, c: filter or NULL; body; other: else part; flag: recursive
    N_SET,          // a: target, b: value
    N_SET_BLOCK,    // a: target, b: filters or NULL; body
    N_MACRO,        // name; kids: parameters (N_KEYWORD with a default or none); body
    N_CALL_BLOCK,   // a: the call; kids: parameters; body
    N_FILTER_BLOCK, // a: filters; body
    N_WITH,         // kids: N_SET; body
    N_SCOPE,        // body in a scope of its own: block, generation, autoescape
    N_BREAK,
    N_CONTINUE,
};

enum jop {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_FLOORDIV,
    OP_MOD,
    OP_POW,
    OP_CONCAT,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN
};

// What the body of a macro asks for beyond its parameters; a macro that does not ask takes none.
enum juses { USES_VARARGS = 1, USES_KWARGS = 2, USES_CALLER = 4 };

struct jnode {
    enum jkind kind;
    enum jop op;
    bool flag;
    unsigned uses; // macros: enum juses
    uint32_t line;
    struct str name;
    struct jval value;
    struct jnode *a, *b, *c;
    struct jnode **kids;
    size_t n_kids, cap_kids;
    struct jnode *body;  // first statement of a list
    struct jnode *other; // for, if: the else part
    struct jnode *next;  // the statement behind this one
};

// A string, and the rendered text, under construction.
struct jbuilder {
    char *ptr;
    uint8_t *mask;
    size_t len, cap;
    unsigned origins; // a set of 1 << origin
};

struct jinja {
    struct arena arena;
    struct err *e;
    uint32_t line; // of what is being evaluated
    uint32_t fuel;
    unsigned depth;
    struct jscope *globals;
    struct jbuilder *out; // where output goes
    const char *now;
};

// jinja_value.c
void *j_alloc(struct jinja *j, size_t n, size_t size);
bool j_fail(struct jinja *j, const char *format, ...) PRINTF_LIKE(2, 3);
bool j_burn(struct jinja *j, size_t steps);
bool j_add(struct jinja *j, struct jbuilder *b, const char *ptr, size_t len, const struct jstr *origin);
bool j_add_slice(struct jinja *j, struct jbuilder *b, const struct jstr *s, size_t from, size_t to);
bool j_add_text(struct jinja *j, struct jbuilder *b, const char *text); // computed: counts as data
bool j_finish(struct jinja *j, const struct jbuilder *b, struct jval *out);
bool j_string(struct jinja *j, const char *ptr, size_t len, enum jorigin origin, struct jval *out);
bool j_substring(struct jinja *j, const struct jstr *s, size_t from, size_t to, struct jval *out);
size_t j_chars(struct jstr *s);
size_t j_char_offset(struct jstr *s, size_t index);
struct jval j_none(void);
struct jval j_bool(bool b);
struct jval j_int(int64_t i);
struct jval j_float(double f);
struct jval j_undefined(struct jinja *j, struct str name);
bool j_list(struct jinja *j, enum jtype type, struct jval *out);
bool j_push(struct jinja *j, struct jlist *list, struct jval v);
bool j_dict(struct jinja *j, enum jtype type, struct jval *out);
bool j_dict_set(struct jinja *j, struct jdict *d, struct jval key, struct jval value);
struct jval *j_dict_find(struct jinja *j, const struct jdict *d, struct jval key);
struct jval *j_dict_find_text(const struct jdict *d, const char *key, size_t len);
bool j_truth(const struct jval *v);
bool j_equal(struct jinja *j, const struct jval *a, const struct jval *b);
bool j_same_text(const struct jval *v, const char *text);
// Negative, 0, positive in *order; an error where Python cannot compare.
bool j_compare(struct jinja *j, const struct jval *a, const struct jval *b, int *order);
bool j_iterate(struct jinja *j, struct jval v, struct jlist **out); // the items of anything that can be iterated
bool j_length(struct jinja *j, struct jval v, int64_t *out);
bool j_is_number(const struct jval *v);
double j_number(const struct jval *v);
bool j_as_int(const struct jval *v, int64_t *out);
const char *j_type_name(const struct jval *v);
bool j_from_json(struct jinja *j, const struct json *value, struct jval *out);

// jinja_text.c: values to text
struct jjson {
    int indent; // -1: on one line
    bool ascii, sort;
    struct str item_sep, key_sep;
};
bool j_add_str(struct jinja *j, struct jbuilder *b, const struct jval *v);  // str(v)
bool j_add_repr(struct jinja *j, struct jbuilder *b, const struct jval *v); // repr(v)
bool j_to_str(struct jinja *j, struct jval v, struct jval *out);
bool j_add_json(struct jinja *j, struct jbuilder *b, const struct jval *v, const struct jjson *how, unsigned depth);
void j_float_text(double f, char out[64]);

// jinja_lex.c
enum jtoken {
    T_END,
    T_TEXT,
    T_OPEN_VAR,
    T_CLOSE_VAR,
    T_OPEN_BLOCK,
    T_CLOSE_BLOCK,
    T_NAME,
    T_STR,
    T_INT,
    T_FLOAT,
    T_OP
};

struct jlexer {
    struct jinja *j;
    const char *src;
    size_t len, pos;
    uint32_t line;
    enum { IN_TEXT, IN_VAR, IN_BLOCK } mode;
    unsigned nesting; // open brackets of an expression
    char open[JINJA_MAX_NESTING];
    bool line_starting; // for lstrip_blocks
    bool trim_next;     // the closing tag took the white space behind it
    // the token read last
    enum jtoken type;
    struct str text;   // names, operators
    struct jval value; // strings, numbers, text
    uint32_t token_line;
};

bool j_lex_next(struct jlexer *x);

// jinja_parse.c, jinja_parse_expr.c
struct jparser {
    struct jlexer x;
    struct jinja *j;
    unsigned uses; // of the macro being parsed
    unsigned depth;
};

bool j_parse(struct jinja *j, struct str source, struct jnode **out);
bool j_parse_error(struct jparser *p, const char *what);
struct jnode *j_node(struct jparser *p, enum jkind kind);
bool j_add_kid(struct jparser *p, struct jnode *n, struct jnode *kid);
bool j_parse_expr(struct jparser *p, struct jnode **out);
bool j_parse_or(struct jparser *p, struct jnode **out); // without a conditional
// A tuple or a single expression; `with_if` allows conditionals inside.
bool j_parse_tuple(struct jparser *p, bool with_if, struct jnode **out);
bool j_parse_primary(struct jparser *p, struct jnode **out);
bool j_parse_args(struct jparser *p, struct jnode *call);
bool j_parse_filters(struct jparser *p, struct jnode *base, bool first_named, struct jnode **out);
bool j_parse_unary_postfix(struct jparser *p, struct jnode **out);
bool j_token_is(const struct jparser *p, enum jtoken type, const char *text);
bool j_take(struct jparser *p, enum jtoken type, const char *text, bool *taken);
bool j_expect(struct jparser *p, enum jtoken type, const char *text);
bool j_advance(struct jparser *p);

// jinja_eval.c
bool j_eval(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval *out);
bool j_call(struct jinja *j, struct jval callee, const struct jargs *args, struct jval *out);
bool j_get_attr(struct jinja *j, struct jval v, struct jval key, bool item_first, struct jval *out);
bool j_filter(struct jinja *j, struct str name, struct jval self, const struct jargs *args, struct jval *out);
bool j_test(struct jinja *j, struct str name, struct jval self, const struct jargs *args, bool *out);
bool j_binary(struct jinja *j, enum jop op, struct jval a, struct jval b, struct jval *out);
bool j_contains(struct jinja *j, struct jval item, struct jval in, bool *out);
bool j_eval_args(struct jinja *j, struct jscope *scope, const struct jnode *call, struct jargs *args);

// jinja_exec.c
enum jflow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAIL };
enum jflow j_exec(struct jinja *j, struct jscope *scope, const struct jnode *list);
struct jscope *j_scope(struct jinja *j, struct jscope *parent);
bool j_define(struct jinja *j, struct jscope *scope, struct str name, struct jval v);
bool j_call_macro(struct jinja *j, const struct jmacro *m, const struct jargs *args, struct jval *out);
bool j_call_loop(struct jinja *j, struct jloop *loop, struct jval items, struct jval *out);
bool j_assign(struct jinja *j, struct jscope *scope, const struct jnode *target, struct jval v);

// The tables: jinja_filters.c, jinja_tests.c, jinja_methods.c, jinja_globals.c
const struct jfunc *j_find_filter(struct str name);
const struct jfunc *j_find_method(const struct jval *v, struct str name);
const struct jfunc *j_find_global(struct str name);
// The argument number i of a function, by place or by its name in func->params; NULL when it was not given.
const struct jval *j_arg(const struct jfunc *f, const struct jargs *args, size_t i);
