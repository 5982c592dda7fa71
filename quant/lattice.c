// SPDX-License-Identifier: MIT
// For a group with magnitudes x and weights w, a point with codes c at scale a has the error
//
//     sum w x^2 - a (2 p - a q),   p = sum w x c,   q = sum w c^2
//
// where p and q do not depend on the scale. Each sub-block has a ladder of scales around the one that suits it; the
// points that are best at each rung are looked for once, with all rungs side by side. After that any scale of the
// sub-block is tried by looking at the sums of the two rungs next to it, so the scales of a whole block can be searched
// together.
//
// In the codebook of the IQ1 formats, which has a third of all combinations of levels, points far from the elements are
// not looked at: of each element the two levels next to it count, and of their 256 combinations those that are points.
#include "quant/lattice.h"

#include <math.h>

#include "quant/search.h"
#include "quant/wide.h"

#define MAX_POINTS 2048

#define RUNGS 16
#define RUNG 1.07f       // from one to the next
#define LEAST_RUNG 0.62f // of the likely scale

// Points to choose from.
struct cloud {
    int n;
    float p[MAX_POINTS], q[MAX_POINTS];
    uint16_t point[MAX_POINTS]; // packed
};

// A bit for each packed point that the codebook has.
struct members {
    uint64_t bits[1 << 10];
};

// A block while it is searched.
struct work {
    const struct lattice *l;
    const float *x, *w;
    struct members members;
    uint16_t offset[256];             // of packed points: combinations of levels from that of the lowest ones
    float rung[16][RUNGS];            // by sub-block: scales, and for the points that are best there:
    float p[16][RUNGS], q[16][RUNGS]; // their sums
    float own[16];                    // the best scale
    uint16_t point[64][2][RUNGS];     // by group and way
    uint8_t way[64][RUNGS];           // of a unit: the better one
    uint8_t signs[64];                // of a group, as the elements have them
    struct cloud cloud;
};

static int bits_of(const struct lattice *l) {
    return l->len == 8 ? 2 : 3;
}

// The code of index v at the given way.
static float code(const struct lattice *l, int v, int way) {
    return l->values ? (float)l->values[v] : (float)(8 * (v - 1) + (way ? -1 : 1));
}

static void list_members(struct work *k) {
    const struct lattice *l = k->l;
    memset(k->members.bits, 0, sizeof k->members.bits);
    for (int i = 0; i < l->n_points; i++)
        k->members.bits[l->points[i] >> 6] |= UINT64_C(1) << (l->points[i] & 63);
    k->offset[0] = 0;
    for (int i = 0, n = 1; i < 8; i++, n *= 2)
        for (int m = 0; m < n; m++)
            k->offset[n + m] = (uint16_t)(k->offset[m] + (1 << 2 * i));
}

static unsigned is_member(const struct members *m, unsigned point) {
    return m->bits[point >> 6] >> (point & 63) & 1;
}

// Sums over elements for combinations of their levels: p, q, and the smallest part of p.
struct sums {
    float p[256], q[256], least[256];
};

static void spread(float *sums, int n, int to, float part) {
    if (n < WIDE)
        for (int k = 0; k < n; k++)
            sums[to * n + k] = sums[k] + part;
    else
        for (int k = 0; k < n; k += WIDE)
            wide_store(sums + to * n + k, wide_load(sums + k) + part);
}

static void spread_least(float *least, int n, int to, float part) {
    for (int k = 0; k < n; k++)
        least[to * n + k] = least[k] < part ? least[k] : part;
}

static void start_sums(struct sums *s) {
    s->p[0] = s->q[0] = 0;
    s->least[0] = INFINITY;
}

// One more element, for which there are the levels from `first` on.
static void add_element(const struct lattice *l, int way, bool flip, float x, float w, int first, int choices, int n,
                        struct sums *s) {
    for (int v = choices - 1; v >= 0; v--) {
        float c = code(l, first + v, way), p = w * x * c;
        spread(s->q, n, v, w * c * c);
        spread(s->p, n, v, p);
        if (flip)
            spread_least(s->least, n, v, p);
    }
}

// Half of the elements, with all their levels.
static void sum_half(const struct lattice *l, int way, bool flip, const float *x, const float *w, struct sums *s) {
    start_sums(s);
    for (int i = 0, n = 1; i < l->len / 2; i++, n <<= bits_of(l))
        add_element(l, way, flip, x[i], w[i], 0, 1 << bits_of(l), n, s);
}

// The sums of the halves of all points.
struct halves {
    int shift; // of the second one in a point
    struct sums low, high;
};

static void sum_halves(const struct lattice *l, int way, bool flip, const float *x, const float *w, struct halves *h) {
    h->shift = l->len / 2 * bits_of(l);
    sum_half(l, way, flip, x, w, &h->low);
    sum_half(l, way, flip, x + l->len / 2, w + l->len / 2, &h->high);
}

// Puts a point at the end of the list. `flip`: one sign is wrong, that of the element that loses least.
static void put_point(const struct halves *h, unsigned point, bool flip, struct cloud *c) {
    const unsigned a = point & ((1u << h->shift) - 1), b = point >> h->shift;
    const int n = c->n;
    c->p[n] = h->low.p[a] + h->high.p[b];
    c->q[n] = h->low.q[a] + h->high.q[b];
    c->point[n] = (uint16_t)point;
    if (flip)
        c->p[n] -= 2 * (h->low.least[a] < h->high.least[b] ? h->low.least[a] : h->high.least[b]);
}

// All points. x are magnitudes where the format stores signs.
static void sum_points(const struct lattice *l, int way, bool flip, const float *x, const float *w, struct cloud *c) {
    struct halves h;
    sum_halves(l, way, flip, x, w, &h);
    for (c->n = 0; c->n < l->n_points; c->n++)
        put_point(&h, l->points[c->n], flip, c);
}

// Levels of a way as if all steps were the same: the first one, and the step.
struct ladder {
    float first, step, last; // `last` is an index
};

static struct ladder ladder_of(const struct lattice *l, int way) {
    const int last = l->len == 8 ? 2 : 7;
    const float first = code(l, 0, way);
    return (struct ladder){first, (code(l, last, way) - first) / (float)last, (float)last};
}

#define FEWEST 6 // points to choose from

// The points around the elements at a scale.
static void sum_near(struct work *k, int way, const float *x, const float *w, float scale) {
    const struct lattice *l = k->l;
    const struct ladder ladder = ladder_of(l, way);
    const float inverse = 1 / (scale * ladder.step);
    const float shift = ladder.first / ladder.step, most = ladder.last - 1;
    struct cloud *c = &k->cloud;
    struct sums s;
    unsigned lowest = 0;
    uint8_t found[256];
    int n = 0;
    start_sums(&s);
    for (int i = 0, size = 1; i < 8; i++, size *= 2) {
        float at = x[i] * inverse - shift;
        int first = (int)(at > most ? most : at > 0 ? at : 0);
        add_element(l, way, false, x[i], w[i], first, 2, size, &s);
        lowest |= (unsigned)first << 2 * i;
    }
    for (unsigned m = 0; m < 256; m++) {
        found[n] = (uint8_t)m;
        n += (int)is_member(&k->members, lowest + k->offset[m]);
    }
    for (int i = 0; i < n; i++) {
        c->p[i] = s.p[found[i]];
        c->q[i] = s.q[found[i]];
        c->point[i] = (uint16_t)(lowest + k->offset[found[i]]);
    }
    c->n = n;
}

// Lists the points to choose from, which are the best at scales around a.
static void list_points(struct work *k, int way, bool flip, const float *x, const float *w, float a) {
    k->cloud.n = 0;
    if (!k->l->values && a > 0x1p-100f)
        sum_near(k, way, x, w, a);
    if (k->cloud.n < FEWEST)
        sum_points(k->l, way, flip, x, w, &k->cloud);
}

// Adds to p and q those of the points that are best at the rungs; of equals the first.
static void choose_points(const struct cloud *c, const float *rung, float *p, float *q, uint16_t *point) {
    wide scale[RUNGS / WIDE], top[RUNGS / WIDE];
    wide_mask at[RUNGS / WIDE] = {{0}};
    int32_t best[RUNGS];
    for (int u = 0; u < RUNGS / WIDE; u++) {
        scale[u] = wide_load(rung + WIDE * u);
        top[u] = wide_all(-INFINITY);
    }
    for (int k = 0; k < c->n; k++) {
        const wide twice = wide_all(c->p[k] + c->p[k]), square = wide_all(c->q[k]);
        for (int u = 0; u < RUNGS / WIDE; u++) {
            wide v = twice - scale[u] * square;
            wide_mask better = v > top[u];
            top[u] = wide_max(top[u], v);
            at[u] = (better & k) | (~better & at[u]);
        }
    }
    memcpy(best, at, sizeof at);
    for (int i = 0; i < RUNGS; i++) {
        p[i] += c->p[best[i]];
        q[i] += c->q[best[i]];
        point[i] = c->point[best[i]];
    }
}

#define LIKELY_ROUNDS 3

// A scale that suits n elements when all combinations of levels are points: it is improved from the one at which common
// codes have the elements' root mean square.
static float likely_scale(const struct lattice *l, int way, const float *x, const float *w, int n) {
    const struct ladder ladder = ladder_of(l, way);
    vec4 square = {0}, total = {0};
    for (int i = 0; i < n; i += 4) {
        vec4 at = vec4_load(x + i), weight = vec4_load(w + i);
        square += weight * at * at;
        total += weight;
    }
    float scale = sqrtf(vec4_sum(square) / vec4_sum(total)) / l->typical;
    for (int round = 0; round < (l->values ? 0 : LIKELY_ROUNDS) && scale > 0x1p-100f; round++) {
        const float inverse = 1 / (scale * ladder.step), shift = ladder.first / ladder.step;
        vec4 cross = {0}, power = {0};
        for (int i = 0; i < n; i += 4) {
            vec4 at = vec4_load(x + i), weight = vec4_load(w + i);
            at = l->values ? vec4_abs(at) : at;
            vec4 v = vec4_min(vec4_max(at * inverse - shift, vec4_all(0)), vec4_all(ladder.last));
            vec4 c = vec4_round(v) * ladder.step + ladder.first;
            cross += weight * at * c;
            power += weight * c * c;
        }
        scale = vec4_sum(cross) / vec4_sum(power);
    }
    return scale;
}

// The signs of eight elements are odd.
static bool is_odd(const struct work *k, int group) {
    const int first = group * k->l->len & ~7;
    bool odd = false;
    for (int i = first; i < first + 8; i++)
        odd ^= k->x[i] < 0;
    return odd;
}

static void add_group(struct work *k, int g, int way, bool odd, const float *rung, float likely, float *p, float *q) {
    const struct lattice *l = k->l;
    const float *x = k->x + g * l->len, *w = k->w + g * l->len;
    const bool flip = odd && (l->unit == 1 || g % 2 == way);
    float size[8];
    k->signs[g] = 0;
    for (int i = 0; i < l->len; i++) {
        size[i] = l->values ? fabsf(x[i]) : x[i];
        k->signs[g] |= (uint8_t)((x[i] < 0) << i);
    }
    list_points(k, way, flip, size, w, likely);
    choose_points(&k->cloud, rung, p, q, k->point[g][way]);
}

// What a unit takes at the rungs of sub-block j, the better way where there are two.
static void add_unit(struct work *k, int j, int unit, float likely) {
    const struct lattice *l = k->l;
    float p[2][RUNGS] = {{0}}, q[2][RUNGS] = {{0}};
    const bool odd = l->even && is_odd(k, unit * l->unit);
    const int ways = !l->values || (odd && l->unit == 2) ? 2 : 1;
    for (int way = 0; way < ways; way++)
        for (int i = 0; i < l->unit; i++)
            add_group(k, unit * l->unit + i, way, odd, k->rung[j], likely, p[way], q[way]);
    for (int i = 0; i < RUNGS; i++) {
        const float a = k->rung[j][i];
        const int way = ways > 1 && 2 * p[1][i] - a * q[1][i] > 2 * p[0][i] - a * q[0][i];
        k->way[unit][i] = (uint8_t)way;
        k->p[j][i] += p[way][i];
        k->q[j][i] += q[way][i];
    }
}

// The ladder of sub-block j, with a likely scale in its middle. Returns the scale that gains most.
static float make_ladder(struct work *k, int j, float likely) {
    const int units = k->l->sub / k->l->unit;
    float scale = likely * LEAST_RUNG, gain = -1, own = 0;
    for (int i = 0; i < RUNGS; i++, scale *= RUNG) {
        k->rung[j][i] = scale;
        k->p[j][i] = k->q[j][i] = 0;
    }
    for (int u = j * units; u < (j + 1) * units; u++)
        add_unit(k, j, u, likely);
    for (int i = 0; i < RUNGS; i++) {
        const float p = k->p[j][i], q = k->q[j][i], g = p * (p / q);
        if (p > 0 && g > gain) {
            gain = g;
            own = p / q;
        }
    }
    return own;
}

#define OFF 1.2f  // a scale that is so far from the likely one deserves a ladder of its own
#define LADDERS 3 // that are made in addition

static void prepare_sub(struct work *k, int j) {
    const struct lattice *l = k->l;
    const int len = l->sub * l->len;
    const float *x = k->x + j * len, *w = k->w + j * len;
    float likely = likely_scale(l, 0, x, w, len);
    if (!l->values)
        likely = 0.5f * (likely + likely_scale(l, 1, x, w, len));
    k->own[j] = make_ladder(k, j, likely);
    for (int i = 0; i < LADDERS && (k->own[j] > likely * OFF || k->own[j] * OFF < likely); i++) {
        likely = k->own[j];
        k->own[j] = make_ladder(k, j, likely);
    }
}

// What sub-blocks take: scales, and the rungs whose points they have.
struct taken {
    uint8_t scale[16], rung[16];
};

// What sub-block j gains at scale a with the points of the better of the rungs around it.
static float gain_at(const struct work *k, int j, float a, int *rung) {
    const float *p = k->p[j], *q = k->q[j];
    int32_t at = 0;
    for (int i = 1; i < RUNGS - 1; i++)
        at += k->rung[j][i] < a;
    float low = 2 * p[at] - a * q[at], high = 2 * p[at + 1] - a * q[at + 1];
    *rung = at + (high > low);
    return a * (high > low ? high : low);
}

// All sub-blocks at scale d: each takes the better of the sub-scales around its own. Returns the gain; *next is the
// best scale for what they take.
static float settle(const struct work *k, float d, struct taken *t, float *next) {
    const int subs = 256 / (k->l->sub * k->l->len), most = k->l->scales - 1;
    const float inverse = d > 0x1p-100f ? 0.5f / d : 0;
    float total = 0, cross = 0, square = 0;
    for (int j = 0; j < subs; j++) {
        float at = k->own[j] * inverse - 0.5f, best = -INFINITY;
        int first = (int)(at > 0 ? at < (float)(most - 1) ? at : (float)(most - 1) : 0), rung;
        for (int s = first; s <= first + 1; s++) {
            float gain = gain_at(k, j, d * (float)(2 * s + 1), &rung);
            if (gain > best) {
                best = gain;
                t->scale[j] = (uint8_t)s;
                t->rung[j] = (uint8_t)rung;
            }
        }
        float step = (float)(2 * t->scale[j] + 1);
        total += best;
        cross += step * k->p[j][t->rung[j]];
        square += step * step * k->q[j][t->rung[j]];
    }
    *next = square > 0 && cross > 0 ? cross / square : d;
    return total;
}

#define KEPT 3
#define D_STEPS 32

// The most promising scales.
static void propose(const struct work *k, float kept[KEPT]) {
    int subs = 256 / (k->l->sub * k->l->len);
    float top = 0, gains[KEPT], next;
    struct taken taken;
    for (int j = 0; j < subs; j++)
        top = k->own[j] > top ? k->own[j] : top;
    for (int i = 0; i < KEPT; i++) {
        kept[i] = 0;
        gains[i] = -INFINITY;
    }
    for (int step = 0; step < D_STEPS && top > 0; step++) {
        float d = top / ((float)(2 * k->l->scales - 1) * (0.5f + 0.022f * (float)step));
        float gain = settle(k, d, &taken, &next);
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
static uint8_t signs_of(const struct work *k, int g, unsigned point, int way) {
    const struct lattice *l = k->l;
    const float *x = k->x + g * l->len, *w = k->w + g * l->len;
    if (!l->even || !is_odd(k, g) || (l->unit == 2 && g % 2 != way))
        return k->signs[g];
    float least = INFINITY;
    int lose = 0;
    for (int i = 0, bits = bits_of(l); i < l->len; i++) {
        float loss = w[i] * fabsf(x[i]) * (float)l->values[point >> i * bits & ((1u << bits) - 1)];
        if (loss < least) {
            least = loss;
            lose = i;
        }
    }
    return (uint8_t)(k->signs[g] ^ 1 << lose);
}

// The index of a packed point; they are in ascending order.
static uint16_t index_of(const struct lattice *l, uint16_t point) {
    int at = 0;
    for (int step = l->n_points / 2; step; step /= 2)
        at += l->points[at + step] <= point ? step : 0;
    return (uint16_t)at;
}

static void take_points(const struct work *k, const struct taken *t, struct lattice_found *out) {
    const struct lattice *l = k->l;
    for (int g = 0; g < 256 / l->len; g++) {
        const int rung = t->rung[g / l->sub], way = k->way[g / l->unit][rung];
        const uint16_t point = k->point[g][way][rung];
        out->way[g] = (uint8_t)way;
        out->signs[g] = signs_of(k, g, point, way);
        out->point[g] = index_of(l, point);
    }
}

void lattice_search(const struct lattice *l, float unit, const float x[256], const float w[256],
                    struct lattice_found *out) {
    struct work k;
    struct taken best = {{0}, {0}};
    float kept[KEPT], gain = 0;
    k.l = l;
    k.x = x;
    k.w = w;
    if (!l->values)
        list_members(&k);
    for (int j = 0; j < 256 / (l->sub * l->len); j++)
        prepare_sub(&k, j);
    propose(&k, kept);
    *out = (struct lattice_found){0};
    for (int i = 0; i < KEPT; i++) {
        float d = kept[i];
        for (int round = 0; round < 4; round++) {
            struct taken taken = {{0}, {0}};
            uint16_t half = search_half(d / unit);
            float g = settle(&k, num_f16_to_f32(half) * unit, &taken, &d);
            if (!(g > gain))
                break;
            gain = g;
            out->half = half;
            best = taken;
        }
    }
    memcpy(out->scale, best.scale, sizeof out->scale);
    take_points(&k, &best, out);
}
