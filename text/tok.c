// SPDX-License-Identifier: MIT
// Opening a vocabulary: its texts, types, flags and named ids, as text/tok_impl.h lays them out. Keys of the wrong
// type, arrays that are too short and texts that collide are errors; an id out of range counts as not named, as
// elsewhere.
#include "text/tok_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY(name) "tokenizer.ggml." name

// Texts that end a generation wherever they are tokens, and then are control tokens whatever the file says.
static const char *const end_texts[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "[e~[",
    "<｜end▁of▁sentence｜>",
};

// Texts of tokens for filling in the middle: control tokens too, one of each group. Padding, repository and file marks
// end a generation.
static const struct fim {
    bool ends;
    const char *key, *old_key;
    const char *texts[9];
} fims[] = {
    {false,
     KEY("fim_pre_token_id"),
     KEY("prefix_token_id"),
     {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>",
      "<|prefix|>"}},
    {false,
     KEY("fim_suf_token_id"),
     KEY("suffix_token_id"),
     {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>",
      "<|suffix|>"}},
    {false,
     KEY("fim_mid_token_id"),
     KEY("middle_token_id"),
     {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>",
      "<|middle|>"}},
    {true, KEY("fim_pad_token_id"), NULL, {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
    {true, KEY("fim_rep_token_id"), NULL, {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
    {true, KEY("fim_sep_token_id"), NULL, {"<|file_sep|>"}},
};

static const char *const named_keys[TOK_N_NAMED] = {
    [TOK_BOS] = KEY("bos_token_id"),     [TOK_EOS] = KEY("eos_token_id"),
    [TOK_EOT] = KEY("eot_token_id"),     [TOK_EOM] = KEY("eom_token_id"),
    [TOK_UNK] = KEY("unknown_token_id"), [TOK_SEP] = KEY("seperator_token_id"), // spelled so in the format
    [TOK_PAD] = KEY("padding_token_id"), [TOK_MASK] = KEY("mask_token_id"),
};

static bool read_types(struct tokenizer *t, const struct gguf *g, struct err *e) {
    struct gguf_value v = {0};
    ERR_FORWARD(gguf_get_array(g, KEY("token_type"), false, GGUF_I32, &v, e));
    ERR_IF(v.data && v.count < t->texts.n, e, ERR_INPUT, "key '%s': %llu entries for %u tokens", KEY("token_type"),
           (unsigned long long)v.count, t->texts.n);
    t->types = arena_alloc(&t->arena, t->texts.n, 1);
    if (!t->types)
        return err_memory(e, t->texts.n, "token types");
    if (!v.data) {
        memset(t->types, TOK_NORMAL, t->texts.n);
        return true;
    }
    for (uint32_t i = 0; i < t->texts.n; i++) {
        uint32_t type;
        memcpy(&type, v.data + (size_t)i * 4, 4);
        t->types[i] = type >= TOK_NORMAL && type <= TOK_BYTE ? (uint8_t)type : 0;
    }
    return true;
}

static bool read_scores(struct tokenizer *t, const struct gguf *g, struct err *e) {
    const struct gguf_value *v = gguf_find(g, KEY("scores"));
    if (!v)
        return true;
    ERR_IF(v->type != GGUF_ARRAY || (v->elem != GGUF_F32 && v->elem != GGUF_I32), e, ERR_INPUT,
           "key '%s': expected an array of f32 or i32", KEY("scores"));
    ERR_IF(v->count < t->texts.n, e, ERR_INPUT, "key '%s': %llu entries for %u tokens", KEY("scores"),
           (unsigned long long)v->count, t->texts.n);
    t->scores = *v;
    return true;
}

// An id that a key names: stays as it is where the key is absent or the id is not in the vocabulary.
static bool read_id(const struct tokenizer *t, const struct gguf *g, const char *key, int32_t *id, struct err *e) {
    if (*id >= 0 && (uint32_t)*id >= t->texts.n)
        *id = -1;
    uint32_t named = UINT32_MAX;
    const struct gguf_value *v = key ? gguf_find(g, key) : NULL;
    if (v && v->type == GGUF_I32) // where -1 says "none"
        memcpy(&named, v->data, 4);
    else if (v)
        ERR_FORWARD(gguf_get_u32(g, key, false, &named, e));
    if (named < t->texts.n)
        *id = (int32_t)named;
    return true;
}

static bool read_flag(struct tokenizer *t, const struct gguf *g, const char *key, enum tok_flag flag, struct err *e) {
    bool on = t->flags & flag;
    ERR_FORWARD(gguf_get_bool(g, key, false, &on, e));
    t->flags = on ? t->flags | flag : t->flags & ~(unsigned)flag;
    return true;
}

static bool read_flags(struct tokenizer *t, const struct gguf *g, struct err *e) {
    t->flags = t->row->flags;
    if (t->pretok && t->pretok->flags & PRETOK_BOS)
        t->flags |= TOK_ADD_BOS;
    ERR_FORWARD(read_flag(t, g, KEY("add_bos_token"), TOK_ADD_BOS, e));
    ERR_FORWARD(read_flag(t, g, KEY("add_eos_token"), TOK_ADD_EOS, e));
    ERR_FORWARD(read_flag(t, g, KEY("add_space_prefix"), TOK_SPACE_PREFIX, e));
    if (t->pretok && t->pretok->flags & PRETOK_BOS_ALWAYS)
        t->flags |= TOK_ADD_BOS;
    memcpy(t->named, t->row->defaults, sizeof t->named);
    if (t->pretok && t->pretok->flags & PRETOK_NO_BOS)
        t->named[TOK_BOS] = -1;
    for (unsigned i = 0; i < TOK_N_NAMED; i++)
        ERR_FORWARD(read_id(t, g, named_keys[i], &t->named[i], e));
    return true;
}

static void add_end(struct tokenizer *t, int32_t id) {
    if (id >= 0 && !tok_is_end(t, id) && t->n_ends < ARRAY_LEN(t->ends))
        t->ends[t->n_ends++] = id;
}

static void remove_end(struct tokenizer *t, int32_t id, enum tok_type type) {
    for (unsigned i = 0; i < t->n_ends; i++)
        if (t->ends[i] == id)
            t->ends[i--] = t->ends[--t->n_ends];
    t->types[id] = (uint8_t)type;
}

// Text in what is said, so that the channels of an answer can be told apart, but nothing that data may write.
static void add_mark(struct tokenizer *t, int32_t id) {
    t->types[id] = TOK_USER_DEFINED;
    t->marks[t->n_marks++] = id;
}

static int32_t find_terminated(const struct tokenizer *t, const char *text) {
    return tok_find(t, text, strlen(text));
}

static bool ends_with_text(const struct tokenizer *t, const char *text) {
    return tok_is_end(t, find_terminated(t, text));
}

// Two families list an end text that ends nothing there: formats with <|call|> end messages inside an answer with
// <|end|>, and beside <|tool_response> or <|plamo:eos|> the text </s> is only text.
static void remove_false_ends(struct tokenizer *t) {
    bool call = ends_with_text(t, "<|call|>") || ends_with_text(t, "<|calls|>");
    bool channel = call && (ends_with_text(t, "<|return|>") || ends_with_text(t, "<|flush|>"));
    if (channel && ends_with_text(t, "<|end|>")) {
        remove_end(t, find_terminated(t, "<|end|>"), TOK_USER_DEFINED);
        add_mark(t, find_terminated(t, "<|end|>"));
    }
    bool own_eos = ends_with_text(t, "<|tool_response>") || ends_with_text(t, "<|plamo:eos|>");
    if (own_eos && ends_with_text(t, "</s>"))
        remove_end(t, find_terminated(t, "</s>"), TOK_NORMAL);
}

static bool read_fims(struct tokenizer *t, const struct gguf *g, struct err *e) {
    for (size_t i = 0; i < ARRAY_LEN(fims); i++) {
        int32_t id = -1;
        ERR_FORWARD(read_id(t, g, fims[i].key, &id, e));
        ERR_FORWARD(read_id(t, g, fims[i].old_key, &id, e));
        for (size_t k = 0; id < 0 && fims[i].texts[k]; k++) {
            id = find_terminated(t, fims[i].texts[k]);
            if (id >= 0)
                t->types[id] = TOK_CONTROL;
        }
        if (fims[i].ends)
            add_end(t, id);
    }
    return true;
}

// The ids that end a generation, and the types that files get wrong.
static bool read_ends(struct tokenizer *t, const struct gguf *g, struct err *e) {
    ERR_FORWARD(read_fims(t, g, e));
    for (size_t i = 0; i < ARRAY_LEN(end_texts); i++) {
        int32_t id = find_terminated(t, end_texts[i]);
        if (id < 0)
            continue;
        add_end(t, id);
        t->types[id] = TOK_CONTROL;
    }
    int32_t eom = t->named[TOK_EOM] < 0 ? find_terminated(t, "<|eom_id|>") : t->named[TOK_EOM];
    add_end(t, t->named[TOK_EOS]);
    add_end(t, t->named[TOK_EOT]);
    add_end(t, eom);
    static const char *const channels[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};
    for (size_t i = 0; i < ARRAY_LEN(channels); i++)
        if (find_terminated(t, channels[i]) >= 0)
            add_mark(t, find_terminated(t, channels[i]));
    remove_false_ends(t);
    return true;
}

static bool contains(struct str s, const char *part) {
    return memmem(s.ptr, s.len, part, strlen(part)) != NULL;
}

// Special tokens that take white space along. Files do not say it; it goes by the names of the model families.
static bool read_strips(struct tokenizer *t, const struct gguf *g, struct err *e) {
    struct str name = {"", 0}, arch = {"", 0};
    char lower[256];
    ERR_FORWARD(gguf_get_str(g, "general.name", false, &name, e));
    ERR_FORWARD(gguf_get_str(g, "general.architecture", false, &arch, e));
    name.len = min_size(name.len, sizeof lower);
    for (size_t i = 0; i < name.len; i++)
        lower[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] | 0x20) : name.ptr[i];
    name.ptr = lower;
    bool jina = contains(t->pre, "jina-v2-de") || contains(t->pre, "jina-v2-es") || contains(t->pre, "jina-v2-code");
    t->strip_left = -1;
    if (jina || contains(arch, "nomic-bert-moe") || contains(arch, "jina-bert-v3")) {
        t->strip_left = find_terminated(t, "<mask>");
    } else if (contains(name, "phi-3") || contains(name, "phi3")) {
        t->strip_right = true;
        t->keep_right[0] = find_terminated(t, "<unk>");
        t->keep_right[1] = find_terminated(t, "<s>");
        t->keep_right[2] = find_terminated(t, "<|endoftext|>");
    } else if (contains(name, "modern-bert")) {
        t->strip_left = find_terminated(t, "[MASK]");
    }
    return true;
}

// What an unknown name means, said once for the user.
static void choose_pretok(struct tokenizer *t) {
    t->pretok = t->row->pre ? pretok_find(t->row->pre, strlen(t->row->pre)) : pretok_find(t->pre.ptr, t->pre.len);
    if (t->pretok)
        return;
    t->pretok = pretok_default();
    if (t->pre.len)
        snprintf(t->warning, sizeof t->warning, "unknown pre-tokenizer '%.*s', using '%s': the tokens may be wrong",
                 (int)min_size(t->pre.len, 60), t->pre.ptr, t->pretok->name);
    else
        snprintf(t->warning, sizeof t->warning, "the file names no pre-tokenizer, using '%s': the tokens may be wrong",
                 t->pretok->name);
}

static bool read_lists(struct tokenizer *t, const struct gguf *g, struct err *e) {
    struct gguf_value texts = {0}, merges = {0};
    bool has_merges = t->row && t->row->merges;
    ERR_FORWARD(gguf_get_array(g, KEY("tokens"), t->row != NULL, GGUF_STR, &texts, e));
    if (has_merges)
        ERR_FORWARD(gguf_get_array(g, KEY("merges"), !(t->pretok->flags & PRETOK_NO_MERGES), GGUF_STR, &merges, e));
    if (texts.data && t->row && t->row->escaped)
        ERR_FORWARD(tok_rwkv_unescape(&t->arena, &texts, e));
    return !texts.data || tok_lists_open(t, &texts, &merges, e);
}

static bool open_vocabulary(struct tokenizer *t, const struct gguf *g, struct err *e) {
    ERR_FORWARD(gguf_get_str(g, KEY("model"), false, &t->kind, e));
    ERR_FORWARD(gguf_get_str(g, KEY("pre"), false, &t->pre, e));
    t->row = tok_kind_find(t->kind);
    if (t->row && t->row->merges)
        choose_pretok(t);
    ERR_FORWARD(read_lists(t, g, e));
    if (!t->row)
        return true;
    ERR_FORWARD(read_types(t, g, e));
    ERR_FORWARD(read_scores(t, g, e));
    ERR_FORWARD(read_flags(t, g, e));
    ERR_FORWARD(read_ends(t, g, e));
    ERR_FORWARD(read_strips(t, g, e));
    ERR_FORWARD(tok_special_open(t, e));
    return t->row->open(t, g, e);
}

bool tok_open(struct tokenizer **out, const struct gguf *g, struct err *e) {
    *out = NULL;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t)
        return err_memory(e, sizeof *t, "the tokenizer");
    t->kind = t->pre = (struct str){"", 0};
    for (unsigned i = 0; i < TOK_N_NAMED; i++)
        t->named[i] = -1;
    if (!open_vocabulary(t, g, e)) {
        tok_close(t);
        return err_prefix(e, g->path);
    }
    *out = t;
    return true;
}

void tok_close(struct tokenizer *t) {
    if (t)
        arena_free(&t->arena);
    free(t);
}
