// SPDX-License-Identifier: MIT
// Opening and closing the engine.
#include "infer/engine.h"

#include <stdlib.h>

static bool open_parts(struct engine *en, const struct engine_params *p, struct err *e) {
    const struct backend_params backend = {p->n_threads, p->cpu_level};
    ERR_FORWARD(gguf_open(&en->file, p->path, e));
    ERR_FORWARD(model_open(&en->model, en->file, p->rope, e));
    ERR_FORWARD(tok_open(&en->tok, en->file, e));
    ERR_FORWARD(backend_open(&en->backend, &backend, e));
    struct backend_limits limits = model_needs(en->model)->limits;
    limits.larger_than_memory = p->memory && en->file->size > p->memory;
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
