// SPDX-License-Identifier: MIT
// GGUF files, versions 2 and 3, little-endian: opened by mapping, checked in full before anything is believed.
// Source of the format: the GGUF specification of the ggml project.
//
// A struct gguf is immutable after opening and owns the mapping; every pointer that it hands out points into that
// mapping and lives until gguf_close. Strings in the file are slices, not terminated. Metadata is indexed (key, type,
// place), never copied or decoded at opening, so opening costs one walk over the header.
#pragma once

#include "base/err.h"
#include "quant/quant.h"

enum gguf_type {
    GGUF_U8 = 0,
    GGUF_I8 = 1,
    GGUF_U16 = 2,
    GGUF_I16 = 3,
    GGUF_U32 = 4,
    GGUF_I32 = 5,
    GGUF_F32 = 6,
    GGUF_BOOL = 7,
    GGUF_STR = 8,
    GGUF_ARRAY = 9,
    GGUF_U64 = 10,
    GGUF_I64 = 11,
    GGUF_F64 = 12,
    GGUF_N_TYPES
};

#define GGUF_MAX_DIMS 4
#define GGUF_MAX_NESTING 4 // arrays of arrays

// A value: a scalar, a string, or an array of `count` elements of type `elem` (which may be arrays again).
struct gguf_value {
    enum gguf_type type;
    enum gguf_type elem; // for arrays
    uint64_t count;      // for arrays: elements
    const uint8_t *data; // little-endian, unaligned; strings: the 8-byte length, then the bytes
    uint64_t size;       // bytes at data
};

struct gguf_key {
    struct str name;
    struct gguf_value value;
};

struct gguf_tensor {
    struct str name;
    const struct quant_format *format;
    uint32_t n_dims;
    uint64_t dims[GGUF_MAX_DIMS]; // dims[0] is the row length, contiguous in memory; missing ones are 1
    uint64_t n_elements;
    uint64_t size;    // bytes
    uint64_t offset;  // from the start of its file
    uint32_t part;    // which file, from 0
    const void *data; // in the mapping; numbers (F32, F16, I64 ...) lie on their own size, blocks on any byte
};

// A file; a split model has several (NAME-00001-of-00003.gguf).
struct gguf_part {
    const char *path; // owned
    const uint8_t *base;
    uint64_t size;
    uint64_t data_offset; // where tensor data begins
};

struct gguf {
    const char *path; // as given, for messages; of a part
    uint64_t size;    // of all parts
    size_t n_parts;
    const struct gguf_part *parts;
    // Of the first part, which has the metadata:
    const uint8_t *base;
    uint64_t data_offset;
    uint32_t version;
    uint32_t alignment;
    uint64_t n_keys, n_tensors;
    const struct gguf_key *keys;
    const struct gguf_tensor *tensors; // of all parts, in order
    struct gguf_index *index;
    bool mapped;
};

// Opens and checks a file; of a split model any part may be given, and all are opened. Every defect is ERR_INPUT with
// the file and the key, tensor or offset named.
bool gguf_open(struct gguf **out, const char *path, struct err *e);
// The same for one file's bytes in memory, which the caller keeps alive (tests, fuzzing); `name` stands for the path.
bool gguf_parse(struct gguf **out, const void *bytes, size_t size, const char *name, struct err *e);
void gguf_close(struct gguf *g); // NULL is fine

// Looked up in sorted names, so a hostile file cannot make it slow; NULL when absent.
const struct gguf_value *gguf_find(const struct gguf *g, const char *key);
const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name);

// Typed reads. An absent key leaves *out alone and returns true, or is an error when `required`; a value of another
// type or out of range is always an error that names the key, the type found and the type expected. Any integer type
// that holds the value serves for the integer reads, F32 and F64 (finite) for the float one.
bool gguf_get_u32(const struct gguf *g, const char *key, bool required, uint32_t *out, struct err *e);
bool gguf_get_u64(const struct gguf *g, const char *key, bool required, uint64_t *out, struct err *e);
bool gguf_get_f32(const struct gguf *g, const char *key, bool required, float *out, struct err *e);
bool gguf_get_bool(const struct gguf *g, const char *key, bool required, bool *out, struct err *e);
bool gguf_get_str(const struct gguf *g, const char *key, bool required, struct str *out, struct err *e);
// An array whose elements have type elem; absent: out->data stays as it was.
bool gguf_get_array(const struct gguf *g, const char *key, bool required, enum gguf_type elem, struct gguf_value *out,
                    struct err *e);

// Elements of arrays that gguf_open has checked; i < count. Numbers of any type are converted (a u64 over INT64_MAX
// keeps its bits, a float is cut to the range); strings are walked by a cursor, because they have no index: start with
// *at = 0 and call count times.
int64_t gguf_array_int(const struct gguf_value *array, uint64_t i);
double gguf_array_float(const struct gguf_value *array, uint64_t i);
struct str gguf_array_next_str(const struct gguf_value *array, uint64_t *at);
// The slice of a checked string value.
struct str gguf_value_str(const struct gguf_value *v);

const char *gguf_type_name(enum gguf_type type);
