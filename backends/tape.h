// SPDX-License-Identifier: MIT
// The tape: a forward pass written down as a flat list of operations, which a backend then runs. Models emit it with
// the calls below, one call a line of the paper; the CPU runs it with one entry of the thread pool, a GPU would record
// it into one command buffer.
//
// Every operand is a plain pointer into memory that the backend knows: the mapped file, or buffers from its alloc. A
// backend whose memory lies elsewhere finds the buffer of a pointer by its range. Activations are float32 matrices
// [rows][width], row-major and dense; a row is a token. Weights are [rows][cols] with a row contiguous in the file.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "quant/quant.h"

// Keys lie in pages of this many absolute positions: the unit in which attention sums (docs/DESIGN.md, arithmetic).
#define TAPE_PAGE 64
// Most rows of one tape, except for row-less operands.
#define TAPE_MAX_ROWS 256
#define TAPE_MAX_MATRICES 3

struct weight {
    const struct quant_format *format;
    const void *data; // [rows][cols] in the mapping
    uint32_t rows, cols;
    size_t row_size;   // bytes
    const float *bias; // [rows] or NULL
    float scale;       // multiplies the product; 1 in ordinary files
};

enum kv_type { KV_F16, KV_F32 };

// Keys and values of one layer. Page p holds positions [64 p, 64 p + 64): for each KV head, 64 keys, each contiguous.
// Where v is NULL no values are stored: a key's value is its own first dim_v <= dim_k elements (latent attention).
struct kv_layer {
    void *k, *v; // [page][head][64][dim]
    enum kv_type type;
    uint32_t n_heads, dim_k, dim_v;
    uint32_t ring; // pages that there is room for: page p lies at p % ring; 0: all of them
};

// Bytes of a page of one head's keys or values.
size_t kv_page_size(enum kv_type type, uint32_t dim);

enum rope_kind {
    ROPE_NORM, // pairs are neighbours: (0, 1), (2, 3), ...
    ROPE_NEOX, // pairs are halves: (0, rot / 2), (1, rot / 2 + 1), ...
};

enum activation { ACTIVATION_SILU, ACTIVATION_GELU };

enum tape_code {
    TAPE_EMBED,
    TAPE_ANGLES,
    TAPE_NORM,
    TAPE_MATMUL,
    TAPE_ROPE,
    TAPE_STORE,
    TAPE_ATTEND,
    TAPE_GLU,
    TAPE_ADD,
    TAPE_SOFTCAP
};

// y[row] = scale * table[ids[row]]
struct tape_embed {
    const struct weight *table;
    const int32_t *ids;
    float *y; // [rows][table->cols]
    float scale;
};

// The table that rope reads: row r holds cosine and sine of (pos + r) * theta[i] for i < half, times scale: half
// cosines, then half sines.
struct tape_angles {
    const double *theta; // radians per position
    float *table;        // [rows][2 * half]
    uint32_t half, pos;
    float scale;
};

// Root mean square norm of each of `groups` vectors of `len` in a row: y = x / sqrt(mean(x^2) + eps) * w. y may be x.
struct tape_norm {
    const float *x, *w; // [rows][groups * len], [len]
    float *y;
    uint32_t groups, len;
    float eps;
};

// y[i] = scale_i * (x W_i^T) + bias_i for up to three matrices that read the same input.
struct tape_matmul {
    const float *x; // [rows][cols]
    uint32_t n;
    const struct weight *w[TAPE_MAX_MATRICES];
    float *y[TAPE_MAX_MATRICES]; // [rows][w->rows]
};

// Rotates the first `rot` elements of every head in place by the angles of a table with half = rot / 2.
struct tape_rope {
    float *x; // [rows][heads * dim]
    const float *table;
    uint32_t heads, dim, rot;
    enum rope_kind kind;
};

// Puts the rows' keys and values at positions pos, pos + 1, ...
struct tape_store {
    const float *k, *v; // [rows][n_heads * dim]; v is not read where the layer stores no values
    const struct kv_layer *kv;
    uint32_t pos;
};

// What a window of w > 0 leaves of the keys that a row at position i would see.
enum window_kind {
    WINDOW_LAST,      // keys behind i - w
    WINDOW_CHUNK,     // keys of its chunk of positions: from i / w * w on
    WINDOW_SYMMETRIC, // keys i - w / 2 to i + w / 2
};

// Attention of rows at positions pos, pos + 1, ... A row's score for a key that it sees is
//     softcap(scale * q . k) - slope * |i - j| + bias,
// and its result is the softmax of its scores times the values. The layer need not be one that this tape stores into.
struct tape_attend {
    const float *q; // [rows][heads * dim_k]
    float *y;       // [rows][heads * dim_v]
    const struct kv_layer *kv;
    uint32_t pos, heads; // heads: a multiple of the layer's
    uint32_t window;     // 0: none
    float scale;
    float softcap; // 0: none; else softcap(s) = softcap * tanh(s / softcap)
    enum window_kind window_kind;
    uint32_t n_keys;     // 0: causal, a row sees the keys up to its own; else every row sees the first n_keys keys
    const float *slopes; // [heads] of ALiBi (Press et al. 2022), or NULL
    const float *bias;   // [heads][2 * span + 1], of distance j - i = -span ... span; beyond, the ends' values; or NULL
    uint32_t span;
    const float *sinks; // [heads] a score that takes part in the softmax and has no value, or NULL
};

// y = activation(gate) * up
struct tape_glu {
    const float *gate, *up; // [rows][len]
    float *y;
    uint32_t len;
    enum activation activation;
};

// y += x
struct tape_add {
    const float *x; // [rows][len]
    float *y;
    uint32_t len;
};

// x = cap * tanh(x / cap)
struct tape_softcap {
    float *x; // [rows][len]
    uint32_t len;
    float cap;
};

struct tape_op {
    enum tape_code code;
    uint32_t rows;
    union {
        struct tape_embed embed;
        struct tape_angles angles;
        struct tape_norm norm;
        struct tape_matmul matmul;
        struct tape_rope rope;
        struct tape_store store;
        struct tape_attend attend;
        struct tape_glu glu;
        struct tape_add add;
        struct tape_softcap softcap;
    };
};

// Room for `cap` operations is taken once; a tape is emptied and written again for every forward pass.
struct tape {
    struct tape_op *ops;
    size_t n, cap;
    uint32_t rows; // of the operations emitted from now on
    bool overflow; // more operations than cap: a bug of the caller, reported when the tape is run
    // Shown every matrix product when its input is complete, in order, one at a time; or NULL.
    void (*observe)(void *observer, const struct tape_op *op);
    void *observer;
};

bool tape_open(struct tape *t, struct arena *a, size_t cap, struct err *e);
void tape_clear(struct tape *t, uint32_t rows);

void tape_embed(struct tape *t, const struct weight *table, const int32_t *ids, float scale, float *y);
void tape_angles(struct tape *t, struct tape_angles a);
void tape_norm(struct tape *t, const float *x, const float *w, uint32_t groups, uint32_t len, float eps, float *y);
void tape_matmul(struct tape *t, const float *x, const struct weight *w, float *y);
void tape_matmul2(struct tape *t, const float *x, const struct weight *w0, float *y0, const struct weight *w1,
                  float *y1);
void tape_matmul3(struct tape *t, const float *x, const struct weight *w0, float *y0, const struct weight *w1,
                  float *y1, const struct weight *w2, float *y2);
void tape_rope(struct tape *t, float *x, const float *table, uint32_t heads, uint32_t dim, uint32_t rot,
               enum rope_kind kind);
void tape_store(struct tape *t, const float *k, const float *v, const struct kv_layer *kv, uint32_t pos);
void tape_attend(struct tape *t, struct tape_attend a);
void tape_glu(struct tape *t, const float *gate, const float *up, uint32_t len, enum activation activation, float *y);
void tape_add(struct tape *t, const float *x, uint32_t len, float *y);
void tape_softcap(struct tape *t, float *x, uint32_t len, float cap);

const char *tape_name(enum tape_code code);
