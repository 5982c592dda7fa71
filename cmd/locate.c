// SPDX-License-Identifier: MIT
// Finding model files by name. See cmd/locate.h.
#include "cmd/locate.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/parts.h"

#define SUFFIX ".gguf"

static bool is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

// What the search found so far.
struct search {
    const char *name;
    struct buf best;  // terminated path of the first match
    struct buf names; // the file names of all different matches, ", " between them
    size_t n;
};

static bool is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

// The first part of a split file stands for all, unless the name says which.
static bool later_part(const char *name, const char *file) {
    struct parts_name part;
    return parts_parse(file, &part) && part.number != 1 && strlen(name) <= part.prefix_len;
}

static bool matches(const char *name, const char *file) {
    size_t n = strlen(name), m = strlen(file), suffix = strlen(SUFFIX);
    return m > suffix && n <= m && strcmp(file + m - suffix, SUFFIX) == 0 && memcmp(file, name, n) == 0 &&
           !later_part(name, file);
}

static void search_add(struct search *s, const char *dir, const char *file) {
    const char *known = s->best.len ? strrchr(s->best.ptr, '/') + 1 : "";
    if (strcmp(known, file) == 0) // an earlier folder has it
        return;
    if (s->n++ == 0)
        buf_printf(&s->best, "%s/%s%c", dir, file, 0);
    if (s->n <= 4)
        buf_printf(&s->names, "%s%s", s->n > 1 ? ", " : "", file);
}

static void search_folder(struct search *s, const char *dir) {
    DIR *d = opendir(dir);
    if (!d)
        return;
    struct buf path = {0};
    for (struct dirent *entry; (entry = readdir(d));) {
        path.len = 0;
        buf_printf(&path, "%s/%s%c", dir, entry->d_name, 0);
        if (matches(s->name, entry->d_name) && !path.failed && is_file(path.ptr))
            search_add(s, dir, entry->d_name);
    }
    buf_free(&path);
    closedir(d);
}

// Calls visit for each folder of the search path until it returns true.
static bool each_folder(struct search *s, bool (*visit)(struct search *s, const char *dir)) {
    struct buf path = {0};
    const char *set = getenv("PITH_PATH"), *home = getenv("HOME");
    if (set && *set)
        buf_str(&path, set);
    else
        buf_printf(&path, "./models:%s/.local/share/pith", home ? home : "");
    buf_char(&path, 0);
    bool found = false;
    for (char *dir = path.failed ? NULL : path.ptr; dir && !found;) {
        char *end = strchr(dir, ':');
        if (end)
            *end = 0;
        found = *dir && visit(s, dir);
        dir = end ? end + 1 : NULL;
    }
    buf_free(&path);
    return found;
}

static bool visit_exact(struct search *s, const char *dir) {
    buf_printf(&s->best, "%s/%s%s%c", dir, s->name, SUFFIX, 0);
    if (!s->best.failed && is_file(s->best.ptr))
        return true;
    s->best.len = 0;
    return false;
}

static bool visit_prefix(struct search *s, const char *dir) {
    search_folder(s, dir);
    return false;
}

static bool search_result(struct search *s, struct buf *path, struct err *e) {
    const char *where = getenv("PITH_PATH");
    where = where && *where ? where : "./models:~/.local/share/pith";
    buf_char(&s->names, 0);
    ERR_IF(!s->best.len && is_folder(s->name), e, ERR_INPUT, "%s: is a directory", s->name);
    ERR_IF(!s->best.len, e, ERR_INPUT, "%s: no such model file, and no %s*" SUFFIX " in %s", s->name, s->name, where);
    ERR_IF(s->n > 1, e, ERR_INPUT, "%s: ambiguous: %s%s", s->name, s->names.failed ? "" : s->names.ptr,
           s->n > 4 ? ", ..." : "");
    buf_append(path, s->best.ptr, s->best.len);
    return true;
}

bool locate_model(const char *named, struct buf *path, struct err *e) {
    if (!named || !*named)
        named = getenv("PITH_MODEL");
    ERR_IF(!named || !*named, e, ERR_USAGE, "no model: expected -m MODEL or $PITH_MODEL");
    if (strchr(named, '/') || is_file(named)) {
        buf_append(path, named, strlen(named) + 1);
        return !path->failed || err_memory(e, strlen(named), "path");
    }
    struct search s = {.name = named};
    if (!each_folder(&s, visit_exact))
        each_folder(&s, visit_prefix);
    bool ok = search_result(&s, path, e);
    if (ok && path->failed)
        ok = err_memory(e, s.best.len, "path");
    buf_free(&s.best);
    buf_free(&s.names);
    return ok;
}
