// SPDX-License-Identifier: MIT
// Searching a scale and an offset for elements that share them: in turn the nearest codes and the least squares of both
// numbers for these codes. The starts cut off more or less of either end; they are tried side by side in the lanes of
// vectors, and the best of them is improved.
#include "quant/search.h"

#include <math.h>

#include "quant/lanes.h"

#define HALF_TOP 0x7bff // the bits of the largest half-precision number

void search_affine_nearest(struct search_affine *f, int hi, const float *x, const float *w, size_t n, int8_t *level) {
    wide error[REGISTERS] = {{0}}, slope[REGISTERS] = {{0}}, square[REGISTERS] = {{0}}, miss[REGISTERS] = {{0}};
    wide sum[REGISTERS] = {{0}};
    const float inverse = lanes_inverse(f->scale);
    const wide top = wide_all((float)hi), zero = {0};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t u = 0; u < REGISTERS; u++) {
            wide at = wide_load(x + i + u * WIDE), weight = wide_load(w + i + u * WIDE);
            wide l = wide_round(wide_min(wide_max((at - f->offset) * inverse, zero), top));
            wide m = at - (f->scale * l + f->offset), weighted = weight * l;
            error[u] += weight * m * m;
            miss[u] += weight * m;
            slope[u] += weighted * m;
            sum[u] += weighted;
            square[u] += weighted * l;
            if (level)
                wide_store_i8(level + i + u * WIDE, l);
        }
    f->error = wide_sum(error);
    f->slope = wide_sum(slope);
    f->square = wide_sum(square);
    f->miss = wide_sum(miss);
    f->level = wide_sum(sum);
}

// Scale and offset by least squares for the codes of f; total is the sum of w.
static void solve(struct search_affine *f, float total, bool free_offset) {
    float det = f->square * total - f->level * f->level;
    if (det > f->square * total * 1e-6f) {
        float scale = f->scale + (f->slope * total - f->miss * f->level) / det;
        float offset = f->offset + (f->miss * f->square - f->slope * f->level) / det;
        if (free_offset || offset <= 0) {
            f->scale = scale > 0 ? scale : 0;
            f->offset = offset;
            return;
        }
    }
    if (free_offset) {
        f->offset += f->miss / total;
    } else if (f->square > 0) {
        f->scale += (f->slope + f->offset * f->level) / f->square;
        f->offset = 0;
    }
}

static struct search_affine improve(struct search_affine f, int hi, bool free_offset, const float *x, const float *w,
                                    size_t n, float total, int rounds) {
    for (int i = 0; i < rounds && f.error > 0; i++) {
        struct search_affine next = f;
        solve(&next, total, free_offset);
        search_affine_nearest(&next, hi, x, w, n, NULL);
        if (!(next.error < f.error))
            break;
        f = next;
    }
    return f;
}

void search_affine_errors(int hi, const float *x, const float *w, size_t n, const float scale[LANES],
                          const float offset[LANES], float error[LANES]) {
    wide d[REGISTERS], o[REGISTERS], inverse[REGISTERS], sum[REGISTERS] = {{0}};
    const wide top = wide_all((float)hi), zero = {0};
    float inverses[LANES];
    for (int j = 0; j < LANES; j++)
        inverses[j] = lanes_inverse(scale[j]);
    for (int u = 0; u < REGISTERS; u++) {
        d[u] = wide_load(scale + WIDE * u);
        o[u] = wide_load(offset + WIDE * u);
        inverse[u] = wide_load(inverses + WIDE * u);
    }
    for (size_t i = 0; i < n; i++) {
        wide at = wide_all(x[i]), weight = wide_all(w[i]);
        for (int u = 0; u < REGISTERS; u++) {
            wide v = at - o[u], l = wide_round(wide_min(wide_max(v * inverse[u], zero), top)), miss = v - d[u] * l;
            sum[u] += weight * miss * miss;
        }
    }
    for (int u = 0; u < REGISTERS; u++)
        wide_store(error + WIDE * u, sum[u]);
}

// The elements less their mean, which keeps the sums below exact enough.
struct centred {
    float x[32];
    float mean, total; // the sum of w
    float lo, hi;
};

static void centre(const float *x, const float *w, size_t n, struct centred *c) {
    vec4 sum = {0}, total = {0}, lo = vec4_load(x), hi = lo;
    for (size_t i = 0; i < n; i += 4) {
        vec4 at = vec4_load(x + i);
        sum += at * vec4_load(w + i);
        total += vec4_load(w + i);
        lo = vec4_min(lo, at);
        hi = vec4_max(hi, at);
    }
    c->total = vec4_sum(total);
    c->mean = vec4_sum(sum) / c->total;
    c->lo = -vec4_largest(-lo) - c->mean;
    c->hi = vec4_largest(hi) - c->mean;
    for (size_t i = 0; i < n; i += 4)
        vec4_store(c->x + i, vec4_load(x + i) - c->mean);
}

// Sums over the codes of a start: of w l, w l^2 and w l x.
struct codes {
    float level[LANES], square[LANES], cross[LANES];
};

// Codes are x inverse - shift.
static void try_starts(const struct centred *c, const float *w, size_t n, int hi, const float inverses[LANES],
                       const float shifts[LANES], struct codes *out) {
    wide inverse[REGISTERS], shift[REGISTERS];
    wide level[REGISTERS] = {{0}}, square[REGISTERS] = {{0}}, cross[REGISTERS] = {{0}};
    const wide top = wide_all((float)hi), zero = {0};
    for (int u = 0; u < REGISTERS; u++) {
        inverse[u] = wide_load(inverses + WIDE * u);
        shift[u] = wide_load(shifts + WIDE * u);
    }
    for (size_t i = 0; i < n; i++) {
        wide at = wide_all(c->x[i]), weight = wide_all(w[i]);
        for (int u = 0; u < REGISTERS; u++) {
            wide l = wide_round(wide_min(wide_max(at * inverse[u] - shift[u], zero), top)), weighted = weight * l;
            level[u] += weighted;
            square[u] += weighted * l;
            cross[u] += weighted * at;
        }
    }
    for (int u = 0; u < REGISTERS; u++) {
        wide_store(out->level + WIDE * u, level[u]);
        wide_store(out->square + WIDE * u, square[u]);
        wide_store(out->cross + WIDE * u, cross[u]);
    }
}

// The best scale and offset for the codes of start j, and what they take off the error of the mean alone.
static float gain_of(const struct centred *c, const struct codes *s, int j, bool free_offset,
                     struct search_affine *out) {
    const float level = s->level[j], square = s->square[j], cross = s->cross[j];
    float det = square * c->total - level * level;
    if (det > square * c->total * 1e-6f) {
        float scale = cross * c->total / det, offset = c->mean - level * cross / det;
        if (free_offset || offset <= 0) {
            *out = (struct search_affine){.scale = scale > 0 ? scale : 0, .offset = offset};
            return cross * (cross * c->total / det);
        }
    }
    if (free_offset || !(square > 0)) {
        *out = (struct search_affine){.offset = free_offset || c->mean < 0 ? c->mean : 0};
        return 0;
    }
    float whole = cross + c->mean * level;
    *out = (struct search_affine){.scale = whole > 0 ? whole / square : 0};
    return whole * (whole / square) - c->total * c->mean * c->mean;
}

// Starts with the ends moved inwards by parts of a level: the lower one by `lower`, the upper one by eight steps.
static const struct {
    float lower, upper, step;
} starts[] = {{0, -0.3f, 0.1f},    {0.25f, -0.3f, 0.2f}, {-0.25f, -0.3f, 0.2f}, {0.6f, -0.2f, 0.2f},
              {0, -0.95f, 0.081f}, {0, 0.45f, 0.081f},   {0, -0.25f, 0.1f},     {1, 0, 0.2f}};

// Where an offset below 0 has to be, half of them are enough.
static size_t count_starts(bool free_offset) {
    return free_offset ? ARRAY_LEN(starts) : ARRAY_LEN(starts) / 2;
}

static void start_at(const struct centred *c, int hi, bool free_offset, size_t k, float inverse[LANES],
                     float shift[LANES]) {
    float lo = !free_offset && c->lo > -c->mean ? -c->mean : c->lo, unit = (c->hi - lo) / (float)hi;
    float from = lo + unit * starts[k].lower;
    if (!free_offset && from > -c->mean)
        from = -c->mean;
    for (int j = 0; j < LANES; j++) {
        float to = c->hi - unit * (starts[k].upper + starts[k].step * (float)j);
        inverse[j] = to - from > LANES_LEAST ? (float)hi / (to - from) : 0;
        shift[j] = from * inverse[j];
    }
}

// Eight candidates and what they gain.
struct candidates {
    struct search_affine fit[LANES];
    float gain[LANES];
};

// Tries eight starts; each lane keeps the better of what it has and of the best scale and offset for the start's codes.
static void try_lanes(struct candidates *best, const struct centred *c, const float *w, size_t n, int hi,
                      bool free_offset, const float inverse[LANES], const float shift[LANES]) {
    struct codes codes;
    try_starts(c, w, n, hi, inverse, shift, &codes);
    for (int j = 0; j < LANES; j++) {
        struct search_affine f;
        float gain = gain_of(c, &codes, j, free_offset, &f);
        if (gain > best->gain[j]) {
            best->gain[j] = gain;
            best->fit[j] = f;
        }
    }
}

#define FOLLOWED 2 // rounds of improving all candidates

struct search_affine search_affine(int hi, bool free_offset, const float *x, const float *w, size_t n) {
    struct centred c;
    struct candidates best;
    float inverse[LANES], shift[LANES];
    centre(x, w, n, &c);
    for (int j = 0; j < LANES; j++)
        best.gain[j] = -INFINITY;
    for (size_t k = 0; k < count_starts(free_offset); k++) {
        start_at(&c, hi, free_offset, k, inverse, shift);
        try_lanes(&best, &c, w, n, hi, free_offset, inverse, shift);
    }
    for (int round = 0; round < FOLLOWED; round++) {
        for (int j = 0; j < LANES; j++) {
            inverse[j] = lanes_inverse(best.fit[j].scale);
            shift[j] = (best.fit[j].offset - c.mean) * inverse[j];
        }
        try_lanes(&best, &c, w, n, hi, free_offset, inverse, shift);
    }
    int top = 0;
    for (int j = 1; j < LANES; j++)
        top = best.gain[j] > best.gain[top] ? j : top;
    struct search_affine f = best.fit[top];
    search_affine_nearest(&f, hi, x, w, n, NULL);
    return improve(f, hi, free_offset, x, w, n, c.total, ROUNDS);
}

// Rows that are the same number throughout: an offset just below it, and the rest as the scale, at level 1.
static struct search_affine same_number(float x) {
    struct search_affine f = {.offset = num_f16_to_f32(search_half(x))};
    if (f.offset > x)
        f.offset = num_f16_to_f32(search_half(x - fabsf(x) * 0x1p-11f));
    f.scale = num_f16_to_f32(search_half(x - f.offset));
    return f;
}

// The half-precision neighbours of a scale, with the offsets that suit them: the best of them on the true error.
static struct search_affine round_both(const struct search_affine *f, float total, int hi, const float *x,
                                       const float *w, size_t n) {
    static const int8_t moved[LANES] = {0, -1, 1, -2, 2, -3, 3, 4};
    float scale[LANES], offset[LANES], error[LANES];
    const int middle = search_half(f->scale);
    for (int j = 0; j < LANES; j++) {
        int half = middle + moved[j];
        scale[j] = num_f16_to_f32((uint16_t)(half < 0 ? 0 : half > HALF_TOP ? HALF_TOP : half));
        float best = f->offset + (f->miss - (scale[j] - f->scale) * f->level) / total;
        offset[j] = num_f16_to_f32(search_half(best));
    }
    search_affine_errors(hi, x, w, n, scale, offset, error);
    int best = 0;
    for (int j = 1; j < LANES; j++)
        best = error[j] < error[best] ? j : best;
    struct search_affine g = {.scale = scale[best], .offset = offset[best]};
    search_affine_nearest(&g, hi, x, w, n, NULL);
    return g;
}

// Takes the best of the scales at which a level is as far above the offset as the target.
static void consider_levels(struct search_affine *best, float offset, float target, int hi, const float *x,
                            const float *w, size_t n) {
    for (int first = 1; first <= hi && target > offset; first += LANES) {
        float scale[LANES], offsets[LANES], error[LANES];
        for (int j = 0; j < LANES; j++) {
            scale[j] = num_f16_to_f32(search_half((target - offset) / (float)(first + j)));
            offsets[j] = offset;
        }
        search_affine_errors(hi, x, w, n, scale, offsets, error);
        for (int j = 0; j < LANES; j++)
            if (error[j] < best->error)
                *best = (struct search_affine){.scale = scale[j], .offset = offset, .error = error[j]};
    }
}

// Where one element is far from all others, most of the error is that of rounding both numbers. The levels in use are
// few then, and any others may take their places.
static void round_few(struct search_affine *best, const struct search_affine *f, int hi, const float *x, const float *w,
                      size_t n) {
    vec4 lo = vec4_load(x), top = lo;
    for (size_t i = 4; i < n; i += 4) {
        lo = vec4_min(lo, vec4_load(x + i));
        top = vec4_max(top, vec4_load(x + i));
    }
    const float largest = vec4_largest(top), decoded = f->offset + f->scale * (float)hi;
    const float offsets[2] = {-vec4_largest(-lo), f->offset};
    for (int i = 0; i < 2; i++) {
        float offset = num_f16_to_f32(search_half(offsets[i]));
        consider_levels(best, offset, largest, hi, x, w, n);
        consider_levels(best, offset, decoded, hi, x, w, n);
    }
}

#define ROUNDING 1e-5f // of the power of the elements: an error below it is mostly that of rounding scale and offset

void search_affine_half(int hi, const float *x, const float *w, size_t n, uint16_t *scale, uint16_t *offset,
                        int8_t *level) {
    const struct search_affine fit = search_affine(hi, true, x, w, n);
    struct search_affine f = fit, best = {.scale = 0};
    float total = 0;
    search_affine_nearest(&best, hi, x, w, n, NULL);
    const float power = best.error;
    for (size_t i = 0; i < n; i++)
        total += w[i];
    for (int round = 0; round < 2; round++) {
        f = round_both(&f, total, hi, x, w, n);
        if (!(f.error < best.error))
            break;
        best = f;
    }
    if (best.error > 0 && fit.error < power * ROUNDING)
        round_few(&best, &fit, hi, x, w, n);
    if (best.error > 0 && search_is_constant(x, n)) {
        best = same_number(x[0]);
        search_affine_nearest(&best, hi, x, w, n, NULL);
    }
    *scale = search_half(best.scale);
    *offset = search_half(best.offset);
    search_affine_nearest(&best, hi, x, w, n, level);
}
