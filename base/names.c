// SPDX-License-Identifier: MIT
// Sorted names. See base/names.h.
#include "base/names.h"

#include <stdlib.h>
#include <string.h>

int names_compare(const struct str *a, const struct str *b) {
    int order = memcmp(a->ptr, b->ptr, min_size(a->len, b->len));
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_pointers(const void *a, const void *b) {
    return names_compare(*(const struct str *const *)a, *(const struct str *const *)b);
}

const struct str **names_sort(const void *records, size_t n, size_t size) {
    const struct str **names = malloc(max_size(n, 1) * sizeof *names); // smaller than the records
    if (!names)
        return NULL;
    for (size_t i = 0; i < n; i++)
        names[i] = (const void *)((const char *)records + i * size);
    qsort(names, n, sizeof *names, compare_pointers);
    return names;
}

const struct str *names_twice(const struct str *const *names, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (names_compare(names[i - 1], names[i]) == 0)
            return names[i];
    return NULL;
}

const void *names_find(const struct str *const *names, size_t n, struct str name) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = names_compare(names[middle], &name);
        if (order == 0)
            return names[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
