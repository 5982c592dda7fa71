// SPDX-License-Identifier: MIT
// Calls of tools in every form, and in none: each text cut anywhere, and with any byte wrong, still gives JSON.
#include "tests/test.h"

#include <string.h>

#include "text/tool_calls.h"

#define PARIS "{\"name\":\"get_weather\",\"arguments\":{\"city\":\"Paris\"}}"
#define ONE "{\"content\":\"\",\"tool_calls\":[" PARIS "]}\n"

static const char tools_text[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"properties\":{\"s\":{"
    "\"type\":\"string\"},\"n\":{\"type\":\"integer\"}}}}}]";

static const struct {
    const char *text, *wanted;
} cases[] = {
    {"", "{\"content\":\"\",\"tool_calls\":[]}\n"},
    {" plain <b> text\n", "{\"content\":\"plain <b> text\",\"tool_calls\":[]}\n"},
    {"<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>", ONE},
    {"Let me see.\n<tool_call>\n" PARIS "\n</tool_call>\n<tool_call>" PARIS "</tool_call>",
     "{\"content\":\"Let me see.\",\"tool_calls\":[" PARIS "," PARIS "]}\n"},
    {"<tool_call>{\"name\":\"get_weather\",\"arguments\":\"{\\\"city\\\":\\\"Paris\\\"}\"}", ONE},
    {"<tool_call>{\"name\":\"f\"}</tool_call>",
     "{\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"arguments\":{}}]}\n"},
    {"<tool_call>{\"name\":3}</tool_call>",
     "{\"content\":\"<tool_call>{\\\"name\\\":3}</tool_call>\",\"tool_calls\":[]}\n"},
    {"<tool_call>\n<function=f>\n<parameter=s>\n12\n</parameter>\n<parameter=n>\n12\n</"
     "parameter>\n<parameter=x>\na\nb\n"
     "</parameter>\n</function>\n</tool_call>",
     "{\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"arguments\":{\"s\":\"12\",\"n\":12,\"x\":\"a\\nb\"}}]}\n"},
    {"<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>", ONE},
    {"<function=get_weather>{\"city\": \"Paris\"}</function>", ONE},
    {"<seed:tool_call><function=get_weather><parameter=city>Paris</parameter></function></seed:tool_call>", ONE},
    {"<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>", ONE},
    {"<tool_call>get_weather<arg_key>city</arg_key><arg_value>Paris</arg_value></tool_call>", ONE},
    {"<minimax:tool_call>\n<invoke name=\"get_weather\">\n<parameter name=\"city\">Paris</parameter>\n</invoke>\n"
     "</minimax:tool_call>",
     ONE},
    {"\n\n<\xEF\xBD\x9C"
     "DSML\xEF\xBD\x9C"
     "function_calls>\n<\xEF\xBD\x9C"
     "DSML\xEF\xBD\x9Cinvoke name=\"get_weather\">\n"
     "<\xEF\xBD\x9C"
     "DSML\xEF\xBD\x9Cparameter name=\"city\" string=\"true\">Paris</\xEF\xBD\x9C"
     "DSML\xEF\xBD\x9Cparameter>\n"
     "</\xEF\xBD\x9C"
     "DSML\xEF\xBD\x9Cinvoke>\n</\xEF\xBD\x9C"
     "DSML\xEF\xBD\x9C"
     "function_calls>",
     ONE},
    {"<\xEF\xBD\x9Ctool\xE2\x96\x81"
     "calls\xE2\x96\x81"
     "begin\xEF\xBD\x9C><\xEF\xBD\x9Ctool\xE2\x96\x81"
     "call\xE2\x96\x81"
     "begin\xEF\xBD\x9C>function<\xEF\xBD\x9Ctool\xE2\x96\x81sep\xEF\xBD\x9C>get_weather\n```json\n{\"city\": "
     "\"Paris\"}\n```"
     "<\xEF\xBD\x9Ctool\xE2\x96\x81"
     "call\xE2\x96\x81"
     "end\xEF\xBD\x9C><\xEF\xBD\x9Ctool\xE2\x96\x81"
     "calls\xE2\x96\x81"
     "end\xEF\xBD\x9C>",
     ONE},
    {"<\xEF\xBD\x9Ctool\xE2\x96\x81"
     "call\xE2\x96\x81"
     "begin\xEF\xBD\x9C>get_weather<\xEF\xBD\x9Ctool\xE2\x96\x81sep\xEF\xBD\x9C>"
     "{\"city\": \"Paris\"}<\xEF\xBD\x9Ctool\xE2\x96\x81"
     "call\xE2\x96\x81"
     "end\xEF\xBD\x9C>",
     ONE},
    {"{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Paris\"}}", ONE},
    {"<|python_tag|>{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Paris\"}}", ONE},
    {"<|python_tag|>get_weather.call(city=\"Paris\")", ONE},
    {"<|python_tag|>f.c\xFE\xFF\xFF\xFFx=1)", // without the bracket that opens
     "{\"content\":\"<|python_tag|>f.c\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx=1)\",\"tool_calls\":[]}\n"},
    {"{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Paris\"}}; {\"name\": \"f\", \"parameters\": {}}",
     "{\"content\":\"\",\"tool_calls\":[" PARIS ",{\"name\":\"f\",\"arguments\":{}}]}\n"},
    {"{\"name\": \"Ada\"} is a person",
     "{\"content\":\"{\\\"name\\\": \\\"Ada\\\"} is a person\",\"tool_calls\":[]}\n"},
    {"[TOOL_CALLS][{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}, \"id\": \"abcdefghi\"}]", ONE},
    {"[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Paris\"}[TOOL_CALLS]f[CALL_ID]123456789[ARGS]{}",
     "{\"content\":\"\",\"tool_calls\":[" PARIS ",{\"name\":\"f\",\"arguments\":{}}]}\n"},
    {"<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}]", ONE},
    {"<|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": \"get_weather\", \"parameters\": {\"city\": "
     "\"Paris\"}}\n]"
     "<|END_ACTION|>",
     ONE},
    {"Action: ```json\n[\n    {\n        \"tool_name\": \"get_weather\",\n        \"parameters\": {\"city\": "
     "\"Paris\"}\n    }\n]```",
     ONE},
    {"<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{\"city\": "
     "\"Paris\"}<|tool_call_end|><|tool_calls_section_end|>",
     ONE},
    {"<|tool_calls|><|tool_call:begin|>id1<|tool_call:name|>get_weather<|tool_call:args|>{\"city\": \"Paris\"}"
     "<|tool_call:end|>",
     ONE},
    {"<|tools_prefix|>[{\"get_weather\": {\"city\": \"Paris\"}}]<|tools_suffix|>", ONE},
    {"<TOOLCALL>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}]</TOOLCALL>", ONE},
    {"<|tool_call_start|>[get_weather(city='Paris')]<|tool_call_end|>", ONE},
    {"<|tool_call_start|>[f(s='it\\'s', n=-1.5, l=[1, (2, None)], d={'k': True})]<|tool_call_end|>",
     "{\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"arguments\":{\"s\":\"it's\",\"n\":-1.5,\"l\":[1,[2,null]],"
     "\"d\":{\"k\":"
     "true}}}]}\n"},
    {"<|tool_call>call:get_weather{city:<|\"|>Paris<|\"|>}<tool_call|>", ONE},
    {"<|tool_call>call:f{l:[1,<|\"|>a\"b<|\"|>],o:{k:true}}<tool_call|>",
     "{\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"arguments\":{\"l\":[1,\"a\\\"b\"],\"o\":{\"k\":true}}}]}\n"},
    {"<|start|>assistant<|channel|>commentary to=functions.get_weather "
     "<|constrain|>json<|message|>{\"city\":\"Paris\"}",
     ONE},
    {"<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{\"city\":\"Paris\"}<|call|>",
     ONE},
    {"<|start|>assistant<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>commentary "
     "to=functions.f<|message|>not json",
     "{\"content\":\"I look.\",\"tool_calls\":[{\"name\":\"f\",\"arguments\":\"not json\"}]}\n"},
    {" functools[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}]", ONE},
    {"<tool_call>{\"name\":\"f\",\"arguments\":{\"s\":\"</tool_call>\"}}</tool_call>",
     "{\"content\":\"\",\"tool_calls\":[{\"name\":\"f\",\"arguments\":{\"s\":\"</tool_call>\"}}]}\n"},
};

static void parse(struct str text, const struct json *tools, struct buf *out) {
    struct tool_calls calls;
    struct err e = {0};
    out->len = 0;
    if (CHECK_CALL(tool_calls_parse(text, tools, &calls, &e), &e))
        tool_calls_write(&calls, (struct str){0}, out);
    tool_calls_free(&calls);
}

static void check_json(const struct buf *text) {
    struct json_doc doc = {0};
    struct err e = {0};
    CHECK_CALL(json_parse(&doc, (struct str){text->ptr, text->len}, "calls", 1, &e), &e);
    json_free(&doc);
}

// Hostile variants of a text.
static void check_harm(const char *text, const struct json *tools) {
    struct buf copy = {0}, out = {0};
    size_t n = strlen(text);
    buf_append(&copy, text, n);
    for (size_t i = 0; i <= n; i++) {
        parse((struct str){copy.ptr, i}, tools, &out);
        check_json(&out);
        for (size_t k = 0; i < n && k < 6; k++) {
            copy.ptr[i] = "\0\"{<\xFF>"[k];
            parse((struct str){copy.ptr, n}, tools, &out);
            check_json(&out);
        }
        if (i < n)
            copy.ptr[i] = text[i];
    }
    buf_free(&copy);
    buf_free(&out);
}

void unit_tools(void) {
    struct json_doc tools = {0};
    struct err e = {0};
    struct buf out = {0};
    test_case("tools: their descriptions are read");
    CHECK_CALL(json_parse(&tools, (struct str){tools_text, sizeof tools_text - 1}, "tools", 1, &e), &e);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        test_case("tools: %.60s", cases[i].text);
        parse((struct str){cases[i].text, strlen(cases[i].text)}, &tools.root, &out);
        buf_char(&out, 0);
        CHECK_STR(out.ptr, cases[i].wanted);
        if (*cases[i].text)
            check_harm(cases[i].text, &tools.root);
    }
    json_free(&tools);
    buf_free(&out);
}
