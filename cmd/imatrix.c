// SPDX-License-Identifier: MIT
// `pith imatrix`: the model reads texts while an observer of its matrix products adds up the squares of their inputs. A
// product's weights are known by where they lie in the mapped file.
#include "cmd/cmd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/load.h"
#include "cmd/out.h"
#include "cmd/progress.h"
#include "cmd/signals.h"
#include "cmd/windows.h"
#include "infer/importance.h"

#define SHOWN 100 // bytes of a name in a message

// A tensor by the place of its data.
struct place {
    const void *data;
    const struct gguf_tensor *tensor;
    struct importance_entry *entry; // NULL until a product uses it
};

struct job {
    const struct settings *o;
    struct engine *en;
    struct session *session;
    struct importance sums;
    struct place *places; // [n_tensors], sorted by data
    double *squares;      // [widest row]
    bool failed;          // an entry found no memory, or does not fit the file that is added to
    struct err why;
    struct progress progress;
    size_t done, n_ids; // of this text
    size_t context, n_windows;
};

static int compare_places(const void *a, const void *b) {
    const struct place *s = a, *t = b;
    return (s->data > t->data) - (s->data < t->data);
}

static bool fail_entry(struct job *j, const struct gguf_tensor *t, const struct importance_entry *entry) {
    j->failed = true;
    if (!entry)
        return err_memory(&j->why, (size_t)t->dims[0] * sizeof(double), "the sums");
    return err_set(&j->why, ERR_INPUT,
                   "%s: tensor '%.*s': it has %llu values, the model's rows have %llu; --fresh starts anew",
                   j->o->output, (int)min_size(t->name.len, SHOWN), t->name.ptr,
                   (unsigned long long)(entry->n_cols * entry->n_matrices), (unsigned long long)t->dims[0]);
}

// The entry of a weight, made when it is first seen; NULL for what is no tensor of the file, or is one only in part.
static struct importance_entry *entry_of(struct job *j, const struct weight *w) {
    const struct place key = {.data = w->data};
    struct place *p = bsearch(&key, j->places, (size_t)j->en->file->n_tensors, sizeof *p, compare_places);
    if (!p || p->entry || j->failed)
        return p ? p->entry : NULL;
    p->entry = importance_find(&j->sums, p->tensor->name);
    if (!p->entry)
        p->entry = importance_add(&j->sums, p->tensor->name, w->cols, 1);
    if (!p->entry || p->entry->n_cols != w->cols || p->entry->n_matrices != 1) {
        fail_entry(j, p->tensor, p->entry);
        p->entry = NULL;
    }
    return p->entry;
}

static void observe(void *observer, const struct tape_op *op) {
    struct job *j = observer;
    const struct tape_matmul *m = &op->matmul;
    size_t cols = m->w[0]->cols;
    memset(j->squares, 0, cols * sizeof *j->squares);
    for (uint32_t row = 0; row < op->rows; row++) {
        const float *x = m->x + row * cols;
        for (size_t i = 0; i < cols; i++)
            j->squares[i] += (double)x[i] * (double)x[i];
    }
    for (uint32_t k = 0; k < m->n; k++) {
        struct importance_entry *entry = entry_of(j, m->w[k]);
        for (size_t i = 0; entry && i < cols; i++)
            entry->sums[i] += j->squares[i];
        if (entry)
            entry->counts[0] += op->rows;
    }
}

static bool take_row(void *user, size_t position, const float *logits, struct err *e) {
    (void)user, (void)position, (void)logits, (void)e;
    return true;
}

static bool read_window(void *user, const struct ids *window, struct err *e) {
    struct job *j = user;
    session_rewind(j->session, 0);
    ERR_FORWARD(session_eval_all(j->session, window->ptr, window->len, 0, take_row, NULL, e));
    if (j->failed) {
        *e = j->why;
        return false;
    }
    j->n_windows++;
    j->done += window->len;
    progress_tell(&j->progress, "reading the text", j->done, j->n_ids);
    return true;
}

static bool read_text(struct job *j, const char *path, struct err *e) {
    struct buf text = {0};
    struct ids ids = {0};
    bool ok = file_read(path, &text, e) &&
              tok_encode(j->en->tok, &(struct tok_input){.text = text.ptr, .len = text.len}, &ids, e);
    j->done = 0;
    j->n_ids = ids.len;
    ok = ok && windows_each(j->en->tok, &ids, j->context, read_window, j, e);
    if (ok && !importance_add_dataset(&j->sums, (struct str){path, strlen(path)}))
        ok = err_memory(e, strlen(path), path);
    ids_free(&ids);
    buf_free(&text);
    return ok;
}

// What was collected before: sums of the older form are of means of windows, and become sums of tokens.
static bool read_before(struct job *j, struct err *e) {
    if (j->o->fresh || access(j->o->output, F_OK) != 0)
        return true;
    ERR_FORWARD(importance_read(&j->sums, j->o->output, e));
    uint64_t size = j->sums.chunk_size ? j->sums.chunk_size : j->context;
    for (size_t k = 0; j->sums.legacy && k < j->sums.n; k++) {
        struct importance_entry *entry = j->sums.entries[k];
        for (uint64_t i = 0; i < entry->n_cols * entry->n_matrices; i++)
            entry->sums[i] *= (double)j->context;
        for (uint64_t i = 0; i < entry->n_matrices; i++)
            entry->counts[i] *= (double)j->context;
    }
    j->sums.n_chunks = j->sums.n_chunks * size / j->context; // in windows of today
    return true;
}

static bool find_places(struct job *j, struct err *e) {
    const struct gguf *g = j->en->file;
    size_t n = (size_t)g->n_tensors;
    j->places = calloc(max_size(n, 1), sizeof *j->places);
    j->squares = calloc(model_needs(j->en->model)->limits.max_cols, sizeof *j->squares);
    if (!j->places || !j->squares)
        return err_memory(e, n * sizeof *j->places, "the sums");
    for (size_t i = 0; i < n; i++)
        j->places[i] = (struct place){g->tensors[i].data, &g->tensors[i], NULL};
    qsort(j->places, n, sizeof *j->places, compare_places);
    return true;
}

static bool open_session(struct job *j, struct err *e) {
    struct session_params p = load_params(j->o, j->context);
    p.observe = observe;
    p.observer = j;
    return session_open(&j->session, j->en, &p, e);
}

static bool collect(struct job *j, struct err *e) {
    const struct settings *o = j->o;
    ERR_IF(!o->output, e, ERR_USAGE, "imatrix: no file to write: expected -o FILE");
    ERR_IF(!o->words.n, e, ERR_USAGE, "imatrix: expected at least one text file");
    j->context = o->context ? (size_t)o->context : WINDOW_LEN;
    ERR_FORWARD(load_named_engine(o, &j->en, e) && read_before(j, e) && find_places(j, e) && open_session(j, e));
    signals_catch_interrupt();
    progress_begin(&j->progress, o);
    bool ok = true;
    for (size_t i = 0; ok && i < o->words.n; i++)
        ok = read_text(j, o->words.ptr[i], e);
    progress_end(&j->progress);
    ERR_FORWARD(ok);
    ERR_IF(!j->n_windows, e, ERR_INPUT, "imatrix: the texts are empty");
    j->sums.n_chunks += j->n_windows;
    j->sums.chunk_size = (uint32_t)j->context;
    return importance_write(&j->sums, o->output, e);
}

bool cmd_imatrix(const struct settings *o, struct err *e) {
    struct job j = {.o = o};
    bool ok = collect(&j, e);
    session_close(j.session);
    engine_close(j.en);
    importance_free(&j.sums);
    free(j.places);
    free(j.squares);
    return ok;
}
