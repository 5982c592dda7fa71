// SPDX-License-Identifier: MIT
// Sampling (docs/DESIGN.md, sampling): a table of stages over a list of candidates that always stands in ascending
// order of ids. A stage changes logits or drops candidates; the draw walks what is left. Probabilities that decide who
// stays (top-p, min-p) are those at temperature 1 among the candidates of top-k; the temperature then only reshapes the
// odds between the survivors. Sums are taken in double in the order of the list and exponentials are pith's own, so
// every machine draws the same ids. One draw consumes one number of the generator, whatever the number of candidates.
#include "infer/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

const struct sample_params sample_defaults = {
    .temp = 0.8f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f, .repeat_penalty = 1, .repeat_last_n = 64};

struct candidate {
    int32_t id;
    float logit;
    float weight; // e^(logit - largest): proportional to the probability, 1 for the likeliest
};

struct sampler {
    struct sample_params p;
    size_t n_vocab;
    uint64_t state[4];
    float *logits;          // [n_vocab]: after bias and penalties
    uint32_t *uses;         // [n_vocab]: how often an id is recent; all zero between calls
    struct candidate *list; // [n_vocab]: the candidates, ids ascending
    uint32_t *heap;         // [n_vocab]: ids, for the selections
    size_t n;               // candidates
    const int32_t *history;
    size_t n_history;
};

// The generator: xoshiro256** (Blackman, Vigna 2018), its state filled by splitmix64 from the seed.
static uint64_t splitmix64(uint64_t *x) {
    uint64_t z = (*x += 0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, int k) {
    return x << k | x >> (64 - k);
}

static uint64_t next_random(uint64_t s[4]) {
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

// Of two different ids the likelier one; the lower one between equals.
static bool likelier(const struct sampler *s, uint32_t a, uint32_t b) {
    float x = s->logits[a], y = s->logits[b];
    return x > y || (x == y && a < b);
}

static void add_bias(struct sampler *s, int64_t id, float value) {
    if (id >= 0 && (uint64_t)id < s->n_vocab)
        s->logits[id] += value;
}

static void stage_bias(struct sampler *s) {
    for (size_t i = 0; i < s->p.n_bias; i++)
        add_bias(s, s->p.bias[i].id, s->p.bias[i].value);
    for (uint64_t i = 0; s->p.suppressed && i < s->p.suppressed->count; i++)
        add_bias(s, gguf_array_int(s->p.suppressed, i), -INFINITY);
}

static void penalize(const struct sample_params *p, float *logit, uint32_t uses) {
    *logit = *logit > 0 ? *logit / p->repeat_penalty : *logit * p->repeat_penalty;
    *logit -= (float)uses * p->frequency_penalty + p->presence_penalty;
}

// Counts the recent ids, then changes each of their logits once.
static void stage_penalties(struct sampler *s) {
    const struct sample_params *p = &s->p;
    if (p->repeat_penalty == 1 && p->frequency_penalty == 0 && p->presence_penalty == 0)
        return;
    size_t n = s->n_history;
    if (p->repeat_last_n >= 0)
        n = min_size(n, (size_t)p->repeat_last_n);
    const int32_t *recent = s->history + (s->n_history - n);
    for (size_t i = 0; i < n; i++)
        if (recent[i] >= 0 && (size_t)recent[i] < s->n_vocab)
            s->uses[recent[i]]++;
    for (size_t i = 0; i < n; i++) {
        if (recent[i] < 0 || (size_t)recent[i] >= s->n_vocab || !s->uses[recent[i]])
            continue;
        penalize(p, &s->logits[recent[i]], s->uses[recent[i]]);
        s->uses[recent[i]] = 0;
    }
}

// Every id whose logit is a number above -inf.
static void list_all(struct sampler *s) {
    s->n = 0;
    for (size_t i = 0; i < s->n_vocab; i++)
        if (s->logits[i] > -INFINITY)
            s->list[s->n++] = (struct candidate){(int32_t)i, s->logits[i], 0};
}

// Restores the heap of ids below `at`: its root is the likeliest id, or the least likely one.
static void sink(struct sampler *s, size_t n, size_t at, bool likeliest) {
    uint32_t *heap = s->heap;
    for (;;) {
        size_t top = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++)
            if (likelier(s, heap[child], heap[top]) == likeliest)
                top = child;
        if (top == at)
            return;
        uint32_t moved = heap[at];
        heap[at] = heap[top];
        heap[top] = moved;
        at = top;
    }
}

static void make_heap(struct sampler *s, size_t n, bool likeliest) {
    for (size_t at = n / 2; at-- > 0;)
        sink(s, n, at, likeliest);
}

static int compare_ids(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

// True when one of the next SCAN logits is above the least kept one. A loop without branches that compilers vectorise.
#define SCAN 64
static bool any_above(const float *logits, float least) {
    int above = 0;
    for (size_t i = 0; i < SCAN; i++)
        above |= logits[i] > least;
    return above != 0;
}

// The k likeliest ids by one pass with a heap of k: an id that comes later loses against an equal logit, so one
// comparison with the least one kept decides nearly always.
static void list_best(struct sampler *s, size_t k) {
    const float *logits = s->logits;
    size_t n = 0, i = 0;
    for (; i < s->n_vocab && n < k; i++)
        if (logits[i] > -INFINITY)
            s->heap[n++] = (uint32_t)i;
    make_heap(s, n, false);
    while (i < s->n_vocab) {
        if (s->n_vocab - i >= SCAN && !any_above(logits + i, logits[s->heap[0]])) {
            i += SCAN;
            continue;
        }
        for (size_t end = min_size(i + SCAN, s->n_vocab); i < end; i++)
            if (logits[i] > logits[s->heap[0]]) {
                s->heap[0] = (uint32_t)i;
                sink(s, n, 0, false);
            }
    }
    qsort(s->heap, n, sizeof *s->heap, compare_ids);
    for (size_t j = 0; j < n; j++)
        s->list[j] = (struct candidate){(int32_t)s->heap[j], logits[s->heap[j]], 0};
    s->n = n;
}

// Greedy keeps one candidate, and the later stages have nothing to choose from.
static void stage_top_k(struct sampler *s) {
    size_t k = s->p.temp == 0 ? 1 : s->p.top_k > 0 ? (size_t)s->p.top_k : s->n_vocab;
    if (k < s->n_vocab)
        list_best(s, k);
    else
        list_all(s);
}

static float largest(const struct sampler *s) {
    float max = -INFINITY;
    for (size_t i = 0; i < s->n; i++)
        max = s->list[i].logit > max ? s->list[i].logit : max;
    return max;
}

// An infinite logit leaves weight to its equals only.
static float weight_of(float logit, float max, float temp) {
    return logit == max ? 1.0f : num_exp((logit - max) / temp);
}

static void weigh(struct sampler *s, float temp) {
    float max = largest(s);
    for (size_t i = 0; i < s->n; i++)
        s->list[i].weight = weight_of(s->list[i].logit, max, temp);
}

// Without top-p and min-p nobody looks at these weights before the temperature replaces them.
static void stage_softmax(struct sampler *s) {
    if (s->p.top_p < 1 || s->p.min_p > 0 || s->p.temp == 1)
        weigh(s, 1);
}

static double total_weight(const struct sampler *s) {
    double sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += (double)s->list[i].weight;
    return sum;
}

// Keeps the candidates whose ids are in ids[0..n).
static void keep_ids(struct sampler *s, uint32_t *ids, size_t n) {
    qsort(ids, n, sizeof *ids, compare_ids);
    size_t kept = 0;
    for (size_t i = 0; i < s->n && kept < n; i++)
        if ((uint32_t)s->list[i].id == ids[kept])
            s->list[kept++] = s->list[i];
    s->n = kept;
}

// Takes the likeliest off a heap until their weights reach top_p of the whole. What min-p is going to drop comes last
// in that order and cannot matter, so it does not enter the heap: without top-k that is the difference between a few
// hundred candidates and the whole vocabulary.
static void stage_top_p(struct sampler *s) {
    if (s->p.top_p >= 1 || s->n == 0)
        return;
    double goal = (double)s->p.top_p * total_weight(s), sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->list[i].weight >= s->p.min_p)
            s->heap[n++] = (uint32_t)s->list[i].id;
    make_heap(s, n, true);
    size_t all = n;
    float max = s->logits[s->heap[0]];
    do {
        uint32_t taken = s->heap[0];
        sum += (double)weight_of(s->logits[taken], max, 1);
        s->heap[0] = s->heap[--n];
        s->heap[n] = taken; // what was taken stands behind the heap
        sink(s, n, 0, true);
    } while (n && sum < goal);
    keep_ids(s, s->heap + n, all - n);
}

static void stage_min_p(struct sampler *s) {
    if (s->p.min_p == 0)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->list[i].weight >= s->p.min_p)
            s->list[kept++] = s->list[i];
    s->n = kept;
}

static void stage_temperature(struct sampler *s) {
    if (s->p.temp != 1 && s->p.temp != 0)
        weigh(s, s->p.temp);
}

// In order of application.
static void (*const stages[])(struct sampler *s) = {
    stage_bias, stage_penalties, stage_top_k, stage_softmax, stage_top_p, stage_min_p, stage_temperature,
};

// A point in [0, total) and the candidate whose stretch it falls into. Rounding may leave the point at the very end.
static int32_t draw(struct sampler *s) {
    if (s->p.temp == 0)
        return s->n ? s->list[0].id : -1;
    double point = (double)(next_random(s->state) >> 11) * 0x1p-53 * total_weight(s), sum = 0;
    int32_t id = -1;
    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i].weight > 0)
            id = s->list[i].id;
        sum += (double)s->list[i].weight;
        if (point < sum)
            break;
    }
    return id;
}

int32_t sampler_next(struct sampler *s, const float *logits, const int32_t *history, size_t n_history) {
    memcpy(s->logits, logits, s->n_vocab * sizeof *logits);
    s->history = history;
    s->n_history = n_history;
    for (size_t i = 0; i < ARRAY_LEN(stages); i++)
        stages[i](s);
    return draw(s);
}

static bool in_range(const struct sample_params *p) {
    return p->temp >= 0 && p->top_p >= 0 && p->top_p <= 1 && p->min_p >= 0 && p->min_p <= 1 && p->repeat_penalty > 0 &&
           p->repeat_last_n >= -1 && isfinite(p->temp) && isfinite(p->repeat_penalty) &&
           isfinite(p->frequency_penalty) && isfinite(p->presence_penalty);
}

bool sampler_open(struct sampler **out, const struct sample_params *p, size_t n_vocab, struct err *e) {
    *out = NULL;
    ERR_IF(!in_range(p), e, ERR_USAGE, "sampling: a parameter is out of range");
    ERR_IF(n_vocab == 0 || n_vocab > INT32_MAX, e, ERR_INPUT, "sampling: a vocabulary of %zu ids", n_vocab);
    struct sampler *s = calloc(1, sizeof *s);
    if (!s)
        return err_memory(e, sizeof *s, "sampling");
    s->logits = malloc(n_vocab * sizeof *s->logits);
    s->uses = calloc(n_vocab, sizeof *s->uses);
    s->list = malloc(n_vocab * sizeof *s->list);
    s->heap = malloc(n_vocab * sizeof *s->heap);
    if (!s->logits || !s->uses || !s->list || !s->heap) {
        sampler_close(s);
        return err_memory(e, n_vocab * sizeof *s->list, "sampling");
    }
    s->p = *p;
    s->n_vocab = n_vocab;
    uint64_t seed = p->seed;
    for (size_t i = 0; i < ARRAY_LEN(s->state); i++)
        s->state[i] = splitmix64(&seed);
    *out = s;
    return true;
}

void sampler_close(struct sampler *s) {
    if (!s)
        return;
    free(s->logits);
    free(s->uses);
    free(s->list);
    free(s->heap);
    free(s);
}
