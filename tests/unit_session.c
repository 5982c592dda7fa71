// SPDX-License-Identifier: MIT
// Tests of sessions on a tiny model whose first layer keeps a window of its keys: the same logits whatever was cut,
// forgotten and evaluated again, and memory for no more than the window.
#include "infer/session.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "infer/session_impl.h"

#define N_IDS 1000
#define WINDOW 70

struct fixture {
    struct engine *en;
    struct session *s;
    int32_t ids[N_IDS];
    float *want; // [N_IDS][n_vocab]: logits, evaluated in one go
};

static bool keep_row(void *user, size_t position, const float *logits, struct err *e) {
    struct fixture *f = user;
    size_t n = session_n_vocab(f->s);
    (void)e;
    memcpy(f->want + position * n, logits, n * sizeof *logits);
    return true;
}

static bool compare_row(void *user, size_t position, const float *logits, struct err *e) {
    const struct fixture *f = user;
    size_t n = session_n_vocab(f->s);
    ERR_IF(memcmp(f->want + position * n, logits, n * sizeof *logits) != 0, e, ERR_NO, "other logits at %zu", position);
    return true;
}

// Syncs to the first n ids and compares the last logits.
static void sync_to(struct fixture *f, size_t n) {
    struct err e;
    CHECK_CALL(session_sync(f->s, f->ids, n, &e) && compare_row(f, n - 1, session_logits(f->s), &e), &e);
}

static void check_chunks(struct fixture *f) {
    static const size_t chunks[] = {1, 7, 64, 100};
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        session_rewind(f->s, 0);
        CHECK_CALL(session_eval_all(f->s, f->ids, N_IDS, chunks[i], compare_row, f, &e), &e);
    }
}

static void check_rewinds(struct fixture *f) {
    test_case("session: a window allows going back by itself");
    sync_to(f, N_IDS);
    CHECK_INT(session_rewind(f->s, N_IDS - WINDOW), N_IDS - WINDOW);
    sync_to(f, N_IDS);
    test_case("session: going back behind what a window keeps evaluates again");
    CHECK_INT(session_rewind(f->s, 300), 0);
    sync_to(f, N_IDS);
    test_case("session: any path to a history gives its logits");
    static const size_t path[] = {300, 990, 1000, 400, 401, 331, 330, 1, 999, 900, 600, 860, 599, 598, 342, 2, 1000};
    for (size_t i = 0; i < ARRAY_LEN(path); i++)
        sync_to(f, path[i]);
    for (size_t n = N_IDS; n > N_IDS - 200; n -= 13) {
        int32_t last = f->ids[n - 1];
        struct err e;
        f->ids[n - 1] = 5;
        CHECK_CALL(session_sync(f->s, f->ids, n, &e), &e);
        f->ids[n - 1] = last;
        sync_to(f, n);
    }
}

// A made-up history behaves like any other.
static void check_pretend(struct fixture *f) {
    struct err e;
    test_case("session: a history of random keys and values");
    CHECK_CALL(session_pretend(f->s, f->ids, 700, &e) && session_sync(f->s, f->ids, 710, &e), &e);
    CHECK_INT(session_rewind(f->s, 700), 700);
    CHECK_CALL(session_pretend(f->s, f->ids, 0, &e), &e);
    sync_to(f, 300);
}

static void check_memory(struct fixture *f) {
    const struct model *m = f->en->model;
    test_case("session: a window's memory stops growing");
    uint64_t a = kv_bytes(m, KV_F16, 5000), b = kv_bytes(m, KV_F16, 6000), c = kv_bytes(m, KV_F16, 64);
    CHECK_INT((b - a) * 64 * 2, c * 1000); // of two layers one still grows
    CHECK(kv_bytes(m, KV_F32, 64) == 2 * c);
    test_case("session: the context for some memory");
    for (uint32_t n = 0; n <= 8192; n += 1024)
        CHECK_INT(session_ctx_for(f->en, KV_F16, kv_bytes(m, KV_F16, n)), n);
    CHECK_INT(session_ctx_for(f->en, KV_F16, UINT64_MAX), 8192);
}

// Bytes of the KV memory that the system has committed; 0 where it does not tell.
static uint64_t committed(const struct kv *kv) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (kv->size + page - 1) / page;
    uint64_t sum = 0;
    unsigned char *there = malloc(n);
    if (there && (uintptr_t)kv->memory % page == 0 && mincore(kv->memory, kv->size, (void *)there) == 0)
        for (size_t i = 0; i < n; i++)
            sum += (there[i] & 1) * page;
    free(there);
    return sum;
}

// What the history of 1000 ids has made the system commit: whole pages of positions, at either end a page of memory.
static void check_committed(const struct fixture *f) {
    uint64_t most = kv_bytes(f->en->model, KV_F16, 1024) + 8 * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t bytes = committed(&f->s->kv), without = kv_bytes(f->en->model, KV_F16, 64) * 1000 / 64;
    test_case("session: a layer with a window takes memory for its window only");
    if (!bytes)
        test_skip("this system does not tell");
    else
        CHECK_MSG(bytes <= most && most < without, "%llu bytes, at most %llu; without windows %llu",
                  (unsigned long long)bytes, (unsigned long long)most, (unsigned long long)without);
}

static void check_all(struct fixture *f) {
    struct err e;
    test_case("session: chunks of any length give the same logits");
    CHECK_CALL(session_eval_all(f->s, f->ids, N_IDS, 0, keep_row, f, &e), &e);
    check_chunks(f);
    check_committed(f);
    check_rewinds(f);
    check_memory(f);
    check_pretend(f);
}

// A backend that remembers what it was told of two memories.
struct settled {
    struct backend b;
    char *base[2];
    size_t full[2];
};

static void remember(struct backend *b, char *base, size_t known, size_t full) {
    struct settled *s = (struct settled *)b;
    for (int i = 0; i < 2; i++)
        if (base == s->base[i]) {
            CHECK_INT(known, s->full[i]);
            s->full[i] = full;
        }
}

static void check_settled(void) {
    static const struct backend_ops ops = {.name = "settled", .settle = remember};
    static char memory[2];
    struct settled s = {{&ops}, {memory, memory + 1}, {0, 0}};
    struct kv_layer layers[] = {{.type = KV_F16, .n_heads = 2, .dim_k = 64, .dim_v = 64, .k = memory, .v = memory + 1},
                                {.type = KV_F16, .n_heads = 1, .dim_k = 64, .k = memory, .ring = 3}};
    const size_t page = kv_page_size(KV_F16, 64);
    test_case("session: the backend is told of all memory that is filled, once, and of no other");
    for (int i = 0; i < 2; i++) {
        struct kv kv = {.backend = &s.b, .layers = layers + i, .n_layers = 1};
        s.full[0] = s.full[1] = 0;
        for (size_t n = 0; n <= 5000; n += n % 3 + 1) {
            kv_grow(&kv, n);
            CHECK(s.full[0] <= n * 2 * page / TAPE_PAGE);
        }
        CHECK_INT(s.full[0], i ? 3 * page : 4096 / TAPE_PAGE * 2 * page);
        CHECK_INT(s.full[1], i ? 0 : s.full[0]);
    }
}

static bool open_model(struct fixture *f, const char *path, enum kv_type kv, struct err *e) {
    const struct engine_params en = {.path = path, .n_threads = 2};
    const struct session_params s = {.n_ctx = 2048, .kv = kv};
    ERR_FORWARD(engine_open(&f->en, &en, e) && session_open(&f->s, f->en, &s, e));
    for (uint32_t i = 0; i < N_IDS; i++)
        f->ids[i] = (int32_t)(i * i * 7 % session_n_vocab(f->s));
    f->want = calloc(N_IDS * session_n_vocab(f->s), sizeof *f->want);
    return f->want || err_memory(e, N_IDS, "logits");
}

static bool last_logits(const struct engine_params *p, float *out, size_t n, struct err *e) {
    static const int32_t ids[] = {5, 80, 200, 3, 44, 119};
    const struct session_params params = {.n_ctx = 64};
    struct engine *en = NULL;
    struct session *s = NULL;
    bool ok = engine_open(&en, p, e) && session_open(&s, en, &params, e) && session_sync(s, ids, ARRAY_LEN(ids), e);
    if (ok)
        memcpy(out, session_logits(s), n * sizeof *out);
    session_close(s);
    engine_close(en);
    return ok;
}

// A model larger than the memory asks for its experts ahead; what it computes is the same.
static void check_ahead(const char *build) {
    enum { N = 256 };
    float plain[N], ahead[N] = {0};
    char path[512], command[1200];
    struct err e;
    test_case("session: experts that are asked for ahead");
    snprintf(path, sizeof path, "%s/tests/experts.gguf", build);
    snprintf(command, sizeof command, "'%s/tests/make_model' random '%s' experts=8", build, path);
    const struct engine_params here = {.path = path, .n_threads = 2};
    const struct engine_params small = {.path = path, .n_threads = 2, .memory = 1};
    CHECK(system(command) == 0);
    CHECK_CALL(last_logits(&here, plain, N, &e) && last_logits(&small, ahead, N, &e), &e);
    CHECK(memcmp(plain, ahead, sizeof plain) == 0);
    remove(path);
}

void unit_session(void) {
    char path[512], command[1200];
    const char *build = getenv("BUILD");
    struct err e;
    test_case("session: a model is written and opened");
    build = build ? build : "build/release";
    snprintf(path, sizeof path, "%s/tests/session.gguf", build);
    snprintf(command, sizeof command, "'%s/tests/make_model' random '%s' window=%d", build, path, WINDOW);
    bool ok = CHECK(system(command) == 0);
    static const enum kv_type types[] = {KV_F16, KV_Q8_0, KV_Q4_0};
    for (size_t i = 0; ok && i < ARRAY_LEN(types); i++) {
        struct fixture f = {NULL};
        if (CHECK_CALL(open_model(&f, path, types[i], &e), &e))
            check_all(&f);
        session_close(f.s);
        engine_close(f.en);
        free(f.want);
    }
    remove(path);
    check_ahead(build);
    check_settled();
}
