// SPDX-License-Identifier: MIT
// pith's own functions against libm's in double.
#include <math.h>

#include "base/num.h"
#include "tests/test.h"

static double exact_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static double exact_silu(double x) {
    return x / (1 + exp(-x));
}

static double exact_softplus(double x) {
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double exact_gelu(double x) {
    return x * exact_sigmoid(2 * 0.7978845608028654 * x * (1 + 0.044715 * x * x));
}

// The largest error over a range, relative to the value or to `least` where that is smaller.
static double worst_of(float (*of)(float), double (*exact)(double), double from, double to, double least) {
    double worst = 0;
    for (int i = 0; i <= 20000; i++) {
        float x = (float)(from + (to - from) * i / 20000);
        double want = exact((double)x), size = fabs(want) > least ? fabs(want) : least;
        worst = fmax(worst, fabs((double)of(x) - want) / size);
    }
    return worst;
}

static const struct {
    const char *name;
    float (*of)(float);
    double (*exact)(double);
    double from, to, least, most;
} rows[] = {
    {"exp", num_exp, exp, -80, 88, 0, 3e-7},
    {"tanh", num_tanh, tanh, -20, 20, 1, 3e-7},
    {"sigmoid", num_sigmoid, exact_sigmoid, -80, 80, 0, 4e-7},
    {"silu", num_silu, exact_silu, -80, 80, 1e-30, 4e-7},
    {"gelu", num_gelu, exact_gelu, -5, 20, 1e-3, 2e-6},
    {"softplus", num_softplus, exact_softplus, -80, 80, 0, 4e-7},
};

void unit_num(void) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double worst = worst_of(rows[i].of, rows[i].exact, rows[i].from, rows[i].to, rows[i].least);
        test_case("num: %s", rows[i].name);
        CHECK_MSG(worst <= rows[i].most, "error %.1e, expected at most %.1e", worst, rows[i].most);
    }
}
