// SPDX-License-Identifier: MIT
// Reading GGUF files. The header is walked once by a cursor that never leaves the file; counts, sizes and
// offsets are believed only after they were compared with the bytes that are there, so memory taken is in proportion to
// what was already read, and work to the header's length (times a logarithm where names and offsets are sorted).
#include "gguf.h"

#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/file.h"
#include "base/names.h"
#include "base/parts.h"
#include "base/utf8.h"

#define HEADER_SIZE 24
#define MIN_KEY_SIZE 14    // length, one byte of name, type, one byte of value
#define MIN_TENSOR_SIZE 25 // length, one byte of name, no dimensions, type, offset
#define MAX_KEY_LEN 65535
#define MAX_TENSOR_NAME_LEN 63 // a limit of ggml, which the files keep to
#define DEFAULT_ALIGNMENT 32
#define MAX_PARTS 65535
#define SHOWN_PATH_LEN 200 // so that the reason still fits behind a long path
#define SHOWN_NAME_LEN 100

enum kind { UNSIGNED, SIGNED, FLOAT, BOOLEAN, OTHER };

static const struct {
    const char *name;
    uint8_t size; // bytes; 0: no fixed size
    enum kind kind;
} types[GGUF_N_TYPES] = {
    [GGUF_U8] = {"u8", 1, UNSIGNED},    [GGUF_I8] = {"i8", 1, SIGNED},      [GGUF_U16] = {"u16", 2, UNSIGNED},
    [GGUF_I16] = {"i16", 2, SIGNED},    [GGUF_U32] = {"u32", 4, UNSIGNED},  [GGUF_I32] = {"i32", 4, SIGNED},
    [GGUF_F32] = {"f32", 4, FLOAT},     [GGUF_BOOL] = {"bool", 1, BOOLEAN}, [GGUF_STR] = {"str", 0, OTHER},
    [GGUF_ARRAY] = {"array", 0, OTHER}, [GGUF_U64] = {"u64", 8, UNSIGNED},  [GGUF_I64] = {"i64", 8, SIGNED},
    [GGUF_F64] = {"f64", 8, FLOAT},
};

// Both point to names, sorted; a name is the first member of its key or tensor.
struct gguf_index {
    const struct str **keys;
    const struct str **tensors;
};

struct parser {
    struct gguf *g;
    struct cursor c;
    struct gguf_key *keys;       // [g->n_keys]
    struct gguf_tensor *tensors; // [g->n_tensors]
    // What is being read, for messages.
    const char *what;        // "key" or "tensor"; NULL: the file as a whole
    uint64_t number, begins; // counted from 1; its offset
    struct str name;         // empty while unknown
    struct err *e;
};

// A path as messages show it: its end when it is very long.
static const char *shown_path(const char *path) {
    size_t len = strlen(path);
    return len > SHOWN_PATH_LEN ? path + len - SHOWN_PATH_LEN : path;
}

static bool fail(struct parser *p, const char *format, ...) PRINTF_LIKE(2, 3);

// An error about what is being read: "FILE: key 'general.name': WHY".
static bool fail(struct parser *p, const char *format, ...) {
    char why[256], place[160] = "", name[SHOWN_NAME_LEN];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    size_t len = min_size(p->name.len, sizeof name);
    for (size_t i = 0; i < len; i++)
        name[i] = p->name.ptr[i] ? p->name.ptr[i] : '?';
    if (p->what && len > 0)
        snprintf(place, sizeof place, "%s '%.*s': ", p->what, (int)len, name);
    else if (p->what)
        snprintf(place, sizeof place, "%s %llu at offset %llu: ", p->what, (unsigned long long)p->number,
                 (unsigned long long)p->begins);
    return err_set(p->e, ERR_INPUT, "%s: %s%s", shown_path(p->g->path), place, why);
}

static bool fail_cut(struct parser *p) {
    return fail(p, "the file ends inside it, after %llu bytes: truncated?", (unsigned long long)p->c.size);
}

static bool begin(struct parser *p, const char *what, uint64_t index) {
    p->what = what;
    p->number = index + 1;
    p->begins = p->c.pos;
    p->name = (struct str){0};
    return true;
}

// Reads a name; control characters and broken UTF-8 have no place in one, and a NUL would cut it short elsewhere.
static bool read_name(struct parser *p, size_t max_len, struct str *name) {
    *name = cursor_str(&p->c, cursor_u64(&p->c));
    if (p->c.failed)
        return fail_cut(p);
    if (name->len == 0)
        return fail(p, "its name is empty");
    p->name = *name;
    if (name->len > max_len)
        return fail(p, "its name has %zu bytes, at most %zu are allowed", name->len, max_len);
    bool clean = utf8_valid_prefix(name->ptr, name->len) == name->len;
    for (size_t i = 0; clean && i < name->len; i++)
        clean = (uint8_t)name->ptr[i] >= 0x20 && name->ptr[i] != 0x7F;
    return clean || fail(p, "its name has a control character or is not UTF-8");
}

static bool skip_bools(struct parser *p, uint64_t count) {
    const uint8_t *v = cursor_take(&p->c, count);
    for (uint64_t i = 0; v && i < count; i++)
        if (v[i] > 1)
            return fail(p, "a bool is %u, expected 0 or 1", v[i]);
    return true;
}

static bool skip_array(struct parser *p, int depth, enum gguf_type *elem, uint64_t *count);

// Moves over `count` values of one type; depth counts the arrays around them.
static bool skip_values(struct parser *p, enum gguf_type type, uint64_t count, int depth) {
    uint64_t size;
    if (type == GGUF_STR) {
        cursor_skip_strs(&p->c, count);
    } else if (type == GGUF_BOOL) {
        ERR_FORWARD(skip_bools(p, count));
    } else if (type == GGUF_ARRAY) {
        enum gguf_type elem;
        uint64_t n;
        for (uint64_t i = 0; i < count; i++)
            ERR_FORWARD(skip_array(p, depth + 1, &elem, &n));
    } else {
        cursor_take(&p->c, mul_fits(count, types[type].size, &size) ? size : UINT64_MAX);
    }
    return !p->c.failed || fail_cut(p);
}

static bool read_type(struct parser *p, enum gguf_type *type) {
    uint32_t id = cursor_u32(&p->c);
    *type = (enum gguf_type)id;
    if (p->c.failed)
        return fail_cut(p);
    return id < GGUF_N_TYPES || fail(p, "value type %u is unknown, expected 0 to %d", id, GGUF_N_TYPES - 1);
}

static bool skip_array(struct parser *p, int depth, enum gguf_type *elem, uint64_t *count) {
    if (depth > GGUF_MAX_NESTING)
        return fail(p, "arrays are nested deeper than %d", GGUF_MAX_NESTING);
    ERR_FORWARD(read_type(p, elem));
    *count = cursor_u64(&p->c);
    return skip_values(p, *elem, *count, depth);
}

static bool read_value(struct parser *p, struct gguf_value *v) {
    ERR_FORWARD(read_type(p, &v->type));
    uint64_t begins = p->c.pos;
    if (v->type == GGUF_ARRAY) {
        ERR_FORWARD(skip_array(p, 1, &v->elem, &v->count));
        begins += 12; // the element type and the count
    } else {
        ERR_FORWARD(skip_values(p, v->type, 1, 0));
    }
    v->data = p->c.base + begins;
    v->size = p->c.pos - begins;
    return true;
}

// The array with room for element n, doubled when it is full (capacities are powers of two); NULL without memory.
static void *grown(void *array, uint64_t n, size_t size) {
    if (n != 0 && (n < 16 || (n & (n - 1)) != 0))
        return array;
    uint64_t bytes;
    return mul_fits(n < 16 ? 16 : n * 2, size, &bytes) && bytes <= PTRDIFF_MAX ? realloc(array, (size_t)bytes) : NULL;
}

static bool count_fits(struct parser *p, const char *what, uint64_t count, uint64_t min_size) {
    uint64_t most = (p->c.size - p->c.pos) / min_size;
    return count <= most ||
           fail(p, "it claims %llu %s, its %llu bytes have room for %llu at most: truncated?",
                (unsigned long long)count, what, (unsigned long long)p->c.size, (unsigned long long)most);
}

static bool read_keys(struct parser *p, uint64_t count) {
    ERR_FORWARD(count_fits(p, "keys", count, MIN_KEY_SIZE));
    for (uint64_t i = 0; i < count; i++) {
        struct gguf_key *grew = grown(p->keys, i, sizeof *grew);
        if (!grew)
            return err_memory(p->e, sizeof *grew * 2 * (i + 8), p->g->path);
        p->g->keys = p->keys = grew;
        struct gguf_key *k = &p->keys[i];
        *k = (struct gguf_key){0};
        begin(p, "key", i);
        ERR_FORWARD(read_name(p, MAX_KEY_LEN, &k->name));
        ERR_FORWARD(read_value(p, &k->value));
        p->g->n_keys = i + 1;
    }
    p->what = NULL;
    return true;
}

// Sorted pointers to the names of n records. The same name twice is an error.
static bool index_names(struct parser *p, const struct str ***out, const void *records, uint64_t n, size_t size,
                        const char *what) {
    const struct str **names = *out = names_sort(records, (size_t)n, size);
    if (!names)
        return err_memory(p->e, (size_t)n * sizeof *names, p->g->path);
    const struct str *twice = names_twice(names, (size_t)n);
    if (!twice)
        return true;
    p->what = what;
    p->name = *twice;
    return fail(p, "it is there twice");
}

// The specification asks for a multiple of 8; files with any other power of two are written and read all the same.
static bool read_alignment(struct parser *p) {
    const struct gguf_value *v = gguf_find(p->g, "general.alignment");
    p->g->alignment = DEFAULT_ALIGNMENT;
    if (!v)
        return true;
    p->what = "key";
    p->name = (struct str){"general.alignment", strlen("general.alignment")};
    if (v->type != GGUF_U32)
        return fail(p, "it is %s, expected u32", types[v->type].name);
    uint32_t a = (uint32_t)cursor_load(v->data, 4);
    if (a == 0 || (a & (a - 1)) != 0)
        return fail(p, "%u is not a power of two", a);
    p->g->alignment = a;
    p->what = NULL;
    return true;
}

static bool read_dims(struct parser *p, struct gguf_tensor *t) {
    t->n_dims = cursor_u32(&p->c);
    if (t->n_dims > GGUF_MAX_DIMS)
        return fail(p, "it has %u dimensions, at most %d are allowed", t->n_dims, GGUF_MAX_DIMS);
    t->n_elements = 1;
    for (uint32_t i = 0; i < GGUF_MAX_DIMS; i++) {
        t->dims[i] = i < t->n_dims ? cursor_u64(&p->c) : 1;
        if (p->c.failed)
            return fail_cut(p);
        if (t->dims[i] == 0)
            return fail(p, "dimension %u is 0", i);
        if (!mul_fits(t->n_elements, t->dims[i], &t->n_elements) || t->n_elements > INT64_MAX)
            return fail(p, "its dimensions multiply to more than 2^63 elements");
    }
    return true;
}

static bool read_format(struct parser *p, struct gguf_tensor *t) {
    uint32_t id = cursor_u32(&p->c);
    if (p->c.failed)
        return fail_cut(p);
    const char *removed = NULL;
    t->format = quant_by_id(id, &removed);
    if (removed)
        return fail(p, "format %u (%s) was removed from GGUF: the model must be converted again", id, removed);
    if (!t->format)
        return fail(p, "format %u is unknown", id);
    if (t->dims[0] % t->format->block_len != 0)
        return fail(p, "its rows have %llu elements, expected a multiple of %u for %s", (unsigned long long)t->dims[0],
                    t->format->block_len, t->format->name);
    uint64_t row_size;
    bool fits = quant_row_size(t->format, t->dims[0], &row_size);
    return (fits && mul_fits(row_size, t->n_elements / t->dims[0], &t->size)) ||
           fail(p, "its size in bytes does not fit 64 bits");
}

static bool read_tensors(struct parser *p, uint64_t count) {
    ERR_FORWARD(count_fits(p, "tensors", count, MIN_TENSOR_SIZE));
    for (uint64_t i = 0; i < count; i++) {
        struct gguf_tensor *grew = grown(p->tensors, i, sizeof *grew);
        if (!grew)
            return err_memory(p->e, sizeof *grew * 2 * (i + 8), p->g->path);
        p->g->tensors = p->tensors = grew;
        struct gguf_tensor *t = &p->tensors[i];
        *t = (struct gguf_tensor){0};
        begin(p, "tensor", i);
        ERR_FORWARD(read_name(p, MAX_TENSOR_NAME_LEN, &t->name));
        ERR_FORWARD(read_dims(p, t));
        ERR_FORWARD(read_format(p, t));
        t->offset = cursor_u64(&p->c); // from the start of the data, until place_tensor
        if (p->c.failed)
            return fail_cut(p);
        p->g->n_tensors = i + 1;
    }
    p->what = NULL;
    return true;
}

// Numbers that are read where they lie (F32 and the like) must lie on their own size; only an alignment under 8 can
// break that. The blocks of quantized formats are read byte by byte.
static bool place_tensor(struct parser *p, struct gguf_tensor *t) {
    struct gguf *g = p->g;
    uint64_t offset = t->offset, end;
    p->what = "tensor";
    p->name = t->name;
    if (offset % g->alignment != 0)
        return fail(p, "its offset %llu is not a multiple of the alignment %u", (unsigned long long)offset,
                    g->alignment);
    if (!add_fits(offset, g->data_offset, &t->offset) || !add_fits(t->offset, t->size, &end) || end > g->size)
        return fail(p, "its %llu bytes at data offset %llu lie beyond the file's %llu bytes: truncated?",
                    (unsigned long long)t->size, (unsigned long long)offset, (unsigned long long)g->size);
    if (t->format->block_len == 1 && t->offset % t->format->block_size != 0)
        return fail(p, "%s at file offset %llu is not aligned to %u bytes", t->format->name,
                    (unsigned long long)t->offset, t->format->block_size);
    t->data = g->base + t->offset;
    return true;
}

static int compare_offsets(const void *a, const void *b) {
    const struct gguf_tensor *s = *(const struct gguf_tensor *const *)a, *t = *(const struct gguf_tensor *const *)b;
    return s->offset != t->offset ? (s->offset > t->offset) - (s->offset < t->offset) : (s > t) - (s < t);
}

static bool check_overlaps(struct parser *p) {
    size_t n = (size_t)p->g->n_tensors;
    const struct gguf_tensor **sorted = malloc(max_size(n, 1) * sizeof *sorted);
    if (!sorted)
        return err_memory(p->e, n * sizeof *sorted, p->g->path);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &p->tensors[i];
    qsort(sorted, n, sizeof *sorted, compare_offsets);
    bool ok = true;
    for (size_t i = 1; ok && i < n; i++) {
        const struct gguf_tensor *a = sorted[i - 1], *b = sorted[i];
        p->name = b->name;
        ok = a->offset + a->size <= b->offset ||
             fail(p, "at file offset %llu it overlaps tensor '%.*s', which ends at %llu", (unsigned long long)b->offset,
                  (int)a->name.len, a->name.ptr, (unsigned long long)(a->offset + a->size));
    }
    free(sorted);
    return ok;
}

static bool place_tensors(struct parser *p) {
    struct gguf *g = p->g;
    uint64_t rest = p->c.pos % g->alignment;
    g->data_offset = p->c.pos + (rest ? g->alignment - rest : 0);
    if (g->n_tensors == 0 && g->data_offset > g->size)
        g->data_offset = g->size; // nothing to pad for
    for (uint64_t i = 0; i < g->n_tensors; i++)
        ERR_FORWARD(place_tensor(p, &p->tensors[i]));
    return check_overlaps(p);
}

// What is often given by mistake.
static const struct {
    size_t at;
    const char *bytes;
    const char *what;
} foreign[] = {
    {8, "{\"", "it looks like a safetensors file"},
    {0, "PK\3\4", "it looks like a zip archive or a PyTorch checkpoint"},
    {0, "lmgg", "it looks like a GGML file from before GGUF"},
    {0, "fmgg", "it looks like a GGML file from before GGUF"},
    {0, "tjgg", "it looks like a GGML file from before GGUF"},
    {0, "version https://git-lfs", "it looks like a Git LFS pointer, not the file itself"},
    {0, "<!", "it looks like a web page"},
    {0, "<html", "it looks like a web page"},
};

static bool fail_magic(struct parser *p, const uint8_t *m) {
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        size_t len = strlen(foreign[i].bytes);
        if (p->c.size >= foreign[i].at + len && memcmp(m + foreign[i].at, foreign[i].bytes, len) == 0)
            return fail(p, "not a GGUF file: %s", foreign[i].what);
    }
    return fail(p, "not a GGUF file: it begins with %02x %02x %02x %02x, expected 'GGUF'", m[0], m[1], m[2], m[3]);
}

static bool read_version(struct parser *p) {
    const uint8_t *magic = cursor_take(&p->c, 4);
    if (!magic)
        return fail(p, "not a GGUF file: it has only %llu bytes", (unsigned long long)p->c.size);
    if (memcmp(magic, "GGUF", 4) != 0)
        return fail_magic(p, magic);
    uint32_t version = p->g->version = cursor_u32(&p->c);
    if (p->c.size < HEADER_SIZE)
        return fail(p, "the header is truncated: %llu bytes, expected %d", (unsigned long long)p->c.size, HEADER_SIZE);
    if (version > 0 && version <= UINT16_MAX)
        return version == 2 || version == 3 ||
               fail(p, "GGUF version %u is not supported, expected 2 or 3%s", version,
                    version == 1 ? ": the model must be converted again" : "");
    if (version != 0 && (version & 0xFFFF) == 0)
        return fail(p, "a big-endian GGUF file (version field 0x%08x), expected little-endian", version);
    return fail(p, "GGUF version %u is not supported, expected 2 or 3", version);
}

static bool parse(struct parser *p) {
    struct gguf *g = p->g;
    ERR_FORWARD(read_version(p));
    uint64_t n_tensors = cursor_u64(&p->c), n_keys = cursor_u64(&p->c);
    ERR_FORWARD(read_keys(p, n_keys));
    ERR_FORWARD(index_names(p, &g->index->keys, g->keys, g->n_keys, sizeof *g->keys, "key"));
    ERR_FORWARD(read_alignment(p));
    ERR_FORWARD(read_tensors(p, n_tensors));
    ERR_FORWARD(index_names(p, &g->index->tensors, g->tensors, g->n_tensors, sizeof *g->tensors, "tensor"));
    return place_tensors(p);
}

bool gguf_parse(struct gguf **out, const void *bytes, size_t size, const char *name, struct err *e) {
    *out = NULL;
    struct gguf *g = calloc(1, sizeof *g);
    struct gguf_part *part = calloc(1, sizeof *part);
    if (g && part) {
        g->path = part->path = strdup(name);
        g->index = calloc(1, sizeof *g->index);
        g->parts = part;
        g->n_parts = 1;
        g->base = part->base = bytes;
        g->size = part->size = size;
    } else {
        free(part);
    }
    struct parser p = {.g = g, .c = {.base = bytes, .size = size}, .e = e};
    bool ok = g && g->path && g->index ? parse(&p) : err_memory(e, sizeof *g->index, name);
    if (!ok) {
        gguf_close(g);
        return false;
    }
    part->data_offset = g->data_offset;
    *out = g;
    return true;
}

static bool open_part(struct gguf **out, const char *path, struct err *e) {
    *out = NULL;
    struct file_map m;
    ERR_FORWARD(file_map(&m, path, e));
    if (!gguf_parse(out, m.ptr, m.size, path, e)) {
        file_unmap(&m);
        return false;
    }
    (*out)->mapped = true;
    return true;
}

// What a part says about the whole: count is 0 or 1 for a file that is whole.
struct split {
    uint32_t number, count; // number counts from 0
    uint64_t n_tensors;
};

static bool read_split(const struct gguf *g, struct split *s, struct err *e) {
    *s = (struct split){0};
    ERR_FORWARD(gguf_get_u32(g, "split.count", false, &s->count, e));
    if (s->count < 2)
        return true;
    ERR_FORWARD(gguf_get_u32(g, "split.no", true, &s->number, e) &&
                gguf_get_u64(g, "split.tensors.count", true, &s->n_tensors, e));
    ERR_IF(s->count > MAX_PARTS, e, ERR_INPUT, "%s: key 'split.count' is %u, expected at most %d", shown_path(g->path),
           s->count, MAX_PARTS);
    ERR_IF(s->number >= s->count, e, ERR_INPUT, "%s: key 'split.no' is %u, expected less than the %u parts",
           shown_path(g->path), s->number, s->count);
    return true;
}

static bool check_missing(const char *path, const struct parts_name *name, struct err *e) {
    struct buf file = {0}, missing = {0};
    unsigned n = 0;
    for (uint32_t i = 1; i <= name->count; i++)
        if (parts_path(path, name, i, &file) && access(file.ptr, F_OK) != 0 && ++n <= 8)
            buf_printf(&missing, "%s%s", n > 1 ? ", " : "",
                       file.ptr + (name->prefix_len > 100 ? name->prefix_len - 100 : 0));
    buf_char(&missing, 0);
    if (file.failed || missing.failed)
        err_memory(e, file.len, path);
    else if (n)
        err_set(e, ERR_INPUT, "%s: %u of its %u parts are missing: %s%s", shown_path(path), n, name->count, missing.ptr,
                n > 8 ? ", ..." : "");
    bool ok = !n && !file.failed && !missing.failed;
    buf_free(&file);
    buf_free(&missing);
    return ok;
}

// Opens every part but the one that is there already, and compares what they say.
static bool open_parts(struct gguf **parts, const struct gguf *g, const struct split *s, const struct parts_name *name,
                       struct err *e) {
    struct buf path = {0};
    bool ok = true;
    for (uint32_t i = 0; ok && i < s->count; i++) {
        struct split other = *s;
        if (i != s->number)
            ok = parts_path(g->path, name, i + 1, &path)
                     ? open_part(&parts[i], path.ptr, e) && read_split(parts[i], &other, e)
                     : err_memory(e, path.len, g->path);
        if (ok && (other.number != i || other.count != s->count || other.n_tensors != s->n_tensors))
            ok = err_set(e, ERR_INPUT,
                         "%s: its split keys say part %u of %u with %llu tensors, expected %u of %u with %llu",
                         shown_path(parts[i]->path), other.number + 1, other.count, (unsigned long long)other.n_tensors,
                         i + 1, s->count, (unsigned long long)s->n_tensors);
    }
    buf_free(&path);
    return ok;
}

// Moves what parts[1..n) hold into parts[0].
static bool merge(struct gguf **parts, const struct split *s, struct err *e) {
    struct gguf *g = parts[0];
    uint64_t n_tensors = 0;
    for (uint32_t i = 0; i < s->count; i++)
        n_tensors += parts[i]->n_tensors; // each fewer than the bytes of its file
    ERR_IF(n_tensors != s->n_tensors, e, ERR_INPUT, "%s: its %u parts have %llu tensors, 'split.tensors.count' is %llu",
           shown_path(g->path), s->count, (unsigned long long)n_tensors, (unsigned long long)s->n_tensors);
    struct gguf_part *all = calloc(s->count, sizeof *all);
    struct gguf_tensor *tensors = calloc(max_size((size_t)n_tensors, 1), sizeof *tensors);
    if (!all || !tensors) {
        free(all);
        free(tensors);
        return err_memory(e, (size_t)n_tensors * sizeof *tensors, g->path);
    }
    uint64_t at = 0, size = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        struct gguf *part = parts[i];
        all[i] = part->parts[0];
        size += part->size;
        for (uint64_t k = 0; k < part->n_tensors; k++, at++) {
            tensors[at] = part->tensors[k];
            tensors[at].part = i;
        }
        part->n_parts = i ? 0 : part->n_parts;
    }
    free((void *)(uintptr_t)g->tensors);
    free((void *)(uintptr_t)g->parts);
    free(g->index->tensors);
    g->tensors = tensors;
    g->n_tensors = n_tensors;
    g->parts = all;
    g->n_parts = s->count;
    g->size = size;
    struct parser p = {.g = g, .e = e};
    return index_names(&p, &g->index->tensors, tensors, n_tensors, sizeof *tensors, "tensor");
}

// Takes g, a part; *out is the whole.
static bool join(struct gguf **out, struct gguf *g, const struct split *s, struct err *e) {
    *out = NULL;
    struct parts_name name = {0};
    bool named = parts_parse(g->path, &name) && name.number == s->number + 1 && name.count == s->count;
    struct gguf **parts = calloc(s->count, sizeof *parts);
    bool ok = true;
    if (!parts) {
        err_memory(e, s->count * sizeof *parts, g->path);
        gguf_close(g);
        return false;
    }
    parts[s->number] = g;
    if (!named)
        ok = err_set(e, ERR_INPUT, "%s: it is part %u of %u, expected a name that ends in -%05u-of-%05u.gguf",
                     shown_path(g->path), s->number + 1, s->count, s->number + 1, s->count);
    ok = ok && check_missing(g->path, &name, e) && open_parts(parts, g, s, &name, e) && merge(parts, s, e);
    if (ok)
        parts[0]->path = parts[0]->parts[s->number].path; // the one that the user knows
    for (uint32_t i = ok ? 1 : 0; i < s->count; i++)
        gguf_close(parts[i]);
    *out = ok ? parts[0] : NULL;
    free(parts);
    return ok;
}

bool gguf_open(struct gguf **out, const char *path, struct err *e) {
    struct split s;
    ERR_FORWARD(open_part(out, path, e));
    if (!read_split(*out, &s, e)) {
        gguf_close(*out);
        *out = NULL;
        return false;
    }
    return s.count < 2 || join(out, *out, &s, e);
}

void gguf_close(struct gguf *g) {
    if (!g)
        return;
    for (size_t i = 0; i < g->n_parts; i++) {
        if (g->mapped)
            file_unmap(&(struct file_map){g->parts[i].base, (size_t)g->parts[i].size});
        free((void *)(uintptr_t)g->parts[i].path);
    }
    if (g->index) {
        free(g->index->keys);
        free(g->index->tensors);
    }
    free(g->index);
    free((void *)(uintptr_t)g->keys);
    free((void *)(uintptr_t)g->tensors);
    free((void *)(uintptr_t)g->parts);
    free(g);
}

const struct gguf_value *gguf_find(const struct gguf *g, const char *key) {
    const struct gguf_key *k = names_find(g->index->keys, (size_t)g->n_keys, (struct str){key, strlen(key)});
    return k ? &k->value : NULL;
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name) {
    return names_find(g->index->tensors, (size_t)g->n_tensors, (struct str){name, strlen(name)});
}

const char *gguf_type_name(enum gguf_type type) {
    return (unsigned)type < GGUF_N_TYPES ? types[type].name : "unknown";
}

// One number as 64 bits, sign-extended where the type has a sign.
static uint64_t load_integer(enum gguf_type type, const uint8_t *p) {
    uint64_t v = cursor_load(p, types[type].size);
    unsigned unused = 64 - 8u * types[type].size;
    return types[type].kind == SIGNED ? (uint64_t)((int64_t)(v << unused) >> unused) : v;
}

static double load_float(enum gguf_type type, const uint8_t *p) {
    uint64_t bits = cursor_load(p, types[type].size);
    uint32_t low = (uint32_t)bits;
    float f;
    double d;
    memcpy(&f, &low, sizeof f);
    memcpy(&d, &bits, sizeof d);
    return type == GGUF_F32 ? (double)f : d;
}

static bool fail_key(const struct gguf *g, const char *key, struct err *e, const char *found, const char *expected) {
    return err_set(e, ERR_INPUT, "%s: key '%s' is %s, expected %s", shown_path(g->path), key, found, expected);
}

// The key's value, or NULL when it is absent and may be.
static bool get_value(const struct gguf *g, const char *key, bool required, const struct gguf_value **v,
                      struct err *e) {
    *v = gguf_find(g, key);
    ERR_IF(!*v && required, e, ERR_INPUT, "%s: key '%s' is missing", shown_path(g->path), key);
    return true;
}

// The same for an integer from 0 to max; *n is it.
static bool get_integer(const struct gguf *g, const char *key, bool required, uint64_t max, const struct gguf_value **v,
                        uint64_t *n, struct err *e) {
    ERR_FORWARD(get_value(g, key, required, v, e));
    if (!*v)
        return true;
    enum gguf_type type = (*v)->type;
    if (types[type].kind != UNSIGNED && types[type].kind != SIGNED)
        return fail_key(g, key, e, types[type].name, "an integer");
    *n = load_integer(type, (*v)->data);
    if (types[type].kind == SIGNED && (int64_t)*n < 0)
        return err_set(e, ERR_INPUT, "%s: key '%s' is %lld, expected no negative number", shown_path(g->path), key,
                       (long long)*n);
    ERR_IF(*n > max, e, ERR_INPUT, "%s: key '%s' is %llu, expected at most %llu", shown_path(g->path), key,
           (unsigned long long)*n, (unsigned long long)max);
    return true;
}

bool gguf_get_u32(const struct gguf *g, const char *key, bool required, uint32_t *out, struct err *e) {
    const struct gguf_value *v;
    uint64_t n;
    ERR_FORWARD(get_integer(g, key, required, UINT32_MAX, &v, &n, e));
    if (v)
        *out = (uint32_t)n;
    return true;
}

bool gguf_get_u64(const struct gguf *g, const char *key, bool required, uint64_t *out, struct err *e) {
    const struct gguf_value *v;
    uint64_t n;
    ERR_FORWARD(get_integer(g, key, required, UINT64_MAX, &v, &n, e));
    if (v)
        *out = n;
    return true;
}

bool gguf_get_f32(const struct gguf *g, const char *key, bool required, float *out, struct err *e) {
    const struct gguf_value *v;
    ERR_FORWARD(get_value(g, key, required, &v, e));
    if (!v)
        return true;
    if (types[v->type].kind != FLOAT)
        return fail_key(g, key, e, types[v->type].name, "f32 or f64");
    double d = load_float(v->type, v->data);
    if (!(d >= -(double)FLT_MAX && d <= (double)FLT_MAX))
        return err_set(e, ERR_INPUT, "%s: key '%s' is %g, expected a finite 32-bit number", shown_path(g->path), key,
                       d);
    *out = (float)d;
    return true;
}

bool gguf_get_bool(const struct gguf *g, const char *key, bool required, bool *out, struct err *e) {
    const struct gguf_value *v;
    ERR_FORWARD(get_value(g, key, required, &v, e));
    if (v && v->type != GGUF_BOOL)
        return fail_key(g, key, e, types[v->type].name, "bool");
    if (v)
        *out = v->data[0] != 0;
    return true;
}

bool gguf_get_str(const struct gguf *g, const char *key, bool required, struct str *out, struct err *e) {
    const struct gguf_value *v;
    ERR_FORWARD(get_value(g, key, required, &v, e));
    if (v && v->type != GGUF_STR)
        return fail_key(g, key, e, types[v->type].name, "str");
    if (v)
        *out = gguf_value_str(v);
    return true;
}

bool gguf_get_array(const struct gguf *g, const char *key, bool required, enum gguf_type elem, struct gguf_value *out,
                    struct err *e) {
    const struct gguf_value *v;
    ERR_FORWARD(get_value(g, key, required, &v, e));
    if (!v)
        return true;
    if (v->type != GGUF_ARRAY || v->elem != elem)
        return err_set(e, ERR_INPUT, "%s: key '%s' is %s%s, expected array of %s", shown_path(g->path), key,
                       v->type == GGUF_ARRAY ? "array of " : "", types[v->type == GGUF_ARRAY ? v->elem : v->type].name,
                       types[elem].name);
    *out = *v;
    return true;
}

int64_t gguf_array_int(const struct gguf_value *array, uint64_t i) {
    const uint8_t *p = array->data + i * types[array->elem].size;
    if (types[array->elem].kind != FLOAT)
        return (int64_t)load_integer(array->elem, p);
    double d = load_float(array->elem, p);
    if (!(d > -0x1p63))
        return INT64_MIN;
    return d < 0x1p63 ? (int64_t)d : INT64_MAX;
}

double gguf_array_float(const struct gguf_value *array, uint64_t i) {
    const uint8_t *p = array->data + i * types[array->elem].size;
    if (types[array->elem].kind == FLOAT)
        return load_float(array->elem, p);
    uint64_t n = load_integer(array->elem, p);
    return types[array->elem].kind == SIGNED ? (double)(int64_t)n : (double)n;
}

struct str gguf_array_next_str(const struct gguf_value *array, uint64_t *at) {
    const uint8_t *p = array->data + *at;
    uint64_t len = cursor_load_u64(p);
    *at += 8 + len;
    return (struct str){(const char *)p + 8, (size_t)len};
}

struct str gguf_value_str(const struct gguf_value *v) {
    uint64_t at = 0;
    return gguf_array_next_str(v, &at);
}
