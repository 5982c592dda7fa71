// SPDX-License-Identifier: MIT
// The arithmetic that every level shares: exact fma, conversions between float formats, and pith's own exp, tanh, sin,
// cos and powers. The scalar functions here are the specification: a vector level computes the same operations in the
// same order, so its bits are the same.
#pragma once

#include <string.h>

#include "base/base.h"

static inline uint32_t num_bits(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float num_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// a * b + c, rounded once. Without the instruction: the product of two floats is exact in double; the sum with c is
// rounded to odd (Boldo, Melquiond 2008), after which rounding to float gives the correct result.
static inline float num_fma(float a, float b, float c) {
#if defined(__FMA__) || defined(__aarch64__)
    return __builtin_fmaf(a, b, c);
#else
    double p = (double)a * (double)b, d = (double)c;
    double s = p + d;
    double t = s - p;
    double error = (p - (s - t)) + (d - t);
    uint64_t bits;
    memcpy(&bits, &s, sizeof bits);
    if (error != 0 && !(bits & 1) && (bits >> 52 & 0x7ff) != 0x7ff) {
        bits = (error > 0) == (s > 0) ? bits + 1 : bits - 1;
        memcpy(&s, &bits, sizeof s);
    }
    return (float)s;
#endif
}

// Half precision (IEEE 754 binary16) to float32, exact.
static inline float num_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, magnitude = h & 0x7fff;
    if (magnitude >= 0x7c00) // infinity, NaN
        return num_float(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    // Scaling by 2^112 moves the exponent's bias from 15 to 127 and makes subnormals exact.
    return num_float(num_bits(num_float(magnitude << 13) * 0x1p112f) | sign);
}

// float32 to half precision, ties to even.
static inline uint16_t num_f32_to_f16(float x) {
    uint32_t bits = num_bits(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x47800000) // 65536 and more
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) { // subnormal in half precision: let the addition round
        uint32_t r = num_bits(num_float(magnitude) + 0.5f) - num_bits(0.5f);
        return (uint16_t)(sign | r);
    }
    uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000;
    return (uint16_t)(sign | rounded >> 13);
}

static inline float num_bf16_to_f32(uint16_t h) {
    return num_float((uint32_t)h << 16);
}

// Rounds to an integer, ties to even; |x| < 2^22.
#define NUM_MAGIC 12582912.0f // 1.5 * 2^23: adding it leaves no bits for a fraction

static inline float num_round(float x) {
    return (x + NUM_MAGIC) - NUM_MAGIC;
}

// e^x = 2^n * e^r with n = round(x / ln 2); e^r by a polynomial fitted to |r| <= ln 2 / 2. Relative error below 2^-22.
#define NUM_EXP_MAX 89.0f   // above: infinity
#define NUM_EXP_MIN -104.0f // below: 0
#define NUM_LOG2E 0x1.715476p+0f
#define NUM_LN2_HI 0x1.62e400p-1f
#define NUM_LN2_LO 0x1.7f7d1cp-20f
#define NUM_EXP_C6 0x1.6a2254p-10f
#define NUM_EXP_C5 0x1.123b02p-7f
#define NUM_EXP_C4 0x1.5558f8p-5f
#define NUM_EXP_C3 0x1.555490p-3f
#define NUM_EXP_C2 0x1.fffffcp-2f

static inline float num_exp(float x) {
    x = NUM_EXP_MAX < x ? NUM_EXP_MAX : x;
    x = NUM_EXP_MIN > x ? NUM_EXP_MIN : x;
    float shifted = num_fma(x, NUM_LOG2E, NUM_MAGIC);
    float n = shifted - NUM_MAGIC;
    float r = num_fma(n, -NUM_LN2_LO, num_fma(n, -NUM_LN2_HI, x));
    float p = num_fma(NUM_EXP_C6, r, NUM_EXP_C5);
    p = num_fma(p, r, NUM_EXP_C4);
    p = num_fma(p, r, NUM_EXP_C3);
    p = num_fma(p, r, NUM_EXP_C2);
    p = num_fma(p, r, 1.0f);
    p = num_fma(p, r, 1.0f);
    // 2^n in two factors: n reaches -150 and 128, one float's exponent does not.
    int32_t k = (int32_t)(num_bits(shifted) - num_bits(NUM_MAGIC));
    int32_t half = k >> 1;
    return p * num_float((uint32_t)(half + 127) << 23) * num_float((uint32_t)(k - half + 127) << 23);
}

// tanh x = 1 - 2 / (e^2x + 1); the division is exact in IEEE's sense on every machine.
static inline float num_tanh(float x) {
    return 1.0f - 2.0f / (num_exp(2.0f * x) + 1.0f);
}

static inline float num_silu(float x) {
    return x / (1.0f + num_exp(-x));
}

static inline float num_sigmoid(float x) {
    return 1.0f / (1.0f + num_exp(-x));
}

// GELU in its tanh form (Hendrycks, Gimpel 2016), written with the logistic function: 0.5 (1 + tanh u) = 1 / (1 +
// e^-2u).
#define NUM_GELU_A 0x1.988454p+0f // 2 sqrt(2 / pi)
#define NUM_GELU_B 0x1.6e4e26p-5f // 0.044715

static inline float num_gelu(float x) {
    float u = NUM_GELU_A * x * num_fma(NUM_GELU_B * x, x, 1.0f);
    return x / (1.0f + num_exp(-u));
}

// GELU in its exact form, x (1 + erf(x / sqrt 2)) / 2, with erf by Abramowitz and Stegun 7.1.26; error below 2e-7.
float num_gelu_erf(float x);
// ln(1 + e^x) = max(x, 0) + ln(1 + u) with u = e^-|x|, and ln(1 + u) = 2 artanh z with z = u / (2 + u) <= 1/3: a series
// in z^2, whose next term is below 2^-29.
#define NUM_ARTANH_C3 (1.0f / 3.0f)
#define NUM_ARTANH_C5 (1.0f / 5.0f)
#define NUM_ARTANH_C7 (1.0f / 7.0f)
#define NUM_ARTANH_C9 (1.0f / 9.0f)
#define NUM_ARTANH_C11 (1.0f / 11.0f)
#define NUM_ARTANH_C13 (1.0f / 13.0f)
#define NUM_ARTANH_C15 (1.0f / 15.0f)
float num_softplus(float x);

// In double, for tables that are made once a position: base^exponent with base > 0, and sine and cosine of any
// |x| < 2^30. Plain operations in a fixed order.
double num_pow(double base, double exponent);
double num_log(double x); // natural, x > 0
void num_sincos(double x, float *sine, float *cosine);

// sqrt and division are correctly rounded everywhere, so libm's sqrtf is the same on every machine.
float num_sqrt(float x);
