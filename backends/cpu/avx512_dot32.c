// SPDX-License-Identifier: MIT
// AVX-512, one column, Q1_0 and Q2_0; avx512_one32.c has the other formats of 32. The lanes of a sum are the eight
// partial sums: eight consecutive runs are one step.
#if defined(__x86_64__)
#include <string.h>

#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_codes32.h"

// The first (half 0) or second (half 1) sixteen elements of four runs, a run to each quarter of the vector.
typedef __m512i codes_reader(const char *w, int half);

struct few_bits {
    codes_reader *codes; // 0 is 1
    scales32_reader *scales;
    size_t bytes8; // of eight runs
};

// Four runs are one block; 2 where a bit is set.
INLINE __m512i codes_q1_0(const char *w, int half) {
    const long long each = 0x0101010101010101;
    const __m512i at =
        _mm512_add_epi8(_mm512_setr_epi64(0, each, 4 * each, 5 * each, 8 * each, 9 * each, 12 * each, 13 * each),
                        _mm512_set1_epi8((char)(2 * half)));
    __m512i v = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)(w + offsetof(struct block_q1_0, qs))));
    v = _mm512_shuffle_epi8(v, at);
    __mmask64 set = _mm512_test_epi8_mask(v, _mm512_set1_epi64((long long)0x8040201008040201));
    return _mm512_maskz_set1_epi8(set, 2);
}

// Two runs are one block; a byte holds four consecutive elements.
INLINE __m512i codes_q2_0(const char *w, int half) {
    const char *qs = w + offsetof(struct block_q2_0, qs);
    const __m512i at =
        _mm512_add_epi8(_mm512_broadcast_i64x4(_mm256_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 8, 8, 8,
                                                                8, 9, 9, 9, 9, 10, 10, 10, 10, 11, 11, 11, 11)),
                        _mm512_set1_epi8((char)(4 * half)));
    __m256i a = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)qs));
    __m256i b = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(qs + sizeof(struct block_q2_0))));
    __m512i v = _mm512_shuffle_epi8(_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1), at);
    // Byte i of eight is taken from bit 8 i + 2 (i mod 4) on.
    v = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x3e342a201e140a00), v);
    return _mm512_and_si512(v, _mm512_set1_epi8(3));
}

// The column as the steps want it, in the job's scratch: behind the last run all is 0.
struct column {
    int8_t *q;      // of eight runs, first halves of 0 .. 3, second halves, the same of 4 .. 7
    float *d;       // a run each
    int32_t *zeros; // a run each: the sum of q
};

// The codes of eight runs from n elements at q, in the order of struct column.
INLINE void order_codes(const int8_t *q, size_t n, int8_t *out) {
    __m512i v[4];
    UNROLL for (int i = 0; i < 4; i++) {
        size_t left = n > 64 * (size_t)i ? n - 64 * (size_t)i : 0;
        v[i] = _mm512_maskz_loadu_epi8(left < 64 ? (1ull << left) - 1 : ~0ull, q + 64 * i);
    }
    UNROLL for (int i = 0; i < 2; i++) {
        _mm512_store_si512(out + 128 * i, _mm512_shuffle_i32x4(v[2 * i], v[2 * i + 1], 0x88));
        _mm512_store_si512(out + 128 * i + 64, _mm512_shuffle_i32x4(v[2 * i], v[2 * i + 1], 0xdd));
    }
}

INLINE struct column prepare(const struct dot_job *j) {
    const struct quant_vec x = quant_act_vec(j->layout, j->x);
    const size_t runs = j->n / 32, steps = (runs + 7) / 8;
    char *p = j->panel;
    const struct column c = {(int8_t *)p, (float *)(void *)(p + 256 * steps), (int32_t *)(void *)(p + 288 * steps)};
    for (size_t i = 0; i < steps; i++) {
        const size_t left = runs - 8 * i;
        const __mmask8 there = (__mmask8)(left < 8 ? (1u << left) - 1 : 0xff);
        const __mmask16 halves = (__mmask16)(left < 8 ? (1u << 2 * left) - 1 : 0xffff);
        const __m256i sums = _mm256_maskz_loadu_epi16(halves, x.bs + 16 * i);
        order_codes(x.q + 256 * i, j->n - 256 * i, c.q + 256 * i);
        _mm256_storeu_ps(c.d + 8 * i, _mm256_maskz_loadu_ps(there, x.d + 8 * i));
        _mm256_storeu_si256((void *)(c.zeros + 8 * i), _mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
    }
    return c;
}

// The integer sums of eight runs: a and b hold four lanes for each of four runs.
INLINE __m256i run_sums(__m512i a, __m512i b) {
    __m512i v = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b)); // a b a b
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0x4e));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, v));
}

// Step i of a row, at w.
INLINE __m256 add_step(const struct few_bits f, const char *w, __mmask8 runs, const struct column *x, size_t i,
                       __m256 acc) {
    __m512i sum[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    __m256 d, none;
    UNROLL for (int k = 0; k < 4; k++) sum[k / 2] = _mm512_dpbusd_epi32(
        sum[k / 2], f.codes(w + (size_t)(k / 2) * (f.bytes8 / 2), k % 2), _mm512_load_si512(x->q + 256 * i + 64 * k));
    const __m256i total =
        _mm256_sub_epi32(run_sums(sum[0], sum[1]), _mm256_loadu_si256((const void *)(x->zeros + 8 * i)));
    f.scales(w, &d, &none);
    const __m256 scale = _mm256_mul_ps(_mm256_maskz_mov_ps(runs, d), _mm256_loadu_ps(x->d + 8 * i));
    return _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(total), acc);
}

// The runs behind the last eight whole ones. Unless `room` bytes at w reach that far, they are copied: nothing behind
// the matrix may be read.
INLINE __m256 add_rest(const struct few_bits f, const char *w, size_t runs, size_t room, const struct column *x,
                       size_t i, __m256 acc) {
    char copy[8 * sizeof(struct block_q2_0)] = {0};
    if (room < f.bytes8) {
        memcpy(copy, w, runs * f.bytes8 / 8);
        w = copy;
    }
    return add_step(f, w, (__mmask8)((1u << runs) - 1), x, i, acc);
}

INLINE void one_column(const struct few_bits f, const struct dot_job *j) {
    const struct column x = prepare(j);
    const size_t runs = j->n / 32;
    for (uint32_t r = 0; r < j->rows; r++) {
        const char *w = j->w + r * j->row_size, *ahead = ahead_of_row(j, r, 1);
        const size_t room = (j->rows - r) * j->row_size;
        __m256 acc = _mm256_setzero_ps();
        size_t i = 0;
        for (; i < runs / 8; i++) {
            prefetch(ahead + i * f.bytes8, f.bytes8);
            acc = add_step(f, w + i * f.bytes8, 0xff, &x, i, acc);
        }
        prefetch(ahead + i * f.bytes8, runs % 8 * f.bytes8 / 8);
        if (runs % 8)
            acc = add_rest(f, w + i * f.bytes8, runs % 8, room - i * f.bytes8, &x, i, acc);
        j->y[r] = sum8(acc);
    }
}

#define DOT(sym, blocks8)                                                                                              \
    static void dot_##sym(const struct dot_job *j) {                                                                   \
        for (uint32_t c = 0; c < j->cols; c++) {                                                                       \
            const struct dot_job one = job_of_column(j, c);                                                            \
            one_column((struct few_bits){codes_##sym, scales_##sym, blocks8 * sizeof(struct block_##sym)}, &one);      \
        }                                                                                                              \
    }
DOT(q1_0, 2)
DOT(q2_0, 4)

#include "backends/cpu/avx512_end.h"

void avx512_fill_dot32(struct kernels *k) {
    k->dot[QUANT_q1_0] = dot_q1_0;
    k->dot[QUANT_q2_0] = dot_q2_0;
}

#endif
