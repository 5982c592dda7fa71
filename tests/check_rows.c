// SPDX-License-Identifier: MIT
// Kernel checks of the slots that work on one row: norms, gated activations, conversion to half precision.
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "tests/check.h"

#define MOST 100

// Values over the whole range of magnitudes, with the odd ones among them.
static float any_float(struct check_rng *r) {
    static const float odd[] = {0.0f,      -0.0f,    1e-45f,   -1e-40f, 3e38f,   -3e38f, INFINITY,
                                -INFINITY, 65504.0f, 65520.0f, 88.7f,   -104.0f, 6e-8f,  2.98e-8f};
    uint32_t u = check_u32(r);
    if (u % 16 == 0)
        return odd[u / 16 % ARRAY_LEN(odd)];
    return check_float(r) * num_float(((u >> 8) % 40 + 107) << 23);
}

static void check_norm(struct check_level *l) {
    if (l->bench || !check_begin(l, l->fast->norm != l->below->norm, "norm"))
        return;
    for (size_t n = 1; n < MOST; n++) {
        size_t size = n * sizeof(float), at;
        float *x = check_alloc(&l->memory, size), *w = check_alloc(&l->memory, size);
        float *a = check_alloc(&l->memory, size), *b = check_alloc(&l->memory, size);
        for (size_t i = 0; i < n; i++) {
            x[i] = n % 3 ? check_float(&l->rng) : any_float(&l->rng);
            w[i] = check_float(&l->rng);
        }
        l->fast->norm(x, w, n, 1e-5f, a);
        l->slow->norm(x, w, n, 1e-5f, b);
        CHECK_MSG(check_same(a, b, n, &at), "n %zu at %zu", n, at);
        l->fast->norm(x, w, n, 1e-5f, x); // in place
        CHECK_MSG(check_same(x, b, n, &at), "n %zu in place at %zu", n, at);
        check_free_all(&l->memory);
    }
}

static void check_act(struct check_level *l, enum activation activation, const char *name) {
    if (l->bench || !check_begin(l, l->fast->act[activation] != l->below->act[activation], "act.%s", name))
        return;
    for (size_t n = 1; n < MOST; n++) {
        size_t size = n * sizeof(float), at;
        float *gate = check_alloc(&l->memory, size), *up = check_alloc(&l->memory, size);
        float *a = check_alloc(&l->memory, size), *b = check_alloc(&l->memory, size);
        for (size_t i = 0; i < n; i++) {
            gate[i] = any_float(&l->rng);
            up[i] = check_float(&l->rng);
        }
        l->fast->act[activation](gate, up, n, a);
        l->slow->act[activation](gate, up, n, b);
        CHECK_MSG(check_same(a, b, n, &at), "n %zu at %zu: %a and %a", n, at, (double)a[at % n], (double)b[at % n]);
        check_free_all(&l->memory);
    }
}

static void check_f16(struct check_level *l) {
    if (l->bench || !check_begin(l, l->fast->to_f16 != l->below->to_f16, "to_f16"))
        return;
    for (size_t n = 1; n < MOST; n++) {
        float *x = check_alloc(&l->memory, n * sizeof *x);
        uint16_t *a = check_alloc(&l->memory, 2 * n), *b = check_alloc(&l->memory, 2 * n);
        for (size_t i = 0; i < n; i++)
            x[i] = any_float(&l->rng);
        l->fast->to_f16(x, n, a);
        l->slow->to_f16(x, n, b);
        CHECK_MSG(memcmp(a, b, 2 * n) == 0, "n %zu", n);
        check_free_all(&l->memory);
    }
}

static void check_add(struct check_level *l) {
    if (l->bench || !check_begin(l, l->fast->add != l->below->add, "add"))
        return;
    for (size_t n = 1; n < MOST; n++) {
        size_t size = n * sizeof(float), at;
        float *x = check_alloc(&l->memory, size), *a = check_alloc(&l->memory, size);
        float *b = check_alloc(&l->memory, size), scale = n % 2 ? 1.0f : check_float(&l->rng);
        for (size_t i = 0; i < n; i++) {
            x[i] = any_float(&l->rng);
            a[i] = b[i] = any_float(&l->rng);
        }
        l->fast->add(x, scale, n, a);
        l->slow->add(x, scale, n, b);
        CHECK_MSG(check_same(a, b, n, &at), "n %zu at %zu", n, at);
        check_free_all(&l->memory);
    }
}

static void check_rope(struct check_level *l, enum rope_kind kind, const char *name) {
    if (l->bench || !check_begin(l, l->fast->rope != l->below->rope, "rope.%s", name))
        return;
    for (size_t half = 1; half < MOST; half++) {
        size_t size = half * sizeof(float), at;
        float *cosine = check_alloc(&l->memory, size), *sine = check_alloc(&l->memory, size);
        float *a = check_alloc(&l->memory, 2 * size), *b = check_alloc(&l->memory, 2 * size);
        for (size_t i = 0; i < half; i++)
            num_sincos((double)check_float(&l->rng) * 100, &sine[i], &cosine[i]);
        for (size_t i = 0; i < 2 * half; i++)
            a[i] = b[i] = half % 3 ? check_float(&l->rng) : any_float(&l->rng);
        l->fast->rope(a, cosine, sine, half, kind);
        l->slow->rope(b, cosine, sine, half, kind);
        CHECK_MSG(check_same(a, b, 2 * half, &at), "half %zu at %zu", half, at);
        check_free_all(&l->memory);
    }
}

void check_rows(struct check_level *l) {
    check_norm(l);
    check_act(l, ACTIVATION_SILU, "silu");
    check_act(l, ACTIVATION_GELU, "gelu");
    check_act(l, ACTIVATION_SIGMOID, "sigmoid");
    check_act(l, ACTIVATION_SOFTPLUS, "softplus");
    check_act(l, ACTIVATION_TANH, "tanh");
    check_act(l, ACTIVATION_EXP, "exp");
    check_act(l, ACTIVATION_NONE, "none");
    check_add(l);
    check_rope(l, ROPE_NORM, "norm");
    check_rope(l, ROPE_NEOX, "neox");
    check_f16(l);
}
