// SPDX-License-Identifier: MIT
// What the files of this room share: the rows of archs.h, the parts that layers are built of, the emitter.
#pragma once

#include "models/model.h"

// Limits that no model comes near; they keep every product of two dimensions in 64 bits and memory in bounds.
#define MAX_LAYERS 1024
#define MAX_WIDTH (1u << 20)
#define MAX_HEADS 1024
#define MAX_HEAD_DIM 1024 // ATTEND_MAX_DIM of the CPU backend
#define MAX_CTX (1u << 28)
#define MAX_EXPERTS TAPE_MAX_EXPERTS

struct emitter;

// Where the norms of a layer stand and what their tensors are called (models/layer.c).
enum norms {
    NORMS_PRE,             // attn_norm, ffn_norm
    NORMS_PRE_POST,        // attn_norm, post_attention_norm before the feed-forward
    NORMS_PRE_OUT,         // attn_norm, attn_output_norm before the feed-forward
    NORMS_SANDWICH,        // attn_norm, post_attention_norm behind; ffn_norm, post_ffw_norm behind
    NORMS_GROK,            // the same with attn_output_norm and layer_output_norm behind
    NORMS_POST,            // post_attention_norm, post_ffw_norm, both behind
    NORMS_PARALLEL,        // attention and feed-forward read attn_norm and are added together
    NORMS_PARALLEL_TWO,    // attention reads attn_norm, the feed-forward ffn_norm of the same x
    NORMS_PARALLEL_FALCON, // attention reads attn_norm_2 if there is one, the feed-forward attn_norm
    NORMS_STABLELM,        // as NORMS_PRE, or without ffn_norm as NORMS_PARALLEL
    NORMS_ONE,             // one attn_norm and one block a layer
    NORMS_ADDED,           // attn_output_norm, layer_output_norm of the sums
    NORMS_BARE,            // as NORMS_PRE, without weights
    NORMS_NONE,            // hyper-connections have them
};

enum ffn_shape {
    FFN_GLU,   // activation(gate) * up
    FFN_PLAIN, // activation(up)
    FFN_FUSED, // gate and up are the halves of ffn_up
};

enum rope_use { USE_ROPE_NORM, USE_ROPE_NEOX, USE_ROPE_NONE };

// Which layers have rope, where not all have it.
enum rope_layers {
    ROPE_ALL,
    ROPE_WINDOWED,          // those with a window, or all where none has one
    ROPE_WINDOWED_ONLY,     // those with a window
    ROPE_WINDOWED_OR_DENSE, // and the dense ones before the first with experts
    ROPE_NOT_LAST_OF_4,     // all but every fourth
    ROPE_NOT_FIRST_OF_4,    //
    ROPE_FINETUNED,         // none where rope.scaling.finetuned is false
    ROPE_PATTERN,           // attention.rope_pattern
};

enum arch_flags {
    ARCH_BIAS_QKV = 1 << 0,         // these biases must be there; others may
    ARCH_BIAS_O = 1 << 1,           //
    ARCH_BIAS_FFN = 1 << 2,         //
    ARCH_BIAS_NORM = 1 << 3,        //
    ARCH_BIAS_HEAD = 1 << 4,        //
    ARCH_NO_BIASES = 1 << 5,        // those of attention's output and the feed-forward are not used
    ARCH_TIED = 1 << 6,             // the head is the embedding
    ARCH_OWN_HEAD = 1 << 7,         // the head is never the embedding
    ARCH_POSITIONS = 1 << 8,        // learned positions are added to the embedding
    ARCH_EMBED_NORM = 1 << 9,       // the embedding is normed
    ARCH_SCALE_EMBED = 1 << 10,     // embeddings are multiplied by sqrt(n_embd)
    ARCH_DIVIDE_LOGITS = 1 << 11,   // logit_scale divides
    ARCH_NON_CAUSAL = 1 << 12,      // every token sees all others
    ARCH_SINKS = 1 << 13,           // attn_sinks must be there
    ARCH_FULL_ROPE = 1 << 14,       // rope must turn the whole head
    ARCH_SCALE_BY_DIM = 1 << 15,    // scores are divided by the head's size, not by its root
    ARCH_ROPE_FREQS = 1 << 16,      // rope_freqs, rope_factors_long, rope_factors_short are used
    ARCH_WINDOW_SECOND = 1 << 17,   // of a period the first layer sees all keys, else the last
    ARCH_WINDOW_UNSCALED = 1 << 18, // rope is not stretched in layers with a window
    ARCH_LAYER_SKIP = 1 << 19,      // the embedding is added to every layer's output, times layer_output_scale
    ARCH_YARN_OWN_MUL = 1 << 20,    // YaRN's multiplier is that of both of its parts
    ARCH_BARE_EMBED_NORM = 1 << 21, // the norm of the embedding has no weights
    ARCH_NO_BIAS_QKV = 1 << 23,     // biases of queries, keys and values are not used
    ARCH_SSM_NORMS = 1 << 24,       // norms within state-space blocks must be there
    ARCH_CONV_BIAS = 1 << 25,       // their convolution must have a bias
    ARCH_SAFE_GATE = 1 << 26,       // the decay of Kimi delta attention is bounded
    ARCH_RESIDUAL_NORMED = 1 << 27, // what a step adds to is its normed input, scaled
    ARCH_EITHER_EPS = 1 << 28,      // the epsilon has one of two names
    ARCH_NO_BIAS_O = 1 << 30,       // the bias of attention's output is not used
    ARCH_MAY_BIAS_HEAD = 1 << 22,   // the head's bias is used where there is one
};

// Norms of queries and keys; where a row does not say, they are there when the file has them.
enum qk_norm {
    QK_NORM = 1,       // must be there
    QK_NORM_LATE = 2,  // come after rope
    QK_NORM_LAYER = 4, // are layer norms whatever the others are
    QK_NORM_BARE = 8,  // have no weights
    V_NORM = 16,       // values are normed too, without weights
    V_MAY_BE_K = 32,   // and where attn_v is not there, they are keys before their norm
};

// Queries, keys and values in one matrix.
enum fused_qkv {
    QKV_MAY,          // or in three
    QKV_FUSED,        // always
    QKV_FUSED_WIDE,   // of three times the queries' rows, the first of which are used
    QKV_FUSED_THIRDS, // of three times the queries' rows, each part at the beginning of its third
};

// Gates of attention's output: activation(attn_gate x) for every element or every head.
enum attention_gate {
    GATE_NONE,
    GATE_SIGMOID,
    GATE_SOFTPLUS,
    GATE_IN_QUERY // a sigmoid of what lies behind each head's query in attn_q
};

enum moe_flags {
    MOE_NORMALIZE = 1,    // experts' weights are divided by their sum
    MOE_ROUTE_EARLY = 2,  // the router reads the layer's input
    MOE_WEIGH_FIRST = 4,  // experts' inputs are weighted, not what they give
    MOE_BIAS = 8,         // experts and their router have biases
    MOE_DENSE = 16,       // a dense feed-forward stands beside the experts
    MOE_ROUTER_NORM = 32, // the router reads the step's x under a norm of its own, ffn_gate_inp.scale / sqrt(n_embd)
};

// Optional keys that an architecture reads.
enum arch_keys {
    KEY_LOGIT_SCALE = 1 << 0,
    KEY_RESIDUAL_SCALE = 1 << 1,
    KEY_EMBED_SCALE = 1 << 2,
    KEY_ATTENTION_SCALE = 1 << 3,
    KEY_CLAMP_QKV = 1 << 4,
    KEY_ALIBI = 1 << 5,
    KEY_SOFTCAP = 1 << 6,
    KEY_ATTENTION_SOFTCAP = 1 << 7,
    KEY_TEMPER = 1 << 8,
    KEY_EXPERT_SCALE = 1 << 9,
    KEY_EXPERT_NORM = 1 << 10,
    KEY_EXPERT_GATING = 1 << 11,
    KEY_WINDOW = 1 << 12,
    KEY_WINDOW_MUST = 1 << 13,
    KEY_VALUE_SCALE = 1 << 14,
    KEY_LIMITS = 1 << 15,
    KEY_ROPE_ALPHA = 1 << 16,
    KEY_XIELU = 1 << 17, // must be there
    KEY_PER_LAYER = 1 << 18,
    KEY_SPARSITY = 1 << 19,
};

// Which layers have the recurrent block in place of attention.
enum recurrent_where {
    RECURRENT_NO_KV,        // those whose attention.head_count_kv is 0
    RECURRENT_NO_KV_NO_FFN, // those of them whose feed_forward_length is 0
    RECURRENT_ALL,          //
    RECURRENT_3_OF_4, // as attention.recurrent_layers says, or all but every full_attention_interval-th: the fourth
    RECURRENT_7_OF_8, // or the eighth
};

// How an architecture differs from a plain llama; a row of archs.h says only that.
struct arch {
    const char *name;
    enum norm_kind norm;
    enum norms norms;
    enum rope_use rope;
    enum rope_layers rope_layers;
    enum ffn_shape ffn;
    enum activation activation;
    unsigned flags, keys, qk, moe;
    enum fused_qkv qkv;
    enum attention_gate gate;
    enum activation delta_gate; // of what a gated delta net gives
    const char *last_norm;      // its name, where it is not output_norm
    float post_eps;             // of the norms behind blocks, where it is another
    uint32_t
        window_period; // every how-many-th layer sees all keys, unless the file says; 0: all layers have the window
    uint32_t window;   // unless the file says
    float window_rope_base; // of layers with a window, unless the file says; 0: that of the others
    enum window_kind window_kind;
    enum gating gating;    // unless the file says
    enum gating choose_by; // experts, where it is not the same
    enum glu_limit limit;
    float attention_softcap, alibi, embed_scale, logit_scale;
    float yarn_unit;               // of rope.scaling.yarn_log_multiplier; 0: the key is not read
    float beside_scale;            // of experts and what stands beside them, where something does
    const struct block *recurrent; // what stands in for attention
    enum recurrent_where recurrent_where;
    const struct block *attention;                  // in the others; NULL: block_attention
    const struct block *experts;                    // NULL: block_experts
    bool rank_softmax;                              // the classifier's scores are the softmax of what it gives
    bool (*adjust)(struct model *m, struct err *e); // what no field can say; before tensors are bound
    bool (*bind_layer)(struct model *m, uint32_t layer, struct err *e); // NULL: layer_bind
    void (*emit_layers)(struct emitter *em, float *x);                  // NULL: one after the other
    // Where an encoder stands before a decoder: writes down what the decoder keeps of what it gives, [rows][n_embd].
    void (*remember)(struct emitter *em, const float *encoded);
};

// A norm's weights; w NULL with `there` is a norm without.
struct norm {
    bool there;
    enum norm_kind kind;
    const float *w, *b;
    float eps;
};

// A kind of block: something between two norms. bind makes the weights of one layer; emit computes y [rows][n_embd]
// from x [rows][n_embd], and may take activation memory, which is free again afterwards. State that a block keeps from
// token to token is declared by bind in m->layers[layer].kv and state_size.
struct block {
    const char *name;
    bool (*bind)(struct model *m, uint32_t layer, void **weights, struct err *e);
    void (*emit)(struct emitter *em, uint32_t layer, const void *weights, const float *x, float *y);
};

#define MAX_UNITS 2 // blocks side by side
#define MAX_SUBS 3  // steps of a layer

// One step of a layer: x += scale * out(sum of blocks(in(x))), or x = out(x + scale * sum of blocks(in(x))).
struct sub {
    struct norm in, out;
    bool out_of_sum;
    struct norm again; // of that sum with the step's x added once more
    bool late;         // is added at the end of the layer
    bool same_input;   // reads what the step before read, normed or not, and is added together with it
    uint32_t n_units;
    struct unit {
        struct norm in, out; // within the step's
        const struct block *block;
        void *weights;
    } units[MAX_UNITS];
    float scale;
    float sum_scale; // multiplies the sum; 0: as it is
};

struct model_layer {
    uint32_t n_subs;
    struct sub subs[MAX_SUBS];
    uint32_t window; // 0: all keys
    bool windowed, rope, recurrent;
    struct model_kv kv;
    size_t state_size;
    struct weight early_router; // logits of experts from the layer's input; or empty
    const float *skip_scale;    // times the embedding, added at the layer's end; or NULL
    const float *out_scale;     // [1], multiplies the layer's output; or NULL
};

// Rotary frequencies of one kind of layer: theta[i] in radians per position, and a factor on sine and cosine.
struct rope {
    double *theta; // [rot / 2]
    uint32_t rot;
    uint32_t from_ctx; // used in contexts longer than this
    float scale;
    double dynamic; // the base, where frequencies depend on the context; else 0
    float factor;   // of that
    uint32_t original_ctx;
    const float *divisors; // [rot / 2] or NULL
};

struct per_layer;

struct model {
    const struct arch *arch;
    const struct gguf *file;
    const struct rope_params *rope_params; // while the file is bound; or NULL
    struct arena arena;
    struct model_shape shape;
    struct model_needs needs;
    enum norm_kind norm;
    float eps;
    float attention_scale, embed_scale, residual_scale, logit_scale, softcap, attention_softcap, clamp_qkv, alibi;
    float temper_scale, temper_offset, expert_scale, value_scale;
    uint32_t temper_period;
    uint32_t n_experts, expert_gating;
    bool expert_norm;
    uint32_t rot, rot_window, head_dim_k_window, head_dim_v_window;
    bool neox, causal, rope_everywhere, rope_nowhere, no_windows, bare_qk_norm;
    uint32_t window; // where the file does not say
    struct rope rope, rope_long,
        rope_window; // of layers that see all keys, the same in long contexts, and with a window
    struct weight embed, head, positions;
    const float *type; // [n_embd] of the first segment, added to the embedding; or NULL
    struct norm embed_norm, output_norm, encoder_norm;
    struct weight dense[2];        // behind pooling, or empty
    struct weight hidden, classes; // of the classifier: classes(norm(activation(hidden x))), each may be empty
    struct norm hidden_norm;
    enum ffn_shape ffn;
    enum activation activation, hidden_activation; // of feed-forwards; of the classifier
    enum pooling ranked;
    struct model_layer *layers;
    uint32_t n_slots;   // 0: a slot for each layer of each loop
    uint32_t n_encoder; // layers of an encoder, which come first
    uint32_t n_own_kv;  // layers from this one on use keys and values of the last before it of their kind; 0: none
    struct per_layer *per_layer; // embeddings for each layer, or NULL
    void *special;               // of an architecture with a forward pass of its own
    float yarn_scale;            // what YaRN makes of queries and keys, for attention that scales scores by it
    uint32_t n_loops;            // times that the layers are run
    bool norm_between_loops;
    bool hard_ctx; // no more than shape.n_ctx, however positions are stretched
};

// Of layers.
extern const struct block block_attention, block_latent, block_ffn, block_experts, block_mamba, block_mamba2,
    block_plamo2, block_shortconv, block_delta, block_kda, block_lightning, block_grove, block_per_layer;

extern const struct block block_rwkv6, block_rwkv7;

bool layer_bind(struct model *m, uint32_t layer, struct err *e);
// The feed-forward of a layer, dense or with experts.
const struct block *layer_ffn(const struct model *m, uint32_t layer);
// A step of one block under the usual norms, or with block NULL one that layer_join fills.
bool layer_add(struct model *m, uint32_t layer, const char *in, const char *out, const struct block *block,
               struct err *e);

// One more block in the layer's last step, with norms of its own; names as in layer_add.
bool layer_join(struct model *m, uint32_t layer, const char *in, const char *out, const struct block *block,
                struct err *e);

// The rotary settings of the file and of m->rope_params (models/rope.c).
bool rope_init(struct model *m, struct err *e);

// Reading the file (models/bind.c): keys get the architecture's prefix, `%` in a tensor's name the layer.
bool bind_u32(const struct model *m, const char *key, bool required, uint32_t *out, struct err *e);
bool bind_f32(const struct model *m, const char *key, bool required, float *out, struct err *e);
bool bind_bool(const struct model *m, const char *key, bool required, bool *out, struct err *e);
// A number that the file gives once for all layers or in an array with one for each.
bool bind_u32_at(const struct model *m, const char *key, uint32_t layer, bool required, uint32_t *out, struct err *e);
bool bind_f32_at(const struct model *m, const char *key, uint32_t layer, bool required, float *out, struct err *e);
// The same for a key that is written out.
bool bind_f32_whole(const struct model *m, const char *name, uint32_t layer, bool required, float *out, struct err *e);
// "PREFIX.key" as the file has it.
void bind_key(const struct model *m, const char *key, char out[128]);
// A row of a table of numbers with their range; an optional 0 leaves the value as it is.
struct range_row {
    const char *key;
    uint32_t *value;
    uint32_t least, most;
    bool required;
};
bool bind_ranges(const struct model *m, uint32_t layer, const struct range_row *rows, size_t n, struct err *e);

// Whether the tensor "NAME.weight" (or NAME as it stands) is in the file.
bool bind_has(const struct model *m, const char *name, uint32_t layer);
// Size of dimension `dim` of "NAME.weight", 0 when it is absent.
uint32_t bind_dim(const struct model *m, const char *name, uint32_t layer, uint32_t dim);

enum bind_flags {
    BIND_MUST = 1,      // absent is an error
    BIND_BIAS = 2,      // NAME.bias may be there
    BIND_BIAS_MUST = 4, // must be there
    BIND_NO_SCALE = 8,  // NAME.scale is something else
};
// A matrix [rows][cols]; *w stays empty (data NULL) when it is absent and need not be there.
bool bind_matrix(struct model *m, const char *name, uint32_t layer, uint32_t rows, uint32_t cols, unsigned flags,
                 struct weight *w, struct err *e);
// `count` matrices of one tensor [count][rows][cols].
bool bind_matrices(struct model *m, const char *name, uint32_t layer, uint32_t count, uint32_t rows, uint32_t cols,
                   unsigned flags, struct weight *w, struct err *e);
// Rows [first, first + rows) of each matrix of a bound tensor.
struct weight bind_rows(const struct weight *w, uint32_t first, uint32_t rows);
// Floats of any shape with `len` elements; "NAME.suffix", or NAME alone where suffix is NULL or that is absent. *out
// stays NULL when it is absent and not required.
bool bind_floats(struct model *m, const char *name, const char *suffix, uint32_t layer, uint64_t len, bool required,
                 const float **out, struct err *e);
// NAME.bias alone.
bool bind_bias(struct model *m, const char *name, uint32_t layer, uint64_t len, bool required, const float **out,
               struct err *e);
// The norm NAME of len elements, of the architecture's kind; name NULL is none.
bool bind_norm(struct model *m, const char *name, uint32_t layer, uint32_t len, bool required, struct norm *out,
               struct err *e);
void *bind_alloc(struct model *m, size_t size, struct err *e);

// Writing a forward pass: what it goes onto and where its buffers lie.
struct emitter {
    const struct model *m;
    struct tape *t;
    const struct model_batch *batch;
    float *base;       // of the activation memory
    size_t used, most; // floats
    float *angles, *angles_window;
    float *first_value;         // [rows][n_embd] of the first layer, for RWKV 7
    const float *router_logits; // [rows][n_experts] of the layer at hand where they were made early, or NULL
    const float *embedding;     // [rows][n_embd] where a layer may want it again, or NULL
    const float *x;             // [rows][n_embd] what the step at hand adds to
    const float *per_layer;     // [rows][n_layers][width] embeddings for each layer, or NULL
    bool last;                  // the layer at hand is the pass's last one
    uint32_t skip;              // rows at the front that the rest of the pass leaves out
    struct model_batch rest;    // the batch without them
};

// Room for n floats, until em->used is set back.
float *emit_take(struct emitter *em, size_t n);
// n floats for every token of the batch.
float *emit_rows(struct emitter *em, size_t n);
void emit_norm(struct emitter *em, const struct norm *n, const float *x, uint32_t groups, uint32_t len, float *y);
// Whatever the norm is: y, or x itself where there is none.
const float *emit_normed(struct emitter *em, const struct norm *n, const float *x, float *y);
// In the last layer, what nobody wants of a batch may be left out: then x ends in the rows from em->skip on.
void emit_layer(struct emitter *em, uint32_t layer, float *x);
// n floats of queries grow with their position, where the model wants it.
void emit_temper(struct emitter *em, uint32_t layer, uint32_t n, float *q);

// Embeddings for each layer (models/per_layer.c): bound where the file has them; made of x, the embedding, for the
// batch.
bool per_layer_bind(struct model *m, struct err *e);
void per_layer_emit(struct emitter *em, const float *x);

// Pooling and what follows it (models/pooling.c): keys and tensors.
bool pooling_bind(struct model *m, struct err *e);
// What model_finish writes.
float *emit_finish(struct emitter *em, enum pooling p);

// Fills m->needs (models/forward.c).
bool model_measure(struct model *m, struct err *e);
