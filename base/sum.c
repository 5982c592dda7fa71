// SPDX-License-Identifier: MIT
// Checksums. See base/sum.h.
#include "base/sum.h"

#include <string.h>

#include "base/cursor.h"

#define SUM_UNIT sizeof(((struct sum *)0)->part)
#define SUM_MIX1 0x9E3779B97F4A7C15u // odd constants without structure
#define SUM_MIX2 0xC2B2AE3D27D4EB4Fu

static uint64_t rotate(uint64_t x, unsigned n) {
    return x << n | x >> (64 - n);
}

static void add_units(struct sum *s, const uint8_t *p, size_t n_units) {
    for (; n_units; n_units--, p += SUM_UNIT)
        for (unsigned i = 0; i < 4; i++)
            s->lanes[i] = rotate(s->lanes[i] + cursor_load_u64(p + 8 * i) * SUM_MIX1, 31) * SUM_MIX2;
}

void sum_begin(struct sum *s) {
    *s = (struct sum){.lanes = {1, SUM_MIX1, SUM_MIX2, 2}};
}

void sum_add(struct sum *s, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    size_t waiting = s->len % SUM_UNIT;
    s->len += n;
    if (waiting || n < SUM_UNIT) {
        size_t take = min_size(n, SUM_UNIT - waiting);
        memcpy(s->part + waiting, p, take);
        if (waiting + take < SUM_UNIT)
            return;
        add_units(s, s->part, 1);
        p += take;
        n -= take;
    }
    add_units(s, p, n / SUM_UNIT);
    memcpy(s->part, p + n / SUM_UNIT * SUM_UNIT, n % SUM_UNIT);
}

uint64_t sum_end(const struct sum *s) {
    struct sum whole = *s;
    size_t waiting = s->len % SUM_UNIT;
    memset(whole.part + waiting, 0, SUM_UNIT - waiting);
    add_units(&whole, whole.part, 1);
    uint64_t h = s->len;
    for (unsigned i = 0; i < 4; i++) {
        h = (h ^ whole.lanes[i]) * SUM_MIX1;
        h ^= h >> 32;
    }
    return h;
}
