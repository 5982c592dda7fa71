// SPDX-License-Identifier: MIT
// Reading, keeping and writing importance matrices. See infer/importance.h.
#include "infer/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/file.h"
#include "base/names.h"
#include "infer/gguf_out.h"

#define SUMS ".in_sum2"
#define COUNTS ".counts"
#define SHOWN 100 // bytes of a name in a message

static bool copy_str(struct arena *a, struct str *s) {
    char *copy = arena_alloc(a, s->len, 1);
    if (!copy)
        return false;
    memcpy(copy, s->ptr, s->len);
    s->ptr = copy;
    return true;
}

// Room for element n of an array of pointers or slices.
static void *grown(void *array, size_t n, size_t *cap, size_t size) {
    if (n < *cap)
        return array;
    size_t wanted = *cap ? *cap * 2 : 64;
    void *grew = realloc(array, wanted * size);
    if (grew)
        *cap = wanted;
    return grew;
}

struct importance_entry *importance_add(struct importance *m, struct str name, uint64_t n_cols, uint64_t n_matrices) {
    struct importance_entry **grew = grown(m->entries, m->n, &m->cap, sizeof *grew);
    if (!grew)
        return NULL;
    m->entries = grew;
    struct importance_entry *entry = arena_alloc(&m->arena, 1, sizeof *entry);
    uint64_t n;
    if (!entry || !mul_fits(n_cols, n_matrices, &n) || n > SIZE_MAX)
        return NULL;
    *entry = (struct importance_entry){.name = name, .n_cols = n_cols, .n_matrices = n_matrices};
    entry->sums = arena_alloc(&m->arena, (size_t)n, sizeof *entry->sums);
    entry->counts = arena_alloc(&m->arena, (size_t)n_matrices, sizeof *entry->counts);
    if (!entry->sums || !entry->counts || !copy_str(&m->arena, &entry->name))
        return NULL;
    m->sorted = false;
    return m->entries[m->n++] = entry;
}

static int compare_entries(const void *a, const void *b) {
    const struct importance_entry *const *s = a, *const *t = b;
    return names_compare(&(*s)->name, &(*t)->name);
}

static const struct str *const *sorted(struct importance *m) {
    if (!m->sorted && m->n)
        qsort(m->entries, m->n, sizeof *m->entries, compare_entries);
    m->sorted = true;
    return (const struct str *const *)(void *)m->entries;
}

struct importance_entry *importance_find(struct importance *m, struct str name) {
    return (struct importance_entry *)(uintptr_t)names_find(sorted(m), m->n, name);
}

bool importance_add_dataset(struct importance *m, struct str name) {
    struct str *grew = grown(m->datasets, m->n_datasets, &m->datasets_cap, sizeof *grew);
    if (!grew)
        return false;
    m->datasets = grew;
    if (!copy_str(&m->arena, &name))
        return false;
    m->datasets[m->n_datasets++] = name;
    return true;
}

void importance_free(struct importance *m) {
    free(m->entries);
    free(m->datasets);
    arena_free(&m->arena);
    *m = (struct importance){0};
}

void importance_means(const struct importance_entry *entry, float *out) {
    for (uint64_t m = 0; m < entry->n_matrices; m++)
        for (uint64_t i = m * entry->n_cols; i < (m + 1) * entry->n_cols; i++)
            out[i] = entry->counts[m] > 0 ? (float)(entry->sums[i] / entry->counts[m]) : 1.0f;
}

struct reader {
    struct importance *m;
    const char *path;
    struct err *e;
};

static bool fail(const struct reader *r, struct str name, const char *why) {
    return err_set(r->e, ERR_INPUT, "%s: tensor '%.*s': %s", r->path, (int)min_size(name.len, SHOWN), name.ptr, why);
}

// Sums of squares and counts are neither negative nor endless.
static bool take_numbers(const struct reader *r, struct str name, const uint8_t *from, uint64_t n, double *to) {
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)cursor_load(from + 4 * i, 4);
        float x;
        memcpy(&x, &bits, sizeof x);
        if (!(x >= 0 && x <= 3.4e38f))
            return fail(r, name, "it holds a value that is negative or not finite");
        to[i] = (double)x;
    }
    return true;
}

static bool has_suffix(struct str name, const char *suffix, struct str *base) {
    size_t n = strlen(suffix);
    if (name.len <= n || memcmp(name.ptr + name.len - n, suffix, n) != 0)
        return false;
    *base = (struct str){name.ptr, name.len - n};
    return true;
}

// The tensor of counts that belongs to a tensor of sums.
static const struct gguf_tensor *find_counts(const struct gguf *g, struct str base) {
    char name[128];
    if (base.len + sizeof COUNTS > sizeof name)
        return NULL;
    memcpy(name, base.ptr, base.len);
    memcpy(name + base.len, COUNTS, sizeof COUNTS);
    return gguf_find_tensor(g, name);
}

static bool read_entry(const struct reader *r, const struct gguf *g, const struct gguf_tensor *sums, struct str base) {
    const struct gguf_tensor *counts = find_counts(g, base);
    if (!counts)
        return fail(r, sums->name, "there is no tensor of counts for it");
    if (sums->format->index != QUANT_f32 || counts->format->index != QUANT_f32)
        return fail(r, sums->name, "it or its counts are not F32");
    uint64_t n_matrices = counts->n_elements, n_cols = sums->n_elements / n_matrices;
    if (n_cols * n_matrices != sums->n_elements)
        return fail(r, sums->name, "its size does not divide by its counts");
    struct importance_entry *entry = importance_add(r->m, base, n_cols, n_matrices);
    if (!entry)
        return err_memory(r->e, (size_t)sums->size * 2, r->path);
    return take_numbers(r, sums->name, sums->data, sums->n_elements, entry->sums) &&
           take_numbers(r, counts->name, counts->data, n_matrices, entry->counts);
}

static bool read_datasets(const struct reader *r, const struct gguf *g) {
    struct gguf_value names = {0};
    uint64_t at = 0;
    ERR_FORWARD(gguf_get_array(g, "imatrix.datasets", false, GGUF_STR, &names, r->e));
    for (uint64_t i = 0; i < names.count; i++)
        if (!importance_add_dataset(r->m, gguf_array_next_str(&names, &at)))
            return err_memory(r->e, (size_t)names.size, r->path);
    return true;
}

static bool read_gguf(const struct reader *r, const struct gguf *g) {
    struct str base;
    ERR_FORWARD(read_datasets(r, g) && gguf_get_u64(g, "imatrix.chunk_count", false, &r->m->n_chunks, r->e) &&
                gguf_get_u32(g, "imatrix.chunk_size", false, &r->m->chunk_size, r->e));
    for (uint64_t i = 0; i < g->n_tensors; i++)
        if (has_suffix(g->tensors[i].name, SUMS, &base))
            ERR_FORWARD(read_entry(r, g, &g->tensors[i], base));
    ERR_IF(!r->m->n, r->e, ERR_INPUT, "%s: no importance matrix: it has no tensors NAME" SUMS, r->path);
    return true;
}

static bool fail_cut(const struct reader *r, const struct cursor *c) {
    return err_set(r->e, ERR_INPUT,
                   "%s: neither a GGUF file nor an importance matrix of the older form: it is cut at %llu", r->path,
                   (unsigned long long)c->pos);
}

static int32_t read_i32(struct cursor *c) {
    return (int32_t)cursor_u32(c);
}

// int32 length, name, int32 windows, int32 columns, float[columns]: means times windows.
static bool read_old_entry(const struct reader *r, struct cursor *c) {
    int32_t len = read_i32(c);
    struct str name = cursor_str(c, len > 0 ? (uint64_t)len : UINT64_MAX);
    int32_t calls = read_i32(c), n = read_i32(c);
    const uint8_t *values = cursor_take(c, n > 0 ? (uint64_t)n * 4 : UINT64_MAX);
    if (!values)
        return fail_cut(r, c);
    struct importance_entry *entry = importance_add(r->m, name, (uint64_t)n, 1);
    if (!entry)
        return err_memory(r->e, (size_t)n * 8, r->path);
    entry->counts[0] = calls > 0 ? calls : 1;
    return take_numbers(r, name, values, (uint64_t)n, entry->sums);
}

// The older form: int32 number of entries, the entries, and from some time on the windows and the name of the text.
static bool read_old(const struct reader *r, struct cursor *c) {
    int32_t n = read_i32(c);
    r->m->legacy = true;
    if (n < 1)
        return fail_cut(r, c);
    for (int32_t i = 0; i < n; i++)
        ERR_FORWARD(read_old_entry(r, c));
    const struct str *twice = names_twice(sorted(r->m), r->m->n);
    if (twice)
        return fail(r, *twice, "it is there twice");
    int32_t chunks = read_i32(c), len = read_i32(c);
    r->m->n_chunks = chunks > 0 ? (uint64_t)chunks : 0;
    struct str dataset = cursor_str(c, len > 0 ? (uint64_t)len : 0);
    if (dataset.len && !importance_add_dataset(r->m, dataset))
        return err_memory(r->e, dataset.len, r->path);
    return true;
}

bool importance_parse(struct importance *m, const void *bytes, size_t size, const char *name, struct err *e) {
    struct reader r = {m, name, e};
    struct cursor c = {.base = bytes, .size = size};
    struct gguf *g = NULL;
    bool ok;
    *m = (struct importance){0};
    if (size >= 4 && memcmp(bytes, "GGUF", 4) == 0)
        ok = gguf_parse(&g, bytes, size, name, e) && read_gguf(&r, g);
    else
        ok = read_old(&r, &c);
    gguf_close(g);
    if (!ok)
        importance_free(m);
    return ok;
}

bool importance_read(struct importance *m, const char *path, struct err *e) {
    struct file_map map;
    ERR_FORWARD(file_map(&map, path, e));
    bool ok = importance_parse(m, map.ptr, map.size, path, e);
    file_unmap(&map);
    return ok;
}

static bool put_floats(struct gguf_out *o, const double *values, uint64_t n, struct err *e) {
    float buffer[256];
    for (uint64_t i = 0; i < n;) {
        size_t part = min_size((size_t)(n - i), ARRAY_LEN(buffer));
        for (size_t k = 0; k < part; k++)
            buffer[k] = (float)values[i + k];
        ERR_FORWARD(gguf_out_data(o, buffer, part * sizeof *buffer, e));
        i += part;
    }
    return true;
}

static bool announce(struct gguf_out *o, const struct importance_entry *entry, const char *suffix, uint64_t n_cols,
                     struct err *e) {
    struct buf name = {0};
    buf_append(&name, entry->name.ptr, entry->name.len);
    buf_str(&name, suffix);
    size_t index;
    const struct quant_format *f32 = quant_all(&index) + QUANT_f32;
    const uint64_t dims[] = {n_cols, entry->n_matrices};
    bool ok = name.failed ? err_memory(e, name.len, "names")
                          : gguf_out_tensor(o, (struct str){name.ptr, name.len}, f32, 2, dims, e);
    buf_free(&name);
    return ok;
}

static bool write_parts(const struct importance *m, struct gguf_out *o, struct err *e) {
    gguf_out_str(o, "general.type", (struct str){"imatrix", strlen("imatrix")});
    gguf_out_strs(o, "imatrix.datasets", m->datasets, m->n_datasets);
    gguf_out_u32(o, "imatrix.chunk_count", m->n_chunks < UINT32_MAX ? (uint32_t)m->n_chunks : UINT32_MAX);
    gguf_out_u32(o, "imatrix.chunk_size", m->chunk_size);
    for (size_t i = 0; i < m->n; i++)
        ERR_FORWARD(announce(o, m->entries[i], SUMS, m->entries[i]->n_cols, e) &&
                    announce(o, m->entries[i], COUNTS, 1, e));
    ERR_FORWARD(gguf_out_begin(o, e));
    for (size_t i = 0; i < m->n; i++) {
        const struct importance_entry *entry = m->entries[i];
        ERR_FORWARD(put_floats(o, entry->sums, entry->n_cols * entry->n_matrices, e) &&
                    put_floats(o, entry->counts, entry->n_matrices, e));
    }
    return gguf_out_end(o, e);
}

bool importance_write(struct importance *m, const char *path, struct err *e) {
    struct gguf_out *o;
    sorted(m);
    ERR_FORWARD(gguf_out_open(&o, path, 32, e));
    bool ok = write_parts(m, o, e);
    gguf_out_close(o);
    return ok;
}
