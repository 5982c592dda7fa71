// SPDX-License-Identifier: MIT
// For a group with magnitudes x and weights w, a point with codes c at scale a has the error
//
//     sum w x^2 - a (2 p - a q),   p = sum w x c,   q = sum w c^2
//
// where p and q do not depend on the scale. The points that are best at some scale are the corners of the upper hull of
// all (q, p); there are about ten. Once they are known, any scale can be tried at the cost of looking at ten corners,
// so the scales of a whole block can be searched together.
#include "quant/lattice.h"

#include <math.h>

#include "quant/search.h"
#include "quant/vec4.h"

#define MAX_POINTS 2048
#define MAX_CORNERS 16
#define MAX_DEPTH 8

// Corners by falling q: the first is the best at the smallest scale looked at, the last at the largest. Corner i is the
// best up to the scale until[i]; the last one's, and those beyond, are infinite.
struct hull {
    int n;
    float until[MAX_CORNERS];
    float p[MAX_CORNERS], q[MAX_CORNERS];
    uint16_t point[MAX_CORNERS];
};

// p and q of all points, while a hull is made.
struct cloud {
    int n;
    float p[MAX_POINTS], q[MAX_POINTS];
    uint16_t list[MAX_POINTS];
};

// Sums over the elements of half a point, for all values of the half: p, q, and the smallest part of p.
struct half_sums {
    float p[256], q[256], least[256];
};

// The code of index v at the given way.
static float code(const struct lattice *l, int v, int way) {
    return l->values ? (float)l->values[v] : (float)(8 * (v - 1) + (way ? -1 : 1));
}

static void sum_half(const struct lattice *l, int way, const float *x, const float *w, struct half_sums *s) {
    int len = l->len / 2, bits = l->len == 8 ? 2 : 3, n = 1;
    s->p[0] = s->q[0] = 0;
    s->least[0] = INFINITY;
    for (int i = 0; i < len; i++, n <<= bits)
        for (int v = (1 << bits) - 1; v >= 0; v--) {
            float c = code(l, v, way), q = w[i] * c * c, p = w[i] * x[i] * c;
            for (int k = 0; k < n; k++) {
                s->p[v * n + k] = s->p[k] + p;
                s->q[v * n + k] = s->q[k] + q;
                s->least[v * n + k] = s->least[k] < p ? s->least[k] : p;
            }
        }
}

// x are magnitudes where the format stores signs. `flip`: one sign is wrong, that of the element that loses least.
static void sum_points(const struct lattice *l, int way, bool flip, const float *x, const float *w, struct cloud *c) {
    struct half_sums low, high;
    int shift = l->len == 8 ? 8 : 6, mask = (1 << shift) - 1;
    sum_half(l, way, x, w, &low);
    sum_half(l, way, x + l->len / 2, w + l->len / 2, &high);
    c->n = l->n_points;
    for (int k = 0; k < c->n; k++) {
        int a = l->points[k] & mask, b = l->points[k] >> shift;
        c->p[k] = low.p[a] + high.p[b];
        c->q[k] = low.q[a] + high.q[b];
        if (flip)
            c->p[k] -= 2 * (low.least[a] < high.least[b] ? low.least[a] : high.least[b]);
    }
}

// The point that is best at scale a; the first of equals in its residue class mod 4, the lowest class of equals.
static int best_at(const struct cloud *c, float a) {
    vec4 top = vec4_all(-INFINITY);
    vec4_mask at = {0}, here = {0, 1, 2, 3};
    for (int k = 0; k < c->n; k += 4, here += 4) {
        vec4 p = vec4_load(c->p + k), v = p + p - a * vec4_load(c->q + k);
        vec4_mask better = v > top;
        at = (better & here) | (~better & at);
        top = vec4_choose(better, v, top);
    }
    int best = 0;
    for (int j = 1; j < 4; j++)
        best = top[j] > top[best] ? j : best;
    return at[best];
}

static void push(struct hull *h, const struct cloud *c, int k) {
    if (h->n == MAX_CORNERS)
        return;
    h->p[h->n] = c->p[k];
    h->q[h->n] = c->q[k];
    h->point[h->n++] = (uint16_t)k;
}

// A corner is left out when it would change the gain by less than this part of it.
#define NEGLIGIBLE 3e-5f

// The line between corners a and b: points above it have 2 p - slope q > height.
struct line {
    float slope, height;
};

static struct line line_between(const struct cloud *c, int a, int b) {
    float slope = 2 * (c->p[a] - c->p[b]) / (c->q[a] - c->q[b]), height = 2 * c->p[a] - slope * c->q[a];
    return (struct line){slope, height + fabsf(height) * NEGLIGIBLE};
}

// Keeps the points of the list above the line, in their order; *high is the highest.
static int above(const struct cloud *c, struct line line, const uint16_t *list, int n, uint16_t *kept, int *high) {
    float top = line.height;
    int found = 0;
    for (int i = 0; i < n; i++) {
        uint16_t k = list[i];
        float v = 2 * c->p[k] - line.slope * c->q[k];
        kept[found] = k;
        found += v > line.height;
        if (v > top) {
            top = v;
            *high = k;
        }
    }
    return found;
}

// The corners between a and b, which are corners themselves, among the points of the list, which is used up.
static void add_between(struct hull *h, const struct cloud *c, uint16_t *list, int n, int a, int b, int depth) {
    if (depth == MAX_DEPTH || !(c->q[a] > c->q[b]) || h->n >= MAX_CORNERS - 1)
        return;
    int middle = a;
    n = above(c, line_between(c, a, b), list, n, list, &middle);
    if (n == 0)
        return;
    // Points above either of the new lines are on one side of the middle.
    int left = 0;
    for (int i = 0; i < n; i++)
        if (c->q[list[i]] > c->q[middle]) {
            uint16_t k = list[i];
            list[i] = list[left];
            list[left++] = k;
        }
    add_between(h, c, list, left, a, middle, depth + 1);
    push(h, c, middle);
    add_between(h, c, list + left, n - left, middle, b, depth + 1);
}

// All points above the line, without a list of them. Most runs of four have none.
static int all_above(const struct cloud *c, struct line line, uint16_t *kept) {
    int found = 0;
    for (int k = 0; k < c->n; k += 4) {
        vec4 p = vec4_load(c->p + k);
        vec4_mask higher = p + p - line.slope * vec4_load(c->q + k) > line.height;
        uint64_t two[2];
        memcpy(two, &higher, sizeof two);
        if (!(two[0] | two[1]))
            continue;
        for (int j = 0; j < 4; j++) {
            kept[found] = (uint16_t)(k + j);
            found += higher[j] & 1;
        }
    }
    return found;
}

#define ANCHORS 3

// Scales from `least` on, each four times the one before, give corners to begin with; the others are between them.
static void make_hull(struct cloud *c, float least, struct hull *h) {
    int last = best_at(c, least);
    h->n = 0;
    push(h, c, last);
    for (int i = 1; i < ANCHORS; i++) {
        int next = best_at(c, least * (float)(1 << 2 * i));
        if (!(c->q[last] > c->q[next]))
            continue;
        int n = all_above(c, line_between(c, last, next), c->list);
        add_between(h, c, c->list, n, last, next, 0);
        push(h, c, next);
        last = next;
    }
    for (int i = 0; i < MAX_CORNERS; i++)
        h->until[i] = i < h->n - 1 ? 2 * (h->p[i] - h->p[i + 1]) / (h->q[i] - h->q[i + 1]) : INFINITY;
}

#define RUNGS 32 // scales that are tried for each sub-block, a factor of RUNG apart
#define RUNG 1.09f

// A block while it is searched.
struct work {
    const struct lattice *l;
    const float *x, *w;
    struct hull hulls[64][2]; // by group and way
    uint8_t ways[64];         // of a unit: 1 or 2
    uint8_t signs[64];        // as the elements have them
    float own[16];            // the sub-blocks' best scales
    float rung[16][RUNGS];    // scales, and for the points that are best there:
    float p[16][RUNGS], q[16][RUNGS];
};

// The best corner at scale a.
static int best_corner(const struct hull *h, float a) {
    int32_t at = 0;
    for (int i = 0; i < MAX_CORNERS; i++)
        at += a > h->until[i];
    return at;
}

// Sums for improving the scale.
struct sums {
    float gain, p, q;
};

// Writes down what a unit takes. In the loop that chooses, GCC 12 for AArch64 loses these stores at -O2.
static void take_unit(const struct work *k, int unit, int way, const int corner[4], struct lattice_found *out) {
    int first = unit * k->l->unit;
    const struct hull(*hulls)[2] = &k->hulls[first];
    uint16_t *point = out->point + first;
    uint8_t *ways = out->way + first;
    for (int i = 0; i < k->l->unit; i++) {
        point[i] = hulls[i][way].point[corner[i]];
        ways[i] = (uint8_t)way;
    }
}

// What a unit gains at scale a, the better way of the two; the choice goes to `out` unless that is NULL.
static struct sums try_unit(const struct work *k, int unit, float a, struct lattice_found *out) {
    struct sums best = {.gain = -INFINITY};
    for (int way = 0; way < k->ways[unit]; way++) {
        struct sums s = {0};
        int corner[4];
        for (int i = 0; i < k->l->unit; i++) {
            const struct hull *h = &k->hulls[unit * k->l->unit + i][way];
            corner[i] = best_corner(h, a);
            s.p += h->p[corner[i]];
            s.q += h->q[corner[i]];
        }
        s.gain = a * (2 * s.p - a * s.q);
        if (!(s.gain > best.gain))
            continue;
        best = s;
        if (out)
            take_unit(k, unit, way, corner, out);
    }
    return best;
}

// The same for sub-block j; gain is what it takes off the error.
static struct sums try_sub(const struct work *k, int j, float a, struct lattice_found *out) {
    struct sums sum = {0};
    int units = k->l->sub / k->l->unit;
    for (int u = j * units; u < (j + 1) * units; u++) {
        struct sums s = try_unit(k, u, a, out);
        sum.gain += s.gain;
        sum.p += s.p;
        sum.q += s.q;
    }
    return sum;
}

#define SPAN_LEAST 0.28f // the first scale, of the one at which common codes have the sub-block's root mean square

// The range of scales to look at for a sub-block.
static float middle_scale(const struct work *k, int j) {
    int len = k->l->sub * k->l->len;
    float square = 0, total = 0;
    for (int i = j * len; i < (j + 1) * len; i++) {
        square += k->w[i] * k->x[i] * k->x[i];
        total += k->w[i];
    }
    return sqrtf(square / total) / k->l->typical;
}

static void prepare_group(struct work *k, int g, float middle, struct cloud *c) {
    const struct lattice *l = k->l;
    const float *x = k->x + g * l->len, *w = k->w + g * l->len;
    float size[8];
    for (int i = 0; i < l->len; i++) {
        size[i] = l->values ? fabsf(x[i]) : x[i];
        k->signs[g] |= (uint8_t)((x[i] < 0) << i);
    }
    int first = g / (8 / l->len) * (8 / l->len);
    bool odd = false;
    for (int i = 0; l->even && i < 8; i++)
        odd ^= k->x[first * l->len + i] < 0;
    k->ways[g / l->unit] = !l->values || (odd && l->unit == 2) ? 2 : 1;
    for (int way = 0; way < k->ways[g / l->unit]; way++) {
        sum_points(l, way, odd && (l->unit == 1 || g % 2 == way), size, w, c);
        make_hull(c, middle * SPAN_LEAST, &k->hulls[g][way]);
    }
}

static void climb(struct work *k, int j, float first) {
    float gain = -1;
    k->own[j] = 0;
    for (int i = 0; i < RUNGS; i++, first *= RUNG) {
        struct sums s = try_sub(k, j, first, NULL);
        k->rung[j][i] = first;
        k->p[j][i] = s.p;
        k->q[j][i] = s.q;
        if (s.gain > gain && s.p > 0) {
            gain = s.gain;
            k->own[j] = s.p / s.q;
        }
    }
}

static void prepare(struct work *k, struct cloud *c) {
    int subs = 256 / (k->l->sub * k->l->len);
    memset(k->signs, 0, sizeof k->signs);
    for (int j = 0; j < subs; j++) {
        float middle = middle_scale(k, j);
        for (int g = j * k->l->sub; g < (j + 1) * k->l->sub; g++)
            prepare_group(k, g, middle, c);
        climb(k, j, middle * SPAN_LEAST);
    }
}

// The gain of sub-block j at scale a with the points of the nearest rung below, a little less than the true one.
static struct sums guess(const struct work *k, int j, float a) {
    int at = 0;
    for (int step = RUNGS / 2; step; step /= 2)
        at += k->rung[j][at + step - 1] < a ? step : 0;
    float p = k->p[j][at], q = k->q[j][at];
    return (struct sums){a * (2 * p - a * q), p, q};
}

// All sub-blocks at scale d: each takes the best of the sub-scales next to its own. Gains are true if `exact`, else
// guessed. Returns the gain; *next is the best scale for what they take.
static float settle(const struct work *k, float d, bool exact, uint8_t *scale, float *next) {
    int subs = 256 / (k->l->sub * k->l->len);
    const float most = (float)(k->l->scales - 1);
    float total = 0, cross = 0, square = 0;
    for (int j = 0; j < subs; j++) {
        struct sums best = {.gain = -INFINITY};
        float at = d > 0 ? (k->own[j] / d - 1) * 0.5f : 0;
        int around = (int)num_round(at < 0 ? 0 : at > most ? most : at);
        for (int s = around - 1; s <= around + 1; s++) {
            if (s < 0 || s >= k->l->scales)
                continue;
            float a = d * (float)(2 * s + 1);
            struct sums sums = exact ? try_sub(k, j, a, NULL) : guess(k, j, a);
            if (sums.gain > best.gain) {
                best = sums;
                scale[j] = (uint8_t)s;
            }
        }
        float step = (float)(2 * scale[j] + 1);
        total += best.gain;
        cross += step * best.p;
        square += step * step * best.q;
    }
    *next = square > 0 && cross > 0 ? cross / square : d;
    return total;
}

#define KEPT 3
#define D_STEPS 40

// The most promising scales.
static void propose(const struct work *k, float kept[KEPT]) {
    int subs = 256 / (k->l->sub * k->l->len);
    float top = 0, gains[KEPT], next;
    uint8_t scale[16];
    for (int j = 0; j < subs; j++)
        top = k->own[j] > top ? k->own[j] : top;
    for (int i = 0; i < KEPT; i++) {
        kept[i] = 0;
        gains[i] = -INFINITY;
    }
    for (int step = 0; step < D_STEPS && top > 0; step++) {
        float d = top / ((float)(2 * k->l->scales - 1) * (0.5f + 0.0175f * (float)step));
        float gain = settle(k, d, false, scale, &next);
        int at = 0;
        while (at < KEPT && gain <= gains[at])
            at++;
        for (int i = KEPT - 1; i > at; i--) {
            kept[i] = kept[i - 1];
            gains[i] = gains[i - 1];
        }
        if (at < KEPT) {
            kept[at] = next;
            gains[at] = gain;
        }
    }
}

// The signs of group g: those of the elements, with one changed where the way asks for it.
static uint8_t signs_of(const struct work *k, int g, const struct lattice_found *f) {
    const struct lattice *l = k->l;
    const float *x = k->x + g * l->len, *w = k->w + g * l->len;
    int first = g / (8 / l->len) * (8 / l->len), odd = 0, lose = 0;
    for (int i = 0; i < 8 / l->len; i++)
        odd ^= __builtin_parity(k->signs[first + i]);
    if (!l->even || !odd || (l->unit == 2 && g % 2 != f->way[g]))
        return k->signs[g];
    float least = INFINITY;
    for (int i = 0, bits = l->len == 8 ? 2 : 3; i < l->len; i++) {
        float loss = w[i] * fabsf(x[i]) * (float)l->values[l->points[f->point[g]] >> i * bits & ((1 << bits) - 1)];
        if (loss < least) {
            least = loss;
            lose = i;
        }
    }
    return (uint8_t)(k->signs[g] ^ 1 << lose);
}

void lattice_search(const struct lattice *l, float unit, const float x[256], const float w[256],
                    struct lattice_found *out) {
    struct work k = {.l = l, .x = x, .w = w};
    struct cloud cloud;
    float kept[KEPT], gain = 0;
    prepare(&k, &cloud);
    propose(&k, kept);
    *out = (struct lattice_found){0};
    for (int i = 0; i < KEPT; i++) {
        float d = kept[i];
        for (int round = 0; round < 4; round++) {
            uint8_t scale[16] = {0};
            uint16_t half = search_half(d / unit);
            float g = settle(&k, num_f16_to_f32(half) * unit, true, scale, &d);
            if (!(g > gain))
                break;
            gain = g;
            out->half = half;
            memcpy(out->scale, scale, sizeof scale);
        }
    }
    out->d = num_f16_to_f32(out->half) * unit;
    for (int j = 0; j < 256 / (l->sub * l->len); j++)
        try_sub(&k, j, out->d * (float)(2 * out->scale[j] + 1), out);
    for (int g = 0; g < 256 / l->len; g++)
        out->signs[g] = signs_of(&k, g, out);
}
