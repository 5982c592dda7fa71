// SPDX-License-Identifier: MIT
// Parsers of option values: each checks one kind of value to its last byte and stores it in a field of the settings, or
// names the option, the value and what was expected (ERR_USAGE).
#include "cmd/opt.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void opt_spell(const struct opt *o, char out[32]) {
    if (!o->name) {
        memcpy(out, (char[]){'-', o->letter, 0}, 3);
        return;
    }
    size_t len = min_size(strlen(o->name), 29);
    memcpy(out, "--", 2);
    memcpy(out + 2, o->name, len);
    out[2 + len] = 0;
}

static bool opt_bad(const struct opt *o, const char *value, struct err *e) {
    char spelled[32];
    opt_spell(o, spelled);
    return err_set(e, ERR_USAGE, "%s %s: expected %s", spelled, value, o->expected);
}

bool opt_flag(const struct opt *o, const char *value, void *field, struct err *e) {
    (void)o, (void)value, (void)e;
    *(bool *)field = true;
    return true;
}

bool opt_text(const struct opt *o, const char *value, void *field, struct err *e) {
    (void)o, (void)e;
    *(const char **)field = value;
    return true;
}

// A number without leading blanks whose last byte is the value's last.
static bool starts_number(const char *value) {
    return strchr("+-.0123456789", value[0]) && value[0];
}

bool opt_int(const struct opt *o, const char *value, void *field, struct err *e) {
    char *end, spelled[32];
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (!starts_number(value) || end == value || *end || errno || (double)n < o->min || (double)n > o->max) {
        opt_spell(o, spelled);
        return err_set(e, ERR_USAGE, "%s %s: expected a whole number from %.0f to %.0f", spelled, value, o->min,
                       o->max);
    }
    *(int32_t *)field = (int32_t)n;
    return true;
}

bool opt_float(const struct opt *o, const char *value, void *field, struct err *e) {
    char *end, spelled[32];
    double x = strtod(value, &end);
    if (!starts_number(value) || end == value || *end || !(x >= o->min && x <= o->max)) {
        opt_spell(o, spelled);
        return err_set(e, ERR_USAGE, "%s %s: expected a number from %g to %g", spelled, value, o->min, o->max);
    }
    *(float *)field = (float)x;
    return true;
}

bool opt_seed(const struct opt *o, const char *value, void *field, struct err *e) {
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno)
        return opt_bad(o, value, e);
    *(uint64_t *)field = n;
    return true;
}

bool opt_append(const struct opt *o, const char *value, void *field, struct err *e) {
    struct opt_list *list = field;
    if (!*value)
        return opt_bad(o, "\"\"", e);
    list->ptr[list->n++] = value;
    return true;
}

bool opt_bias(const struct opt *o, const char *value, void *field, struct err *e) {
    struct opt_biases *list = field;
    char *end;
    errno = 0;
    long long id = strtoll(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '=' || errno || id > INT32_MAX || !end[1])
        return opt_bad(o, value, e);
    const char *number = end + 1;
    bool forbids = strcmp(number, "-inf") == 0;
    double x = strtod(number, &end);
    if ((!starts_number(number) || *end || !isfinite((float)x)) && !forbids)
        return opt_bad(o, value, e);
    list->ptr[list->n++] = (struct logit_bias){(int32_t)id, (float)x};
    return true;
}

// The number of a value among names.
static bool choose(const struct opt *o, const char *value, const char *const *names, size_t n, size_t *out,
                   struct err *e) {
    for (*out = 0; *out < n; ++*out)
        if (strcmp(value, names[*out]) == 0)
            return true;
    return opt_bad(o, value, e);
}

bool opt_kv(const struct opt *o, const char *value, void *field, struct err *e) {
    static const char *const names[] = {[KV_F16] = "f16", [KV_F32] = "f32", [KV_Q8_0] = "q8_0", [KV_Q4_0] = "q4_0"};
    size_t i;
    ERR_FORWARD(choose(o, value, names, ARRAY_LEN(names), &i, e));
    *(enum kv_type *)field = (enum kv_type)i;
    return true;
}

bool opt_pooling(const struct opt *o, const char *value, void *field, struct err *e) {
    static const char *const names[] = {[POOLING_NONE] = "none",
                                        [POOLING_MEAN] = "mean",
                                        [POOLING_CLS] = "cls",
                                        [POOLING_LAST] = "last",
                                        [POOLING_RANK] = "rank"};
    size_t i;
    ERR_FORWARD(choose(o, value, names, ARRAY_LEN(names), &i, e));
    *(enum pooling *)field = (enum pooling)i;
    return true;
}

bool opt_rope_scaling(const struct opt *o, const char *value, void *field, struct err *e) {
    const char *name = strcmp(value, "ntk") == 0 ? rope_scaling_names[ROPE_SCALING_DYNAMIC] : value;
    size_t i;
    if (!choose(o, name, rope_scaling_names + 1, N_ROPE_SCALINGS - 1, &i, e))
        return opt_bad(o, value, e);
    *(enum rope_scaling *)field = (enum rope_scaling)(i + 1);
    return true;
}

bool opt_think(const struct opt *o, const char *value, void *field, struct err *e) {
    static const char *const names[] = {
        [OPT_THINK_DROP] = "drop", [OPT_THINK_STDERR] = "stderr", [OPT_THINK_SHOW] = "show"};
    size_t i;
    ERR_FORWARD(choose(o, value, names, ARRAY_LEN(names), &i, e));
    *(enum opt_think *)field = (enum opt_think)i;
    return true;
}

bool opt_tool_calls(const struct opt *o, const char *value, void *field, struct err *e) {
    *(bool *)field = strcmp(value, "json") == 0;
    return *(bool *)field || opt_bad(o, value, e);
}

// NAME=VALUE with a name that a template can use.
bool opt_var(const struct opt *o, const char *value, void *field, struct err *e) {
    size_t n = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    if (!n || value[n] != '=' || (*value >= '0' && *value <= '9'))
        return opt_bad(o, value, e);
    return opt_append(o, value, field, e);
}

static int days_in(int year, int month) {
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool opt_now(const struct opt *o, const char *value, void *field, struct err *e) {
    static const char form[] = "0000-00-00T00:00:00";
    int part[6] = {0}, at = 0;
    size_t i = 0;
    for (; form[i] && value[i]; i++) {
        bool digit = value[i] >= '0' && value[i] <= '9';
        if (form[i] == '0' ? !digit : value[i] != form[i])
            break;
        if (digit)
            part[at] = part[at] * 10 + value[i] - '0';
        else
            at++;
    }
    bool whole = !form[i] && !value[i];
    if (!whole || part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > days_in(part[0], part[1]) || part[3] > 23 ||
        part[4] > 59 || part[5] > 59)
        return opt_bad(o, value, e);
    *(struct opt_time *)field = (struct opt_time){part[0], part[1], part[2], part[3], part[4], part[5], true};
    return true;
}

static bool is_separator(char c) {
    return c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

bool opt_ids(const char *text, size_t len, const char *what, struct ids *out, struct err *e) {
    for (size_t i = 0; i < len;) {
        if (is_separator(text[i])) {
            i++;
            continue;
        }
        size_t begin = i;
        int64_t id = 0;
        for (; i < len && text[i] >= '0' && text[i] <= '9' && id <= INT32_MAX; i++)
            id = id * 10 + (text[i] - '0');
        ERR_IF(id > INT32_MAX || i == begin || (i < len && !is_separator(text[i])), e, ERR_INPUT,
               "%s: offset %zu: expected token ids separated by commas or spaces", what, begin);
        ids_push(out, (int32_t)id);
    }
    return !out->failed || err_memory(e, len, what);
}
