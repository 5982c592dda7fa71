// SPDX-License-Identifier: MIT
// Searching a scale and an offset for elements that share them: in turn the nearest codes and the least squares of both
// numbers for these codes, from several starts that cut off more or less of either end.
#include "quant/search.h"

#include <math.h>

#include "quant/vec4.h"

void search_affine_nearest(struct search_affine *f, int hi, const float *x, const float *w, size_t n, int8_t *level) {
    vec4 error = {0}, slope = {0}, square = {0}, miss = {0}, sum = {0};
    const float inverse = fabsf(f->scale) > 0x1p-100f ? 1.0f / f->scale : 0.0f;
    for (size_t i = 0; i < n; i += 4) {
        vec4 at = vec4_load(x + i), weight = vec4_load(w + i), v = (at - f->offset) * inverse;
        vec4 l = vec4_round(vec4_clamp(v, vec4_all(0), vec4_all((float)hi)));
        vec4 m = at - (f->scale * l + f->offset), weighted = weight * l;
        error += weight * m * m;
        miss += weight * m;
        slope += weighted * m;
        sum += weighted;
        square += weighted * l;
        for (size_t j = 0; level && j < 4; j++)
            level[i + j] = (int8_t)l[j];
    }
    f->error = vec4_sum(error);
    f->slope = vec4_sum(slope);
    f->square = vec4_sum(square);
    f->miss = vec4_sum(miss);
    f->level = vec4_sum(sum);
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

#define STARTS 5 // for either end of the range

// Starts with the ends moved by parts of a level.
static struct search_affine start_at(int i, int hi, bool free_offset, float lo, float top) {
    static const float moved[STARTS] = {0, -0.5f, 0.5f, 1.0f, 1.5f};
    float unit = (top - lo) / (float)hi * 0.4f;
    float from = lo + unit * moved[i / STARTS], to = top - unit * moved[i % STARTS];
    if (!free_offset && from > 0)
        from = 0;
    return (struct search_affine){.scale = to > from ? (to - from) / (float)hi : 0, .offset = from};
}

struct search_affine search_affine(int hi, bool free_offset, const float *x, const float *w, size_t n) {
    float lo = x[0], top = x[0], total = 0;
    for (size_t i = 0; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        top = x[i] > top ? x[i] : top;
        total += w[i];
    }
    if (!free_offset)
        lo = lo < 0 ? lo : 0;
    struct search_affine best = {.error = INFINITY};
    for (int i = 0; i < STARTS * STARTS && best.error > 0; i++) {
        struct search_affine f = start_at(i, hi, free_offset, lo, top);
        search_affine_nearest(&f, hi, x, w, n, NULL);
        f = improve(f, hi, free_offset, x, w, n, total, 3);
        if (f.error < best.error)
            best = f;
    }
    return improve(best, hi, free_offset, x, w, n, total, 6);
}

// Rows that are the same number throughout: an offset just below it, and the rest as the scale, at level 1.
static struct search_affine same_number(float x) {
    struct search_affine f = {.offset = num_f16_to_f32(search_half(x))};
    if (f.offset > x)
        f.offset = num_f16_to_f32(search_half(x - fabsf(x) * 0x1p-11f));
    f.scale = num_f16_to_f32(search_half(x - f.offset));
    return f;
}

void search_affine_half(int hi, const float *x, const float *w, size_t n, uint16_t *scale, uint16_t *offset,
                        int8_t *level) {
    struct search_affine f = search_affine(hi, true, x, w, n), best = {.scale = 0};
    float total = 0;
    search_affine_nearest(&best, hi, x, w, n, NULL);
    for (size_t i = 0; i < n; i++)
        total += w[i];
    for (int round = 0; round < 3; round++) {
        struct search_affine g = {.scale = num_f16_to_f32(search_half(f.scale)),
                                  .offset = num_f16_to_f32(search_half(f.offset))};
        search_affine_nearest(&g, hi, x, w, n, NULL);
        if (!(g.error < best.error))
            break;
        best = g;
        // With the scale rounded, the offset has another best value.
        f.scale = g.scale;
        f.offset = g.offset + g.miss / total;
    }
    if (best.error > 0 && search_is_constant(x, n)) {
        best = same_number(x[0]);
        search_affine_nearest(&best, hi, x, w, n, NULL);
    }
    *scale = search_half(best.scale);
    *offset = search_half(best.offset);
    search_affine_nearest(&best, hi, x, w, n, level);
}
