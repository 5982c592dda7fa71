// SPDX-License-Identifier: MIT
// The table of formats, decoding, the scalar dot products, and the activation side that integer formats share.
#include "quant/quant.h"

#include <float.h>
#include <strings.h>

#include "quant/blocks.h"

#define ROW(sym, label, number, len, size, top)                                                                        \
    .name = label, .id = number, .block_len = len, .block_size = size, .index = QUANT_##sym, .largest = top
static const struct quant_format formats[] = {
#define FORMAT_FLOAT(sym, name, id, len, size, top)                                                                    \
    {ROW(sym, name, id, len, size, top), .act = ACT_F32, .read_float = quant_read_##sym,                               \
     .write_float = quant_write_##sym},
#define FORMAT_PLAIN(sym, name, id, len, size, top)                                                                    \
    {ROW(sym, name, id, len, size, top), .read_float = quant_read_##sym},
#define FORMAT_16(sym, name, id, len, size, top)                                                                       \
    {ROW(sym, name, id, len, size, top), .act = ACT_Q8, .read16 = quant_read_##sym, .encode = quant_encode_##sym},
#define FORMAT_32(sym, name, id, len, size, top)                                                                       \
    {ROW(sym, name, id, len, size, top), .act = ACT_Q8, .read32 = quant_read_##sym, .encode = quant_encode_##sym},
#define FORMAT_256(sym, name, id, len, size, top)                                                                      \
    {ROW(sym, name, id, len, size, top), .act = ACT_Q8K, .read256 = quant_read_##sym, .encode = quant_encode_##sym},
#define FORMAT_NAMED(sym, name, id, len, size, top) {ROW(sym, name, id, len, size, top)},
#include "quant/formats.h"
};

// Formats that GGUF files could once hold; the ids stay taken.
static const struct {
    uint32_t id;
    const char *name;
} removed_formats[] = {
    {4, "Q4_2"},      {5, "Q4_3"},        {31, "Q4_0_4_4"},   {32, "Q4_0_4_8"},
    {33, "Q4_0_8_8"}, {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"},
};

const struct quant_format *quant_all(size_t *n) {
    *n = ARRAY_LEN(formats);
    return formats;
}

const struct quant_format *quant_by_id(uint32_t id, const char **removed) {
    *removed = NULL;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (formats[i].id == id)
            return &formats[i];
    for (size_t i = 0; i < ARRAY_LEN(removed_formats); i++)
        if (removed_formats[i].id == id)
            *removed = removed_formats[i].name;
    return NULL;
}

const struct quant_format *quant_by_name(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (strcasecmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

bool quant_row_size(const struct quant_format *f, uint64_t n, uint64_t *size) {
    return n % f->block_len == 0 && mul_fits(n / f->block_len, f->block_size, size);
}

static void decode16(const struct quant_format *f, const char *row, float *out, size_t n) {
    for (size_t at = 0; at < n; at += f->block_len, row += f->block_size) {
        struct quant_block16 runs[QUANT_MAX_RUNS];
        f->read16(row, runs);
        for (size_t i = 0; i < f->block_len; i++)
            out[at + i] = runs[i / 16].d * (float)(runs[i / 16].q[i % 16] - runs[i / 16].zero);
    }
}

static void decode32(const struct quant_format *f, const char *row, float *out, size_t n) {
    for (size_t at = 0; at < n; at += f->block_len, row += f->block_size) {
        struct quant_block32 runs[QUANT_MAX_RUNS] = {0};
        f->read32(row, runs);
        for (size_t i = 0; i < f->block_len; i++) {
            const struct quant_block32 *k = &runs[i / 32];
            float v = k->d * (float)(k->q[i % 32] - k->zero);
            out[at + i] = k->has_min ? v + k->m : v;
        }
    }
}

static void decode256(const struct quant_format *f, const char *row, float *out, size_t n) {
    for (size_t b = 0; b < n / 256; b++) {
        struct quant_block256 k = {0};
        f->read256(row + b * f->block_size, &k);
        for (size_t i = 0; i < 256; i++) {
            float v = k.d * (float)k.scale[i / 16] * (float)(k.q[i] - k.zero);
            out[b * 256 + i] = k.has_min ? v - k.dmin * (float)k.min[i / 16] : v;
        }
    }
}

void quant_decode(const struct quant_format *f, const void *row, float *out, size_t n) {
    if (f->read_float)
        f->read_float(row, out, n);
    else if (f->read16)
        decode16(f, row, out, n);
    else if (f->read32)
        decode32(f, row, out, n);
    else
        decode256(f, row, out, n);
}

static float dot_float(const struct quant_format *f, const char *row, const struct quant_vec *x, size_t n) {
    float sum[16] = {0}, w[256];
    for (size_t i = 0; i < n; i += 256) {
        size_t len = min_size(256, n - i);
        f->read_float(row + i * f->block_size, w, len);
        for (size_t j = 0; j < len; j++)
            sum[j % 16] = num_fma(w[j], x->f[i + j], sum[j % 16]);
    }
    return quant_sum16(sum);
}

static float dot16(const struct quant_format *f, const char *row, const struct quant_vec *x, size_t n) {
    float sum[8] = {0};
    size_t b = 0, runs = f->block_len / 16;
    for (; b < n / 16; row += f->block_size) {
        struct quant_block16 k[QUANT_MAX_RUNS];
        f->read16(row, k);
        for (size_t r = 0; r < runs; r++, b++) {
            int32_t dot = 0;
            for (size_t i = 0; i < 16; i++)
                dot += (k[r].q[i] - k[r].zero) * x->q[b * 16 + i];
            sum[b % 8] = num_fma(k[r].d * x->d[b / 2], (float)dot, sum[b % 8]);
        }
    }
    return quant_sum8(sum);
}

static float dot32(const struct quant_format *f, const char *row, const struct quant_vec *x, size_t n) {
    float sum[8] = {0};
    size_t b = 0, runs = f->block_len / 32;
    for (; b < n / 32; row += f->block_size) {
        struct quant_block32 k[QUANT_MAX_RUNS] = {0};
        f->read32(row, k);
        for (size_t r = 0; r < runs; r++, b++) {
            int32_t dot = 0;
            for (size_t i = 0; i < 32; i++)
                dot += (k[r].q[i] - k[r].zero) * x->q[b * 32 + i];
            sum[b % 8] = num_fma(k[r].d * x->d[b], (float)dot, sum[b % 8]);
            if (k[r].has_min)
                sum[b % 8] = num_fma(k[r].m, x->s[b], sum[b % 8]);
        }
    }
    return quant_sum8(sum);
}

static float dot256(const struct quant_format *f, const char *row, const struct quant_vec *x, size_t n) {
    float sum[8] = {0};
    for (size_t b = 0; b < n / 256; b++) {
        struct quant_block256 k = {0};
        f->read256(row + b * f->block_size, &k);
        const int8_t *q = x->q + b * 256;
        const int16_t *bs = x->bs + b * 16;
        int32_t dot = 0, offset = 0;
        for (int j = 0; j < 16; j++) {
            int32_t part = 0;
            for (int i = 0; i < 16; i++)
                part += (k.q[16 * j + i] - k.zero) * q[16 * j + i];
            dot += k.scale[j] * part;
            offset += k.min[j] * bs[j];
        }
        sum[b % 8] = num_fma(k.d * x->d[b], (float)dot, sum[b % 8]);
        if (k.has_min)
            sum[b % 8] = num_fma(-(k.dmin * x->d[b]), (float)offset, sum[b % 8]);
    }
    return quant_sum8(sum);
}

float quant_dot(const struct quant_format *f, const void *row, const struct quant_vec *x, size_t n) {
    if (f->read_float)
        return dot_float(f, row, x, n);
    if (f->read16)
        return dot16(f, row, x, n);
    return f->read32 ? dot32(f, row, x, n) : dot256(f, row, x, n);
}

struct quant_layout quant_act_layout(enum quant_act act, size_t n) {
    if (act == ACT_F32)
        return (struct quant_layout){.size = round_up(n * sizeof(float), 64)};
    if (act == ACT_BF16) {
        // Records a multiple of 2 KiB apart would lie in the same sets of a first-level cache.
        size_t size = round_up(n * sizeof(uint16_t), 64);
        return (struct quant_layout){.size = size % 2048 ? size : size + 11 * 64};
    }
    size_t blocks = act == ACT_Q8K ? n / 256 : n / 32;
    struct quant_layout l = {0};
    l.d = round_up(n, 64);
    l.s = l.d + round_up(blocks * sizeof(float), 64);
    l.bs = l.s + (act == ACT_Q8 ? round_up(blocks * sizeof(float), 64) : 0);
    l.size = l.bs + round_up(n / 16 * sizeof(int16_t), 64);
    return l;
}

struct quant_vec quant_act_vec(const struct quant_layout *layout, const void *record) {
    const char *base = record;
    return (struct quant_vec){
        .f = record,
        .q = (const int8_t *)(base + layout->q),
        .d = (const float *)(const void *)(base + layout->d),
        .s = (const float *)(const void *)(base + layout->s),
        .bs = (const int16_t *)(const void *)(base + layout->bs),
    };
}

// One block: returns its scale. Comparisons are written as the vector instructions decide them, NaN included.
static float encode_block(const float *x, size_t len, int8_t *q, int16_t *bs) {
    float top = 0;
    for (size_t i = 0; i < len; i++) {
        float a = num_float(num_bits(x[i]) & 0x7fffffff);
        top = a > top ? a : top;
    }
    float inverse = top > 0x1p-100f ? 127.0f / top : 0.0f;
    memset(bs, 0, len / 16 * sizeof *bs);
    for (size_t i = 0; i < len; i++) {
        float v = x[i] * inverse;
        v = v > -127.0f ? v : -127.0f;
        v = v < 127.0f ? v : 127.0f;
        q[i] = (int8_t)num_round(v);
        bs[i / 16] = (int16_t)(bs[i / 16] + q[i]);
    }
    return top > 0x1p-100f ? top / 127.0f : 0.0f;
}

// As the processor's instruction does it: NaN stays NaN.
static uint16_t encode_bf16(float x) {
    uint32_t bits = num_bits(x), size = bits & 0x7fffffff;
    if (size > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    if (size < 0x00800000)
        return (uint16_t)(bits >> 16 & 0x8000);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void quant_act_encode(enum quant_act act, const float *x, size_t n, void *record) {
    struct quant_layout l = quant_act_layout(act, n);
    if (act == ACT_F32) {
        memcpy(record, x, n * sizeof *x);
        return;
    }
    if (act == ACT_BF16) {
        uint16_t *y = record;
        for (size_t i = 0; i < round_up(n, 32); i++)
            y[i] = i < n ? encode_bf16(x[i]) : 0;
        return;
    }
    size_t len = act == ACT_Q8K ? 256 : 32;
    int8_t *q = (int8_t *)record + l.q;
    float *d = (float *)(void *)((char *)record + l.d);
    float *s = (float *)(void *)((char *)record + l.s);
    int16_t *bs = (int16_t *)(void *)((char *)record + l.bs);
    for (size_t b = 0; b < n / len; b++) {
        d[b] = encode_block(x + b * len, len, q + b * len, bs + b * len / 16);
        if (act == ACT_Q8)
            s[b] = d[b] * (float)(bs[2 * b] + bs[2 * b + 1]);
    }
}

float quant_sum8(const float a[8]) {
    return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}

float quant_sum16(const float a[16]) {
    float half[8];
    for (int i = 0; i < 8; i++)
        half[i] = a[i] + a[i + 8];
    return quant_sum8(half);
}
