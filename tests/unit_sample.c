// SPDX-License-Identifier: MIT
// Sampling: the generator's known numbers, every stage by itself, ties, logits that are no numbers, and the frequencies
// of many draws against the probabilities that the stages should leave (chi-square).
#include "infer/sample.h"

#include <math.h>
#include <stdlib.h>

#include "tests/test.h"

#define N_DRAWS 20000

static struct sample_params plain(uint64_t seed) {
    return (struct sample_params){.temp = 1, .top_p = 1, .repeat_penalty = 1, .seed = seed};
}

static struct sampler *open_or_fail(const struct sample_params *p, size_t n) {
    struct sampler *s = NULL;
    struct err e = {0};
    CHECK_CALL(sampler_open(&s, p, n, &e), &e);
    return s;
}

static int32_t once(struct sample_params p, const float *logits, size_t n) {
    struct sampler *s = open_or_fail(&p, n);
    int32_t id = s ? sampler_next(s, logits, NULL, 0) : -2;
    sampler_close(s);
    return id;
}

// How often each of n ids is drawn.
static void count(struct sample_params p, const float *logits, size_t n, const int32_t *history, size_t n_history,
                  int *counts) {
    struct sampler *s = open_or_fail(&p, n);
    for (size_t i = 0; i < n; i++)
        counts[i] = 0;
    for (int i = 0; s && i < N_DRAWS; i++) {
        int32_t id = sampler_next(s, logits, history, n_history);
        if (CHECK(id >= 0 && (size_t)id < n))
            counts[id]++;
    }
    sampler_close(s);
}

// Chi-square of the counts against probabilities (0: must not occur). 30 is far in the tail for at most 7 degrees.
static void fits(const int *counts, const double *probability, size_t n) {
    double chi = 0;
    for (size_t i = 0; i < n; i++) {
        double wanted = probability[i] * N_DRAWS;
        if (wanted == 0)
            CHECK_MSG(counts[i] == 0, "id %zu was drawn %d times", i, counts[i]);
        else
            chi += (counts[i] - wanted) * (counts[i] - wanted) / wanted;
    }
    CHECK_MSG(chi < 30, "chi-square is %.1f", chi);
}

// ln 8, ln 4, ln 2, ln 1, ln 1: probabilities 8/16, 4/16, 2/16, 1/16, 1/16.
static const float halves[] = {2.0794415f, 1.3862944f, 0.6931472f, 0, 0};
#define N_HALVES ARRAY_LEN(halves)

static void test_generator(void) {
    // With 2^13 equal logits a draw shows the 13 highest bits of a number. Computed apart from this program, from the
    // published definitions of xoshiro256** and splitmix64.
    enum { N = 8192 };
    static const float flat[N];
    static const int32_t wanted[] = {687, 3104, 5570, 7575, 8124, 6305, 5892, 6963};
    struct sample_params p = plain(42);
    struct sampler *s = open_or_fail(&p, N);
    for (size_t i = 0; s && i < ARRAY_LEN(wanted); i++)
        CHECK_INT(sampler_next(s, flat, NULL, 0), wanted[i]);
    sampler_close(s);
}

static void test_greedy(void) {
    const float logits[] = {1, 3, 3, NAN, 2};
    struct sample_params p = sample_defaults;
    p.temp = 0;
    CHECK_INT(once(p, logits, ARRAY_LEN(logits)), 1); // the lower id of equals
    const float with_inf[] = {-INFINITY, NAN, -5, -INFINITY, INFINITY};
    CHECK_INT(once(p, with_inf, ARRAY_LEN(with_inf)), 4);
    CHECK_INT(once(plain(1), with_inf, ARRAY_LEN(with_inf)), 4);
}

static void test_nothing_left(void) {
    const float none[] = {-INFINITY, NAN, -INFINITY};
    struct sample_params p = sample_defaults;
    CHECK_INT(once(p, none, ARRAY_LEN(none)), -1);
    p.temp = 0;
    CHECK_INT(once(p, none, ARRAY_LEN(none)), -1);
    p.top_k = 0;
    CHECK_INT(once(p, none, ARRAY_LEN(none)), -1);
    const float one[] = {-INFINITY, -1000, NAN};
    CHECK_INT(once(sample_defaults, one, ARRAY_LEN(one)), 1);
}

static void test_plain(void) {
    int counts[N_HALVES];
    count(plain(7), halves, N_HALVES, NULL, 0, counts);
    fits(counts, (const double[]){8 / 16.0, 4 / 16.0, 2 / 16.0, 1 / 16.0, 1 / 16.0}, N_HALVES);
}

static void test_temperature(void) {
    int counts[N_HALVES];
    struct sample_params p = plain(8);
    p.temp = 0.5f; // squares the odds: 64, 16, 4, 1, 1
    count(p, halves, N_HALVES, NULL, 0, counts);
    fits(counts, (const double[]){64 / 86.0, 16 / 86.0, 4 / 86.0, 1 / 86.0, 1 / 86.0}, N_HALVES);
}

static void test_top_k(void) {
    int counts[N_HALVES];
    struct sample_params p = plain(9);
    p.top_k = 4; // of the two last ones the lower id stays
    count(p, halves, N_HALVES, NULL, 0, counts);
    fits(counts, (const double[]){8 / 15.0, 4 / 15.0, 2 / 15.0, 1 / 15.0, 0}, N_HALVES);
    p.top_k = 1000;
    count(p, halves, N_HALVES, NULL, 0, counts);
    fits(counts, (const double[]){8 / 16.0, 4 / 16.0, 2 / 16.0, 1 / 16.0, 1 / 16.0}, N_HALVES);
}

static void test_top_p(void) {
    int counts[N_HALVES];
    struct sample_params p = plain(10);
    p.top_p = 0.7f; // 8/16 is not enough, 12/16 is
    count(p, halves, N_HALVES, NULL, 0, counts);
    fits(counts, (const double[]){8 / 12.0, 4 / 12.0, 0, 0, 0}, N_HALVES);
    p.top_p = 0; // one always stays
    count(p, halves, N_HALVES, NULL, 0, counts);
    fits(counts, (const double[]){1, 0, 0, 0, 0}, N_HALVES);
    p.top_p = 0.9f;
    p.min_p = 0.2f; // what min-p drops does not change what top-p keeps
    count(p, halves, N_HALVES, NULL, 0, counts);
    fits(counts, (const double[]){8 / 14.0, 4 / 14.0, 2 / 14.0, 0, 0}, N_HALVES);
}

static void test_min_p(void) {
    int counts[N_HALVES];
    struct sample_params p = plain(11);
    p.min_p = 0.2f;
    count(p, halves, N_HALVES, NULL, 0, counts);
    fits(counts, (const double[]){8 / 14.0, 4 / 14.0, 2 / 14.0, 0, 0}, N_HALVES);
    // The temperature comes after the choice of candidates: a hot one does not bring dropped ones back.
    p.temp = 100;
    count(p, halves, N_HALVES, NULL, 0, counts);
    CHECK(counts[3] == 0 && counts[4] == 0 && counts[2] > N_DRAWS / 4);
}

static void test_penalties(void) {
    int counts[3];
    const float logits[] = {1.3862944f, -0.6931472f, 0}; // 4, 1/2, 1
    const int32_t history[] = {2, 0, 1, 0, -5, 99};
    struct sample_params p = plain(12);
    p.repeat_last_n = 5; // 0 once, 1 once, and ids that no vocabulary has
    p.repeat_penalty = 2;
    count(p, logits, 3, history, ARRAY_LEN(history), counts); // 2, 1/4, 1
    fits(counts, (const double[]){2 / 3.25, 0.25 / 3.25, 1 / 3.25}, 3);
    p.repeat_penalty = 1;
    p.frequency_penalty = 0.6931472f; // halves the odds per use
    p.repeat_last_n = -1;
    count(p, logits, 3, history, ARRAY_LEN(history), counts); // 1, 1/4, 1/2
    fits(counts, (const double[]){1 / 1.75, 0.25 / 1.75, 0.5 / 1.75}, 3);
    p.frequency_penalty = 0;
    p.presence_penalty = 0.6931472f;                          // halves the odds once
    count(p, logits, 3, history, ARRAY_LEN(history), counts); // 2, 1/4, 1/2
    fits(counts, (const double[]){2 / 2.75, 0.25 / 2.75, 0.5 / 2.75}, 3);
    p.repeat_last_n = 0;
    count(p, logits, 3, history, ARRAY_LEN(history), counts);
    fits(counts, (const double[]){4 / 5.5, 0.5 / 5.5, 1 / 5.5}, 3);
}

static void test_bias(void) {
    int counts[3];
    const float logits[] = {0, 0, 5};
    const struct logit_bias bias[] = {{2, -INFINITY}, {0, 0.6931472f}, {77, 1}, {1, -1}, {1, 1}};
    struct sample_params p = plain(13);
    p.bias = bias;
    p.n_bias = ARRAY_LEN(bias);
    count(p, logits, 3, NULL, 0, counts);
    fits(counts, (const double[]){2 / 3.0, 1 / 3.0, 0}, 3);
    const int32_t ids[] = {-1, 0, 77};
    p.suppressed = &(const struct gguf_value){.type = GGUF_ARRAY,
                                              .elem = GGUF_I32,
                                              .count = ARRAY_LEN(ids),
                                              .data = (const uint8_t *)ids,
                                              .size = sizeof ids};
    count(p, logits, 3, NULL, 0, counts);
    fits(counts, (const double[]){0, 1, 0}, 3);
}

static int by_logit(const void *a, const void *b) {
    const float *const *x = a, *const *y = b;
    return **x != **y ? (**x < **y ? 1 : -1) : (*x > *y) - (*x < *y);
}

// The selections over a large vocabulary agree with sorting all of it.
static void test_selection(void) {
    enum { N = 50000, K = 40 };
    static float logits[N];
    static const float *sorted[N];
    static bool seen[N];
    uint32_t x = 1;
    for (size_t i = 0; i < N; i++) {
        x = x * 1664525 + 1013904223;
        logits[i] = (float)(x >> 24) / 64; // 256 values: many ties
        sorted[i] = &logits[i];
    }
    qsort(sorted, N, sizeof *sorted, by_logit);
    struct sample_params p = plain(14);
    p.top_k = K;
    p.temp = 1000;
    struct sampler *s = open_or_fail(&p, N);
    int different = 0;
    for (int i = 0; s && i < 2000; i++) {
        int32_t id = sampler_next(s, logits, NULL, 0);
        bool allowed = false;
        for (size_t k = 0; k < K; k++)
            allowed |= sorted[k] == &logits[id];
        if (!CHECK(allowed))
            break;
        different += !seen[id];
        seen[id] = true;
    }
    CHECK_INT(different, K);
    sampler_close(s);
}

static void test_ranges(void) {
    struct sampler *s = NULL;
    struct err e = {0};
    struct sample_params p = sample_defaults;
    p.temp = NAN;
    CHECK_FAILS(sampler_open(&s, &p, 10, &e), &e, ERR_USAGE, "range");
    p = sample_defaults;
    p.top_p = 1.5f;
    CHECK_FAILS(sampler_open(&s, &p, 10, &e), &e, ERR_USAGE, "range");
    CHECK_FAILS(sampler_open(&s, &sample_defaults, 0, &e), &e, ERR_INPUT, "vocabulary");
    sampler_close(NULL);
}

void unit_sample(void) {
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        {"the generator gives its published numbers", test_generator},
        {"greedy takes the first of the largest", test_greedy},
        {"no possible token is -1", test_nothing_left},
        {"draws follow the softmax", test_plain},
        {"temperature reshapes the odds", test_temperature},
        {"top-k keeps the lower id of equals", test_top_k},
        {"top-p keeps the shortest list that reaches it", test_top_p},
        {"min-p drops before the temperature", test_min_p},
        {"penalties count recent uses", test_penalties},
        {"bias adds and forbids", test_bias},
        {"top-k over many ties agrees with a sort", test_selection},
        {"parameters out of range are refused", test_ranges},
    };
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        test_case("sample: %s", tests[i].name);
        tests[i].run();
    }
}
