// SPDX-License-Identifier: MIT
// Choosing a level: tables are filled from the lowest level up, each overwriting the slots it has.
#include <string.h>

#include "backends/backend.h"
#include "backends/cpu/kernels.h"
#include "base/cpu.h"

struct level {
    const char *name;
    unsigned features;
    void (*fill)(struct kernels *k); // NULL: of another architecture
};

static const struct level levels[] = {
#define LEVEL(name, features) {#name, features, kernels_fill_##name},
#define LEVEL_ELSEWHERE(name) {#name, 0, NULL},
#include "backends/cpu/levels.h"
};

static const char *const names[] = {
#define LEVEL(name, features) #name,
#define LEVEL_ELSEWHERE(name)
#include "backends/cpu/levels.h"
    NULL,
};

const char *const *backend_cpu_levels(void) {
    return names;
}

static const struct level *find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (strcmp(levels[i].name, name) == 0)
            return &levels[i];
    return NULL;
}

static bool runs_here(const struct level *l, unsigned features) {
    return l->fill && (features & l->features) == l->features;
}

bool kernels_init(struct kernels *k, const char *cap, struct err *e) {
    unsigned features = cpu_features();
    const struct level *last = &levels[ARRAY_LEN(levels) - 1];
    if (cap) {
        last = find(cap);
        ERR_IF(!last, e, ERR_USAGE, "--cpu: %s: no such level; see `pith info --supported`", cap);
        ERR_IF(!runs_here(last, features), e, ERR_SYSTEM, "--cpu: %s: this machine does not have it", cap);
    }
    *k = (struct kernels){0};
    for (const struct level *l = levels; l <= last; l++) {
        if (!runs_here(l, features))
            continue;
        l->fill(k);
        k->level = l->name;
    }
    return true;
}

size_t kernels_panel_size(size_t n) {
    return PANEL_BYTES + (n / 256 + 1) * PANEL_BYTES_PER_256;
}
