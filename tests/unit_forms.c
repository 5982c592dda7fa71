// SPDX-License-Identifier: MIT
// The built-in chat forms: each renders a conversation of four turns to the text that is right for its models (the
// texts agree with llama.cpp's, but for alpaca and dots1, which it does not offer), and none is missing here.
#include "tests/test.h"

#include <string.h>

#include "text/dialog.h"
#include "text/forms.h"

// clang-format off
static const struct {
    const char *name, *wanted;
} rows[] = {
    {"phi4", "<|im_start|>system<|im_sep|>S<|im_end|><|im_start|>user<|im_sep|> u <|im_end|><|im_start|>assistant<|im_sep|> a <|im_end|><|im_start|>user<|im_sep|>v<|im_end|><|im_start|>assistant<|im_sep|>"},
    {"smolvlm", "<|im_start|>S\n\nUser:  u <end_of_utterance>\nAssistant:  a <end_of_utterance>\nUser: v<end_of_utterance>\nAssistant:"},
    {"kimi-k2", "<|im_system|>system<|im_middle|>S<|im_end|><|im_user|>user<|im_middle|> u <|im_end|><|im_assistant|>assistant<|im_middle|> a <|im_end|><|im_user|>user<|im_middle|>v<|im_end|><|im_assistant|>assistant<|im_middle|>"},
    {"chatml", "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n u <|im_end|>\n<|im_start|>assistant\n a <|im_end|>\n<|im_start|>user\nv<|im_end|>\n<|im_start|>assistant\n"},
    {"llama4", "<|header_start|>system<|header_end|>\n\nS<|eot|><|header_start|>user<|header_end|>\n\nu<|eot|><|header_start|>assistant<|header_end|>\n\na<|eot|><|header_start|>user<|header_end|>\n\nv<|eot|><|header_start|>assistant<|header_end|>\n\n"},
    {"llama3", "<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nu<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\na<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nv<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
    {"mistral-v7-tekken", "[SYSTEM_PROMPT]S[/SYSTEM_PROMPT][INST] u [/INST] a </s>[INST]v[/INST]"},
    {"mistral-v7", "[SYSTEM_PROMPT] S[/SYSTEM_PROMPT][INST]  u [/INST]  a </s>[INST] v[/INST]"},
    {"mistral-v3-tekken", "[INST]S\n\n u [/INST] a </s>[INST]v[/INST]"},
    {"mistral-v3", "[INST] S\n\n u [/INST] a</s>[INST] v[/INST]"},
    {"mistral-v1", " [INST] S\n\n u  [/INST]  a </s> [INST] v [/INST]"},
    {"llama2", "[INST] S\n u  [/INST] a </s>[INST] v [/INST]"},
    {"llama2-sys", "[INST] <<SYS>>\nS\n<</SYS>>\n\n u  [/INST] a </s>[INST] v [/INST]"},
    {"llama2-sys-bos", "[INST] <<SYS>>\nS\n<</SYS>>\n\n u  [/INST] a </s><s>[INST] v [/INST]"},
    {"llama2-sys-strip", "[INST] <<SYS>>\nS\n<</SYS>>\n\nu [/INST]a</s>[INST] v [/INST]"},
    {"gemma", "<start_of_turn>user\nS\n\nu<end_of_turn>\n<start_of_turn>model\na<end_of_turn>\n<start_of_turn>user\nv<end_of_turn>\n<start_of_turn>model\n"},
    {"command-r", "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>S<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>u<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>a<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>v<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"},
    {"gpt-oss", "<|start|>system<|message|>S<|end|><|start|>user<|message|> u <|end|><|start|>assistant<|message|> a <|return|><|start|>user<|message|>v<|end|><|start|>assistant"},
    {"solar-open", "<|begin|>system<|content|>S<|end|><|begin|>user<|content|> u <|end|><|begin|>assistant<|content|> a <|end|><|begin|>user<|content|>v<|end|><|begin|>assistant"},
    {"phi3", "<|system|>\nS<|end|>\n<|user|>\n u <|end|>\n<|assistant|>\n a <|end|>\n<|user|>\nv<|end|>\n<|assistant|>\n"},
    {"chatglm4", "[gMASK]<sop><|system|>\nS<|user|>\n u <|assistant|>\n a <|user|>\nv<|assistant|>\n"},
    {"chatglm3", "[gMASK]sop<|system|>\n S<|user|>\n  u <|assistant|>\n  a <|user|>\n v<|assistant|>"},
    {"exaone-moe", "<|system|>\nS<|endofturn|>\n<|user|>\nu<|endofturn|>\n<|assistant|>\na<|endofturn|>\n<|user|>\nv<|endofturn|>\n<|assistant|>\n"},
    {"glmedge", "<|system|>\nS<|user|>\n u <|assistant|>\n a <|user|>\nv<|assistant|>"},
    {"zephyr", "<|system|>\nS<|endoftext|>\n<|user|>\n u <|endoftext|>\n<|assistant|>\n a <|endoftext|>\n<|user|>\nv<|endoftext|>\n<|assistant|>\n"},
    {"falcon3", "<|system|>\nS\n<|user|>\n u \n<|assistant|>\n a \n<|user|>\nv\n<|assistant|>\n"},
    {"openchat", "S<|end_of_turn|>GPT4 Correct User:  u <|end_of_turn|>GPT4 Correct Assistant:  a <|end_of_turn|>GPT4 Correct User: v<|end_of_turn|>GPT4 Correct Assistant:"},
    {"minicpm", "S<\xE7\x94\xA8\xE6\x88\xB7>u<AI>a<\xE7\x94\xA8\xE6\x88\xB7>v<AI>"},
    {"deepseek3", "S\n\n<\xEF\xBD\x9CUser\xEF\xBD\x9C> u <\xEF\xBD\x9C""Assistant\xEF\xBD\x9C> a <\xEF\xBD\x9C""end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C><\xEF\xBD\x9CUser\xEF\xBD\x9C>v<\xEF\xBD\x9C""Assistant\xEF\xBD\x9C>"},
    {"deepseek", "S### Instruction:\n u \n### Response:\n a \n<|EOT|>\n### Instruction:\nv\n### Response:\n"},
    {"deepseek2", "S\n\nUser:  u \n\nAssistant:  a <\xEF\xBD\x9C""end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>User: v\n\nAssistant:"},
    {"exaone4", "[|system|]S[|endofturn|]\n[|user|]u\n[|assistant|]a[|endofturn|]\n[|user|]v\n[|assistant|]"},
    {"exaone3", "[|system|]S[|endofturn|]\n[|user|]u\n[|assistant|]a[|endofturn|]\n[|user|]v\n[|assistant|]"},
    {"granite-4.0", "<|start_of_role|>system<|end_of_role|>S<|end_of_text|>\n<|start_of_role|>user<|end_of_role|> u <|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|> a <|end_of_text|>\n<|start_of_role|>user<|end_of_role|>v<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"},
    {"granite-4.1", "<|start_of_role|>system<|end_of_role|>S<|end_of_text|>\n<|start_of_role|>user<|end_of_role|> u <|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|> a <|end_of_text|>\n<|start_of_role|>user<|end_of_role|>v<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"},
    {"granite", "<|start_of_role|>system<|end_of_role|>S<|end_of_text|>\n<|start_of_role|>user<|end_of_role|> u <|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|> a <|end_of_text|>\n<|start_of_role|>user<|end_of_role|>v<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"},
    {"gigachat", "<s>S<|message_sep|>user<|role_sep|> u <|message_sep|>available functions<|role_sep|>[]<|message_sep|>assistant<|role_sep|> a <|message_sep|>user<|role_sep|>v<|message_sep|>available functions<|role_sep|>[]<|message_sep|>assistant<|role_sep|>"},
    {"megrez", "<|role_start|>system<|role_end|>S<|turn_end|><|role_start|>user<|role_end|> u <|turn_end|><|role_start|>assistant<|role_end|> a <|turn_end|><|role_start|>user<|role_end|>v<|turn_end|><|role_start|>assistant<|role_end|>"},
    {"bailing2", "<role>SYSTEM</role>S<|role_end|><role>HUMAN</role> u <|role_end|><role>ASSISTANT</role> a <|role_end|><role>HUMAN</role>v<|role_end|><role>ASSISTANT</role>"},
    {"bailing", "<role>SYSTEM</role>S<role>HUMAN</role> u <role>ASSISTANT</role> a <role>HUMAN</role>v<role>ASSISTANT</role>"},
    {"bailing-think", "<role>SYSTEM</role>S<role>HUMAN</role> u <role>ASSISTANT</role> a <role>HUMAN</role>v<role>ASSISTANT</role><think>"},
    {"dots1", "<|system|>S<|endofsystem|><|userprompt|> u <|endofuserprompt|><|response|> a <|endofresponse|><|userprompt|>v<|endofuserprompt|><|response|>"},
    {"hunyuan-moe", "<|startoftext|>S<|extra_4|><|startoftext|> u <|extra_0|> a <|eos|><|startoftext|>v<|extra_0|>"},
    {"hunyuan-dense", "S<\xEF\xBD\x9Chy_place\xE2\x96\x81holder\xE2\x96\x81no\xE2\x96\x81""3\xEF\xBD\x9C><\xEF\xBD\x9Chy_User\xEF\xBD\x9C> u <\xEF\xBD\x9Chy_Assistant\xEF\xBD\x9C><\xEF\xBD\x9Chy_Assistant\xEF\xBD\x9C> a <\xEF\xBD\x9Chy_place\xE2\x96\x81holder\xE2\x96\x81no\xE2\x96\x81""2\xEF\xBD\x9C><\xEF\xBD\x9Chy_User\xEF\xBD\x9C>v<\xEF\xBD\x9Chy_Assistant\xEF\xBD\x9C>"},
    {"hunyuan-vl", "<\xEF\xBD\x9Chy_begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>S<\xEF\xBD\x9Chy_place\xE2\x96\x81holder\xE2\x96\x81no\xE2\x96\x81""3\xEF\xBD\x9C> u <\xEF\xBD\x9Chy_User\xEF\xBD\x9C> a <\xEF\xBD\x9Chy_Assistant\xEF\xBD\x9C>v<\xEF\xBD\x9Chy_User\xEF\xBD\x9C>"},
    {"seed-oss", "<seed:bos>system\nS<seed:eos><seed:bos>user\n u <seed:eos><seed:bos>assistant\na<seed:eos><seed:bos>user\nv<seed:eos><seed:bos>assistant\n"},
    {"grok-2", "System: S<|separator|>\n\nHuman: u<|separator|>\n\nAssistant:  a <|separator|>\n\nHuman: v<|separator|>\n\nAssistant:"},
    {"pangu-embedded", "[unused9]\xE7\xB3\xBB\xE7\xBB\x9F\xEF\xBC\x9AS[unused10][unused9]\xE7\x94\xA8\xE6\x88\xB7\xEF\xBC\x9A u [unused10][unused9]\xE5\x8A\xA9\xE6\x89\x8B\xEF\xBC\x9A a [unused10][unused9]\xE7\x94\xA8\xE6\x88\xB7\xEF\xBC\x9Av[unused10][unused9]\xE5\x8A\xA9\xE6\x89\x8B\xEF\xBC\x9A"},
    {"monarch", "system\nS</s>\n<s>user\n u </s>\n<s>assistant\n a </s>\n<s>user\nv</s>\n<s>assistant\n"},
    {"orion", "Human: S\n\n u \n\nAssistant: </s> a </s>Human: v\n\nAssistant: </s>"},
    {"vicuna", "S\n\nUSER:  u \nASSISTANT:  a </s>\nUSER: v\nASSISTANT:"},
    {"vicuna-orca", "SYSTEM: S\nUSER:  u \nASSISTANT:  a </s>\nUSER: v\nASSISTANT:"},
    {"alpaca", "S\n\n### Instruction:\n u \n\n### Response:\n a </s>\n\n### Instruction:\nv\n\n### Response:\n"},
    {"rwkv-world", "System: S\n\nUser: u\n\nAssistant: a\n\nUser: v\n\nAssistant:"},
    {"yandex", " \xD0\x9F\xD0\xBE\xD0\xBB\xD1\x8C\xD0\xB7\xD0\xBE\xD0\xB2\xD0\xB0\xD1\x82\xD0\xB5\xD0\xBB\xD1\x8C:  u \n\n \xD0\x90\xD1\x81\xD1\x81\xD0\xB8\xD1\x81\xD1\x82\xD0\xB5\xD0\xBD\xD1\x82:  a \n\n \xD0\x9F\xD0\xBE\xD0\xBB\xD1\x8C\xD0\xB7\xD0\xBE\xD0\xB2\xD0\xB0\xD1\x82\xD0\xB5\xD0\xBB\xD1\x8C: v\n\n \xD0\x90\xD1\x81\xD1\x81\xD0\xB8\xD1\x81\xD1\x82\xD0\xB5\xD0\xBD\xD1\x82:[SEP]"},
};
// clang-format on

void unit_forms(void) {
    static const struct chat_turn turns[] = {
        {.role = "system", .text = {"S", 1}},
        {.role = "user", .text = {" u ", 3}},
        {.role = "assistant", .text = {" a ", 3}},
        {.role = "user", .text = {"v", 1}},
    };
    test_case("forms: the table is whole");
    CHECK_INT(ARRAY_LEN(rows), form_n_rows);
    CHECK(!form_find("no such form") && !form_find(""));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct chat_text text;
        struct err e = {0};
        test_case("forms: %s", rows[i].name);
        const struct form *f = form_find(rows[i].name);
        if (!CHECK(f != NULL))
            continue;
        struct chat_params p = {.template = {f->source, strlen(f->source)}, .now = "2026-01-02T03:04:05"};
        if (CHECK_CALL(chat_render(&p, turns, ARRAY_LEN(turns), &text, &e), &e)) {
            buf_char(&text.text, 0);
            CHECK_STR(text.text.ptr, rows[i].wanted);
        }
        chat_text_free(&text);
    }
}
