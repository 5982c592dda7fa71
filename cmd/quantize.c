// SPDX-License-Identifier: MIT
// `pith quantize`: a file with its tensors in other formats. What each tensor becomes is decided first (cmd/mix.h), so
// sizes are known and --dry-run can tell them; then the header is written and the tensors pass through, slice by slice.
#include "cmd/cmd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/convert.h"
#include "cmd/locate.h"
#include "cmd/mix.h"
#include "cmd/out.h"
#include "cmd/progress.h"
#include "cmd/signals.h"
#include "infer/gguf_out.h"

#define SHOWN 100              // bytes of a name in a message
#define QUANTIZATION_VERSION 2 // of the formats' layouts, in all files of today

struct job {
    const struct settings *o;
    const char *to; // the file to write
    struct buf from;
    struct gguf *in;
    struct mix mix;
    struct mix_wish *wishes; // [n_wishes]
    size_t n_wishes;
    const struct quant_format **formats; // [in->n_tensors]
    struct importance importance;
    struct gguf_out *out;
    struct progress progress;
    uint64_t bytes, bytes_out, done; // of tensors
};

static bool fail_type(const char *type, struct err *e) {
    struct buf names = {0};
    for (const char *const *name = mix_names(); *name; name++)
        buf_printf(&names, "%s%s", names.len ? " " : "", *name);
    buf_char(&names, 0);
    err_set(e, ERR_USAGE, "quantize: %.60s: no such type; expected one of %s", type, names.failed ? "" : names.ptr);
    buf_free(&names);
    return false;
}

// REGEX=TYPE; the expression may hold = itself.
static bool read_wish(const char *text, struct mix_wish *wish, struct err *e) {
    const char *mark = strrchr(text, '=');
    ERR_IF(!mark || mark == text, e, ERR_USAGE, "--tensor %s: expected REGEX=TYPE", text);
    wish->format = quant_by_name(mark + 1);
    ERR_IF(!wish->format || !quant_can_encode(wish->format), e, ERR_USAGE, "--tensor %s: %s: no such format", text,
           mark + 1);
    char *expression = strndup(text, (size_t)(mark - text)), why[128];
    if (!expression)
        return err_memory(e, strlen(text), "--tensor");
    int error = regcomp(&wish->regex, expression, REG_EXTENDED | REG_NOSUB);
    free(expression);
    if (!error)
        return true;
    regerror(error, &wish->regex, why, sizeof why);
    return err_set(e, ERR_USAGE, "--tensor %s: not a regular expression: %s", text, why);
}

static bool read_wishes(struct job *j, struct err *e) {
    const struct opt_list *list = &j->o->tensor_types;
    j->wishes = calloc(max_size(list->n, 1), sizeof *j->wishes);
    if (!j->wishes)
        return err_memory(e, list->n * sizeof *j->wishes, "--tensor");
    for (; j->n_wishes < list->n; j->n_wishes++)
        ERR_FORWARD(read_wish(list->ptr[j->n_wishes], &j->wishes[j->n_wishes], e));
    return true;
}

static bool read_words(struct job *j, struct err *e) {
    const struct opt_list *words = &j->o->words;
    ERR_IF(words->n != 3, e, ERR_USAGE, "quantize: expected IN OUT TYPE, three words; got %zu", words->n);
    j->to = words->ptr[1];
    if (!mix_by_name(words->ptr[2], j->o->pure, &j->mix))
        return fail_type(words->ptr[2], e);
    return read_wishes(j, e) && locate_model(words->ptr[0], &j->from, e);
}

// Writing over a part of the file that is being read would destroy it.
static bool check_apart(const struct job *j, struct err *e) {
    struct stat to, from;
    if (stat(j->to, &to) != 0)
        return true;
    for (size_t i = 0; i < j->in->n_parts; i++)
        ERR_IF(stat(j->in->parts[i].path, &from) == 0 && from.st_dev == to.st_dev && from.st_ino == to.st_ino, e,
               ERR_USAGE, "quantize: %s: is the input too; expected another file to write", j->to);
    return true;
}

static bool check_readable(const struct job *j, struct err *e) {
    for (uint64_t i = 0; i < j->in->n_tensors; i++) {
        const struct gguf_tensor *t = &j->in->tensors[i];
        ERR_IF(j->formats[i] != t->format && !quant_can_encode(j->formats[i]), e, ERR_USAGE,
               "quantize: tensor '%.*s' would be %s, which cannot be written", (int)min_size(t->name.len, SHOWN),
               t->name.ptr, j->formats[i]->name);
    }
    return true;
}

static bool plan(struct job *j, struct err *e) {
    bool matrix = j->o->imatrix != NULL;
    j->formats = calloc(max_size((size_t)j->in->n_tensors, 1), sizeof *j->formats);
    if (!j->formats)
        return err_memory(e, (size_t)j->in->n_tensors * sizeof *j->formats, j->in->path);
    ERR_FORWARD(mix_choose(&j->mix, j->in, matrix, j->wishes, j->n_wishes, j->formats, e) && check_readable(j, e));
    for (size_t i = 0; i < j->n_wishes; i++)
        if (!j->wishes[i].used)
            cmd_warn(j->o, "--tensor %s: no tensor that is quantized has such a name", j->o->tensor_types.ptr[i]);
    size_t known = 0;
    for (uint64_t i = 0; i < j->in->n_tensors; i++) {
        const struct gguf_tensor *t = &j->in->tensors[i];
        j->bytes += t->size;
        j->bytes_out += t->n_elements / j->formats[i]->block_len * j->formats[i]->block_size;
        known += matrix && j->formats[i] != t->format && importance_find(&j->importance, t->name);
    }
    if (matrix && !known)
        cmd_warn(j->o, "%s: no tensor of %s is in it", j->o->imatrix, j->in->path);
    return true;
}

static void format_plan(const struct job *j, struct buf *out) {
    uint64_t elements = 0;
    for (uint64_t i = 0; i < j->in->n_tensors; i++) {
        const struct gguf_tensor *t = &j->in->tensors[i];
        const struct quant_format *to = j->formats[i];
        struct err name; // makes hostile bytes printable
        err_set(&name, ERR_NONE, "%.*s", (int)min_size(t->name.len, SHOWN), t->name.ptr);
        buf_printf(out, "%-40s %-8s %-8s %12llu %12llu\n", name.text, t->format->name, to->name,
                   (unsigned long long)t->size, (unsigned long long)(t->n_elements / to->block_len * to->block_size));
        elements += t->n_elements;
    }
    buf_printf(out, "%-40s %-8s %-8s %12llu %12llu bytes, %.2f bits a weight\n", "total", "", j->mix.name,
               (unsigned long long)j->bytes, (unsigned long long)j->bytes_out,
               elements ? 8 * (double)j->bytes_out / (double)elements : 0.0);
}

// True for keys that are written anew, or no longer true.
static bool is_replaced(const struct job *j, struct str key) {
    static const struct {
        const char *name;
        bool with_matrix;
    } keys[] = {
        {"general.file_type", false},
        {"general.quantization_version", false},
        {"split.no", false},
        {"split.count", false},
        {"split.tensors.count", false},
        {"quantize.imatrix.file", true},
        {"quantize.imatrix.dataset", true},
        {"quantize.imatrix.entries_count", true},
        {"quantize.imatrix.chunks_count", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (key.len == strlen(keys[i].name) && memcmp(key.ptr, keys[i].name, key.len) == 0)
            return !keys[i].with_matrix || j->o->imatrix;
    return false;
}

static uint32_t to_u32(uint64_t n) {
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static bool write_header(struct job *j, struct err *e) {
    const struct gguf *g = j->in;
    const struct importance *m = &j->importance;
    for (uint64_t i = 0; i < g->n_keys; i++)
        if (!is_replaced(j, g->keys[i].name))
            gguf_out_value(j->out, g->keys[i].name, &g->keys[i].value);
    gguf_out_u32(j->out, "general.quantization_version", QUANTIZATION_VERSION);
    gguf_out_u32(j->out, "general.file_type", j->mix.file_type);
    if (j->o->imatrix) {
        gguf_out_str(j->out, "quantize.imatrix.file", (struct str){j->o->imatrix, strlen(j->o->imatrix)});
        if (m->n_datasets)
            gguf_out_str(j->out, "quantize.imatrix.dataset", m->datasets[0]);
        gguf_out_u32(j->out, "quantize.imatrix.entries_count", to_u32(m->n));
        gguf_out_u32(j->out, "quantize.imatrix.chunks_count", to_u32(m->n_chunks));
    }
    for (uint64_t i = 0; i < g->n_tensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        ERR_FORWARD(gguf_out_tensor(j->out, t->name, j->formats[i], t->n_dims, t->dims, e));
    }
    return gguf_out_begin(j->out, e);
}

static bool write_bytes(void *user, const void *bytes, size_t n, struct err *e) {
    struct job *j = user;
    ERR_IF(signals_interrupted, e, ERR_INTERRUPT, "interrupted");
    j->done += n;
    progress_tell(&j->progress, "quantizing", j->done, j->bytes_out);
    return gguf_out_data(j->out, bytes, n, e);
}

static bool write_tensors(struct job *j, struct convert *c, struct err *e) {
    for (uint64_t i = 0; i < j->in->n_tensors; i++) {
        const struct gguf_tensor *t = &j->in->tensors[i];
        struct convert_job job = {j->in->path, t, j->formats[i], importance_find(&j->importance, t->name)};
        ERR_FORWARD(convert_tensor(c, &job, write_bytes, j, e));
        if (j->o->verbose)
            cmd_note("%.*s: %s to %s", (int)min_size(t->name.len, SHOWN), t->name.ptr, t->format->name,
                     j->formats[i]->name);
    }
    return gguf_out_end(j->out, e);
}

static bool write_file(struct job *j, struct err *e) {
    struct convert *c;
    signals_catch_interrupt();
    ERR_FORWARD(convert_open(&c, (unsigned)j->o->n_threads, e));
    progress_begin(&j->progress, j->o);
    bool ok = gguf_out_open(&j->out, j->to, j->in->alignment, e) && write_header(j, e) && write_tensors(j, c, e);
    progress_end(&j->progress);
    convert_close(c);
    return ok;
}

static bool quantize(struct job *j, struct err *e) {
    ERR_FORWARD(read_words(j, e));
    signals_name_mapping(j->from.ptr);
    ERR_FORWARD(gguf_open(&j->in, j->from.ptr, e) && check_apart(j, e));
    if (j->o->imatrix)
        ERR_FORWARD(importance_read(&j->importance, j->o->imatrix, e));
    ERR_FORWARD(plan(j, e));
    if (!j->o->dry_run)
        return write_file(j, e);
    struct buf out = {0};
    format_plan(j, &out);
    bool ok = out_buf(&out, e);
    buf_free(&out);
    return ok;
}

bool cmd_quantize(const struct settings *o, struct err *e) {
    struct job j = {.o = o};
    bool ok = quantize(&j, e);
    gguf_out_close(j.out);
    importance_free(&j.importance);
    for (size_t i = 0; i < j.n_wishes; i++)
        regfree(&j.wishes[i].regex);
    free(j.wishes);
    free(j.formats);
    gguf_close(j.in);
    buf_free(&j.from);
    return ok;
}
