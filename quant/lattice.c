// SPDX-License-Identifier: MIT
// For a group with magnitudes x and weights w, a point with codes c at scale a has the error
//
//     sum w x^2 - a (2 p - a q),   p = sum w x c,   q = sum w c^2
//
// where p and q do not depend on the scale. Each sub-block has a ladder of scales around the one that suits it; the
// points that are best at each rung are looked for once, with all rungs side by side (lattice_points.c). After that any
// scale of the sub-block is tried by looking at the sums of the two rungs next to it, so the scales of a whole block
// can be searched together. In the end each group takes the best of its points for the scales that were found.
#include "quant/lattice.h"

#include <float.h>
#include <math.h>

#include "quant/lanes.h"
#include "quant/lattice_points.h"
#include "quant/search.h"

#define RUNG 1.12f       // from one to the next
#define LEAST_RUNG 0.68f // of the likely scale

// A block while it is searched.
struct work {
    const struct lattice *l;
    const float *x, *w;
    struct lattice_runs runs;
    float rung[16][RUNGS];            // by sub-block: scales, and for the points that are best there:
    float p[16][RUNGS], q[16][RUNGS]; // their sums
    float likely[16], own[16];        // scales: the middle of the ladder, and the best
    float square[16];                 // q at the latter
    struct lattice_job job[64][2];    // by group and way
    uint8_t signs[64];                // of a group, as the elements have them
};

// Levels of a way as if all steps were the same: the first one, and the step.
struct ladder {
    float first, step, last; // `last` is an index
};

static struct ladder ladder_of(const struct lattice *l, int way) {
    const int last = l->len == 8 ? 2 : 7;
    const float first = lattice_code(l, 0, way);
    return (struct ladder){first, (lattice_code(l, last, way) - first) / (float)last, (float)last};
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
    for (int round = 0; round < (l->values && l->len == 8 ? 0 : LIKELY_ROUNDS) && scale > 0x1p-100f; round++) {
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

// Ways that a unit chooses between.
static int ways_of(const struct work *k, int unit) {
    const struct lattice *l = k->l;
    return !l->values || (l->unit == 2 && l->even && is_odd(k, unit * l->unit)) ? 2 : 1;
}

// What a unit takes at the rungs of sub-block j, the better way where there are two.
static void add_unit(struct work *k, int j, int unit) {
    const struct lattice *l = k->l;
    float p[2][RUNGS] = {{0}}, q[2][RUNGS] = {{0}};
    const int ways = ways_of(k, unit);
    for (int way = 0; way < ways; way++)
        for (int g = unit * l->unit; g < (unit + 1) * l->unit; g++)
            for (int i = 0; i < RUNGS; i++) {
                p[way][i] += k->job[g][way].p[i];
                q[way][i] += k->job[g][way].q[i];
            }
    for (int i = 0; i < RUNGS; i++) {
        const float a = k->rung[j][i];
        const int way = ways > 1 && 2 * p[1][i] - a * q[1][i] > 2 * p[0][i] - a * q[0][i];
        k->p[j][i] += p[way][i];
        k->q[j][i] += q[way][i];
    }
}

// Chooses points for the groups of sub-block j, at scales with the likely one in their middle.
static void choose_points(struct work *k, int j) {
    const struct lattice *l = k->l;
    float scale = k->likely[j] * LEAST_RUNG;
    for (int i = 0; i < RUNGS; i++, scale *= RUNG)
        k->rung[j][i] = scale;
    for (int g = j * l->sub; g < (j + 1) * l->sub; g++)
        for (int way = 0; way < ways_of(k, g / l->unit); way++) {
            struct lattice_job *job = &k->job[g][way];
            job->x = k->x + g * l->len;
            job->w = k->w + g * l->len;
            job->rung = k->rung[j];
            job->way = way;
            job->flip = l->even && is_odd(k, g) && (l->unit == 1 || g % 2 == way);
            lattice_choose(l, &k->runs, job);
        }
}

// The ladder of sub-block j, and the scale that gains most.
static void make_ladder(struct work *k, int j) {
    const int units = k->l->sub / k->l->unit;
    float gain = -1;
    choose_points(k, j);
    memset(k->p[j], 0, sizeof k->p[j]);
    memset(k->q[j], 0, sizeof k->q[j]);
    for (int u = j * units; u < (j + 1) * units; u++)
        add_unit(k, j, u);
    k->own[j] = k->square[j] = 0;
    for (int i = 0; i < RUNGS; i++) {
        const float p = k->p[j][i], q = k->q[j][i], g = p * (p / q);
        if (p > 0 && g > gain) {
            gain = g;
            k->own[j] = p / q;
            k->square[j] = q;
        }
    }
}

#define OFF 1.2f  // a scale that is so far from the likely one deserves a ladder of its own
#define LADDERS 3 // that are made in addition

static void prepare_sub(struct work *k, int j) {
    const struct lattice *l = k->l;
    const int len = l->sub * l->len;
    const float *x = k->x + j * len, *w = k->w + j * len;
    k->likely[j] = likely_scale(l, 0, x, w, len);
    if (!l->values)
        k->likely[j] = 0.5f * (k->likely[j] + likely_scale(l, 1, x, w, len));
    make_ladder(k, j);
    for (int i = 0; i < LADDERS && (k->own[j] > k->likely[j] * OFF || k->own[j] * OFF < k->likely[j]); i++) {
        k->likely[j] = k->own[j];
        make_ladder(k, j);
    }
    for (int g = j * l->sub; g < (j + 1) * l->sub; g++) {
        k->signs[g] = 0;
        for (int i = 0; i < l->len; i++)
            k->signs[g] |= (uint8_t)((k->x[g * l->len + i] < 0) << i);
    }
}

// What sub-blocks take: scales, and the rungs whose points they have.
struct taken {
    uint8_t scale[16], rung[16];
};

// What sub-block j gains at scale a with the points of the better of the rungs around it.
static float gain_at(const struct work *k, int j, float a, int *rung) {
    const float *p = k->p[j], *q = k->q[j];
    unsigned below = 0; // the rungs that are: the first ones
    for (int u = 0; u < RUNGS; u += WIDE)
        below |= wide_bits(wide_load(k->rung[j] + u) < a) << u;
    const int n = __builtin_ctz(~below), at = n < 2 ? 0 : n < RUNGS ? n - 1 : RUNGS - 2;
    const float low = 2 * p[at] - a * q[at], high = 2 * p[at + 1] - a * q[at + 1];
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

// The error that scales of the block add to that of the sub-blocks' own ones, estimated, and the scales improved for
// the sub-scales that they lead to.
static void estimate(const struct work *k, float d[LANES], float error[LANES]) {
    const float most = (float)(k->l->scales - 1);
    for (int u = 0; u < LANES; u += WIDE) {
        wide sum = {0}, cross = {0}, power = {0}, unit = wide_load(d + u);
        const wide inverse = 0.5f * lanes_inverses(unit);
        for (int j = 0; j < 256 / (k->l->sub * k->l->len); j++) {
            const wide at = wide_min(wide_max(k->own[j] * inverse - 0.5f, wide_all(0)), wide_all(most));
            const wide step = 2 * wide_round(at) + 1, miss = k->own[j] - step * unit, weighted = k->square[j] * step;
            sum += k->square[j] * miss * miss;
            cross += weighted * miss;
            power += weighted * step;
        }
        const wide better = wide_choose(power > 0, cross / wide_max(power, wide_all(FLT_MIN)), wide_all(0));
        wide_store(error + u, sum - cross * better);
        wide_store(d + u, unit + better);
    }
}

#define KEPT 10
#define D_STEPS 32

// The most promising scales.
static void propose(const struct work *k, float kept[KEPT]) {
    float top = 0, errors[KEPT];
    for (int j = 0; j < 256 / (k->l->sub * k->l->len); j++)
        top = k->own[j] > top ? k->own[j] : top;
    for (int i = 0; i < KEPT; i++) {
        kept[i] = 0;
        errors[i] = INFINITY;
    }
    for (int step = 0; step < D_STEPS && top > 0; step += LANES) {
        float d[LANES], error[LANES];
        for (int i = 0; i < LANES; i++)
            d[i] = top / ((float)(2 * k->l->scales - 1) * (0.5f + 0.022f * (float)(step + i)));
        estimate(k, d, error);
        for (int i = 0; i < LANES; i++)
            lanes_keep(KEPT, kept, errors, d[i], error[i]);
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
    for (int i = 0, bits = lattice_bits(l); i < l->len; i++) {
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

// Scales and points that fit a scale of the block.
static void find_scales(const struct work *k, float unit, struct lattice_found *out) {
    float kept[KEPT], gain = 0;
    propose(k, kept);
    for (int i = 0; i < KEPT; i++) {
        float d = kept[i];
        for (int round = 0; round < 4; round++) {
            struct taken taken = {{0}, {0}};
            uint16_t half = search_half(d / unit);
            float g = settle(k, num_f16_to_f32(half) * unit, &taken, &d);
            if (!(g > gain))
                break;
            gain = g;
            out->half = half;
            memcpy(out->scale, taken.scale, sizeof out->scale);
        }
    }
}

// The first of the rungs whose points are best for a group at scale a.
static int rung_at(const struct lattice_job *job, float a) {
    wide v[RUNGS / WIDE], top = wide_all(-INFINITY);
    unsigned best = 0;
    for (int u = 0; u < RUNGS / WIDE; u++) {
        v[u] = 2 * wide_load(job->p + WIDE * u) - a * wide_load(job->q + WIDE * u);
        top = wide_max(top, v[u]);
    }
    for (int u = 0; u < RUNGS / WIDE; u++)
        best |= wide_bits(v[u] == wide_largest(top)) << WIDE * u;
    return best ? __builtin_ctz(best) : 0;
}

// What the groups of a sub-block or a unit take: rungs by way, the better way, and its sums.
struct share {
    uint8_t rung[2][8];
    int way;
    float p, q;
};

static void share_of_unit(const struct work *k, int unit, float a, struct share *s) {
    const struct lattice *l = k->l;
    float p[2] = {0}, q[2] = {0};
    const int ways = ways_of(k, unit);
    for (int way = 0; way < ways; way++)
        for (int i = 0; i < l->unit; i++) {
            const struct lattice_job *job = &k->job[unit * l->unit + i][way];
            const int rung = rung_at(job, a);
            s->rung[way][i] = (uint8_t)rung;
            p[way] += job->p[rung];
            q[way] += job->q[rung];
        }
    s->way = ways > 1 && 2 * p[1] - a * q[1] > 2 * p[0] - a * q[0];
    s->p = p[s->way];
    s->q = q[s->way];
}

// The sums of sub-block j at scale a.
static void share_of_sub(const struct work *k, int j, float a, float *p, float *q) {
    const int units = k->l->sub / k->l->unit;
    *p = *q = 0;
    for (int u = j * units; u < (j + 1) * units; u++) {
        struct share s;
        share_of_unit(k, u, a, &s);
        *p += s.p;
        *q += s.q;
    }
}

// The best of the sub-scales around that of sub-block j.
static void settle_sub(const struct work *k, int j, float d, struct lattice_found *f, float *cross, float *square) {
    const int now = f->scale[j], first = now > 0 ? now - 1 : 0, last = now + 1 < k->l->scales ? now + 1 : now;
    float most = -INFINITY, c = 0, q = 0;
    for (int s = first; s <= last; s++) {
        const float step = (float)(2 * s + 1), a = d * step;
        float p_s, q_s;
        share_of_sub(k, j, a, &p_s, &q_s);
        const float gain = a * (2 * p_s - a * q_s);
        if (gain > most) {
            most = gain;
            f->scale[j] = (uint8_t)s;
            c = step * p_s;
            q = step * step * q_s;
        }
    }
    *cross += c;
    *square += q;
}

static void take_points(const struct work *k, float d, struct lattice_found *f) {
    const struct lattice *l = k->l;
    for (int u = 0; u < 256 / (l->len * l->unit); u++) {
        struct share s;
        const int j = u * l->unit / l->sub;
        share_of_unit(k, u, d * (float)(2 * f->scale[j] + 1), &s);
        for (int i = 0; i < l->unit; i++) {
            const int g = u * l->unit + i;
            const uint16_t point = k->job[g][s.way].point[s.rung[s.way][i]];
            f->way[g] = (uint8_t)s.way;
            f->signs[g] = signs_of(k, g, point, s.way);
            f->point[g] = index_of(l, point);
        }
    }
}

#define SETTLED 2 // times

// Scales lie between rungs, and not all groups are best off with the points of the same one: each takes those that it
// likes best, and sub-blocks and block the scales that are best for these.
static void settle_points(const struct work *k, float unit, struct lattice_found *f) {
    float d = num_f16_to_f32(f->half) * unit;
    for (int round = 0; round < SETTLED; round++) {
        float cross = 0, square = 0;
        for (int j = 0; j < 256 / (k->l->sub * k->l->len); j++)
            settle_sub(k, j, d, f, &cross, &square);
        const uint16_t half = search_half(square > 0 && cross > 0 ? cross / square / unit : 0);
        const float next = num_f16_to_f32(half) * unit;
        if (half == f->half || !(next * (2 * cross - next * square) > d * (2 * cross - d * square)))
            break;
        f->half = half;
        d = next;
    }
    take_points(k, d, f);
}

void lattice_search(const struct lattice *l, float unit, const float x[256], const float w[256],
                    struct lattice_found *out) {
    struct work k;
    k.l = l;
    k.x = x;
    k.w = w;
    *out = (struct lattice_found){0};
    lattice_list_runs(l, &k.runs);
    for (int j = 0; j < 256 / (l->sub * l->len); j++)
        prepare_sub(&k, j);
    find_scales(&k, unit, out);
    settle_points(&k, unit, out);
}
