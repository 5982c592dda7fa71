// SPDX-License-Identifier: MIT
// Choosing formats: tensors are sorted into kinds by their names, a few facts about the model and the tensor's place
// are gathered as bits, and the first rule of mix_rules.h whose bits are all there decides.
#include "cmd/mix.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd/arch_keys.h"

enum kind {
    OTHER = 1 << 0,
    EMBED = 1 << 1,
    HEAD = 1 << 2,
    QUERIES = 1 << 3,
    KEYS = 1 << 4,
    VALUES = 1 << 5, // also queries, keys and values in one, and the values' second factor
    OUT = 1 << 6,
    UP = 1 << 7,
    GATE = 1 << 8,
    DOWN = 1 << 9,
    ANY = 0xffff,
};

enum condition {
    FALCON = 1 << 0,
    NOT_FALCON = 1 << 1,
    RAGGED = 1 << 2,   // rows that do not divide into blocks of the mix's own format
    STACKED = 1 << 3,  // a matrix for each expert
    GROUPED = 1 << 4,  // four query heads or more share a head of keys and values
    EXPERTS = 1 << 5,  // four experts or more
    EXPERTS8 = 1 << 6, // exactly eight
    NOT_EXPERTS8 = 1 << 7,
    MATRIX = 1 << 8, // there is an importance matrix
    NO_MATRIX = 1 << 9,
    LAYERS80 = 1 << 10, // and grouped heads: the 70B models
    // The tensor's place among those of its kind, from the first layer to the last.
    FIRST2 = 1 << 11,
    FIRST4 = 1 << 12,
    SIXTEENTH = 1 << 13,    // in the first sixteenth
    EIGHTH = 1 << 14,       // in the first eighth
    MIDDLE = 1 << 15,       // beyond the first and before the last eighth
    MORE_BITS = 1 << 16,    // in the first or last eighth, and every third between them
    COUNT_EIGHTH = 1 << 17, // EIGHTH, counting tensors also where experts make layers count
};

enum mix_id {
#define MIX(symbol, name, format, file_type) MIX_##symbol,
#include "cmd/mixes.h"
    N_MIXES
};

#define M(symbol) ((uint64_t)1 << MIX_##symbol)
#define ALL (((uint64_t)1 << N_MIXES) - 1)
#define TINY (M(IQ1_S) | M(IQ1_M) | M(IQ2_XXS) | M(IQ2_XS) | M(IQ2_S) | M(IQ2_M))

static const struct {
    uint64_t mixes;
    uint32_t kinds, conditions;
    enum quant_index format;
} rules[] = {
#define RULE(mixes, kinds, conditions, format) {mixes, kinds, conditions, QUANT_##format},
#include "cmd/mix_rules.h"
};

static const struct {
    const char *name, *format;
    uint32_t file_type;
} mixes[] = {
#define MIX(symbol, name, format, file_type) {name, format, file_type},
#include "cmd/mixes.h"
};

static const char *const names[] = {
#define MIX(symbol, name, format, file_type) name,
#include "cmd/mixes.h"
    NULL,
};

static const struct {
    const char *name;
    enum mix_id mix;
} aliases[] = {{"Q3_K", MIX_Q3_K_M}, {"Q4_K", MIX_Q4_K_M}, {"Q5_K", MIX_Q5_K_M}};

// Formats whose blocks are too long for a row, and what it gets instead.
static const struct {
    enum quant_index format, instead;
} fallbacks[] = {
    {QUANT_iq1_s, QUANT_iq4_nl},  {QUANT_iq1_m, QUANT_iq4_nl},  {QUANT_iq2_xxs, QUANT_iq4_nl},
    {QUANT_iq2_xs, QUANT_iq4_nl}, {QUANT_iq2_s, QUANT_iq4_nl},  {QUANT_iq3_xxs, QUANT_iq4_nl},
    {QUANT_iq3_s, QUANT_iq4_nl},  {QUANT_iq4_xs, QUANT_iq4_nl}, {QUANT_q1_0, QUANT_q4_0},
    {QUANT_q2_0, QUANT_q4_0},     {QUANT_q2_k, QUANT_q4_0},     {QUANT_q3_k, QUANT_q4_0},
    {QUANT_tq1_0, QUANT_q4_0},    {QUANT_tq2_0, QUANT_q4_0},    {QUANT_nvfp4, QUANT_mxfp4},
    {QUANT_q4_k, QUANT_q5_0},     {QUANT_q5_k, QUANT_q5_1},     {QUANT_q6_k, QUANT_q8_0},
};

// Tensors that stay as they are: parts of their names. They are small, or what they decide is too fine for few bits.
static const char *const kept[] = {
    "_norm.weight",        // norms
    "ffn_gate_inp.weight", // routers
    "ffn_gate_tid2eid",    // a table of numbers
    "altup",
    "laurel",
    "per_layer_model_proj",
    "position_embd.weight", // of positions and of kinds of tokens
    "token_types.weight",
    "conv1d", // convolutions
    "shortconv.conv",
    "indexer.k_proj.weight", // small projections
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight", // biases of positions
    ".position_embd",    // of images and sound
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
};

static const struct {
    const char *part;
    enum kind kind;
} kinds[] = {
    {"attn_qkv.weight", VALUES},
    {"attn_kv_b.weight", VALUES},
    {"attn_v.weight", VALUES},
    {"attn_k.weight", KEYS},
    {"attn_q.weight", QUERIES},
    {"attn_output.weight", OUT},
    {"ffn_up", UP},
    {"ffn_gate", GATE},
    {"ffn_down", DOWN},
};

static const struct quant_format *format_at(enum quant_index index) {
    size_t n;
    return &quant_all(&n)[index];
}

static bool holds(struct str name, const char *part) {
    return memmem(name.ptr, name.len, part, strlen(part)) != NULL;
}

static bool is(struct str name, const char *text) {
    return name.len == strlen(text) && memcmp(name.ptr, text, name.len) == 0;
}

static bool is_weight(struct str name) {
    const size_t n = strlen(".weight");
    return name.len >= n && memcmp(name.ptr + name.len - n, ".weight", n) == 0;
}

const char *const *mix_names(void) {
    return names;
}

static size_t find_mix(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
        if (strcasecmp(name, aliases[i].name) == 0)
            return aliases[i].mix;
    size_t i = 0;
    while (i < N_MIXES && strcasecmp(name, mixes[i].name) != 0)
        i++;
    return i;
}

bool mix_by_name(const char *name, bool pure, struct mix *out) {
    size_t i = find_mix(name);
    if (i == N_MIXES)
        return false;
    const struct quant_format *own = quant_by_name(name);
    *out = (struct mix){mixes[i].name, quant_by_name(mixes[i].format), mixes[i].file_type, pure ? 0 : (uint64_t)1 << i,
                        pure};
    if (pure && own)
        out->format = own;
    return quant_can_encode(out->format);
}

const struct quant_format *mix_fallback(const struct quant_format *f, uint64_t n) {
    for (size_t i = 0; n % f->block_len != 0 && i < ARRAY_LEN(fallbacks); i++) {
        if (fallbacks[i].format == f->index) {
            f = format_at(fallbacks[i].instead);
            break;
        }
    }
    return n % f->block_len == 0 ? f : format_at(QUANT_f16);
}

bool mix_takes(const struct mix *m, const struct gguf_tensor *t) {
    if (t->format->act == ACT_NONE)
        return false;
    if (m->format->index == QUANT_f32)
        return true; // everything is decoded
    if (t->n_dims < 2 || m->pure)
        return t->n_dims >= 2;
    bool stays = !is_weight(t->name);
    for (size_t i = 0; !stays && i < ARRAY_LEN(kept); i++)
        stays = holds(t->name, kept[i]);
    return !stays;
}

// What the rules look at.
struct facts {
    const struct mix *mix;
    const struct gguf *g;
    bool tied; // the embedding is the head
    uint64_t n_layers, n_experts, n_values;
    uint32_t always; // conditions that hold for every tensor
};

static enum kind kind_of(const struct facts *f, struct str name) {
    if (is(name, "output.weight"))
        return HEAD;
    if (is(name, "token_embd.weight") || is(name, "per_layer_token_embd.weight"))
        return f->tied ? HEAD : EMBED;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (holds(name, kinds[i].part))
            return kinds[i].kind;
    return OTHER;
}

// The first layer's number of an array, or the number that holds for all.
static uint64_t first_number(const struct gguf *g, const char *suffix) {
    const struct gguf_value *v = arch_value(g, suffix);
    if (v && v->type == GGUF_ARRAY && v->count && v->elem != GGUF_ARRAY && v->elem != GGUF_STR)
        return (uint64_t)gguf_array_int(v, 0);
    return arch_number(g, suffix, 0);
}

static void gather(struct facts *f, bool importance) {
    const struct gguf *g = f->g;
    uint64_t heads = first_number(g, "attention.head_count"), kv_heads = first_number(g, "attention.head_count_kv");
    bool falcon = is(arch_name(g), "falcon");
    kv_heads = kv_heads ? kv_heads : heads;
    f->tied = !gguf_find_tensor(g, "output.weight");
    f->n_layers = arch_number(g, "block_count", 0);
    f->n_experts = arch_number(g, "expert_count", 0);
    f->always = falcon ? FALCON : NOT_FALCON;
    f->always |= importance ? MATRIX : NO_MATRIX;
    f->always |= f->n_experts == 8 ? EXPERTS8 : NOT_EXPERTS8;
    f->always |= f->n_experts >= 4 ? EXPERTS : 0;
    f->always |= kv_heads && heads / kv_heads >= 4 ? GROUPED : 0;
    f->always |= f->n_layers == 80 && heads != kv_heads ? LAYERS80 : 0;
    for (uint64_t i = 0; i < g->n_tensors; i++)
        f->n_values += kind_of(f, g->tensors[i].name) == VALUES;
}

// The number in blk.N., or -1.
static int64_t layer_of(struct str name) {
    const size_t n = strlen("blk.");
    if (name.len < n || memcmp(name.ptr, "blk.", n) != 0)
        return -1;
    int64_t layer = 0;
    size_t i = n;
    for (; i < name.len && i < n + 9 && name.ptr[i] >= '0' && name.ptr[i] <= '9'; i++)
        layer = layer * 10 + (name.ptr[i] - '0');
    return i > n && i < name.len && name.ptr[i] == '.' ? layer : -1;
}

static uint32_t place_bits(uint64_t i, uint64_t n) {
    bool more = i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
    return (i < 2 ? FIRST2 : 0u) | (i < 4 ? FIRST4 : 0u) | (i < n / 16 ? SIXTEENTH : 0u) | (i < n / 8 ? EIGHTH : 0u) |
           (i >= n / 8 && i < 7 * n / 8 ? MIDDLE : 0u) | (more ? MORE_BITS : 0u);
}

// `count` tensors of this kind came before.
static uint32_t conditions_of(const struct facts *f, const struct gguf_tensor *t, enum kind kind, uint64_t count) {
    int64_t layer = layer_of(t->name);
    uint64_t n = kind == VALUES ? f->n_values : f->n_layers;
    uint64_t place = kind != VALUES && f->n_experts > 1 && layer >= 0 ? (uint64_t)layer : count;
    return f->always | place_bits(place, n) | (count < n / 8 ? COUNT_EIGHTH : 0u) | (t->dims[2] > 1 ? STACKED : 0u) |
           (t->dims[0] % f->mix->format->block_len ? RAGGED : 0u);
}

static const struct quant_format *apply_rules(const struct facts *f, const struct gguf_tensor *t, enum kind kind,
                                              uint64_t count) {
    uint32_t conditions = conditions_of(f, t, kind, count);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].mixes & f->mix->bit && rules[i].kinds & kind &&
            (rules[i].conditions & conditions) == rules[i].conditions)
            return format_at(rules[i].format);
    return f->mix->format;
}

static const struct quant_format *wished(struct mix_wish *wishes, size_t n, struct str name) {
    char text[256];
    memcpy(text, name.ptr, min_size(name.len, sizeof text - 1));
    text[min_size(name.len, sizeof text - 1)] = 0;
    for (size_t i = n; i-- > 0;) {
        if (regexec(&wishes[i].regex, text, 0, NULL, 0) == 0) {
            wishes[i].used = true;
            return wishes[i].format;
        }
    }
    return NULL;
}

static int compare_layers(const void *a, const void *b) {
    const struct gguf_tensor *s = *(const struct gguf_tensor *const *)a, *t = *(const struct gguf_tensor *const *)b;
    int64_t i = layer_of(s->name), k = layer_of(t->name);
    if (i != k)
        return i < k ? -1 : 1;
    int order = memcmp(s->name.ptr, t->name.ptr, min_size(s->name.len, t->name.len));
    return order ? order : (s->name.len > t->name.len) - (s->name.len < t->name.len);
}

// Files list tensors in any order; places are counted from the first layer to the last.
static const struct gguf_tensor **sort_layers(const struct gguf *g, struct err *e) {
    const struct gguf_tensor **sorted = malloc(max_size((size_t)g->n_tensors, 1) * sizeof *sorted);
    if (!sorted) {
        err_memory(e, (size_t)g->n_tensors * sizeof *sorted, g->path);
        return NULL;
    }
    for (size_t i = 0; i < g->n_tensors; i++)
        sorted[i] = &g->tensors[i];
    qsort(sorted, (size_t)g->n_tensors, sizeof *sorted, compare_layers);
    return sorted;
}

bool mix_choose(const struct mix *m, const struct gguf *g, bool importance, struct mix_wish *wishes, size_t n_wishes,
                const struct quant_format **formats, struct err *e) {
    struct facts f = {.mix = m, .g = g};
    uint64_t counts[16] = {0}; // by the kind's bit
    bool rules_apply = m->bit && m->format->block_len > 1;
    const struct gguf_tensor **sorted = sort_layers(g, e);
    gather(&f, importance);
    for (size_t i = 0; sorted && i < g->n_tensors; i++) {
        const struct gguf_tensor *t = sorted[i];
        const struct quant_format *to = t->format;
        if (mix_takes(m, t)) {
            enum kind kind = kind_of(&f, t->name);
            uint64_t *count = &counts[__builtin_ctz(kind)];
            const struct quant_format *wish = wished(wishes, n_wishes, t->name);
            to = wish ? wish : rules_apply ? apply_rules(&f, t, kind, *count) : m->format;
            to = mix_fallback(to, t->dims[0]);
            ++*count;
        }
        formats[t - g->tensors] = to;
    }
    bool ok = sorted != NULL;
    free(sorted);
    return ok;
}
