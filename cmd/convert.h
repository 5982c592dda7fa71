// SPDX-License-Identifier: MIT
// Tensors from one format to another: rows are decoded and encoded by all threads, a slice of the tensor at a time, so
// memory does not grow with the file. The bytes do not depend on the number of threads.
#pragma once

#include "gguf.h"
#include "infer/importance.h"

struct convert;

// n_threads 0: as many as the machine has fast cores.
bool convert_open(struct convert **out, unsigned n_threads, struct err *e);
void convert_close(struct convert *c); // NULL is fine

// Takes the converted bytes in order.
typedef bool convert_sink(void *user, const void *bytes, size_t n, struct err *e);

// Hands the data of a tensor to sink: in format `to`, or as it is when that is its own. `importance` may be NULL. A
// value that the format cannot hold is ERR_INPUT with the file (`path`), the tensor and the row named.
struct convert_job {
    const char *path;
    const struct gguf_tensor *tensor;
    const struct quant_format *to;
    const struct importance_entry *importance;
};
bool convert_tensor(struct convert *c, const struct convert_job *job, convert_sink *sink, void *user, struct err *e);
