// SPDX-License-Identifier: MIT
// Writes tiny models for the command-line tests: make_model KIND FILE [NAME=VALUE]...
//   chain    a llama whose next token depends on the last one only: see `answer` and `next_of`. Attention and
//            feed-forward are computed and multiplied by zero, so long prompts take their time.
//   random   a llama with random weights: what it says means nothing, but every weight counts.
// experts=N: each feed-forward is N experts of which a token sees two. arch=NAME writes another architecture's name;
// window=N makes it a gemma3 whose first layer sees N keys; context=N; template=0, vocab=0, tensors=0 leave those out;
// thinks=1: the chain thinks first; sampling=T writes general.sampling.temp;
// suppress=ID a token that is never to be chosen; parts=N splits it: FILE-00001-of-0000N.gguf and so on. The vocabulary
// is byte-level BPE: 256 bytes, a few merges, control tokens.
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tests/gguf_write.h"

enum {
    MAX_EXPERTS = 16,
    EMBED = 288,
    FF = 64,
    HEADS = 4,
    KV_HEADS = 2,
    HEAD_DIM = EMBED / HEADS,
    LAYERS = 2,
    BYTES = 256
};

static const char *const merges[] = {"l o", "lo w", "c d", "e f"};
static const char *const controls[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"};
enum { N_VOCAB = BYTES + ARRAY_LEN(merges) + ARRAY_LEN(controls), END = N_VOCAB - 3, THINK = END + 1 };

// What the chain model says after a newline, and then ends its turn. No byte comes twice, or the chain would loop.
static const char answer[] = "OK: \xC3\xA9~!";

struct options {
    const char *arch;
    uint32_t context, window, experts;
    bool template, vocab, tensors;
    bool thinks;      // an answer begins with <think>12</think>
    float sampling;   // negative: no key
    int32_t suppress; // negative: no key
    unsigned parts;   // 0: one file
};

// Only a model that thinks has the tokens for it.
static size_t vocab_size(const struct options *o) {
    return o->thinks ? N_VOCAB : THINK;
}

// The characters that stand for bytes in byte-level vocabularies: printable ones for themselves, the others from
// U+0100.
static uint32_t byte_char(unsigned byte) {
    unsigned n = 0;
    for (unsigned b = 0; b < BYTES; b++) {
        bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        if (b == byte)
            return printable ? b : 0x100 + n;
        n += !printable;
    }
    return 0;
}

static void write_vocab(struct gguf_writer *w, size_t n_vocab) {
    char texts[N_VOCAB][32] = {0};
    const char *tokens[N_VOCAB];
    int32_t types[N_VOCAB];
    for (unsigned i = 0; i < N_VOCAB; i++) {
        tokens[i] = texts[i];
        types[i] = 1;
        if (i < BYTES) {
            utf8_encode(byte_char(i), texts[i]);
        } else if (i < BYTES + ARRAY_LEN(merges)) {
            const char *pair = merges[i - BYTES], *space = strchr(pair, ' ');
            snprintf(texts[i], sizeof texts[i], "%.*s%s", (int)(space - pair), pair, space + 1);
        } else {
            tokens[i] = controls[i - BYTES - ARRAY_LEN(merges)];
            types[i] = 3;
        }
    }
    gguf_write_str(w, "tokenizer.ggml.model", "gpt2");
    gguf_write_str(w, "tokenizer.ggml.pre", "gpt-2");
    gguf_write_strs(w, "tokenizer.ggml.tokens", tokens, n_vocab);
    gguf_write_array(w, "tokenizer.ggml.token_type", GGUF_I32, n_vocab, types, n_vocab * sizeof *types);
    gguf_write_strs(w, "tokenizer.ggml.merges", merges, ARRAY_LEN(merges));
    gguf_write_u32(w, "tokenizer.ggml.bos_token_id", END - 2);
    gguf_write_u32(w, "tokenizer.ggml.eos_token_id", END);
}

static const char chatml[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
    "'\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

static void write_keys(struct gguf_writer *w, const struct options *o) {
    static const struct {
        const char *suffix;
        uint32_t value;
    } numbers[] = {{"embedding_length", EMBED},           {"block_count", LAYERS},
                   {"feed_forward_length", FF},           {"attention.head_count", HEADS},
                   {"attention.head_count_kv", KV_HEADS}, {"rope.dimension_count", HEAD_DIM}};
    char key[128];
    gguf_write_str(w, "general.architecture", o->arch);
    gguf_write_str(w, "general.name", "a test");
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        snprintf(key, sizeof key, "%s.%s", o->arch, numbers[i].suffix);
        gguf_write_u32(w, key, numbers[i].value);
    }
    snprintf(key, sizeof key, "%s.context_length", o->arch);
    gguf_write_u32(w, key, o->context);
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", o->arch);
    gguf_write_f32(w, key, 1e-5f);
    if (o->experts) {
        gguf_write_u32(w, "llama.expert_count", o->experts);
        gguf_write_u32(w, "llama.expert_used_count", 2);
    }
    if (o->window) {
        gguf_write_u32(w, "gemma3.attention.sliding_window", o->window);
        gguf_write_u32(w, "gemma3.attention.sliding_window_pattern", 2);
    }
    if (o->sampling >= 0)
        gguf_write_f32(w, "general.sampling.temp", o->sampling);
    if (o->suppress >= 0)
        gguf_write_array(w, "tokenizer.ggml.suppress_tokens", GGUF_I32, 1, &o->suppress, sizeof o->suppress);
    if (o->template)
        gguf_write_str(w, "tokenizer.chat_template", chatml);
    if (o->vocab)
        write_vocab(w, vocab_size(o));
}

// The token that comes after another, and below: the alphabet goes round for ever, X draws from A to W, everything else
// leads to "a".
static unsigned next_of(unsigned token, bool thinks) {
    if (thinks && token == '\n')
        return THINK;
    if (token == THINK || token == THINK + 1)
        return token == THINK ? '1' : (unsigned char)answer[0];
    if (token == '1' || token == '2')
        return token == '1' ? '2' : THINK + 1;
    const char *at = token && token < BYTES ? strchr(answer, (int)token) : NULL;
    if (token == '\n')
        return (unsigned char)answer[0];
    if (at || (token >= 0x80 && token < BYTES && (at = memchr(answer, (int)token, sizeof answer))))
        return at[1] ? (unsigned char)at[1] : END;
    if (token >= 'a' && token < 'z')
        return token + 1;
    return 'a';
}

static float noise(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return (float)(*state >> 8) / (1 << 24) - 0.5f;
}

static void fill(float *data, size_t n, float scale, uint32_t *state) {
    for (size_t i = 0; i < n; i++)
        data[i] = scale * noise(state);
}

// Row t of the embedding is one-hot; row t of the head points to the tokens that t may follow.
static void fill_chain(float *embed, float *head, bool thinks) {
    memset(embed, 0, sizeof(float) * N_VOCAB * EMBED);
    memset(head, 0, sizeof(float) * N_VOCAB * EMBED);
    for (unsigned t = 0; t < N_VOCAB; t++) {
        embed[t * EMBED + t] = 1;
        head[next_of(t, thinks) * EMBED + t] = t == 'X' ? 0 : 2;
    }
    for (unsigned t = 'A'; t < 'X'; t++)
        head[t * EMBED + 'X'] = 2;
}

static void write_matrix(struct gguf_writer *w, const char *name, uint64_t cols, uint64_t rows, const float *data) {
    const uint64_t dims[] = {cols, rows};
    gguf_write_tensor(w, name, 0, 2, dims, data, (size_t)(cols * rows) * sizeof *data);
}

static void write_norm(struct gguf_writer *w, const char *name, uint64_t len, const float *ones) {
    gguf_write_tensor(w, name, 0, 1, &len, ones, (size_t)len * sizeof *ones);
}

static void write_experts(struct gguf_writer *w, unsigned layer, uint32_t n, float *data, uint32_t *state) {
    static const struct {
        const char *name;
        uint64_t cols, rows;
    } matrices[] = {{"gate", EMBED, FF}, {"up", EMBED, FF}, {"down", FF, EMBED}};
    char name[64];
    snprintf(name, sizeof name, "blk.%u.ffn_gate_inp.weight", layer);
    fill(data, (size_t)n * EMBED, 0.3f, state);
    write_matrix(w, name, EMBED, n, data);
    for (size_t i = 0; i < ARRAY_LEN(matrices); i++) {
        const uint64_t dims[] = {matrices[i].cols, matrices[i].rows, n};
        fill(data, (size_t)n * EMBED * FF, 0.3f, state);
        snprintf(name, sizeof name, "blk.%u.ffn_%s_exps.weight", layer, matrices[i].name);
        gguf_write_tensor(w, name, 0, 3, dims, data, (size_t)n * EMBED * FF * sizeof *data);
    }
}

static void write_layer(struct gguf_writer *w, unsigned layer, bool chain, const struct options *o, float *data,
                        const float *ones, uint32_t *state) {
    static const struct {
        const char *name;
        uint64_t cols, rows;
        bool adds; // to the residual stream
    } matrices[] = {{"attn_q", EMBED, EMBED, false},
                    {"attn_k", EMBED, HEAD_DIM * KV_HEADS, false},
                    {"attn_v", EMBED, HEAD_DIM * KV_HEADS, false},
                    {"attn_output", EMBED, EMBED, true},
                    {"ffn_gate", EMBED, FF, false},
                    {"ffn_up", EMBED, FF, false},
                    {"ffn_down", FF, EMBED, true}};
    char name[64];
    for (size_t i = 0; i < (o->experts ? 4 : ARRAY_LEN(matrices)); i++) { // four are attention's
        fill(data, (size_t)(matrices[i].cols * matrices[i].rows), chain && matrices[i].adds ? 0 : 0.3f, state);
        snprintf(name, sizeof name, "blk.%u.%s.weight", layer, matrices[i].name);
        write_matrix(w, name, matrices[i].cols, matrices[i].rows, data);
    }
    if (o->experts)
        write_experts(w, layer, o->experts, data, state);
    static const struct {
        const char *name;
        uint64_t len;
    } norms[] = {{"attn_norm", EMBED},           {"ffn_norm", EMBED},
                 {"attn_q_norm", HEAD_DIM},      {"attn_k_norm", HEAD_DIM},
                 {"post_attention_norm", EMBED}, {"post_ffw_norm", EMBED}};
    for (size_t i = 0; i < (o->window ? ARRAY_LEN(norms) : 2); i++) { // the first two are every model's
        snprintf(name, sizeof name, "blk.%u.%s.weight", layer, norms[i].name);
        write_norm(w, name, norms[i].len, ones);
    }
}

static void write_tensors(struct gguf_writer *w, bool chain, const struct options *o) {
    static float embed[N_VOCAB * EMBED], head[N_VOCAB * EMBED], layer[MAX_EXPERTS * EMBED * FF], ones[EMBED];
    const size_t n_vocab = vocab_size(o);
    uint32_t state = 12345;
    fill(embed, n_vocab * EMBED, 2, &state);
    fill(head, n_vocab * EMBED, 0.5f, &state);
    for (size_t i = 0; i < EMBED; i++)
        ones[i] = 1;
    if (chain)
        fill_chain(embed, head, n_vocab == N_VOCAB);
    write_matrix(w, "token_embd.weight", EMBED, n_vocab, embed);
    for (unsigned i = 0; i < LAYERS; i++)
        write_layer(w, i, chain, o, layer, ones, &state);
    write_norm(w, "output_norm.weight", EMBED, ones);
    write_matrix(w, "output.weight", EMBED, n_vocab, head);
}

static bool read_options(struct options *o, char **argv) {
    for (; *argv; argv++) {
        const char *value = strchr(*argv, '=');
        if (!value++)
            return false;
        size_t n = (size_t)(value - *argv);
        if (strncmp(*argv, "arch=", n) == 0)
            o->arch = value;
        else if (strncmp(*argv, "context=", n) == 0)
            o->context = (uint32_t)strtoul(value, NULL, 10);
        else if (strncmp(*argv, "window=", n) == 0)
            o->window = (uint32_t)strtoul(value, NULL, 10), o->arch = "gemma3";
        else if (strncmp(*argv, "experts=", n) == 0 && strtoul(value, NULL, 10) <= MAX_EXPERTS)
            o->experts = (uint32_t)strtoul(value, NULL, 10);
        else if (strncmp(*argv, "parts=", n) == 0)
            o->parts = (unsigned)strtoul(value, NULL, 10);
        else if (strncmp(*argv, "sampling=", n) == 0)
            o->sampling = strtof(value, NULL);
        else if (strncmp(*argv, "suppress=", n) == 0)
            o->suppress = (int32_t)strtol(value, NULL, 10);
        else if (strcmp(*argv, "thinks=1") == 0)
            o->thinks = true;
        else if (strcmp(*argv, "template=0") == 0)
            o->template = false;
        else if (strcmp(*argv, "vocab=0") == 0)
            o->vocab = false;
        else if (strcmp(*argv, "tensors=0") == 0)
            o->tensors = false;
        else
            return false;
    }
    return true;
}

static bool write_bytes(const char *path, const struct buf *bytes) {
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(bytes->ptr, 1, bytes->len, file) == bytes->len;
    return file && fclose(file) == 0 && ok;
}

static bool write_parts(const char *path, unsigned n, const struct buf *whole) {
    struct gguf *g;
    struct err e = {0};
    struct buf part = {0};
    char name[4096];
    bool ok = gguf_parse(&g, whole->ptr, whole->len, path, &e);
    for (unsigned i = 0; ok && i < n; i++) {
        snprintf(name, sizeof name, "%s-%05u-of-%05u.gguf", path, i + 1, n);
        ok = gguf_write_part(g, i, n, &part) && write_bytes(name, &part);
    }
    gguf_close(g);
    buf_free(&part);
    return ok;
}

int main(int argc, char **argv) {
    struct options o = {.arch = "llama",
                        .context = 8192,
                        .template = true,
                        .vocab = true,
                        .tensors = true,
                        .sampling = -1,
                        .suppress = -1};
    if (argc < 3 || !read_options(&o, argv + 3)) {
        fprintf(stderr, "usage: make_model chain|random FILE [NAME=VALUE]...\n");
        return 2;
    }
    struct gguf_writer w = {0};
    struct buf bytes = {0};
    write_keys(&w, &o);
    if (o.tensors)
        write_tensors(&w, strcmp(argv[1], "chain") == 0, &o);
    bool ok =
        gguf_write_end(&w, &bytes) && (o.parts ? write_parts(argv[2], o.parts, &bytes) : write_bytes(argv[2], &bytes));
    buf_free(&bytes);
    if (!ok)
        fprintf(stderr, "make_model: cannot write %s\n", argv[2]);
    return ok ? 0 : 4;
}
