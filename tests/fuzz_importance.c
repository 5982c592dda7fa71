// SPDX-License-Identifier: MIT
// The fuzz target of the reader of importance matrices, in both forms: what is accepted holds finite numbers, each
// entry is found by its name, and its means can be taken.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/importance.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool ok) {
    if (!ok)
        abort();
}

static void read_entry(struct importance *m, const struct importance_entry *entry) {
    uint64_t n = entry->n_cols * entry->n_matrices;
    float *means = malloc((size_t)n * sizeof *means);
    require(means != NULL && importance_find(m, entry->name) == entry);
    importance_means(entry, means);
    for (uint64_t i = 0; i < n; i++)
        require(entry->sums[i] >= 0 && isfinite(entry->sums[i]) && means[i] >= 0);
    free(means);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct importance m;
    struct err e = {0};
    if (importance_parse(&m, bytes, size, "fuzz", &e)) {
        for (size_t i = 0; i < m.n; i++)
            read_entry(&m, m.entries[i]);
        importance_free(&m);
    } else {
        require((e.class == ERR_INPUT || e.class == ERR_SYSTEM) && e.text[0] && !strpbrk(e.text, "\n\r"));
    }
    return 0;
}
