// SPDX-License-Identifier: MIT
// Kernel checks of recurrences and convolutions: every kind and decay, rows of any length and number, several tokens.
#include <string.h>

#include "tests/check.h"

#define TOKENS 5

static float *floats(struct check_level *l, size_t n) {
    float *x = check_alloc(&l->memory, n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = check_float(&l->rng);
    return x;
}

static float *copy_of(struct check_level *l, const float *x, size_t n) {
    float *copy = check_alloc(&l->memory, n * sizeof *copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

// Operands for `heads` heads that all read one group; rows of q, k and v lie further apart than they are long.
static struct tape_recur make_recur(struct check_level *l, enum recur_kind kind, enum recur_decay decay, uint32_t heads,
                                    uint32_t dk, uint32_t dv) {
    const size_t keys = (size_t)TOKENS * heads * dk, values = (size_t)TOKENS * heads * dv;
    struct tape_recur o = {.kind = kind, .decay_kind = decay, .heads = heads, .dk = dk, .dv = dv, .groups = 1};
    o.q_row = dk + 3;
    o.k_row = dk + 1;
    o.v_row = heads * dv + 2;
    o.q = floats(l, (size_t)(TOKENS - 1) * o.q_row + dk);
    o.k = floats(l, (size_t)(TOKENS - 1) * o.k_row + dk);
    o.v = floats(l, (size_t)(TOKENS - 1) * o.v_row + (size_t)heads * dv);
    o.decay = floats(l, keys);
    o.rate = floats(l, (size_t)heads * dk);
    o.bonus = floats(l, (size_t)heads * dk);
    o.a = floats(l, keys);
    o.b = floats(l, keys);
    o.beta = decay == DECAY_RATE || dk % 2 ? floats(l, (size_t)TOKENS * heads) : NULL;
    o.y = floats(l, values);
    o.state = floats(l, (size_t)heads * dv * dk);
    o.scale = 0.5f;
    return o;
}

static bool compare_recur(struct check_level *l, struct tape_recur fast, uint32_t row, uint32_t n) {
    const size_t states = (size_t)fast.heads * fast.dv * fast.dk, values = (size_t)TOKENS * fast.heads * fast.dv;
    struct tape_recur slow = fast;
    size_t at;
    slow.state = copy_of(l, fast.state, states);
    slow.y = copy_of(l, fast.y, values);
    l->fast->recur(&fast, TOKENS, row, n);
    l->slow->recur(&slow, TOKENS, row, n);
    return check_same(fast.y, slow.y, values, &at) && check_same(fast.state, slow.state, states, &at);
}

static void check_recur(struct check_level *l, enum recur_kind kind, enum recur_decay decay) {
    static const char *const kinds[] = {"linear", "delta", "rwkv6", "rwkv7"};
    static const char *const decays[] = {"none", "head", "key", "rate"};
    if (l->bench || !check_begin(l, l->fast->recur != l->below->recur, "recur.%s.%s", kinds[kind], decays[decay]))
        return;
    for (uint32_t dk = 1; dk < 70; dk += dk < 34 ? 1 : 15) {
        struct tape_recur o = make_recur(l, kind, decay, 2, dk, 9);
        CHECK_MSG(compare_recur(l, o, 9, dk % 9 + 1), "dk %u, rows of the second head", dk);
        check_free_all(&l->memory);
        o = make_recur(l, kind, decay, 11, dk, 1);
        CHECK_MSG(compare_recur(l, o, dk % 3, 8), "dk %u, heads of one row", dk);
        check_free_all(&l->memory);
    }
}

// The state of each convolution holds what came before; outputs of channels that are not asked for stay.
static void check_conv(struct check_level *l) {
    if (l->bench || !check_begin(l, l->fast->conv != l->below->conv, "conv"))
        return;
    for (uint32_t channels = 1; channels < 70; channels++) {
        struct tape_conv o = {.channels = channels, .width = channels % 5 + 1, .dilation = channels % 3 + 1};
        const uint32_t first = channels / 4, n = channels - first - channels / 8;
        size_t at, size = (size_t)TOKENS * channels;
        o.x_stride = channels + 2;
        o.silu = channels % 2;
        o.x = floats(l, (size_t)(TOKENS - 1) * o.x_stride + channels);
        o.w = floats(l, (size_t)channels * o.width);
        o.b = channels % 4 > 1 ? floats(l, channels) : NULL;
        o.state = floats(l, (size_t)(o.width - 1) * o.dilation * channels);
        float *fast = o.y = floats(l, size), *slow = copy_of(l, fast, size);
        l->fast->conv(&o, TOKENS, first, n);
        o.y = slow;
        l->slow->conv(&o, TOKENS, first, n);
        CHECK_MSG(check_same(fast, slow, size, &at), "%u channels at %zu", channels, at);
        check_free_all(&l->memory);
    }
}

void check_recurrences(struct check_level *l) {
    for (int kind = RECUR_LINEAR; kind <= RECUR_RWKV7; kind++)
        for (int decay = DECAY_NONE; decay <= DECAY_RATE; decay++)
            check_recur(l, (enum recur_kind)kind, (enum recur_decay)decay);
    check_conv(l);
}
