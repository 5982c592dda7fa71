// SPDX-License-Identifier: MIT
// The slots that a SIMD level can fill. The scalar level fills all of them and is the specification: every other level
// gives the same bits, but where it says that it rounds. Formats have a slot each; a level without a direct kernel
// leaves the lower level's.
#pragma once

#include "backends/tape.h"
#include "quant/quant.h"

// Rows of weights that one piece of matrix work covers, and the lanes of a panel.
#define PANEL_ROWS 32

// y[c * y_stride + r] = row r . vector c, for rows x cols results.
struct dot_job {
    const struct quant_format *format;
    const char *w; // rows, row_size bytes apart
    size_t row_size;
    uint32_t rows; // 1..PANEL_ROWS
    const char *x; // records of activations, x_stride bytes apart
    size_t x_stride;
    const struct quant_layout *layout; // of a record
    uint32_t cols;
    size_t n; // elements of a row
    float *y;
    size_t y_stride;
    void *panel; // scratch of panel_size(n) bytes, aligned to 64, for levels that unpack
    bool again;  // one column, and the panel is as the same kernel left it after other rows times the same column
    // Weights that the same thread is likely to read next, so that a kernel can ask for them ahead: never read, and
    // NULL and 0 where none are.
    const char *next;
    size_t next_size;
};

// What rows have found: their maxima m[rows], sums s[rows] and weighted values acc[rows][dim_v]. A row that has seen
// nothing has m = -inf and 0 elsewhere.
struct attend_found {
    float *m, *s, *acc;
};

// One page of keys and values against `rows` queries (a row is a token and a head of the group that shares the keys).
// Row r sees the keys lo[r] .. hi[r] - 1 of the page, and merges what it finds into `found`; lo >= hi leaves it alone.
struct attend_job {
    uint32_t rows; // 1..ATTEND_ROWS
    const float *const *q;
    const struct quant_vec *codes; // [rows] quantized keys only: the queries as ACT_Q8, zeros up to whole blocks
    const float *qt; // float keys only, with more than ATTEND_FEW rows: [dim_k][ATTEND_ROWS] the queries again, 0 where
                     // no row is
    const uint32_t *lo, *hi;
    const void *k, *v;           // pages; v == k: a value is the first dim_v elements of its key
    const char *next_k, *next_v; // what will be read after this, to be asked for ahead, if size is not 0
    size_t size_k, size_v;
    enum kv_type type;
    uint32_t dim_k, dim_v;
    float scale, softcap;
    const float *bias; // [rows][TAPE_PAGE] added to the scores, or NULL
    struct attend_found found;
    float *scores;    // scratch [ATTEND_ROWS][TAPE_PAGE]
    float *k32, *v32; // scratch [TAPE_PAGE][dim] each, dim up to whole blocks
};

#define CONV_PIECE 128 // most channels of a call of conv
#define ATTEND_ROWS 64
#define ATTEND_FEW 8
#define ATTEND_MAX_DIM 1024 // of a head

// A loop of the level's own instructions on registers only, for knowing how near a kernel comes to it.
struct kernel_peak {
    const char *sequence; // as an assembler calls the instructions; NULL: the level has no such loop
    double ops;           // multiplications and additions of a round
    void (*run)(uint64_t rounds);
};

struct kernels {
    const char *level;
    // Fills a record of the activation kind from x[n].
    void (*encode[N_ACTS])(const float *x, size_t n, void *record);
    // Few columns: rows read straight from the file.
    void (*dot[N_QUANTS])(const struct dot_job *j);
    // Many columns: rows unpacked into a panel first. NULL: none at this level, dot serves.
    void (*gemm[N_QUANTS])(const struct dot_job *j);
    uint8_t gemm_cols[N_QUANTS]; // from how many columns on gemm beats dot; 0: GEMM_MIN_COLS
    bool rounds[N_QUANTS];       // dot and gemm want ACT_BF16 for ACT_F32: near the scalar bits, the same of both
    void (*norm)(const float *x, const float *w, size_t n, float eps, float *y);                       // w may be NULL
    void (*layer_norm)(const float *x, const float *w, const float *b, size_t n, float eps, float *y); // or w, or b
    void (*act[N_ACTIVATIONS])(const float *a, const float *b, size_t n, float *y); // activation(a) * b; b may be NULL
    // Rows [row, row + n) of the states [heads][dv] through all tokens: of one head, or of heads with one row each that
    // share keys and queries.
    void (*recur)(const struct tape_recur *o, uint32_t tokens, uint32_t row, uint32_t n);
    // Channels [first, first + n) for all tokens, n <= CONV_PIECE and at most 64 taps; the state stays as it is.
    void (*conv)(const struct tape_conv *o, uint32_t tokens, uint32_t first, uint32_t n);
    void (*add)(const float *x, float scale, size_t n, float *y); // y += scale * x
    // Turns the `half` pairs of x that the kind says by the angles of these cosines and sines.
    void (*rope)(float *x, const float *cosine, const float *sine, size_t half, enum rope_kind kind);
    void (*to_f16)(const float *x, size_t n, uint16_t *y);
    void (*attend)(const struct attend_job *j);
    // Merges what `part` holds into `all`, for `rows` rows of `dim` values.
    void (*merge)(const struct attend_found *all, const struct attend_found *part, uint32_t rows, uint32_t dim);
    struct kernel_peak peak_int, peak_float; // of 8-bit integers and of float32
};

// What the slots of a format want.
static inline enum quant_act kernels_act(const struct kernels *k, const struct quant_format *f) {
    return k->rounds[f->index] ? ACT_BF16 : f->act;
}

// The smallest number of columns for which gemm beats dot, where a level does not say.
#define GEMM_MIN_COLS 4

// Bytes of scratch that a slot may use for PANEL_ROWS rows of n elements: so many, and for every 256 begun.
#define PANEL_BYTES 163840
#define PANEL_BYTES_PER_256 16384
size_t kernels_panel_size(size_t n);

// The table of the best level that the machine and the cap allow: NULL cap for no cap. An unknown name is ERR_USAGE, a
// level that the machine or the build lacks is ERR_SYSTEM.
bool kernels_init(struct kernels *k, const char *cap, struct err *e);

// One row of levels.h each.
#define LEVEL(name, features) void kernels_fill_##name(struct kernels *k);
#define LEVEL_ELSEWHERE(name)
#include "backends/cpu/levels.h"
