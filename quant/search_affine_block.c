// SPDX-License-Identifier: MIT
// Searching a block of 256 whose sub-blocks have integer scales and minimums: each sub-block's own best pair, then the
// two scales of these that suit them, then all together on the true error.
#include "quant/search.h"

#include <math.h>

#include "quant/lanes.h"

struct subs {
    int n;
    struct search_affine own[16];
    float total[16]; // sums of w
};

static float clamp(float v, float most) {
    return v < 0 ? 0 : v > most ? most : v;
}

// The offset that is best for sub-block j at another scale and the same codes.
static float offset_at(const struct subs *s, int j, float scale) {
    const struct search_affine *f = &s->own[j];
    float offset = f->offset - (scale - f->scale) * f->level / s->total[j];
    return offset < 0 ? offset : 0;
}

// How fast the error grows with the scale when the offset follows.
static float curvature(const struct subs *s, int j) {
    const struct search_affine *f = &s->own[j];
    float c = f->square - f->level * f->level / s->total[j];
    return f->offset < 0 ? c : f->square;
}

#define STEPS 48

// The unit whose multiples 0..most lie closest to the values, weighted.
static float propose(int n, const float *value, const float *weight, int most) {
    float top = 0, best = 0, least = INFINITY;
    for (int j = 0; j < n; j++)
        top = value[j] > top ? value[j] : top;
    for (int step = 0; step < STEPS && top > 0x1p-60f; step += 4) {
        vec4 part = {0, 1, 2, 3}, sum = {0}, cross = {0}, square = {0};
        vec4 d = top / ((float)most * (0.75f + 0.01f * (part + (float)step))), inverse = 1.0f / d;
        for (int j = 0; j < n; j++) {
            vec4 k = vec4_round(vec4_min(value[j] * inverse, vec4_all((float)most))), miss = value[j] - k * d;
            sum += weight[j] * miss * miss;
            cross += weight[j] * k * miss;
            square += weight[j] * k * k;
        }
        for (int j = 0; j < 4; j++) {
            float e = square[j] > 0 ? sum[j] - cross[j] * cross[j] / square[j] : sum[j];
            if (e < least) {
                least = e;
                best = square[j] > 0 ? d[j] + cross[j] / square[j] : d[j];
            }
        }
    }
    return best;
}

// The sums of the whole block for improving d and dmin at fixed integers and codes.
struct totals {
    float error, aa, ab, bb, a, b;
};

static void add(struct totals *t, const struct search_affine *f, float total, float scale, float min) {
    t->error += f->error;
    t->aa += scale * scale * f->square;
    t->ab -= scale * min * f->level;
    t->bb += min * min * total;
    t->a += scale * f->slope;
    t->b -= min * f->miss;
}

static void solve(const struct totals *t, float *d, float *dmin) {
    float det = t->aa * t->bb - t->ab * t->ab;
    if (det > t->aa * t->bb * 1e-6f) {
        *d += (t->a * t->bb - t->b * t->ab) / det;
        *dmin += (t->b * t->aa - t->a * t->ab) / det;
    } else if (t->aa > 0) {
        *d += t->a / t->aa;
    } else if (t->bb > 0) {
        *dmin += t->b / t->bb;
    }
}

// What is tried around the nearest scale, and around the nearest minimum for it.
static const struct {
    int8_t scale, min;
} around[LANES] = {{0, 0}, {0, -1}, {0, 1}, {-1, 0}, {-1, -1}, {1, 0}, {1, 1}, {2, 0}};

// The best integers of sub-block j near its own scale and offset.
static struct search_affine settle_sub(const struct search_affine_block *b, const struct subs *s, int j, const float *x,
                                       const float *w, float d, float dmin, uint8_t *scale, uint8_t *min) {
    const float most = (float)b->most, unit = lanes_inverse(d), min_unit = lanes_inverse(dmin);
    float scales[LANES], offsets[LANES], error[LANES], k[LANES], m[LANES];
    size_t len = (size_t)b->sub_len;
    const float middle = num_round(clamp(s->own[j].scale * unit, most));
    for (int i = 0; i < LANES; i++) {
        k[i] = clamp(middle + (float)around[i].scale, most);
        scales[i] = d * k[i];
        m[i] = clamp(num_round(-offset_at(s, j, scales[i]) * min_unit) + (float)around[i].min, most);
        offsets[i] = -(dmin * m[i]);
    }
    search_affine_errors(b->hi, x, w, len, scales, offsets, error);
    int best = 0;
    for (int i = 1; i < LANES; i++)
        best = error[i] < error[best] ? i : best;
    struct search_affine f = {.scale = scales[best], .offset = offsets[best]};
    search_affine_nearest(&f, b->hi, x, w, len, NULL);
    *scale = (uint8_t)k[best];
    *min = (uint8_t)m[best];
    return f;
}

static void search_subs(const struct search_affine_block *b, const float *x, const float *w, struct subs *s) {
    s->n = 256 / b->sub_len;
    for (int j = 0; j < s->n; j++) {
        size_t at = (size_t)(j * b->sub_len), len = (size_t)b->sub_len;
        s->own[j] = search_affine(b->hi, false, x + at, w + at, len);
        s->total[j] = 0;
        for (size_t i = 0; i < len; i++)
            s->total[j] += w[at + i];
    }
}

static void propose_both(const struct subs *s, int most, float *d, float *dmin) {
    float value[16] = {0}, weight[16] = {0};
    for (int j = 0; j < s->n; j++) {
        value[j] = s->own[j].scale;
        weight[j] = curvature(s, j);
    }
    *d = propose(s->n, value, weight, most);
    for (int j = 0; j < s->n; j++) {
        float scale = *d > 0 ? *d * num_round(clamp(s->own[j].scale / *d, (float)most)) : 0;
        value[j] = -offset_at(s, j, scale);
        weight[j] = s->total[j];
    }
    *dmin = propose(s->n, value, weight, most);
}

// The same number throughout: a product of scale and level a little above it and one minimum for the rest, or, below 0,
// the other way round.
static void same_number(const struct search_affine_block *b, float x, uint16_t *d, uint16_t *dmin, uint8_t scale[16],
                        uint8_t min[16], int8_t level[256]) {
    int k, l = 1;
    if (x > 0) {
        *d = search_product(x, b->most, b->hi, NULL, true, &k, &l);
        *dmin = search_half(num_f16_to_f32(*d) * (float)(k * l) - x);
    } else {
        *dmin = search_product(-x, b->most, 1, NULL, true, &k, &l);
        *d = search_half(num_f16_to_f32(*dmin) * (float)k + x);
    }
    memset(scale, x > 0 ? k : 1, 16);
    memset(min, x > 0 ? 1 : k, 16);
    memset(level, l, 256);
}

void search_affine_block(const struct search_affine_block *b, const float x[256], const float w[256], uint16_t *d,
                         uint16_t *dmin, uint8_t scale[16], uint8_t min[16], int8_t level[256]) {
    struct subs s;
    struct search_affine zero = {.scale = 0};
    float real_d, real_min, least;
    *d = *dmin = 0;
    memset(scale, 0, 16);
    memset(min, 0, 16);
    search_affine_nearest(&zero, b->hi, x, w, 256, level);
    least = zero.error;
    if (search_is_constant(x, 256) && fabsf(x[0]) > 0x1p-25f) {
        same_number(b, x[0], d, dmin, scale, min, level);
        return;
    }
    search_subs(b, x, w, &s);
    propose_both(&s, b->most, &real_d, &real_min);
    for (int round = 0; round < 4; round++) {
        uint8_t scales[16], mins[16];
        uint16_t half_d = search_half_unit(real_d), half_min = search_half_unit(real_min > 0 ? real_min : 0);
        struct totals t = {0};
        real_d = num_f16_to_f32(half_d);
        real_min = num_f16_to_f32(half_min);
        for (int j = 0; j < s.n; j++) {
            struct search_affine f =
                settle_sub(b, &s, j, x + j * b->sub_len, w + j * b->sub_len, real_d, real_min, &scales[j], &mins[j]);
            add(&t, &f, s.total[j], (float)scales[j], (float)mins[j]);
        }
        if (!(t.error < least))
            break;
        least = t.error;
        *d = half_d;
        *dmin = half_min;
        memcpy(scale, scales, (size_t)s.n);
        memcpy(min, mins, (size_t)s.n);
        solve(&t, &real_d, &real_min);
    }
    for (int j = 0; j < s.n; j++) {
        size_t at = (size_t)(j * b->sub_len), len = (size_t)b->sub_len;
        struct search_affine f = {.scale = num_f16_to_f32(*d) * (float)scale[j],
                                  .offset = -(num_f16_to_f32(*dmin) * (float)min[j])};
        search_affine_nearest(&f, b->hi, x + at, w + at, len, level + at);
    }
}
