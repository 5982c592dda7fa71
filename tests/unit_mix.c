// SPDX-License-Identifier: MIT
// Tests of the choice of formats: a small model's tensors at the places where the rules change, against what the
// published mixes have there; what stays as it is; rows that do not divide; wishes.
#include "tests/test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/mix.h"
#include "tests/gguf_write.h"

struct model {
    const char *arch;
    unsigned layers, heads, kv_heads, experts, cols;
    bool head;
};

static const char *const parts[] = {"attn_q",   "attn_k",   "attn_v", "attn_output",
                                    "ffn_gate", "ffn_down", "ffn_up", "attn_norm"};

static struct gguf *build(const struct model *m, struct buf *file) {
    struct gguf_writer w = {0};
    struct gguf *g = NULL;
    struct err e = {0};
    char name[64];
    const uint64_t dims[] = {m->cols, 2, m->experts ? m->experts : 1};
    const struct {
        const char *suffix;
        unsigned value;
    } keys[] = {{"block_count", m->layers},
                {"attention.head_count", m->heads},
                {"attention.head_count_kv", m->kv_heads},
                {"expert_count", m->experts}};
    gguf_write_str(&w, "general.architecture", m->arch);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        snprintf(name, sizeof name, "%s.%s", m->arch, keys[i].suffix);
        gguf_write_u32(&w, name, keys[i].value);
    }
    gguf_write_tensor(&w, "token_embd.weight", 1, 2, dims, NULL, m->cols * 4);
    for (unsigned layer = m->layers; layer-- > 0;) // the order in the file does not matter
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            bool stacked = m->experts && strncmp(parts[i], "ffn", 3) == 0;
            snprintf(name, sizeof name, "blk.%u.%s%s.weight", layer, parts[i], stacked ? "_exps" : "");
            gguf_write_tensor(&w, name, 1,
                              stacked                              ? 3
                              : strcmp(parts[i], "attn_norm") == 0 ? 1
                                                                   : 2,
                              dims, NULL,
                              m->cols * (stacked                              ? 4 * m->experts
                                         : strcmp(parts[i], "attn_norm") == 0 ? 2
                                                                              : 4));
        }
    gguf_write_tensor(&w, "blk.0.ffn_gate_inp.weight", 0, 2, dims, NULL, m->cols * 8);
    gguf_write_tensor(&w, "blk.0.ssm_conv1d.weight", 0, 2, dims, NULL, m->cols * 8);
    if (m->head)
        gguf_write_tensor(&w, "output.weight", 1, 2, dims, NULL, m->cols * 4);
    CHECK(gguf_write_end(&w, file));
    CHECK_CALL(gguf_parse(&g, file->ptr, file->len, "model", &e), &e);
    return g;
}

static const char *chosen(const struct gguf *g, const struct mix *m, bool matrix, struct mix_wish *wishes, size_t n,
                          const char *tensor) {
    const struct quant_format *formats[256] = {0};
    const struct gguf_tensor *t = gguf_find_tensor(g, tensor);
    struct err e = {0};
    if (!CHECK(g->n_tensors <= ARRAY_LEN(formats)) || !CHECK_MSG(t != NULL, "no %s", tensor) ||
        !CHECK_CALL(mix_choose(m, g, matrix, wishes, n, formats, &e), &e))
        return "";
    return formats[t - g->tensors]->name;
}

static const struct model dense = {"llama", 16, 8, 8, 0, 256, true}, grouped = {"llama", 16, 8, 2, 0, 256, false},
                          mixture = {"llama", 16, 8, 2, 8, 256, true}, falcon = {"falcon", 16, 8, 8, 0, 256, true},
                          odd = {"llama", 16, 8, 8, 0, 96, true}, ragged = {"llama", 16, 8, 8, 0, 40, true};

static const struct {
    const struct model *model;
    const char *mix, *tensor, *wanted;
    bool matrix;
} cases[] = {
    {&dense, "Q4_K_M", "blk.0.attn_v.weight", "Q6_K", false},
    {&dense, "Q4_K_M", "blk.1.attn_v.weight", "Q6_K", false},
    {&dense, "Q4_K_M", "blk.2.attn_v.weight", "Q4_K", false},
    {&dense, "Q4_K_M", "blk.4.attn_v.weight", "Q6_K", false},
    {&dense, "Q4_K_M", "blk.13.ffn_down.weight", "Q6_K", false},
    {&dense, "Q4_K_M", "blk.14.ffn_down.weight", "Q6_K", false},
    {&dense, "Q4_K_M", "blk.12.ffn_down.weight", "Q4_K", false},
    {&dense, "Q4_K_M", "output.weight", "Q6_K", false},
    {&dense, "Q4_K_M", "token_embd.weight", "Q4_K", false},
    {&grouped, "Q4_K_M", "token_embd.weight", "Q6_K", false},
    {&dense, "q4_k", "blk.0.attn_v.weight", "Q6_K", false},
    {&dense, "Q4_K_S", "blk.3.attn_v.weight", "Q5_K", false},
    {&dense, "Q4_K_S", "blk.4.attn_v.weight", "Q4_K", false},
    {&dense, "Q3_K_L", "blk.9.attn_output.weight", "Q5_K", false},
    {&falcon, "Q3_K_L", "blk.9.attn_output.weight", "Q4_K", false},
    {&falcon, "Q4_0", "output.weight", "Q8_0", false},
    {&falcon, "Q4_K_M", "blk.0.ffn_down.weight", "Q6_K", false},
    {&falcon, "Q4_K_M", "blk.1.ffn_down.weight", "Q5_K", false},
    {&dense, "Q3_K_M", "blk.0.ffn_down.weight", "Q5_K", false},
    {&dense, "Q3_K_M", "blk.1.ffn_down.weight", "Q4_K", false},
    {&dense, "Q2_K", "blk.5.attn_v.weight", "Q3_K", false},
    {&grouped, "Q2_K", "blk.5.attn_v.weight", "Q4_K", false},
    {&mixture, "Q2_K", "blk.5.attn_v.weight", "Q8_0", false},
    {&mixture, "Q4_K_M", "blk.5.attn_output.weight", "Q5_K", false},
    {&mixture, "Q4_K_M", "blk.4.ffn_down_exps.weight", "Q6_K", false},
    {&mixture, "MXFP4_MOE", "blk.4.ffn_down_exps.weight", "MXFP4", false},
    {&mixture, "MXFP4_MOE", "blk.4.attn_q.weight", "Q8_0", false},
    {&mixture, "MXFP4_MOE", "output.weight", "Q8_0", false},
    {&mixture, "MXFP4_MOE", "blk.0.ffn_gate_inp.weight", "F32", false},
    {&dense, "IQ3_XXS", "blk.0.attn_v.weight", "IQ3_S", false},
    {&dense, "IQ3_XXS", "blk.0.attn_v.weight", "IQ3_XXS", true},
    {&dense, "IQ3_XXS", "blk.0.attn_q.weight", "IQ2_S", true},
    {&dense, "IQ3_XXS", "blk.0.ffn_down.weight", "Q4_K", false},
    {&dense, "IQ3_XXS", "blk.9.ffn_down.weight", "Q3_K", false},
    {&dense, "IQ3_XXS", "blk.9.ffn_down.weight", "IQ3_XXS", true},
    {&dense, "IQ2_S", "blk.9.ffn_up.weight", "IQ2_XS", true},
    {&dense, "IQ1_S", "blk.1.ffn_down.weight", "Q2_K", true},
    {&dense, "IQ1_S", "blk.2.ffn_down.weight", "IQ1_S", true},
    {&dense, "Q4_0", "blk.1.ffn_down.weight", "Q4_0", false},
    {&dense, "Q4_0", "blk.1.ffn_down.weight", "Q4_1", true},
    {&dense, "Q4_K_M", "blk.1.attn_norm.weight", "F16", false},
    {&dense, "Q4_K_M", "blk.0.ssm_conv1d.weight", "F32", false},
    {&dense, "F32", "blk.1.attn_norm.weight", "F32", false},
    {&dense, "BF16", "blk.1.attn_q.weight", "BF16", false},
    {&dense, "BF16", "output.weight", "BF16", false},
    {&odd, "Q4_K_M", "blk.2.attn_v.weight", "Q5_0", false},
    {&odd, "Q4_K_M", "blk.0.attn_v.weight", "Q8_0", false},
    {&odd, "IQ2_XXS", "blk.9.ffn_up.weight", "IQ4_NL", true},
    {&odd, "Q2_K", "blk.9.ffn_up.weight", "Q4_0", true},
    {&odd, "NVFP4", "blk.9.ffn_up.weight", "MXFP4", true},
    {&odd, "Q4_K_M", "output.weight", "Q8_0", false},
    {&ragged, "Q4_K_M", "blk.2.attn_v.weight", "F16", false},
    {&ragged, "Q8_0", "output.weight", "F16", false},
};

static void check_rules(void) {
    test_case("mix: the published mixes");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf file = {0};
        struct gguf *g = build(cases[i].model, &file);
        struct mix m;
        if (g && CHECK_MSG(mix_by_name(cases[i].mix, false, &m), "%s is unknown", cases[i].mix)) {
            const char *got = chosen(g, &m, cases[i].matrix, NULL, 0, cases[i].tensor);
            CHECK_MSG(strcmp(got, cases[i].wanted) == 0, "%s of %s, %u columns%s: %s, expected %s", cases[i].tensor,
                      cases[i].mix, cases[i].model->cols, cases[i].matrix ? ", with a matrix" : "", got,
                      cases[i].wanted);
        }
        gguf_close(g);
        buf_free(&file);
    }
}

static void check_pure(void) {
    struct buf file = {0};
    struct gguf *g = build(&dense, &file);
    struct mix m;
    test_case("mix: --pure is one format for all of two dimensions or more");
    CHECK(mix_by_name("IQ2_S", true, &m) && strcmp(m.format->name, "IQ2_S") == 0);
    CHECK(mix_by_name("Q3_K_M", true, &m) && strcmp(m.format->name, "Q3_K") == 0);
    CHECK_STR(chosen(g, &m, false, NULL, 0, "output.weight"), "Q3_K");
    CHECK_STR(chosen(g, &m, false, NULL, 0, "blk.0.ffn_gate_inp.weight"), "Q3_K");
    CHECK_STR(chosen(g, &m, false, NULL, 0, "blk.0.attn_norm.weight"), "F16");
    CHECK(!mix_by_name("Q4_K_XL", false, &m) && !mix_by_name("", false, &m) && !mix_by_name("I32", true, &m));
    gguf_close(g);
    buf_free(&file);
}

static void check_wishes(void) {
    struct buf file = {0};
    struct gguf *g = build(&dense, &file);
    struct mix_wish wishes[3] = {{.format = quant_by_name("Q8_0")}, {.format = quant_by_name("F16")}, {.format = NULL}};
    struct mix m;
    test_case("mix: the last wish that matches counts");
    CHECK(regcomp(&wishes[0].regex, "attn_[qk]|output", REG_EXTENDED | REG_NOSUB) == 0);
    CHECK(regcomp(&wishes[1].regex, "^blk\\.1\\.", REG_EXTENDED | REG_NOSUB) == 0);
    CHECK(regcomp(&wishes[2].regex, "nothing", REG_EXTENDED | REG_NOSUB) == 0);
    CHECK(mix_by_name("Q2_K", false, &m));
    CHECK_STR(chosen(g, &m, false, wishes, 3, "blk.0.attn_k.weight"), "Q8_0");
    CHECK_STR(chosen(g, &m, false, wishes, 3, "blk.1.attn_k.weight"), "F16");
    CHECK_STR(chosen(g, &m, false, wishes, 3, "output.weight"), "Q8_0");
    CHECK_STR(chosen(g, &m, false, wishes, 3, "blk.0.ffn_up.weight"), "Q2_K");
    CHECK_STR(chosen(g, &m, false, wishes, 3, "blk.1.attn_norm.weight"), "F16");
    CHECK(wishes[0].used && wishes[1].used && !wishes[2].used);
    for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
        regfree(&wishes[i].regex);
    gguf_close(g);
    buf_free(&file);
}

static void check_names(void) {
    test_case("mix: every name is one, in either case");
    for (const char *const *name = mix_names(); *name; name++) {
        char lower[32] = {0};
        struct mix m;
        for (size_t i = 0; (*name)[i] && i < sizeof lower - 1; i++)
            lower[i] = (char)tolower((*name)[i]);
        CHECK_MSG(mix_by_name(*name, false, &m) || !quant_can_encode(m.format), "%s", *name);
        CHECK_MSG(mix_by_name(lower, false, &m) || !quant_can_encode(m.format), "%s", lower);
        CHECK_STR(m.name, *name);
    }
}

void unit_mix(void) {
    check_rules();
    check_pure();
    check_wishes();
    check_names();
}
