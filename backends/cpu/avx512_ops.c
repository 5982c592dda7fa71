// SPDX-License-Identifier: MIT
// AVX-512: quantizing activations, norms, activations functions, conversion to half precision.
#include "backends/cpu/avx512.h"

#include "backends/cpu/avx512_begin.h"
#include "backends/cpu/avx512_math.h"

INLINE __m512 largest(__m512 top, __m512 x) {
    return _mm512_max_ps(_mm512_andnot_ps(_mm512_set1_ps(-0.0f), x), top);
}

INLINE __m128i to_codes(__m512 x, __m512 inverse) {
    __m512 v = _mm512_mul_ps(x, inverse);
    v = _mm512_max_ps(v, _mm512_set1_ps(-127.0f));
    v = _mm512_min_ps(v, _mm512_set1_ps(127.0f));
    return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v));
}

// One block of `vectors` times 16 elements; returns its scale.
INLINE float encode_block(const float *x, int vectors, int8_t *q) {
    __m512 top = _mm512_setzero_ps();
    for (int i = 0; i < vectors; i++)
        top = largest(top, _mm512_loadu_ps(x + 16 * i));
    float t = _mm512_reduce_max_ps(top);
    __m512 inverse = _mm512_set1_ps(t > 0x1p-100f ? 127.0f / t : 0.0f);
    for (int i = 0; i < vectors; i++)
        _mm_storeu_si128((__m128i *)(void *)(q + 16 * i), to_codes(_mm512_loadu_ps(x + 16 * i), inverse));
    return t > 0x1p-100f ? t / 127.0f : 0.0f;
}

// Sums of 16 codes each: groups of four by the dot instruction, then two halvings inside each 128 bits.
static void sums_of_16(const int8_t *q, size_t n, int16_t *bs) {
    for (size_t i = 0; i < n; i += 64) {
        size_t left = n - i < 64 ? n - i : 64;
        __m512i v = _mm512_maskz_loadu_epi8(left == 64 ? ~0ull : (1ull << left) - 1, q + i);
        v = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), v);
        v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0x4e));
        v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, 0xb1));
        __m512i packed = _mm512_maskz_compress_epi32(0x1111, v);
        _mm_mask_storeu_epi16(bs + i / 16, (__mmask8)((1u << left / 16) - 1),
                              _mm_cvtepi32_epi16(_mm512_castsi512_si128(packed)));
    }
}

static void encode_q8(const float *x, size_t n, void *record) {
    const struct quant_layout l = quant_act_layout(ACT_Q8, n);
    int8_t *q = (int8_t *)record + l.q;
    float *d = (float *)(void *)((char *)record + l.d), *s = (float *)(void *)((char *)record + l.s);
    int16_t *bs = (int16_t *)(void *)((char *)record + l.bs);
    for (size_t b = 0; b < n / 32; b++)
        d[b] = encode_block(x + 32 * b, 2, q + 32 * b);
    sums_of_16(q, n, bs);
    for (size_t b = 0; b < n / 32; b++)
        s[b] = d[b] * (float)(bs[2 * b] + bs[2 * b + 1]);
}

static void encode_q8k(const float *x, size_t n, void *record) {
    const struct quant_layout l = quant_act_layout(ACT_Q8K, n);
    int8_t *q = (int8_t *)record + l.q;
    float *d = (float *)(void *)((char *)record + l.d);
    for (size_t b = 0; b < n / 256; b++)
        d[b] = encode_block(x + 256 * b, 16, q + 256 * b);
    sums_of_16(q, n, (int16_t *)(void *)((char *)record + l.bs));
}

static void norm(const float *x, const float *w, size_t n, float eps, float *y) {
    __m512 sum = _mm512_setzero_ps();
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512 v = _mm512_loadu_ps(x + i);
        sum = _mm512_fmadd_ps(v, v, sum);
    }
    __mmask16 rest = lanes(n - i);
    __m512 v = _mm512_maskz_loadu_ps(rest, x + i);
    sum = _mm512_mask3_fmadd_ps(v, v, sum, rest);
    __m512 inverse = _mm512_set1_ps(1.0f / num_sqrt(sum16(sum) / (float)n + eps));
    for (i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? rest : (__mmask16)0xffff;
        v = _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), inverse);
        _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(m, w + i)));
    }
}

// x / (1 + e^-u)
INLINE __m512 logistic_times(__m512 x, __m512 u) {
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), exp16(negate(u))));
}

static void glu_silu(const float *gate, const float *up, size_t n, float *y) {
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? lanes(n - i) : (__mmask16)0xffff;
        __m512 x = _mm512_maskz_loadu_ps(m, gate + i);
        __m512 v = _mm512_mul_ps(logistic_times(x, x), _mm512_maskz_loadu_ps(m, up + i));
        _mm512_mask_storeu_ps(y + i, m, v);
    }
}

static void glu_gelu(const float *gate, const float *up, size_t n, float *y) {
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? lanes(n - i) : (__mmask16)0xffff;
        __m512 x = _mm512_maskz_loadu_ps(m, gate + i);
        __m512 inner = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_set1_ps(NUM_GELU_B), x), x, _mm512_set1_ps(1.0f));
        __m512 u = _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(NUM_GELU_A), x), inner);
        __m512 v = _mm512_mul_ps(logistic_times(x, u), _mm512_maskz_loadu_ps(m, up + i));
        _mm512_mask_storeu_ps(y + i, m, v);
    }
}

static void to_f16(const float *x, size_t n, uint16_t *y) {
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? lanes(n - i) : (__mmask16)0xffff;
        __m256i h = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(m, x + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm256_mask_storeu_epi16(y + i, m, h);
    }
}

#include "backends/cpu/avx512_end.h"

void kernels_fill_avx512(struct kernels *k) {
    k->encode[ACT_Q8] = encode_q8;
    k->encode[ACT_Q8K] = encode_q8k;
    k->norm = norm;
    k->glu[ACTIVATION_SILU] = glu_silu;
    k->glu[ACTIVATION_GELU] = glu_gelu;
    k->to_f16 = to_f16;
    avx512_fill_attend(k);
    avx512_fill_dot(k);
    avx512_fill_gemm(k);
}
