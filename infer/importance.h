// SPDX-License-Identifier: MIT
// Importance matrices: for every weight matrix the sum of squares of each column of its input, over many tokens, and
// how many tokens that were; for stacked experts one such row per expert. Files are GGUF as llama.cpp writes them
// (general.type = imatrix, tensors NAME.in_sum2 and NAME.counts); its older .dat form is read too.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "gguf.h"

struct importance_entry {
    struct str name; // of the weight tensor; first, for base/names.h
    uint64_t n_cols, n_matrices;
    double *sums;   // [n_matrices][n_cols]
    double *counts; // [n_matrices]: tokens
};

struct importance {
    struct arena arena;                // names and numbers
    struct importance_entry **entries; // [n]
    size_t n, cap;
    bool sorted;          // by name
    struct str *datasets; // [n_datasets]: the files of text
    size_t n_datasets, datasets_cap;
    uint64_t n_chunks; // windows of text
    uint32_t chunk_size;
    bool legacy; // of the .dat form: sums and counts are in windows, not in tokens
};

// Of a file in either form. Every defect is ERR_INPUT with the file and the entry named.
bool importance_read(struct importance *m, const char *path, struct err *e);
// The same for bytes (tests, fuzzing); `name` stands for the path.
bool importance_parse(struct importance *m, const void *bytes, size_t size, const char *name, struct err *e);
// Entries in the order of their names.
bool importance_write(struct importance *m, const char *path, struct err *e);
void importance_free(struct importance *m); // zero-initialised is fine

// The entry of a tensor, or NULL.
struct importance_entry *importance_find(struct importance *m, struct str name);
// A new entry, zeroed; its name is copied. NULL without memory.
struct importance_entry *importance_add(struct importance *m, struct str name, uint64_t n_cols, uint64_t n_matrices);
bool importance_add_dataset(struct importance *m, struct str name);

// The mean squares of all columns, [n_matrices][n_cols]; 1 for experts that no token reached.
void importance_means(const struct importance_entry *entry, float *out);
