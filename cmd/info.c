// SPDX-License-Identifier: MIT
// `pith info`: what a file is, from its header and vocabulary alone, so it works on files without tensors and of
// unknown architectures. Facts are gathered once into a struct; text and JSON only differ in how they say them.
#include "cmd/cmd.h"

#include <string.h>

#include "base/json.h"
#include "cmd/arch_keys.h"
#include "cmd/info_machine.h"
#include "cmd/info_supported.h"
#include "cmd/locate.h"
#include "cmd/out.h"
#include "cmd/signals.h"
#include "models/model.h"
#include "text/dialog.h"
#include "text/forms.h"

struct facts {
    const struct settings *o;
    struct buf path;
    struct gguf *file;
    struct tokenizer *tok;
    struct str arch, name;
    const struct form *form;      // that the vocabulary suggests, or NULL
    bool supported;               // the architecture has a row
    uint64_t parameters, weights; // elements and bytes of all tensors
    uint64_t context, layers, embedding, heads, kv_heads, feed_forward;
    uint64_t kv_per_token; // bytes with an F16 cache; 0: unknown
    struct info_machine machine;
    size_t n_formats;
    const struct quant_format *formats;
    uint64_t *of_format; // [n_formats]: tensors of each
};

static bool is_supported(struct str arch) {
    for (const char *const *name = model_archs(); *name; name++)
        if (strlen(*name) == arch.len && memcmp(*name, arch.ptr, arch.len) == 0)
            return true;
    return false;
}

static bool count_tensors(struct facts *f, uint64_t *of_format, struct err *e) {
    f->of_format = of_format;
    if (!of_format)
        return err_memory(e, f->n_formats * sizeof *of_format, "info");
    for (uint64_t i = 0; i < f->file->n_tensors; i++) {
        const struct gguf_tensor *t = &f->file->tensors[i];
        f->parameters += t->n_elements;
        f->weights += t->size;
        for (size_t k = 0; k < f->n_formats; k++)
            of_format[k] += f->formats[k].id == t->format->id;
    }
    return true;
}

// Keys and values of one token in every layer, two bytes a number; grouped heads as the file says. Metadata is not to
// be trusted: sizes beyond reason give 0.
static uint64_t kv_bytes(const struct facts *f) {
    uint64_t head = f->heads ? f->embedding / f->heads : 0;
    uint64_t k = arch_number(f->file, "attention.key_length", head),
             v = arch_number(f->file, "attention.value_length", head);
    uint64_t width, bytes;
    if (k > UINT32_MAX || v > UINT32_MAX || !mul_fits(f->kv_heads, 2 * (k + v), &width) ||
        !mul_fits(width, f->layers, &bytes))
        return 0;
    return bytes;
}

static bool gather(struct facts *f, struct arena *arena, struct err *e) {
    const struct gguf *g = f->file;
    f->arch = arch_name(g);
    f->supported = is_supported(f->arch);
    struct err ignored;
    gguf_get_str(g, "general.name", false, &f->name, &ignored);
    f->context = arch_number(g, "context_length", 0);
    f->layers = arch_number(g, "block_count", 0);
    f->embedding = arch_number(g, "embedding_length", 0);
    f->heads = arch_number(g, "attention.head_count", 0);
    f->kv_heads = arch_number(g, "attention.head_count_kv", f->heads);
    f->feed_forward = arch_number(g, "feed_forward_length", 0);
    f->kv_per_token = kv_bytes(f);
    f->machine = info_machine(g);
    f->form = form_suggest(f->tok);
    f->formats = quant_all(&f->n_formats);
    return count_tensors(f, arena_alloc(arena, f->n_formats, sizeof *f->of_format), e);
}

static void text_line(struct buf *out, const char *label, struct str value, const char *otherwise) {
    struct err line; // makes hostile bytes printable
    err_set(&line, ERR_NONE, "%.*s", (int)min_size(value.len, 300), value.len ? value.ptr : "");
    buf_printf(out, "%-13s %s\n", label, value.len ? line.text : otherwise);
}

static void number_line(struct buf *out, const char *label, uint64_t n) {
    if (n)
        buf_printf(out, "%-13s %llu\n", label, (unsigned long long)n);
}

static void text_tensors(const struct facts *f, struct buf *out) {
    for (uint64_t i = 0; i < f->file->n_tensors; i++) {
        const struct gguf_tensor *t = &f->file->tensors[i];
        struct err line;
        err_set(&line, ERR_NONE, "%.*s", (int)min_size(t->name.len, 300), t->name.ptr);
        buf_printf(out, "  %-40s %-8s", line.text, t->format->name);
        for (uint32_t d = 0; d < t->n_dims; d++)
            buf_printf(out, "%s%llu", d ? " x " : " ", (unsigned long long)t->dims[d]);
        buf_char(out, '\n');
    }
}

static void text_memory(const struct facts *f, struct buf *out) {
    buf_printf(out, "%-13s %.1f MB mapped", "memory", (double)f->weights * 1e-6);
    if (f->kv_per_token)
        buf_printf(out, ", %.1f KB a token of context (F16)", (double)f->kv_per_token * 1e-3);
    if (f->kv_per_token && f->context)
        buf_printf(out, ", %.1f MB for all of it", (double)f->kv_per_token * (double)f->context * 1e-6);
    buf_char(out, '\n');
}

// What will happen here before it does.
static void text_machine(const struct facts *f, struct buf *out) {
    const struct info_machine *m = &f->machine;
    if (m->experts)
        buf_printf(out, "%-13s %llu of %llu for each token\n", "experts", (unsigned long long)m->used,
                   (unsigned long long)m->experts);
    buf_printf(out, "%-13s %.1f MB of weights\n", "a token reads", (double)m->read * 1e-6);
    buf_printf(out, "%-13s %.1f MB free", "this machine", (double)m->free * 1e-6);
    if (m->context)
        buf_printf(out, ", %.1f MB needed with a context of %llu", (double)(f->weights + m->context) * 1e-6,
                   (unsigned long long)m->n_ctx);
    buf_printf(out, "%s\n", m->fits ? "" : ": weights will be read from the file as they are used, slowly");
}

static void text_vocabulary(const struct facts *f, struct buf *out) {
    struct str kind = tok_kind(f->tok), pre = tok_pre(f->tok);
    if (tok_n_vocab(f->tok))
        buf_printf(out, "%-13s %.*s%s%.*s, %zu ids\n", "vocabulary", (int)min_size(kind.len, 64), kind.ptr,
                   pre.len ? "/" : "", (int)min_size(pre.len, 64), pre.len ? pre.ptr : "", tok_n_vocab(f->tok));
    else
        text_line(out, "vocabulary", kind, "none");
}

static void text_template(const struct facts *f, struct buf *out) {
    bool has = chat_template(f->file).len > 0;
    buf_printf(out, "%-13s %s", "chat template", has ? "yes" : "none");
    if (!has && f->form)
        buf_printf(out, "; the vocabulary looks like --template %s", f->form->name);
    buf_char(out, '\n');
}

static void format_text(const struct facts *f, struct buf *out) {
    text_line(out, "file", (struct str){f->path.ptr, f->path.len - 1}, "");
    buf_printf(out, "%-13s %llu bytes, GGUF version %u\n", "size", (unsigned long long)f->file->size, f->file->version);
    text_line(out, "name", f->name, "-");
    text_line(out, "architecture", f->arch, "none");
    if (!f->supported)
        buf_printf(out, "%-13s this program does not run this architecture\n", "");
    buf_printf(out, "%-13s %.1f M\n", "parameters", (double)f->parameters * 1e-6);
    number_line(out, "context", f->context);
    number_line(out, "layers", f->layers);
    number_line(out, "embedding", f->embedding);
    number_line(out, "heads", f->heads);
    number_line(out, "KV heads", f->kv_heads);
    number_line(out, "feed forward", f->feed_forward);
    buf_printf(out, "%-13s %llu:", "tensors", (unsigned long long)f->file->n_tensors);
    for (size_t k = 0; k < f->n_formats; k++)
        if (f->of_format[k])
            buf_printf(out, " %llu %s", (unsigned long long)f->of_format[k], f->formats[k].name);
    buf_char(out, '\n');
    text_vocabulary(f, out);
    text_template(f, out);
    text_memory(f, out);
    text_machine(f, out);
    if (f->o->tensors)
        text_tensors(f, out);
}

static void json_tensors(const struct facts *f, struct json_writer *w) {
    json_key(w, "tensors");
    json_begin(w, '[');
    for (uint64_t i = 0; i < f->file->n_tensors; i++) {
        const struct gguf_tensor *t = &f->file->tensors[i];
        json_begin(w, '{');
        json_key(w, "name");
        json_str(w, t->name);
        json_key(w, "type");
        json_str(w, (struct str){t->format->name, strlen(t->format->name)});
        json_key(w, "dims");
        json_begin(w, '[');
        for (uint32_t d = 0; d < t->n_dims; d++)
            json_uint(w, t->dims[d]);
        json_end(w, ']');
        json_key(w, "offset");
        json_uint(w, t->offset);
        json_key(w, "bytes");
        json_uint(w, t->size);
        json_end(w, '}');
    }
    json_end(w, ']');
}

static void json_formats(const struct facts *f, struct json_writer *w) {
    json_key(w, "formats");
    json_begin(w, '{');
    for (size_t k = 0; k < f->n_formats; k++)
        if (f->of_format[k]) {
            json_key(w, f->formats[k].name);
            json_uint(w, f->of_format[k]);
        }
    json_end(w, '}');
}

static void json_tokenizer(const struct facts *f, struct json_writer *w) {
    json_key(w, "tokenizer");
    json_begin(w, '{');
    json_key(w, "kind");
    json_str(w, tok_kind(f->tok));
    json_key(w, "pre");
    json_str(w, tok_pre(f->tok));
    json_key(w, "ids");
    json_uint(w, tok_n_vocab(f->tok));
    json_key(w, "bos");
    json_int(w, tok_bos(f->tok));
    json_key(w, "eos");
    json_int(w, tok_eos(f->tok));
    json_key(w, "add_bos");
    json_bool(w, tok_adds_bos(f->tok));
    json_end(w, '}');
}

static void json_numbers(const struct facts *f, struct json_writer *w) {
    const struct {
        const char *key;
        uint64_t n;
    } rows[] = {{"bytes", f->file->size},
                {"version", f->file->version},
                {"parameters", f->parameters},
                {"n_tensors", f->file->n_tensors},
                {"weight_bytes", f->weights},
                {"context", f->context},
                {"layers", f->layers},
                {"embedding", f->embedding},
                {"heads", f->heads},
                {"kv_heads", f->kv_heads},
                {"feed_forward", f->feed_forward},
                {"kv_bytes_per_token", f->kv_per_token}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_key(w, rows[i].key);
        json_uint(w, rows[i].n);
    }
}

static void json_machine(const struct facts *f, struct json_writer *w) {
    const struct info_machine *m = &f->machine;
    const struct {
        const char *key;
        uint64_t n;
    } rows[] = {{"experts", m->experts},           {"experts_used", m->used},
                {"read_bytes_per_token", m->read}, {"needed_bytes", m->context ? f->weights + m->context : 0},
                {"needed_context", m->n_ctx},      {"free_bytes", m->free}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_key(w, rows[i].key);
        json_uint(w, rows[i].n);
    }
    json_key(w, "fits_memory");
    json_bool(w, m->fits);
}

static void format_json(const struct facts *f, struct buf *out) {
    struct json_writer w = {.out = out};
    json_begin(&w, '{');
    json_key(&w, "file");
    json_str(&w, (struct str){f->path.ptr, f->path.len - 1});
    json_key(&w, "name");
    json_str(&w, f->name);
    json_key(&w, "architecture");
    json_str(&w, f->arch);
    json_key(&w, "supported");
    json_bool(&w, f->supported);
    json_numbers(f, &w);
    json_machine(f, &w);
    json_formats(f, &w);
    json_tokenizer(f, &w);
    json_key(&w, "chat_template");
    json_bool(&w, chat_template(f->file).len > 0);
    json_key(&w, "template_form");
    if (f->form)
        json_str(&w, (struct str){f->form->name, strlen(f->form->name)});
    else
        json_null(&w);
    if (f->o->tensors)
        json_tensors(f, &w);
    json_end(&w, '}');
    buf_char(out, '\n');
}

static bool open_file(struct facts *f, struct err *e) {
    const struct opt_list *words = &f->o->words;
    ERR_IF(words->n > 1, e, ERR_USAGE, "info: %s: expected one model", words->ptr[1]);
    ERR_IF(words->n && f->o->model, e, ERR_USAGE, "info: %s: the model is already named by --model", words->ptr[0]);
    ERR_FORWARD(locate_model(words->n ? words->ptr[0] : f->o->model, &f->path, e));
    signals_name_mapping(f->path.ptr);
    return gguf_open(&f->file, f->path.ptr, e) && tok_open(&f->tok, f->file, e);
}

bool cmd_info(const struct settings *o, struct err *e) {
    struct facts f = {.o = o};
    struct arena arena = {0};
    struct buf out = {0};
    bool ok = true;
    if (o->supported) {
        info_supported(&out, o->json);
    } else {
        ok = open_file(&f, e) && gather(&f, &arena, e);
        if (ok)
            (o->json ? format_json : format_text)(&f, &out);
    }
    ok = ok && out_buf(&out, e);
    tok_close(f.tok);
    gguf_close(f.file);
    arena_free(&arena);
    buf_free(&f.path);
    buf_free(&out);
    return ok;
}
