// SPDX-License-Identifier: MIT
// The rows of all options. A row here is the whole of an option: parsing, -h, --help, the manual page and the tests
// read it. Two rows may share a name where they mean different things to different commands.
#include "cmd/cmd.h"

#define BIT(name) (1u << CMD_##name)
#define ALL ((1u << N_CMDS) - 1)
#define TALKS (BIT(run) | BIT(chat))
#define KEEPS (TALKS | BIT(logits) | BIT(perplexity) | BIT(bench) | BIT(compare) | BIT(imatrix))
#define EVALUATES (KEEPS | BIT(embed))
#define OWN_FILES (BIT(help) | BIT(quantize) | BIT(check) | BIT(compare)) // no model, or it is named by a word
#define AT(field) offsetof(struct settings, field)
#define MOST 2147483647.0

const char *const opt_group_names[N_OPT_GROUPS] = {
    [OPT_MODEL] = "Model",       [OPT_POSITIONS] = "Positions", [OPT_INPUT] = "Input", [OPT_OUTPUT] = "Output",
    [OPT_SAMPLING] = "Sampling", [OPT_MACHINE] = "Machine",     [OPT_OTHER] = "Other",
};

// clang-format off
const struct opt opt_rows[] = {
    {"model", 'm', "MODEL", OPT_MODEL, ALL & ~OWN_FILES, true, "model file, or its name (default: $PITH_MODEL)",
     "A name is looked up as NAME.gguf, or as the beginning of exactly one such file, in the colon-separated folders "
     "of $PITH_PATH (default: ./models and ~/.local/share/pith).",
     opt_text, AT(model), 0, 0, "a path or a name"},
    {"system", 's', "TEXT", OPT_MODEL, TALKS, true, "system turn before the message",
     "Needs a chat template.", opt_text, AT(system), 0, 0, "a text"},
    {"raw", 0, NULL, OPT_MODEL, BIT(run), true, "continue the text as it is, without a chat template",
     NULL, opt_flag, AT(continues), 0, 0, NULL},
    {"template", 0, "NAME", OPT_MODEL, TALKS | BIT(template), false, "chat template to use instead of the model's",
     "A file, or else one of the built-in forms, such as chatml or llama3; `pith info --supported` lists them, and "
     "`pith info MODEL` suggests one where a file has none.", opt_text, AT(template), 0, 0, "a file or a name"},
    {"template-arg", 0, "NAME=VALUE", OPT_MODEL, TALKS, false, "a variable of the template; repeatable",
     "VALUE is JSON, or else a text: enable_thinking=false, reasoning_effort=high.", opt_var, AT(template_args), 0, 0,
     "NAME=VALUE, such as enable_thinking=false"},
    {"tools", 0, "FILE", OPT_MODEL, TALKS, false, "tools that the model may call, as a JSON array",
     "Of descriptions as chat templates take them: [{\"type\": \"function\", \"function\": {\"name\": ..., "
     "\"description\": ..., \"parameters\": JSON schema}}].", opt_text, AT(tools), 0, 0, "a file"},
    {"rope-scaling", 0, "HOW", OPT_POSITIONS, EVALUATES, false, "how positions are stretched for a longer context",
     "none, linear, yarn, longrope or dynamic (also: ntk), in place of what the file says, as with all of these options; "
     "dynamic stretches what goes beyond the original context, as far as the --context is larger.",
     opt_rope_scaling, AT(rope.scaling), 0, 0, "none, linear, yarn, longrope or dynamic"},
    {"rope-scale", 0, "N", OPT_POSITIONS, EVALUATES, false, "a context N times as long as the original one",
     "Linear where neither the file nor --rope-scaling says how.", opt_float, AT(rope.factor), 0.001, 100000, NULL},
    {"rope-freq-scale", 0, "F", OPT_POSITIONS, EVALUATES, false, "the same as --rope-scale 1/F",
     NULL, opt_float, AT(rope_freq_scale), 0.00001, 1000, NULL},
    {"rope-freq-base", 0, "F", OPT_POSITIONS, EVALUATES, false, "the base of the rotary frequencies",
     NULL, opt_float, AT(rope.base), 1.001, 1e11, NULL},
    {"yarn-orig-ctx", 0, "N", OPT_POSITIONS, EVALUATES, false, "the original context that is stretched (yarn, dynamic)",
     "By default the file's, or else the context that the model was trained for.",
     opt_int, AT(rope.original_ctx), 1, MOST, NULL},
    {"yarn-ext-factor", 0, "F", OPT_POSITIONS, EVALUATES, false, "share of the fast waves that is kept (default 1; 0: none)",
     NULL, opt_float, AT(rope.ext_factor), -1, 1000, NULL},
    {"yarn-attn-factor", 0, "F", OPT_POSITIONS, EVALUATES, false, "a factor on sines and cosines (default 1)",
     NULL, opt_float, AT(rope.attn_factor), 0.001, 1000, NULL},
    {"yarn-beta-fast", 0, "F", OPT_POSITIONS, EVALUATES, false, "turns from which on a wave is fast (default 32)",
     NULL, opt_float, AT(rope.beta_fast), 0.001, 100000, NULL},
    {"yarn-beta-slow", 0, "F", OPT_POSITIONS, EVALUATES, false, "turns below which a wave is slow (default 1)",
     NULL, opt_float, AT(rope.beta_slow), 0.001, 100000, NULL},
    {"special", 0, NULL, OPT_MODEL, BIT(run), false, "with --raw: read control tokens in the text as such",
     NULL, opt_flag, AT(special), 0, 0, NULL},
    {"special", 0, NULL, OPT_MODEL, BIT(tokenize), false, "add and read special tokens; with --decode: show them",
     NULL, opt_flag, AT(special), 0, 0, NULL},

    {"file", 'f', "FILE", OPT_INPUT, BIT(run), true, "add a file to the message (- is standard input)",
     "May be given several times.", opt_append, AT(files), 0, 0, "a file"},
    {"no-stdin", 0, NULL, OPT_INPUT, TALKS, false, "leave standard input alone",
     "For `while read` loops, whose input pith would swallow.", opt_flag, AT(no_stdin), 0, 0, NULL},
    {"lossy", 0, NULL, OPT_INPUT, TALKS, false, "replace invalid UTF-8 by U+FFFD, drop NUL bytes",
     "Without it such input is refused, with the offset of the first such byte.", opt_flag, AT(lossy), 0, 0, NULL},
    {"lines", 0, NULL, OPT_INPUT, BIT(chat), true, "standard input is a turn a line, each answered in turn",
     "Blank lines are left out; an empty line goes between the answers. Without it, all of standard input is one turn.",
     opt_flag, AT(lines), 0, 0, NULL},
    {"history", 0, "FILE", OPT_INPUT, BIT(chat), false, "where the lines typed on a terminal are kept",
     "By default $PITH_HISTORY, or pith/history in $XDG_DATA_HOME or ~/.local/share; an empty name keeps none.",
     opt_text, AT(history), 0, 0, "a file"},
    {"ids", 0, "N,N,...", OPT_INPUT, BIT(logits) | BIT(embed), false, "the token ids to evaluate",
     NULL, opt_text, AT(ids), 0, 0, "token ids"},
    {"encoder-ids", 0, "N,N,...", OPT_INPUT, BIT(logits), false, "the ids that the encoder of a T5 model reads",
     "--ids are the decoder's then; they begin with its start id.", opt_text, AT(encoder_ids), 0, 0, "token ids"},
    {"decode", 0, NULL, OPT_INPUT, BIT(tokenize), false, "standard input is ids: print their text",
     NULL, opt_flag, AT(decode), 0, 0, NULL},

    {"pooling", 0, "HOW", OPT_OUTPUT, BIT(embed), false, "none, mean, cls (the first token's), last or rank",
     "By default what the file says, or none.", opt_pooling, AT(pooling), 0, 0, "none, mean, cls, last or rank"},
    {"tokens", 'n', "N", OPT_OUTPUT, TALKS, true, "end after N tokens (default: no limit)",
     NULL, opt_int, AT(n_tokens), 0, MOST, NULL},
    {"stop", 0, "TEXT", OPT_OUTPUT, TALKS, true, "end before TEXT, which is not printed; repeatable",
     NULL, opt_append, AT(stops), 0, 0, "a text that is not empty"},
    {"think", 0, "WHERE", OPT_OUTPUT, TALKS, true, "a model's thinking: drop (default), stderr or show",
     "show puts it on standard output before the answer, between <think> and </think> whatever the model's own marks "
     "are.", opt_think, AT(think), 0, 0, "drop, stderr or show"},
    {"think-budget", 0, "N", OPT_OUTPUT, TALKS, false, "end the thinking after N tokens (0: none)",
     "The model is made to go on with its answer.", opt_int, AT(think_budget), 0, MOST, NULL},
    {"tool-calls", 0, "json", OPT_OUTPUT, BIT(run), false, "print one JSON object with the calls of tools",
     "{\"content\": text, \"tool_calls\": [{\"name\": ..., \"arguments\": {...}}, ...]}, from any of the usual forms in which "
     "models write calls; with --think show also \"thinking\". It comes when the answer is complete.",
     opt_tool_calls, AT(tool_calls), 0, 0, "json"},
    {"output", 'o', "FILE", OPT_OUTPUT, BIT(logits) | BIT(embed), false, "where to write (default: standard output)",
     NULL, opt_text, AT(output), 0, 0, "a file"},
    {"output", 'o', "FILE", OPT_OUTPUT, BIT(imatrix), false, "the file to write, or to add to",
     NULL, opt_text, AT(output), 0, 0, "a file"},
    {"fresh", 0, NULL, OPT_OUTPUT, BIT(imatrix), false, "replace an existing file instead of adding to it",
     NULL, opt_flag, AT(fresh), 0, 0, NULL},
    {"json", 0, NULL, OPT_OUTPUT, BIT(info) | BIT(tokenize) | BIT(bench) | BIT(check) | BIT(compare), false, "JSON instead of text",
     NULL, opt_flag, AT(json), 0, 0, NULL},
    {"pure", 0, NULL, OPT_OUTPUT, BIT(quantize), false, "one format for every tensor of two dimensions or more",
     "Norms, routers and convolutions too: such files are for measuring.", opt_flag, AT(pure), 0, 0, NULL},
    {"imatrix", 0, "FILE", OPT_OUTPUT, BIT(quantize), false, "importance of the columns, as `pith imatrix` writes it",
     NULL, opt_text, AT(imatrix), 0, 0, "a file"},
    {"tensor", 0, "REGEX=TYPE", OPT_OUTPUT, BIT(quantize), false, "format of tensors whose names match; repeatable",
     "A POSIX extended expression that may match anywhere in a name; the last one that matches counts. Tensors that are "
     "not quantized stay as they are.", opt_append, AT(tensor_types), 0, 0, "REGEX=TYPE, such as ffn_down=Q6_K"},
    {"dry-run", 0, NULL, OPT_OUTPUT, BIT(quantize), false, "print what each tensor would be, write nothing",
     NULL, opt_flag, AT(dry_run), 0, 0, NULL},
    {"tensors", 0, NULL, OPT_OUTPUT, BIT(info), false, "list the tensors too",
     NULL, opt_flag, AT(tensors), 0, 0, NULL},
    {"supported", 0, NULL, OPT_OUTPUT, BIT(info), false, "list what this program supports; needs no model",
     NULL, opt_flag, AT(supported), 0, 0, NULL},
    {"verbose", 'v', NULL, OPT_OUTPUT, ALL & ~BIT(help), true, "say seed, timings and choices on standard error",
     NULL, opt_flag, AT(verbose), 0, 0, NULL},
    {"quiet", 'q', NULL, OPT_OUTPUT, ALL & ~BIT(help), true, "no warnings",
     NULL, opt_flag, AT(quiet), 0, 0, NULL},

    {"temp", 0, "T", OPT_SAMPLING, TALKS, true, "temperature (default 0.8); 0 takes the likeliest token",
     "The file's general.sampling keys, where it has them, replace the defaults of this group.",
     opt_float, AT(sample.temp), 0, 100, NULL},
    {"top-k", 0, "K", OPT_SAMPLING, TALKS, false, "keep the K likeliest tokens (default 40; 0: all)",
     NULL, opt_int, AT(sample.top_k), 0, MOST, NULL},
    {"top-p", 0, "P", OPT_SAMPLING, TALKS, false, "keep tokens up to this total probability (default 0.95; 1: all)",
     NULL, opt_float, AT(sample.top_p), 0, 1, NULL},
    {"min-p", 0, "P", OPT_SAMPLING, TALKS, false, "drop tokens below P times the best (default 0.05; 0: none)",
     NULL, opt_float, AT(sample.min_p), 0, 1, NULL},
    {"repeat-penalty", 0, "X", OPT_SAMPLING, TALKS, false, "make recent tokens less likely (default 1: off)",
     "Positive logits are divided by X, others multiplied.", opt_float, AT(sample.repeat_penalty), 0.001, 1000, NULL},
    {"repeat-last-n", 0, "N", OPT_SAMPLING, TALKS, false, "how many tokens are recent (default 64; -1: all, 0: off)",
     "For all three penalties.", opt_int, AT(sample.repeat_last_n), -1, MOST, NULL},
    {"frequency-penalty", 0, "X", OPT_SAMPLING, TALKS, false, "taken off a logit per recent use (default 0)",
     NULL, opt_float, AT(sample.frequency_penalty), -1000, 1000, NULL},
    {"presence-penalty", 0, "X", OPT_SAMPLING, TALKS, false, "taken off a logit used recently (default 0)",
     NULL, opt_float, AT(sample.presence_penalty), -1000, 1000, NULL},
    {"logit-bias", 0, "ID=V", OPT_SAMPLING, TALKS, false, "add V to a token's logit; repeatable",
     "V may be -inf, which forbids the token.", opt_bias, AT(biases), 0, 0, "ID=NUMBER, such as 15043=-1.5 or 2=-inf"},
    {"seed", 0, "N", OPT_SAMPLING, TALKS, true, "same seed, same text (default: random)",
     "The seed of a run is said with --verbose.", opt_seed, AT(sample.seed), 0, 0,
     "a whole number from 0 to 18446744073709551615"},

    {"threads", 't', "N", OPT_MACHINE, EVALUATES | BIT(quantize) | BIT(check), true, "threads (default: the fast cores of the machine)",
     "The answer does not depend on it.", opt_int, AT(n_threads), 1, 1024, NULL},
    {"cpu", 0, "LEVEL", OPT_MACHINE, EVALUATES, false, "use no more than this SIMD level",
     "`pith info --supported` lists the levels.", opt_text, AT(cpu), 0, 0, "a level"},
    {"context", 'c', "N", OPT_MACHINE, TALKS | BIT(logits) | BIT(bench), true, "most tokens that prompt and answer may take",
     "By default what prompt and --tokens need, at least 4096, or the model's context without --tokens; never more "
     "than the model's context and the free memory allow.", opt_int, AT(context), 1, MOST, NULL},
    {"context", 'c', "N", OPT_MACHINE, BIT(perplexity) | BIT(compare) | BIT(imatrix), false, "ids in a window (default 512)",
     NULL, opt_int, AT(context), 2, MOST, NULL},
    {"kv", 0, "TYPE", OPT_MACHINE, KEEPS, false, "how keys and values are kept: f32, f16 (default), q8_0, q4_0",
     "The last two take about half and a quarter of f16's memory.", opt_kv, AT(kv), 0, 0, "f32, f16, q8_0 or q4_0"},
    {"chunk", 0, "N", OPT_MACHINE, BIT(logits), false, "evaluate N ids at a time",
     NULL, opt_int, AT(chunk), 1, MOST, NULL},
    {"prompt", 'p', "N", OPT_MACHINE, BIT(bench), false, "ids of prefill (default 512)",
     NULL, opt_int, AT(n_prompt), 1, MOST, NULL},
    {"tokens", 'n', "N", OPT_MACHINE, BIT(bench), false, "steps of decode (default 64)",
     NULL, opt_int, AT(n_tokens), 1, MOST, NULL},
    {"depth", 0, "N", OPT_MACHINE, BIT(bench), false, "measure behind N ids of history (default 0)",
     "Its keys and values are random numbers, because evaluating a long history would take minutes.", opt_int, AT(depth), 0, MOST, NULL},
    {"batch", 0, "N", OPT_MACHINE, BIT(bench), false, "decode N ids a step, as guessing ahead does (default 1)",
     NULL, opt_int, AT(batch), 1, 256, NULL},
    {"cache", 0, "FILE", OPT_MACHINE, TALKS, false, "where to keep what was evaluated: read first, written at the end",
     "A prompt that begins like the one before starts behind what they have in common, with the same answer. `pith run "
     "-n 0` prepares a file without answering. It belongs to one model and one --kv.",
     opt_text, AT(cache), 0, 0, "a file"},
    {"sweep", 0, NULL, OPT_MACHINE, BIT(bench), false, "a table: every level with 1, 2, 4, ... threads",
     "Up to --cpu and --threads, the best first; 128 ids of prefill and 16 steps of decode. With --json an object a line.",
     opt_flag, AT(sweep), 0, 0, NULL},
    {"kernels", 0, NULL, OPT_MACHINE, BIT(bench), false, "a table: the matrix products of every format; needs no model",
     "GB/s of weights that products with one column read from memory, beside plain reads, and Gop/s with 256 columns, "
     "beside what the level's multiplications reach on registers only.", opt_flag, AT(kernels), 0, 0, NULL},
    {"now", 0, "TIME", OPT_MACHINE, TALKS | BIT(template), false, "the clock that templates read",
     NULL, opt_now, AT(now), 0, 0, "YYYY-MM-DDTHH:MM:SS"},

    {NULL, 'h', NULL, OPT_OTHER, ALL, true, "this screen", NULL, opt_flag, AT(screen), 0, 0, NULL},
    {"help", 0, NULL, OPT_OTHER, ALL, true, "every option, with examples", NULL, opt_flag, AT(help), 0, 0, NULL},
    {"version", 0, NULL, OPT_OTHER, ALL, false, "print the version", NULL, opt_flag, AT(version), 0, 0, NULL},
    {"man", 0, NULL, OPT_OTHER, BIT(help), false, "the manual page of all commands, in roff",
     NULL, opt_flag, AT(man), 0, 0, NULL},
};
// clang-format on

const size_t opt_n_rows = ARRAY_LEN(opt_rows);
