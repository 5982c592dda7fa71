// SPDX-License-Identifier: MIT
// The table of usual chat forms. See text/forms.h. None writes BOS: the prompt gets it where the file says so.
#include "text/forms.h"

#include <string.h>

// clang-format off
#define EACH(body) "{% for m in messages %}" body "{% endfor %}"
#define OPEN(text) "{% if add_generation_prompt %}{{ '" text "' }}{% endif %}"
#define SAY(expression) "{{ " expression " }}"
#define BY_ROLE(system, user, other)                                                                                   \
    "{% if m.role == 'system' %}" SAY(system) "{% elif m.role == 'user' %}" SAY(user)                                  \
    "{% else %}" SAY(other) "{% endif %}"
// Turns of user and assistant in pairs, the system's text inside the first.
#define LLAMA2(system, again, strip)                                                                                   \
    SAY("'[INST] '") "{% set ns = namespace(inside=true) %}"                                                           \
    EACH("{% set c = m.content" strip " %}{% if not ns.inside %}" SAY(again) "{% endif %}"                             \
         "{% set ns.inside = m.role in ['system', 'user'] %}" BY_ROLE(system, "c + ' [/INST]'", "c + '</s>'"))
#define MISTRAL(lead, space, strip)                                                                                    \
    "{% set ns = namespace(inside=false) %}"                                                                           \
    EACH("{% if not ns.inside %}" SAY("'" lead "[INST]" space "'") "{% endif %}"                                       \
         "{% set ns.inside = m.role in ['system', 'user'] %}"                                                          \
         BY_ROLE("m.content + '\\n\\n'", "m.content + '" lead "[/INST]'", "'" space "' + m.content" strip " + '</s>'"))
#define MISTRAL7(space)                                                                                                \
    EACH(BY_ROLE("'[SYSTEM_PROMPT]" space "' + m.content + '[/SYSTEM_PROMPT]'",                                        \
                 "'[INST]" space "' + m.content + '[/INST]'", "'" space "' + m.content + '</s>'"))
// The text of the system goes before the first user's.
#define MERGE_SYSTEM(strip, rest)                                                                                      \
    "{% set ns = namespace(system='') %}"                                                                              \
    EACH("{% if m.role == 'system' %}{% set ns.system = ns.system + m.content" strip " %}{% else %}" rest              \
         "{% endif %}")
#define TAKE_SYSTEM "{% if ns.system %}" SAY("ns.system + '\\n\\n'") "{% set ns.system = '' %}{% endif %}"
#define GRANITE(role)                                                                                                  \
    EACH(SAY("'<|start_of_role|>' + (" role ") + '<|end_of_role|>' + "                                                 \
             "('<|tool_call|>' if m.role == 'assistant_tool_call' else '') + m.content + '<|end_of_text|>\\n'"))       \
    OPEN("<|start_of_role|>assistant<|end_of_role|>")
#define GRANITE_4 "'assistant' if m.role == 'assistant_tool_call' else m.role"
#define BAILING_ROLE "'<role>' + ('HUMAN' if m.role == 'user' else m.role | upper) + '</role>' + m.content"
#define EXAONE(more)                                                                                                   \
    EACH("{% if m.role == 'user' %}" SAY("'[|user|]' + m.content | trim + '\\n'")                                      \
         "{% elif m.role in ['system', 'assistant'" more "] %}"                                                        \
         SAY("'[|' + m.role + '|]' + m.content | trim + '[|endofturn|]\\n'") "{% endif %}")                            \
    OPEN("[|assistant|]")

const struct form form_rows[] = {
    {"phi4", EACH(SAY("'<|im_start|>' + m.role + '<|im_sep|>' + m.content + '<|im_end|>'"))
             OPEN("<|im_start|>assistant<|im_sep|>"), {"<|im_start|>", "<|im_sep|>"}},
    {"smolvlm", SAY("'<|im_start|>'")
                EACH(BY_ROLE("m.content + '\\n\\n'", "'User: ' + m.content + '<end_of_utterance>\\n'",
                             "'Assistant: ' + m.content + '<end_of_utterance>\\n'"))
                OPEN("Assistant:"), {"<|im_start|>", "<end_of_utterance>"}},
    {"kimi-k2", EACH("{% set mark = {'user': '<|im_user|>user', 'assistant': '<|im_assistant|>assistant', "
                     "'tool': '<|im_system|>tool', 'system': '<|im_system|>system'} %}"
                     SAY("(mark[m.role] + '<|im_middle|>' if m.role in mark else '') + m.content + '<|im_end|>'"))
                OPEN("<|im_assistant|>assistant<|im_middle|>"), {"<|im_assistant|>", "<|im_middle|>"}},
    {"chatml", EACH(SAY("'<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n'"))
               OPEN("<|im_start|>assistant\\n"), {"<|im_start|>", "<|im_end|>"}},
    {"llama4", EACH(SAY("'<|header_start|>' + m.role + '<|header_end|>\\n\\n' + m.content | trim + '<|eot|>'"))
               OPEN("<|header_start|>assistant<|header_end|>\\n\\n"), {"<|header_start|>", "<|header_end|>"}},
    {"llama3", EACH(SAY("'<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content | trim + '<|eot_id|>'"))
               OPEN("<|start_header_id|>assistant<|end_header_id|>\\n\\n"), {"<|start_header_id|>", "<|end_header_id|>"}},
    {"mistral-v7-tekken", MISTRAL7(""), {"[SYSTEM_PROMPT]", "[INST]", "\xC4\xA0"}},
    {"mistral-v7", MISTRAL7(" "), {"[SYSTEM_PROMPT]", "[INST]"}},
    {"mistral-v3-tekken", MISTRAL("", "", ""), {"[INST]", "[/INST]", "\xC4\xA0"}},
    {"mistral-v3", MISTRAL("", " ", " | trim"), {"[INST]", "[/INST]"}},
    {"mistral-v1", MISTRAL(" ", " ", ""), {NULL}},
    {"llama2", LLAMA2("c + '\\n'", "'[INST] '", ""), {NULL}},
    {"llama2-sys", LLAMA2("'<<SYS>>\\n' + c + '\\n<</SYS>>\\n\\n'", "'[INST] '", ""), {NULL}},
    {"llama2-sys-bos", LLAMA2("'<<SYS>>\\n' + c + '\\n<</SYS>>\\n\\n'", "'<s>[INST] '", ""), {NULL}},
    {"llama2-sys-strip", LLAMA2("'<<SYS>>\\n' + c + '\\n<</SYS>>\\n\\n'", "'[INST] '", " | trim"), {NULL}},
    {"gemma", MERGE_SYSTEM(" | trim", "{% set role = 'model' if m.role == 'assistant' else m.role %}"
                           SAY("'<start_of_turn>' + role + '\\n'") "{% if role != 'model' %}" TAKE_SYSTEM "{% endif %}"
                           SAY("m.content | trim + '<end_of_turn>\\n'"))
              OPEN("<start_of_turn>model\\n"), {"<start_of_turn>", "<end_of_turn>"}},
    {"command-r", EACH("{% set mark = {'system': '<|SYSTEM_TOKEN|>', 'user': '<|USER_TOKEN|>', "
                       "'assistant': '<|CHATBOT_TOKEN|>'} %}{% if m.role in mark %}"
                       SAY("'<|START_OF_TURN_TOKEN|>' + mark[m.role] + m.content | trim + '<|END_OF_TURN_TOKEN|>'")
                       "{% endif %}")
                  OPEN("<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"), {"<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>"}},
    {"gpt-oss", EACH(SAY("'<|start|>' + m.role + '<|message|>' + m.content + "
                         "('<|return|>' if m.role == 'assistant' else '<|end|>')"))
                OPEN("<|start|>assistant"), {"<|start|>", "<|channel|>", "<|message|>"}},
    {"solar-open", EACH(SAY("'<|begin|>' + m.role + '<|content|>' + m.content + '<|end|>'")) OPEN("<|begin|>assistant"),
     {"<|begin|>", "<|content|>", "<|end|>"}},
    {"phi3", EACH(SAY("'<|' + m.role + '|>\\n' + m.content + '<|end|>\\n'")) OPEN("<|assistant|>\\n"),
     {"<|assistant|>", "<|end|>"}},
    {"chatglm4", "[gMASK]<sop>" EACH(SAY("'<|' + m.role + '|>\\n' + m.content")) OPEN("<|assistant|>\\n"),
     {"[gMASK]", "<sop>", "<|assistant|>"}},
    {"chatglm3", "[gMASK]sop" EACH(SAY("'<|' + m.role + '|>\\n ' + m.content")) OPEN("<|assistant|>"),
     {"[gMASK]", "sop"}},
    {"exaone-moe", EACH("{% if m.role in ['system', 'user', 'assistant', 'tool'] %}"
                        SAY("'<|' + m.role + '|>\\n' + m.content | trim + '<|endofturn|>\\n'") "{% endif %}")
                   OPEN("<|assistant|>\\n"), {"<|assistant|>", "<|endofturn|>"}},
    {"glmedge", EACH(SAY("'<|' + m.role + '|>\\n' + m.content")) OPEN("<|assistant|>"),
     {"<|assistant|>", "<|begin_of_image|>"}},
    {"zephyr", EACH(SAY("'<|' + m.role + '|>\\n' + m.content + '<|endoftext|>\\n'")) OPEN("<|assistant|>\\n"),
     {"<|assistant|>", "<|user|>", "<|endoftext|>"}},
    {"falcon3", EACH(SAY("'<|' + m.role + '|>\\n' + m.content + '\\n'")) OPEN("<|assistant|>\\n"),
     {"<|assistant|>", "<|user|>"}},
    {"openchat", EACH(SAY("('' if m.role == 'system' else 'GPT4 Correct ' + m.role | capitalize + ': ') + m.content + "
                          "'<|end_of_turn|>'"))
                 OPEN("GPT4 Correct Assistant:"), {"<|end_of_turn|>"}},
    {"minicpm", EACH(SAY("'<\xE7\x94\xA8\xE6\x88\xB7>' + m.content | trim + '<AI>' if m.role == 'user' "
                         "else m.content | trim")), {"<\xE7\x94\xA8\xE6\x88\xB7>", "<AI>"}},
    {"deepseek3", EACH(BY_ROLE("m.content + '\\n\\n'", "'<\xEF\xBD\x9CUser\xEF\xBD\x9C>' + m.content",
                               "'<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C>' + m.content + "
                               "'<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>'"))
                  OPEN("<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C>"),
     {"<\xEF\xBD\x9CUser\xEF\xBD\x9C>", "<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C>"}},
    {"deepseek", EACH(BY_ROLE("m.content", "'### Instruction:\\n' + m.content + '\\n'",
                              "'### Response:\\n' + m.content + '\\n<|EOT|>\\n'"))
                 OPEN("### Response:\\n"), {"<|EOT|>"}},
    {"deepseek2", EACH(BY_ROLE("m.content + '\\n\\n'", "'User: ' + m.content + '\\n\\n'",
                               "'Assistant: ' + m.content + "
                               "'<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>'"))
                  OPEN("Assistant:"), {"<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"}},
    {"exaone4", EXAONE(", 'tool'"), {"[|endofturn|]", "[|tool|]"}},
    {"exaone3", EXAONE(""), {"[|endofturn|]", "[|assistant|]"}},
    {"granite-4.0", GRANITE(GRANITE_4), {"<|start_of_role|>", "<tool_call>"}},
    {"granite-4.1", GRANITE(GRANITE_4), {NULL}},
    {"granite", GRANITE("m.role"), {"<|start_of_role|>", "<|end_of_role|>"}},
    {"gigachat", SAY("'<s>'") EACH("{% if m.role == 'system' and loop.first %}" SAY("m.content + '<|message_sep|>'")
                 "{% elif m.role == 'user' %}" SAY("'user<|role_sep|>' + m.content + "
                 "'<|message_sep|>available functions<|role_sep|>[]<|message_sep|>'") "{% elif m.role == 'assistant' %}"
                 SAY("'assistant<|role_sep|>' + m.content + '<|message_sep|>'") "{% endif %}")
                 OPEN("assistant<|role_sep|>"), {"<|message_sep|>", "<|role_sep|>"}},
    {"megrez", EACH(SAY("'<|role_start|>' + m.role + '<|role_end|>' + m.content + '<|turn_end|>'"))
               OPEN("<|role_start|>assistant<|role_end|>"), {"<|role_start|>", "<|turn_end|>"}},
    {"bailing2", "{% if not messages or messages[0].role != 'system' %}"
                 SAY("'<role>SYSTEM</role>detailed thinking off<|role_end|>'") "{% endif %}"
                 EACH(SAY(BAILING_ROLE " + '<|role_end|>'")) OPEN("<role>ASSISTANT</role>"), {"<role>", "<|role_end|>"}},
    {"bailing", EACH(SAY(BAILING_ROLE)) OPEN("<role>ASSISTANT</role>"), {"<role>", "</role>"}},
    {"bailing-think", EACH(SAY(BAILING_ROLE)) OPEN("<role>ASSISTANT</role><think>"), {NULL}},
    {"dots1", EACH(BY_ROLE("'<|system|>' + m.content + '<|endofsystem|>'",
                           "'<|userprompt|>' + m.content + '<|endofuserprompt|>'",
                           "'<|response|>' + m.content + '<|endofresponse|>'"))
              OPEN("<|response|>"), {"<|response|>", "<|userprompt|>"}},
    {"hunyuan-moe", EACH(BY_ROLE("'<|startoftext|>' + m.content + '<|extra_4|>'",
                                 "'<|startoftext|>' + m.content + '<|extra_0|>'", "m.content + '<|eos|>'")),
     {"<|startoftext|>", "<|extra_0|>", "<|extra_4|>"}},
    {"hunyuan-dense", EACH("{% if m.role == 'system' and loop.first %}"
                           SAY("m.content + '<\xEF\xBD\x9Chy_place\xE2\x96\x81holder\xE2\x96\x81no\xE2\x96\x81" "3\xEF\xBD\x9C>'")
                           "{% elif m.role == 'assistant' %}" SAY("'<\xEF\xBD\x9Chy_Assistant\xEF\xBD\x9C>' + m.content + "
                           "'<\xEF\xBD\x9Chy_place\xE2\x96\x81holder\xE2\x96\x81no\xE2\x96\x81" "2\xEF\xBD\x9C>'")
                           "{% elif m.role == 'user' %}" SAY("'<\xEF\xBD\x9Chy_User\xEF\xBD\x9C>' + m.content + "
                           "'<\xEF\xBD\x9Chy_Assistant\xEF\xBD\x9C>'") "{% endif %}"),
     {"<\xEF\xBD\x9Chy_User\xEF\xBD\x9C>", "<\xEF\xBD\x9Chy_place\xE2\x96\x81holder\xE2\x96\x81no\xE2\x96\x81" "3\xEF\xBD\x9C>"}},
    {"hunyuan-vl", SAY("'<\xEF\xBD\x9Chy_begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>'")
                   EACH("{% if m.role == 'system' and loop.first %}"
                        SAY("m.content + '<\xEF\xBD\x9Chy_place\xE2\x96\x81holder\xE2\x96\x81no\xE2\x96\x81" "3\xEF\xBD\x9C>'")
                        "{% elif m.role == 'user' %}" SAY("m.content + '<\xEF\xBD\x9Chy_User\xEF\xBD\x9C>'")
                        "{% elif m.role == 'assistant' %}" SAY("m.content + '<\xEF\xBD\x9Chy_Assistant\xEF\xBD\x9C>'")
                        "{% endif %}"), {NULL}},
    {"seed-oss", EACH(SAY("'<seed:bos>' + m.role + '\\n' + (m.content | trim if m.role == 'assistant' else m.content) + "
                          "'<seed:eos>'")) OPEN("<seed:bos>assistant\\n"), {"<seed:bos>", "<seed:eos>"}},
    {"grok-2", EACH(BY_ROLE("'System: ' + m.content | trim + '<|separator|>\\n\\n'",
                            "'Human: ' + m.content | trim + '<|separator|>\\n\\n'",
                            "'Assistant: ' + m.content + '<|separator|>\\n\\n'"))
               OPEN("Assistant:"), {"<|separator|>"}},
    {"pangu-embedded", "{% if not messages or messages[0].role != 'system' %}"
                       SAY("'[unused9]\xE7\xB3\xBB\xE7\xBB\x9F\xEF\xBC\x9A[unused10]'") "{% endif %}"
                       EACH("{% set mark = {'system': '\xE7\xB3\xBB\xE7\xBB\x9F', 'user': '\xE7\x94\xA8\xE6\x88\xB7', "
                            "'assistant': '\xE5\x8A\xA9\xE6\x89\x8B', 'tool': '\xE5\xB7\xA5\xE5\x85\xB7', "
                            "'function': '\xE6\x96\xB9\xE6\xB3\x95'} %}{% if m.role in mark %}"
                            SAY("'[unused9]' + mark[m.role] + '\xEF\xBC\x9A' + m.content + '[unused10]'") "{% endif %}")
                       OPEN("[unused9]\xE5\x8A\xA9\xE6\x89\x8B\xEF\xBC\x9A"), {"[unused9]", "[unused10]", "\xE2\x96\x81"}},
    {"monarch", EACH(SAY("('' if loop.first else '<s>') + m.role + '\\n' + m.content + '</s>\\n'"))
                OPEN("<s>assistant\\n"), {NULL}},
    {"orion", MERGE_SYSTEM("", "{% if m.role == 'user' %}" SAY("'Human: '") TAKE_SYSTEM
                           SAY("m.content + '\\n\\nAssistant: </s>'") "{% else %}" SAY("m.content + '</s>'") "{% endif %}"),
     {NULL}},
    {"vicuna", EACH(BY_ROLE("m.content + '\\n\\n'", "'USER: ' + m.content + '\\n'",
                            "'ASSISTANT: ' + m.content + '</s>\\n'")) OPEN("ASSISTANT:"), {NULL}},
    {"vicuna-orca", EACH(BY_ROLE("'SYSTEM: ' + m.content + '\\n'", "'USER: ' + m.content + '\\n'",
                                 "'ASSISTANT: ' + m.content + '</s>\\n'")) OPEN("ASSISTANT:"), {NULL}},
    {"alpaca", EACH(BY_ROLE("m.content + '\\n\\n'", "'### Instruction:\\n' + m.content + '\\n\\n'",
                            "'### Response:\\n' + m.content + '</s>\\n\\n'")) OPEN("### Response:\\n"), {NULL}},
    {"rwkv-world", EACH("{% if m.role == 'system' %}" SAY("'System: ' + m.content | trim + '\\n\\n'")
                        "{% elif m.role == 'user' %}" SAY("'User: ' + m.content | trim + '\\n\\n' + "
                        "('Assistant:' if loop.last else '')") "{% elif m.role == 'assistant' %}"
                        SAY("'Assistant: ' + m.content | trim + '\\n\\n'") "{% endif %}"), {NULL}},
    {"yandex", EACH("{% if m.role == 'user' %}"
                    SAY("' \xD0\x9F\xD0\xBE\xD0\xBB\xD1\x8C\xD0\xB7\xD0\xBE\xD0\xB2\xD0\xB0\xD1\x82\xD0\xB5\xD0\xBB\xD1\x8C: ' + "
                        "m.content + '\\n\\n'") "{% elif m.role == 'assistant' %}"
                    SAY("' \xD0\x90\xD1\x81\xD1\x81\xD0\xB8\xD1\x81\xD1\x82\xD0\xB5\xD0\xBD\xD1\x82: ' + m.content + '\\n\\n'")
                    "{% endif %}")
               OPEN(" \xD0\x90\xD1\x81\xD1\x81\xD0\xB8\xD1\x81\xD1\x82\xD0\xB5\xD0\xBD\xD1\x82:[SEP]"), {NULL}},
};
// clang-format on

const size_t form_n_rows = ARRAY_LEN(form_rows);

const struct form *form_find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(form_rows); i++)
        if (strcmp(form_rows[i].name, name) == 0)
            return &form_rows[i];
    return NULL;
}

static bool has_marks(const struct form *f, const struct tokenizer *t) {
    for (size_t i = 0; i < ARRAY_LEN(f->marks) && f->marks[i]; i++)
        if (tok_find(t, f->marks[i], strlen(f->marks[i])) < 0)
            return false;
    return f->marks[0] != NULL;
}

const struct form *form_suggest(const struct tokenizer *t) {
    for (size_t i = 0; i < ARRAY_LEN(form_rows); i++)
        if (has_marks(&form_rows[i], t))
            return &form_rows[i];
    return NULL;
}
