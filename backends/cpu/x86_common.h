// SPDX-License-Identifier: MIT
// What the x86 levels share whatever the width of their vectors. Included between a level's begin and end headers, so
// that it is compiled for that level.
#pragma once

#include "backends/cpu/kernels.h"
#include "backends/cpu/vector.h"

// The tree of quant_sum8.
INLINE float sum8(__m256 a) {
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

// Asks for the lines of [p, p + size) ahead of their use. Rows follow each other in the file, so running ahead of a row
// is running into the next one; the hardware's own prefetch stops at every page and sees four rows as four streams.
INLINE void prefetch(const char *p, size_t size) {
    for (size_t i = 0; i < size; i += 64)
        _mm_prefetch(p + i, _MM_HINT_T1);
}

// The same from the second-level cache into the first.
INLINE void prefetch_near(const void *p, size_t size) {
    for (size_t i = 0; i < size; i += 64)
        _mm_prefetch((const char *)p + i, _MM_HINT_T0);
}

// The next weights of a job, asked for piece by piece while it computes: nothing waits for memory when its turn comes.
struct ahead {
    const char *at;
    size_t left, step;
};

INLINE struct ahead ahead_of(const struct dot_job *j, size_t pieces) {
    return (struct ahead){j->next, j->next_size, j->next_size / pieces + 64};
}

INLINE void ask_ahead(struct ahead *a) {
    if (!a->left)
        return;
    size_t size = a->left < a->step ? a->left : a->step;
    prefetch(a->at, size);
    a->at += size;
    a->left -= size;
}

// Column c of a job, for kernels that take one.
INLINE struct dot_job job_of_column(const struct dot_job *j, uint32_t c) {
    struct dot_job one = *j;
    one.cols = 1;
    one.x += c * j->x_stride;
    one.y += c * j->y_stride;
    return one;
}

// How far ahead weights are asked for while few columns are multiplied: 800 ns at 20 GB/s.
#define AHEAD_BYTES 16384

// What lies so far behind row r of a job in the order in which its thread reads: other threads read what follows a
// job's rows in the file. Of `side` rows that are read side by side, the last begins so much further on.
INLINE const char *ahead_of_row(const struct dot_job *j, uint32_t r, uint32_t side) {
    size_t at = (r + side - 1) * j->row_size + AHEAD_BYTES, size = j->rows * j->row_size;
    return at < size || !j->next ? j->w + at : j->next + (at - size);
}

// Q5_K begins like Q4_K, so what reads the scales and minimums of the one reads those of the other.
static_assert(offsetof(struct block_q5_k, dmin) == offsetof(struct block_q4_k, dmin), "q5_k");
static_assert(offsetof(struct block_q5_k, scales) == offsetof(struct block_q4_k, scales), "q5_k");

// The sixteen sub-scales of a block.
INLINE __m128i scales_q6_k(const char *b) {
    return _mm_loadu_si128((const void *)(b + offsetof(struct block_q6_k, scales)));
}
