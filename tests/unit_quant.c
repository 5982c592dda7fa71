// SPDX-License-Identifier: MIT
// Tests of the number formats that need no reference data: what encoding does with ordinary and extraordinary rows,
// what it refuses, that decoded rows survive being encoded again, and that readers read what they read when they were
// checked against reference data (tests/quants.c).
#include "tests/test.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/blocks.h"

#define N 512

// A row, and what encoding made of it.
struct trip {
    const struct quant_format *f;
    float x[N], y[N];
    uint8_t row[N * 4];
};

static uint64_t random_u64(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = (*state ^ *state >> 33) * 0xff51afd7ed558ccdu;
    return x ^ x >> 29;
}

static float random_unit(uint64_t *state) {
    return (float)(int64_t)(random_u64(state) >> 40) * 0x1p-23f - 1.0f;
}

// A sum of four uniform numbers: near enough to what weights look like.
static float random_weight(uint64_t *state) {
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += random_unit(state);
    return sum;
}

static bool encode(struct trip *t, const float *importance) {
    size_t bad = N;
    memset(t->row, 0xa5, sizeof t->row);
    if (!CHECK_MSG(quant_encode(t->f, t->x, importance, N, t->row, &bad), "%s: element %zu is refused: %g", t->f->name,
                   bad, (double)t->x[bad % N]))
        return false;
    quant_decode(t->f, t->row, t->y, N);
    return true;
}

// Sum of w (x - y)^2 over sum of w x^2; 0 over 0 is 0.
static double error_of(const float *x, const float *y, const float *w) {
    double error = 0, power = 0;
    for (size_t i = 0; i < N; i++) {
        double weight = w ? (double)w[i] : 1, d = (double)x[i] - (double)y[i];
        error += weight * d * d;
        power += weight * (double)x[i] * (double)x[i];
    }
    return error > 0 ? error / power : 0;
}

static void fill(struct trip *t, float scale) {
    uint64_t state = 7;
    for (size_t i = 0; i < N; i++)
        t->x[i] = random_weight(&state) * scale;
}

static void fill_same(struct trip *t, float x) {
    for (size_t i = 0; i < N; i++)
        t->x[i] = x;
}

// The error that random rows may have, and what readers read from random blocks (a hash).
static const struct {
    enum quant_index format;
    double error;
    uint64_t hash;
} expected[] = {
    {QUANT_f32, 0, 0x07b7c776d78b8006},          {QUANT_f16, 4.9e-08, 0xac9642039b5699ad},
    {QUANT_bf16, 2.85e-06, 0x9bd7280f724079ad},  {QUANT_q4_0, 0.00553, 0xf921dca585a62025},
    {QUANT_q4_1, 0.00431, 0x264a586d229eabff},   {QUANT_q5_0, 0.00141, 0x001bd0db138cd025},
    {QUANT_q5_1, 0.00105, 0xacd6abd9ad7bfc54},   {QUANT_q8_0, 2.3e-05, 0x64bba1677cd815e5},
    {QUANT_q2_k, 0.0722, 0xf7b97ceaa82ec431},    {QUANT_q3_k, 0.0194, 0x9e5b3bd97fe8f465},
    {QUANT_q4_k, 0.00443, 0x4d4999ff0c853422},   {QUANT_q5_k, 0.00106, 0xfbda0bc790b28778},
    {QUANT_q6_k, 0.000255, 0x09dff675c3c0520b},  {QUANT_iq1_s, 0.187, 0x749d82ee722b2285},
    {QUANT_iq1_m, 0.159, 0x69e6c704894a3085},    {QUANT_iq2_xxs, 0.102, 0xc04adebab1b1e155},
    {QUANT_iq2_xs, 0.0804, 0x62c385314532a0cd},  {QUANT_iq2_s, 0.0576, 0x43af678036a412d5},
    {QUANT_iq3_xxs, 0.0304, 0x4e641869643a752d}, {QUANT_iq3_s, 0.0166, 0x1d8e60d874af0345},
    {QUANT_iq4_nl, 0.005, 0xafaeda3b691a4825},   {QUANT_iq4_xs, 0.00506, 0xcb52d0b8e3b97dbb},
    {QUANT_tq1_0, 0.186, 0xee44e8b99019cb25},    {QUANT_tq2_0, 0.186, 0xf2afe73601f20b25},
    {QUANT_mxfp4, 0.0122, 0x105bc02b1f9e8025},   {QUANT_nvfp4, 0.0078, 0x84a6b8a8b91bdd25},
    {QUANT_q1_0, 0.347, 0x18092cf769b01725},     {QUANT_q2_0, 0.123, 0xdd8299fffe5dfd25},
};

static void check_random(struct trip *t, double bound) {
    float plain[N], importance[N];
    uint64_t state = 3;
    fill(t, 0.02f);
    if (!encode(t, NULL))
        return;
    double error = error_of(t->x, t->y, NULL);
    CHECK_MSG(error <= bound, "%s: random row: error %g", t->f->name, error);
    for (size_t i = 0; i < N; i++)
        importance[i] = 1 + 0.9f * random_unit(&state);
    memcpy(plain, t->y, sizeof plain);
    if (encode(t, importance))
        CHECK_MSG(error_of(t->x, t->y, importance) <= error_of(t->x, plain, importance) * 1.002,
                  "%s: importance makes it worse: %g, %g", t->f->name, error_of(t->x, t->y, importance),
                  error_of(t->x, plain, importance));
}

static void check_same_number(struct trip *t) {
    static const float numbers[] = {0.0371f, -0.0371f, 1, -1, 5.25f, -77.7f};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        fill_same(t, numbers[i]);
        if (encode(t, NULL))
            CHECK_MSG(error_of(t->x, t->y, NULL) < 0.04, "%s: all %g: error %g", t->f->name, (double)numbers[i],
                      error_of(t->x, t->y, NULL));
    }
    fill_same(t, 0);
    encode(t, NULL);
    for (size_t i = 0; i < N; i++)
        CHECK_MSG(t->y[i] == 0, "%s: zero becomes %g", t->f->name, (double)t->y[i]);
}

// Rows at the ends of the range: never worse than zeros but for how elements are weighed, and never anything that is
// not finite.
static void check_sizes(struct trip *t) {
    const float largest = t->f->largest;
    const float scales[] = {1e-41f, 1e-30f, 1e-10f, 1e-9f, 1e-8f, 3e-8f, 1e-7f,
                            1e-6f,  1e-5f,  1e-4f,  1,     100,   600,   largest / 4};
    for (size_t i = 0; i < ARRAY_LEN(scales); i++) {
        fill(t, scales[i]);
        if (!encode(t, NULL))
            continue;
        double error = error_of(t->x, t->y, NULL);
        CHECK_MSG(error <= 1.02, "%s: numbers of %g: error %g", t->f->name, (double)scales[i], error);
    }
    fill_same(t, 0);
    t->x[100] = largest;
    if (encode(t, NULL))
        CHECK_MSG(error_of(t->x, t->y, NULL) <= 1.001, "%s: a single %g: error %g", t->f->name, (double)largest,
                  error_of(t->x, t->y, NULL));
}

// Blocks of 256 have integer scales besides the one in half precision, so numbers near its smallest are no harder.
static void check_small(struct trip *t, double bound) {
    if (t->f->block_len != 256)
        return;
    fill(t, 2e-5f);
    if (encode(t, NULL))
        CHECK_MSG(error_of(t->x, t->y, NULL) <= 1.2 * bound + 1e-4, "%s: small numbers: error %g", t->f->name,
                  error_of(t->x, t->y, NULL));
    fill_same(t, 2.7e-5f);
    if (encode(t, NULL))
        CHECK_MSG(error_of(t->x, t->y, NULL) < 0.04, "%s: all 2.7e-5: error %g", t->f->name,
                  error_of(t->x, t->y, NULL));
}

static void check_refused(struct trip *t) {
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY, t->f->largest * 1.01f, t->f->largest * -1.01f};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        size_t at = 0, place = 37 + 80 * i;
        fill(t, 0.02f);
        t->x[place] = bad[i];
        CHECK_MSG(!quant_encode(t->f, t->x, NULL, N, t->row, &at), "%s: takes %g", t->f->name, (double)bad[i]);
        CHECK_MSG(at == place, "%s: %g at %zu is found at %zu", t->f->name, (double)bad[i], place, at);
    }
}

// Blocks are independent of each other and of what memory held before.
static void check_blocks(struct trip *t) {
    uint8_t block[QUANT_MAX_BLOCK * 4];
    const struct quant_format *f = t->f;
    fill(t, 0.02f);
    encode(t, NULL);
    for (size_t i = 0, at = 0; at < N; i++, at += f->block_len) {
        size_t bad;
        quant_encode(f, t->x + at, NULL, f->block_len, block, &bad);
        CHECK_MSG(memcmp(block, t->row + i * f->block_size, f->block_size) == 0, "%s: block %zu differs alone", f->name,
                  i);
    }
}

// Bytes do not depend on the machine.
static void check_machines(struct trip *t) {
    static uint8_t row[N * 4];
    float importance[N];
    uint64_t state = 13;
    size_t bad;
    for (int spread = 0; spread < 3; spread++) {
        fill(t, 0.02f);
        for (size_t i = 0; i < N; i++) {
            importance[i] = 1 + 0.9f * random_unit(&state);
            t->x[i] *= spread == 2 && random_u64(&state) % 16 == 0 ? 40 : 1;
        }
        encode(t, spread ? importance : NULL);
        memset(row, 0xa5, sizeof row);
        CHECK(quant_encode_for(0, t->f, t->x, spread ? importance : NULL, N, row, &bad));
        CHECK_MSG(memcmp(row, t->row, sizeof row) == 0, "%s: bytes depend on the machine", t->f->name);
    }
}

// Importance that says nothing or nonsense is as good as none.
static void check_importance(struct trip *t) {
    static const float nothing[] = {0, -1, NAN, INFINITY};
    float importance[N];
    for (size_t k = 0; k < ARRAY_LEN(nothing); k++) {
        for (size_t i = 0; i < N; i++)
            importance[i] = nothing[k];
        fill(t, 0.02f);
        if (encode(t, importance))
            CHECK_MSG(error_of(t->x, t->y, NULL) < 0.4, "%s: importance %g: error %g", t->f->name, (double)nothing[k],
                      error_of(t->x, t->y, NULL));
    }
}

// What encoding again may add to the error of the first time: nothing, but in Q5_K, where 0.147 was measured.
static double bound_again(enum quant_index format) {
    return format == QUANT_q5_k ? 0.15 : 0;
}

static void check_again(struct trip *t) {
    struct trip again = {.f = t->f};
    fill(t, 0.02f);
    if (!encode(t, NULL))
        return;
    memcpy(again.x, t->y, sizeof again.x);
    encode(&again, NULL);
    double first = error_of(t->x, t->y, NULL), second = error_of(again.x, again.y, NULL);
    CHECK_MSG(second <= first * bound_again(t->f->index), "%s: encoding again adds %g to %g", t->f->name, second,
              first);
}

// Random blocks with ordinary scales. The places of scales differ; a byte pattern is drawn until all decodes to numbers
// of ordinary size.
static void random_block(const struct quant_format *f, uint64_t *state, uint8_t *block) {
    float v[QUANT_MAX_BLOCK];
    bool ordinary = false;
    while (!ordinary) {
        for (size_t i = 0; i < f->block_size; i++)
            block[i] = (uint8_t)random_u64(state);
        quant_decode(f, block, v, f->block_len);
        ordinary = true;
        for (size_t i = 0; i < f->block_len; i++)
            ordinary = ordinary && fabsf(v[i]) < 1e30f;
    }
}

static uint64_t hash_reader(const struct quant_format *f) {
    uint64_t state = 1, hash = 14695981039346656037u;
    for (int b = 0; b < 50; b++) {
        uint8_t block[QUANT_MAX_BLOCK * 4];
        float v[QUANT_MAX_BLOCK];
        random_block(f, &state, block);
        quant_decode(f, block, v, f->block_len);
        for (size_t i = 0; i < f->block_len; i++)
            hash = (hash ^ num_bits(v[i])) * 1099511628211u;
    }
    return hash;
}

// The scalar product of a random row with activations that are whole numbers, against the decoded numbers.
static void check_dot(struct trip *t) {
    uint64_t state = 5;
    float x[N];
    static _Alignas(64) uint8_t record[N * 8];
    fill(t, 0.02f);
    encode(t, NULL);
    for (size_t i = 0; i < N; i++)
        x[i] = i % 32 == 3 ? 127 : (float)(int)(random_unit(&state) * 127);
    struct quant_layout layout = quant_act_layout(t->f->act, N);
    quant_act_encode(t->f->act, x, N, record);
    struct quant_vec vec = quant_act_vec(&layout, record);
    double sum = 0, size = 0;
    for (size_t i = 0; i < N; i++) {
        sum += (double)t->y[i] * (double)x[i];
        size += fabs((double)t->y[i] * (double)x[i]);
    }
    double got = (double)quant_dot(t->f, t->row, &vec, N);
    CHECK_MSG(fabs(got - sum) <= 1e-5 * size, "%s: dot product %g, expected %g", t->f->name, got, sum);
}

static const struct quant_format *by_index(enum quant_index index) {
    size_t n;
    return &quant_all(&n)[index];
}

static void check_formats(const char *name, void (*check)(struct trip *t)) {
    test_case("quant.%s", name);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct trip t = {.f = by_index(expected[i].format)};
        check(&t);
    }
}

// Rows that an encoding of the format can be: numbers that its own codes stand for, some the largest.
static bool make_exact(const struct quant_format *f, uint64_t *state, float *x) {
    static const struct {
        enum quant_index format;
        int lo, hi, largest;
    } codes[] = {{QUANT_q8_0, -127, 127, 127}, {QUANT_q4_0, -8, 7, -8}, {QUANT_q5_0, -16, 15, -16},
                 {QUANT_tq1_0, -1, 1, 1},      {QUANT_tq2_0, -1, 1, 1}, {QUANT_q1_0, 0, 1, 1}};
    for (size_t c = 0; c < ARRAY_LEN(codes); c++) {
        if (codes[c].format != f->index)
            continue;
        for (size_t i = 0; i < N; i++) {
            // The scale of a block is a half-precision number of either sign.
            float d =
                num_f16_to_f32((uint16_t)(0x2000 + i / f->block_len * 77)) * (i / f->block_len % 2 ? 1.0f : -1.0f);
            int range = codes[c].hi - codes[c].lo + 1, code = codes[c].lo + (int)(random_u64(state) % (unsigned)range);
            code = f->index == QUANT_q1_0 ? 2 * code - 1 : code;
            x[i] = d * (float)(i % f->block_len == 5 ? codes[c].largest : code);
        }
        return true;
    }
    return false;
}

// Floats that the format has, with the largest code in every block of MXFP4.
static void make_exact_bits(const struct quant_format *f, uint64_t *state, float *x) {
    static const float e2m1[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    for (size_t i = 0; i < N; i++) {
        uint16_t bits = (uint16_t)random_u64(state);
        if (f->index == QUANT_f16)
            x[i] = num_f16_to_f32(bits & 0xfbff);
        else if (f->index == QUANT_bf16)
            x[i] = num_bf16_to_f32(bits & 0xff7f);
        else
            x[i] = ldexpf(e2m1[i % 32 == 9 ? 7 : bits % 8] * (bits & 8 ? -1.0f : 1.0f), (int)(i / 32) * 7 - 60);
    }
}

static void check_exact(void) {
    static const enum quant_index formats[] = {QUANT_f16,   QUANT_bf16,  QUANT_q8_0, QUANT_q4_0, QUANT_q5_0,
                                               QUANT_tq1_0, QUANT_tq2_0, QUANT_q1_0, QUANT_mxfp4};
    uint64_t state = 11;
    for (size_t k = 0; k < ARRAY_LEN(formats) * 20; k++) {
        struct trip t = {.f = by_index(formats[k / 20])};
        if (!make_exact(t.f, &state, t.x))
            make_exact_bits(t.f, &state, t.x);
        if (!encode(&t, NULL))
            return;
        for (size_t i = 0; i < N; i++)
            if (!CHECK_MSG(t.y[i] == t.x[i], "%s: element %zu was %a and is %a", t.f->name, i, (double)t.x[i],
                           (double)t.y[i]))
                return;
    }
}

void unit_quant(void) {
    test_case("quant.random");
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct trip t = {.f = by_index(expected[i].format)};
        check_random(&t, expected[i].error);
    }
    test_case("quant.small");
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct trip t = {.f = by_index(expected[i].format)};
        check_small(&t, expected[i].error);
    }
    test_case("quant.readers");
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        CHECK_MSG(hash_reader(by_index(expected[i].format)) == expected[i].hash, "%s: 0x%016llx",
                  by_index(expected[i].format)->name, (unsigned long long)hash_reader(by_index(expected[i].format)));
    check_formats("same_number", check_same_number);
    check_formats("sizes", check_sizes);
    check_formats("refused", check_refused);
    check_formats("blocks", check_blocks);
    check_formats("machines", check_machines);
    check_formats("importance", check_importance);
    check_formats("again", check_again);
    check_formats("dot", check_dot);
    test_case("quant.exact");
    check_exact();
}
