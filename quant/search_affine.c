// SPDX-License-Identifier: MIT
// Searching a scale and an offset for elements that share them: in turn the nearest codes and the least squares of both
// numbers for these codes, from several starts that cut off more or less of either end.
#include "quant/search.h"

#include <math.h>

void search_affine_nearest(struct search_affine *f, int hi, const float *x, const float *w, size_t n, int8_t *level) {
    float error[16] = {0}, slope[16] = {0}, square[16] = {0}, miss[16] = {0}, sum[16] = {0};
    const float inverse = fabsf(f->scale) > 0x1p-100f ? 1.0f / f->scale : 0.0f, top = (float)hi;
    const float scale = f->scale, offset = f->offset;
    for (size_t at = 0; at < n; at += 16) {
        float l[16];
        for (int i = 0; i < 16; i++) {
            float v = (x[at + (size_t)i] - offset) * inverse;
            v = v > 0.0f ? v : 0.0f;
            v = v < top ? v : top;
            l[i] = num_round(v);
        }
        for (int i = 0; i < 16; i++) {
            float m = x[at + (size_t)i] - (scale * l[i] + offset), weight = w[at + (size_t)i];
            float weighted = weight * l[i];
            error[i] += weight * m * m;
            miss[i] += weight * m;
            slope[i] += weighted * m;
            sum[i] += weighted;
            square[i] += weighted * l[i];
        }
        for (int i = 0; level && i < 16; i++)
            level[at + (size_t)i] = (int8_t)l[i];
    }
    f->error = quant_sum16(error);
    f->slope = quant_sum16(slope);
    f->square = quant_sum16(square);
    f->miss = quant_sum16(miss);
    f->level = quant_sum16(sum);
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

// The ends of the range at the start are moved in by these parts of the range of n elements with hi + 1 levels.
#define STARTS 5

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
    for (int low = 0; low < STARTS; low++)
        for (int high = 0; high < STARTS; high++) {
            float unit = (top - lo) / (float)hi * 0.4f;
            if (hi <= 3)
                unit *= 0.7f;
            float from = lo + unit * ((float)low - 0.5f), to = top - unit * ((float)high - 0.5f);
            if (low == 0 && high == 0)
                from = lo, to = top;
            if (!free_offset && from > 0)
                from = 0;
            struct search_affine f = {.scale = to > from ? (to - from) / (float)hi : 0, .offset = from};
            search_affine_nearest(&f, hi, x, w, n, NULL);
            f = improve(f, hi, free_offset, x, w, n, total, 2);
            if (f.error < best.error)
                best = f;
        }
    return improve(best, hi, free_offset, x, w, n, total, 6);
}

void search_affine_half(int hi, const float *x, const float *w, size_t n, uint16_t *scale, uint16_t *offset,
                        int8_t *level) {
    struct search_affine f = search_affine(hi, true, x, w, n), best = {.error = INFINITY};
    float total = 0;
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
    *scale = search_half(best.scale);
    *offset = search_half(best.offset);
    search_affine_nearest(&best, hi, x, w, n, level);
}
