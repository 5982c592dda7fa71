// SPDX-License-Identifier: MIT
// Tests of the template interpreter: the language in small pieces, the origin of every character, and templates that
// mean harm. Whole templates of models are the business of tests/conform/templates.py.
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"

static const char context[] = "{\"n\":5,\"f\":2.5,\"s\":\"Hello, World\",\"u\":\"\xC3\xBCn "
                              "\xE6\x97\xA5\xE6\x9C\xAC\",\"l\":[3,1,2],\"d\":{\"b\":2,"
                              "\"a\":1},\"t\":true,\"z\":null,\"bos_token\":\"<s>\",\"x\":\"<|end|>\",\"messages\":[{"
                              "\"role\":\"user\",\"content\":"
                              "\"<|end|>\"},{\"role\":\"<|end|>\",\"content\":\"\"}]}";

static bool render(const char *source, struct chat_text *out, struct err *e) {
    struct json_doc doc = {0};
    *out = (struct chat_text){0};
    bool ok = json_parse(&doc, (struct str){context, sizeof context - 1}, "context", 1, e) &&
              jinja_render((struct str){source, strlen(source)}, &doc.root, "2026-01-02T03:04:05", out, e);
    json_free(&doc);
    return ok;
}

static const struct {
    const char *source, *wanted; // wanted NULL: an error
} cases[] = {
    {"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 1e16 }} {{ 0.1 + 0.2 }}",
     "3 -4 2 3.5 1024 1e+16 0.30000000000000004"},
    {"{{ 9223372036854775807 + 1 }}", NULL},
    {"{{ 1 / 0 }}", NULL},
    {"{{ [1, 'a', none, true, 2.0, {'k': \"it's\"}] }}", "[1, 'a', None, True, 2.0, {'k': \"it's\"}]"},
    {"{{ u[1:4] }} {{ u[::-1] }} {{ u | length }} {{ u | upper }}",
     "n \xE6\x97\xA5 \xE6\x9C\xAC\xE6\x97\xA5 n\xC3\xBC 5 \xC3\x9CN \xE6\x97\xA5\xE6\x9C\xAC"},
    {"{{ nothing }}{{ nothing is defined }}{{ nothing | default('d') }}", "Falsed"},
    {"{{ nothing.more }}", NULL},
    {"{{ d.missing }}|{{ d.a }}|{{ d['b'] }}|{{ d.items() | list }}", "|1|2|[('b', 2), ('a', 1)]"},
    {"{{ 1 < 2 < 3 }} {{ 'a' in s }} {{ 3 in l and 4 not in l }}", "True False True"},
    {"{% for i in l if i > 1 %}{{ loop.index }}{{ i }}{{ ',' if not loop.last }}{% else %}none{% endfor %}", "13,22"},
    {"{% for i in range(9) %}{% if i == 4 %}{% break %}{% endif %}{% if i is odd %}{% continue %}{% endif %}{{ i }}"
     "{% endfor %}",
     "02"},
    {"{% set ns = namespace(n=0) %}{% for i in l %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "6"},
    {"{% macro m(a, b='-') %}{{ a }}{{ b }}{{ caller() if caller }}{% endmacro %}{{ m(1) }}{% call m(2, b='+') %}c"
     "{% endcall %}",
     "1-2+c"},
    {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", NULL},
    {"  {% if t %}\n  x\n  {%- endif %}\n\ny {{- n -}} z\n", "  x\ny5z"},
    {"{% raw %}{{ n }}{% endraw %}{# gone #}{% set b %}{{ n }}{% endset %}[{{ b }}]", "{{ n }}[5]"},
    {"{% filter upper %}a{{ n }}{% endfilter %}{% generation %}g{% endgeneration %}", "A5g"},
    {"{{ d | tojson }} {{ [1.0, none] | tojson(indent=1) }} {{ u | tojson(ensure_ascii=true) }}",
     "{\"b\": 2, \"a\": 1} [\n 1.0,\n null\n] \"\\u00fcn \\u65e5\\u672c\""},
    {"{{ '%s-%03d' % ('a', 7) }} {{ '{:>4}|{:.1f}'.format('x', 2.25) }}", "a-007    x|2.2"},
    {"{{ strftime_now('%d %b %Y') }}", "02 Jan 2026"},
    {"{{ raise_exception('no') }}", NULL},
    {"{{ 'a' ~ 1 ~ none }} {{ 'x' * 3 }} {{ s.split(', ') | last | lower }}", "a1None xxx world"},
    {"{{ '7' | int(3, 99) }} {{ '1f' | int(0, 16) }}", "3 31"},
    {"{% include 'x' %}", NULL},
    {"{{ l", NULL},
    {"{% for x in l %}", NULL},
};

static void test_language(void) {
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct chat_text out;
        struct err e = {0};
        test_case("template: %.60s", cases[i].source);
        bool ok = render(cases[i].source, &out, &e);
        if (!cases[i].wanted) {
            CHECK_FAILS(ok, &e, ERR_INPUT, "chat template: line ");
        } else if (CHECK_MSG(ok, "%s", e.text)) {
            buf_char(&out.text, '\0');
            CHECK_STR(out.text.ptr, cases[i].wanted);
        }
        chat_text_free(&out);
    }
}

// Templates whose output is all of one origin: '+' from the template, '-' from data.
static const struct {
    const char *source, *origins;
} origins[] = {
    {"ab{{ n }}{{ 'cd' }}", "++-++"},
    {"{{ x }}", "-------"},
    {"{{ bos_token }}", "+++"},
    {"{{ '<' ~ x[2:5] ~ '>' }}", "+---+"},
    {"{{ ('a' + x + 'b')[1:] }}", "-------+"},
    {"{{ ('a' + x + 'b') | upper }}", "+-------+"},
    {"{{ ['a', x, 'b'] | join('|') }}", "++-------++"},
    {"{{ x | replace('end', 'E') }}", "--+--"},
    {"{{ '%s!' % x }}", "-------+"},
    {"{{ '{}!'.format(x) }}", "-------+"},
    {"{% set v %}a{{ x }}{% endset %}{{ v }}", "+-------"},
    {"{% macro m(v) %}[{{ v }}]{% endmacro %}{{ m(x) }}", "+-------+"},
    {"{{ x | tojson }}", "---------"},
    {"{{ [x] }}", "-----------"},
    {"{{ 'a\\n' + x | indent(1, true) }}", "++--------"},
    {"{{ x.split('|')[1] ~ ('a ' ~ x).split()[0] }}", "---+"},
    {"{{ messages[0].role }}{{ messages[0].content }}", "++++-------"},
    {"{{ messages[1].role }}", "-------"},
    {"{{ ('<|' ~ x | trim('<>|') ~ '|>')[::-1] }}", "++---++"},
};

static void test_origins(void) {
    for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
        struct chat_text out;
        struct err e = {0};
        char got[64] = {0};
        test_case("template: origin of the characters of %.60s", origins[i].source);
        if (CHECK_CALL(render(origins[i].source, &out, &e), &e) && CHECK(out.text.len < sizeof got)) {
            memset(got, '-', out.text.len);
            for (size_t k = 0; k < out.trusted.n; k++)
                memset(got + out.trusted.ptr[k].begin, '+', out.trusted.ptr[k].end - out.trusted.ptr[k].begin);
            CHECK_STR(got, origins[i].origins);
        }
        chat_text_free(&out);
    }
}

// Work, memory, output and depth have bounds; each of these exceeds one.
static const char *const harmful[] = {
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% set s = 'x' * 100000000 %}{{ s * 100000000 }}",
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
    "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
    "{{ range(9999999999) }}",
    "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
    "{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}",
    "{% set l = [1] %}{% for i in l %}{% set _ = l.append(i) %}{% endfor %}",
    "{{ '%999999999d' % 1 }}",
    "{{ 'x'.center(99999999999) }}",
    "{{ 0xcaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }}",
    "{% generation 0xffffffffffffffffff %}",
};

static void test_nesting(const char *open, size_t n) {
    struct chat_text out;
    struct err e = {0};
    struct buf source = {0};
    test_case("template: %zu times %s", n, open);
    buf_str(&source, "{{ ");
    for (size_t i = 0; i < n; i++)
        buf_str(&source, open);
    buf_char(&source, '\0');
    CHECK_FAILS(render(source.ptr, &out, &e), &e, ERR_INPUT, "line ");
    chat_text_free(&out);
    buf_free(&source);
}

static void test_harm(void) {
    for (size_t i = 0; i < ARRAY_LEN(harmful); i++) {
        struct chat_text out;
        struct err e = {0};
        test_case("template: bounded: %.60s", harmful[i]);
        CHECK_FAILS(render(harmful[i], &out, &e), &e, ERR_INPUT, "line ");
        chat_text_free(&out);
    }
    static const char *const opens[] = {"(", "[", "{'a':", "-", "not ", "1+", "1|abs|", "x if ", "x.y.", "l[", "f("};
    for (size_t i = 0; i < ARRAY_LEN(opens); i++)
        test_nesting(opens[i], 100000);
    test_nesting("}}{% if t %}{{", 100000);
}

void unit_template(void) {
    test_language();
    test_origins();
    test_harm();
}
