// SPDX-License-Identifier: MIT
// Choosing points. Sums p and q of a point are those of its halves, of which there are few; the rungs are the lanes of
// the vectors. An upper half that is so far from the elements that no lower half could make up for it at any rung, is
// passed over with all its points.
#include "quant/lattice_points.h"

#include <math.h>

#include "quant/wide.h"

int lattice_bits(const struct lattice *l) {
    return l->len == 8 ? 2 : 3;
}

float lattice_code(const struct lattice *l, int v, int way) {
    return l->values ? (float)l->values[v] : (float)(8 * (v - 1) + (way ? -1 : 1));
}

void lattice_list_runs(const struct lattice *l, struct lattice_runs *r) {
    const int shift = l->len / 2 * lattice_bits(l);
    r->n = 0;
    memset(r->of, NO_RUN, sizeof r->of);
    for (int i = 0; i < l->n_points; i++)
        if (i == 0 || l->points[i] >> shift != r->high[r->n - 1]) {
            r->of[l->points[i] >> shift] = (uint8_t)r->n;
            r->high[r->n] = (uint8_t)(l->points[i] >> shift);
            r->first[r->n++] = (uint16_t)i;
        }
    r->first[r->n] = (uint16_t)l->n_points;
    bool seen[256] = {false};
    for (int i = 0; i < l->n_points; i++)
        seen[l->points[i] & ((1 << shift) - 1)] = true;
    r->n_low = 0;
    for (int k = 0; k < 1 << shift; k++) {
        r->low[r->n_low] = (uint8_t)k;
        r->n_low += seen[k];
    }
}

// The sums of half of the elements for combinations of their levels, and the smallest part of p.
struct half {
    float p[256], q[256], least[256];
};

// Adds a level's part to n combinations, a power of 2 and not 2.
static inline void spread(float *sums, int n, int to, float part) {
    if (n == 1)
        sums[to] = sums[0] + part;
    else if (n == 4)
        vec4_store(sums + to * n, vec4_load(sums) + part);
    else
        for (int k = 0; k < n; k += WIDE)
            wide_store(sums + to * n + k, wide_load(sums + k) + part);
}

static void spread_least(float *least, int n, int to, float part) {
    for (int k = 0; k < n; k++)
        least[to * n + k] = least[k] < part ? least[k] : part;
}

// Element i, after others with n combinations.
static inline void add_element(const struct lattice *l, const struct lattice_job *job, int i, int n, struct half *h) {
    const float x = l->values ? fabsf(job->x[i]) : job->x[i], w = job->w[i];
    for (int v = (1 << lattice_bits(l)) - 1; v >= 0; v--) {
        const float c = lattice_code(l, v, job->way), p = w * x * c;
        spread(h->q, n, v, w * c * c);
        spread(h->p, n, v, p);
        if (job->flip)
            spread_least(h->least, n, v, p);
    }
}

static void sum_half(const struct lattice *l, const struct lattice_job *job, int first, struct half *h) {
    h->p[0] = h->q[0] = 0;
    h->least[0] = INFINITY;
    for (int i = 0, n = 1; i < l->len / 2; i++, n <<= lattice_bits(l))
        add_element(l, job, first + i, n, h);
}

#define REGS (RUNGS / WIDE)

// The best points so far: values at the rungs, and which.
struct leaders {
    wide scale[REGS], value[REGS];
    wide_mask at[REGS];
};

static inline void follow(struct leaders *l, float p, float q, int point) {
    const wide twice = wide_all(p + p), square = wide_all(q);
    for (int u = 0; u < REGS; u++) {
        const wide v = twice - l->scale[u] * square;
        const wide_mask better = v > l->value[u];
        l->value[u] = wide_max(l->value[u], v);
        l->at[u] = (better & point) | (~better & l->at[u]);
    }
}

#define DOUBT 1e-6f // of the parts of 2 p - a q: more than rounding can make of them

// What halves add to 2 p - a q, and a little more.
struct bound {
    wide less[REGS]; // scales
    wide most[REGS]; // of the lower halves
};

static inline wide at_most(const struct bound *b, int u, float p, float q) {
    return wide_all((p + p) + DOUBT * fabsf(p)) - b->less[u] * q;
}

static void bound_low(struct bound *b, const struct leaders *l, const struct half *low,
                      const struct lattice_runs *runs) {
    for (int u = 0; u < REGS; u++) {
        b->less[u] = l->scale[u] * (1 - DOUBT);
        b->most[u] = wide_all(-INFINITY);
    }
    for (int i = 0; i < runs->n_low; i++) {
        const int k = runs->low[i];
        for (int u = 0; u < REGS; u++)
            b->most[u] = wide_max(b->most[u], at_most(b, u, low->p[k], low->q[k]));
    }
}

static inline bool can_lead(const struct leaders *l, const struct bound *b, float p, float q) {
    wide_mask any = {0};
    for (int u = 0; u < REGS; u++)
        any |= at_most(b, u, p, q) + b->most[u] > l->value[u];
    return wide_bits(any) != 0;
}

// A group while its points are looked for.
struct group {
    const struct lattice *l;
    const struct lattice_runs *runs;
    struct lattice_job *job;
    int shift; // of the upper half in a point
    struct half low, high;
};

static inline void sums_of(const struct group *g, unsigned point, float *p, float *q) {
    const unsigned low = point & ((1u << g->shift) - 1), high = point >> g->shift;
    *p = g->low.p[low] + g->high.p[high];
    *q = g->low.q[low] + g->high.q[high];
    if (g->job->flip)
        *p -= 2 * (g->low.least[low] < g->high.least[high] ? g->low.least[low] : g->high.least[high]);
}

static inline void follow_run(const struct group *g, int run, struct leaders *best) {
    for (int i = g->runs->first[run]; i < g->runs->first[run + 1]; i++) {
        float p, q;
        sums_of(g, g->l->points[i], &p, &q);
        follow(best, p, q, i);
    }
}

// The run whose upper half has the levels nearest to the elements at scale a, as if all steps between levels were the
// same.
static int likely_run(const struct group *g, float a) {
    const int bits = lattice_bits(g->l), half = g->l->len / 2, last = bits == 2 ? 2 : 7;
    const float first = lattice_code(g->l, 0, g->job->way);
    const float step = (lattice_code(g->l, last, g->job->way) - first) / (float)last;
    const float inverse = 1 / (a * step), shift = first / step - 0.5f;
    unsigned high = 0;
    for (int i = 0; i < half; i++) {
        const float x = g->job->x[half + i], at = (g->l->values ? fabsf(x) : x) * inverse - shift;
        high |= (unsigned)(at > 0 ? at < (float)last ? at : (float)last : 0) << i * bits;
    }
    return g->runs->of[high];
}

// The runs where good points are likely; thereafter most others cannot lead.
static void follow_likely(const struct group *g, struct leaders *best) {
    int done = NO_RUN;
    for (int i = RUNGS - 2; i > 0 && g->job->rung[0] > 0x1p-100f; i -= 4) {
        const int run = likely_run(g, g->job->rung[i]);
        if (run != NO_RUN && run != done)
            follow_run(g, run, best);
        done = run;
    }
}

void lattice_choose(const struct lattice *l, const struct lattice_runs *runs, struct lattice_job *job) {
    struct group g;
    struct leaders best;
    struct bound bound;
    int32_t at[RUNGS];
    g.l = l;
    g.runs = runs;
    g.job = job;
    g.shift = l->len / 2 * lattice_bits(l);
    sum_half(l, job, 0, &g.low);
    sum_half(l, job, l->len / 2, &g.high);
    for (int u = 0; u < REGS; u++) {
        best.scale[u] = wide_load(job->rung + u * WIDE);
        best.value[u] = wide_all(-INFINITY);
        best.at[u] = (wide_mask){0};
    }
    bound_low(&bound, &best, &g.low, runs);
    follow_likely(&g, &best);
    for (int r = 0; r < runs->n; r++)
        if (can_lead(&best, &bound, g.high.p[runs->high[r]], g.high.q[runs->high[r]]))
            follow_run(&g, r, &best);
    memcpy(at, best.at, sizeof best.at);
    for (int i = 0; i < RUNGS; i++) {
        job->point[i] = l->points[at[i]];
        sums_of(&g, job->point[i], &job->p[i], &job->q[i]);
    }
}
