// SPDX-License-Identifier: MIT
// GGUF files, versions 2 and 3, little-endian: opened by mapping, checked in full before anything is believed; written
// as a stream.
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
    uint64_t offset;  // from the start of the file
    const void *data; // in the mapping; numbers (F32, F16, I64 ...) lie on their own size, blocks on any byte
};

struct gguf {
    const char *path; // as given, for messages; owned
    const uint8_t *base;
    uint64_t size;
    uint32_t version;
    uint32_t alignment;
    uint64_t n_keys, n_tensors;
    const struct gguf_key *keys;
    const struct gguf_tensor *tensors;
    uint64_t data_offset; // where tensor data begins
    struct gguf_index *index;
    bool mapped;
};

// Opens and checks a file. Every defect is ERR_INPUT with the file and the key, tensor or offset named.
bool gguf_open(struct gguf **out, const char *path, struct err *e);
// The same for bytes in memory, which the caller keeps alive (tests, fuzzing); `name` stands for the path.
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

// Writing, version 3. Keys and tensors are announced first, gguf_out_begin writes the header, then the tensors' data
// comes as a stream, in the order announced, in pieces of any size: whoever writes need not hold a tensor. The file
// appears under its name at gguf_out_end (base/file.h). Announcing does nothing after a failed allocation, which begin
// reports.
struct gguf_out;

// `alignment`, a power of two, is that of the data; the key general.alignment is the caller's.
bool gguf_out_open(struct gguf_out **out, const char *path, uint32_t alignment, struct err *e);
void gguf_out_close(struct gguf_out *o); // NULL is fine; without gguf_out_end nothing is left behind

// A key with a value as a file holds it, and the usual kinds. The caller sees to it that no key comes twice.
void gguf_out_value(struct gguf_out *o, struct str key, const struct gguf_value *value);
void gguf_out_u32(struct gguf_out *o, const char *key, uint32_t n);
void gguf_out_str(struct gguf_out *o, const char *key, struct str text);
void gguf_out_strs(struct gguf_out *o, const char *key, const struct str *texts, uint64_t n);

// A tensor; its size must fit, as gguf_open would have it. Names are the caller's to keep unique.
bool gguf_out_tensor(struct gguf_out *o, struct str name, const struct quant_format *f, uint32_t n_dims,
                     const uint64_t *dims, struct err *e);
// Bytes of the whole file, once everything is announced.
uint64_t gguf_out_size(const struct gguf_out *o);

bool gguf_out_begin(struct gguf_out *o, struct err *e);
bool gguf_out_data(struct gguf_out *o, const void *bytes, size_t n, struct err *e);
bool gguf_out_end(struct gguf_out *o, struct err *e);
