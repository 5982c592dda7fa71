// SPDX-License-Identifier: MIT
// Turns and their text. See cmd/turns.h.
#include "cmd/turns.h"

#include <stdlib.h>
#include <string.h>

#include "base/find.h"

#define THINK_OPEN "<think>\n"
#define THINK_CLOSE "</think>"

const char *turns_role(struct str name) {
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (strlen(roles[i]) == name.len && memcmp(roles[i], name.ptr, name.len) == 0)
            return roles[i];
    return NULL;
}

struct turn *turns_insert(struct turns *t, size_t at, const char *role, struct str text) {
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 16;
        struct turn *more = realloc(t->ptr, cap * sizeof *more);
        if (!more)
            return NULL;
        t->ptr = more;
        t->cap = cap;
    }
    memmove(t->ptr + at + 1, t->ptr + at, (t->n - at) * sizeof *t->ptr);
    struct turn *turn = &t->ptr[at];
    *turn = (struct turn){.role = role};
    buf_append(&turn->text, text.ptr, text.len);
    t->n++;
    return turn->text.failed ? NULL : turn;
}

void turns_cut(struct turns *t, size_t n) {
    while (t->n > n) {
        struct turn *turn = &t->ptr[--t->n];
        buf_free(&turn->text);
        buf_free(&turn->thinking);
        ids_free(&turn->ids);
    }
}

void turns_free(struct turns *t) {
    turns_cut(t, 0);
    free(t->ptr);
    buf_free(&t->preamble);
    *t = (struct turns){0};
}

// The role that a line names as the head of a turn behind `slashes` backslashes, or NULL.
static const char *head_of(struct str line, size_t *slashes) {
    for (*slashes = 0; line.len && *line.ptr == '\\'; ++*slashes, line.ptr++, line.len--)
        ;
    if (!find_starts(line, "## "))
        return NULL;
    return turns_role(find_trim((struct str){line.ptr + 3, line.len - 3}));
}

// Without blank lines before it and white space behind it.
static void trim_lines(struct buf *text) {
    struct str rest = find_trim((struct str){text->ptr, text->len});
    size_t begin = rest.len ? (size_t)(rest.ptr - text->ptr) : 0, end = begin + rest.len;
    while (begin && text->ptr[begin - 1] != '\n')
        begin--;
    text->len = end - begin;
    if (begin)
        memmove(text->ptr, text->ptr + begin, text->len);
}

// An assistant's text that begins with a thought, as --think show writes it.
static void take_thinking(struct turn *turn) {
    struct str text = {turn->text.ptr, turn->text.len};
    if (strcmp(turn->role, "assistant") != 0 || !find_starts(text, THINK_OPEN))
        return;
    const char *end = memmem(text.ptr, text.len, THINK_CLOSE, strlen(THINK_CLOSE));
    if (!end)
        return;
    struct str thought =
        find_trim((struct str){text.ptr + strlen(THINK_OPEN), (size_t)(end - text.ptr) - strlen(THINK_OPEN)});
    buf_append(&turn->thinking, thought.ptr, thought.len);
    end += strlen(THINK_CLOSE);
    turn->text.len -= (size_t)(end - text.ptr);
    memmove(turn->text.ptr, end, turn->text.len);
    trim_lines(&turn->text);
}

static void add_line(struct buf *to, struct str line, size_t skip) {
    buf_append(to, line.ptr + skip, line.len - skip);
}

bool turns_parse(struct turns *t, struct str text, const char *name, struct err *e) {
    size_t before = t->n;
    bool ok = true;
    for (size_t at = 0, end; at < text.len && ok; at = end) {
        const char *newline = memchr(text.ptr + at, '\n', text.len - at);
        end = newline ? (size_t)(newline - text.ptr) + 1 : text.len;
        struct str line = {text.ptr + at, end - at};
        size_t slashes;
        const char *role = head_of(line, &slashes);
        if (role && !slashes)
            ok = turns_insert(t, t->n, role, (struct str){"", 0}) != NULL;
        else
            add_line(t->n > before ? &t->ptr[t->n - 1].text : &t->preamble, line, role ? 1 : 0);
    }
    for (size_t i = before; i < t->n; i++) {
        ok = ok && !t->ptr[i].text.failed;
        trim_lines(&t->ptr[i].text);
        take_thinking(&t->ptr[i]);
    }
    if (!ok || t->preamble.failed)
        return err_memory(e, text.len, name);
    ERR_IF(t->n == before && find_trim(text).len, e, ERR_INPUT,
           "%s: it has no turns: expected a line such as '## user' before each", name);
    return true;
}

void turns_write_head(const char *role, struct buf *out) {
    buf_printf(out, "## %s\n\n", role);
}

void turns_write_line(struct str line, struct buf *out) {
    size_t slashes;
    if (head_of(line, &slashes))
        buf_char(out, '\\');
    buf_append(out, line.ptr, line.len);
    buf_char(out, '\n');
}

void turns_write(const struct turns *t, struct buf *out) {
    if (t->preamble.len)
        buf_append(out, t->preamble.ptr, t->preamble.len);
    for (size_t i = 0; i < t->n; i++) {
        struct str text = {t->ptr[i].text.ptr, t->ptr[i].text.len};
        if (i)
            buf_char(out, '\n');
        turns_write_head(t->ptr[i].role, out);
        for (size_t at = 0, end; at < text.len; at = end + 1) {
            const char *newline = memchr(text.ptr + at, '\n', text.len - at);
            end = newline ? (size_t)(newline - text.ptr) : text.len;
            turns_write_line((struct str){text.ptr + at, end - at}, out);
        }
    }
}
