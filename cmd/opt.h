// SPDX-License-Identifier: MIT
// Options: one row each in opt_rows.c, from which parsing, -h, --help and the manual page are made.
//
// Parsing has two steps. opt_parse first sorts the arguments into raw (option, value) pairs and words, then checks the
// values and stores them in a struct settings. Nothing is opened before the whole command line is known to be good.
// Strings in the settings point into argv; lists are owned by the settings.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "infer/sample.h"
#include "infer/session.h"

struct opt_list {
    const char **ptr;
    size_t n;
};

struct opt_biases {
    struct logit_bias *ptr;
    size_t n;
};

// Where the thinking of a model goes.
enum opt_think { OPT_THINK_DROP, OPT_THINK_STDERR, OPT_THINK_SHOW };

// A local time, as templates read it; given is false for "now".
struct opt_time {
    int32_t year, month, day, hour, minute, second;
    bool given;
};

struct settings {
    unsigned command; // enum cmd_id
    struct arena arena;
    const struct opt_raw *raw; // what was given, in order
    size_t n_raw;
    struct opt_list words; // arguments that are not options

    const char *model, *template, *system, *output, *ids, *encoder_ids, *cpu, *imatrix;
    const char *tools, *history, *cache;
    struct opt_list files, stops, tensor_types, template_args;
    struct opt_biases biases;
    bool continues; // --raw
    bool special, no_stdin, lossy, json, tensors, supported, decode, man, quiet, verbose;
    bool pure, dry_run, fresh;
    bool sweep, kernels; // of bench
    bool lines;          // of chat: a turn a line
    bool tool_calls;     // --tool-calls json
    enum opt_think think;
    bool screen, help, version;                                // -h, --help, --version
    int32_t n_tokens, think_budget;                            // -1: no limit
    int32_t n_prompt, n_threads, context, chunk, depth, batch; // 0: not given
    enum kv_type kv;
    enum pooling pooling;        // --pooling
    struct sample_params sample; // with its bias list
    struct rope_params rope;
    float rope_freq_scale; // 0: not given
    struct opt_time now;
};

enum opt_group { OPT_MODEL, OPT_POSITIONS, OPT_INPUT, OPT_OUTPUT, OPT_SAMPLING, OPT_MACHINE, OPT_OTHER, N_OPT_GROUPS };

// Checks a value and stores it in the row's field.
struct opt;
typedef bool opt_parser(const struct opt *o, const char *value, void *field, struct err *e);

struct opt {
    const char *name; // the long name; NULL: a letter only
    char letter;      // 0: none
    const char *arg;  // what the value is called; NULL: a flag
    enum opt_group group;
    uint32_t commands; // bit 1 << CMD_x for each command that has it
    bool on_screen;    // shown by -h of run
    const char *line;  // one line of help
    const char *more;  // further sentences for --help and the manual; or NULL
    opt_parser *parse;
    size_t at;            // offset of the field in struct settings
    double min, max;      // numbers
    const char *expected; // how an error describes a good value; NULL: from min and max
};

struct opt_raw {
    const struct opt *opt;
    const char *value; // NULL for a flag
};

extern const struct opt opt_rows[];
extern const size_t opt_n_rows;
extern const char *const opt_group_names[N_OPT_GROUPS];

// argv[0] is skipped. Errors are ERR_USAGE. opt_free is due in either case.
bool opt_parse(struct settings *s, int argc, char **argv, struct err *e);
void opt_free(struct settings *s);

// True when an option of this long name was on the command line.
bool opt_given(const struct settings *s, const char *name);

// The long name that is nearest to a mistyped one among the options of a command, or NULL when none is near.
const char *opt_nearest(const char *name, size_t len, unsigned command);

// How an option is written: "--temp", or "-h" for a row with a letter only.
void opt_spell(const struct opt *o, char out[32]);

// Parsers of values (opt_values.c), for rows and tests.
opt_parser opt_flag, opt_text, opt_int, opt_float, opt_seed, opt_append, opt_bias, opt_kv, opt_now, opt_think,
    opt_tool_calls, opt_var, opt_pooling, opt_rope_scaling;

// A comma- or space-separated list of ids (not negative), appended to *out.
bool opt_ids(const char *text, size_t len, const char *what, struct ids *out, struct err *e);
