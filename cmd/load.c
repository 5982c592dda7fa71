// SPDX-License-Identifier: MIT
// Opening models and sessions for commands. See cmd/load.h.
#include "cmd/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/locate.h"
#include "cmd/signals.h"

bool load_engine(const struct settings *o, const char *path, struct engine **out, struct err *e) {
    struct rope_params rope = o->rope;
    ERR_IF(rope.factor > 0 && o->rope_freq_scale > 0, e, ERR_USAGE, "--rope-freq-scale: contradicts --rope-scale");
    if (o->rope_freq_scale > 0)
        rope.factor = 1 / o->rope_freq_scale;
    signals_name_mapping(path);
    const struct engine_params p = {.path = path,
                                    .n_threads = (unsigned)o->n_threads,
                                    .cpu_level = o->cpu,
                                    .rope = &rope,
                                    .memory = load_free_memory()};
    ERR_FORWARD(engine_open(out, &p, e));
    const char *warning = tok_warning((*out)->tok);
    if (warning)
        cmd_warn(o, "%s: %s", path, warning);
    return true;
}

bool load_named_engine(const struct settings *o, struct engine **out, struct err *e) {
    struct buf path = {0};
    *out = NULL;
    bool ok = locate_model(o->model, &path, e) && load_engine(o, path.ptr, out, e);
    buf_free(&path);
    return ok;
}

bool load_check_apart(const char *output, const struct gguf *g, struct err *e) {
    struct stat to, from;
    if (!output || stat(output, &to) != 0)
        return true;
    for (size_t i = 0; i < g->n_parts; i++)
        ERR_IF(stat(g->parts[i].path, &from) == 0 && from.st_dev == to.st_dev && from.st_ino == to.st_ino, e, ERR_USAGE,
               "--output %s: is the model; expected another file to write", output);
    return true;
}

struct session_params load_params(const struct settings *o, size_t n_ctx) {
    return (struct session_params){.n_ctx = (uint32_t)n_ctx, .kv = o->kv, .cancel = &signals_interrupted};
}

bool load_session(const struct settings *o, const struct engine *en, size_t n_ctx, struct session **out,
                  struct err *e) {
    ERR_IF(n_ctx > UINT32_MAX, e, ERR_INPUT, "context: %zu ids are too many", n_ctx);
    struct session_params p = load_params(o, n_ctx);
    return session_open(out, en, &p, e);
}

// The first number after `label` in a small text file of the kernel; UINT64_MAX when there is none.
static uint64_t kernel_number(const char *path, const char *label) {
    struct buf text = {0};
    struct err ignored;
    uint64_t n = UINT64_MAX;
    bool ok = file_read(path, &text, &ignored);
    buf_char(&text, 0);
    const char *at = ok && !text.failed ? strstr(text.ptr, label) : NULL;
    if (at) {
        char *end;
        const char *digits = at + strlen(label);
        unsigned long long value = strtoull(digits, &end, 10);
        if (end != digits)
            n = value;
    }
    buf_free(&text);
    return n;
}

static uint64_t group_number(const char *folder, const char *file, const char *label) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return kernel_number(path, label);
}

uint64_t load_group_memory(const char *folder) {
    static const char *const caches[] = {"\nactive_file ", "\ninactive_file "};
    uint64_t limit = group_number(folder, "memory.max", ""), used = group_number(folder, "memory.current", "");
    if (limit == UINT64_MAX || used == UINT64_MAX)
        return UINT64_MAX;
    for (size_t i = 0; i < ARRAY_LEN(caches); i++) {
        uint64_t n = group_number(folder, "memory.stat", caches[i]);
        used -= n == UINT64_MAX ? 0 : n < used ? n : used;
    }
    return limit > used ? limit - used : 0;
}

uint64_t load_free_memory(void) {
    uint64_t available = kernel_number("/proc/meminfo", "MemAvailable:");
    if (available == UINT64_MAX)
        available = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    else
        available *= 1024;
    uint64_t group = load_group_memory("/sys/fs/cgroup");
    return group < available ? group : available;
}

double load_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
