// SPDX-License-Identifier: MIT
// Tests of what attention computes: every mask, bias and sink against the formula, written out in double, and the same
// bits for other threads, other cuts of the batch and the scalar level. Dimensions are odd on purpose.
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/backend.h"

#define KEYS 300 // more than a chapter
#define KV_HEADS 2
#define HEADS 6
#define DIM_K 37
#define DIM_V 21
#define SPAN 9

// The layer's memory and the operands, the same random numbers in every case.
struct fixture {
    float k[KEYS][KV_HEADS][DIM_K], v[KEYS][KV_HEADS][DIM_V], q[KEYS][HEADS][DIM_K];
    float y[KEYS][HEADS][DIM_V], other[KEYS][HEADS][DIM_V];
    float slopes[HEADS], sinks[HEADS], bias[HEADS][2 * SPAN + 1];
    struct kv_layer kv;
};

static float random_float(uint64_t *state) {
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return (float)(int32_t)(*state >> 32) * 0x1p-31f;
}

static void fill(float *x, size_t n, uint64_t *state) {
    for (size_t i = 0; i < n; i++)
        x[i] = random_float(state);
}

static size_t bytes(enum kv_type type, uint32_t dim) {
    return round_up(KEYS, TAPE_PAGE) / TAPE_PAGE * KV_HEADS * kv_page_size(type, dim);
}

static struct fixture *make_fixture(struct backend *b, enum kv_type type) {
    struct fixture *f = calloc(1, sizeof *f);
    uint64_t state = 1;
    if (!f)
        return NULL;
    fill(&f->k[0][0][0], sizeof f->k / sizeof(float), &state);
    fill(&f->v[0][0][0], sizeof f->v / sizeof(float), &state);
    fill(&f->q[0][0][0], sizeof f->q / sizeof(float), &state);
    for (int h = 0; h < HEADS; h++)
        f->slopes[h] = 0x1p-3f / (float)(h + 1);
    fill(f->sinks, HEADS, &state);
    fill(&f->bias[0][0], sizeof f->bias / sizeof(float), &state);
    f->kv = (struct kv_layer){.type = type, .n_heads = KV_HEADS, .dim_k = DIM_K, .dim_v = DIM_V};
    f->kv.k = b->ops->alloc(b, bytes(type, DIM_K));
    f->kv.v = b->ops->alloc(b, bytes(type, DIM_V));
    return f;
}

static void free_fixture(struct fixture *f, struct backend *b) {
    b->ops->free(b, f->kv.k, bytes(f->kv.type, DIM_K));
    b->ops->free(b, f->kv.v, bytes(f->kv.type, DIM_V));
    free(f);
}

// Whether a row at i sees the key at j: the definition, a line a rule.
static bool sees(const struct tape_attend *a, int i, int j) {
    int w = (int)a->window;
    bool sees = a->n_keys ? j < (int)a->n_keys : j <= i;
    if (w && a->window_kind == WINDOW_LAST)
        sees = sees && i - j < w;
    if (w && a->window_kind == WINDOW_CHUNK)
        sees = sees && j >= i - i % w;
    if (w && a->window_kind == WINDOW_SYMMETRIC)
        sees = sees && abs(i - j) <= w / 2;
    return sees;
}

static double plain_score(const struct fixture *f, const struct tape_attend *a, int i, int head, int j) {
    double sum = 0, span = a->span, away = j - i;
    for (int d = 0; d < DIM_K; d++)
        sum += (double)f->q[i][head][d] * (double)f->k[j][head / (HEADS / KV_HEADS)][d];
    sum *= (double)a->scale;
    if (a->softcap > 0)
        sum = (double)a->softcap * tanh(sum / (double)a->softcap);
    if (a->slopes)
        sum -= (double)a->slopes[head] * fabs(away);
    if (a->bias)
        sum += (double)f->bias[head][(int)(fmin(fmax(away, -span), span) + span)];
    return sum;
}

// The largest error of a row's results against the formula.
static double row_error(const struct fixture *f, const struct tape_attend *a, int i, int head) {
    double sum = a->sinks ? exp((double)a->sinks[head]) : 0, value[DIM_V] = {0}, worst = 0;
    for (int j = 0; j < KEYS; j++) {
        if (!sees(a, i, j))
            continue;
        double w = exp(plain_score(f, a, i, head, j));
        const float *from = a->kv->v ? f->v[j][head / (HEADS / KV_HEADS)] : f->k[j][head / (HEADS / KV_HEADS)];
        sum += w;
        for (int d = 0; d < DIM_V; d++)
            value[d] += w * (double)from[d];
    }
    for (int d = 0; d < DIM_V; d++)
        worst = fmax(worst, fabs((double)f->y[i][head][d] - (sum > 0 ? value[d] / sum : 0)));
    return worst;
}

// Stores all keys and attends with all rows, `batch` rows a tape.
static bool attend(struct backend *b, struct fixture *f, struct tape_attend a, uint32_t batch, float *y) {
    struct arena arena = {0};
    struct tape t;
    struct err e;
    bool ok = tape_open(&t, &arena, 2, &e);
    for (uint32_t at = 0; ok && at < KEYS; at += batch) {
        tape_clear(&t, KEYS - at < batch ? KEYS - at : batch);
        tape_store(&t, &f->k[at][0][0], a.kv->v ? &f->v[at][0][0] : NULL, a.kv, at);
        ok = b->ops->run(b, &t, NULL, &e);
    }
    for (uint32_t at = 0; ok && at < KEYS; at += batch) {
        tape_clear(&t, KEYS - at < batch ? KEYS - at : batch);
        a.q = &f->q[at][0][0];
        a.y = y + (size_t)at * HEADS * DIM_V;
        a.pos = at;
        tape_attend(&t, a);
        ok = b->ops->run(b, &t, NULL, &e);
    }
    arena_free(&arena);
    return ok;
}

static bool open_backend(struct backend **b, unsigned threads, const char *level, struct err *e) {
    const struct backend_params p = {threads, level};
    const struct backend_limits l = {.max_cols = 32, .max_head_dim = DIM_K};
    return backend_open(b, &p, e) && (*b)->ops->reserve(*b, &l, e);
}

static void check_case(struct backend *b[3], struct fixture *f, const struct tape_attend *a) {
    static const struct {
        int backend;
        uint32_t batch;
    } others[] = {{0, 7}, {1, 1}, {1, 7}, {1, 64}, {2, 7}};
    static const double errors[N_KV_TYPES] = {[KV_F16] = 1e-3, [KV_F32] = 2e-6, [KV_Q8_0] = 0.03, [KV_Q4_0] = 0.2};
    double worst = 0;
    CHECK(attend(b[0], f, *a, KEYS, &f->y[0][0][0]));
    for (int i = 0; i < KEYS; i++)
        for (int head = 0; head < HEADS; head++)
            worst = fmax(worst, row_error(f, a, i, head));
    CHECK_MSG(worst < errors[f->kv.type], "error %g", worst);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        CHECK(attend(b[others[i].backend], f, *a, others[i].batch, &f->other[0][0][0]));
        CHECK_MSG(memcmp(f->y, f->other, sizeof f->y) == 0, "other bits: backend %d, batches of %u", others[i].backend,
                  others[i].batch);
    }
}

static void check_all(struct backend *b[3], struct fixture *f) {
    const struct kv_layer latent = {f->kv.k, NULL, f->kv.type, KV_HEADS, DIM_K, DIM_V, 0};
    const struct tape_attend plain = {.kv = &f->kv, .heads = HEADS, .scale = 0.4f};
    static const char *const types[N_KV_TYPES] = {"f16", "f32", "q8_0", "q4_0"};
    static const struct {
        const char *name;
        uint32_t window;
        enum window_kind kind;
        uint32_t n_keys;
        bool slopes, bias, sinks, latent;
        float softcap;
    } cases[] = {
        {.name = "causal"},
        {.name = "last 70 keys", .window = 70},
        {.name = "last key", .window = 1},
        {.name = "chunks", .window = 72, .kind = WINDOW_CHUNK},
        {.name = "all keys", .n_keys = KEYS},
        {.name = "the first keys only", .n_keys = 66},
        {.name = "symmetric window", .window = 33, .kind = WINDOW_SYMMETRIC, .n_keys = KEYS},
        {.name = "causal half of a symmetric window", .window = 33, .kind = WINDOW_SYMMETRIC},
        {.name = "all keys in front of a window's end", .window = 5, .n_keys = KEYS},
        {.name = "rows that see nothing", .window = 5, .n_keys = 66},
        {.name = "slopes", .slopes = true},
        {.name = "slopes both ways", .slopes = true, .n_keys = KEYS},
        {.name = "bias by distance", .bias = true, .n_keys = KEYS},
        {.name = "bias by distance, causal", .bias = true},
        {.name = "sinks", .sinks = true},
        {.name = "sinks and a window", .sinks = true, .window = 70},
        {.name = "softcap", .softcap = 0.7f, .bias = true},
        {.name = "values in the keys", .latent = true},
        {.name = "all at once", 70, WINDOW_CHUNK, KEYS, true, true, true, true, 1.5f},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tape_attend a = plain;
        a.window = cases[i].window;
        a.window_kind = cases[i].kind;
        a.n_keys = cases[i].n_keys;
        a.slopes = cases[i].slopes ? f->slopes : NULL;
        a.bias = cases[i].bias ? &f->bias[0][0] : NULL;
        a.span = SPAN;
        a.sinks = cases[i].sinks ? f->sinks : NULL;
        a.kv = cases[i].latent ? &latent : &f->kv;
        a.softcap = cases[i].softcap;
        test_case("attend: %s, %s", types[f->kv.type], cases[i].name);
        check_case(b, f, &a);
    }
}

void unit_attend(void) {
    struct backend *b[3] = {NULL};
    struct err e;
    test_case("attend: backends open");
    bool ok = CHECK_CALL(open_backend(&b[0], 1, NULL, &e), &e) && CHECK_CALL(open_backend(&b[1], 2, NULL, &e), &e) &&
              CHECK_CALL(open_backend(&b[2], 2, "scalar", &e), &e);
    for (int type = 0; ok && type < N_KV_TYPES; type++) {
        struct fixture *f = make_fixture(b[0], (enum kv_type)type);
        if (CHECK(f && f->kv.k && f->kv.v))
            check_all(b, f);
        if (f)
            free_fixture(f, b[0]);
    }
    for (size_t i = 0; i < 3; i++)
        if (b[i])
            b[i]->ops->close(b[i]);
}
