// SPDX-License-Identifier: MIT
// Running statements. Output goes to the builder in j->out; blocks and macros that give a text put their own there for
// a while. A loop's body and a macro's have scopes of their own, an if has none.
#include "text/jinja_impl.h"

struct jscope *j_scope(struct jinja *j, struct jscope *parent) {
    struct jscope *s = j_alloc(j, 1, sizeof *s);
    if (s)
        s->parent = parent;
    return s;
}

bool j_define(struct jinja *j, struct jscope *scope, struct str name, struct jval v) {
    for (size_t i = 0; i < scope->n; i++)
        if (scope->vars[i].name.len == name.len && !memcmp(scope->vars[i].name.ptr, name.ptr, name.len)) {
            scope->vars[i].value = v;
            return true;
        }
    if (scope->n == scope->cap) {
        size_t cap = scope->cap ? 2 * scope->cap : 4;
        struct jpair_name *vars = j_alloc(j, cap, sizeof *vars);
        if (!vars)
            return false;
        if (scope->n)
            memcpy(vars, scope->vars, scope->n * sizeof *vars);
        scope->vars = vars;
        scope->cap = cap;
    }
    scope->vars[scope->n++] = (struct jpair_name){name, v};
    return true;
}

static bool define_text(struct jinja *j, struct jscope *scope, const char *name, struct jval v) {
    return j_define(j, scope, (struct str){name, strlen(name)}, v);
}

static bool assign_attr(struct jinja *j, struct jscope *scope, const struct jnode *target, struct jval v) {
    struct jval base, key;
    if (!j_eval(j, scope, target->a, &base))
        return false;
    if (base.type != J_NAMESPACE)
        return j_fail(j, "cannot assign attribute on non-namespace object");
    return j_string(j, target->name.ptr, target->name.len, J_TEMPLATE, &key) && j_dict_set(j, base.dict, key, v);
}

bool j_assign(struct jinja *j, struct jscope *scope, const struct jnode *target, struct jval v) {
    struct jlist *items;
    if (target->kind == N_NAME)
        return j_define(j, scope, target->name, v);
    if (target->kind == N_ATTR)
        return assign_attr(j, scope, target, v);
    if (!j_iterate(j, v, &items))
        return false;
    if (items->n != target->n_kids)
        return j_fail(j, "expected %zu values to unpack, got %zu", target->n_kids, items->n);
    for (size_t i = 0; i < target->n_kids; i++)
        if (!j_assign(j, scope, target->kids[i], items->items[i]))
            return false;
    return true;
}

// Runs a list with its output caught as a string.
static bool capture(struct jinja *j, struct jscope *scope, const struct jnode *list, struct jval *out) {
    struct jbuilder text = {0}, *before = j->out;
    j->out = &text;
    enum jflow flow = j_exec(j, scope, list);
    j->out = before;
    return flow != FLOW_FAIL && j_finish(j, &text, out);
}

static const struct jval *find_named(const struct jargs *args, struct str name) {
    for (size_t i = 0; i < args->n_named; i++) {
        const struct jstr *key = args->named[i].key.s;
        if (key->len == name.len && !memcmp(key->ptr, name.ptr, name.len))
            return &args->named[i].value;
    }
    return NULL;
}

static bool bind_parameter(struct jinja *j, struct jscope *scope, const struct jnode *parameter, size_t i,
                           const struct jargs *args) {
    const struct jval *named = find_named(args, parameter->name);
    struct jval v = j_undefined(j, parameter->name);
    if (i < args->n)
        v = args->values[i];
    else if (named)
        v = *named;
    else if (parameter->a && !j_eval(j, scope, parameter->a, &v))
        return false;
    return j_define(j, scope, parameter->name, v);
}

// What the parameters leave over: varargs and kwargs, with the caller in it where the body does not name that.
static bool bind_rest(struct jinja *j, struct jscope *scope, const struct jnode *node, const struct jargs *args,
                      const struct jval *caller) {
    struct jval caller_key;
    struct jval varargs, kwargs;
    if (args->n > node->n_kids && !(node->uses & USES_VARARGS))
        return j_fail(j, "macro '%.*s' takes not more than %zu argument(s)", (int)min_size(node->name.len, 60),
                      node->name.ptr ? node->name.ptr : "", node->n_kids);
    if (!j_list(j, J_TUPLE, &varargs) || !j_dict(j, J_DICT, &kwargs))
        return false;
    for (size_t i = node->n_kids; i < args->n; i++)
        if (!j_push(j, varargs.list, args->values[i]))
            return false;
    for (size_t i = 0; i < args->n_named; i++) {
        bool known = false;
        const struct jstr *key = args->named[i].key.s;
        for (size_t k = 0; k < node->n_kids; k++)
            known |= node->kids[k]->name.len == key->len && !memcmp(node->kids[k]->name.ptr, key->ptr, key->len);
        if (!known && !(node->uses & USES_KWARGS))
            return j_fail(j, "macro '%.*s' takes no keyword argument '%.*s'", (int)min_size(node->name.len, 60),
                          node->name.ptr ? node->name.ptr : "", (int)min_size(key->len, 60), key->ptr);
        if (!known && !j_dict_set(j, kwargs.dict, args->named[i].key, args->named[i].value))
            return false;
    }
    if (caller && !(node->uses & USES_CALLER) &&
        (!j_string(j, "caller", 6, J_TEMPLATE, &caller_key) || !j_dict_set(j, kwargs.dict, caller_key, *caller)))
        return false;
    return define_text(j, scope, "varargs", varargs) && define_text(j, scope, "kwargs", kwargs);
}

bool j_call_macro(struct jinja *j, const struct jmacro *m, const struct jargs *args, struct jval *out) {
    struct jscope *scope = j_scope(j, m->scope);
    struct jval caller = j_undefined(j, (struct str){"caller", 6});
    if (!scope)
        return false;
    if (args->caller && !(m->node->uses & (USES_CALLER | USES_KWARGS)))
        return j_fail(j, "the macro of a call block does not call its caller");
    if (args->caller) {
        struct jmacro *copy = j_alloc(j, 1, sizeof *copy);
        if (!copy)
            return false;
        *copy = *args->caller;
        caller = (struct jval){.type = J_MACRO, .macro = copy};
    }
    if (m->node->kind == N_MACRO && !define_text(j, scope, "caller", caller))
        return false;
    if (!bind_rest(j, scope, m->node, args, args->caller ? &caller : NULL))
        return false;
    for (size_t i = 0; i < m->node->n_kids; i++)
        if (!bind_parameter(j, scope, m->node->kids[i], i, args))
            return false;
    return capture(j, scope, m->node->body, out);
}

static enum jflow flow_of(bool ok) {
    return ok ? FLOW_NEXT : FLOW_FAIL;
}

// The items that a loop goes over: those that its condition lets through.
static bool loop_items(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval iterable,
                       struct jlist **out) {
    struct jval kept, pass;
    struct jlist *all;
    if (!j_iterate(j, iterable, &all))
        return false;
    *out = all;
    if (!n->c)
        return true;
    if (!j_list(j, J_LIST, &kept))
        return false;
    for (size_t i = 0; i < all->n; i++) {
        struct jscope *inner = j_scope(j, scope);
        if (!inner || !j_assign(j, inner, n->a, all->items[i]) || !j_eval(j, inner, n->c, &pass))
            return false;
        if (j_truth(&pass) && !j_push(j, kept.list, all->items[i]))
            return false;
    }
    *out = kept.list;
    return true;
}

static enum jflow run_loop(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval iterable,
                           unsigned depth) {
    struct jloop *loop = j_alloc(j, 1, sizeof *loop);
    if (!loop || !loop_items(j, scope, n, iterable, &loop->items))
        return FLOW_FAIL;
    loop->depth = depth;
    loop->scope = scope;
    loop->node = n;
    bool ended = false; // a pass came to its end, without break and continue: then there is no else, as in Jinja
    for (; loop->at < loop->items->n; loop->at++) {
        struct jscope *inner = j_scope(j, scope);
        if (!inner || !j_burn(j, 1) || !define_text(j, inner, "loop", (struct jval){.type = J_LOOP, .loop = loop}) ||
            !j_assign(j, inner, n->a, loop->items->items[loop->at]))
            return FLOW_FAIL;
        enum jflow flow = j_exec(j, inner, n->body);
        if (flow == FLOW_FAIL)
            return flow;
        if (flow == FLOW_BREAK)
            break;
        ended |= flow == FLOW_NEXT;
    }
    return n->other && !ended ? j_exec(j, j_scope(j, scope), n->other) : FLOW_NEXT;
}

bool j_call_loop(struct jinja *j, struct jloop *loop, struct jval items, struct jval *out) {
    struct jbuilder text = {0}, *before = j->out;
    if (!loop->node->flag)
        return j_fail(j, "the loop must have the 'recursive' marker to be called");
    j->out = &text;
    enum jflow flow = run_loop(j, loop->scope, loop->node, items, loop->depth + 1);
    j->out = before;
    return flow != FLOW_FAIL && j_finish(j, &text, out);
}

static enum jflow exec_for(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    struct jval iterable;
    return j_eval(j, scope, n->b, &iterable) ? run_loop(j, scope, n, iterable, 0) : FLOW_FAIL;
}

// A chain of conditions; `other` is the else part at its end.
static enum jflow exec_if(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    struct jval v;
    for (;; n = n->c) {
        if (!j_eval(j, scope, n->a, &v))
            return FLOW_FAIL;
        if (j_truth(&v))
            return j_exec(j, scope, n->body);
        if (!n->c)
            return j_exec(j, scope, n->other);
    }
}

static enum jflow exec_set(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    struct jval v;
    return flow_of(j_eval(j, scope, n->b, &v) && j_assign(j, scope, n->a, v));
}

// Applies the filters of a tag, the innermost of which has no operand.
static bool apply_filters(struct jinja *j, struct jscope *scope, const struct jnode *n, struct jval self,
                          struct jval *out) {
    struct jargs args;
    *out = self;
    if (!n)
        return true;
    if (n->kind != N_FILTER || j->depth >= JINJA_MAX_DEPTH)
        return j_fail(j, "expected filters");
    j->depth++;
    bool ok = apply_filters(j, scope, n->a, self, &self) && j_eval_args(j, scope, n, &args) &&
              j_filter(j, n->name, self, &args, out);
    j->depth--;
    return ok;
}

static enum jflow exec_set_block(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    struct jval text;
    struct jscope *inner = j_scope(j, scope);
    return flow_of(inner && capture(j, inner, n->body, &text) && apply_filters(j, scope, n->b, text, &text) &&
                   j_assign(j, scope, n->a, text));
}

static enum jflow exec_filter_block(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    struct jval text;
    struct jscope *inner = j_scope(j, scope);
    return flow_of(inner && capture(j, inner, n->body, &text) && apply_filters(j, scope, n->a, text, &text) &&
                   j_add_str(j, j->out, &text));
}

static enum jflow exec_macro(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    struct jmacro *m = j_alloc(j, 1, sizeof *m);
    if (!m)
        return FLOW_FAIL;
    *m = (struct jmacro){n, scope, n->name};
    return flow_of(j_define(j, scope, n->name, (struct jval){.type = J_MACRO, .macro = m}));
}

static enum jflow exec_call_block(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    struct jmacro caller = {n, scope, {"caller", 6}};
    struct jval callee, text;
    struct jargs args;
    if (!j_eval(j, scope, n->a->a, &callee) || !j_eval_args(j, scope, n->a, &args))
        return FLOW_FAIL;
    args.caller = &caller;
    return flow_of(j_call(j, callee, &args, &text) && j_add_str(j, j->out, &text));
}

static enum jflow exec_with(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    struct jscope *inner = j_scope(j, scope);
    struct jval v;
    for (size_t i = 0; inner && i < n->n_kids; i++)
        if (!j_eval(j, scope, n->kids[i]->b, &v) || !j_assign(j, inner, n->kids[i]->a, v))
            return FLOW_FAIL;
    return inner ? j_exec(j, inner, n->body) : FLOW_FAIL;
}

static enum jflow exec_scope(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    struct jscope *inner = j_scope(j, scope);
    return inner ? j_exec(j, inner, n->body) : FLOW_FAIL;
}

static enum jflow exec_text(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    (void)scope;
    return flow_of(j_add_slice(j, j->out, n->value.s, 0, n->value.s->len));
}

static enum jflow exec_output(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    struct jval v;
    return flow_of(j_eval(j, scope, n->a, &v) && j_add_str(j, j->out, &v));
}

static enum jflow exec_break(struct jinja *j, struct jscope *scope, const struct jnode *n) {
    (void)j;
    (void)scope;
    return n->kind == N_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
}

static enum jflow (*const executors[])(struct jinja *j, struct jscope *scope, const struct jnode *n) = {
    [N_TEXT] = exec_text,
    [N_OUTPUT] = exec_output,
    [N_IF_STMT] = exec_if,
    [N_FOR] = exec_for,
    [N_SET] = exec_set,
    [N_SET_BLOCK] = exec_set_block,
    [N_MACRO] = exec_macro,
    [N_CALL_BLOCK] = exec_call_block,
    [N_FILTER_BLOCK] = exec_filter_block,
    [N_WITH] = exec_with,
    [N_SCOPE] = exec_scope,
    [N_BREAK] = exec_break,
    [N_CONTINUE] = exec_break,
};

enum jflow j_exec(struct jinja *j, struct jscope *scope, const struct jnode *list) {
    if (!scope)
        return FLOW_FAIL;
    for (; list; list = list->next) {
        j->line = list->line;
        if (!j_burn(j, 1))
            return FLOW_FAIL;
        enum jflow flow = executors[list->kind](j, scope, list);
        if (flow != FLOW_NEXT)
            return flow;
    }
    return FLOW_NEXT;
}
