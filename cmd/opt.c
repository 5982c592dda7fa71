// SPDX-License-Identifier: MIT
// Parsing of the command line: arguments to raw pairs, raw pairs to settings. See cmd/opt.h.
#include "cmd/opt.h"

#include <string.h>

#include "cmd/cmd.h"

static const struct settings defaults = {.n_tokens = -1, .think_budget = -1, .kv = KV_F16, .rope = {.ext_factor = -1}};

// Edits (insert, delete, replace, swap of neighbours) between two short words; words of 31 bytes and more are far.
static size_t edits(const char *a, size_t n, const char *b, size_t m) {
    enum { MAX = 32 };
    if (n >= MAX || m >= MAX)
        return MAX;
    size_t row[MAX][MAX];
    for (size_t i = 0; i <= n; i++)
        row[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            size_t best = row[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = min_size(best, 1 + min_size(row[i - 1][j], row[i][j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = min_size(best, 1 + row[i - 2][j - 2]);
            row[i][j] = best;
        }
    return row[n][m];
}

const char *opt_nearest(const char *name, size_t len, unsigned command) {
    const char *best = NULL;
    size_t least = len / 3 + 2; // edits that still count as a typing error
    for (size_t i = 0; i < opt_n_rows; i++) {
        const struct opt *o = &opt_rows[i];
        if (!o->name || !(o->commands >> command & 1))
            continue;
        size_t full = strlen(o->name);
        size_t distance =
            full > len && len >= 3 && memcmp(name, o->name, len) == 0 ? 1 : edits(name, len, o->name, full);
        if (distance < least) {
            least = distance;
            best = o->name;
        }
    }
    return best;
}

static const struct opt *find_long(const char *name, size_t len, unsigned command) {
    for (size_t i = 0; i < opt_n_rows; i++) {
        const struct opt *o = &opt_rows[i];
        if (o->name && strlen(o->name) == len && memcmp(o->name, name, len) == 0 && o->commands >> command & 1)
            return o;
    }
    return NULL;
}

static const struct opt *find_letter(char letter, unsigned command) {
    for (size_t i = 0; i < opt_n_rows; i++)
        if (opt_rows[i].letter == letter && opt_rows[i].commands >> command & 1)
            return &opt_rows[i];
    return NULL;
}

struct arguments {
    char **argv;
    int argc, at;
    struct opt_raw *raw; // room for one per byte of the longest cluster and argument
};

static bool unknown_long(const char *name, size_t len, unsigned command, struct err *e) {
    for (unsigned c = 0; c < N_CMDS; c++)
        ERR_IF(find_long(name, len, c), e, ERR_USAGE, "--%.*s: not an option of %s, but of %s", (int)len, name,
               cmd_table[command].name, cmd_table[c].name);
    const char *near = opt_nearest(name, len, command);
    ERR_IF(near, e, ERR_USAGE, "--%.*s: unknown option; did you mean --%s?", (int)len, name, near);
    return err_set(e, ERR_USAGE, "--%.*s: unknown option; pith %s --help lists them", (int)len, name,
                   cmd_table[command].name);
}

// The value of an option: what stands after it in the same argument, or the next argument.
static bool take_value(struct settings *s, struct arguments *a, const struct opt *o, const char *attached,
                       struct err *e) {
    char spelled[32];
    opt_spell(o, spelled);
    const char *value = attached;
    if (!value && a->at < a->argc)
        value = a->argv[a->at++];
    ERR_IF(!value, e, ERR_USAGE, "%s: expected a value (%s)", spelled, o->arg);
    a->raw[s->n_raw++] = (struct opt_raw){o, value};
    return true;
}

static bool parse_long(struct settings *s, struct arguments *a, const char *text, struct err *e) {
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : strlen(text);
    const struct opt *o = find_long(text, len, s->command);
    if (!o)
        return unknown_long(text, len, s->command, e);
    if (o->arg)
        return take_value(s, a, o, equals ? equals + 1 : NULL, e);
    ERR_IF(equals, e, ERR_USAGE, "--%s: takes no value", text);
    a->raw[s->n_raw++] = (struct opt_raw){o, NULL};
    return true;
}

static bool parse_letters(struct settings *s, struct arguments *a, const char *text, struct err *e) {
    for (; *text; text++) {
        const struct opt *o = find_letter(*text, s->command);
        ERR_IF(!o, e, ERR_USAGE, "-%c: unknown option; pith %s -h lists them (words that begin with - stand after --)",
               *text, cmd_table[s->command].name);
        if (o->arg)
            return take_value(s, a, o, text[1] ? text + 1 : NULL, e);
        a->raw[s->n_raw++] = (struct opt_raw){o, NULL};
    }
    return true;
}

static bool collect(struct settings *s, struct arguments *a, struct err *e) {
    bool words_only = false;
    while (a->at < a->argc) {
        const char *arg = a->argv[a->at++];
        bool ok = true;
        if (words_only || arg[0] != '-' || !arg[1])
            s->words.ptr[s->words.n++] = arg;
        else if (strcmp(arg, "--") == 0)
            words_only = true;
        else
            ok = arg[1] == '-' ? parse_long(s, a, arg + 2, e) : parse_letters(s, a, arg + 1, e);
        ERR_FORWARD(ok);
    }
    return true;
}

static bool apply(struct settings *s, struct err *e) {
    for (size_t i = 0; i < s->n_raw; i++) {
        const struct opt *o = s->raw[i].opt;
        ERR_FORWARD(o->parse(o, s->raw[i].value, (char *)s + o->at, e));
    }
    s->sample.bias = s->biases.ptr;
    s->sample.n_bias = s->biases.n;
    return true;
}

static unsigned command_named(const char *name) {
    for (unsigned c = 0; c < N_CMDS; c++)
        if (strcmp(name, cmd_table[c].name) == 0)
            return c;
    return N_CMDS;
}

bool opt_parse(struct settings *s, int argc, char **argv, struct err *e) {
    *s = defaults;
    s->sample = sample_defaults;
    struct arguments a = {.argv = argv, .argc = argc, .at = 1};
    unsigned command = argc > 1 ? command_named(argv[1]) : N_CMDS;
    s->command = command == N_CMDS ? CMD_run : command;
    a.at += command != N_CMDS;

    // Every argument gives at most one word, list entry or value, and every byte at most one flag.
    size_t n = 1, bytes = 1;
    for (int i = 1; i < argc; i++, n++)
        bytes += strlen(argv[i]);
    const char **strings = arena_alloc(&s->arena, 5 * n, sizeof *strings);
    s->biases.ptr = arena_alloc(&s->arena, n, sizeof *s->biases.ptr);
    a.raw = arena_alloc(&s->arena, bytes, sizeof *a.raw);
    if (!strings || !s->biases.ptr || !a.raw)
        return err_memory(e, bytes * sizeof *a.raw, "command line");
    s->words.ptr = strings;
    s->files.ptr = strings + n;
    s->stops.ptr = strings + 2 * n;
    s->tensor_types.ptr = strings + 3 * n;
    s->template_args.ptr = strings + 4 * n;
    s->raw = a.raw;
    return collect(s, &a, e) && apply(s, e);
}

void opt_free(struct settings *s) {
    arena_free(&s->arena);
}

bool opt_given(const struct settings *s, const char *name) {
    for (size_t i = 0; i < s->n_raw; i++)
        if (s->raw[i].opt->name && strcmp(s->raw[i].opt->name, name) == 0)
            return true;
    return false;
}
