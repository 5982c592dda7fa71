// SPDX-License-Identifier: MIT
// Opening and closing the engine.
#include "base/file.h" // before the system's headers, as memmem needs
#include "infer/engine.h"

#include <stdlib.h>
#include <string.h>

// Whether every token reads all of the tensor: of experts some are chosen, of tables of embeddings a row, where they
// are not the head as well.
static bool read_whole(const struct gguf *g, const struct gguf_tensor *t) {
    static const char experts[] = "_exps.", table[] = "token_embd.weight";
    const size_t len = sizeof table - 1;
    if (memmem(t->name.ptr, t->name.len, experts, sizeof experts - 1))
        return false;
    if (t->name.len < len || memcmp(t->name.ptr + t->name.len - len, table, len) != 0)
        return true;
    return t->name.len == len && !gguf_find_tensor(g, "output.weight");
}

// What a processor reads of small pages costs it a walk through their tables every 4 KiB.
static void ask_for_large_pages(const struct gguf *g) {
    for (uint64_t i = 0; i < g->n_tensors; i++)
        if (read_whole(g, &g->tensors[i]))
            file_large_pages(g->tensors[i].data, (size_t)g->tensors[i].size);
}

static bool open_parts(struct engine *en, const struct engine_params *p, struct err *e) {
    const struct backend_params backend = {p->n_threads, p->cpu_level};
    ERR_FORWARD(gguf_open(&en->file, p->path, e));
    ERR_FORWARD(model_open(&en->model, en->file, p->rope, e));
    ERR_FORWARD(tok_open(&en->tok, en->file, e));
    ERR_FORWARD(backend_open(&en->backend, &backend, e));
    struct backend_limits limits = model_needs(en->model)->limits;
    limits.larger_than_memory = p->memory && en->file->size > p->memory;
    if (!limits.larger_than_memory)
        ask_for_large_pages(en->file);
    return en->backend->ops->reserve(en->backend, &limits, e);
}

bool engine_open(struct engine **out, const struct engine_params *p, struct err *e) {
    struct engine *en = calloc(1, sizeof *en);
    *out = NULL;
    if (!en)
        return err_memory(e, sizeof *en, "the engine");
    if (!open_parts(en, p, e)) {
        engine_close(en);
        return false;
    }
    *out = en;
    return true;
}

void engine_close(struct engine *en) {
    if (!en)
        return;
    if (en->backend)
        en->backend->ops->close(en->backend);
    tok_close(en->tok);
    model_close(en->model);
    gguf_close(en->file);
    free(en);
}
