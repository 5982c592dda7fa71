// SPDX-License-Identifier: MIT
// Finding numbers that are not finite. Each format has a row that says where its scales lie; where a scale may
// be fine or not, the block is decoded.
#include "quant/finite.h"

#include <stddef.h>

#include "quant/blocks.h"

// A number is not finite when all bits of its exponent are set.
#define HALF_EXPONENT 0x7c00u
#define BRAIN_EXPONENT 0x7f80u
#define SINGLE_EXPONENT 0x7f800000u
#define DOUBLE_EXPONENT 0x7ff0000000000000u
#define RUN 4096 // plain numbers looked at before one asks whether any was wrong

static bool half_bad(const uint8_t *block, size_t at) {
    uint16_t bits;
    memcpy(&bits, block + at, sizeof bits);
    return (bits & HALF_EXPONENT) == HALF_EXPONENT;
}

// The scale of IQ1_M is a half whose four digits of four bits lie on top of four words.
static bool iq1_m_bad(const uint8_t *block, size_t at) {
    const struct block_iq1_m *b = (const void *)block;
    uint32_t bits = 0;
    (void)at;
    for (int i = 0; i < 4; i++)
        bits |= (uint32_t)(b->scales[i] >> 12) << (4 * i);
    return (bits & HALF_EXPONENT) == HALF_EXPONENT;
}

// 255 stands for NaN, and the largest scales times the largest code are no float any more.
static bool mxfp4_bad(const uint8_t *block, size_t at) {
    return block[at] > 252;
}

// Scales of NVFP4 are numbers of 8 bits whose last code stands for NaN.
static bool nvfp4_bad(const uint8_t *block, size_t at) {
    bool bad = false;
    for (size_t i = at; i < at + 4; i++)
        bad |= (block[i] & 0x7f) == 0x7f;
    return bad;
}

// Where the scales of a block lie; second is the same place where there is one scale.
static const struct row {
    bool (*bad)(const uint8_t *block, size_t at);
    size_t first, second;
} rows[N_QUANTS] = {
#define ONE(sym) [QUANT_##sym] = {half_bad, offsetof(struct block_##sym, d), offsetof(struct block_##sym, d)},
#define TWO(sym, min) [QUANT_##sym] = {half_bad, offsetof(struct block_##sym, d), offsetof(struct block_##sym, min)},
    ONE(q4_0) TWO(q4_1, m) ONE(q5_0) TWO(q5_1, m) ONE(q8_0) TWO(q2_k, dmin) ONE(q3_k) TWO(q4_k, dmin) TWO(q5_k, dmin)
        ONE(q6_k) ONE(iq1_s) ONE(iq2_xxs) ONE(iq2_xs) ONE(iq2_s) ONE(iq3_xxs) ONE(iq3_s) ONE(iq4_nl) ONE(iq4_xs)
            ONE(tq1_0) ONE(tq2_0) ONE(q1_0) ONE(q2_0)[QUANT_iq1_m] = {iq1_m_bad, 0, 0},
    [QUANT_mxfp4] = {mxfp4_bad, 0, 0},
    [QUANT_nvfp4] = {nvfp4_bad, 0, 0},
};

static bool decodes_bad(const struct quant_format *f, const void *block) {
    float x[QUANT_MAX_BLOCK];
    bool bad = false;
    quant_decode(f, block, x, f->block_len);
    for (uint32_t i = 0; i < f->block_len; i++)
        bad |= (num_bits(x[i]) & SINGLE_EXPONENT) == SINGLE_EXPONENT;
    return bad;
}

static uint64_t find_block(const struct quant_format *f, const uint8_t *data, uint64_t from, uint64_t n) {
    const struct row *row = &rows[f->index];
    for (uint64_t i = from; row->bad && i < n; i++) {
        const uint8_t *block = data + i * f->block_size;
        bool bad = row->bad(block, row->first) || row->bad(block, row->second);
        if (bad && (f->index != QUANT_mxfp4 || block[0] == 255 || decodes_bad(f, block)))
            return i;
    }
    return n;
}

// The first number of a run whose exponent is all ones; n when there is none. Written without a way out of the inner
// loop, so that compilers make vectors of it.
#define FIND_NUMBER(name, type, exponent)                                                                              \
    static uint64_t name(const uint8_t *data, uint64_t from, uint64_t n) {                                             \
        while (from < n) {                                                                                             \
            uint64_t end = n - from < RUN ? n : from + RUN;                                                            \
            type bits, found = 0;                                                                                      \
            for (uint64_t i = from; i < end; i++) {                                                                    \
                memcpy(&bits, data + i * sizeof bits, sizeof bits);                                                    \
                found |= (type)((bits & exponent) == exponent);                                                        \
            }                                                                                                          \
            if (found)                                                                                                 \
                break;                                                                                                 \
            from = end;                                                                                                \
        }                                                                                                              \
        for (; from < n; from++) {                                                                                     \
            type bits;                                                                                                 \
            memcpy(&bits, data + from * sizeof bits, sizeof bits);                                                     \
            if ((bits & exponent) == exponent)                                                                         \
                break;                                                                                                 \
        }                                                                                                              \
        return from;                                                                                                   \
    }

FIND_NUMBER(find_half, uint16_t, HALF_EXPONENT)
FIND_NUMBER(find_brain, uint16_t, BRAIN_EXPONENT)
FIND_NUMBER(find_single, uint32_t, SINGLE_EXPONENT)
FIND_NUMBER(find_double, uint64_t, DOUBLE_EXPONENT)

uint64_t quant_find_nonfinite(const struct quant_format *f, const void *data, uint64_t from, uint64_t n) {
    static uint64_t (*const numbers[N_QUANTS])(const uint8_t *data, uint64_t from, uint64_t n) = {
        [QUANT_f16] = find_half, [QUANT_bf16] = find_brain, [QUANT_f32] = find_single, [QUANT_f64] = find_double};
    return numbers[f->index] ? numbers[f->index](data, from, n) : find_block(f, data, from, n);
}
