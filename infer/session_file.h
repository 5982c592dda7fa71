// SPDX-License-Identifier: MIT
// Sessions in files: what session_save writes. A number is little-endian.
//
//     u8[8]  magic "pith-ses"                 what the file is
//     u32    version                          of the layout and of the arithmetic
//     u32    type of keys and values
//     u64    fingerprint of the model
//     u64    sum of the angles that keys are turned by
//     u64    n, the ids of the history
//     u32    slots of state, u32 ids of the vocabulary
//     u64    floats of the recurrent state
//     u32    copies of the recurrent state
//     u32    flags: 1 logits
//     i32[n] the ids
//     then for each slot  u32 heads, u32 bytes of a key, u32 bytes of a value, u32 first page that is there
//     then for each copy  u64 ids before it, u64 whether it has logits
//     the keys of the first slot, its values, the keys of the second ... (infer/kv.h)
//     the recurrent state, then the copies, each with the logits that it has
//     the logits of the last position
//     u64    sum of all bytes before it (base/sum.h)
#pragma once

#include "infer/session.h"

// session_load of bytes in memory, which may lie anywhere; `name` stands for the path. For tests and fuzzing too.
bool session_load_bytes(struct session *s, const void *bytes, size_t size, const char *name, struct err *e);

// What says that a file's state is of this model: a sum of its metadata, the shapes and formats of its tensors, and a
// few bytes of each.
uint64_t session_fingerprint(const struct engine *en);
