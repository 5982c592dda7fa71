// SPDX-License-Identifier: MIT
// Converting tensors. The unit of work is a row where the target is quantized, because an encoder may look at a whole
// row, and a run of elements where it is a plain float format, because a row may be as long as the file.
#include "cmd/convert.h"

#include <stdlib.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/pool.h"

#define SLICE_SIZE ((size_t)8 << 20) // bytes of result held at once, when a row is not longer
#define RUN_LEN ((size_t)64 << 10)   // elements; a multiple of every block
#define MAX_ROW_LEN ((size_t)16 << 20)
#define SHOWN 100 // bytes of a name in a message

struct convert {
    struct pool *pool;
    unsigned features; // of the processor
    uint8_t *slice;    // [slice_size]
    size_t slice_size;
    float *scratch;     // [threads][unit]: decoded
    size_t scratch_len; // elements, of all threads
    float *means;       // [means_len]: the importance of this tensor
    size_t means_len;
};

bool convert_open(struct convert **out, unsigned n_threads, struct err *e) {
    struct convert *c = *out = calloc(1, sizeof *c);
    if (!c)
        return err_memory(e, sizeof *c, "the converter");
    c->features = cpu_features();
    if (pool_open(&c->pool, n_threads ? n_threads : cpu_threads(), e))
        return true;
    convert_close(c);
    *out = NULL;
    return false;
}

void convert_close(struct convert *c) {
    if (!c)
        return;
    pool_close(c->pool);
    free(c->slice);
    free(c->scratch);
    free(c->means);
    free(c);
}

// A slice of units, while the threads work on it.
struct slice {
    struct convert *c;
    const struct convert_job *job;
    size_t unit_len;         // elements
    uint64_t first, count;   // units
    const float *importance; // [matrices][cols] or [cols]; NULL
    size_t importance_len;
    struct bad {
        uint64_t unit; // UINT64_MAX: none
        size_t index;
        float value;
    } * bad; // [threads]
};

static size_t bytes_of(const struct quant_format *f, uint64_t n) {
    return (size_t)(n / f->block_len * f->block_size);
}

// Elements of a unit: the last run may be shorter.
static size_t unit_elements(const struct slice *s, uint64_t unit) {
    uint64_t rest = s->job->tensor->n_elements - unit * s->unit_len;
    return rest < s->unit_len ? (size_t)rest : s->unit_len;
}

static const float *unit_importance(const struct slice *s, uint64_t row) {
    const struct gguf_tensor *t = s->job->tensor;
    if (!s->importance || s->importance_len == t->dims[0])
        return s->importance;
    return s->importance + row / t->dims[1] * t->dims[0];
}

static void convert_unit(void *user, size_t i, unsigned thread) {
    struct slice *s = user;
    const struct convert_job *job = s->job;
    float *x = s->c->scratch + thread * s->unit_len;
    struct bad *bad = &s->bad[thread];
    if (bad->unit != UINT64_MAX)
        return;
    uint64_t unit = s->first + i;
    size_t n = unit_elements(s, unit), index = 0;
    const char *from = (const char *)job->tensor->data + bytes_of(job->tensor->format, unit * s->unit_len);
    quant_decode(job->tensor->format, from, x, n);
    if (!quant_encode_for(s->c->features, job->to, x, unit_importance(s, unit), n,
                          s->c->slice + i * bytes_of(job->to, s->unit_len), &index))
        *bad = (struct bad){unit, index, x[index]};
}

static bool report_bad(const struct slice *s, struct err *e) {
    const struct gguf_tensor *t = s->job->tensor;
    const struct bad *first = &s->bad[0];
    for (unsigned i = 1; i < pool_size(s->c->pool); i++)
        first = s->bad[i].unit < first->unit ? &s->bad[i] : first;
    if (first->unit == UINT64_MAX)
        return true;
    uint64_t element = first->unit * s->unit_len + first->index;
    return err_set(e, ERR_INPUT, "%s: tensor '%.*s': row %llu: element %llu is %g, which %s cannot hold", s->job->path,
                   (int)min_size(t->name.len, SHOWN), t->name.ptr, (unsigned long long)(element / t->dims[0]),
                   (unsigned long long)(element % t->dims[0]), (double)first->value, s->job->to->name);
}

static bool grow(void *at, size_t *have, size_t wanted, size_t size) {
    void **array = at;
    if (wanted <= *have)
        return true;
    uint64_t bytes;
    free(*array);
    *have = 0;
    *array = mul_fits(wanted, size, &bytes) && bytes <= PTRDIFF_MAX ? malloc((size_t)bytes) : NULL;
    if (*array)
        *have = wanted;
    return *array != NULL;
}

static bool copy_tensor(const struct gguf_tensor *t, convert_sink *sink, void *user, struct err *e) {
    for (uint64_t at = 0; at < t->size;) {
        size_t n = min_size(SLICE_SIZE, (size_t)(t->size - at));
        ERR_FORWARD(sink(user, (const char *)t->data + at, n, e));
        file_release((const char *)t->data + at, n);
        at += n;
    }
    return true;
}

// What the matrix knows of the tensor: a value for each column, or for each column of each of stacked matrices.
static bool take_importance(struct slice *s, struct err *e) {
    const struct importance_entry *entry = s->job->importance;
    const struct gguf_tensor *t = s->job->tensor;
    if (!entry || s->job->to->block_len == 1)
        return true;
    uint64_t n = entry->n_cols * entry->n_matrices;
    ERR_IF(n != t->dims[0] && n != t->dims[0] * t->dims[2] * t->dims[3], e, ERR_INPUT,
           "%s: tensor '%.*s': its rows have %llu elements, the importance matrix has %llu values for it", s->job->path,
           (int)min_size(t->name.len, SHOWN), t->name.ptr, (unsigned long long)t->dims[0], (unsigned long long)n);
    if (!grow(&s->c->means, &s->c->means_len, (size_t)n, sizeof *s->c->means))
        return err_memory(e, (size_t)n * sizeof *s->c->means, "importance");
    importance_means(entry, s->c->means);
    s->importance = s->c->means;
    s->importance_len = (size_t)n;
    return true;
}

static bool convert_slices(struct slice *s, convert_sink *sink, void *user, struct err *e) {
    const struct gguf_tensor *t = s->job->tensor;
    unsigned threads = pool_size(s->c->pool);
    size_t unit_size = bytes_of(s->job->to, s->unit_len), most = max_size(SLICE_SIZE / unit_size, 1);
    uint64_t units = (t->n_elements - 1) / s->unit_len + 1;
    if (!grow(&s->c->slice, &s->c->slice_size, most * unit_size, 1) ||
        !grow(&s->c->scratch, &s->c->scratch_len, threads * s->unit_len, sizeof *s->c->scratch))
        return err_memory(e, most * unit_size + threads * s->unit_len * sizeof *s->c->scratch, "a slice");
    for (s->first = 0; s->first < units; s->first += s->count) {
        s->count = units - s->first < most ? units - s->first : most;
        for (unsigned i = 0; i < threads; i++)
            s->bad[i].unit = UINT64_MAX;
        pool_each(s->c->pool, (size_t)s->count, convert_unit, s);
        ERR_FORWARD(report_bad(s, e));
        uint64_t from = s->first * s->unit_len, end = (s->first + s->count - 1) * s->unit_len;
        end += unit_elements(s, s->first + s->count - 1);
        ERR_FORWARD(sink(user, s->c->slice, bytes_of(s->job->to, end - from), e));
        file_release((const char *)t->data + bytes_of(t->format, from), bytes_of(t->format, end - from));
    }
    return true;
}

bool convert_tensor(struct convert *c, const struct convert_job *job, convert_sink *sink, void *user, struct err *e) {
    const struct gguf_tensor *t = job->tensor;
    if (t->format == job->to)
        return copy_tensor(t, sink, user, e);
    bool rows = job->to->block_len > 1;
    ERR_IF(rows && t->dims[0] > MAX_ROW_LEN, e, ERR_INPUT,
           "%s: tensor '%.*s': its rows have %llu elements, at most %zu are allowed", job->path,
           (int)min_size(t->name.len, SHOWN), t->name.ptr, (unsigned long long)t->dims[0], MAX_ROW_LEN);
    struct slice s = {.c = c, .job = job, .unit_len = rows ? (size_t)t->dims[0] : RUN_LEN};
    s.bad = calloc(pool_size(c->pool), sizeof *s.bad);
    if (!s.bad)
        return err_memory(e, pool_size(c->pool) * sizeof *s.bad, "threads");
    bool ok = take_importance(&s, e) && convert_slices(&s, sink, user, e);
    free(s.bad);
    return ok;
}
