// SPDX-License-Identifier: MIT
// Searching a block of 256 whose sub-blocks have integer scales: first each sub-block's own best scale, then the scale
// of the scales that suits these, then both together on the true error.
#include "quant/search.h"

#include <math.h>

// What is known of the sub-blocks: their best scales, and the errors' curvature there.
struct subs {
    int n;
    float scale[16], square[16];
};

static float clamp(float v, float lo, float hi) {
    return v < lo ? lo : v > hi ? hi : v;
}

// The error that a scale of the scales adds, estimated, and the scale improved for the integers that it leads to.
static float estimate(const struct subs *s, float least, float most, float *d) {
    float sum = 0, cross = 0, square = 0, inverse = 1.0f / *d;
    for (int j = 0; j < s->n; j++) {
        float k = num_round(clamp(s->scale[j] * inverse, least, most)), miss = s->scale[j] - k * *d;
        sum += s->square[j] * miss * miss;
        cross += s->square[j] * k * miss;
        square += s->square[j] * k * k;
    }
    if (square > 0) {
        *d += cross / square;
        sum -= cross * cross / square;
    }
    return sum;
}

#define KEPT 3 // scales of the scales that are tried on the true error

// The most promising scales of the scales, best first; unused ones are 0.
static void propose(const struct subs *s, int least, int most, float kept[KEPT]) {
    float top = 0, errors[KEPT];
    for (int j = 0; j < s->n; j++)
        top = fabsf(s->scale[j]) > fabsf(top) ? s->scale[j] : top;
    for (int k = 0; k < KEPT; k++) {
        kept[k] = 0;
        errors[k] = INFINITY;
    }
    for (int side = 0; side < 2 && fabsf(top) > 0x1p-60f; side++)
        for (int step = 0; step < 40; step++) {
            float d = top / ((float)(side ? most : least) * (0.7f + 0.0125f * (float)step));
            float e = estimate(s, (float)least, (float)most, &d);
            int at = 0;
            while (at < KEPT && e >= errors[at])
                at++;
            if (at == KEPT || (at > 0 && d == kept[at - 1]))
                continue;
            for (int k = KEPT - 1; k > at; k--) {
                kept[k] = kept[k - 1];
                errors[k] = errors[k - 1];
            }
            kept[at] = d;
            errors[at] = e;
        }
}

// The best integers next to the sub-blocks' own scales, on the true error; *next is the scale for their codes.
static float settle(const struct search_block *b, const struct subs *s, const float *x, const float *w, float d,
                    int8_t *scale, float *next) {
    float total = 0, cross = 0, square = 0;
    for (int j = 0; j < s->n; j++) {
        struct search_fit best = {.error = INFINITY};
        int around = d != 0 ? (int)num_round(clamp(s->scale[j] / d, (float)b->least, (float)b->most)) : 0;
        for (int k = around - 1; k <= around + 1; k++) {
            if (k < b->least || k > b->most)
                continue;
            size_t at = (size_t)(j * b->sub_len);
            struct search_fit f = search_nearest(&b->levels, x + at, w + at, (size_t)b->sub_len, d * (float)k, NULL);
            if (f.error < best.error) {
                best = f;
                scale[j] = (int8_t)k;
            }
        }
        total += best.error;
        cross += (float)scale[j] * best.slope;
        square += (float)(scale[j] * scale[j]) * best.square;
    }
    *next = square > 0 ? d + cross / square : d;
    return total;
}

// A block while it is searched: what it is, and the best so far.
struct best {
    uint16_t half;
    float error;
    int8_t scale[16];
};

// From a scale of the scales to the best that it leads to.
static void follow(const struct search_block *b, const struct subs *s, const float *x, const float *w, float d,
                   struct best *best) {
    for (int round = 0; round < 3; round++) {
        int8_t trial[16] = {0};
        uint16_t half = search_half(d);
        float e = settle(b, s, x, w, num_f16_to_f32(half), trial, &d);
        if (!(e < best->error))
            break;
        best->error = e;
        best->half = half;
        memcpy(best->scale, trial, sizeof trial);
    }
}

// Elements that are 0 or of one size: the product of scale and level that suffers least from rounding.
static void follow_product(const struct search_block *b, struct subs *s, const float *x, const float *w,
                           struct best *best) {
    float top = 0;
    int k, l;
    for (int i = 0; i < 256; i++)
        top = fabsf(x[i]) > fabsf(top) ? x[i] : top;
    uint16_t d = search_product(fabsf(top), b->most, b->levels.hi, b->levels.uneven, false, &k, &l);
    for (int j = 0; j < s->n; j++)
        s->scale[j] = num_f16_to_f32(d) * (float)(top < 0 ? -k : k);
    follow(b, s, x, w, num_f16_to_f32(d), best);
}

#define ROUNDING 1e-9f // of the power of the elements: an error below it is nothing next to that of rounding scales

uint16_t search_block(const struct search_block *b, const float x[256], const float w[256], int8_t scale[16],
                      int8_t level[256]) {
    struct subs s = {.n = 256 / b->sub_len};
    const float power = search_nearest(&b->levels, x, w, 256, 0, NULL).error;
    struct best best = {.error = power};
    size_t len = (size_t)b->sub_len;
    float kept[KEPT], error = 0;
    for (int j = 0; j < s.n; j++) {
        struct search_fit f;
        s.scale[j] = search_scale(&b->levels, &b->effort, x + (size_t)j * len, w + (size_t)j * len, len, &f);
        s.square[j] = f.square;
        error += f.error;
    }
    propose(&s, b->least, b->most, kept);
    for (int k = 0; k < KEPT; k++)
        follow(b, &s, x, w, kept[k], &best);
    if (best.error > 0 && error < ROUNDING * power)
        follow_product(b, &s, x, w, &best);
    memcpy(scale, best.scale, sizeof best.scale);
    for (int j = 0; j < s.n; j++) {
        size_t at = (size_t)j * len;
        search_nearest(&b->levels, x + at, w + at, len, num_f16_to_f32(best.half) * (float)scale[j], level + at);
    }
    return best.half;
}
