// SPDX-License-Identifier: MIT
// Memory that a model needs beside what there is. See cmd/info_machine.h.
#include "cmd/info_machine.h"

#include <string.h>

#include "cmd/arch_keys.h"
#include "cmd/load.h"
#include "infer/kv.h"
#include "models/model.h"

#define USUAL_CTX 4096

static bool ends(struct str name, const char *end) {
    const size_t n = strlen(end);
    return name.len >= n && memcmp(name.ptr + name.len - n, end, n) == 0;
}

// Of a table of embeddings a token reads one row, unless the table is the head too; of experts those that are chosen.
static uint64_t read_of(const struct gguf_tensor *t, const struct info_machine *f, bool tied) {
    static const char expert[] = "_exps.";
    const bool table = ends(t->name, "token_embd.weight") && !(tied && t->name.len == strlen("token_embd.weight"));
    if (table && t->dims[1])
        return t->size / t->dims[1];
    if (f->experts && f->used < f->experts && memmem(t->name.ptr, t->name.len, expert, sizeof expert - 1))
        return t->size / f->experts * f->used;
    return t->size;
}

// What a session for n_ctx tokens takes.
static uint64_t session_size(const struct model *m, uint64_t n_ctx) {
    const struct model_shape *s = model_shape(m);
    uint64_t n = kv_bytes(m, KV_F16, n_ctx);
    for (uint32_t i = 0; i < s->n_slots; i++)
        n += model_state_size(m, i) * sizeof(float);
    return n + (model_needs(m)->activations + s->n_vocab) * sizeof(float);
}

struct info_machine info_machine(const struct gguf *g) {
    struct info_machine f = {.free = load_free_memory()};
    struct model *m = NULL;
    struct err ignored;
    uint64_t weights = 0;
    f.experts = arch_number(g, "expert_count", 0);
    f.used = arch_number(g, "expert_used_count", 0);
    const bool tied = !gguf_find_tensor(g, "output.weight");
    for (uint64_t i = 0; i < g->n_tensors; i++) {
        weights += g->tensors[i].size;
        f.read += read_of(&g->tensors[i], &f, tied);
    }
    if (model_open(&m, g, NULL, &ignored)) {
        f.n_ctx = model_shape(m)->n_ctx < USUAL_CTX ? model_shape(m)->n_ctx : USUAL_CTX;
        f.context = session_size(m, f.n_ctx);
    }
    model_close(m);
    f.fits = weights + f.context <= f.free;
    return f;
}
