// SPDX-License-Identifier: MIT
// Which model a session's state belongs to. See infer/session_file.h.
#include "base/sum.h"
#include "infer/session_file.h"

#define SAMPLE 64 // bytes from the middle of each tensor: models trained further have the same metadata

static void add_text(struct sum *sum, struct str text) {
    sum_add(sum, &text.len, sizeof text.len);
    sum_add(sum, text.ptr, text.len);
}

static void add_tensor(struct sum *sum, const struct gguf_tensor *t) {
    size_t n = min_size(SAMPLE, (size_t)t->size);
    add_text(sum, t->name);
    sum_add(sum, &t->format->id, sizeof t->format->id);
    sum_add(sum, t->dims, sizeof t->dims);
    sum_add(sum, (const char *)t->data + (t->size - n) / 2, n);
}

uint64_t session_fingerprint(const struct engine *en) {
    struct sum sum;
    sum_begin(&sum);
    for (uint64_t i = 0; i < en->file->n_keys; i++) {
        const struct gguf_key *key = &en->file->keys[i];
        add_text(&sum, key->name);
        sum_add(&sum, &key->value.type, sizeof key->value.type);
        sum_add(&sum, key->value.data, (size_t)key->value.size);
    }
    for (uint64_t i = 0; i < en->file->n_tensors; i++)
        add_tensor(&sum, &en->file->tensors[i]);
    return sum_end(&sum);
}
