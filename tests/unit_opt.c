// SPDX-License-Identifier: MIT
// The command line without running anything: the table of options is consistent, arguments become settings, mistakes
// are named, and every option appears in the help and in the manual.
#include "cmd/cmd.h"

#include <math.h>
#include <string.h>

#include "cmd/help.h"
#include "tests/test.h"

#define PARSE(s, e, ...) parse(s, (char *[]){"pith", __VA_ARGS__, NULL}, e)

static bool parse(struct settings *s, char **argv, struct err *e) {
    int argc = 0;
    while (argv[argc])
        argc++;
    *e = (struct err){0};
    return opt_parse(s, argc, argv, e);
}

static void test_table(void) {
    for (size_t i = 0; i < opt_n_rows; i++) {
        const struct opt *o = &opt_rows[i];
        const char *name = o->name ? o->name : "(letter)";
        CHECK_MSG(o->commands && o->line && o->parse && (o->name || o->letter), "row %zu is incomplete", i);
        CHECK_MSG((o->parse == opt_flag) == !o->arg, "%s: a flag takes no value, everything else does", name);
        CHECK_MSG(o->line[strlen(o->line) - 1] != '.', "%s: the line ends in a period", name);
        for (size_t j = 0; j < i; j++) {
            const struct opt *p = &opt_rows[j];
            bool together = o->commands & p->commands;
            CHECK_MSG(!together || !o->name || !p->name || strcmp(o->name, p->name) != 0, "%s: twice", name);
            CHECK_MSG(!together || !o->letter || o->letter != p->letter, "%s: -%c twice", name, o->letter);
        }
    }
}

static void test_forms(void) {
    struct settings s;
    struct err e;
    CHECK_CALL(PARSE(&s, &e, "one", "-m", "M", "two", "--temp=0.5", "--top-k", "7", "-n5", "-vq", "--", "-x", "--raw"),
               &e);
    CHECK_INT(s.command, CMD_run);
    CHECK_STR(s.model, "M");
    CHECK(s.sample.temp == 0.5f && s.sample.top_k == 7 && s.n_tokens == 5 && s.verbose && s.quiet && !s.continues);
    if (CHECK_INT(s.words.n, 4))
        CHECK_STR(s.words.ptr[2], "-x");
    CHECK(opt_given(&s, "temp") && !opt_given(&s, "seed"));
    opt_free(&s);
    CHECK_CALL(PARSE(&s, &e, "bench", "-p", "3", "-n", "4", "run"), &e);
    CHECK(s.command == CMD_bench && s.n_prompt == 3 && s.n_tokens == 4 && s.words.n == 1);
    opt_free(&s);
    CHECK_CALL(PARSE(&s, &e, "-v", "bench"), &e); // a command is the first argument or there is none
    CHECK(s.command == CMD_run && s.words.n == 1);
    opt_free(&s);
}

static void test_defaults(void) {
    struct settings s;
    struct err e;
    CHECK_CALL(PARSE(&s, &e, "-"), &e);
    CHECK(s.n_tokens == -1 && s.context == 0 && s.kv == KV_F16 && s.words.n == 1 && !s.model && !s.now.given);
    CHECK(s.sample.temp == 0.8f && s.sample.top_k == 40 && s.sample.top_p == 0.95f && s.sample.min_p == 0.05f);
    CHECK(s.sample.repeat_penalty == 1 && s.sample.repeat_last_n == 64 && s.sample.frequency_penalty == 0);
    opt_free(&s);
}

static void test_lists(void) {
    struct settings s;
    struct err e;
    CHECK_CALL(PARSE(&s, &e, "--stop", "a", "-f", "x", "--stop=b", "-f-", "--logit-bias", "5=-1.5",
                     "--logit-bias=6=-inf", "--now", "2024-02-29T23:59:58"),
               &e);
    CHECK(s.stops.n == 2 && s.files.n == 2 && s.sample.n_bias == 2 && s.now.given && s.now.day == 29);
    CHECK_STR(s.stops.ptr[1], "b");
    CHECK_STR(s.files.ptr[1], "-");
    CHECK(s.sample.bias[0].id == 5 && s.sample.bias[0].value == -1.5f && isinf(s.sample.bias[1].value));
    opt_free(&s);
}

static void test_mistakes(void) {
    static const struct {
        char *argv[4];
        const char *words; // in the error
    } rows[] = {
        {{"pith", "--temp", "hot"}, "--temp hot: expected a number from 0 to 100"},
        {{"pith", "--temp", "nan"}, "expected a number"},
        {{"pith", "--temp", " 1"}, "expected a number"},
        {{"pith", "--temp", "1x"}, "expected a number"},
        {{"pith", "--temp="}, "expected a number"},
        {{"pith", "-n", "-1"}, "--tokens -1: expected a whole number from 0"},
        {{"pith", "-n", "99999999999"}, "expected a whole number"},
        {{"pith", "-n", "1.5"}, "expected a whole number"},
        {{"pith", "-n"}, "--tokens: expected a value"},
        {{"pith", "-t", "0"}, "from 1 to 1024"},
        {{"pith", "--seed", "18446744073709551616"}, "from 0 to 18446744073709551615"},
        {{"pith", "--seed", "-1"}, "expected a whole number"},
        {{"pith", "--kv", "q5_0"}, "--kv q5_0: expected f32, f16, q8_0 or q4_0"},
        {{"pith", "--now", "2023-02-29T00:00:00"}, "YYYY-MM-DDTHH:MM:SS"},
        {{"pith", "--now", "2023-02-28T24:00:00"}, "YYYY-MM-DDTHH:MM:SS"},
        {{"pith", "--now", "2023-02-28"}, "YYYY-MM-DDTHH:MM:SS"},
        {{"pith", "--logit-bias", "x=1"}, "ID=NUMBER"},
        {{"pith", "--logit-bias", "1=nan"}, "ID=NUMBER"},
        {{"pith", "--logit-bias", "1="}, "ID=NUMBER"},
        {{"pith", "--stop", ""}, "not empty"},
        {{"pith", "--raw=yes"}, "takes no value"},
        {{"pith", "--tempp", "1"}, "did you mean --temp?"},
        {{"pith", "--repaet-penalty"}, "did you mean --repeat-penalty?"},
        {{"pith", "--sys", "x"}, "did you mean --system?"},
        {{"pith", "--xyzzy-plugh"}, "--help lists them"},
        {{"pith", "--tensors"}, "not an option of run, but of info"},
        {{"pith", "info", "--temp=1"}, "not an option of info, but of run"},
        {{"pith", "-x"}, "-x: unknown option"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct settings s;
        struct err e;
        char *argv[5] = {0};
        memcpy(argv, rows[i].argv, sizeof rows[i].argv);
        CHECK_FAILS(parse(&s, argv, &e), &e, ERR_USAGE, rows[i].words);
        opt_free(&s);
    }
}

static void test_ids(void) {
    struct ids ids = {0};
    struct err e = {0};
    CHECK_CALL(opt_ids("1, 2\n3,,", 8, "ids", &ids, &e), &e);
    CHECK(ids.len == 3 && ids.ptr[2] == 3);
    CHECK_FAILS(opt_ids("1,x", 3, "ids", &ids, &e), &e, ERR_INPUT, "offset 2");
    CHECK_FAILS(opt_ids("1,-2", 4, "ids", &ids, &e), &e, ERR_INPUT, "offset 2");
    CHECK_FAILS(opt_ids("2147483648", 10, "ids", &ids, &e), &e, ERR_INPUT, "offset 0");
    CHECK_FAILS(opt_ids("99999999999999999999999", 23, "ids", &ids, &e), &e, ERR_INPUT, "offset 0");
    ids_free(&ids);
}

static bool mentions(const struct buf *text, const char *name) {
    return memmem(text->ptr, text->len, name, strlen(name)) != NULL;
}

static size_t longest_line(const struct buf *text) {
    size_t longest = 0, at = 0;
    for (size_t i = 0; i < text->len; i++) {
        at = text->ptr[i] == '\n' ? 0 : at + 1;
        longest = max_size(longest, at);
    }
    return longest;
}

static size_t count_lines(const struct buf *text) {
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++)
        n += text->ptr[i] == '\n';
    return n;
}

static void test_help(void) {
    for (unsigned c = 0; c < N_CMDS; c++) {
        struct buf screen = {0}, full = {0};
        help_screen(c, &screen);
        help_full(c, &full);
        CHECK_MSG(count_lines(&screen) <= 24, "%s -h has %zu lines", cmd_table[c].name, count_lines(&screen));
        CHECK_MSG(longest_line(&screen) <= 79, "%s -h: a line is too long", cmd_table[c].name);
        CHECK_MSG(longest_line(&full) <= 79, "%s --help: a line is too long", cmd_table[c].name);
        CHECK_MSG(mentions(&full, "Examples:\n  "), "%s --help has no example", cmd_table[c].name);
        for (size_t i = 0; i < opt_n_rows; i++)
            if (opt_rows[i].name && opt_rows[i].commands >> c & 1)
                CHECK_MSG(mentions(&full, opt_rows[i].name), "%s --help lacks --%s", cmd_table[c].name,
                          opt_rows[i].name);
        buf_free(&screen);
        buf_free(&full);
    }
}

static void test_manual(void) {
    struct buf page = {0};
    help_man(&page);
    for (size_t i = 0; i < opt_n_rows; i++) {
        char name[64] = "\\-\\-";
        for (const char *p = opt_rows[i].name; p && *p; p++)
            strncat(name, *p == '-' ? "\\-" : (char[]){*p, 0}, sizeof name - strlen(name) - 1);
        CHECK_MSG(mentions(&page, name), "the manual lacks %s", name);
    }
    for (unsigned c = 0; c < N_CMDS; c++)
        CHECK_MSG(mentions(&page, cmd_table[c].name), "the manual lacks %s", cmd_table[c].name);
    buf_free(&page);
}

void unit_opt(void) {
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        {"the table is consistent", test_table},
        {"every form of an option", test_forms},
        {"defaults are the documented ones", test_defaults},
        {"options that repeat", test_lists},
        {"mistakes are named", test_mistakes},
        {"lists of ids", test_ids},
        {"help fits and is complete", test_help},
        {"the manual is complete", test_manual},
    };
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        test_case("opt: %s", tests[i].name);
        tests[i].run();
    }
}
