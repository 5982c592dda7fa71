// SPDX-License-Identifier: MIT
// Tests of the search for numbers that are not finite: for every format, blocks of random bytes, many of whose scales
// are NaN or infinite, must be found exactly when decoding them gives such a number or a scale has the code of NaN.
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/finite.h"

#define BLOCKS 4096

static uint64_t next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Bytes whose halves are often all ones.
static void fill(uint8_t *bytes, size_t n, uint64_t *state) {
    for (size_t i = 0; i < n; i++) {
        uint64_t r = next(state);
        bytes[i] = r % 16 == 0 ? 0xff : r % 16 == 1 ? 0x7c : r % 16 == 2 ? 0x7f : (uint8_t)(r >> 8);
    }
}

static bool expected(const struct quant_format *f, const uint8_t *block) {
    float x[QUANT_MAX_BLOCK];
    bool bad = false;
    double number;
    memcpy(&number, block, sizeof number);
    if (f->index == QUANT_f64) // some that are finite are too large for a float
        return !isfinite(number);
    quant_decode(f, block, x, f->block_len);
    for (uint32_t i = 0; i < f->block_len; i++)
        bad |= !isfinite(x[i]);
    for (unsigned i = 0; f->index == QUANT_nvfp4 && i < 4; i++)
        bad |= (block[i] & 0x7f) == 0x7f;
    return bad || (f->index == QUANT_mxfp4 && block[0] == 0xff);
}

static bool has_reader(const struct quant_format *f) {
    return f->read_float || f->read16 || f->read32 || f->read256;
}

static void check_format(const struct quant_format *f, uint64_t *state) {
    uint8_t *data = malloc((size_t)BLOCKS * f->block_size + sizeof(double));
    uint64_t found = 0, at = 0;
    if (!CHECK(data != NULL))
        return;
    fill(data, (size_t)BLOCKS * f->block_size, state);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        bool bad = expected(f, data + i * f->block_size);
        if (bad && at <= i)
            at = quant_find_nonfinite(f, data, at, BLOCKS);
        else if (at <= i)
            CHECK_MSG(quant_find_nonfinite(f, data, i, i + 1) == i + 1, "%s: block %llu is fine", f->name,
                      (unsigned long long)i);
        if (bad) {
            CHECK_MSG(at == i, "%s: block %llu is bad, %llu was found", f->name, (unsigned long long)i,
                      (unsigned long long)at);
            found++;
            at = i + 1;
        }
    }
    bool whole = f->act == ACT_NONE && f->index != QUANT_f64;
    CHECK_MSG((found > 0) == !whole, "%s: %llu bad blocks among the random ones", f->name, (unsigned long long)found);
    free(data);
}

void unit_finite(void) {
    size_t n;
    uint64_t state = 88172645463325252;
    const struct quant_format *all = quant_all(&n);
    for (size_t i = 0; i < n; i++) {
        if (!has_reader(&all[i]))
            continue;
        test_case("finite: %s", all[i].name);
        check_format(&all[i], &state);
    }
}
