// SPDX-License-Identifier: MIT
// The fuzz target of sessions' files. The sum of every input and what binds it to the model are made right, so that it
// gets past them; what is accepted must be a history that can be gone back in and gone on from. The first byte chooses
// the model: one whose first layer keeps a window, or one with recurrent state. FUZZ_MODELS names the folder of their
// files; a short history of each is written to fuzz_state.corpus there, as no file that is accepted is found by chance.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/sum.h"
#include "infer/session_file.h"

#define N_MODELS 2
#define N_CTX 512
#define BOND_AT 16 // the model and the angles
#define BOND_SIZE 16

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct {
    struct engine *engines[N_MODELS];
    struct session *sessions[N_MODELS];
    uint8_t bonds[N_MODELS][BOND_SIZE];
} fuzz;

static void require(bool ok) {
    if (!ok)
        abort();
}

static void put_u64(uint8_t *at, uint64_t value) {
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

// As inputs are: the model's number, and a file without its sum.
static void write_seed(unsigned i, const char *path, const struct buf *file) {
    FILE *f = fopen(path, "wb");
    if (!f)
        return;
    fputc((int)i, f);
    fwrite(file->ptr, 1, file->len - 8, f);
    fclose(f);
}

static void open_model(unsigned i, const char *folder, const char *name) {
    char path[600], state[700];
    snprintf(path, sizeof path, "%s/%s.gguf", folder, name);
    const struct engine_params p = {.path = path, .n_threads = 1};
    const struct session_params s = {.n_ctx = N_CTX};
    struct err e;
    if (!engine_open(&fuzz.engines[i], &p, &e) || !session_open(&fuzz.sessions[i], fuzz.engines[i], &s, &e)) {
        fprintf(stderr, "%s: %s: not fuzzed\n", path, e.text);
        return;
    }
    struct buf file = {0};
    snprintf(state, sizeof state, "%s.state", path);
    require(session_sync(fuzz.sessions[i], (const int32_t[]){1, 2, 3, 4, 5}, 5, &e));
    require(session_save(fuzz.sessions[i], state, &e) && file_read(state, &file, &e));
    memcpy(fuzz.bonds[i], file.ptr + BOND_AT, BOND_SIZE);
    remove(state);
    snprintf(state, sizeof state, "%s/fuzz_state.corpus/%s", folder, name);
    write_seed(i, state, &file);
    buf_free(&file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    const char *folder = getenv("FUZZ_MODELS");
    static const char *const names[N_MODELS] = {"window", "recurrent"};
    for (unsigned i = 0; i < N_MODELS; i++)
        open_model(i, folder ? folder : "build/fuzz", names[i]);
    require(fuzz.sessions[0] != NULL);
    return 0;
}

static void go_on(struct session *s) {
    struct err e;
    int32_t ids[N_CTX];
    size_t n;
    memcpy(ids, session_history(s, &n), n * sizeof *ids);
    if (n < N_CTX)
        ids[n++] = 1;
    require(session_sync(s, ids, n, &e));
    require(session_rewind(s, n / 2) <= n / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct err e = {0};
    unsigned model = size && fuzz.sessions[bytes[0] % N_MODELS] ? bytes[0] % N_MODELS : 0;
    uint8_t *copy = malloc(size + 8);
    require(copy != NULL);
    size = size ? size - 1 : 0;
    memcpy(copy, bytes + 1, size);
    if (size >= BOND_AT + BOND_SIZE)
        memcpy(copy + BOND_AT, fuzz.bonds[model], BOND_SIZE);
    struct sum sum;
    sum_begin(&sum);
    sum_add(&sum, copy, size);
    put_u64(copy + size, sum_end(&sum));
    if (session_load_bytes(fuzz.sessions[model], copy, size + 8, "fuzz", &e))
        go_on(fuzz.sessions[model]);
    else
        require(e.class == ERR_INPUT && e.text[0] && !strpbrk(e.text, "\n\r"));
    free(copy);
    return 0;
}
