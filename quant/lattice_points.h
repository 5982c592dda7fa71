// SPDX-License-Identifier: MIT
// The choice of points of a codebook, at several scales at once.
#pragma once

#include "quant/lattice.h"

#define RUNGS 8 // scales at which points are chosen

// A group that wants points. Magnitudes count in formats that store signs.
struct lattice_job {
    const float *x, *w; // [len]
    const float *rung;  // [RUNGS]: ascending scales
    bool flip;          // one sign will be wrong, that of the element that loses least
    int way;
    // What it gets: the points that are best at the rungs (packed), and their sums p and q. Of equals the first.
    uint16_t point[RUNGS];
    float p[RUNGS], q[RUNGS];
};

#define NO_RUN 255

// The codebook by halves of its points. Those with the same upper half follow each other, since points are in ascending
// order: a run.
struct lattice_runs {
    int n;
    uint8_t high[256];       // the upper halves
    uint16_t first[256 + 1]; // their first points
    uint8_t of[256];         // runs by upper half, or NO_RUN
    int n_low;
    uint8_t low[256]; // the lower halves that there are
};

void lattice_list_runs(const struct lattice *l, struct lattice_runs *r);
// The code of index v at the given way.
float lattice_code(const struct lattice *l, int v, int way);
int lattice_bits(const struct lattice *l); // of an index in a point

void lattice_choose(const struct lattice *l, const struct lattice_runs *runs, struct lattice_job *job);
