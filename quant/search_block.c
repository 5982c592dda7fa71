// SPDX-License-Identifier: MIT
// Searching a block of 256 whose sub-blocks have integer scales: first each sub-block's own best scale, then the scale
// of the scales that suits these, then both together on the true error.
#include "quant/search.h"

#include <float.h>
#include <math.h>

#include "quant/lanes.h"

// What is known of the sub-blocks: their best scales, and the errors' curvature there.
struct subs {
    int n;
    float scale[16], square[16];
};

// The error that scales of the scales add, estimated, and the scales improved for the integers that they lead to.
static void estimate(const struct subs *s, float least, float most, float d[LANES], float error[LANES]) {
    for (int u = 0; u < LANES; u += WIDE) {
        wide sum = {0}, cross = {0}, square = {0}, unit = wide_load(d + u);
        const wide inverse = lanes_inverses(unit);
        for (int j = 0; j < s->n; j++) {
            wide k = s->scale[j] * inverse;
            k = wide_round(wide_min(wide_max(k, wide_all(least)), wide_all(most)));
            wide miss = s->scale[j] - k * unit, weighted = s->square[j] * k;
            sum += s->square[j] * miss * miss;
            cross += weighted * miss;
            square += weighted * k;
        }
        wide better = wide_choose(square > 0, cross / wide_max(square, wide_all(FLT_MIN)), wide_all(0));
        wide_store(error + u, sum - cross * better);
        wide_store(d + u, unit + better);
    }
}

#define KEPT 4 // scales of the scales that are tried on the true error
#define STEPS 40

// The most promising scales of the scales, best first; unused ones are 0.
static void propose(const struct subs *s, int least, int most, float kept[KEPT]) {
    float errors[KEPT];
    const float top = search_largest(s->scale, (size_t)s->n);
    for (int k = 0; k < KEPT; k++) {
        kept[k] = 0;
        errors[k] = INFINITY;
    }
    for (int side = 0; side < 2 && fabsf(top) > 0x1p-60f; side++)
        for (int step = 0; step < STEPS; step += LANES) {
            float d[LANES], e[LANES];
            for (int i = 0; i < LANES; i++)
                d[i] = top / ((float)(side ? most : least) * (0.7f + 0.0125f * (float)(step + i)));
            estimate(s, (float)least, (float)most, d, e);
            for (int i = 0; i < LANES; i++)
                lanes_keep(KEPT, kept, errors, d[i], e[i]);
        }
}

// A scale of the scales, with the best integers near the sub-blocks' own scales.
struct choice {
    uint16_t half;
    float d, inverse; // the number that half is
    float error;      // the true one
    int8_t scale[16];
};

#define AROUND 4 // integers that are tried for a sub-block

static float clamp(float v, float lo, float hi) {
    v = v > lo ? v : lo;
    return v < hi ? v : hi;
}

// The first of the integers to try.
static float first_of(const struct search_block *b, float at) {
    at = clamp(at, (float)b->least, (float)b->most);
    return clamp((float)((int)at - 1), (float)b->least, (float)(b->most - AROUND + 1));
}

// Sub-block j at two scales of the scales.
static void settle_sub(const struct search_block *b, const struct subs *s, int j, const float *x, const float *w,
                       struct choice c[2]) {
    float scale[LANES], error[LANES], first[2];
    for (int u = 0; u < 2; u++) {
        first[u] = first_of(b, s->scale[j] * c[u].inverse);
        vec4_store(scale + AROUND * u, c[u].d * (first[u] + (vec4){0, 1, 2, 3}));
    }
    search_errors(&b->levels, x, w, (size_t)b->sub_len, scale, error);
    for (int u = 0; u < 2; u++) {
        const float *e = error + AROUND * u;
        int low = e[1] < e[0], high = 2 + (e[3] < e[2]), best = e[high] < e[low] ? high : low;
        c[u].scale[j] = (int8_t)((int)first[u] + best);
        c[u].error += e[best];
    }
}

// Two scales of the scales at once.
static void settle(const struct search_block *b, const struct subs *s, const float *x, const float *w, const float d[2],
                   struct choice c[2]) {
    for (int u = 0; u < 2; u++) {
        c[u] = (struct choice){.half = search_half_unit(d[u])};
        c[u].d = num_f16_to_f32(c[u].half);
        c[u].inverse = lanes_inverse(c[u].d);
    }
    for (int j = 0; j < s->n; j++)
        settle_sub(b, s, j, x + j * b->sub_len, w + j * b->sub_len, c);
}

// The scale of the scales that is best for the codes of a choice.
static float next_scale(const struct search_block *b, const struct subs *s, const float *x, const float *w,
                        const struct choice *c) {
    float cross = 0, square = 0;
    for (int j = 0; j < s->n; j++) {
        const float k = (float)c->scale[j];
        size_t at = (size_t)(j * b->sub_len), len = (size_t)b->sub_len;
        struct search_fit f = search_nearest(&b->levels, x + at, w + at, len, c->d * k, NULL);
        cross += k * f.slope;
        square += k * k * f.square;
    }
    return square > 0 ? c->d + cross / square : c->d;
}

// The two best choices, the best first.
static void keep(struct choice best[2], const struct choice *c) {
    if (c->error < best[0].error) {
        best[1] = best[0];
        best[0] = *c;
    } else if (c->error < best[1].error && c->half != best[0].half) {
        best[1] = *c;
    }
}

static void try_pair(const struct search_block *b, const struct subs *s, const float *x, const float *w,
                     const float d[2], struct choice best[2]) {
    struct choice c[2];
    settle(b, s, x, w, d, c);
    keep(best, &c[0]);
    keep(best, &c[1]);
}

// Elements that are 0 or of one size: the product of scale and level that suffers least from rounding.
static void try_product(const struct search_block *b, struct subs *s, const float *x, const float *w,
                        struct choice best[2]) {
    int k, l;
    const float top = search_largest(x, 256);
    uint16_t d = search_product(fabsf(top), b->most, b->levels.hi, b->levels.uneven, false, &k, &l);
    const float pair[2] = {num_f16_to_f32(d), 0};
    for (int j = 0; j < s->n; j++)
        s->scale[j] = pair[0] * (float)(top < 0 ? -k : k);
    try_pair(b, s, x, w, pair, best);
}

#define ROUNDING 1e-9f // of the power of the elements: an error below it is nothing next to that of rounding scales
#define FOLLOWED 2     // times that the best two are improved

uint16_t search_block(const struct search_block *b, const float x[256], const float w[256], int8_t scale[16],
                      int8_t level[256]) {
    struct subs s = {.n = 256 / b->sub_len};
    const float power = search_nearest(&b->levels, x, w, 256, 0, NULL).error;
    struct choice best[2] = {{.error = power}, {.error = power}};
    size_t len = (size_t)b->sub_len;
    float kept[KEPT], error = 0;
    for (int j = 0; j < s.n; j++) {
        struct search_fit f;
        s.scale[j] = search_scale(&b->levels, &b->effort, x + (size_t)j * len, w + (size_t)j * len, len, &f);
        s.square[j] = f.square;
        error += f.error;
    }
    propose(&s, b->least, b->most, kept);
    for (int k = 0; k < KEPT; k += 2)
        try_pair(b, &s, x, w, kept + k, best);
    for (int round = 0; round < FOLLOWED && best[0].error > 0; round++) {
        const float next[2] = {next_scale(b, &s, x, w, &best[0]), next_scale(b, &s, x, w, &best[1])};
        try_pair(b, &s, x, w, next, best);
    }
    if (best[0].error > 0 && error < ROUNDING * power)
        try_product(b, &s, x, w, best);
    memcpy(scale, best[0].scale, sizeof best[0].scale);
    for (int j = 0; j < s.n; j++) {
        size_t at = (size_t)j * len;
        search_nearest(&b->levels, x + at, w + at, len, best[0].d * (float)scale[j], level + at);
    }
    return best[0].half;
}
