// SPDX-License-Identifier: MIT
// The reporting of the test programs. Its state is the one case that runs, so it is for one thread.
#include "tests/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct {
    char name[160];
    char why[400];
    bool open, failed, skipped;
    unsigned n_cases, n_failed;
} state;

static void make_line(char *text) {
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
}

static void report(void) {
    if (!state.open)
        return;
    make_line(state.name);
    make_line(state.why);
    const char *verdict = state.failed ? "not ok" : state.skipped ? "skip" : "ok";
    bool reason = state.failed || state.skipped;
    printf("%s %s%s%s\n", verdict, state.name, reason ? ": " : "", reason ? state.why : "");
    fflush(stdout);
    state.n_cases++;
    state.n_failed += state.failed;
    state.open = false;
}

void test_case(const char *format, ...) {
    report();
    va_list args;
    va_start(args, format);
    vsnprintf(state.name, sizeof state.name, format, args);
    va_end(args);
    state.open = true;
    state.failed = state.skipped = false;
}

void test_skip(const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (!state.failed)
        vsnprintf(state.why, sizeof state.why, format, args);
    va_end(args);
    state.skipped = true;
}

bool test_check(bool ok, const char *file, int line, const char *format, ...) {
    if (ok || state.failed)
        return ok;
    int n = snprintf(state.why, sizeof state.why, "%s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vsnprintf(state.why + n, sizeof state.why - (size_t)n, format, args);
    va_end(args);
    state.failed = true;
    return false;
}

bool test_int(long long got, long long wanted, const char *file, int line, const char *what) {
    return test_check(got == wanted, file, line, "%s is %lld, expected %lld", what, got, wanted);
}

bool test_str(const char *got, const char *wanted, const char *file, int line, const char *what) {
    return test_check(strcmp(got, wanted) == 0, file, line, "%s is \"%s\", expected \"%s\"", what, got, wanted);
}

bool test_fails(bool failed, const struct err *e, enum err_class class, const char *words, const char *file, int line,
                const char *what) {
    if (!test_check(failed, file, line, "%s succeeds", what))
        return false;
    if (!test_check(e->class == class, file, line, "class %d, expected %d: %s", (int)e->class, (int)class, e->text))
        return false;
    return test_check(strstr(e->text, words) != NULL, file, line, "no \"%s\" in \"%s\"", words, e->text);
}

int test_end(void) {
    report();
    return state.n_cases == 0 || state.n_failed > 0;
}
