// SPDX-License-Identifier: MIT
// The corpus of malformed GGUF files. One good file is written in memory; most cases change one field of it, some write
// a file of their own. Each must be refused as bad input, in one line that names the file and the key, tensor or number
// at fault.
//
//     malformed            checks the corpus, then every prefix of good files, then changed bytes for some seconds
//     malformed SEED       the same with another seed for the last part
//     malformed DIR/       writes the corpus there (NAME.gguf), and DIR/expected: NAME, a tab, a word of the message
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gguf.h"
#include "tests/fuzz_gguf.h"
#include "tests/gguf_write.h"

// Places in a key or a tensor's entry, found by its name.
enum field {
    NAME_LEN,
    NAME, // its first byte
    TYPE, // of a key
    VALUE,
    ELEM, // of an array
    COUNT,
    DATA,
    N_DIMS, // of a tensor
    DIM0,
    DIM1,
    FORMAT, // after two dimensions
    OFFSET,
    ABSOLUTE, // in the file; no name
    N_FIELDS
};

static const int delta[N_FIELDS] = {
    [NAME_LEN] = -8, [NAME] = 0,   [TYPE] = 0, [VALUE] = 4, [ELEM] = 4,    [COUNT] = 8,
    [DATA] = 16,     [N_DIMS] = 0, [DIM0] = 4, [DIM1] = 12, [FORMAT] = 20, [OFFSET] = 24,
};

#define AT_VERSION "", ABSOLUTE, 4
#define AT_TENSORS "", ABSOLUTE, 8
#define AT_KEYS "", ABSOLUTE, 16
#define CUT 0

// One change: `size` bytes at a field (plus `shift`) become `value`; size CUT ends the file there.
struct patch {
    const char *name, *words;
    const char *anchor;
    enum field field;
    int shift;
    unsigned size;
    uint64_t value;
};

static const struct patch patches[] = {
    // The header
    {"magic-lower", "it begins with 67 67 75 66, expected 'GGUF'", "", ABSOLUTE, 0, 4, 0x66756767},
    {"magic-one-byte", "not a GGUF file", "", ABSOLUTE, 3, 1, 'G'},
    {"magic-ggml", "a GGML file from before GGUF", "", ABSOLUTE, 0, 4, 0x67676d6c},
    {"magic-ggjt", "a GGML file from before GGUF", "", ABSOLUTE, 0, 4, 0x67676a74},
    {"magic-zip", "a zip archive", "", ABSOLUTE, 0, 4, 0x04034b50},
    {"version-0", "GGUF version 0 is not supported, expected 2 or 3", AT_VERSION, 4, 0},
    {"version-1", "GGUF version 1 is not supported, expected 2 or 3: the model must be converted", AT_VERSION, 4, 1},
    {"version-4", "GGUF version 4 is not supported", AT_VERSION, 4, 4},
    {"version-65535", "GGUF version 65535 is not supported", AT_VERSION, 4, 65535},
    {"version-huge", "GGUF version 4294967295 is not supported", AT_VERSION, 4, UINT32_MAX},
    {"big-endian-1", "a big-endian GGUF file", AT_VERSION, 4, 0x01000000},
    {"big-endian-2", "a big-endian GGUF file", AT_VERSION, 4, 0x02000000},
    {"big-endian-3", "a big-endian GGUF file", AT_VERSION, 4, 0x03000000},
    {"keys-more", "tensor 1 at offset 510: the file ends inside it", AT_KEYS, 8, 15},
    {"keys-fewer", "tensor 'last.key': its dimensions multiply", AT_KEYS, 8, 13},
    {"keys-none", "tensor 'general.architecture': it has 8 dimensions", AT_KEYS, 8, 0},
    {"keys-million", "it claims 1000000 keys", AT_KEYS, 8, 1000000},
    {"keys-huge", "it claims 18446744073709551615 keys", AT_KEYS, 8, UINT64_MAX},
    {"keys-sign", "it claims 9223372036854775808 keys", AT_KEYS, 8, (uint64_t)1 << 63},
    {"tensors-more", "tensor 5 at offset", AT_TENSORS, 8, 5},
    {"tensors-million", "it claims 1000000 tensors", AT_TENSORS, 8, 1000000},
    {"tensors-huge", "it claims 18446744073709551615 tensors", AT_TENSORS, 8, UINT64_MAX},
    {"tensors-sign", "it claims 9223372036854775808 tensors", AT_TENSORS, 8, (uint64_t)1 << 63},
    // Keys: names
    {"key-name-empty", "key 1 at offset 24: its name is empty", "general.architecture", NAME_LEN, 0, 8, 0},
    {"key-name-huge", "key 1 at offset 24: the file ends inside it", "general.architecture", NAME_LEN, 0, 8,
     UINT64_MAX},
    {"key-name-sign", "key 3 at offset", "a.u8", NAME_LEN, 0, 8, (uint64_t)1 << 63},
    {"key-name-past-end", "key 3 at offset", "a.u8", NAME_LEN, 0, 8, 100000},
    {"key-name-longer", "key 'a.u8?\?': its name has a control character", "a.u8", NAME_LEN, 0, 8, 6},
    {"key-name-shorter", "key 'a.u': value type 56 is unknown", "a.u8", NAME_LEN, 0, 8, 3},
    {"key-name-nul", "key 'a?u8': its name has a control character", "a.u8", NAME, 1, 1, 0},
    {"key-name-newline", "key 'a?u8': its name has a control character", "a.u8", NAME, 1, 1, '\n'},
    {"key-name-escape", "key 'a?u8': its name has a control character", "a.u8", NAME, 1, 1, 0x1b},
    {"key-name-delete", "key 'a?u8': its name has a control character", "a.u8", NAME, 1, 1, 0x7f},
    {"key-name-not-utf8", "key 'a?u8': its name has a control character or is not UTF-8", "a.u8", NAME, 1, 1, 0xff},
    {"key-duplicate", "key 'a.u8': it is there twice", "a.i8", NAME, 2, 1, 'u'},
    {"key-duplicate-alignment", "key 'general.alignment': it is there twice", "general.alignmenu", NAME, 16, 1, 't'},
    // Keys: types and values
    {"type-13", "'a.u8': value type 13 is unknown, expected 0 to 12", "a.u8", TYPE, 0, 4, 13},
    {"type-huge", "'a.u8': value type 4294967295 is unknown", "a.u8", TYPE, 0, 4, UINT32_MAX},
    {"type-high-byte", "'a.u8': value type 16777216 is unknown", "a.u8", TYPE, 3, 1, 1},
    {"type-longer", "key 4 at offset", "a.u8", TYPE, 0, 4, GGUF_U64},
    {"type-string", "'a.f64': the file ends inside it", "a.f64", TYPE, 0, 4, GGUF_STR},
    {"type-array", "'a.f64': value type", "a.f64", TYPE, 0, 4, GGUF_ARRAY},
    {"bool-2", "'a.bool': a bool is 2, expected 0 or 1", "a.bool", VALUE, 0, 1, 2},
    {"bool-255", "'a.bool': a bool is 255, expected 0 or 1", "a.bool", VALUE, 0, 1, 255},
    {"bool-in-array", "'a.bools': a bool is 7, expected 0 or 1", "a.bools", DATA, 2, 1, 7},
    {"string-huge", "'general.architecture': the file ends inside it", "general.architecture", VALUE, 0, 8, UINT64_MAX},
    {"string-sign", "'general.architecture': the file ends", "general.architecture", VALUE, 0, 8, (uint64_t)1 << 63},
    {"string-wraps", "'general.architecture': the file ends", "general.architecture", VALUE, 0, 8, UINT64_MAX - 60},
    {"string-past-end", "'general.architecture': the file ends", "general.architecture", VALUE, 0, 8, 100000},
    {"string-longer", "key 2 at offset", "general.architecture", VALUE, 0, 8, 8},
    {"array-type-13", "'a.numbers': value type 13 is unknown", "a.numbers", ELEM, 0, 4, 13},
    {"array-type-huge", "'a.numbers': value type 2147483648", "a.numbers", ELEM, 0, 4, 0x80000000},
    {"array-count-huge", "'a.numbers': the file ends inside it", "a.numbers", COUNT, 0, 8, UINT64_MAX},
    {"array-count-wraps", "'a.numbers': the file ends inside it", "a.numbers", COUNT, 0, 8, ((uint64_t)1 << 62) + 1},
    {"array-count-past-end", "'a.numbers': the file ends inside it", "a.numbers", COUNT, 0, 8, 100000},
    {"array-bytes-huge", "'a.bytes': the file ends inside it", "a.bytes", COUNT, 0, 8, UINT64_MAX},
    {"array-bools-huge", "'a.bools': the file ends inside it", "a.bools", COUNT, 0, 8, UINT64_MAX},
    {"array-bools-longer", "'a.bools': a bool is", "a.bools", COUNT, 0, 8, 20},
    {"array-of-wider", "key 11 at offset 339: the file ends inside it", "a.numbers", ELEM, 0, 4, GGUF_F64},
    {"strings-count-huge", "'a.strings': the file ends inside it", "a.strings", COUNT, 0, 8, UINT64_MAX},
    {"strings-count-more", "key 12 at offset 404: the file ends inside it", "a.strings", COUNT, 0, 8, 4},
    {"strings-element-huge", "'a.strings': the file ends inside it", "a.strings", DATA, 0, 8, UINT64_MAX},
    {"strings-element-wraps", "'a.strings': the file ends inside it", "a.strings", DATA, 0, 8, UINT64_MAX - 7},
    {"strings-element-past-end", "'a.strings': the file ends inside it", "a.strings", DATA, 0, 8, 100000},
    {"nested-count-huge", "'a.nested': ", "a.nested", COUNT, 0, 8, UINT64_MAX},
    {"nested-type", "'a.nested': value type 99 is unknown", "a.nested", DATA, 0, 4, 99},
    {"nested-inner-huge", "'a.nested': the file ends inside it", "a.nested", DATA, 4, 8, UINT64_MAX},
    {"nested-inner-wraps", "'a.nested': the file ends inside it", "a.nested", DATA, 4, 8, (uint64_t)1 << 63},
    {"nested-inner-strings", "'a.nested': the file ends inside it", "a.nested", DATA, 0, 4, GGUF_STR},
    // Alignment
    {"alignment-0", "key 'general.alignment': 0 is not a power of two", "general.alignment", VALUE, 0, 4, 0},
    {"alignment-3", "key 'general.alignment': 3 is not a power of two", "general.alignment", VALUE, 0, 4, 3},
    {"alignment-24", "key 'general.alignment': 24 is not a power of two", "general.alignment", VALUE, 0, 4, 24},
    {"alignment-huge", "'general.alignment': 4294967295 is not a power", "general.alignment", VALUE, 0, 4, UINT32_MAX},
    {"alignment-past-end", "tensor 'f32': its 48 bytes", "general.alignment", VALUE, 0, 4, 0x80000000},
    {"alignment-4096", "tensor 'f32': its 48 bytes at data offset 0 lie beyond", "general.alignment", VALUE, 0, 4,
     4096},
    {"alignment-signed", "key 'general.alignment': it is i32, expected u32", "general.alignment", TYPE, 0, 4, GGUF_I32},
    {"alignment-float", "key 'general.alignment': it is f32, expected u32", "general.alignment", TYPE, 0, 4, GGUF_F32},
    // Tensors: names
    {"tensor-name-empty", "tensor 1 at offset", "f32", NAME_LEN, 0, 8, 0},
    {"tensor-name-huge", "tensor 1 at offset", "f32", NAME_LEN, 0, 8, UINT64_MAX},
    {"tensor-name-64", "its name has 64 bytes, at most 63 are allowed", "f32", NAME_LEN, 0, 8, 64},
    {"tensor-name-nul", "tensor 'f?2': its name has a control character", "f32", NAME, 1, 1, 0},
    {"tensor-name-newline", "tensor 'f?2': its name has a control character", "f32", NAME, 1, 1, '\n'},
    {"tensor-name-not-utf8", "tensor 'f?2': its name has a control character or is not UTF-8", "f32", NAME, 1, 1, 0xc0},
    {"tensor-duplicate", "tensor 'q4_k': it is there twice", "q4_x", NAME, 3, 1, 'k'},
    // Tensors: shapes
    {"dims-5", "tensor 'f32': it has 5 dimensions, at most 4", "f32", N_DIMS, 0, 4, 5},
    {"dims-huge", "tensor 'f32': it has 4294967295 dimensions", "f32", N_DIMS, 0, 4, UINT32_MAX},
    {"dims-3", "tensor 'f32': ", "f32", N_DIMS, 0, 4, 3},
    {"dims-1", "tensor 'f32': its rows have 4 elements, expected a multiple of 32 for Q4_1", "f32", N_DIMS, 0, 4, 1},
    {"dim-0-zero", "tensor 'f32': dimension 0 is 0", "f32", DIM0, 0, 8, 0},
    {"dim-1-zero", "tensor 'f32': dimension 1 is 0", "f32", DIM1, 0, 8, 0},
    {"dim-0-huge", "tensor 'f32': its dimensions multiply to more than 2^63", "f32", DIM0, 0, 8, UINT64_MAX},
    {"dim-0-sign", "tensor 'f32': its dimensions multiply to more than", "f32", DIM0, 0, 8, (uint64_t)1 << 63},
    {"dim-0-sign-alone", "tensor 'q4_x': its dimensions multiply to more than", "q4_x", DIM0, 0, 8, (uint64_t)1 << 63},
    {"dim-1-wraps", "tensor 'f32': its dimensions multiply to more than", "f32", DIM1, 0, 8, (uint64_t)1 << 62},
    {"dim-1-wraps-to-zero", "tensor 'q8_0': its dimensions multiply to more than", "q8_0", DIM1, 0, 8,
     (uint64_t)1 << 59},
    {"dim-size-wraps", "tensor 'f32': its size in bytes does not fit", "f32", DIM1, 0, 8, (uint64_t)1 << 60},
    {"dim-0-large", "tensor 'f32': its 1200000000000 bytes", "f32", DIM0, 0, 8, 100000000000},
    {"dim-1-larger", "tensor 'q8_0': ", "f32", DIM1, 0, 8, 6},
    {"rows-not-of-blocks", "tensor 'q8_0': its rows have 31 elements, expected a multiple of 32 for Q8_0", "q8_0", DIM0,
     0, 8, 31},
    {"rows-not-of-superblocks", "tensor 'q4_k': its rows have 128 elements, expected a multiple of 256 for Q4_K",
     "q4_k", DIM0, 0, 8, 128},
    // Tensors: formats
    {"format-q4_2", "tensor 'f32': format 4 (Q4_2) was removed", "f32", FORMAT, 0, 4, 4},
    {"format-q4_3", "tensor 'f32': format 5 (Q4_3) was removed", "f32", FORMAT, 0, 4, 5},
    {"format-q4_0_4_4", "tensor 'f32': format 31 (Q4_0_4_4) was removed", "f32", FORMAT, 0, 4, 31},
    {"format-q4_0_4_8", "tensor 'f32': format 32 (Q4_0_4_8) was removed", "f32", FORMAT, 0, 4, 32},
    {"format-q4_0_8_8", "tensor 'f32': format 33 (Q4_0_8_8) was removed", "f32", FORMAT, 0, 4, 33},
    {"format-iq4_nl_4_4", "tensor 'f32': format 36 (IQ4_NL_4_4) was removed", "f32", FORMAT, 0, 4, 36},
    {"format-iq4_nl_4_8", "tensor 'f32': format 37 (IQ4_NL_4_8) was removed", "f32", FORMAT, 0, 4, 37},
    {"format-iq4_nl_8_8", "tensor 'f32': format 38 (IQ4_NL_8_8) was removed", "f32", FORMAT, 0, 4, 38},
    {"format-43", "tensor 'f32': format 43 is unknown", "f32", FORMAT, 0, 4, 43},
    {"format-255", "tensor 'f32': format 255 is unknown", "f32", FORMAT, 0, 4, 255},
    {"format-huge", "tensor 'f32': format 4294967295 is unknown", "f32", FORMAT, 0, 4, UINT32_MAX},
    {"format-wider", "tensor 'q8_0': at file offset", "f32", FORMAT, 0, 4, 28},
    // Tensors: places
    {"offset-odd", "tensor 'q8_0': its offset 65 is not a multiple of the alignment 32", "q8_0", OFFSET, 0, 8, 65},
    {"offset-half", "tensor 'q8_0': its offset 80 is not a multiple of the alignment 32", "q8_0", OFFSET, 0, 8, 80},
    {"offset-same", "at file offset", "q8_0", OFFSET, 0, 8, 0},
    {"offset-inside", "it overlaps tensor 'q8_0'", "q4_k", OFFSET, 0, 8, 96},
    {"offset-inside-last", "tensor 'q4_k': at file offset 832 it overlaps tensor 'f32', which ends at 880", "f32",
     OFFSET, 0, 8, 160},
    {"offset-at-end", "tensor 'q4_k': its 144 bytes at data offset 4096 lie beyond", "q4_k", OFFSET, 0, 8, 4096},
    {"offset-partly-out", "tensor 'f32': its 48 bytes at data offset 448 lie beyond", "f32", OFFSET, 0, 8, 448},
    {"offset-huge", "tensor 'f32': its 48 bytes at data offset 18446744073709551584 lie", "f32", OFFSET, 0, 8,
     UINT64_MAX - 31},
    {"offset-sign", "tensor 'f32': its 48 bytes at data offset 9223372036854775808", "f32", OFFSET, 0, 8,
     (uint64_t)1 << 63},
    // Truncated
    {"cut-magic", "not a GGUF file: it has only 3 bytes", "", ABSOLUTE, 3, CUT, 0},
    {"cut-version", "the header is truncated: 6 bytes, expected 24", "", ABSOLUTE, 6, CUT, 0},
    {"cut-counts", "the header is truncated: 23 bytes, expected 24", "", ABSOLUTE, 23, CUT, 0},
    {"cut-header", "it claims 14 keys, its 24 bytes have room for 0", "", ABSOLUTE, 24, CUT, 0},
    {"cut-key-name", "key 10 at offset", "a.numbers", NAME, 3, CUT, 0},
    {"cut-key-type", "key 'a.numbers': the file ends inside it", "a.numbers", TYPE, 2, CUT, 0},
    {"cut-array-head", "key 'a.numbers': the file ends inside it", "a.numbers", COUNT, 5, CUT, 0},
    {"cut-array-data", "key 'a.numbers': the file ends inside it", "a.numbers", DATA, 5, CUT, 0},
    {"cut-string-data", "key 'a.strings': the file ends inside it", "a.strings", DATA, 10, CUT, 0},
    {"cut-before-tensors", "it claims 4 tensors", "f32", NAME_LEN, 0, CUT, 0},
    {"cut-tensor-name", "tensor 4 at offset 624: the file ends inside it", "q4_x", NAME, 2, CUT, 0},
    {"cut-tensor-dims", "tensor 'q4_k': the file ends inside it", "q4_k", DIM1, 4, CUT, 0},
    {"cut-tensor-format", "tensor 'q4_k': the file ends inside it", "q4_k", FORMAT, 2, CUT, 0},
    {"cut-tensor-offset", "tensor 'q4_k': the file ends inside it", "q4_k", OFFSET, 2, CUT, 0},
};

// The file that the patches change: 14 keys of all kinds, 4 tensors; it ends with the last tensor's last byte.
static void build_good(struct buf *file) {
    struct gguf_writer w = {0};
    struct buf nested = {0};
    gguf_write_str(&w, "general.architecture", "test");
    gguf_write_u32(&w, "general.alignment", 32);
    gguf_write_key(&w, "a.u8", GGUF_U8, "\x07", 1);
    gguf_write_key(&w, "a.i8", GGUF_I8, "\xf9", 1);
    gguf_write_bool(&w, "a.bool", true);
    gguf_write_key(&w, "a.f64", GGUF_F64, "\xff\xff\xff\xff\xff\xff\xef\x3f", 8);
    gguf_write_key(&w, "a.u64", GGUF_U64, "\1\2\3\4\5\6\7\10", 8);
    gguf_write_array(&w, "a.bytes", GGUF_U8, 5, "bytes", 5);
    gguf_write_array(&w, "a.bools", GGUF_BOOL, 3, "\1\0\1", 3);
    gguf_write_array(&w, "a.numbers", GGUF_I32, 4, "\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0", 16);
    gguf_write_strs(&w, "a.strings", (const char *const[]){"one", "", "three"}, 3);
    gguf_put(&nested, GGUF_U16, 4);
    gguf_put(&nested, 2, 8);
    gguf_put(&nested, 0x00020001, 4);
    gguf_write_array(&w, "a.nested", GGUF_ARRAY, 1, nested.ptr, nested.len);
    gguf_write_u32(&w, "general.alignmenu", 8);
    gguf_write_u32(&w, "last.key", 7);
    gguf_write_tensor(&w, "f32", 0, 2, (uint64_t[]){4, 3}, NULL, 48);
    gguf_write_tensor(&w, "q8_0", 8, 2, (uint64_t[]){32, 2}, NULL, 68);
    gguf_write_tensor(&w, "q4_k", 12, 2, (uint64_t[]){256, 1}, NULL, 144);
    gguf_write_tensor(&w, "q4_x", 12, 2, (uint64_t[]){256, 1}, NULL, 144);
    gguf_write_end(&w, file);
    buf_free(&nested);
}

static void text_file(struct buf *file, const char *text) {
    file->len = 0;
    buf_str(file, text);
    buf_append(file, (char[40]){0}, 40);
}

static void build_empty(struct buf *file) {
    file->len = 0;
}

static void build_zeros(struct buf *file) {
    text_file(file, "");
}

static void build_safetensors(struct buf *file) {
    text_file(file, "\x40_______{\"__metadata__\":{\"format\":\"pt\"}}");
}

static void build_lfs(struct buf *file) {
    text_file(file, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
}

static void build_page(struct buf *file) {
    text_file(file, "<!DOCTYPE html><html><body>404 not found</body></html>");
}

// Arrays in arrays, n deep.
static void nest(struct buf *file, int n) {
    struct gguf_writer w = {0};
    struct buf inner = {0};
    for (int i = 1; i < n; i++) {
        gguf_put(&inner, i + 1 < n ? GGUF_ARRAY : GGUF_U8, 4);
        gguf_put(&inner, 1, 8);
    }
    gguf_put(&inner, 1, 1);
    gguf_write_array(&w, "deep", GGUF_ARRAY, 1, inner.ptr, inner.len);
    gguf_write_end(&w, file);
    buf_free(&inner);
}

static void build_nested_5(struct buf *file) {
    nest(file, GGUF_MAX_NESTING + 1);
}

static void build_nested_10000(struct buf *file) {
    nest(file, 10000);
}

// Ten thousand empty arrays, then nothing where the next should be.
static void build_nested_wide(struct buf *file) {
    struct gguf_writer w = {0};
    struct buf inner = {0};
    for (int i = 0; i < 10000; i++) {
        gguf_put(&inner, GGUF_STR, 4);
        gguf_put(&inner, 0, 8);
    }
    gguf_write_array(&w, "wide", GGUF_ARRAY, (uint64_t)1 << 60, inner.ptr, inner.len);
    gguf_write_end(&w, file);
    buf_free(&inner);
}

static void long_keys(struct buf *file, size_t len, int n) {
    struct gguf_writer w = {0};
    char *name = malloc(len + 1);
    if (name) {
        memset(name, 'k', len);
        name[len] = '\0';
        for (int i = 0; i < n; i++)
            gguf_write_u32(&w, name, 1);
    }
    free(name);
    gguf_write_end(&w, file);
}

static void build_key_too_long(struct buf *file) {
    long_keys(file, 65536, 1);
}

static void build_long_key_twice(struct buf *file) {
    long_keys(file, 65535, 2);
}

static void build_key_10000_times(struct buf *file) {
    long_keys(file, 5, 10000);
}

static void build_alignment_string(struct buf *file) {
    struct gguf_writer w = {0};
    gguf_write_str(&w, "general.alignment", "32");
    gguf_write_end(&w, file);
}

static void build_alignment_array(struct buf *file) {
    struct gguf_writer w = {0};
    gguf_write_array(&w, "general.alignment", GGUF_U32, 1, "\40\0\0\0", 4);
    gguf_write_end(&w, file);
}

// Numbers of eight bytes where an alignment of 1 puts them: at an odd place, whatever the header's length.
static void build_unaligned(struct buf *file) {
    struct gguf_writer w = {.alignment = 1};
    gguf_write_u32(&w, "general.alignment", 1);
    gguf_write_tensor(&w, "odd", 24, 1, (uint64_t[]){1}, NULL, 1);
    gguf_write_tensor(&w, "first", 28, 1, (uint64_t[]){1}, NULL, 8);
    gguf_write_tensor(&w, "odd2", 24, 1, (uint64_t[]){1}, NULL, 1);
    gguf_write_tensor(&w, "second", 28, 1, (uint64_t[]){1}, NULL, 8);
    gguf_write_end(&w, file);
}

static void build_tensor_name_64(struct buf *file) {
    struct gguf_writer w = {0};
    char name[65] = "";
    memset(name, 't', 64);
    gguf_write_tensor(&w, name, 0, 1, (uint64_t[]){1}, NULL, 4);
    gguf_write_end(&w, file);
}

// A large tensor whose middle holds a small one that comes first in the list.
static void build_overlap_inside(struct buf *file) {
    struct gguf_writer w = {0};
    gguf_write_tensor(&w, "small", 0, 1, (uint64_t[]){8}, NULL, 32);
    gguf_write_tensor(&w, "large", 0, 1, (uint64_t[]){1000}, NULL, 4000);
    w.infos.ptr[8 + 5 + 4 + 8 + 4] = 64; // the offset of small; large begins at 32
    gguf_write_end(&w, file);
}

static void build_overlap_many(struct buf *file) {
    struct gguf_writer w = {0};
    char name[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "t%d", i);
        gguf_write_tensor(&w, name, 24, 1, (uint64_t[]){33}, NULL, i < 19999 ? 32 : 33);
    }
    gguf_write_end(&w, file);
}

static void build_tensor_twice(struct buf *file) {
    struct gguf_writer w = {0};
    for (int i = 0; i < 2; i++)
        gguf_write_tensor(&w, "blk.0.attn_q.weight", 0, 1, (uint64_t[]){8}, NULL, 32);
    gguf_write_end(&w, file);
}

static void build_no_data(struct buf *file) {
    struct gguf_writer w = {0};
    gguf_write_tensor(&w, "absent", 0, 1, (uint64_t[]){8}, NULL, 0);
    gguf_write_end(&w, file);
}

static void build_last_byte(struct buf *file) {
    build_good(file);
    file->len--;
}

static void build_no_padding(struct buf *file) {
    struct gguf_writer w = {0};
    gguf_write_tensor(&w, "absent", 24, 1, (uint64_t[]){1}, NULL, 0);
    gguf_write_end(&w, file);
    file->len -= 2;
}

static void build_terabyte(struct buf *file) {
    struct gguf_writer w = {0};
    gguf_write_tensor(&w, "huge", 2, 4, (uint64_t[]){1 << 20, 1 << 20, 16, 16}, NULL, 32);
    gguf_write_end(&w, file);
}

static void build_four_dims_wrap(struct buf *file) {
    struct gguf_writer w = {0};
    gguf_write_tensor(&w, "wraps", 0, 4, (uint64_t[]){1 << 16, 1 << 16, 1 << 16, 1 << 16}, NULL, 32);
    gguf_write_end(&w, file);
}

static void build_scalar_of_blocks(struct buf *file) {
    struct gguf_writer w = {0};
    gguf_write_tensor(&w, "scalar", 8, 0, NULL, NULL, 34);
    gguf_write_end(&w, file);
}

static const struct built {
    const char *name, *words;
    void (*build)(struct buf *file);
} built[] = {
    {"empty", "not a GGUF file: it has only 0 bytes", build_empty},
    {"zeros", "it begins with 00 00 00 00, expected 'GGUF'", build_zeros},
    {"foreign-safetensors", "not a GGUF file: it looks like a safetensors file", build_safetensors},
    {"foreign-lfs", "a Git LFS pointer", build_lfs},
    {"foreign-page", "a web page", build_page},
    {"nested-5", "key 'deep': arrays are nested deeper than 4", build_nested_5},
    {"nested-10000", "key 'deep': arrays are nested deeper than 4", build_nested_10000},
    {"nested-wide", "key 'wide': the file ends inside it", build_nested_wide},
    {"key-name-65536", "its name has 65536 bytes, at most 65535", build_key_too_long},
    {"key-name-long-twice", "kkk': it is there twice", build_long_key_twice},
    {"key-10000-times", "key 'kkkkk': it is there twice", build_key_10000_times},
    {"alignment-string", "key 'general.alignment': it is str, expected u32", build_alignment_string},
    {"alignment-array", "key 'general.alignment': it is array, expected u32", build_alignment_array},
    {"alignment-1-odd-place", "F64 at file offset", build_unaligned},
    {"tensor-name-64-full", "its name has 64 bytes", build_tensor_name_64},
    {"overlap-inside", "tensor 'small': at file offset 192 it overlaps tensor 'large'", build_overlap_inside},
    {"overlap-many", "it overlaps tensor 't", build_overlap_many},
    {"tensor-twice", "tensor 'blk.0.attn_q.weight': it is there twice", build_tensor_twice},
    {"no-data", "tensor 'absent': its 32 bytes at data offset 0 lie beyond", build_no_data},
    {"no-padding", "tensor 'absent': its 1 bytes at data offset 0 lie beyond", build_no_padding},
    {"last-byte-missing", "tensor 'q4_x': its 144 bytes at data offset 320 lie beyond", build_last_byte},
    {"terabytes", "tensor 'huge': its 158329674399744 bytes at", build_terabyte},
    {"four-dims-wrap", "tensor 'wraps': its dimensions multiply to more than 2^63", build_four_dims_wrap},
    {"scalar-of-blocks", "tensor 'scalar': its rows have 1 elements, expected a multiple of 32",
     build_scalar_of_blocks},
};

// Where a name stands with its length before it: the offset of its first byte.
static size_t find_anchor(const struct buf *file, const char *anchor) {
    struct buf pattern = {0};
    gguf_put_str(&pattern, anchor, strlen(anchor));
    const char *found = memmem(file->ptr, file->len, pattern.ptr, pattern.len);
    buf_free(&pattern);
    return found ? (size_t)(found - file->ptr) + 8 : SIZE_MAX;
}

static bool apply(const struct patch *p, struct buf *file) {
    build_good(file);
    size_t at = (size_t)p->shift;
    if (p->field != ABSOLUTE) {
        size_t name = find_anchor(file, p->anchor);
        if (name == SIZE_MAX)
            return false;
        at += name + (p->field > NAME ? strlen(p->anchor) : 0) + (size_t)delta[p->field];
    }
    if (at + p->size > file->len)
        return false;
    if (p->size == CUT)
        file->len = at;
    for (unsigned i = 0; i < p->size; i++)
        file->ptr[at + i] = (char)(p->value >> (8 * i) & 0xFF);
    return true;
}

// Parses a block of exactly this size, so that the sanitizer sees a read beyond it.
static bool parse_exact(struct gguf **g, const char *bytes, size_t size, const char *name, struct err *e) {
    char *copy = malloc(size ? size : 1);
    if (!copy)
        return err_memory(e, size, name);
    if (size)
        memcpy(copy, bytes, size);
    bool ok = gguf_parse(g, copy, size, name, e);
    if (ok)
        LLVMFuzzerTestOneInput((const uint8_t *)copy, size);
    gguf_close(ok ? *g : NULL);
    free(copy);
    return ok;
}

// What becomes of each case: checked, or written to a directory.
typedef void case_fn(const char *name, const char *words, const struct buf *file, void *user);

static void check_case(const char *name, const char *words, const struct buf *file, void *user) {
    (void)user;
    struct gguf *g = NULL;
    struct err e = {0};
    char path[80];
    test_case("malformed %s", name);
    snprintf(path, sizeof path, "%s.gguf", name);
    CHECK_FAILS(parse_exact(&g, file->ptr, file->len, path, &e), &e, ERR_INPUT, words);
    CHECK_MSG(g == NULL, "a file is left");
    CHECK_MSG(strncmp(e.text, path, strlen(path)) == 0, "the file is not named: %s", e.text);
    CHECK_MSG(strpbrk(e.text, "\n\r\t\x1b") == NULL, "more than a line: %s", e.text);
}

struct corpus {
    const char *dir;
    FILE *expected;
    bool failed;
};

static void write_case(const char *name, const char *words, const struct buf *file, void *user) {
    struct corpus *c = user;
    char path[4096];
    if (file->len == 0)
        return; // a program refuses it before it is parsed
    snprintf(path, sizeof path, "%s/%s.gguf", c->dir, name);
    FILE *f = fopen(path, "wb");
    c->failed |= !f || fwrite(file->ptr, 1, file->len, f) != file->len;
    c->failed |= !f || fclose(f) != 0;
    fprintf(c->expected, "%s\t%s\n", name, words);
}

static void each_case(case_fn *fn, void *user) {
    struct buf file = {0};
    for (size_t i = 0; i < ARRAY_LEN(patches); i++) {
        bool applied = apply(&patches[i], &file);
        fn(patches[i].name, applied ? patches[i].words : "a place that is not in the file", &file, user);
    }
    for (size_t i = 0; i < ARRAY_LEN(built); i++) {
        built[i].build(&file);
        fn(built[i].name, built[i].words, &file, user);
    }
    buf_free(&file);
}

static int write_corpus(const char *dir) {
    char path[4096];
    snprintf(path, sizeof path, "%s/expected", dir);
    struct corpus c = {.dir = dir, .expected = fopen(path, "w")};
    if (c.expected)
        each_case(write_case, &c);
    if (!c.expected || fclose(c.expected) != 0 || c.failed) {
        fprintf(stderr, "malformed: cannot write to %s\n", dir);
        return 1;
    }
    return 0;
}

// Every prefix of a good file lacks something; the shortest that is whole is the file itself.
static void prefixes(void) {
    struct buf file = {0};
    struct gguf *g;
    struct err e = {0};
    test_case("malformed: the good file is good");
    build_good(&file);
    CHECK_CALL(parse_exact(&g, file.ptr, file.len, "good.gguf", &e), &e);
    test_case("malformed: every prefix of the good file, %zu bytes", file.len);
    for (size_t len = 0; len < file.len; len++) {
        CHECK_MSG(!parse_exact(&g, file.ptr, len, "prefix.gguf", &e), "%zu bytes are accepted", len);
        CHECK_MSG(e.class == ERR_INPUT, "%zu bytes: class %d", len, (int)e.class);
    }
    test_case("malformed: every byte of the good file set to 0, 1, 127, 128, 255");
    for (size_t i = 0; i < file.len; i++) {
        char kept = file.ptr[i];
        for (int k = 0; k < 5; k++) {
            file.ptr[i] = "\0\x01\x7f\x80\xff"[k];
            parse_exact(&g, file.ptr, file.len, "byte.gguf", &e);
        }
        file.ptr[i] = kept;
    }
    buf_free(&file);
}

static uint64_t next_random(uint64_t *state) {
    *state += 0x9E3779B97F4A7C15;
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static void change(struct buf *file, uint64_t *random) {
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      4,
                                      8,
                                      9,
                                      32,
                                      255,
                                      4096,
                                      UINT32_MAX,
                                      (uint64_t)1 << 31,
                                      (uint64_t)1 << 60,
                                      (uint64_t)1 << 63,
                                      UINT64_MAX,
                                      UINT64_MAX - 31};
    uint64_t r = next_random(random);
    size_t at = (size_t)((r >> 8) % file->len);
    static const unsigned sizes[] = {1, 1, 4, 8};
    unsigned size = sizes[r & 3];
    uint64_t value = r & 4 ? next_random(random) : values[(r >> 3 & 31) % ARRAY_LEN(values)];
    for (unsigned i = 0; i < size && at + i < file->len; i++)
        file->ptr[at + i] = (char)(value >> (8 * i) & 0xFF);
    if ((r >> 60) == 0)
        file->len -= (size_t)(next_random(random) % file->len);
}

static void changed_bytes(uint64_t seed) {
    struct buf good = {0}, file = {0};
    uint64_t random = seed;
    unsigned n = 0, accepted = 0;
    struct gguf *g;
    struct err e = {0};
    fprintf(stderr, "malformed: seed %llu\n", (unsigned long long)seed);
    test_case("malformed: changed bytes for 3 seconds");
    build_good(&good);
    for (time_t end = time(NULL) + 3; time(NULL) < end; n++) {
        file.len = 0;
        buf_append(&file, good.ptr, good.len);
        for (uint64_t k = next_random(&random) % 4; k < 4 && file.len > 0; k++)
            change(&file, &random);
        accepted += parse_exact(&g, file.ptr, file.len, "changed.gguf", &e);
    }
    CHECK_MSG(n > 100 && accepted > 0 && accepted < n, "%u files, %u accepted, seed %llu", n, accepted,
              (unsigned long long)seed);
    buf_free(&good);
    buf_free(&file);
}

int main(int argc, char **argv) {
    if (argc == 2 && strchr(argv[1], '/'))
        return write_corpus(argv[1]);
    each_case(check_case, NULL);
    prefixes();
    changed_bytes(argc == 2 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL));
    return test_end();
}
