// SPDX-License-Identifier: MIT
// UTF-8 as base/utf8.h describes it. Decoding is strict: what the Unicode standard calls ill-formed is reported byte by
// byte, so a caller can pass such bytes on unchanged.
#include "base/utf8.h"

// Length of the sequence that a lead byte opens, and the range that its second byte must lie in; 0 for bytes that open
// nothing. The ranges exclude overlong forms, surrogates and code points above U+10FFFF.
static unsigned lead_length(unsigned char lead, unsigned char *low, unsigned char *high) {
    *low = 0x80;
    *high = 0xBF;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    if (lead < 0xE0)
        return 2;
    if (lead < 0xF0) {
        *low = lead == 0xE0 ? 0xA0 : 0x80;
        *high = lead == 0xED ? 0x9F : 0xBF;
        return 3;
    }
    *low = lead == 0xF0 ? 0x90 : 0x80;
    *high = lead == 0xF4 ? 0x8F : 0xBF;
    return 4;
}

// How many bytes of text agree with the sequence that its first byte opens; *want is that sequence's length.
static unsigned sequence_prefix(const unsigned char *text, size_t len, unsigned *want) {
    unsigned char low, high;
    *want = lead_length(text[0], &low, &high);
    if (!*want)
        return 0;
    unsigned n = 1;
    while (n < *want && n < len && text[n] >= low && text[n] <= high) {
        n++;
        low = 0x80;
        high = 0xBF;
    }
    return n;
}

uint32_t utf8_decode(const char *text, size_t len, unsigned *n) {
    const unsigned char *p = (const unsigned char *)text;
    *n = 1;
    if (p[0] < 0x80)
        return p[0];
    unsigned want;
    unsigned have = sequence_prefix(p, len, &want);
    if (!want || have < want)
        return UTF8_BAD;
    *n = want;
    uint32_t c = p[0] & (0x7Fu >> want);
    for (unsigned i = 1; i < want; i++)
        c = c << 6 | (p[i] & 0x3Fu);
    return c;
}

unsigned utf8_encode(uint32_t c, char out[4]) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    unsigned n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (unsigned i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00u >> n & 0xFF) | c);
    return n;
}

size_t utf8_valid_prefix(const char *text, size_t len) {
    size_t i = 0;
    while (i < len) {
        unsigned n;
        if (utf8_decode(text + i, len - i, &n) == UTF8_BAD)
            break;
        i += n;
    }
    return i;
}

size_t utf8_incomplete_tail(const char *text, size_t len) {
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        const unsigned char *p = (const unsigned char *)text + len - back;
        if ((*p & 0xC0) == 0x80)
            continue;
        unsigned want;
        unsigned have = sequence_prefix(p, back, &want);
        return want > back && have == back ? back : 0;
    }
    return 0;
}
