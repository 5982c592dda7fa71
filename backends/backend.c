// SPDX-License-Identifier: MIT
// The list of backends.
#include "backends/backend.h"

#define BACKEND(name) extern const struct backend_ops backend_##name;
#include "backends/backends.h"

static const struct backend_ops *const rows[] = {
#define BACKEND(name) &backend_##name,
#include "backends/backends.h"
};

const struct backend_ops *const *backend_all(size_t *n) {
    *n = ARRAY_LEN(rows);
    return rows;
}

bool backend_open(struct backend **out, const struct backend_params *p, struct err *e) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i]->open(out, p, e))
            return true;
    return false;
}
