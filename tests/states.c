// SPDX-License-Identifier: MIT
// What sessions keep of the past, of any kind of model: states MODEL... For each: going on behind a save and a load, a
// fork or a rewind gives the same bits as evaluating once; damaged and forged files are one line and change nothing.
// tests/conform/states.py names the models.
#include "infer/session.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/file.h"
#include "base/sum.h"
#include "infer/session_file.h"

#define N_IDS 600
#define HEADER 64

struct fixture {
    const char *name;
    char path[600]; // of the states
    struct engine *en;
    int32_t ids[N_IDS];
    size_t n, n_vocab; // ids that are used
    size_t n_more;     // a larger context
    float *want;       // [n][n_vocab], evaluated in one go
};

static struct session *open_session(const struct fixture *f, size_t n_ctx) {
    const struct session_params p = {.n_ctx = (uint32_t)n_ctx};
    struct session *s = NULL;
    struct err e;
    CHECK_CALL(session_open(&s, f->en, &p, &e), &e);
    return s;
}

static bool keep_row(void *user, size_t position, const float *logits, struct err *e) {
    struct fixture *f = user;
    (void)e;
    memcpy(f->want + position * f->n_vocab, logits, f->n_vocab * sizeof *logits);
    return true;
}

static bool same_logits(const struct fixture *f, const struct session *s, size_t n) {
    return memcmp(f->want + (n - 1) * f->n_vocab, session_logits(s), f->n_vocab * sizeof(float)) == 0;
}

// The history becomes the first n ids; its logits must be those of the whole.
static void sync_to(const struct fixture *f, struct session *s, size_t n) {
    struct err e;
    if (CHECK_CALL(session_sync(s, f->ids, n, &e), &e))
        CHECK_MSG(same_logits(f, s, n), "other logits behind %zu ids", n);
}

static size_t history_len(const struct session *s) {
    size_t n;
    session_history(s, &n);
    return n;
}

// A prompt, then an answer token by token.
static void talk(const struct fixture *f, struct session *s, size_t prompt, size_t n) {
    sync_to(f, s, prompt);
    for (size_t i = prompt + 1; i <= n; i++)
        sync_to(f, s, i);
}

// Loads a file of n ids into a session for n_ctx and goes on to the end, then back and forth.
static void go_on(const struct fixture *f, size_t n_ctx, size_t n) {
    struct session *s = open_session(f, n_ctx);
    struct err e;
    bool stretches = gguf_find_tensor(f->en->file, "rope_factors_long.weight") != NULL; // in long contexts
    if (s && CHECK_CALL(session_load(s, f->path, &e), &e))
        CHECK_MSG(history_len(s) == n || (stretches && !history_len(s)), "%zu ids of %zu", history_len(s), n);
    if (s && history_len(s)) {
        sync_to(f, s, n);
        sync_to(f, s, n + 1);
        sync_to(f, s, n_ctx < f->n ? n_ctx : f->n);
        sync_to(f, s, n - 1);
        sync_to(f, s, n / 2);
    }
    session_close(s);
}

static void check_load(const struct fixture *f) {
    struct session *s = open_session(f, f->n);
    const size_t half = f->n / 2, n = half + 7;
    struct err e;
    test_case("states: %s: save, load and go on", f->name);
    if (s) {
        talk(f, s, half, n);
        if (CHECK_CALL(session_save(s, f->path, &e), &e)) {
            go_on(f, f->n, n);
            go_on(f, f->n_more, n);
            go_on(f, n + 1, n);
        }
        sync_to(f, s, f->n);
        sync_to(f, s, half);
        test_case("states: %s: a state saved behind a rewind", f->name);
        if (CHECK_CALL(session_save(s, f->path, &e), &e)) {
            go_on(f, f->n_more, half);
            go_on(f, half + 1, half);
        }
    }
    session_close(s);
}

// A state that is longer than the context gives what fits, and the rest is evaluated.
static void check_cut(const struct fixture *f) {
    struct session *s = open_session(f, f->n), *small = open_session(f, f->n / 2);
    struct err e;
    test_case("states: %s: a smaller context takes what fits", f->name);
    if (s && small) {
        sync_to(f, s, f->n);
        if (CHECK_CALL(session_save(s, f->path, &e) && session_load(small, f->path, &e), &e))
            CHECK(history_len(small) <= f->n / 2);
        sync_to(f, small, f->n / 2);
    }
    session_close(s);
    session_close(small);
}

static void check_fork(struct fixture *f) {
    struct session *s = open_session(f, f->n), *other = NULL;
    const size_t half = f->n / 2;
    int32_t kept = f->ids[half];
    struct err e;
    test_case("states: %s: fork and diverge", f->name);
    if (s) {
        talk(f, s, half - 2, half);
        if (CHECK_CALL(session_fork(&other, s, &e), &e)) {
            sync_to(f, other, half);
            f->ids[half] = (kept + 1) % (int32_t)f->n_vocab;
            CHECK_CALL(session_sync(other, f->ids, f->n, &e), &e);
            f->ids[half] = kept;
            sync_to(f, s, half + 1);
            sync_to(f, s, f->n);
            sync_to(f, other, f->n);
        }
    }
    session_close(s);
    session_close(other);
}

// Back to the end of the prompt and to places between costs no bits.
static void check_rewinds(const struct fixture *f) {
    struct session *s = open_session(f, f->n);
    test_case("states: %s: going back and on", f->name);
    if (s) {
        for (size_t n = f->n / 4; n <= f->n; n += f->n / 4)
            talk(f, s, n - 5, n);
        for (size_t n = f->n; n > 9; n = n * 5 / 6 - 1)
            sync_to(f, s, n);
        sync_to(f, s, f->n);
    }
    session_close(s);
}

static void note_total(void *user, size_t done, size_t total) {
    size_t *most = user;
    *most = done ? *most : total;
}

static bool has_window(const struct fixture *f) {
    for (uint32_t i = 0; i < model_shape(f->en->model)->n_slots; i++)
        if (model_kv(f->en->model, i).reach)
            return true;
    return false;
}

// Goes to n ids and says how many were evaluated for it: progress tells of more than one.
static size_t cost_of(const struct fixture *f, struct session *s, size_t n, size_t *total) {
    *total = 0;
    sync_to(f, s, n);
    return *total;
}

// An answer again, and a question taken back: what is evaluated lies behind a place that was kept. A window may have
// moved on.
static void check_undo(const struct fixture *f) {
    size_t total = 0, quarter = f->n / 4;
    const struct session_params p = {.n_ctx = (uint32_t)f->n, .progress = note_total, .user = &total};
    struct session *s = NULL;
    struct err e;
    test_case("states: %s: going back costs no more than what lies behind a copy", f->name);
    if (!CHECK_CALL(session_open(&s, f->en, &p, &e), &e))
        return;
    for (size_t n = quarter; n < f->n; n += quarter)
        talk(f, s, n - 5, n);
    CHECK_INT(cost_of(f, s, 3 * quarter - 5, &total), 0);
    bool window = has_window(f);
    CHECK(cost_of(f, s, 2 * quarter + 1, &total) <= 6 || window);
    CHECK(cost_of(f, s, quarter + 1, &total) <= 6 || window);
    session_rewind(s, 0);
    sync_to(f, s, f->n);
    CHECK(cost_of(f, s, f->n - 1, &total) <= TAPE_MAX_ROWS);
    CHECK(cost_of(f, s, TAPE_MAX_ROWS + 9, &total) <= 9 || window || f->n < TAPE_MAX_ROWS + 9);
    session_close(s);
}

// Bytes that must be refused in one line.
static void refuse(struct session *s, const void *bytes, size_t size, const char *what, size_t at) {
    struct err e = {0};
    bool taken = session_load_bytes(s, bytes, size, "state", &e);
    CHECK_MSG(!taken && e.class == ERR_INPUT && e.text[0] && !strchr(e.text, '\n'), "%s at %zu: %s", what, at,
              taken ? "was taken" : e.text);
}

// Every try sums the whole file up: large ones are tried in fewer places.
static size_t thinned(const struct buf *file) {
    return 1 + file->len / (128 << 10);
}

static void check_damage(const struct fixture *f, struct session *s, const struct buf *file) {
    char *bytes = malloc(file->len);
    if (!bytes)
        return;
    memcpy(bytes, file->ptr, file->len);
    const size_t step = thinned(file);
    for (size_t at = 0; at < file->len; at += at < 500 ? step : (file->len / 300 + 1) * step) {
        bytes[at] ^= (char)(1 << at % 8);
        refuse(s, bytes, file->len, "a flipped bit", at);
        bytes[at] ^= (char)(1 << at % 8);
    }
    free(bytes);
    for (size_t n = 0; n < file->len; n += n < 500 ? step : (file->len / 100 + 1) * step) {
        char *part = malloc(n + 1); // of its own, so that a read behind it is seen
        if (part) {
            memcpy(part, file->ptr, n);
            refuse(s, part, n, "a cut", n);
        }
        free(part);
    }
    sync_to(f, s, f->n / 2 + 1);
}

static void set_sum(uint8_t *bytes, size_t size) {
    struct sum sum;
    sum_begin(&sum);
    sum_add(&sum, bytes, size - 8);
    uint64_t value = sum_end(&sum);
    for (unsigned i = 0; i < 8; i++)
        bytes[size - 8 + i] = (uint8_t)(value >> (8 * i));
}

// Numbers of the header and the tables that somebody changed on purpose, with the right sum.
static void check_forged(const struct fixture *f, struct session *s, struct buf *file) {
    static const uint32_t values[] = {0, 1, 0x7FFFFFFF, 0xFFFFFFFF};
    uint8_t *bytes = (uint8_t *)file->ptr;
    size_t n = (size_t)cursor_load_u64(bytes + 32), tables = HEADER + 4 * n;
    struct err e;
    const size_t step = 4 * thinned(file);
    for (size_t at = 0; at < file->len - 8 && at < tables + 400; at += at >= HEADER && at < tables ? 4 * n : step) {
        uint8_t kept[4];
        memcpy(kept, bytes + at, 4);
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
            memcpy(bytes + at, &values[i], 4);
            set_sum(bytes, file->len);
            if (session_load_bytes(s, bytes, file->len, "state", &e))
                CHECK_CALL(session_sync(s, f->ids, 9, &e), &e);
            else
                CHECK_MSG(e.class == ERR_INPUT && e.text[0], "%zu: %s", at, e.text);
        }
        memcpy(bytes + at, kept, 4);
    }
    session_rewind(s, 0); // what was taken may have had other numbers
    sync_to(f, s, f->n / 2 + 1);
}

static void check_hostile(const struct fixture *f) {
    struct session *s = open_session(f, f->n);
    struct buf file = {0};
    struct err e;
    test_case("states: %s: damaged files", f->name);
    if (s) {
        talk(f, s, f->n / 2, f->n / 2 + 1);
        CHECK_CALL(session_save(s, f->path, &e) && file_read(f->path, &file, &e), &e);
        if (file.len) {
            check_damage(f, s, &file);
            test_case("states: %s: forged files", f->name);
            check_forged(f, s, &file);
        }
    }
    buf_free(&file);
    session_close(s);
}

static bool open_model(struct fixture *f, const char *path, struct err *e) {
    const struct engine_params p = {.path = path, .n_threads = 1};
    ERR_FORWARD(engine_open(&f->en, &p, e));
    const struct model_shape *shape = model_shape(f->en->model);
    f->n_vocab = shape->n_vocab;
    f->n = min_size(N_IDS, shape->n_positions ? shape->n_positions : N_IDS);
    f->n_more = shape->n_positions ? shape->n_positions : 4 * f->n;
    for (size_t i = 0; i < N_IDS; i++)
        f->ids[i] = (int32_t)((i * i * 7 + 3) % f->n_vocab);
    f->want = calloc(f->n * f->n_vocab, sizeof *f->want);
    return f->want || err_memory(e, f->n * f->n_vocab, "logits");
}

static void check_model(struct fixture *f) {
    struct session *s = open_session(f, f->n);
    struct err e;
    bool ok = s && session_is_causal(s) && CHECK_CALL(session_eval_all(s, f->ids, f->n, 0, keep_row, f, &e), &e);
    if (s && !session_is_causal(s))
        CHECK_FAILS(session_save(s, f->path, &e), &e, ERR_INPUT, "nothing to keep");
    session_close(s);
    if (!ok)
        return;
    check_load(f);
    check_cut(f);
    check_fork(f);
    check_rewinds(f);
    check_undo(f);
    check_hostile(f);
}

static void run_model(const char *path) {
    static struct fixture f;
    const char *slash = strrchr(path, '/'), *build = getenv("BUILD");
    struct err e;
    f = (struct fixture){.name = slash ? slash + 1 : path};
    snprintf(f.path, sizeof f.path, "%s/tests/states.state", build ? build : ".");
    test_case("states: %s: opens", f.name);
    if (CHECK_CALL(open_model(&f, path, &e), &e))
        check_model(&f);
    engine_close(f.en);
    free(f.want);
    remove(f.path);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        run_model(argv[i]);
    return test_end();
}
