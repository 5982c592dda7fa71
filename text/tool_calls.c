// SPDX-License-Identifier: MIT
// Tool calls. See text/tool_calls.h. A form is a mark that opens it, perhaps one that closes it, and the shape of what
// stands between. Where several forms share a mark, the first whose shape fits counts; where none fits, it is text.
#include "text/tool_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/find.h"
#include "text/tool_args.h"

#define NAME_MAX_LEN 512   // of a name and what may stand around it
#define BAR "\xEF\xBD\x9C" // the wide bar of DeepSeek's tokens
#define LOW "\xE2\x96\x81" // and their space
#define DSML BAR "DSML" BAR

// Reads calls from the beginning of *text and takes them off it; false, with nothing added, when it is not of the
// shape.
typedef bool shape_reader(struct tool_calls *out, struct str *text, const struct json *tools, const char *mark);

static shape_reader json_calls, named_json, function_tags, invoke_tags, arg_tags, python_calls, gemma_call,
    named_object;

static const struct {
    const char *open, *close; // close: skipped where it follows; NULL: none
    shape_reader *read;
    const char *mark; // what the reader looks for
} forms[] = {
    {"<tool_call>", "</tool_call>", json_calls, NULL},    // Hermes, Qwen, Granite 4
    {"<tool_call>", "</tool_call>", function_tags, NULL}, // Qwen3-Coder, Step
    {"<tool_call>", "</tool_call>", arg_tags, NULL},      // GLM, Ling
    {"<seed:tool_call>", "</seed:tool_call>", function_tags, NULL},
    {"<minimax:tool_call>", "</minimax:tool_call>", invoke_tags, ""},
    {"<" DSML "function_calls>", "</" DSML "function_calls>", invoke_tags, DSML}, // DeepSeek V3.2
    {"<" DSML "tool_calls>", "</" DSML "tool_calls>", invoke_tags, DSML},         // V4
    {"<" BAR "tool" LOW "call" LOW "begin" BAR ">", "<" BAR "tool" LOW "call" LOW "end" BAR ">", named_json,
     "<" BAR "tool" LOW "sep" BAR ">"},           // V3, R1, V3.1
    {"[TOOL_CALLS]", NULL, json_calls, NULL},     // Mistral
    {"[TOOL_CALLS]", NULL, named_json, "[ARGS]"}, // Mistral from v11 on
    {"[TOOL_CALLS]", NULL, named_json, "{"},
    {"<|python_tag|>", NULL, json_calls, NULL}, // Llama 3
    {"<|python_tag|>", NULL, python_calls, NULL},
    {"<|tool_call|>", "<|/tool_call|>", json_calls, NULL},          // Granite 3, Phi-4-mini
    {"<|tool_call_start|>", "<|tool_call_end|>", json_calls, NULL}, // LFM2
    {"<|tool_call_start|>", "<|tool_call_end|>", python_calls, NULL},
    {"<|START_ACTION|>", "<|END_ACTION|>", json_calls, NULL},                                 // Command A, R7B
    {"Action:", NULL, json_calls, NULL},                                                      // Command R+
    {"<|tool_call_begin|>", "<|tool_call_end|>", named_json, "<|tool_call_argument_begin|>"}, // Kimi K2
    {"<|tool_call:begin|>", "<|tool_call:end|>", named_json, "<|tool_call:args|>"},           // Solar Open
    {"<|tools_prefix|>", "<|tools_suffix|>", named_object, NULL},                             // Apertus
    {"<|tool_call>", "<tool_call|>", gemma_call, NULL},                                       // Gemma 4
    {"<TOOLCALL>", "</TOOLCALL>", json_calls, NULL},                                          // Nemotron
    {"<tool_calls>", "</tool_calls>", json_calls, NULL},                                      // MiniMax M1, Apriel
    {"<|function_call|>", NULL, json_calls, NULL},                                            // GigaChat 3
    {"<function_call>", "</function_call>", json_calls, NULL},
    {"functools", NULL, json_calls, NULL},             // Firefunction
    {"<function=", NULL, function_tags, "<function="}, // without tags around it, and Functionary
};

// Marks around calls that say nothing.
static const char *const noise[] = {
    "<|tool_calls_section_begin|>",
    "<|tool_calls_section_end|>",
    "<|tool_calls|>",
    "<|eom_id|>",
    "<" BAR "tool" LOW "calls" LOW "begin" BAR ">",
    "<" BAR "tool" LOW "calls" LOW "end" BAR ">",
};

static bool skip(struct str *text, const char *word) {
    bool there = word && find_starts(*text, word);
    if (there)
        *text = (struct str){text->ptr + strlen(word), text->len - strlen(word)};
    return there;
}

static void skip_blanks(struct str *text) {
    while (text->len && strchr(" \t\r\n", *text->ptr) && *text->ptr) {
        text->ptr++;
        text->len--;
    }
}

// The text up to a word, which is taken off with it; false when the word does not come.
static bool take_until(struct str *text, const char *word, struct str *taken) {
    const char *at = memmem(text->ptr, text->len, word, strlen(word));
    if (!at)
        return false;
    *taken = (struct str){text->ptr, (size_t)(at - text->ptr)};
    *text = (struct str){at + strlen(word), text->len - taken->len - strlen(word)};
    return true;
}

static bool good_name(struct str name) {
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || strchr("<>{}[]()\"'`", name.ptr[i]))
            return false;
    return name.len > 0 && name.len <= NAME_MAX_LEN;
}

static struct tool_call *add_call(struct tool_calls *out, struct str name) {
    if (out->n == out->cap) {
        size_t cap = out->cap ? 2 * out->cap : 8;
        struct tool_call *more = realloc(out->ptr, cap * sizeof *more);
        if (!more) {
            out->content.failed = true;
            return NULL;
        }
        out->ptr = more;
        out->cap = cap;
    }
    struct tool_call *call = &out->ptr[out->n++];
    *call = (struct tool_call){0};
    buf_append(&call->name, name.ptr, name.len);
    return call;
}

static void cut_calls(struct tool_calls *out, size_t n) {
    while (out->n > n) {
        buf_free(&out->ptr[--out->n].name);
        buf_free(&out->ptr[out->n].arguments);
    }
}

static const struct json *first_of(const struct json *object, const char *const *keys, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (json_get(object, keys[i]))
            return json_get(object, keys[i]);
    return NULL;
}

// One call from an object of any of the usual members.
static bool add_object(struct tool_calls *out, const struct json *object) {
    static const char *const names[] = {"name", "tool_name", "function"};
    static const char *const arguments[] = {"arguments", "parameters", "args", "input"};
    const struct json *inner = json_get(object, "function");
    if (inner && inner->type == JSON_OBJECT)
        object = inner;
    const struct json *name = first_of(object, names, ARRAY_LEN(names));
    if (!name || name->type != JSON_STR || !good_name(name->text))
        return false;
    const struct json *args = first_of(object, arguments, ARRAY_LEN(arguments));
    struct tool_call *call = add_call(out, name->text);
    if (call)
        tool_args_json(args, &call->arguments);
    return true;
}

// A JSON value at the beginning of the text, perhaps in a fence; taken off it.
static bool take_json(struct str *text, struct json_doc *doc) {
    struct str rest = *text;
    struct err ignored;
    skip_blanks(&rest);
    bool fenced = skip(&rest, "```json") || skip(&rest, "```");
    skip_blanks(&rest);
    size_t n = tool_args_extent(rest);
    *doc = (struct json_doc){0};
    if (!n || !json_parse(doc, (struct str){rest.ptr, n}, "call", 1, &ignored)) {
        json_free(doc);
        return false;
    }
    *text = (struct str){rest.ptr + n, rest.len - n};
    rest = *text;
    skip_blanks(&rest);
    if (fenced && skip(&rest, "```"))
        *text = rest;
    return true;
}

// An object, an array of objects, or several of them with commas, semicolons or nothing between.
static bool json_calls(struct tool_calls *out, struct str *text, const struct json *tools, const char *mark) {
    size_t before = out->n;
    struct str rest = *text;
    bool ok = true;
    (void)tools, (void)mark;
    for (;;) {
        struct json_doc doc;
        struct str next = rest;
        skip_blanks(&next);
        if (out->n > before && (skip(&next, ";") || skip(&next, ",")))
            skip_blanks(&next);
        if (!next.len || !strchr("{[`", *next.ptr) || !take_json(&next, &doc))
            break;
        bool array = doc.root.type == JSON_ARRAY;
        for (size_t i = 0; ok && i < (array ? doc.root.n : 1); i++)
            ok = add_object(out, array ? &doc.root.items[i] : &doc.root);
        json_free(&doc);
        if (!ok)
            break;
        rest = next;
        *text = rest;
        before = min_size(before, out->n);
    }
    if (!ok)
        cut_calls(out, before);
    return ok && out->n > before;
}

// Drops what families put around a name: "functions." before it, ":0" behind it, an id behind [CALL_ID].
static struct str bare_name(struct str name) {
    struct str before;
    struct str rest = name;
    if (take_until(&rest, "[CALL_ID]", &before))
        name = before;
    if (take_until(&rest, "<|tool_call:name|>", &before))
        name = rest;
    name = find_trim(name);
    if (find_starts(name, "functions."))
        name = (struct str){name.ptr + 10, name.len - 10};
    size_t n = name.len;
    while (n && name.ptr[n - 1] >= '0' && name.ptr[n - 1] <= '9')
        n--;
    if (n > 1 && n < name.len && name.ptr[n - 1] == ':')
        name.len = n - 1;
    return name;
}

// NAME mark JSON, or TYPE mark NAME newline JSON. A mark that is JSON's own bracket belongs to the JSON.
static bool named_json(struct tool_calls *out, struct str *text, const struct json *tools, const char *mark) {
    struct str rest = *text, name;
    struct json_doc doc;
    (void)tools;
    struct str near = {rest.ptr, min_size(rest.len, NAME_MAX_LEN)};
    if (!take_until(&near, mark, &name) || !take_until(&rest, mark, &name))
        return false;
    if (strcmp(mark, "{") == 0)
        rest = (struct str){rest.ptr - 1, rest.len + 1};
    struct str typed = rest;
    if (!take_json(&rest, &doc)) {
        if (!take_until(&typed, "\n", &name) || !take_json(&typed, &doc))
            return false;
        rest = typed;
    }
    name = bare_name(name);
    bool ok = good_name(name);
    struct tool_call *call = ok ? add_call(out, name) : NULL;
    if (call)
        tool_args_json(&doc.root, &call->arguments);
    json_free(&doc);
    if (ok)
        *text = rest;
    return ok;
}

// [{"NAME": {arguments}}, ...]
static bool named_object(struct tool_calls *out, struct str *text, const struct json *tools, const char *mark) {
    struct json_doc doc;
    struct str rest = *text;
    (void)tools, (void)mark;
    if (!take_json(&rest, &doc))
        return false;
    size_t before = out->n;
    for (size_t i = 0; doc.root.type == JSON_ARRAY && i < doc.root.n; i++) {
        const struct json *item = &doc.root.items[i];
        for (size_t k = 0; item->type == JSON_OBJECT && k < item->n; k++) {
            bool good = good_name(item->members[k].key);
            struct tool_call *call = good ? add_call(out, item->members[k].key) : NULL;
            if (call)
                tool_args_json(&item->members[k].value, &call->arguments);
        }
    }
    json_free(&doc);
    if (out->n > before)
        *text = rest;
    return out->n > before;
}

// A value between tags: a newline at each end belongs to the tags.
static struct str tag_value(struct str value) {
    if (value.len && *value.ptr == '\n')
        value = (struct str){value.ptr + 1, value.len - 1};
    if (value.len && value.ptr[value.len - 1] == '\n')
        value.len--;
    return value;
}

// <function=NAME> <parameter=KEY>value</parameter>... </function>, or a JSON object instead of the parameters. mark:
// the opening was taken already.
static bool function_tags(struct tool_calls *out, struct str *text, const struct json *tools, const char *mark) {
    size_t before = out->n;
    struct str rest = *text, name, key, value;
    for (bool first = true;; first = false) {
        struct json_doc doc;
        skip_blanks(&rest);
        if (!(first && mark) && !skip(&rest, "<function="))
            break;
        if (!take_until(&rest, ">", &name) || !good_name(name))
            break;
        struct tool_call *call = add_call(out, name);
        struct tool_args args = {.tools = tools, .name = name, .out = call ? &call->arguments : NULL};
        if (call && take_json(&rest, &doc)) {
            tool_args_json(&doc.root, &call->arguments);
            json_free(&doc);
        } else if (call) {
            tool_args_begin(&args);
            for (skip_blanks(&rest); skip(&rest, "<parameter="); skip_blanks(&rest)) {
                if (!take_until(&rest, ">", &key) || !take_until(&rest, "</parameter>", &value))
                    break;
                tool_args_add(&args, key, tag_value(value), TOOL_ARG_BY_SCHEMA);
            }
            tool_args_end(&args);
        }
        skip_blanks(&rest);
        skip(&rest, "</function>");
        *text = rest;
    }
    return out->n > before;
}

// The value of an attribute name="..." in the inside of a tag.
static bool attribute(struct str tag, const char *name, struct str *value) {
    struct str before;
    return take_until(&tag, name, &before) && skip(&tag, "=\"") && take_until(&tag, "\"", value);
}

// <invoke name="NAME"> <parameter name="KEY">value</parameter>... </invoke>, the names of tags behind the mark.
static bool invoke_tags(struct tool_calls *out, struct str *text, const struct json *tools, const char *mark) {
    size_t before = out->n;
    struct str rest = *text, tag, name, key, value, string;
    char invoke[32], parameter[32], end_parameter[32], end_invoke[32];
    snprintf(invoke, sizeof invoke, "<%s%s", mark, "invoke ");
    snprintf(parameter, sizeof parameter, "<%s%s", mark, "parameter ");
    snprintf(end_parameter, sizeof end_parameter, "</%s%s", mark, "parameter>");
    snprintf(end_invoke, sizeof end_invoke, "</%s%s", mark, "invoke>");
    for (;;) {
        skip_blanks(&rest);
        if (!skip(&rest, invoke) || !take_until(&rest, ">", &tag) || !attribute(tag, "name", &name) || !good_name(name))
            break;
        struct tool_call *call = add_call(out, name);
        if (!call)
            break;
        struct tool_args args = {.tools = tools, .name = name, .out = &call->arguments};
        tool_args_begin(&args);
        for (skip_blanks(&rest); skip(&rest, parameter); skip_blanks(&rest)) {
            if (!take_until(&rest, ">", &tag) || !attribute(tag, "name", &key) ||
                !take_until(&rest, end_parameter, &value))
                break;
            enum tool_arg_type type = TOOL_ARG_BY_SCHEMA;
            if (attribute(tag, "string", &string))
                type = string.len == 4 && !memcmp(string.ptr, "true", 4) ? TOOL_ARG_STRING : TOOL_ARG_JSON;
            tool_args_add(&args, key, *mark ? value : tag_value(value), type);
        }
        tool_args_end(&args);
        skip_blanks(&rest);
        skip(&rest, end_invoke);
        *text = rest;
    }
    return out->n > before;
}

// NAME <arg_key>KEY</arg_key> <arg_value>value</arg_value>...
static bool arg_tags(struct tool_calls *out, struct str *text, const struct json *tools, const char *mark) {
    struct str rest = *text, key, value;
    struct str near = {rest.ptr, min_size(rest.len, NAME_MAX_LEN)};
    size_t n = find_word(near, (const char *const[]){"<arg_key>", "</tool_call>", "\n"}, 3);
    struct str name = find_trim((struct str){rest.ptr, n});
    (void)mark;
    if (!good_name(name))
        return false;
    struct tool_call *call = add_call(out, name);
    if (!call)
        return true;
    struct tool_args args = {.tools = tools, .name = name, .out = &call->arguments};
    rest = (struct str){rest.ptr + n, rest.len - n};
    tool_args_begin(&args);
    for (skip_blanks(&rest); skip(&rest, "<arg_key>"); skip_blanks(&rest)) {
        if (!take_until(&rest, "</arg_key>", &key))
            break;
        skip_blanks(&rest);
        if (!skip(&rest, "<arg_value>") || !take_until(&rest, "</arg_value>", &value))
            break;
        tool_args_add(&args, find_trim(key), value, TOOL_ARG_BY_SCHEMA);
    }
    tool_args_end(&args);
    *text = rest;
    return true;
}

// name(key=value, ...), several in a list with commas; values as Python writes them.
static bool python_calls(struct tool_calls *out, struct str *text, const struct json *tools, const char *mark) {
    size_t before = out->n;
    struct str rest = *text, name;
    (void)tools, (void)mark;
    skip_blanks(&rest);
    bool list = skip(&rest, "[");
    for (;;) {
        struct buf args = {0};
        skip_blanks(&rest);
        bool good = take_until(&rest, "(", &name) && good_name(name) && tool_args_python(&rest, &args);
        if (good && find_ends(name, ".call"))
            name.len -= 5;
        struct tool_call *call = good ? add_call(out, name) : NULL;
        if (call)
            buf_append(&call->arguments, args.ptr, args.len);
        buf_free(&args);
        if (!good)
            break;
        *text = rest;
        skip_blanks(&rest);
        if (!skip(&rest, ","))
            break;
    }
    if (list && out->n > before) {
        skip_blanks(text);
        skip(text, "]");
    }
    return out->n > before;
}

// call:NAME{key:value, ...} with <|"|> for quotes.
static bool gemma_call(struct tool_calls *out, struct str *text, const struct json *tools, const char *mark) {
    struct str rest = *text, name;
    struct buf args = {0};
    (void)tools, (void)mark;
    skip_blanks(&rest);
    bool good =
        skip(&rest, "call:") && take_until(&rest, "{", &name) && good_name(name) && tool_args_gemma(&rest, &args);
    struct tool_call *call = good ? add_call(out, name) : NULL;
    if (call)
        buf_append(&call->arguments, args.ptr, args.len);
    buf_free(&args);
    if (good)
        *text = rest;
    return good;
}

// gpt-oss: messages with headers; a recipient in the header makes one a call.
static void read_messages(struct str text, struct tool_calls *out) {
    static const char *const heads[] = {"<|start|>", "<|channel|>", "<|call|>", "<|end|>"};
    while (text.len) {
        struct str header = {"", 0}, to, rest = text;
        size_t n = find_word(text, heads, ARRAY_LEN(heads));
        if (n == 0) {
            if (!take_until(&text, "<|message|>", &header))
                return;
            n = find_word(text, heads, ARRAY_LEN(heads));
        }
        rest = header;
        bool call = take_until(&rest, "to=", &to);
        struct str body = {text.ptr, n};
        text = (struct str){text.ptr + n, text.len - n};
        struct str name = {rest.ptr, find_word(rest, (const char *const[]){" ", "<", "\n"}, 3)};
        struct tool_call *added = call && good_name(bare_name(name)) ? add_call(out, bare_name(name)) : NULL;
        if (added)
            tool_args_text(find_trim(body), &added->arguments);
        else
            buf_append(&out->content, body.ptr, body.len);
    }
}

static bool take_noise(struct str *text) {
    for (size_t i = 0; i < ARRAY_LEN(noise); i++)
        if (skip(text, noise[i]))
            return true;
    return false;
}

// Calls at the beginning of the text, if a form opens there and its shape fits.
static bool take_calls(struct str *text, const struct json *tools, struct tool_calls *out) {
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct str rest = *text;
        if (!skip(&rest, forms[i].open) || !forms[i].read(out, &rest, tools, forms[i].mark))
            continue;
        struct str end = rest;
        skip_blanks(&end);
        *text = skip(&end, forms[i].close) ? end : rest;
        return true;
    }
    return false;
}

static bool may_open(char c) {
    return c == '<' || c == '[' || c == 'A' || c == 'f';
}

// Llama 3: the whole answer is a call.
static void read_bare(struct tool_calls *out) {
    struct str text = find_trim((struct str){out->content.ptr, out->content.len});
    if (out->n || !text.len || (*text.ptr != '{' && !find_starts(text, "[{")))
        return;
    if (json_calls(out, &text, NULL, NULL) && find_trim(text).len)
        cut_calls(out, 0);
    if (out->n)
        out->content.len = 0;
}

bool tool_calls_parse(struct str text, const struct json *tools, struct tool_calls *out, struct err *e) {
    *out = (struct tool_calls){0};
    bool messages = memmem(text.ptr ? text.ptr : "", text.len, "<|message|>", 11) != NULL;
    if (messages)
        read_messages(text, out);
    while (!messages && text.len) {
        if (may_open(*text.ptr) && (take_noise(&text) || take_calls(&text, tools, out)))
            continue;
        buf_char(&out->content, *text.ptr);
        text = (struct str){text.ptr + 1, text.len - 1};
    }
    read_bare(out);
    struct str content = find_trim((struct str){out->content.ptr, out->content.len});
    if (content.len)
        memmove(out->content.ptr, content.ptr, content.len);
    out->content.len = content.len;
    bool failed = out->content.failed;
    for (size_t i = 0; i < out->n; i++)
        failed |= out->ptr[i].name.failed || out->ptr[i].arguments.failed;
    return !failed || err_memory(e, text.len, "tool calls");
}

void tool_calls_free(struct tool_calls *calls) {
    cut_calls(calls, 0);
    free(calls->ptr);
    buf_free(&calls->content);
}

void tool_calls_write(const struct tool_calls *calls, struct str thinking, struct buf *out) {
    struct json_writer w = {.out = out};
    json_begin(&w, '{');
    json_key(&w, "content");
    json_str(&w, (struct str){calls->content.len ? calls->content.ptr : "", calls->content.len});
    if (thinking.ptr) {
        json_key(&w, "thinking");
        json_str(&w, thinking);
    }
    json_key(&w, "tool_calls");
    json_begin(&w, '[');
    for (size_t i = 0; i < calls->n; i++) {
        json_begin(&w, '{');
        json_key(&w, "name");
        json_str(&w, (struct str){calls->ptr[i].name.ptr, calls->ptr[i].name.len});
        json_key(&w, "arguments");
        buf_append(out, calls->ptr[i].arguments.ptr, calls->ptr[i].arguments.len);
        w.comma = true;
        json_end(&w, '}');
    }
    json_end(&w, ']');
    json_end(&w, '}');
    buf_char(out, '\n');
}
