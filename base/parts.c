// SPDX-License-Identifier: MIT
// Numbered parts. See base/parts.h.
#include "base/parts.h"

#include <string.h>

#define DIGITS 5
#define SUFFIX_LEN (1 + DIGITS + 4 + DIGITS + 5) // -00001-of-00003.gguf

static bool read_number(const char *digits, uint32_t *out) {
    *out = 0;
    for (int i = 0; i < DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        *out = *out * 10 + (uint32_t)(digits[i] - '0');
    }
    return true;
}

bool parts_parse(const char *path, struct parts_name *out) {
    size_t len = strlen(path);
    if (len < SUFFIX_LEN)
        return false;
    const char *at = path + len - SUFFIX_LEN;
    out->prefix_len = len - SUFFIX_LEN;
    return at[0] == '-' && read_number(at + 1, &out->number) && memcmp(at + 1 + DIGITS, "-of-", 4) == 0 &&
           read_number(at + 5 + DIGITS, &out->count) && strcmp(at + 5 + 2 * DIGITS, ".gguf") == 0;
}

bool parts_path(const char *path, const struct parts_name *name, uint32_t number, struct buf *out) {
    out->len = 0;
    buf_append(out, path, name->prefix_len);
    buf_printf(out, "-%05u-of-%05u.gguf%c", number, name->count, 0);
    return !out->failed;
}
