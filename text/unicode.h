// SPDX-License-Identifier: MIT
// Character properties, as far as tokenizers ask for them: the general category of a code point, and sets of
// categories as bit masks.
#pragma once

#include "base/base.h"

// The general categories, in the order of scripts/unicode-tables.py. Control characters that are white space have a
// class of their own, so that \s too is a set of classes.
// clang-format off
enum uni_class {
    UNI_LU, UNI_LL, UNI_LT, UNI_LM, UNI_LO,
    UNI_MN, UNI_MC, UNI_ME,
    UNI_ND, UNI_NL, UNI_NO,
    UNI_PC, UNI_PD, UNI_PS, UNI_PE, UNI_PI, UNI_PF, UNI_PO,
    UNI_SM, UNI_SC, UNI_SK, UNI_SO,
    UNI_ZS, UNI_ZL, UNI_ZP,
    UNI_CC, UNI_CF, UNI_CS, UNI_CO, UNI_CN,
    UNI_CW, // white space among Cc
};
// clang-format on

#define UNI_BIT(class) (1u << (class))
#define UNI_SET(first, last) ((2u << (last)) - (1u << (first)))
#define UNI_L UNI_SET(UNI_LU, UNI_LO)
#define UNI_M UNI_SET(UNI_MN, UNI_ME)
#define UNI_N UNI_SET(UNI_ND, UNI_NO)
#define UNI_P UNI_SET(UNI_PC, UNI_PO)
#define UNI_S UNI_SET(UNI_SM, UNI_SO)
#define UNI_Z UNI_SET(UNI_ZS, UNI_ZP)
#define UNI_C (UNI_SET(UNI_CC, UNI_CO) | UNI_BIT(UNI_CW))
#define UNI_SPACE (UNI_Z | UNI_BIT(UNI_CW)) // \s of the Unicode-aware regular expression engines

// The class of a code point below 0x110000.
enum uni_class uni_class(uint32_t code_point);

// Simple case mappings: one character to one.
uint32_t uni_to_lower(uint32_t code_point);
uint32_t uni_to_upper(uint32_t code_point);
// The character without its accents: the first of its canonical decomposition.
uint32_t uni_base(uint32_t code_point);
// Columns of a terminal that a character takes: 2 for wide ones, 0 for marks over others, else 1.
unsigned uni_width(uint32_t code_point);

// The classes of U+0000 to U+007F as bits.
extern const uint32_t uni_ascii_bit[128];

// A character of a text: its code point, its class as a bit, its length. Bytes that are not UTF-8 count as U+FFFD and
// are one byte long; behind the end everything is 0 and the code point is UTF8_BAD.
struct uni_char {
    uint32_t code;
    uint32_t bit;
    uint32_t len;
};

struct uni_char uni_char_wide(const char *text, size_t pos, size_t end);

static inline struct uni_char uni_char_at(const char *text, size_t pos, size_t end) {
    if (pos < end && (unsigned char)text[pos] < 0x80) {
        unsigned char c = (unsigned char)text[pos];
        return (struct uni_char){c, uni_ascii_bit[c], 1};
    }
    return uni_char_wide(text, pos, end);
}
