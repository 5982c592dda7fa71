// SPDX-License-Identifier: MIT
// Statements of templates. A tag's name leads to one row of a table; a row parses up to the tags that end it.
#include "text/jinja_impl.h"

static bool parse_list(struct jparser *p, const char *const *ends, struct jnode **out);

static bool close_tag(struct jparser *p) {
    return j_expect(p, T_CLOSE_BLOCK, NULL);
}

// The statements up to an end tag, which is taken whole.
static bool parse_body(struct jparser *p, const char *end, struct jnode **out) {
    const char *const ends[] = {end, NULL};
    return parse_list(p, ends, out) && j_advance(p) && close_tag(p);
}

static bool parse_if(struct jparser *p, struct jnode **out) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    struct jnode *n = *out = j_node(p, N_IF_STMT);
    for (;;) {
        if (!n || !j_parse_tuple(p, false, &n->a) || !close_tag(p) || !parse_list(p, ends, &n->body))
            return false;
        if (!j_token_is(p, T_NAME, "elif"))
            break;
        n->c = j_node(p, N_IF_STMT);
        n = n->c;
        if (!j_advance(p))
            return false;
    }
    bool has_else;
    if (!j_take(p, T_NAME, "else", &has_else))
        return false;
    if (has_else)
        return close_tag(p) && parse_body(p, "endif", &n->other);
    return j_advance(p) && close_tag(p);
}

// What can be assigned to: a name, names in a tuple, an attribute of a namespace.
static bool parse_target(struct jparser *p, bool with_attribute, struct jnode **out);

static bool parse_target_item(struct jparser *p, bool with_attribute, struct jnode **out) {
    bool taken;
    if (!j_take(p, T_OP, "(", &taken))
        return false;
    if (taken) {
        if (++p->depth > JINJA_MAX_NESTING)
            return j_parse_error(p, "targets are nested too deeply");
        bool ok = parse_target(p, false, out) && j_expect(p, T_OP, ")");
        p->depth--;
        return ok;
    }
    struct jnode *n = *out = j_node(p, N_NAME);
    if (!n)
        return false;
    n->name = p->x.text;
    if (!j_expect(p, T_NAME, NULL))
        return false;
    taken = false;
    if (with_attribute && !j_take(p, T_OP, ".", &taken))
        return false;
    if (!taken)
        return true;
    struct jnode *attr = *out = j_node(p, N_ATTR);
    if (!attr)
        return false;
    attr->a = n;
    attr->name = p->x.text;
    return j_expect(p, T_NAME, NULL);
}

static bool parse_target(struct jparser *p, bool with_attribute, struct jnode **out) {
    bool comma;
    if (!parse_target_item(p, with_attribute, out) || !j_take(p, T_OP, ",", &comma))
        return false;
    if (!comma)
        return true;
    struct jnode *tuple = j_node(p, N_TUPLE), *item;
    if (!tuple || !j_add_kid(p, tuple, *out))
        return false;
    *out = tuple;
    while (comma && (p->x.type == T_NAME || j_token_is(p, T_OP, "(")) && !j_token_is(p, T_NAME, "in"))
        if (!parse_target_item(p, false, &item) || !j_add_kid(p, tuple, item) || !j_take(p, T_OP, ",", &comma))
            return false;
    return true;
}

static bool parse_for(struct jparser *p, struct jnode **out) {
    static const char *const ends[] = {"else", "endfor", NULL};
    struct jnode *n = *out = j_node(p, N_FOR);
    bool taken;
    if (!n || !parse_target(p, false, &n->a) || !j_expect(p, T_NAME, "in") || !j_parse_tuple(p, false, &n->b) ||
        !j_take(p, T_NAME, "if", &taken) || (taken && !j_parse_expr(p, &n->c)) ||
        !j_take(p, T_NAME, "recursive", &n->flag) || !close_tag(p) || !parse_list(p, ends, &n->body) ||
        !j_take(p, T_NAME, "else", &taken))
        return false;
    if (taken)
        return close_tag(p) && parse_body(p, "endfor", &n->other);
    return j_advance(p) && close_tag(p);
}

static bool parse_set(struct jparser *p, struct jnode **out) {
    struct jnode *n = *out = j_node(p, N_SET);
    bool taken;
    if (!n || !parse_target(p, true, &n->a) || !j_take(p, T_OP, "=", &taken))
        return false;
    if (taken)
        return j_parse_tuple(p, true, &n->b) && close_tag(p);
    n->kind = N_SET_BLOCK;
    if (!j_take(p, T_OP, "|", &taken) || (taken && !j_parse_filters(p, NULL, true, &n->b)))
        return false;
    return close_tag(p) && parse_body(p, "endset", &n->body);
}

// (name, name=default, ...)
static bool parse_parameters(struct jparser *p, struct jnode *n) {
    bool end, comma = true, assign;
    if (!j_expect(p, T_OP, "("))
        return false;
    for (;;) {
        if (!j_take(p, T_OP, ")", &end) || end)
            return end;
        struct jnode *parameter = comma ? j_node(p, N_KEYWORD) : NULL;
        if (!parameter)
            return comma ? false : j_parse_error(p, "expected ',' or ')'");
        parameter->name = p->x.text;
        if (!j_expect(p, T_NAME, NULL) || !j_take(p, T_OP, "=", &assign) ||
            (assign && !j_parse_expr(p, &parameter->a)) || !j_add_kid(p, n, parameter) || !j_take(p, T_OP, ",", &comma))
            return false;
    }
}

static bool parse_macro(struct jparser *p, struct jnode **out) {
    struct jnode *n = *out = j_node(p, N_MACRO);
    if (!n)
        return false;
    n->name = p->x.text;
    unsigned outer = p->uses;
    p->uses = 0;
    bool ok =
        j_expect(p, T_NAME, NULL) && parse_parameters(p, n) && close_tag(p) && parse_body(p, "endmacro", &n->body);
    n->uses = p->uses;
    p->uses = outer | n->uses; // as Jinja, which looks into nested ones
    return ok;
}

static bool parse_call(struct jparser *p, struct jnode **out) {
    struct jnode *n = *out = j_node(p, N_CALL_BLOCK);
    if (!n || (j_token_is(p, T_OP, "(") && !parse_parameters(p, n)) || !j_parse_expr(p, &n->a))
        return false;
    if (n->a->kind != N_CALL)
        return j_parse_error(p, "expected a call");
    return close_tag(p) && parse_body(p, "endcall", &n->body);
}

static bool parse_filter_block(struct jparser *p, struct jnode **out) {
    struct jnode *n = *out = j_node(p, N_FILTER_BLOCK);
    return n && j_parse_filters(p, NULL, true, &n->a) && close_tag(p) && parse_body(p, "endfilter", &n->body);
}

static bool parse_with(struct jparser *p, struct jnode **out) {
    struct jnode *n = *out = j_node(p, N_WITH);
    bool comma = true;
    if (!n)
        return false;
    while (comma && p->x.type != T_CLOSE_BLOCK) {
        struct jnode *set = j_node(p, N_SET);
        if (!set || !parse_target_item(p, false, &set->a) || !j_expect(p, T_OP, "=") || !j_parse_expr(p, &set->b) ||
            !j_add_kid(p, n, set) || !j_take(p, T_OP, ",", &comma))
            return false;
    }
    return close_tag(p) && parse_body(p, "endwith", &n->body);
}

// Blocks that only group: whatever else stands in the tag counts for nothing here.
static bool parse_scope(struct jparser *p, const char *end, struct jnode **out) {
    struct jnode *n = *out = j_node(p, N_SCOPE);
    if (!n)
        return false;
    while (p->x.type != T_CLOSE_BLOCK)
        if (!j_advance(p))
            return false;
    const char *const ends[] = {end, NULL};
    if (!close_tag(p) || !parse_list(p, ends, &n->body) || !j_advance(p))
        return false;
    if (p->x.type == T_NAME && !j_advance(p)) // the name of a block may come again
        return false;
    return close_tag(p);
}

static bool parse_generation(struct jparser *p, struct jnode **out) {
    return parse_scope(p, "endgeneration", out);
}

static bool parse_block(struct jparser *p, struct jnode **out) {
    return parse_scope(p, "endblock", out);
}

static bool parse_autoescape(struct jparser *p, struct jnode **out) {
    return parse_scope(p, "endautoescape", out);
}

static bool parse_break(struct jparser *p, struct jnode **out) {
    *out = j_node(p, N_BREAK);
    return *out && close_tag(p);
}

static bool parse_continue(struct jparser *p, struct jnode **out) {
    *out = j_node(p, N_CONTINUE);
    return *out && close_tag(p);
}

static const struct {
    const char *name;
    bool (*parse)(struct jparser *p, struct jnode **out);
} statements[] = {
    {"if", parse_if},       {"for", parse_for},
    {"set", parse_set},     {"macro", parse_macro},
    {"call", parse_call},   {"filter", parse_filter_block},
    {"with", parse_with},   {"generation", parse_generation},
    {"block", parse_block}, {"autoescape", parse_autoescape},
    {"break", parse_break}, {"continue", parse_continue},
};

static bool parse_statement(struct jparser *p, struct jnode **out) {
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        bool taken;
        if (!j_take(p, T_NAME, statements[i].name, &taken))
            return false;
        if (taken)
            return statements[i].parse(p, out);
    }
    return j_parse_error(p, "an unknown tag, or one that nothing opened");
}

static bool parse_output(struct jparser *p, struct jnode **out) {
    struct jnode *n = *out = j_node(p, N_OUTPUT);
    return n && j_parse_tuple(p, true, &n->a) && j_expect(p, T_CLOSE_VAR, NULL);
}

static bool is_end(const struct jparser *p, const char *const *ends) {
    for (; ends && *ends; ends++)
        if (j_token_is(p, T_NAME, *ends))
            return true;
    return false;
}

static bool parse_one(struct jparser *p, const char *const *ends, bool *end, struct jnode **out) {
    *out = NULL;
    *end = false;
    if (p->x.type == T_TEXT) {
        *out = j_node(p, N_TEXT);
        if (!*out)
            return false;
        (*out)->value = p->x.value;
        return j_advance(p);
    }
    if (p->x.type == T_OPEN_VAR)
        return j_advance(p) && parse_output(p, out);
    if (!j_advance(p))
        return false;
    *end = is_end(p, ends);
    return *end || parse_statement(p, out);
}

// Statements up to the name of an end tag, which becomes the token; without ends up to the end of the source.
static bool parse_list(struct jparser *p, const char *const *ends, struct jnode **out) {
    struct jnode **tail = out;
    *out = NULL;
    if (++p->depth > JINJA_MAX_NESTING)
        return j_parse_error(p, "blocks are nested too deeply");
    for (bool end = false; !end;) {
        if (p->x.type == T_END) {
            if (ends)
                return j_parse_error(p, "the template ends inside a block");
            break;
        }
        if (!parse_one(p, ends, &end, tail))
            return false;
        if (*tail)
            tail = &(*tail)->next;
    }
    p->depth--;
    return true;
}

// Line breaks become \n, and one at the very end goes.
static bool normalise(struct jinja *j, struct str source, struct str *out) {
    char *copy = j_alloc(j, source.len + 1, 1);
    size_t n = 0;
    if (!copy)
        return false;
    for (size_t i = 0; i < source.len; i++) {
        bool pair = source.ptr[i] == '\r' && i + 1 < source.len && source.ptr[i + 1] == '\n';
        if (!pair)
            copy[n++] = source.ptr[i] == '\r' ? '\n' : source.ptr[i];
    }
    *out = (struct str){copy, n - (n && copy[n - 1] == '\n')};
    return true;
}

bool j_parse(struct jinja *j, struct str source, struct jnode **out) {
    struct str text;
    if (!normalise(j, source, &text))
        return false;
    struct jparser p = {
        .j = j, .x = {.j = j, .src = text.ptr, .len = text.len, .line = 1, .mode = IN_TEXT, .line_starting = true}};
    return j_advance(&p) && parse_list(&p, NULL, out);
}
