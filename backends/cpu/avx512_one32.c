// SPDX-License-Identifier: MIT
// AVX-512, one column, formats with a float scale per run of 32 or 16 elements. The lanes of a sum are the eight
// partial sums of two rows. The two halves of a job's rows are read side by side: rows that follow each other would be
// short streams, which the hardware's prefetch sees too late. Where a row ends within four runs behind the last eight,
// half a step does.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_one32.h"

// The column as the steps want it, in the job's scratch, a step of eight runs after the other. Scales and zeros are
// in the lanes of the sums.
struct column {
    int8_t *q;
    float *d, *s;   // s: what minimums are multiplied by
    int32_t *zeros; // what the zero of the codes adds to a sum of codes times q
};

INLINE struct column cut_scratch(const struct one32 f, const struct dot_job *j) {
    const size_t steps = (j->n / (size_t)f.run_len + 7) / 8, each = 16;
    char *p = j->panel;
    float *d = (float *)(void *)(p + steps * 8 * (size_t)f.run_len), *s = d + steps * each;
    return (struct column){(int8_t *)p, d, s, (int32_t *)(void *)(s + steps * each)};
}

// The run whose sum a lane is.
INLINE __m512i runs_of_lanes(const struct one32 f) {
    if (f.lanes == ONE32_FOURS)
        return _mm512_setr_epi32(0, 4, 0, 4, 1, 5, 1, 5, 2, 6, 2, 6, 3, 7, 3, 7);
    if (f.lanes == ONE32_PAIRS)
        return _mm512_setr_epi32(0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7);
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
}

// Scales of step i, and what the zero of the codes adds, where `left` runs are there.
INLINE void prepare_scales(const struct one32 f, const struct quant_vec *x, size_t i, size_t left, struct column *c) {
    const __m512i runs = runs_of_lanes(f);
    const size_t run = 8 * i;
    const __mmask8 there = (__mmask8)(left < 8 ? (1u << left) - 1 : 0xff);
    __m512i at = runs;
    __m256i zeros;
    if (f.run_len == 32) {
        const __mmask16 halves = (__mmask16)(left < 8 ? (1u << 2 * left) - 1 : 0xffff);
        zeros = _mm256_madd_epi16(_mm256_maskz_loadu_epi16(halves, x->bs + 2 * run), _mm256_set1_epi16((short)f.zero));
    } else {
        zeros = _mm256_cvtepi16_epi32(_mm_maskz_loadu_epi16(there, x->bs + run));
        zeros = _mm256_mullo_epi32(zeros, _mm256_set1_epi32(f.zero));
        at = _mm512_srli_epi32(runs, 1);
    }
    const size_t first = run * (size_t)f.run_len / 32;
    const __mmask16 scales = f.run_len == 32 ? there : (__mmask16)(left < 8 ? (1u << (left + 1) / 2) - 1 : 15);
    _mm512_store_ps(c->d + 16 * i, _mm512_permutexvar_ps(at, _mm512_maskz_loadu_ps(scales, x->d + first)));
    if (f.has_min)
        _mm512_store_ps(c->s + 16 * i, _mm512_permutexvar_ps(at, _mm512_maskz_loadu_ps(scales, x->s + first)));
    _mm512_store_si512(c->zeros + 16 * i, _mm512_permutexvar_epi32(runs, _mm512_castsi256_si512(zeros)));
}

// The last runs, where they are not eight.
INLINE void order_rest(const struct one32 f, const int8_t *q, size_t size, int8_t *out) {
    int8_t rest[256] = {0};
    memcpy(rest, q, size);
    f.order(rest, (__m512i *)(void *)out);
}

INLINE void prepare(const struct one32 f, const struct dot_job *j, struct column *c) {
    const struct quant_vec x = quant_act_vec(j->layout, j->x);
    const size_t runs = j->n / (size_t)f.run_len, len = 8 * (size_t)f.run_len;
    size_t i = 0;
    for (; i < runs / 8; i++) {
        f.order(x.q + len * i, (__m512i *)(void *)(c->q + len * i));
        prepare_scales(f, &x, i, 8, c);
    }
    if (runs % 8) {
        order_rest(f, x.q + len * i, j->n - len * i, c->q + len * i);
        prepare_scales(f, &x, i, runs % 8, c);
    }
}

// What step i adds to the lanes `there` of two rows' sums.
INLINE __m512 add_step(const struct one32 f, const char *const w[2], const struct column *x, size_t i, bool half,
                       __mmask16 there, __m512 acc) {
    const struct one32_step s = load_step(f, w, half);
    __m512i total = f.sums(&s, x->q + 8 * (size_t)f.run_len * i);
    __m512 m = _mm512_setzero_ps(), d = f.scales(&s, &m);
    if (f.zero)
        total = _mm512_sub_epi32(total, _mm512_load_si512(x->zeros + 16 * i));
    d = _mm512_maskz_mul_ps(there, d, _mm512_load_ps(x->d + 16 * i)); // others may be subnormal, which is slow
    acc = _mm512_mask3_fmadd_ps(d, _mm512_cvtepi32_ps(total), acc, there);
    return f.has_min ? _mm512_mask3_fmadd_ps(m, _mm512_load_ps(x->s + 16 * i), acc, there) : acc;
}

// The runs behind the last eight whole ones. Unless `room` bytes at the second row reach as far as is read, they are
// copied: nothing behind the matrix may be read.
INLINE __m512 add_rest(const struct one32 f, const char *const w[2], size_t room, const struct column *x, size_t i,
                       size_t runs, __m512 acc) {
    const __mmask16 there = _mm512_cmplt_epi32_mask(runs_of_lanes(f), _mm512_set1_epi32((int)runs));
    const size_t size = runs * f.bytes8 / 8;
    char copy[2][8 * sizeof(struct block_q8_0)];
    const char *p[2] = {w[0], w[1]};
    if (room < (runs <= 4 ? f.bytes8 / 2 : f.bytes8))
        for (int r = 0; r < 2; r++)
            p[r] = memcpy(copy[r], w[r], size);
    return runs <= 4 ? add_step(f, p, x, i, true, there, acc) : add_step(f, p, x, i, false, there, acc);
}

// The tree of quant_sum8 for two rows: lanes 0 and 2.
INLINE __m128 sums_of_two(const struct one32 f, __m512 v) {
    if (f.lanes == ONE32_WHOLE) {
        v = _mm512_add_ps(v, _mm512_shuffle_f32x4(v, v, 0xb1));
        v = _mm512_add_ps(v, _mm512_permute_ps(v, 0x4e));
        v = _mm512_add_ps(v, _mm512_permute_ps(v, 0xb1));
        return _mm_movelh_ps(_mm512_castps512_ps128(v), _mm512_extractf32x4_ps(v, 2));
    }
    if (f.lanes == ONE32_FOURS)
        v = _mm512_add_ps(v, _mm512_permute_ps(v, 0xb1));
    __m256 h = v16_halves(v);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    return f.lanes == ONE32_FOURS ? q : _mm_add_ps(q, _mm_permute_ps(q, 0xb1));
}

// What lies AHEAD_BYTES behind offset `at` of a half of a job's rows in the order in which its thread reads.
INLINE const char *ahead_of_half(const struct dot_job *j, size_t half, size_t size, size_t at) {
    at += AHEAD_BYTES;
    return at < size || !j->next ? j->w + half * size + at : j->next + half * (j->next_size / 2) + (at - size);
}

// Row r of each half of a job's rows; the second one may be missing.
INLINE void two_rows(const struct one32 f, const struct dot_job *j, uint32_t r, uint32_t each, const struct column *x) {
    const size_t runs = j->n / (size_t)f.run_len, steps = runs / 8, size = each * j->row_size;
    const uint32_t second = r + each < j->rows ? r + each : j->rows - 1; // stands in for one that is not there
    const char *w[2] = {j->w + r * j->row_size, j->w + second * j->row_size};
    const char *ahead[2] = {ahead_of_half(j, 0, size, r * j->row_size), ahead_of_half(j, 1, size, r * j->row_size)};
    __m512 acc = _mm512_setzero_ps();
    for (size_t i = 0; i < steps; i++) {
        UNROLL for (size_t k = 0; k < f.bytes8; k += 64) {
            _mm_prefetch(ahead[0] + i * f.bytes8 + k, _MM_HINT_T1);
            _mm_prefetch(ahead[1] + i * f.bytes8 + k, _MM_HINT_T1);
        }
        acc = add_step(f, w, x, i, false, 0xffff, acc);
        UNROLL for (int k = 0; k < 2; k++) w[k] += f.bytes8;
    }
    if (runs % 8) {
        UNROLL for (int k = 0; k < 2; k++) prefetch(ahead[k] + steps * f.bytes8, runs % 8 * f.bytes8 / 8);
        acc = add_rest(f, w, (j->rows - second) * j->row_size - steps * f.bytes8, x, steps, runs % 8, acc);
    }
    __m128 y = sums_of_two(f, acc);
    j->y[r] = _mm_cvtss_f32(y);
    if (r + each < j->rows)
        j->y[r + each] = _mm_cvtss_f32(_mm_movehl_ps(y, y));
}

INLINE void one_column(const struct one32 f, const struct dot_job *j) {
    const uint32_t each = (j->rows + 1) / 2;
    struct column x = cut_scratch(f, j);
    if (!j->again)
        prepare(f, j, &x);
    for (uint32_t r = 0; r < each; r++)
        two_rows(f, j, r, each, &x);
}

#define ONE(sym, order, lanes, bytes8, run_len, zero, has_min, nibbles)                                                \
    static void one_##sym(const struct dot_job *j) {                                                                   \
        for (uint32_t c = 0; c < j->cols; c++) {                                                                       \
            const struct dot_job one = job_of_column(j, c);                                                            \
            one_column((struct one32){one_sums_##sym, one_scales_##sym, order, lanes, bytes8, run_len, zero, has_min,  \
                                      nibbles},                                                                        \
                       &one);                                                                                          \
        }                                                                                                              \
    }
FORMATS_ONE32(ONE)

#include "backends/cpu/avx512_end.h"

void avx512_fill_one32(struct kernels *k) {
#define SLOT(sym, order, lanes, bytes8, run_len, zero, has_min, nibbles) k->dot[QUANT_##sym] = one_##sym;
    FORMATS_ONE32(SLOT)
}

#endif
