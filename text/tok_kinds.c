// SPDX-License-Identifier: MIT
// The kinds of tokenizers, one row each. Ids that stand here apply where a file names none.
#include "text/tok_impl.h"

// clang-format off
static const struct tok_kind_row rows[] = {
    {
        .name = "gpt2", .merges = true,
        .defaults = {[TOK_BOS] = 11, [TOK_EOS] = 11, [TOK_EOT] = -1, [TOK_EOM] = -1, [TOK_UNK] = -1, [TOK_SEP] = -1,
                     [TOK_PAD] = -1, [TOK_MASK] = -1},
        .open = tok_bpe_open, .prepare = tok_bpe_prepare, .encode = tok_bpe_encode, .piece = tok_bpe_piece,
    },
    {
        .name = "llama", .flags = TOK_ADD_BOS | TOK_SPACE_PREFIX, .drops_space = true,
        .defaults = {[TOK_BOS] = 1, [TOK_EOS] = 2, [TOK_EOT] = -1, [TOK_EOM] = -1, [TOK_UNK] = 0, [TOK_SEP] = -1,
                     [TOK_PAD] = -1, [TOK_MASK] = -1},
        .open = tok_spm_open, .prepare = tok_seams_open, .encode = tok_spm_encode, .piece = tok_spm_piece,
    },
    {
        .name = "gemma4", .merges = true, .pre = "gemma4",
        .defaults = {[TOK_BOS] = -1, [TOK_EOS] = -1, [TOK_EOT] = -1, [TOK_EOM] = -1, [TOK_UNK] = -1, [TOK_SEP] = -1,
                     [TOK_PAD] = -1, [TOK_MASK] = -1},
        .open = tok_bpe_open, .prepare = tok_bpe_prepare, .encode = tok_bpe_encode, .piece = tok_bpe_piece,
    },
    {
        .name = "bert", .flags = TOK_ADD_BOS, .framed = true,
        .defaults = {[TOK_BOS] = 101, [TOK_EOS] = -1, [TOK_EOT] = -1, [TOK_EOM] = -1, [TOK_UNK] = 100, [TOK_SEP] = 102,
                     [TOK_PAD] = 0, [TOK_MASK] = 103},
        .open = tok_wpm_open, .encode = tok_wpm_encode, .piece = tok_spm_piece,
    },
    {
        .name = "t5", .flags = TOK_ADD_EOS, .drops_space = true,
        .defaults = {[TOK_BOS] = -1, [TOK_EOS] = 1, [TOK_EOT] = -1, [TOK_EOM] = -1, [TOK_UNK] = 2, [TOK_SEP] = -1,
                     [TOK_PAD] = 0, [TOK_MASK] = -1},
        .open = tok_unigram_open, .prepare = tok_seams_open, .encode = tok_unigram_encode, .piece = tok_spm_piece,
    },
    {
        .name = "rwkv", .escaped = true,
        .defaults = {[TOK_BOS] = -1, [TOK_EOS] = -1, [TOK_EOT] = -1, [TOK_EOM] = -1, [TOK_UNK] = -1, [TOK_SEP] = -1,
                     [TOK_PAD] = -1, [TOK_MASK] = -1},
        .open = tok_rwkv_open, .encode = tok_rwkv_encode, .piece = tok_rwkv_piece,
    },
    {
        .name = "plamo2",
        .defaults = {[TOK_BOS] = 1, [TOK_EOS] = 2, [TOK_EOT] = -1, [TOK_EOM] = -1, [TOK_UNK] = 0, [TOK_SEP] = -1,
                     [TOK_PAD] = 3, [TOK_MASK] = -1},
        .open = tok_plamo2_open, .encode = tok_plamo2_encode, .piece = tok_plamo2_piece,
    },
    {
        .name = "whitespace", .merges = true,
        .defaults = {[TOK_BOS] = 11, [TOK_EOS] = 11, [TOK_EOT] = -1, [TOK_EOM] = -1, [TOK_UNK] = -1, [TOK_SEP] = -1,
                     [TOK_PAD] = -1, [TOK_MASK] = -1},
        .open = tok_white_open, .prepare = tok_bpe_prepare, .encode = tok_white_encode, .piece = tok_bpe_piece,
    },
};
// clang-format on

const struct tok_kind_row *tok_kind_find(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strlen(rows[i].name) == name.len && !memcmp(rows[i].name, name.ptr, name.len))
            return &rows[i];
    return NULL;
}
