// SPDX-License-Identifier: MIT
// Arguments to JSON. See text/tool_args.h.
#include "text/tool_args.h"

#include <string.h>

#include "base/find.h"

#define MAX_DEPTH 64 // of brackets
#define QUOTE "<|\"|>"

size_t tool_args_extent(struct str text) {
    size_t depth = 0;
    bool in_string = false;
    if (!text.len || (*text.ptr != '{' && *text.ptr != '['))
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > MAX_DEPTH)
                return 0;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

static void put_key(struct buf *out, struct str key) {
    json_str(&(struct json_writer){.out = out}, key);
    buf_char(out, ':');
}

// A tree as text; json_parse bounds its depth.
static void put_json(const struct json *v, struct buf *out) {
    struct json_writer w = {.out = out};
    bool object = v->type == JSON_OBJECT;
    switch (v->type) {
    case JSON_NULL:
        json_null(&w);
        break;
    case JSON_BOOL:
        json_bool(&w, v->boolean);
        break;
    case JSON_INT:
    case JSON_FLOAT:
        buf_append(out, v->text.ptr, v->text.len);
        break;
    case JSON_STR:
        json_str(&w, v->text);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        buf_char(out, object ? '{' : '[');
        for (size_t i = 0; i < v->n; i++) {
            if (i)
                buf_char(out, ',');
            if (object)
                put_key(out, v->members[i].key);
            put_json(object ? &v->members[i].value : &v->items[i], out);
        }
        buf_char(out, object ? '}' : ']');
        break;
    }
}

// What a text is as JSON; false when it is none.
static bool put_parsed(struct str text, bool only_object, struct buf *out) {
    struct json_doc doc = {0};
    struct err ignored;
    bool ok = text.len && json_parse(&doc, text, "call", 1, &ignored);
    ok = ok && (!only_object || doc.root.type == JSON_OBJECT);
    if (ok)
        put_json(&doc.root, out);
    json_free(&doc);
    return ok;
}

void tool_args_json(const struct json *value, struct buf *out) {
    if (!value || value->type == JSON_NULL)
        buf_str(out, "{}");
    else if (value->type != JSON_STR || !put_parsed(value->text, true, out))
        put_json(value, out);
}

void tool_args_text(struct str text, struct buf *out) {
    if (!text.len)
        buf_str(out, "{}");
    else if (!put_parsed(text, false, out))
        json_str(&(struct json_writer){.out = out}, text);
}

static bool is(const struct json *v, struct str text) {
    return v && v->type == JSON_STR && v->text.len == text.len && memcmp(v->text.ptr, text.ptr, text.len) == 0;
}

// Whether the tools say that an argument is a string.
static bool is_string(const struct tool_args *a, struct str key) {
    for (size_t i = 0; a->tools && a->tools->type == JSON_ARRAY && i < a->tools->n; i++) {
        const struct json *tool = &a->tools->items[i], *inner = json_get(tool, "function");
        tool = inner ? inner : tool;
        const struct json *properties = json_get(json_get(tool, "parameters"), "properties");
        for (size_t k = 0;
             is(json_get(tool, "name"), a->name) && properties && properties->type == JSON_OBJECT && k < properties->n;
             k++) {
            struct str name = properties->members[k].key;
            if (name.len == key.len && memcmp(name.ptr, key.ptr, key.len) == 0)
                return is(json_get(&properties->members[k].value, "type"), (struct str){"string", 6});
        }
    }
    return false;
}

void tool_args_begin(struct tool_args *a) {
    buf_char(a->out, '{');
    a->comma = false;
}

void tool_args_add(struct tool_args *a, struct str key, struct str value, enum tool_arg_type type) {
    bool string = type == TOOL_ARG_STRING || (type == TOOL_ARG_BY_SCHEMA && is_string(a, key));
    if (a->comma)
        buf_char(a->out, ',');
    a->comma = true;
    put_key(a->out, key);
    if (string || !put_parsed(find_trim(value), false, a->out))
        json_str(&(struct json_writer){.out = a->out}, value);
}

void tool_args_end(struct tool_args *a) {
    buf_char(a->out, '}');
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == '+';
}

// A string as Python writes it, with the quote that it begins with; taken off the text.
static bool take_quoted(struct str *text, struct buf *out) {
    static const char escapes[] = "n\nt\tr\r";
    struct buf value = {0};
    char quote = *text->ptr;
    size_t i = 1;
    for (; i < text->len && text->ptr[i] != quote; i++) {
        char c = text->ptr[i];
        if (c == '\\' && i + 1 < text->len) {
            c = text->ptr[++i];
            const char *at = c ? strchr(escapes, c) : NULL;
            c = at && (at - escapes) % 2 == 0 ? at[1] : c;
        }
        buf_char(&value, c);
    }
    bool ok = i < text->len && !value.failed;
    if (ok) {
        json_str(&(struct json_writer){.out = out}, (struct str){value.len ? value.ptr : "", value.len});
        *text = (struct str){text->ptr + i + 1, text->len - i - 1};
    }
    buf_free(&value);
    return ok;
}

// A string between Gemma's quotes.
static bool take_marked(struct str *text, struct buf *out) {
    size_t n = strlen(QUOTE);
    const char *end = memmem(text->ptr + n, text->len - n, QUOTE, n);
    if (!end)
        return false;
    json_str(&(struct json_writer){.out = out}, (struct str){text->ptr + n, (size_t)(end - text->ptr) - n});
    *text = (struct str){end + n, text->len - (size_t)(end - text->ptr) - n};
    return true;
}

// A word: a key in front of `colon`, one of Python's constants, or what JSON has too.
static void take_word(struct str *text, char colon, struct buf *out) {
    static const char *const constants[][2] = {{"True", "true"}, {"False", "false"}, {"None", "null"}};
    struct str word = {text->ptr, 0};
    while (word.len < text->len && is_word(text->ptr[word.len]))
        word.len++;
    *text = (struct str){text->ptr + word.len, text->len - word.len};
    if (text->len && *text->ptr == colon) {
        put_key(out, word);
        *text = (struct str){text->ptr + 1, text->len - 1};
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(constants); i++)
        if (strlen(constants[i][0]) == word.len && memcmp(constants[i][0], word.ptr, word.len) == 0)
            word = (struct str){constants[i][1], strlen(constants[i][1])};
    buf_append(out, word.ptr, word.len);
}

// Members up to the closing bracket of an object whose opening one was taken. What was made must be JSON.
static bool take_members(struct str *text, char close, char colon, struct buf *out) {
    struct str rest = *text;
    struct buf made = {0};
    size_t depth = 1;
    bool ok = true;
    buf_char(&made, '{');
    while (ok && depth && rest.len) {
        char c = *rest.ptr;
        if (find_starts(rest, QUOTE)) {
            ok = take_marked(&rest, &made);
        } else if (c == '"' || c == '\'') {
            ok = take_quoted(&rest, &made);
        } else if (is_word(c)) {
            take_word(&rest, depth == 1 || colon == ':' ? colon : 0, &made);
        } else {
            depth += c == '{' || c == '[' || c == '(';
            depth -= c == '}' || c == ']' || c == ')';
            ok = depth <= MAX_DEPTH && (depth || c == close);
            buf_char(&made, !depth ? '}' : c == '(' ? '[' : c == ')' ? ']' : c);
            rest = (struct str){rest.ptr + 1, rest.len - 1};
        }
    }
    ok = ok && !depth && !made.failed && put_parsed((struct str){made.ptr, made.len}, true, out);
    buf_free(&made);
    if (ok)
        *text = rest;
    return ok;
}

bool tool_args_python(struct str *text, struct buf *out) {
    return take_members(text, ')', '=', out);
}

bool tool_args_gemma(struct str *text, struct buf *out) {
    return take_members(text, '}', ':', out);
}
