// SPDX-License-Identifier: MIT
// Conversations: thinking told from the answer in every form, however the text is cut into tokens, and prompts in which
// earlier answers keep the ids that they were generated as.
#include "tests/test.h"

#include <string.h>

#include "tests/gguf_write.h"
#include "text/dialog.h"
#include "text/thinking.h"

// Tokens beside the 256 bytes.
static const char *const more[] = {"<think>",      "</think>",    "[THINK]",        "[/THINK]",      "<|start|>",
                                   "<|channel|>",  "<|message|>", "<|end|>",        "<|constrain|>", "<|begin|>",
                                   "<|think|>",    "<|content|>", "<|tool_calls|>", "<|channel>",    "<channel|>",
                                   "<|im_start|>", "<|im_end|>",  "<tool_call>",    "</tool_call>",  "Hel",
                                   "lo",           "\n\n"};
static const int32_t types[] = {4, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1};
_Static_assert(ARRAY_LEN(more) == ARRAY_LEN(types), "a type for each token");

struct fixture {
    struct buf bytes;
    struct gguf *file;
    struct tokenizer *tok;
    struct err e;
};

static bool open_fixture(struct fixture *f) {
    struct gguf_writer w = {0};
    *f = (struct fixture){0};
    gguf_write_byte_vocab(&w, more, types, ARRAY_LEN(more));
    return gguf_write_end(&w, &f->bytes) && gguf_parse(&f->file, f->bytes.ptr, f->bytes.len, "test", &f->e) &&
           tok_open(&f->tok, f->file, &f->e);
}

static void close_fixture(struct fixture *f) {
    tok_close(f->tok);
    gguf_close(f->file);
    buf_free(&f->bytes);
}

// As tokens where `marks`, or byte by byte.
static void encode(const struct fixture *f, const char *text, bool marks, struct ids *ids) {
    struct tok_span all = {0, strlen(text)};
    struct err e;
    ids->len = 0;
    if (marks)
        CHECK(tok_encode(f->tok, &(struct tok_input){.text = text, .len = all.end, .trusted = &all, .n_trusted = 1},
                         ids, &e));
    for (size_t i = 0; !marks && i < all.end; i++)
        ids_push(ids, (unsigned char)text[i]);
}

// What came of a stream: [thought], {frame}, (control), answer.
static bool note(void *user, enum think_part part, const char *bytes, size_t n, struct err *e) {
    static const char open[] = " [({", close[] = " ])}";
    struct buf *out = user;
    bool goes_on = part != THINK_ANSWER && out->len && out->ptr[out->len - 1] == close[part];
    (void)e;
    if (goes_on)
        out->len--;
    else if (part != THINK_ANSWER)
        buf_char(out, open[part]);
    buf_append(out, bytes, n);
    if (part != THINK_ANSWER)
        buf_char(out, close[part]);
    return true;
}

static const struct {
    const char *prompt, *said, *wanted;
    bool as_bytes; // the marks may come as plain text too
} thoughts[] = {
    {"", "plain", "plain", true},
    {"", " \n plain", " \n plain", true},
    {"", "<think>\na\xC3\xA9</think>\n\nb", "[\na\xC3\xA9]b", true},
    {"", " \n<think>a</think>b", "[a]b", true},
    {"", "<think></think>b", "b", true},
    {"", "<think>a</thin", "[a</thin]", true},
    {"", "<think>a</thin</think>b</think>c", "[a</thin]b</think>c", false},
    {"", "<thin>", "<thin>", true},
    {"", "<think", "<think", true},
    {"", "x <thought>a</thought>", "x <thought>a</thought>", true}, // only an answer's beginning is a thought
    {"", "[THINK]a[/THINK]b", "[a]b", true},
    {"", "<thought>a</thought>\nb", "[a]b", true},
    {"",
     "\xE2\x97\x81think\xE2\x96\xB7"
     "a\xE2\x97\x81/think\xE2\x96\xB7"
     "b",
     "[a]b", true},
    {"<|im_start|>assistant\n<think>\n", "a\n</think>\n\nb", "[a\n]b", true},
    {"<|im_start|>assistant\n<think>\n\n</think>\n\n", "b", "b", true},
    {"", "<|channel>thought\na<channel|>b", "[a]b", true},
    {"", "<tool_call>a</tool_call>", "(<tool_call>)a(</tool_call>)", false},
    {"", "<think>a<tool_call></think><tool_call>b", "[a](<tool_call>)b", false},
    {"<|start|>assistant", "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b",
     "[a]{<|start|>assistant<|channel|>final<|message|>}b", false},
    {"<|start|>assistant",
     "<|channel|>analysis<|message|>a<|end|><|start|>assistant to=functions.f<|channel|>commentary "
     "<|constrain|>json<|message|>{}",
     "[a]{<|start|>assistant to=functions.f<|channel|>commentary <|constrain|>json<|message|>}{}", false},
    {"<|begin|>assistant", "<|think|>a<|end|><|begin|>assistant<|content|>b", "[a]{<|begin|>assistant<|content|>}b",
     false},
    {"<|begin|>assistant<|think|>", "a<|end|><|begin|>assistant<|content|>b", "[a]{<|begin|>assistant<|content|>}b",
     false},
};

static void check_thought(const struct fixture *f, size_t row, bool marks) {
    struct think k;
    struct err e = {0};
    struct buf got = {0};
    struct ids prompt = {0}, ids = {0};
    encode(f, thoughts[row].prompt, true, &prompt);
    encode(f, thoughts[row].said, marks, &ids);
    bool ok = think_open(&k, f->tok, note, &got, &e) && think_begin(&k, prompt.ptr, prompt.len, &e);
    for (size_t i = 0; ok && i < ids.len; i++)
        ok = think_push(&k, ids.ptr[i], &e);
    ok = ok && think_end(&k, &e);
    CHECK_CALL(ok, &e);
    buf_char(&got, 0);
    CHECK_STR(got.ptr, thoughts[row].wanted);
    think_close(&k);
    ids_free(&prompt);
    ids_free(&ids);
    buf_free(&got);
}

static void test_split(const struct fixture *f) {
    struct think_texts texts;
    struct err e = {0};
    struct ids ids = {0};
    test_case("chat: a whole generation split");
    encode(f, "<think>\n a \n</think>\n\nb<tool_call>c", true, &ids);
    CHECK_CALL(think_split(f->tok, NULL, 0, ids.ptr, ids.len, &texts, &e), &e);
    buf_char(&texts.thought, 0);
    buf_char(&texts.answer, 0);
    CHECK_STR(texts.thought.ptr, "a");
    CHECK_STR(texts.answer.ptr, "b<tool_call>c");
    think_texts_free(&texts);
    ids_free(&ids);
}

static void test_ending(const struct fixture *f) {
    struct think k;
    struct err e = {0};
    struct buf got = {0};
    test_case("chat: how a thought is ended, and when");
    CHECK(think_open(&k, f->tok, note, &got, &e) && think_begin(&k, NULL, 0, &e));
    CHECK(!think_ending(&k));
    CHECK(think_push(&k, 256, &e)); // <think>
    CHECK_STR(think_ending(&k), "\n</think>\n\n");
    CHECK(think_push(&k, 'a', &e) && think_push(&k, 'b', &e));
    CHECK_INT(k.n_inside, 2);
    CHECK(think_push(&k, 257, &e) && !think_ending(&k));
    think_begin_text(&k);
    CHECK(think_push(&k, 256, &e) && !think_ending(&k)); // in a text that is continued nothing is a thought
    think_close(&k);
    buf_free(&got);
}

// Templates that place an answer in several ways; ids in brackets are those of a turn that was generated.
static const char plain[] = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' }}"
                            "{% endfor %}";
static const char trimmed[] = "{% for m in messages %}{{ m.role + ':' + m.content | trim + '.' }}{% endfor %}";
static const char thinking[] =
    "{% for m in messages %}{{ m.role + ':' }}{% if m.reasoning_content and loop.last %}"
    "{{ '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}{% endif %}{{ m.content + '.' }}{% endfor %}";
static const char spoiled[] = "{% for m in messages %}{{ m.content | upper }}{% endfor %}";

// "Hello" was generated as "Hel" "lo", which no encoding gives: there are no merges.
static const struct {
    const char *template, *user, *thought, *answer, *wanted;
    int32_t ids[8];
    size_t n_ids;
} placings[] = {
    {plain,
     "Hello",
     "",
     "Hello",
     "[<|im_start|>]user\nHello[<|im_end|>][<|im_start|>]assistant\n[Hel][lo][<|im_end|>]",
     {275, 276},
     2},
    {plain,
     "x<|im_end|>",
     "",
     "a<tool_call>b",
     "[<|im_start|>]user\nx<|im_end|>[<|im_end|>][<|im_start|>]assistant\na[<tool_call>]b[<|im_end|>]",
     {'a', 273, 'b'},
     3},
    {trimmed, "Hello ", "", " Hello\n", "user:Hello.assistant:[Hel][lo].", {' ', 275, 276, '\n'}, 4},
    {trimmed, "Hello", "", "Hello \n\n", "user:Hello.assistant:[Hel][lo].", {275, 276, ' ', 277}, 4},
    {thinking,
     "q",
     "Hello",
     "lo",
     "user:q.assistant:[<think>]\n[Hel][lo]\n[</think>]\n\n[lo].",
     {256, '\n', 275, 276, '\n', 257, 277, 276},
     8},
    {spoiled, "q", "", "Hello", "QHELLO", {275, 276}, 2},
    {plain,
     "q",
     "",
     "other",
     "[<|im_start|>]user\nq[<|im_end|>][<|im_start|>]assistant\nother[<|im_end|>]",
     {275, 276},
     2},
    {plain,
     "q",
     "",
     "xHello",
     "[<|im_start|>]user\nq[<|im_end|>][<|im_start|>]assistant\nxHello[<|im_end|>]",
     {275, 276},
     2},
};

// The ids as text, tokens of more than a byte in brackets.
static void spell_ids(const struct fixture *f, const struct ids *ids, struct buf *out) {
    for (size_t i = 0; i < ids->len; i++) {
        bool own = ids->ptr[i] >= 256;
        buf_str(out, own ? "[" : "");
        tok_piece(f->tok, ids->ptr[i], true, out);
        buf_str(out, own ? "]" : "");
    }
    buf_char(out, 0);
}

static void check_placing(const struct fixture *f, size_t row) {
    struct err e = {0};
    struct ids ids = {0};
    struct buf got = {0};
    struct chat_text text;
    const char *user = placings[row].user, *thought = placings[row].thought, *answer = placings[row].answer;
    struct chat_turn turns[] = {{.role = "user", .text = {user, strlen(user)}},
                                {.role = "assistant",
                                 .text = {answer, strlen(answer)},
                                 .thinking = {thought, strlen(thought)},
                                 .ids = placings[row].ids,
                                 .n_ids = placings[row].n_ids}};
    struct chat_params p = {.template = {placings[row].template, strlen(placings[row].template)}, .tok = f->tok};
    CHECK_CALL(chat_render(&p, turns, 2, &text, &e) && chat_encode(f->tok, &text, turns, 2, &ids, &e), &e);
    spell_ids(f, &ids, &got);
    CHECK_STR(got.ptr, placings[row].wanted);
    chat_text_free(&text);
    ids_free(&ids);
    buf_free(&got);
}

// Turns with the same words, one of them without ids.
static void test_turns(const struct fixture *f) {
    static const int32_t said[] = {275, 276};
    struct err e = {0};
    struct ids ids = {0};
    struct buf got = {0};
    struct chat_text text;
    struct chat_turn turns[] = {{.role = "user", .text = {"Hello", 5}},
                                {.role = "assistant", .text = {"Hello", 5}},
                                {.role = "assistant", .text = {"Hello", 5}, .ids = said, .n_ids = 2},
                                {.role = "assistant", .text = {"Hello", 5}, .ids = said, .n_ids = 1}};
    struct chat_params p = {.template = {trimmed, sizeof trimmed - 1}, .tok = f->tok};
    test_case("chat: each turn has its own ids");
    CHECK_CALL(chat_render(&p, turns, 4, &text, &e) && chat_encode(f->tok, &text, turns, 4, &ids, &e), &e);
    spell_ids(f, &ids, &got);
    CHECK_STR(got.ptr, "user:Hello.assistant:Hello.assistant:[Hel][lo].assistant:Hello.");
    chat_text_free(&text);
    ids_free(&ids);
    buf_free(&got);
}

// Every mark of the vocabulary in what a user says, under a template that has them all.
static void test_marks(const struct fixture *f) {
    struct buf source = {0}, said = {0};
    struct err e = {0};
    struct ids ids = {0};
    struct chat_text text;
    test_case("chat: no words of a user become a mark of the template");
    buf_str(&source, "{%- if x %}");
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        buf_str(more[i][0] == '<' || more[i][0] == '[' ? &source : &said, more[i]);
        buf_str(&said, more[i]);
    }
    buf_str(&source, "{%- endif %}<|start|>{{ messages[0].content }}<think>");
    struct chat_turn turn = {.role = "user", .text = {said.ptr, said.len}};
    struct chat_params p = {.template = {source.ptr, source.len}, .tok = f->tok};
    CHECK_CALL(chat_render(&p, &turn, 1, &text, &e) && chat_encode(f->tok, &text, &turn, 1, &ids, &e), &e);
    CHECK_INT(ids.ptr[0], 260);
    CHECK_INT(ids.ptr[ids.len - 1], 256);
    for (size_t i = 1; i + 1 < ids.len; i++)
        CHECK_MSG(ids.ptr[i] < 256 || ids.ptr[i] >= 275, "id %d", ids.ptr[i]);
    chat_text_free(&text);
    ids_free(&ids);
    buf_free(&source);
    buf_free(&said);
}

void unit_chat(void) {
    struct fixture f;
    test_case("chat: the vocabulary opens");
    if (CHECK_CALL(open_fixture(&f), &f.e)) {
        for (size_t i = 0; i < ARRAY_LEN(thoughts); i++) {
            test_case("chat: thinking %zu: %.50s", i, thoughts[i].said);
            check_thought(&f, i, true);
            if (thoughts[i].as_bytes)
                check_thought(&f, i, false);
        }
        test_split(&f);
        test_ending(&f);
        for (size_t i = 0; i < ARRAY_LEN(placings); i++) {
            test_case("chat: ids of an answer in %.40s, %zu", placings[i].template, i);
            check_placing(&f, i);
        }
        test_turns(&f);
        test_marks(&f);
    }
    close_fixture(&f);
}
