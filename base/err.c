// SPDX-License-Identifier: MIT
// Error texts. Whatever a hostile file puts into a name, the text stays one line that a terminal shows as it is:
// control characters, line separators and bytes that are not UTF-8 become '?', and a text that does not fit ends in
// "...".
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static bool breaks_line(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == UTF8_BAD;
}

static void copy_line(char *out, const char *text) {
    size_t len = strlen(text);
    unsigned n;
    for (size_t i = 0; i < len; i += n) {
        if (breaks_line(utf8_decode(text + i, len - i, &n))) {
            *out++ = '?';
        } else {
            memcpy(out, text + i, n);
            out += n;
        }
    }
    *out = '\0';
}

bool err_set(struct err *e, enum err_class class, const char *format, ...) {
    char text[sizeof e->text]; // apart from e, because an argument may be e->text
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        strcpy(text, "unknown error");
    if (n >= (int)sizeof text)
        memcpy(text + sizeof text - 4, "...", 4);
    e->class = class;
    copy_line(e->text, text);
    return false;
}

bool err_prefix(struct err *e, const char *what) {
    return err_set(e, e->class, "%s: %s", what, e->text);
}

bool err_memory(struct err *e, size_t size, const char *what) {
    return err_set(e, ERR_SYSTEM, "%s: out of memory (%zu bytes wanted)", what, size);
}
