// SPDX-License-Identifier: MIT
// Words in texts. See base/find.h.
#include "base/find.h"

#include <string.h>

size_t find_word(struct str text, const char *const *words, size_t n) {
    size_t first = text.len;
    for (size_t i = 0; i < n && text.len; i++) {
        const char *at = memmem(text.ptr, text.len, words[i], strlen(words[i]));
        if (at)
            first = min_size(first, (size_t)(at - text.ptr));
    }
    return first;
}

size_t find_begun(struct str text, const char *const *words, size_t n) {
    size_t most = 0;
    for (size_t i = 0; i < n && text.len; i++) {
        size_t k = min_size(strlen(words[i]) - 1, text.len);
        while (k > most && memcmp(text.ptr + text.len - k, words[i], k) != 0)
            k--;
        most = max_size(most, k);
    }
    return most;
}

bool find_starts(struct str text, const char *word) {
    size_t n = strlen(word);
    return n <= text.len && (!n || memcmp(text.ptr, word, n) == 0);
}

bool find_ends(struct str text, const char *word) {
    size_t n = strlen(word);
    return n <= text.len && (!n || memcmp(text.ptr + text.len - n, word, n) == 0);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct str find_trim(struct str text) {
    while (text.len && is_blank(text.ptr[text.len - 1]))
        text.len--;
    while (text.len && is_blank(*text.ptr)) {
        text.ptr++;
        text.len--;
    }
    return text;
}
