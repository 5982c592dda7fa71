// SPDX-License-Identifier: MIT
// Looking records up by name: an array of pointers to names, sorted. A name is the first member of its record, so a
// pointer to the name is one to the record. Hostile names cannot make it slow.
#pragma once

#include "base/base.h"

int names_compare(const struct str *a, const struct str *b);

// Pointers to the names of n records of `size` bytes each, sorted; the caller frees them. NULL without memory.
const struct str **names_sort(const void *records, size_t n, size_t size);

// A name that is there twice, or NULL.
const struct str *names_twice(const struct str *const *names, size_t n);

// The record of a name, or NULL.
const void *names_find(const struct str *const *names, size_t n, struct str name);
