// SPDX-License-Identifier: MIT
// Character properties looked up in the generated tables.
#include "text/unicode.h"

#include "base/utf8.h"
#include "text/unicode_tables.h"

// clang-format off
#define CC UNI_BIT(UNI_CC)
#define CW UNI_BIT(UNI_CW)
#define LU UNI_BIT(UNI_LU)
#define LL UNI_BIT(UNI_LL)
#define ND UNI_BIT(UNI_ND)
#define PC UNI_BIT(UNI_PC)
#define PD UNI_BIT(UNI_PD)
#define PS UNI_BIT(UNI_PS)
#define PE UNI_BIT(UNI_PE)
#define PO UNI_BIT(UNI_PO)
#define SM UNI_BIT(UNI_SM)
#define SC UNI_BIT(UNI_SC)
#define SK UNI_BIT(UNI_SK)
#define ZS UNI_BIT(UNI_ZS)
const uint32_t uni_ascii_bit[128] = {
    CC, CC, CC, CC, CC, CC, CC, CC, CC, CW, CW, CW, CW, CW, CC, CC,
    CC, CC, CC, CC, CC, CC, CC, CC, CC, CC, CC, CC, CC, CC, CC, CC,
    ZS, PO, PO, PO, SC, PO, PO, PO, PS, PE, PO, SM, PO, PD, PO, PO,
    ND, ND, ND, ND, ND, ND, ND, ND, ND, ND, PO, PO, SM, SM, SM, PO,
    PO, LU, LU, LU, LU, LU, LU, LU, LU, LU, LU, LU, LU, LU, LU, LU,
    LU, LU, LU, LU, LU, LU, LU, LU, LU, LU, LU, PS, PO, PE, SK, PC,
    SK, LL, LL, LL, LL, LL, LL, LL, LL, LL, LL, LL, LL, LL, LL, LL,
    LL, LL, LL, LL, LL, LL, LL, LL, LL, LL, LL, PS, SM, PE, SM, CC,
};
// clang-format on

enum uni_class uni_class(uint32_t code_point) {
    return uni_classes[uni_blocks[code_point / UNI_BLOCK] * UNI_BLOCK + code_point % UNI_BLOCK];
}

static uint32_t map_case(const struct uni_run *runs, size_t n, uint32_t code_point) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (runs[middle].last < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    bool in_run = low < n && code_point >= runs[low].first && (code_point - runs[low].first) % runs[low].step == 0;
    return in_run ? code_point + (uint32_t)runs[low].added : code_point;
}

uint32_t uni_to_lower(uint32_t code_point) {
    if (code_point < 0x80)
        return code_point - 'A' < 26 ? code_point + 32 : code_point;
    return map_case(uni_lower, ARRAY_LEN(uni_lower), code_point);
}

uint32_t uni_to_upper(uint32_t code_point) {
    return map_case(uni_upper, ARRAY_LEN(uni_upper), code_point);
}

uint32_t uni_base(uint32_t code_point) {
    if (code_point < 0x80)
        return code_point;
    bool hangul = code_point >= 0xAC00 && code_point <= 0xD7A3; // syllables are decomposed by rule
    return hangul ? 0x1100 + (code_point - 0xAC00) / 588 : map_case(uni_bases, ARRAY_LEN(uni_bases), code_point);
}

struct uni_char uni_char_wide(const char *text, size_t pos, size_t end) {
    if (pos >= end)
        return (struct uni_char){UTF8_BAD, 0, 0};
    unsigned n;
    uint32_t code = utf8_decode(text + pos, end - pos, &n);
    if (code == UTF8_BAD)
        return (struct uni_char){0xFFFD, UNI_BIT(UNI_SO), 1};
    return (struct uni_char){code, UNI_BIT(uni_class(code)), n};
}

unsigned uni_width(uint32_t code_point) {
    uint32_t none = UNI_BIT(UNI_MN) | UNI_BIT(UNI_ME) | UNI_BIT(UNI_CF);
    if (UNI_BIT(uni_class(code_point)) & none)
        return 0;
    return map_case(uni_wide, ARRAY_LEN(uni_wide), code_point) == code_point ? 1 : 2;
}
