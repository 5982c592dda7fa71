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
// Pages are merged into chapters of so many, and these into the result.
#define TAPE_CHAPTER 4
// Most rows of one tape, except for row-less operands.
#define TAPE_MAX_ROWS 256
#define TAPE_MAX_MATRICES 3
#define TAPE_MAX_EXPERTS 1024

// A matrix of the file, or several of one shape that lie behind each other: experts, or one matrix for each head.
struct weight {
    const struct quant_format *format;
    const void *data; // [count][rows][cols] in the mapping
    uint32_t rows, cols;
    uint32_t count;    // matrices; 1 in ordinary ones
    size_t row_size;   // bytes
    size_t stride;     // bytes from matrix to matrix
    const float *bias; // [count][bias_stride] or NULL
    uint32_t bias_stride;
    const float *scales; // [count], multiply the products; or NULL
};

enum kv_type { KV_F16, KV_F32, KV_Q8_0, KV_Q4_0, N_KV_TYPES };

static inline bool kv_quantized(enum kv_type type) {
    return type == KV_Q8_0 || type == KV_Q4_0;
}

// Keys and values of one layer. Page p holds positions [64 p, 64 p + 64): for each KV head, 64 keys, each contiguous;
// where they are quantized, the backend decides how a head's page is laid out. Where v is NULL no values are stored: a
// key's value is its own first dim_v <= dim_k elements (latent attention).
struct kv_layer {
    void *k, *v; // [page][head][64][dim]
    enum kv_type type;
    uint32_t n_heads, dim_k, dim_v;
    uint32_t ring; // pages that there is room for: page p lies at p % ring; 0: all of them
};

// Bytes of a page of one head's keys or values; quantized vectors are filled up to whole blocks.
size_t kv_page_size(enum kv_type type, uint32_t dim);

enum rope_kind {
    ROPE_NORM, // pairs are neighbours: (0, 1), (2, 3), ...
    ROPE_NEOX, // pairs are halves: (0, rot / 2), (1, rot / 2 + 1), ...
};

enum norm_kind {
    NORM_RMS,   // x / sqrt(mean(x^2) + eps) (Zhang, Sennrich 2019)
    NORM_LAYER, // (x - mean) / sqrt(variance + eps) (Ba et al. 2016)
    NORM_L2,    // x / max(|x|, eps)
};

enum activation {
    ACTIVATION_SILU,
    ACTIVATION_GELU, // in its tanh form
    ACTIVATION_SIGMOID,
    ACTIVATION_RELU,
    ACTIVATION_RELU2,    // squared
    ACTIVATION_GELU_ERF, // the exact form
    ACTIVATION_SOFTPLUS, // ln(1 + e^a)
    ACTIVATION_TANH,
    ACTIVATION_EXP,
    ACTIVATION_NONE,        // a itself
    ACTIVATION_SIGNED_ROOT, // the root of |a|, or of 1e-6 where that is more, with the sign of a; 0 of 0
    N_ACTIVATIONS
};

// How a gate and its value become one, where a model limits them.
enum glu_limit {
    LIMIT_NONE,   // activation(a) * b
    LIMIT_AFTER,  // min(activation(a), limit) * clamp(b, limit)
    LIMIT_BEFORE, // activation(min(a, limit)) * clamp(b, limit)
    LIMIT_OAI,    // a sigmoid(1.702 a) * (b + 1), a and b limited before (gpt-oss)
};

enum tape_code {
    TAPE_EMBED,
    TAPE_ANGLES,
    TAPE_NORM,
    TAPE_MATMUL,
    TAPE_ROPE,
    TAPE_STORE,
    TAPE_ATTEND,
    TAPE_ACT,
    TAPE_ADD,
    TAPE_SCALE,
    TAPE_CLAMP,
    TAPE_COPY,
    TAPE_DOT,
    TAPE_TEMPER,
    TAPE_SOFTCAP,
    TAPE_XIELU,
    TAPE_SPARSIFY,
    TAPE_MIX,
    TAPE_ROUTE,
    TAPE_GROUP,
    TAPE_SPREAD,
    TAPE_COMBINE,
    TAPE_NGRAM,
    TAPE_CONV,
    TAPE_RECUR,
    N_TAPE_CODES
};

// y[row] = scale * table[ids[row]], or added to what is there; without ids the row's position is the index.
struct tape_embed {
    const struct weight *table;
    const int32_t *ids;
    float *y; // [rows][table->cols]
    float scale;
    uint32_t pos;
    bool add;
};

// The table that rope reads: row r holds cosine and sine of (pos + r) * theta[i] for i < half, times scale: half
// cosines, then half sines.
struct tape_angles {
    const double *theta; // radians per position
    float *table;        // [rows][2 * half]
    uint32_t half, pos;
    float scale;
};

// Norm of each of `groups` vectors of `len` in a row, times w, plus b. y may be x.
struct tape_norm {
    enum norm_kind kind;
    const float *x;     // [rows][groups * len]
    const float *w, *b; // [len], or NULL for 1 and 0
    float *y;
    uint32_t groups, len;
    bool w_of_group;   // w and b are [groups][len]
    const float *like; // [rows][len] NORM_L2: y has its length instead of 1; or NULL
    float eps;
};

// Which experts a batch's tokens go to. A slot is a token with one of its experts; slots are ordered by expert, so that
// each expert's tokens are the columns of one product.
struct tape_groups {
    uint32_t n_experts, n_used;
    const int32_t *ids;   // [rows][n_used]
    const float *weights; // [rows][n_used]
    uint32_t *begin;      // [n_experts + 1] first slot of each expert
    uint32_t *slot;       // [rows][n_used] slot of a token's k-th expert
    uint32_t *source;     // [rows * n_used] row * n_used + k of a slot
};

// y[i] = scale_i * (x W_i^T) + bias_i for up to three matrices that read the same input.
// With heads, row r is `heads` vectors of cols, each multiplied by its own matrix of W: y is [rows][heads * W->rows].
// With groups, y is [slots][W->rows], and x either [slots][cols] (of_slots) or [rows][cols], given to each expert of
// the row.
struct tape_matmul {
    const float *x; // [rows][x_stride]
    uint32_t n;
    const struct weight *w[TAPE_MAX_MATRICES];
    float *y[TAPE_MAX_MATRICES]; // [rows][w->rows]
    uint32_t heads;              // 0: one matrix
    uint32_t x_stride;           // floats from row to row; 0: as dense as can be
    struct tape_groups groups;   // n_experts 0: none
    bool of_slots;
};

// Rotates `rot` elements of every head in place, from element `first` on, by the angles of a table with half = rot / 2.
struct tape_rope {
    float *x; // [rows][heads * dim]
    const float *table;
    uint32_t heads, dim, rot, first;
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

// y = activation(a) * b, or activation(a) without b; y may be a or b. A row is `groups` vectors of `len`; with a_len 1
// a vector of b has one element of a.
struct tape_act {
    enum activation activation;
    enum glu_limit limit_kind;
    const float *a, *b; // [rows][groups * a_len], [rows][groups * len] or NULL
    float *y;
    uint32_t groups, len, a_len;
    float limit;
};

// y += scale * x
struct tape_add {
    const float *x; // [rows][len], or [len] for all rows
    float *y;
    uint32_t len;
    float scale;
    bool same; // x is one row
};

// x = scale * w * x; w is [groups * len], or one for each group, or absent
struct tape_scale {
    float *x; // [rows][groups * len]
    const float *w;
    uint32_t groups, len;
    bool of_group;
    float scale;
};

struct tape_clamp {
    float *x; // [rows][len]
    uint32_t len;
    float least, most;
};

// `groups` stretches of `len` from one row layout into another: gathers what lies apart, or spreads what lies dense.
struct tape_copy {
    const float *x;
    float *y;
    uint32_t groups, len;
    uint32_t x_row, x_group, y_row, y_group; // floats from row to row, from group to group; x_group 0 repeats
};

// y[g] = scale * (a . b) of each of `groups` vectors of `len`.
struct tape_dot {
    const float *a, *b; // [rows][groups * len]
    float *y;           // [rows][groups]
    uint32_t groups, len;
    float scale;
};

// x = x * (scale * ln(floor((pos + offset) / period) + 1) + 1): queries grow with their position (Llama 4).
struct tape_temper {
    float *x; // [rows][len]
    uint32_t len, pos;
    float offset, period, scale;
};

// x = cap * tanh(x / cap)
struct tape_softcap {
    float *x; // [rows][len]
    uint32_t len;
    float cap;
};

// y = x > 0 ? alpha_p x^2 + beta x : alpha_n (e^min(x, eps) - 1 - x) + beta x (Huang, Schlag 2024); y is not x.
struct tape_xielu {
    const float *x; // [rows][len]
    float *y;
    uint32_t len;
    float alpha_n, alpha_p, beta, eps;
};

// x = max(x - (mean + factor * standard deviation of the row), 0)
struct tape_sparsify {
    float *x; // [rows][len]
    uint32_t len;
    float factor;
};

// y[i] += sum over j < n_in of c[i][j] * x[j], ascending j: streams of a row, mixed by factors of the row's own.
struct tape_mix {
    const float *x, *c; // [rows][n_in][len], [rows][n_out][n_in]
    float *y;           // [rows][n_out][len]
    uint32_t n_in, n_out, len;
};

enum gating { GATING_SOFTMAX = 1, GATING_SIGMOID, GATING_SOFTMAX_CHOSEN, GATING_SQRT_SOFTPLUS };

// Chooses experts: the n_used largest of probability + bias, ties to the lower index, in descending order.
struct tape_route {
    const float *logits; // [rows][n_experts]
    const float *bias;   // [n_experts] for the choice alone, or NULL
    int32_t *ids;        // [rows][n_used]
    float *weights;      // [rows][n_used]
    uint32_t n_experts, n_used;
    uint32_t n_groups, n_groups_used; // experts are chosen among the best groups (DeepSeek-V3); 0: no groups
    uint32_t divide;                  // chosen index / divide is the expert; 1 in all but GroveMoE's second choice
    enum gating gating;
    enum gating choose_by; // 0: the logits themselves
    bool normalize;        // weights are divided by their sum
    float scale;
};

// Fills the slots of g from its ids.
struct tape_group {
    struct tape_groups groups;
};

// y[slot of k] = weight k * x[row] for every expert of a row.
struct tape_spread {
    struct tape_groups groups;
    const float *x; // [rows][len]
    float *y;       // [slots][len]
    uint32_t len;
};

// y[row] = sum over k of weight k * x[slot of k], ascending k; without weights the plain sum.
struct tape_combine {
    struct tape_groups groups;
    const float *x; // [slots][len]
    float *y;       // [rows][len]
    uint32_t len;
    bool weigh;
};

// Rows of tables, by hashes of ids. With c[0] the token's id and c[s] the id s tokens before it, or `end` where there
// is none or where an `end` lies between, element h = (n - 2) * per + g of a row is
//     ((c[0] m[0]) ^ ... ^ (c[n - 1] m[n - 1])) % sizes[h] + offsets[h]
// for n from 2 to size and g < per. The state holds the ids before the first row, plus 1, the last one first, and is
// brought up to date.
struct tape_ngram {
    const int32_t *ids; // [rows]
    int32_t *state;     // [size - 1], 0 for none
    int32_t *y;         // [rows][(size - 1) * per]
    uint32_t size, per;
    int32_t end;
    const uint64_t *multipliers; // m, [size]
    const uint64_t *offsets, *sizes;
};

// y[t][c] = activation(bias[c] + sum over j < width of w[c][j] * x[t - (width - 1 - j) * dilation][c]): a causal
// convolution of each channel with itself. The state holds the last (width - 1) * dilation rows of x, oldest first, and
// is brought up to date.
struct tape_conv {
    const float *x;     // [rows][x_stride]
    const float *w, *b; // [channels][width], [channels] or NULL
    float *y, *state;   // [rows][channels], [(width - 1) * dilation][channels]
    uint32_t channels, width, dilation, x_stride;
    bool silu;
};

enum recur_kind {
    RECUR_LINEAR, // S = decay S + (beta v) k^T, y = S q: linear attention, Mamba (Gu, Dao 2023; Dao, Gu 2024)
    RECUR_DELTA,  // S = decay S, then S += beta (v - S k) k^T, y = S q: gated delta rule (Yang et al. 2024)
    RECUR_RWKV6,  // y = (S + v (u k)^T) q, then S = decay S + v k^T (Peng et al. 2024)
    RECUR_RWKV7,  // S = decay S + (S a) b^T + v k^T, y = S q (Peng et al. 2025)
};

enum recur_decay {
    DECAY_NONE,
    DECAY_HEAD, // [rows][heads]: one factor a head
    DECAY_KEY,  // [rows][heads][dk]: one for each element of a key
    DECAY_RATE, // exp(beta * rate), rate [heads][dk]: Mamba's step times A
};

// A recurrence over the rows. Every head has a state S [dv][dk]; heads share keys and queries in groups.
struct tape_recur {
    enum recur_kind kind;
    enum recur_decay decay_kind;
    uint32_t heads, dk, dv, groups;
    bool modulo;                  // head h reads group h % groups, else h / (heads / groups)
    const float *q, *k, *v;       // [groups][dk], [groups][dk], [heads][dv] in each row
    uint32_t q_row, k_row, v_row; // floats from row to row
    const float *decay, *rate;    // as decay_kind says
    const float *beta;            // [rows][heads], or NULL for 1
    const float *bonus;           // RWKV-6: u [heads][dk]
    const float *a, *b;           // RWKV-7: [rows][heads][dk]
    float *y, *state;             // [rows][heads][dv], [heads][dv][dk]
    float scale;                  // of q
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
        struct tape_act act;
        struct tape_add add;
        struct tape_scale scale;
        struct tape_clamp clamp;
        struct tape_copy copy;
        struct tape_dot dot;
        struct tape_temper temper;
        struct tape_softcap softcap;
        struct tape_xielu xielu;
        struct tape_sparsify sparsify;
        struct tape_mix mix;
        struct tape_route route;
        struct tape_group group;
        struct tape_spread spread;
        struct tape_combine combine;
        struct tape_ngram ngram;
        struct tape_conv conv;
        struct tape_recur recur;
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

void tape_embed(struct tape *t, struct tape_embed o);
void tape_angles(struct tape *t, struct tape_angles a);
void tape_norm(struct tape *t, struct tape_norm o);
void tape_matmul(struct tape *t, const float *x, const struct weight *w, float *y);
void tape_matmul2(struct tape *t, const float *x, const struct weight *w0, float *y0, const struct weight *w1,
                  float *y1);
void tape_matmul3(struct tape *t, const float *x, const struct weight *w0, float *y0, const struct weight *w1,
                  float *y1, const struct weight *w2, float *y2);
void tape_matmuls(struct tape *t, struct tape_matmul o);
void tape_rope(struct tape *t, struct tape_rope o);
void tape_store(struct tape *t, const float *k, const float *v, const struct kv_layer *kv, uint32_t pos);
void tape_attend(struct tape *t, struct tape_attend a);
void tape_act(struct tape *t, struct tape_act o);
void tape_add(struct tape *t, struct tape_add o);
void tape_scale(struct tape *t, struct tape_scale o);
void tape_clamp(struct tape *t, struct tape_clamp o);
void tape_copy(struct tape *t, struct tape_copy o);
void tape_dot(struct tape *t, struct tape_dot o);
void tape_temper(struct tape *t, struct tape_temper o);
void tape_softcap(struct tape *t, float *x, uint32_t len, float cap);
void tape_xielu(struct tape *t, struct tape_xielu o);
void tape_sparsify(struct tape *t, float *x, uint32_t len, float factor);
void tape_mix(struct tape *t, struct tape_mix o);
void tape_route(struct tape *t, struct tape_route o);
void tape_group(struct tape *t, struct tape_groups groups);
void tape_spread(struct tape *t, struct tape_spread o);
void tape_combine(struct tape *t, struct tape_combine o);
void tape_ngram(struct tape *t, struct tape_ngram o);
void tape_conv(struct tape *t, struct tape_conv o);
void tape_recur(struct tape *t, struct tape_recur o);

// Operations emitted from now on have another number of rows: slots of experts instead of tokens.
void tape_rows(struct tape *t, uint32_t rows);

const char *tape_name(enum tape_code code);
