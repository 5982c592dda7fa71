// SPDX-License-Identifier: MIT
// Powers, sine and cosine in double for tables, from series short enough to be read. Only + - * / and conversions are
// used, in a fixed order, so every machine makes the same tables.
#include "base/num.h"

#include <math.h>

float num_sqrt(float x) {
    return sqrtf(x);
}

// ln x for x > 0, finite: x = 2^k m with m near 1, ln m = 2 artanh((m - 1) / (m + 1)).
double num_log(double x) {
    int k;
    double m = frexp(x, &k);
    if (m < 0.70710678118654752) {
        m *= 2;
        k--;
    }
    double t = (m - 1) / (m + 1), tt = t * t, sum = 0;
    for (int i = 25; i >= 1; i -= 2)
        sum = sum * tt + 1.0 / i;
    return k * 0.69314718055994531 + 2 * t * sum;
}

// e^x for |x| < 700 by Taylor's series on |r| <= ln 2 / 2.
static double exp_double(double x) {
    double n = (double)(int64_t)(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
    double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    double sum = 1;
    for (int i = 16; i >= 1; i--)
        sum = 1 + sum * r / i;
    return ldexp(sum, (int)n);
}

double num_pow(double base, double exponent) {
    double x = num_log(base) * exponent;
    return x > 700 ? HUGE_VAL : x < -700 ? 0 : exp_double(x);
}

// Sine and cosine on |r| <= pi / 4.
static double sine_series(double r) {
    double sum = 0, rr = r * r;
    for (int i = 17; i >= 3; i -= 2)
        sum = (1 - sum) * rr / (i * (i - 1));
    return r * (1 - sum);
}

static double cosine_series(double r) {
    double sum = 0, rr = r * r;
    for (int i = 18; i >= 2; i -= 2)
        sum = (1 - sum) * rr / (i * (i - 1));
    return 1 - sum;
}

void num_sincos(double x, float *sine, float *cosine) {
    if (!(x > -0x1p30 && x < 0x1p30)) { // not a position times a frequency: hostile metadata
        *sine = 0;
        *cosine = 1;
        return;
    }
    // Quarter turns taken off in three parts (Cody, Waite 1980), so that n * part is exact for |n| < 2^20 and close
    // above.
    double n = (double)(int64_t)(x * 0.63661977236758134 + (x < 0 ? -0.5 : 0.5));
    double r = ((x - n * 1.57079632673412561417) - n * 6.07710050630396597660e-11) - n * 2.02226624879595063154e-21;
    double s = sine_series(r), c = cosine_series(r);
    switch ((int64_t)n & 3) {
    case 0:
        *sine = (float)s;
        *cosine = (float)c;
        break;
    case 1:
        *sine = (float)c;
        *cosine = (float)-s;
        break;
    case 2:
        *sine = (float)-s;
        *cosine = (float)-c;
        break;
    default:
        *sine = (float)-c;
        *cosine = (float)s;
        break;
    }
}

float num_gelu_erf(float x) {
    double z = (x < 0 ? -(double)x : (double)x) * 0.70710678118654752, t = 1 / (1 + 0.3275911 * z);
    double p = 1.061405429;
    p = p * t - 1.453152027;
    p = p * t + 1.421413741;
    p = p * t - 0.284496736;
    p = p * t + 0.254829592;
    double tail = p * t * (double)num_exp((float)(-z * z)); // 1 - erf
    return (float)((double)x * (x < 0 ? tail / 2 : 1 - tail / 2));
}

float num_softplus(float x) {
    float u = num_exp(x > 0 ? -x : x), z = u / (2.0f + u), square = z * z;
    float p = num_fma(NUM_ARTANH_C15, square, NUM_ARTANH_C13);
    p = num_fma(p, square, NUM_ARTANH_C11);
    p = num_fma(p, square, NUM_ARTANH_C9);
    p = num_fma(p, square, NUM_ARTANH_C7);
    p = num_fma(p, square, NUM_ARTANH_C5);
    p = num_fma(p, square, NUM_ARTANH_C3);
    p = num_fma(p, square, 1.0f);
    return (x > 0 ? x : 0.0f) + 2.0f * z * p;
}
