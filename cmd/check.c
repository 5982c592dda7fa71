// SPDX-License-Identifier: MIT
// `pith check`: is this file what it should be? Rows of checks, one after the other, and one verdict.
#include "cmd/cmd.h"

#include <string.h>
#include <sys/stat.h>

#include "base/cpu.h"
#include "base/json.h"
#include "cmd/check_parts.h"
#include "cmd/locate.h"
#include "cmd/out.h"
#include "cmd/signals.h"

static const struct {
    const char *name;
    bool (*run)(struct check *c, struct err *e);
} rows[] = {{"shapes", check_shapes},
            {"weights", check_weights},
            {"vocabulary", check_vocabulary},
            {"template", check_template}};

// The structure, which opening checks, is the first; its line is kept apart because without a file there are no others.
struct report {
    const struct settings *o;
    struct buf path;
    struct gguf *file;
    struct err broken; // why the file could not be opened; class ERR_NONE: it could
    struct check parts[ARRAY_LEN(rows)];
    size_t n_parts, n_findings;
};

static bool is_regular(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool run_rows(struct report *r, struct pool *pool, struct err *e) {
    bool ok = true;
    for (; ok && r->n_parts < ARRAY_LEN(rows); r->n_parts++) {
        struct check *c = &r->parts[r->n_parts];
        *c = (struct check){.o = r->o, .file = r->file, .pool = pool};
        progress_begin(&c->progress, r->o);
        ok = rows[r->n_parts].run(c, e);
        progress_end(&c->progress);
        r->n_findings += c->result == CHECK_FAILED ? c->n_findings : 0;
    }
    return ok;
}

static bool inspect(struct report *r, struct err *e) {
    const struct opt_list *words = &r->o->words;
    struct pool *pool;
    ERR_IF(words->n != 1, e, ERR_USAGE, "check: expected one file");
    ERR_FORWARD(locate_model(words->ptr[0], &r->path, e));
    signals_catch_interrupt();
    signals_name_mapping(r->path.ptr);
    if (!gguf_open(&r->file, r->path.ptr, e)) {
        r->broken = *e;
        r->n_findings = 1;
        return e->class == ERR_INPUT && is_regular(r->path.ptr);
    }
    ERR_FORWARD(pool_open(&pool, r->o->n_threads ? (unsigned)r->o->n_threads : cpu_threads(), e));
    bool ok = run_rows(r, pool, e);
    pool_close(pool);
    return ok;
}

// The message of a file that could not be opened begins with its name.
static const char *broken_text(const struct report *r) {
    const char *text = r->broken.text;
    size_t n = strlen(r->path.ptr);
    return strncmp(text, r->path.ptr, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

static void format_failure(const struct report *r, struct buf *out) {
    if (r->broken.class != ERR_NONE)
        buf_printf(out, "failed: structure: %s", broken_text(r));
    for (size_t i = 0; i < r->n_parts; i++) {
        const struct check *c = &r->parts[i];
        if (c->result != CHECK_FAILED)
            continue;
        size_t n = c->findings.ptr ? strcspn(c->findings.ptr, "\n") : 0;
        buf_printf(out, "failed: %s: %.*s", rows[i].name, (int)n, n ? c->findings.ptr : "");
        break;
    }
    if (r->n_findings > 1)
        buf_printf(out, " (and %zu more: --json)", r->n_findings - 1);
}

static void format_success(const struct report *r, struct buf *out) {
    uint64_t weights = 0;
    bool skipped = false;
    for (uint64_t i = 0; i < r->file->n_tensors; i++)
        weights += r->file->tensors[i].n_elements;
    buf_printf(out, "ok: %llu tensors, %.1f M weights", (unsigned long long)r->file->n_tensors, (double)weights * 1e-6);
    for (size_t i = 0; i < r->n_parts; i++)
        if (r->parts[i].result == CHECK_SKIPPED) {
            buf_printf(out, "%s%s", skipped ? ", " : "; not checked: ", rows[i].name);
            skipped = true;
        }
}

static void format_text(const struct report *r, struct buf *out) {
    struct err path; // makes hostile bytes printable
    err_set(&path, ERR_NONE, "%s", r->path.ptr);
    buf_printf(out, "%s: ", path.text);
    (r->n_findings ? format_failure : format_success)(r, out);
    buf_char(out, '\n');
}

static void json_text(struct json_writer *w, const char *key, const char *text) {
    json_key(w, key);
    json_str(w, (struct str){text, strlen(text)});
}

static void json_row(struct json_writer *w, const char *name, enum check_result result, size_t n, const char *lines) {
    static const char *const results[] = {"passed", "failed", "skipped"};
    json_begin(w, '{');
    json_text(w, "name", name);
    json_text(w, "result", results[result]);
    json_key(w, "findings");
    json_uint(w, n);
    json_key(w, "details");
    json_begin(w, '[');
    while (lines && *lines) {
        size_t len = strcspn(lines, "\n");
        json_str(w, (struct str){lines, len});
        lines += len + (lines[len] == '\n');
    }
    json_end(w, ']');
    json_end(w, '}');
}

static void format_json(const struct report *r, struct buf *out) {
    struct json_writer w = {.out = out};
    bool broken = r->broken.class != ERR_NONE;
    json_begin(&w, '{');
    json_text(&w, "file", r->path.ptr);
    json_key(&w, "ok");
    json_bool(&w, !r->n_findings);
    json_key(&w, "bytes");
    json_uint(&w, r->file ? r->file->size : 0);
    json_key(&w, "tensors");
    json_uint(&w, r->file ? r->file->n_tensors : 0);
    json_key(&w, "checks");
    json_begin(&w, '[');
    json_row(&w, "structure", broken ? CHECK_FAILED : CHECK_PASSED, broken, broken ? broken_text(r) : NULL);
    for (size_t i = 0; i < r->n_parts; i++)
        json_row(&w, rows[i].name, r->parts[i].result, r->parts[i].n_findings, r->parts[i].findings.ptr);
    json_end(&w, ']');
    json_end(&w, '}');
    buf_char(out, '\n');
}

bool cmd_check(const struct settings *o, struct err *e) {
    struct report r = {.o = o};
    struct buf out = {0};
    bool ok = inspect(&r, e);
    for (size_t i = 0; ok && i < r.n_parts; i++) {
        buf_char(&r.parts[i].findings, 0);
        ok = !r.parts[i].findings.failed || err_memory(e, r.parts[i].findings.len, "findings");
    }
    if (ok) {
        (o->json ? format_json : format_text)(&r, &out);
        ok = out_buf(&out, e);
    }
    if (ok && r.n_findings) {
        *e = (struct err){.class = ERR_NO}; // the verdict was said
        ok = false;
    }
    for (size_t i = 0; i < r.n_parts; i++)
        buf_free(&r.parts[i].findings);
    gguf_close(r.file);
    buf_free(&r.path);
    buf_free(&out);
    return ok;
}
