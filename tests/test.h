// SPDX-License-Identifier: MIT
// Reporting for every test program: one line per case on standard output, `ok NAME`, `not ok NAME: why` or
// `skip NAME: why`. A case begins with test_case and ends where the next begins; its first failed check is its reason,
// and nothing stops at a failure.
#pragma once

#include "base/base.h"
#include "base/err.h"

// Set where a sanitizer slows the program down, so that limits on time mean nothing.
#if defined(__SANITIZE_ADDRESS__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#define TEST_SANITIZED __has_feature(address_sanitizer)
#else
#define TEST_SANITIZED 0
#endif

void test_case(const char *format, ...) PRINTF_LIKE(1, 2);
void test_skip(const char *format, ...) PRINTF_LIKE(1, 2); // ends the current case as skipped
// Returns ok, so that a test can give up on what depends on it.
bool test_check(bool ok, const char *file, int line, const char *format, ...) PRINTF_LIKE(4, 5);
// Ends the last case; returns the exit status of the program: 0, or 1 after a failure or when no case ran.
int test_end(void);

#define CHECK(condition) test_check(condition, __FILE__, __LINE__, "%s", #condition)
#define CHECK_MSG(condition, ...) test_check(condition, __FILE__, __LINE__, __VA_ARGS__)
// Integers of any type.
#define CHECK_INT(got, wanted) test_int((long long)(got), (long long)(wanted), __FILE__, __LINE__, #got)
// Terminated strings.
#define CHECK_STR(got, wanted) test_str(got, wanted, __FILE__, __LINE__, #got)
// A call that must succeed or tell its error.
#define CHECK_CALL(call, e) test_check(call, __FILE__, __LINE__, "%s: %s", #call, (e)->text)
// A call that must fail with this class and with these words in its line.
#define CHECK_FAILS(call, e, class, words) test_fails(!(call), e, class, words, __FILE__, __LINE__, #call)

bool test_int(long long got, long long wanted, const char *file, int line, const char *what);
bool test_str(const char *got, const char *wanted, const char *file, int line, const char *what);
bool test_fails(bool failed, const struct err *e, enum err_class class, const char *words, const char *file, int line,
                const char *what);

// The unit tests, each in its own file.
#define UNIT(name) void unit_##name(void);
#include "tests/units.h"
