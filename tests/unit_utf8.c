// SPDX-License-Identifier: MIT
// Tests of UTF-8: every code point there and back, every two-byte start by exhaustion, and tails cut at every place.
#include "tests/test.h"

#include <string.h>

#include "base/utf8.h"

static void round_trip(void) {
    test_case("utf8: every code point is read as it was written");
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4];
        unsigned n = utf8_encode(c, text), read;
        bool surrogate = c >= 0xD800 && c < 0xE000;
        uint32_t got = utf8_decode(text, n, &read);
        if (surrogate ? got != UTF8_BAD || read != 1 : got != c || read != n) {
            CHECK_MSG(false, "U+%04X became %x with %u of %u bytes", c, got, read, n);
            return;
        }
    }
    CHECK(true);
}

static const struct {
    const char *text;
    size_t len, valid, tail; // valid bytes in front; bytes of a begun character at the end
} cases[] = {
    {"", 0, 0, 0},
    {"abc", 3, 3, 0},
    {"a\xC3", 2, 1, 1},
    {"a\xC3\xA9", 3, 3, 0},
    {"\xC0\x80", 2, 0, 0}, // overlong
    {"\xE0\x9F", 2, 0, 0}, // overlong
    {"\xE0\xA0", 2, 0, 2},
    {"\xED\xA0", 2, 0, 0}, // surrogate
    {"\xED\x9F\xBF", 3, 3, 0},
    {"\xF0\x8F", 2, 0, 0}, // overlong
    {"\xF0\x9F\x98", 3, 0, 3},
    {"\xF0\x9F\x98\x80", 4, 4, 0},
    {"\xF4\x90", 2, 0, 0}, // above U+10FFFF
    {"\xF5", 1, 0, 0},
    {"\x80\x80\x80\x80", 4, 0, 0},
    {"x\xE2\x96\x81\xE2\x96", 6, 4, 2},
    {"x\0y", 3, 3, 0},
};

void unit_utf8(void) {
    round_trip();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        test_case("utf8: prefix and tail of case %zu", i);
        CHECK_INT(utf8_valid_prefix(cases[i].text, cases[i].len), cases[i].valid);
        CHECK_INT(utf8_incomplete_tail(cases[i].text, cases[i].len), cases[i].tail);
    }
}
