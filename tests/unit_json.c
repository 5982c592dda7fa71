// SPDX-License-Identifier: MIT
// Tests of the JSON reader and writer. What RFC 8259 accepts is read, written again and compared; what it rejects must
// fail at the place given. Where the RFC leaves a choice (duplicate keys, lone surrogates, big numbers) base/json.h
// says what holds.
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

struct accepted {
    const char *text, *again; // again: as the writer gives it, NULL: the same
};

static const struct accepted accept[] = {
    {"null", NULL},
    {"true", NULL},
    {"false", NULL},
    {" \t\r\n null \t\r\n ", "null"},
    {"0", NULL},
    {"-0", "0"},
    {"-1", NULL},
    {"123456789", NULL},
    {"9007199254740993", NULL},
    {"9223372036854775807", NULL},
    {"-9223372036854775808", NULL},
    {"9223372036854775808", "9.223372036854776e+18"},
    {"-9223372036854775809", "-9.223372036854776e+18"},
    {"123456789012345678901234567890", "1.2345678901234568e+29"},
    {"0.0", "0.0"},
    {"-0.0", "-0.0"},
    {"1.5", NULL},
    {"0.1", NULL},
    {"-12.25", NULL},
    {"1e3", "1000.0"},
    {"1E3", "1000.0"},
    {"1e+3", "1000.0"},
    {"1e-3", "0.001"},
    {"0e0", "0.0"},
    {"0e+1", "0.0"},
    {"0E-9", "0.0"},
    {"1.7976931348623157e308", "1.7976931348623157e+308"},
    {"4.9e-324", "4.94065645841247e-324"},
    {"1e-400", "0.0"},
    {"1e-0000000000000000000000000000000000000001", "0.1"},
    {"100000000000000000000000e-23", "1.0"},
    {"0.1000000000000000055511151231257827", "0.1"},
    {"[]", NULL},
    {"[ ]", "[]"},
    {"{}", NULL},
    {"{ \n }", "{}"},
    {"[1]", NULL},
    {"[1,2,3]", NULL},
    {" [ 1 , 2 ] ", "[1,2]"},
    {"[[],[[]],{}]", NULL},
    {"[null,true,false,0,\"\",[],{}]", NULL},
    {"{\"a\":1}", NULL},
    {"{\"b\":1,\"a\":2}", NULL},
    {"{ \"a\" : { \"b\" : [ { } ] } }", "{\"a\":{\"b\":[{}]}}"},
    {"{\"\":0}", NULL},
    {"{\"a\":{\"a\":{\"a\":null}}}", NULL},
    {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
    {"{\"a\":1,\"b\":2,\"a\":3,\"c\":4,\"b\":5,\"a\":6}", "{\"a\":6,\"b\":5,\"c\":4}"},
    {"{\"a\":[1],\"\\u0061\":[2]}", "{\"a\":[2]}"},
    {"[{\"a\":1},{\"a\":2}]", NULL},
    {"\"\"", NULL},
    {"\"abc\"", NULL},
    {"\" \"", NULL},
    {"\"\x7f\"", NULL},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"\"\\u0041\\u00e9\\u20AC\"", "\"A\xc3\xa9\xe2\x82\xac\""},
    {"\"\\u0000\"", NULL},
    {"\"\\u001f\"", NULL},
    {"\"\\u001F\"", "\"\\u001f\""},
    {"\"a\\u0000b\"", NULL},
    {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
    {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""},
    {"\"\\uFFFF\\uFFFE\"", "\"\xef\xbf\xbf\xef\xbf\xbe\""},
    {"\"\\u2028\\u2029\"", "\"\xe2\x80\xa8\xe2\x80\xa9\""},
    {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", NULL},
    {"\"\xf4\x8f\xbf\xbf\"", NULL},
    {"\"\xef\xbb\xbf\"", NULL},
    {"\"\\\\u0041\"", NULL},
    {"\"\\\\\\\\\"", NULL},
    {"\"/\"", NULL},
    {"[\"\\n\",\"plain\",\"\\t\",\"\\u00e9x\"]", "[\"\\n\",\"plain\",\"\\t\",\"\xc3\xa9x\"]"},
    {"{\"\\n\":\"\\n\",\"k\":\"\\\"\"}", NULL},
    {"[1.5,\"\\n\",2.5,\"\\t\"]", NULL},
    {"[1.25,123456789012345678901234567890.5]", "[1.25,1.2345678901234568e+29]"},
};

struct rejected {
    const char *text, *words; // words: of the message
    size_t len;               // 0: of the text
};

static const struct rejected reject[] = {
    {"", "line 1, column 1: expected a value, found the end of the text", 0},
    {" ", "line 1, column 2: expected a value, found the end", 0},
    {"\n\n  x", "line 3, column 3: expected a value, found 'x'", 0},
    {"nul", "column 1: expected a value, found 'n'", 0},
    {"nulll", "column 5: expected the end of the text, found 'l'", 0},
    {"True", "found 'T'", 0},
    {"NaN", "found 'N'", 0},
    {"Infinity", "found 'I'", 0},
    {"-Infinity", "column 2: expected a digit, found 'I'", 0},
    {"undefined", "found 'u'", 0},
    {"'a'", "found '''", 0},
    {"\xef\xbb\xbfnull", "column 1: a byte order mark", 0},
    {"\xef\xbb\xbf", "a byte order mark", 0},
    {"null\0", "column 5: expected the end of the text, found U+0000", 5},
    {"\0", "found U+0000", 1},
    {"1 2", "column 3: expected the end of the text, found '2'", 0},
    {"[] []", "expected the end of the text", 0},
    {"{}}", "column 3: expected the end of the text, found '}'", 0},
    {"\x0c[]", "found U+000C", 0},
    {"\xc2\xa0[]", "found U+00A0", 0},
    {"[]\xe2\x81\xa0", "found U+2060", 0},
    {"\xe9", "found byte 0xE9", 0},
    {"/* c */ 1", "found '/'", 0},
    {"1 // c", "expected the end of the text", 0},
    {"#", "found '#'", 0},
    // numbers
    {"-", "expected a digit, found the end", 0},
    {"+1", "found '+'", 0},
    {"--1", "column 2: expected a digit", 0},
    {"01", "a number with a leading zero", 0},
    {"-01", "a number with a leading zero", 0},
    {"00", "a number with a leading zero", 0},
    {"1.", "expected a digit after the decimal point, found the end", 0},
    {".5", "found '.'", 0},
    {"-.5", "expected a digit, found '.'", 0},
    {"1.e1", "expected a digit after the decimal point, found 'e'", 0},
    {"1e", "expected a digit in the exponent", 0},
    {"1e+", "expected a digit in the exponent", 0},
    {"1e-", "expected a digit in the exponent", 0},
    {"1e1.5", "expected the end of the text, found '.'", 0},
    {"1e+-1", "expected a digit in the exponent, found '-'", 0},
    {"0x10", "found 'x'", 0},
    {"1_000", "found '_'", 0},
    {"1,000", "found ','", 0},
    {"1a", "found 'a'", 0},
    {"1.2.3", "found '.'", 0},
    {"1e400", "column 1: the number is too large for a double", 0},
    {"[-1e999]", "column 2: the number is too large", 0},
    {"\xef\xbc\x91", "found U+FF11", 0},
    {"2\0", "found U+0000", 2},
    // strings
    {"\"", "the text ends inside a string", 0},
    {"\"abc", "column 5: the text ends inside a string", 0},
    {"\"\\\"", "the text ends inside a string", 0},
    {"\"\\", "after a backslash, found the end", 0},
    {"\"\\x41\"", "column 3: expected one of", 0},
    {"\"\\a\"", "after a backslash, found 'a'", 0},
    {"\"\\'\"", "after a backslash", 0},
    {"\"\\0\"", "after a backslash", 0},
    {"\"\\U0041\"", "after a backslash", 0},
    {"\"\\\0\"", "after a backslash, found U+0000", 4},
    {"\"\\\n\"", "after a backslash, found U+000A", 0},
    {"\"\\\xc3\xa9\"", "after a backslash, found U+00E9", 0},
    {"\"\\u\"", "four hexadecimal digits after \\u, found '\"'", 0},
    {"\"\\u12\"", "four hexadecimal digits", 0},
    {"\"\\u123", "four hexadecimal digits after \\u, found the end", 0},
    {"\"\\u12G4\"", "column 6: expected four hexadecimal digits after \\u, found 'G'", 0},
    {"\"\\u 123\"", "four hexadecimal digits", 0},
    {"\"\\u+123\"", "four hexadecimal digits", 0},
    {"\"\\uD800\"", "\\uD800 is half of a surrogate pair", 0},
    {"\"\\uDC00\"", "\\uDC00 is half of a surrogate pair", 0},
    {"\"\\uD800x\"", "half of a surrogate pair", 0},
    {"\"\\uD800\\n\"", "half of a surrogate pair", 0},
    {"\"\\uD800\\u0041\"", "\\uD800 is half of a surrogate pair", 0},
    {"\"\\uD800\\uE000\"", "half of a surrogate pair", 0},
    {"\"\\uD800\\uD800\"", "half of a surrogate pair", 0},
    {"\"\\uDC00\\uD800\"", "\\uDC00 is half of a surrogate pair", 0},
    {"\"\\uD800\\u", "four hexadecimal digits", 0},
    {"\"\\uD800\\", "half of a surrogate pair", 0},
    {"\"a\nb\"", "column 3: control character 0x0A in a string, expected \\u000A", 0},
    {"\"\t\"", "control character 0x09", 0},
    {"\"a\0b\"", "control character 0x00", 5},
    {"\"\x1f\"", "control character 0x1F", 0},
    {"\"\xff\"", "byte 0xFF in a string is not UTF-8", 0},
    {"\"\x80\"", "byte 0x80 in a string", 0},
    {"\"\xc3\"", "byte 0xC3 in a string", 0},
    {"\"\xc3", "byte 0xC3 in a string", 0},
    {"\"\xc0\x80\"", "byte 0xC0 in a string", 0},
    {"\"\xe0\x80\x80\"", "byte 0xE0 in a string", 0},
    {"\"\xed\xa0\x80\"", "byte 0xED in a string", 0},
    {"\"\xf4\x90\x80\x80\"", "byte 0xF4 in a string", 0},
    {"\"\xf0\x9f\x98\"", "byte 0xF0 in a string", 0},
    {"\"\\n\xff\"", "byte 0xFF in a string", 0},
    {"abc", "found 'a'", 0},
    // arrays
    {"[", "expected a value, found the end", 0},
    {"]", "found ']'", 0},
    {"[1", "expected ',' or ']', found the end", 0},
    {"[1,", "expected a value, found the end", 0},
    {"[1,]", "column 4: expected a value, found ']'", 0},
    {"[,1]", "column 2: expected a value, found ','", 0},
    {"[,]", "column 2: expected a value", 0},
    {"[1,,2]", "column 4: expected a value, found ','", 0},
    {"[1 2]", "column 4: expected ',' or ']', found '2'", 0},
    {"[1:2]", "expected ',' or ']', found ':'", 0},
    {"[1}", "expected ',' or ']', found '}'", 0},
    {"[\"a\",\n4\n,1,", "line 3, column 4: expected a value, found the end", 0},
    {"[*]", "found '*'", 0},
    {"[(1)]", "found '('", 0},
    {"[1;2]", "found ';'", 0},
    {"[\"\": 1]", "expected ',' or ']', found ':'", 0},
    {"[[[[1]]]", "expected ',' or ']', found the end", 0},
    // objects
    {"{", "expected a key in quotes, found the end", 0},
    {"}", "found '}'", 0},
    {"{\"a\"", "expected ':' behind a key, found the end", 0},
    {"{\"a\":", "expected a value, found the end", 0},
    {"{\"a\":1", "expected ',' or '}', found the end", 0},
    {"{\"a\":1,", "expected a key in quotes, found the end", 0},
    {"{\"a\":1,}", "column 8: expected a key in quotes, found '}'", 0},
    {"{,\"a\":1}", "column 2: expected a key in quotes, found ','", 0},
    {"{\"a\":1,,\"b\":2}", "column 8: expected a key in quotes, found ','", 0},
    {"{\"a\" 1}", "expected ':' behind a key, found '1'", 0},
    {"{\"a\":}", "expected a value, found '}'", 0},
    {"{\"a\",1}", "expected ':' behind a key, found ','", 0},
    {"{\"a\"::1}", "expected a value, found ':'", 0},
    {"{a:1}", "expected a key in quotes, found 'a'", 0},
    {"{'a':1}", "expected a key in quotes, found '''", 0},
    {"{1:1}", "expected a key in quotes, found '1'", 0},
    {"{null:1}", "expected a key in quotes, found 'n'", 0},
    {"{[]:1}", "expected a key in quotes, found '['", 0},
    {"{\"a\":1]", "expected ',' or '}', found ']'", 0},
    {"{\"a\":1 \"b\":2}", "expected ',' or '}', found '\"'", 0},
    {"{\"a\\", "after a backslash", 0},
    {"{\"\xc3\xa9\xe2\x82\xac\": x}", "line 1, column 8: expected a value, found 'x'", 0},
    {"[1,\r\n2,\r\n\xff]", "line 3, column 1: expected a value, found byte 0xFF", 0},
};

static void write_tree(struct json_writer *w, const struct json *v) {
    char key[64];
    if (v->type == JSON_ARRAY || v->type == JSON_OBJECT) {
        json_begin(w, v->type == JSON_ARRAY ? '[' : '{');
        for (size_t i = 0; i < v->n; i++) {
            if (v->type == JSON_OBJECT) {
                struct str k = v->members[i].key;
                snprintf(key, sizeof key, "%.*s", (int)k.len, k.ptr);
                json_key(w, key);
            }
            write_tree(w, v->type == JSON_ARRAY ? &v->items[i] : &v->members[i].value);
        }
        json_end(w, v->type == JSON_ARRAY ? ']' : '}');
    } else if (v->type == JSON_STR) {
        json_str(w, v->text);
    } else if (v->type == JSON_INT) {
        json_int(w, v->integer);
    } else if (v->type == JSON_FLOAT) {
        json_float(w, v->number);
    } else if (v->type == JSON_BOOL) {
        json_bool(w, v->boolean);
    } else {
        json_null(w);
    }
}

// The text in a block of exactly its size, so that the sanitizer sees a read beyond it.
static struct str exact(const char *text, size_t len) {
    char *copy = malloc(len ? len : 1);
    if (copy && len)
        memcpy(copy, text, len);
    return (struct str){copy, len};
}

static void check_accept(const struct accepted *c) {
    struct str text = exact(c->text, strlen(c->text));
    struct json_doc doc;
    struct err e;
    test_case("json accepts %s", c->text);
    if (CHECK_CALL(json_parse(&doc, text, "t", 1, &e), &e)) {
        struct buf out = {0};
        write_tree(&(struct json_writer){.out = &out}, &doc.root);
        buf_char(&out, '\0');
        CHECK_STR(out.ptr, c->again ? c->again : c->text);
        buf_free(&out);
        json_free(&doc);
    }
    free((void *)(uintptr_t)text.ptr);
}

static void check_reject(const struct rejected *c) {
    size_t len = c->len ? c->len : strlen(c->text);
    struct str text = exact(c->text, len);
    struct json_doc doc;
    struct err e = {0};
    char shown[100];
    for (size_t i = 0; i <= len && i < sizeof shown; i++)
        shown[i] = i == len ? '\0' : c->text[i] >= ' ' && c->text[i] != 0x7f ? c->text[i] : '?';
    test_case("json rejects %s (%s)", shown, c->words);
    CHECK_FAILS(json_parse(&doc, text, "t", 1, &e), &e, ERR_INPUT, c->words);
    CHECK_MSG(strncmp(e.text, "t: line ", 8) == 0, "%s", e.text);
    CHECK(doc.arena.chunks == NULL);
    free((void *)(uintptr_t)text.ptr);
}

// Brackets to a depth of n.
static void nested(struct buf *b, size_t n, const char *open, const char *inner, const char *close) {
    b->len = 0;
    for (size_t i = 0; i < n; i++)
        buf_str(b, open);
    buf_str(b, inner);
    for (size_t i = 0; i < n; i++)
        buf_str(b, close);
}

static void depths(void) {
    struct buf b = {0};
    struct json_doc doc;
    struct err e;
    test_case("json: nesting up to the limit");
    nested(&b, JSON_MAX_DEPTH, "[", "", "]");
    if (CHECK_CALL(json_parse(&doc, (struct str){b.ptr, b.len}, "t", 1, &e), &e))
        json_free(&doc);
    nested(&b, JSON_MAX_DEPTH, "{\"k\":", "1", "}");
    if (CHECK_CALL(json_parse(&doc, (struct str){b.ptr, b.len}, "t", 1, &e), &e)) {
        const struct json *v = &doc.root;
        for (int i = 0; i < JSON_MAX_DEPTH && v; i++)
            v = json_get(v, "k");
        CHECK(v && v->type == JSON_INT && v->integer == 1);
        json_free(&doc);
    }
    test_case("json: nesting beyond the limit");
    nested(&b, JSON_MAX_DEPTH + 1, "[", "", "]");
    CHECK_FAILS(json_parse(&doc, (struct str){b.ptr, b.len}, "t", 1, &e), &e, ERR_INPUT, "column 257: nested deeper");
    nested(&b, 1000000, "[", "", "");
    CHECK_FAILS(json_parse(&doc, (struct str){b.ptr, b.len}, "t", 1, &e), &e, ERR_INPUT, "nested deeper than 256");
    nested(&b, 100000, "{\"a\":[", "", "");
    CHECK_FAILS(json_parse(&doc, (struct str){b.ptr, b.len}, "t", 1, &e), &e, ERR_INPUT, "nested deeper than 256");
    buf_free(&b);
}

static void big_texts(void) {
    struct buf b = {0};
    struct json_doc doc;
    struct err e;
    test_case("json: a large object with every key twice");
    buf_char(&b, '{');
    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "%s\"k\\u0065y%d\":%d", i ? "," : "", i % 50000, i);
    buf_char(&b, '}');
    if (CHECK_CALL(json_parse(&doc, (struct str){b.ptr, b.len}, "t", 1, &e), &e)) {
        CHECK_INT(doc.root.n, 50000);
        CHECK_INT(doc.root.members[0].value.integer, 50000);
        const struct json *v = json_get(&doc.root, "key49999");
        CHECK(v && v->type == JSON_INT && v->integer == 99999);
        CHECK(json_get(&doc.root, "key50000") == NULL);
        json_free(&doc);
    }
    test_case("json: a string of a megabyte, a number of a megabyte");
    nested(&b, 1 << 20, "a", "", "");
    b.ptr[0] = '"';
    buf_str(&b, "\\n\"");
    if (CHECK_CALL(json_parse(&doc, (struct str){b.ptr, b.len}, "t", 1, &e), &e)) {
        CHECK_INT(doc.root.text.len, 1 << 20);
        json_free(&doc);
    }
    nested(&b, 1 << 20, "1", "e-1048575", "");
    if (CHECK_CALL(json_parse(&doc, (struct str){b.ptr, b.len}, "t", 1, &e), &e)) {
        CHECK(fabs(doc.root.number - 1.1111111111111112) < 1e-15);
        json_free(&doc);
    }
    buf_free(&b);
}

static void details(void) {
    struct json_doc doc;
    struct err e;
    const char *text = "{\"big\":18446744073709551615,\"s\":\"a\\u0000b\",\"n\":1,\"f\":1.0,\"x\":[]}";
    test_case("json: types, digits as written, strings with NUL");
    if (CHECK_CALL(json_parse(&doc, (struct str){text, strlen(text)}, "t", 1, &e), &e)) {
        const struct json *big = json_get(&doc.root, "big"), *s = json_get(&doc.root, "s");
        CHECK(big->type == JSON_FLOAT && big->text.len == 20 && memcmp(big->text.ptr, "18446744073709551615", 20) == 0);
        CHECK(s->type == JSON_STR && s->text.len == 3 && memcmp(s->text.ptr, "a\0b", 3) == 0);
        CHECK_INT(json_get(&doc.root, "n")->type, JSON_INT);
        CHECK_INT(json_get(&doc.root, "f")->type, JSON_FLOAT);
        CHECK_INT(json_get(&doc.root, "x")->n, 0);
        CHECK(json_get(json_get(&doc.root, "x"), "x") == NULL);
        json_free(&doc);
    }
    test_case("json: the caller's line number");
    CHECK_FAILS(json_parse(&doc, (struct str){"[\n", 2}, "lines", 41, &e), &e, ERR_INPUT, "lines: line 42, column 1: ");
}

static void writing(void) {
    struct buf b = {0};
    struct json_writer w = {.out = &b};
    test_case("json: writing");
    json_begin(&w, '{');
    json_key(&w, "a\"\n");
    json_begin(&w, '[');
    json_int(&w, INT64_MIN);
    json_uint(&w, UINT64_MAX);
    json_float(&w, 5);
    json_float(&w, 0.1f);
    json_float(&w, 1e300 * 1e10);
    json_float(&w, -(double)NAN);
    json_bool(&w, true);
    json_null(&w);
    json_end(&w, ']');
    json_key(&w, "bytes");
    json_str(&w, (struct str){"\xff"
                              "a\xc3\xa9\xe2\x82"
                              "\0\x1f\"",
                              9});
    json_key(&w, "none");
    json_begin(&w, '{');
    json_end(&w, '}');
    json_end(&w, '}');
    buf_char(&b, '\0');
    CHECK_STR(b.ptr, "{\"a\\\"\\n\":[-9223372036854775808,18446744073709551615,5.0,0.10000000149011612,null,null,true,"
                     "null],\"bytes\":\"\xef\xbf\xbd"
                     "a\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\\u0000\\u001f\\\"\",\"none\":{}}");
    buf_free(&b);
}

// Texts changed at random: each is read without a finding, and what is accepted survives writing and reading.
static void mutations(void) {
    static const char bits[] = "\"\\{}[]:,0129.eE-u \xc3\xa9nad";
    uint64_t seed = 88172645463325252u;
    struct buf once = {0}, twice = {0};
    struct err e;
    test_case("json: changed texts, seed %llu", (unsigned long long)seed);
    for (int round = 0; round < 20000; round++) {
        const char *source = accept[(size_t)round % ARRAY_LEN(accept)].text;
        struct str text = exact(source, strlen(source));
        char *bytes = (char *)(uintptr_t)text.ptr;
        for (int k = 0; k < 2; k++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            bytes[seed % text.len] = bits[(seed >> 40) % (sizeof bits - 1)];
        }
        struct json_doc doc, again;
        if (json_parse(&doc, text, "t", 1, &e)) {
            once.len = twice.len = 0;
            write_tree(&(struct json_writer){.out = &once}, &doc.root);
            if (CHECK_CALL(json_parse(&again, (struct str){once.ptr, once.len}, "again", 1, &e), &e)) {
                write_tree(&(struct json_writer){.out = &twice}, &again.root);
                CHECK(once.len == twice.len && memcmp(once.ptr, twice.ptr, once.len) == 0);
                json_free(&again);
            }
            json_free(&doc);
        }
        free(bytes);
    }
    buf_free(&once);
    buf_free(&twice);
}

void unit_json(void) {
    for (size_t i = 0; i < ARRAY_LEN(accept); i++)
        check_accept(&accept[i]);
    for (size_t i = 0; i < ARRAY_LEN(reject); i++)
        check_reject(&reject[i]);
    depths();
    big_texts();
    details();
    writing();
    mutations();
}
