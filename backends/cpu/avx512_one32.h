// SPDX-License-Identifier: MIT
// AVX-512, one column, formats with a float scale per run of 32 or 16 elements: what is read of a step, eight runs of
// each of two rows, and of half a step, the first four of each. Included between avx512_begin.h and avx512_end.h.
#pragma once

#include "backends/cpu/avx512_codes32.h"
#include "backends/cpu/avx512_orders.h"
#include "backends/cpu/avx512_sums4.h"

// A byte in all eight of a word.
#define BYTES(b) (0x0101010101010101 * (b))

// The lanes of a step's sums.
enum one32_lanes {
    ONE32_FOURS, // of each four: runs q and q + 4 of the first row, the same of the second
    ONE32_PAIRS, // of each four: runs 2 q and 2 q + 1 of the first row, the same of the second
    ONE32_WHOLE, // eight of the first row, eight of the second
};

// A step of two rows. Nibbles: bytes 0 .. 63, 64 .. 127 and the rest of eight runs, or of four (which end before 128).
struct one32_step {
    const char *w[2];
    __m512i z[2][3];
    bool half; // the first four runs only; other lanes of what is made of it hold anything
};

struct one32 {
    __m512i (*sums)(const struct one32_step *s, const int8_t *x); // of codes times x
    // The scales in the same lanes, and what is added to each element in formats that have it.
    __m512 (*scales)(const struct one32_step *s, __m512 *m);
    void (*order)(const int8_t *x, __m512i *out); // eight runs of a column, as sums wants them
    enum one32_lanes lanes;
    size_t bytes8; // of eight runs
    int run_len, zero;
    bool has_min;
    size_t nibbles; // bytes of a block where a step is read as a whole, else 0
};

// `size` <= 64 bytes, 0 behind them.
INLINE __m512i load_some(const char *w, size_t size) {
    if (size == 16)
        return _mm512_zextsi128_si512(_mm_loadu_si128((const void *)w));
    if (size == 32)
        return _mm512_zextsi256_si512(_mm256_loadu_si256((const void *)w));
    return size == 64 ? _mm512_loadu_si512(w) : _mm512_maskz_loadu_epi8((1ull << size) - 1, w);
}

INLINE struct one32_step load_step(const struct one32 f, const char *const w[2], bool half) {
    struct one32_step s = {.w = {w[0], w[1]}, .half = half};
    for (int r = 0; f.nibbles && r < 2; r++) {
        s.z[r][0] = load_some(w[r], 64);
        s.z[r][1] = load_some(w[r] + 64, half ? f.bytes8 / 2 - 64 : 64);
        s.z[r][2] = half ? s.z[r][1] : load_some(w[r] + 128, f.bytes8 - 128);
        // Not again for every use, as compilers prefer: most of these lie in two lines of the cache.
        __asm__("" : "+v"(s.z[r][0]), "+v"(s.z[r][1]), "+v"(s.z[r][2]));
    }
    return s;
}

// Bytes from runs 0 .. 3 (h 0) or 4 .. 7 of a row, each 16 from a run; `at` counts from the runs' beginnings.
INLINE __m512i pick_of_four(const struct one32_step *s, int r, int h, size_t stride, __m128i at) {
    const long long each = 0x0101010101010101, q = (long long)stride * each;
    __m512i o = _mm512_add_epi8(_mm512_broadcast_i32x4(at), _mm512_setr_epi64(0, 0, q, q, 2 * q, 2 * q, 3 * q, 3 * q));
    if (h)
        o = _mm512_add_epi8(o, _mm512_set1_epi8((char)(4 * stride - 64)));
    return _mm512_permutex2var_epi8(s->z[r][h], o, s->z[r][h + 1]);
}

INLINE __m128i sixteen_from(size_t first) {
    const __m128i count = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm_add_epi8(count, _mm_set1_epi8((char)first));
}

INLINE void split_nibbles(__m512i v, __m512i q[2]) {
    q[0] = _mm512_and_si512(v, _mm512_set1_epi8(15));
    q[1] = _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15));
}

// The codes of four runs of 32 of row r: first halves and second ones. h: which four of eight.
typedef void four_runs_reader(const struct one32_step *s, int r, int h, __m512i q[2]);

INLINE __m512i nibble_sums(four_runs_reader *read, const struct one32_step *s, const int8_t *x) {
    __m512i sum[4], q[2];
    UNROLL for (int i = 0; i < 4; i++) {
        sum[i] = _mm512_setzero_si512();
        if (s->half && i % 2)
            continue;
        read(s, i / 2, i % 2, q);
        UNROLL for (int k = 0; k < 2; k++) sum[i] =
            _mm512_dpbusd_epi32(sum[i], q[k], _mm512_load_si512(x + 128 * (i % 2) + 64 * k));
    }
    return sums_of_fours(sum);
}

INLINE __m512 low_halves(__m512i words) {
    return _mm512_cvtph_ps(_mm512_castsi512_si256(words));
}

INLINE __m512 high_halves(__m512i words) {
    return _mm512_cvtph_ps(_mm512_extracti64x4_epi64(words, 1));
}

INLINE void four_q4_0(const struct one32_step *s, int r, int h, __m512i q[2]) {
    const size_t qs = offsetof(struct block_q4_0, qs);
    split_nibbles(pick_of_four(s, r, h, sizeof(struct block_q4_0), sixteen_from(qs)), q);
}

INLINE __m512 one_scales_q4_0(const struct one32_step *s, __m512 *m) {
    static_assert(sizeof(struct block_q4_0) == 18, "q4_0");
    const __m512i at =
        _mm512_zextsi256_si512(_mm256_setr_epi16(0, 36, 0, 36, 9, 45, 9, 45, 18, 54, 18, 54, 27, 63, 27, 63));
    (void)m;
    __m512i a = _mm512_permutex2var_epi16(s->z[0][0], at, s->z[0][1]);
    return low_halves(_mm512_mask_mov_epi16(a, 0xcccc, _mm512_permutex2var_epi16(s->z[1][0], at, s->z[1][1])));
}

INLINE void four_q4_1(const struct one32_step *s, int r, int h, __m512i q[2]) {
    const size_t qs = offsetof(struct block_q4_1, qs);
    split_nibbles(pick_of_four(s, r, h, sizeof(struct block_q4_1), sixteen_from(qs)), q);
}

// The low words of 32-bit ones, then the high ones.
INLINE __m512i part_words(__m512i v) {
    const __m512i twos = _mm512_setr_epi32(0x20000, 0x60004, 0xa0008, 0xe000c, 0x120010, 0x160014, 0x1a0018, 0x1e001c,
                                           0x30001, 0x70005, 0xb0009, 0xf000d, 0x130011, 0x170015, 0x1b0019, 0x1f001d);
    return _mm512_permutexvar_epi16(twos, v);
}

INLINE __m512 one_scales_q4_1(const struct one32_step *s, __m512 *m) {
    static_assert(sizeof(struct block_q4_1) == 20, "q4_1");
    const __m512i at = _mm512_setr_epi32(0, 20, 0, 20, 5, 25, 5, 25, 10, 30, 10, 30, 15, 3, 15, 3); // 35 - 32
    __m512i v[2];
    UNROLL for (int r = 0; r < 2; r++) {
        v[r] = _mm512_permutex2var_epi32(s->z[r][0], at, s->z[r][1]);
        if (!s->half)
            v[r] = _mm512_mask_permutexvar_epi32(v[r], 0xa000, at, s->z[r][2]);
    }
    v[0] = part_words(_mm512_mask_mov_epi32(v[0], 0xcccc, v[1]));
    *m = high_halves(v[0]);
    return low_halves(v[0]);
}

INLINE void four_iq4_nl(const struct one32_step *s, int r, int h, __m512i q[2]) {
    four_q4_0(s, r, h, q);
    UNROLL for (int i = 0; i < 2; i++) q[i] = levels_of(q[i], grid_nonlinear, 128);
}

#define one_scales_iq4_nl one_scales_q4_0

INLINE void four_mxfp4(const struct one32_step *s, int r, int h, __m512i q[2]) {
    const size_t qs = offsetof(struct block_mxfp4, qs);
    split_nibbles(pick_of_four(s, r, h, sizeof(struct block_mxfp4), sixteen_from(qs)), q);
    UNROLL for (int i = 0; i < 2; i++) q[i] = levels_of(q[i], grid_e2m1, 12);
}

// Half of 2^(e - 127), as in quant/mxfp4.c.
INLINE __m512 one_scales_mxfp4(const struct one32_step *s, __m512 *m) {
    static_assert(sizeof(struct block_mxfp4) == 17, "mxfp4");
    const __m512i at =
        _mm512_zextsi128_si512(_mm_setr_epi8(0, 68, 0, 68, 17, 85, 17, 85, 34, 102, 34, 102, 51, 119, 51, 119));
    (void)m;
    __m512i v = _mm512_permutex2var_epi8(s->z[0][0], at, s->z[0][1]);
    v = _mm512_mask_mov_epi8(v, 0xcccc, _mm512_permutex2var_epi8(s->z[1][0], at, s->z[1][1]));
    __m512i e = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(v));
    __m512i usual = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    __mmask16 tiny = _mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2));
    return _mm512_castsi512_ps(_mm512_mask_sllv_epi32(usual, tiny, _mm512_set1_epi32(0x200000), e));
}

// The heads of four blocks with fifth bits at `qh`: of each four words of 32 bits the even ones (h 1: the odd ones)
// hold a block's first bytes, the others its fifth bits.
INLINE __m512i heads_q5(const struct one32_step *s, int r, int h, size_t stride, char qh) {
    const __m128i count = _mm_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    const __m128i from = h ? _mm_setr_epi8(qh, qh, qh, qh, 0, 0, 0, 0, qh, qh, qh, qh, 0, 0, 0, 0)
                           : _mm_setr_epi8(0, 0, 0, 0, qh, qh, qh, qh, 0, 0, 0, 0, qh, qh, qh, qh);
    return pick_of_four(s, r, h, stride, _mm_add_epi8(count, from));
}

// Adds 16 where the fifth bit is set.
INLINE void add_fifth_bits(__m512i heads, int h, __m512i q[2]) {
    UNROLL for (size_t i = 0; i < 2; i++) {
        __m512i from = _mm512_broadcast_i32x4(sixteen_from((h ? 60 : 28) + 16 * i));
        q[i] = _mm512_ternarylogic_epi64(q[i], _mm512_multishift_epi64_epi8(from, heads), _mm512_set1_epi8(16), 0xf8);
    }
}

// The first words of the blocks (low half), and the second ones.
INLINE __m512i words_q5(const struct one32_step *s, size_t stride, char qh) {
    __m512i v = heads_q5(s, 0, 0, stride, qh);
    v = _mm512_mask_mov_epi32(v, 0x4444, heads_q5(s, 1, 0, stride, qh));
    if (!s->half) {
        v = _mm512_mask_mov_epi32(v, 0x2222, heads_q5(s, 0, 1, stride, qh));
        v = _mm512_mask_mov_epi32(v, 0x8888, heads_q5(s, 1, 1, stride, qh));
    }
    return part_words(v);
}

#define ONE32_Q5(sym)                                                                                                  \
    INLINE void four_##sym(const struct one32_step *s, int r, int h, __m512i q[2]) {                                   \
        const size_t size = sizeof(struct block_##sym);                                                                \
        split_nibbles(pick_of_four(s, r, h, size, sixteen_from(offsetof(struct block_##sym, qs))), q);                 \
        add_fifth_bits(heads_q5(s, r, h, size, offsetof(struct block_##sym, qh)), h, q);                               \
    }
ONE32_Q5(q5_0)
ONE32_Q5(q5_1)

INLINE __m512 one_scales_q5_0(const struct one32_step *s, __m512 *m) {
    (void)m;
    return low_halves(words_q5(s, sizeof(struct block_q5_0), offsetof(struct block_q5_0, qh)));
}

INLINE __m512 one_scales_q5_1(const struct one32_step *s, __m512 *m) {
    __m512i words = words_q5(s, sizeof(struct block_q5_1), offsetof(struct block_q5_1, qh));
    *m = high_halves(words);
    return low_halves(words);
}

#define ONE32_NIBBLES(sym)                                                                                             \
    INLINE __m512i one_sums_##sym(const struct one32_step *s, const int8_t *x) {                                       \
        return nibble_sums(four_##sym, s, x);                                                                          \
    }
ONE32_NIBBLES(q4_0)
ONE32_NIBBLES(q4_1)
ONE32_NIBBLES(q5_0)
ONE32_NIBBLES(q5_1)
ONE32_NIBBLES(iq4_nl)
ONE32_NIBBLES(mxfp4)

INLINE __m512i product_q8_0(const char *p, const char *q, __m512i x) {
    return _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_xor_si512(two_256(p + 2, q + 2), _mm512_set1_epi8(-128)),
                               x);
}

// The first four runs of two rows, eight lanes each.
INLINE __m512i half_sums_q8_0(const struct one32_step *s, const int8_t *x) {
    __m512i v[4];
    UNROLL for (size_t k = 0; k < 4; k++) {
        __m512i of_x = _mm512_broadcast_i64x4(_mm256_load_si256((const void *)(x + 64 * k)));
        v[k] = product_q8_0(s->w[0] + k * sizeof(struct block_q8_0), s->w[1] + k * sizeof(struct block_q8_0), of_x);
    }
    v[0] = sums_of_fours(v);
    return _mm512_add_epi32(v[0], _mm512_shuffle_i32x4(v[0], v[0], 0xb1));
}

// Eight lanes for each run; the halves of a vector are a run and the fourth behind it.
INLINE __m512i one_sums_q8_0(const struct one32_step *s, const int8_t *x) {
    const size_t size = sizeof(struct block_q8_0);
    __m512i v[2][4], t[2];
    if (s->half)
        return half_sums_q8_0(s, x);
    UNROLL for (int r = 0; r < 2; r++) {
        UNROLL for (size_t k = 0; k < 4; k++) v[r][k] =
            product_q8_0(s->w[r] + k * size, s->w[r] + (k + 4) * size, _mm512_load_si512(x + 64 * k));
        t[r] = sums_of_fours(v[r]);
    }
    return _mm512_add_epi32(_mm512_shuffle_i32x4(t[0], t[1], 0x88), _mm512_shuffle_i32x4(t[0], t[1], 0xdd));
}

INLINE __m128i words_q8_0(const char *w, bool half) {
    const size_t size = sizeof(struct block_q8_0);
    __m128i v = _mm_cvtsi32_si128(half_at(w));
    v = _mm_insert_epi16(v, half_at(w + size), 1);
    v = _mm_insert_epi16(v, half_at(w + 2 * size), 2);
    v = _mm_insert_epi16(v, half_at(w + 3 * size), 3);
    if (half)
        return v;
    v = _mm_insert_epi16(v, half_at(w + 4 * size), 4);
    v = _mm_insert_epi16(v, half_at(w + 5 * size), 5);
    v = _mm_insert_epi16(v, half_at(w + 6 * size), 6);
    return _mm_insert_epi16(v, half_at(w + 7 * size), 7);
}

INLINE __m512 one_scales_q8_0(const struct one32_step *s, __m512 *m) {
    (void)m;
    return _mm512_cvtph_ps(_mm256_setr_m128i(words_q8_0(s->w[0], s->half), words_q8_0(s->w[1], s->half)));
}

// Of runs of 16 the first eight elements, then the others.
INLINE void order_nvfp4(const int8_t *x, __m512i *out) {
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    __m512i a = _mm512_loadu_si512(x), b = _mm512_loadu_si512(x + 64);
    out[0] = _mm512_permutex2var_epi64(a, even, b);
    out[1] = _mm512_permutex2var_epi64(a, _mm512_add_epi64(even, _mm512_set1_epi64(1)), b);
}

// Two lanes for each sum of a and b to ONE32_PAIRS.
INLINE __m512i add_pairs(__m512 a, __m512 b) {
    return _mm512_add_epi32(_mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88)),
                            _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0xdd)));
}

INLINE __m512i one_sums_nvfp4(const struct one32_step *s, const int8_t *x) {
    __m512 sum[2];
    UNROLL for (int r = 0; r < 2; r++) {
        const char *p = s->w[r] + offsetof(struct block_nvfp4, qs);
        __m512i q[2], v = _mm512_setzero_si512();
        split_nibbles(s->half ? _mm512_castsi256_si512(_mm256_loadu_si256((const void *)p))
                              : two_256(p, p + sizeof(struct block_nvfp4)),
                      q);
        UNROLL for (int i = 0; i < 2; i++) v =
            _mm512_dpbusd_epi32(v, levels_of(q[i], grid_e2m1, 12), _mm512_load_si512(x + 64 * i));
        sum[r] = _mm512_castsi512_ps(v);
    }
    return add_pairs(sum[0], sum[1]);
}

INLINE __m128i scale_bytes_nvfp4(const char *w, bool half) {
    int32_t four;
    memcpy(&four, w, sizeof four);
    __m128i v = _mm_cvtsi32_si128(four);
    if (half)
        return v;
    memcpy(&four, w + sizeof(struct block_nvfp4), sizeof four);
    return _mm_insert_epi32(v, four, 1);
}

// Half of an unsigned e4m3 number, as in quant/nvfp4.c, by way of a half-precision number.
INLINE __m512 one_scales_nvfp4(const struct one32_step *s, __m512 *m) {
    (void)m;
    __m256i v = _mm256_cvtepu8_epi16(
        _mm_unpacklo_epi16(scale_bytes_nvfp4(s->w[0], s->half), scale_bytes_nvfp4(s->w[1], s->half)));
    __mmask16 is_number = _mm256_cmpneq_epi16_mask(v, _mm256_set1_epi16(0x7f));
    v = _mm256_maskz_slli_epi16(is_number, _mm256_and_si256(v, _mm256_set1_epi16(0x7f)), 7);
    return _mm512_mul_ps(_mm512_cvtph_ps(v), _mm512_set1_ps(128.0f));
}

// 128 elements from x on, and the 128 behind them: elements `at` of each, and from the second where the bit is set.
INLINE __m512i pick_column(const int8_t *x, __m512i at, __mmask64 second) {
    __m512i a = _mm512_permutex2var_epi8(_mm512_loadu_si512(x), at, _mm512_loadu_si512(x + 64));
    __m512i b = _mm512_permutex2var_epi8(_mm512_loadu_si512(x + 128), at, _mm512_loadu_si512(x + 192));
    return _mm512_mask_mov_epi8(a, second, b);
}

// Elements 8 i + k to the 32 bytes k.
INLINE void order_q1_0(const int8_t *x, __m512i *out) {
    const __m128i eights = _mm_setr_epi8(0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120);
    const __m512i at = _mm512_add_epi8(_mm512_broadcast_i32x4(eights),
                                       _mm512_setr_epi64(0, 0, 0, 0, BYTES(1), BYTES(1), BYTES(1), BYTES(1)));
    UNROLL for (int m = 0; m < 4; m++) out[m] =
        pick_column(x, _mm512_add_epi8(at, _mm512_set1_epi8((char)(2 * m))), 0xffff0000ffff0000);
}

// Elements 4 i + k to the 64 bytes k.
INLINE void order_q2_0(const int8_t *x, __m512i *out) {
    const __m128i fours = _mm_setr_epi8(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60);
    const __m512i at = _mm512_add_epi8(_mm512_broadcast_i32x4(fours),
                                       _mm512_setr_epi64(0, 0, BYTES(64), BYTES(64), 0, 0, BYTES(64), BYTES(64)));
    UNROLL for (int k = 0; k < 4; k++) out[k] =
        pick_column(x, _mm512_add_epi8(at, _mm512_set1_epi8((char)k)), 0xffffffff00000000);
}

// Two blocks of each row.
INLINE __m512i four_blocks_q1_0(const struct one32_step *s) {
    const size_t size = sizeof(struct block_q1_0), qs = offsetof(struct block_q1_0, qs);
    __m512i v = _mm512_zextsi128_si512(_mm_loadu_si128((const void *)(s->w[0] + qs)));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(s->w[1] + qs)), 2);
    if (s->half)
        return v;
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(s->w[0] + size + qs)), 1);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(s->w[1] + size + qs)), 3);
}

// A word of 32 bits is a run. Bit k of all bytes at once; 2 where it is set.
INLINE __m512i one_sums_q1_0(const struct one32_step *s, const int8_t *x) {
    const __m512i v = four_blocks_q1_0(s);
    __m512i sum[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    UNROLL for (int k = 0; k < 8; k++) {
        __m512i bit = k ? _mm512_srl_epi16(v, _mm_cvtsi32_si128(k - 1)) : _mm512_add_epi8(v, v);
        __m512i of_x = _mm512_broadcast_i64x4(_mm256_load_si256((const void *)(x + 32 * k)));
        sum[k % 2] = _mm512_dpbusd_epi32(sum[k % 2], _mm512_and_si512(bit, _mm512_set1_epi8(2)), of_x);
    }
    return _mm512_add_epi32(sum[0], sum[1]);
}

INLINE __m512 one_scales_q1_0(const struct one32_step *s, __m512 *m) {
    const size_t next = s->half ? 0 : sizeof(struct block_q1_0);
    (void)m;
    __m128i d = _mm_cvtsi32_si128(half_at(s->w[0]));
    d = _mm_insert_epi16(d, half_at(s->w[0] + next), 1);
    d = _mm_insert_epi16(d, half_at(s->w[1]), 2);
    d = _mm_insert_epi16(d, half_at(s->w[1] + next), 3);
    const __m512i lanes_of = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    return _mm512_permutexvar_ps(lanes_of, _mm512_castps128_ps512(_mm_cvtph_ps(d)));
}

// The codes of the four blocks at w, or of the first two.
INLINE __m512i blocks_q2_0(const char *w, bool half) {
    const size_t size = sizeof(struct block_q2_0);
    const char *p = w + offsetof(struct block_q2_0, qs);
    __m512i v = _mm512_zextsi128_si512(_mm_loadu_si128((const void *)p));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + size)), 1);
    if (half)
        return v;
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 2 * size)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 3 * size)), 3);
}

// Two words of 32 bits are a run. Bit pair k of all bytes at once.
INLINE __m512i one_sums_q2_0(const struct one32_step *s, const int8_t *x) {
    __m512 sum[2];
    UNROLL for (int r = 0; r < 2; r++) {
        const __m512i v = blocks_q2_0(s->w[r], s->half);
        __m512i t = _mm512_setzero_si512();
        UNROLL for (int k = 0; k < 4; k++) {
            __m512i pair = _mm512_and_si512(k ? _mm512_srl_epi16(v, _mm_cvtsi32_si128(2 * k)) : v, _mm512_set1_epi8(3));
            t = _mm512_dpbusd_epi32(t, pair, _mm512_load_si512(x + 64 * k));
        }
        sum[r] = _mm512_castsi512_ps(t);
    }
    return add_pairs(sum[0], sum[1]);
}

INLINE __m128i words_q2_0(const char *w, bool half) {
    const size_t size = sizeof(struct block_q2_0);
    __m128i v = _mm_insert_epi16(_mm_cvtsi32_si128(half_at(w)), half_at(w + size), 1);
    if (half)
        return v;
    return _mm_insert_epi16(_mm_insert_epi16(v, half_at(w + 2 * size), 2), half_at(w + 3 * size), 3);
}

INLINE __m512 one_scales_q2_0(const struct one32_step *s, __m512 *m) {
    const __m512i lanes_of = _mm512_setr_epi32(0, 0, 4, 4, 1, 1, 5, 5, 2, 2, 6, 6, 3, 3, 7, 7);
    (void)m;
    __m256 d = _mm256_cvtph_ps(_mm_unpacklo_epi64(words_q2_0(s->w[0], s->half), words_q2_0(s->w[1], s->half)));
    return _mm512_permutexvar_ps(lanes_of, _mm512_castps256_ps512(d));
}

// One row a format: X(symbol, order of the column, lanes, bytes of eight runs, elements of a run, zero, minimums,
// bytes of a block where a step is read as a whole).
#define FORMATS_ONE32(X)                                                                                               \
    X(q4_0, order_halves, ONE32_FOURS, 8 * sizeof(struct block_q4_0), 32, 8, false, sizeof(struct block_q4_0))         \
    X(q4_1, order_halves, ONE32_FOURS, 8 * sizeof(struct block_q4_1), 32, 0, true, sizeof(struct block_q4_1))          \
    X(q5_0, order_halves, ONE32_FOURS, 8 * sizeof(struct block_q5_0), 32, 16, false, sizeof(struct block_q5_0))        \
    X(q5_1, order_halves, ONE32_FOURS, 8 * sizeof(struct block_q5_1), 32, 0, true, sizeof(struct block_q5_1))          \
    X(q8_0, order_planes, ONE32_WHOLE, 8 * sizeof(struct block_q8_0), 32, 128, false, 0)                               \
    X(iq4_nl, order_halves, ONE32_FOURS, 8 * sizeof(struct block_iq4_nl), 32, 128, false, sizeof(struct block_iq4_nl)) \
    X(mxfp4, order_halves, ONE32_FOURS, 8 * sizeof(struct block_mxfp4), 32, 12, false, sizeof(struct block_mxfp4))     \
    X(nvfp4, order_nvfp4, ONE32_PAIRS, 2 * sizeof(struct block_nvfp4), 16, 12, false, 0)                               \
    X(q1_0, order_q1_0, ONE32_WHOLE, 2 * sizeof(struct block_q1_0), 32, 1, false, 0)                                   \
    X(q2_0, order_q2_0, ONE32_PAIRS, 4 * sizeof(struct block_q2_0), 32, 1, false, 0)
