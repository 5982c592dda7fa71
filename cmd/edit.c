// SPDX-License-Identifier: MIT
// Editing a text. See cmd/edit.h.
#include "cmd/edit.h"

#include <string.h>

#include "base/utf8.h"
#include "text/unicode.h"

#define TAB_WIDTH 4

void edit_set(struct edit *d, struct str text) {
    d->text.len = d->cursor = 0;
    edit_insert(d, text.ptr, text.len);
}

void edit_insert(struct edit *d, const char *bytes, size_t n) {
    if (!n || !buf_reserve(&d->text, n))
        return;
    memmove(d->text.ptr + d->cursor + n, d->text.ptr + d->cursor, d->text.len - d->cursor);
    memcpy(d->text.ptr + d->cursor, bytes, n);
    d->text.len += n;
    d->cursor += n;
}

static uint32_t code_at(const struct edit *d, size_t at, unsigned *n) {
    return utf8_decode(d->text.ptr + at, d->text.len - at, n);
}

static bool is_mark(const struct edit *d, size_t at) {
    unsigned n;
    uint32_t code = code_at(d, at, &n);
    return code != UTF8_BAD && code >= 0x80 && uni_width(code) == 0;
}

static size_t char_back(const struct edit *d, size_t at) {
    do {
        if (at)
            at--;
        while (at && ((unsigned char)d->text.ptr[at] & 0xC0) == 0x80)
            at--;
    } while (at && is_mark(d, at));
    return at;
}

static size_t char_ahead(const struct edit *d, size_t at) {
    unsigned n;
    do {
        if (at == d->text.len)
            return at;
        code_at(d, at, &n);
        at += n;
    } while (at < d->text.len && is_mark(d, at));
    return at;
}

static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\t';
}

size_t edit_back(const struct edit *d, enum edit_unit unit) {
    size_t at = d->cursor;
    if (unit == EDIT_CHAR)
        return char_back(d, at);
    if (unit == EDIT_ALL)
        return 0;
    while (unit == EDIT_WORD && at && is_space(d->text.ptr[at - 1]))
        at--;
    while (at && (unit == EDIT_WORD ? !is_space(d->text.ptr[at - 1]) : d->text.ptr[at - 1] != '\n'))
        at--;
    return at;
}

size_t edit_ahead(const struct edit *d, enum edit_unit unit) {
    size_t at = d->cursor, len = d->text.len;
    if (unit == EDIT_CHAR)
        return char_ahead(d, at);
    if (unit == EDIT_ALL)
        return len;
    while (unit == EDIT_WORD && at < len && is_space(d->text.ptr[at]))
        at++;
    while (at < len && (unit == EDIT_WORD ? !is_space(d->text.ptr[at]) : d->text.ptr[at] != '\n'))
        at++;
    return at;
}

void edit_remove(struct edit *d, size_t to) {
    size_t begin = min_size(to, d->cursor), end = max_size(to, d->cursor);
    if (begin == end)
        return;
    memmove(d->text.ptr + begin, d->text.ptr + end, d->text.len - end);
    d->text.len -= end - begin;
    d->cursor = begin;
}

// Moves `n` characters into the line that begins at `at`.
static void enter_line(struct edit *d, size_t at, size_t n) {
    while (n-- && at < d->text.len && d->text.ptr[at] != '\n')
        at = char_ahead(d, at);
    d->cursor = at;
}

static size_t chars_into_line(const struct edit *d) {
    size_t n = 0;
    for (size_t at = edit_back(d, EDIT_LINE); at < d->cursor; at = char_ahead(d, at))
        n++;
    return n;
}

bool edit_up(struct edit *d) {
    size_t begin = edit_back(d, EDIT_LINE), n = chars_into_line(d);
    if (!begin)
        return false;
    d->cursor = begin - 1;
    enter_line(d, edit_back(d, EDIT_LINE), n);
    return true;
}

bool edit_down(struct edit *d) {
    size_t end = edit_ahead(d, EDIT_LINE), n = chars_into_line(d);
    if (end == d->text.len)
        return false;
    enter_line(d, end + 1, n);
    return true;
}

// What a character looks like: controls as ^X. Its columns are returned.
static size_t draw_char(uint32_t code, const char *bytes, unsigned n, struct buf *out) {
    if (code == '\t') {
        buf_append(out, "    ", TAB_WIDTH);
        return TAB_WIDTH;
    }
    if (code < 0x20 || code == 0x7F) {
        buf_char(out, '^');
        buf_char(out, (char)(code ^ 0x40));
        return 2;
    }
    if (code == UTF8_BAD || (code >= 0x80 && code < 0xA0)) {
        buf_char(out, '?');
        return 1;
    }
    buf_append(out, bytes, n);
    return uni_width(code);
}

// Rows drawn so far; only those from `first` to `last` are kept.
struct drawing {
    struct buf row;
    struct buf *out;
    size_t column, n_rows, first, last;
};

static void end_row(struct drawing *w) {
    bool kept = w->n_rows >= w->first && w->n_rows <= w->last;
    if (kept && w->n_rows > w->first)
        buf_str(w->out, "\r\n");
    if (kept && w->row.len)
        buf_append(w->out, w->row.ptr, w->row.len);
    w->row.len = 0;
    w->n_rows++;
    w->column = 0;
}

static struct edit_place draw_rows(const struct edit *d, const char *prompt, size_t columns, struct drawing *w) {
    struct edit_place place = {0};
    size_t indent = strlen(prompt), at = 0;
    struct buf cell = {0};
    buf_str(&w->row, prompt);
    w->column = indent;
    for (unsigned n; at <= d->text.len; at += n) {
        bool end = at == d->text.len;
        uint32_t code = end ? ' ' : code_at(d, at, &n);
        cell.len = 0;
        size_t width = end ? 1 : code == '\n' ? 0 : draw_char(code, d->text.ptr + at, n, &cell);
        if (w->column + width > columns)
            end_row(w);
        if (at == d->cursor) {
            place.row = w->n_rows;
            place.column = w->column;
        }
        if (end)
            break;
        if (cell.len)
            buf_append(&w->row, cell.ptr, cell.len);
        w->column += width;
        if (code == '\n') {
            end_row(w);
            for (; w->column < indent; w->column++)
                buf_char(&w->row, ' ');
        }
    }
    end_row(w);
    place.n_rows = w->n_rows;
    buf_free(&w->row);
    buf_free(&cell);
    return place;
}

struct edit_place edit_draw(const struct edit *d, const char *prompt, size_t columns, size_t rows, struct buf *out) {
    struct buf nowhere = {0};
    struct drawing all = {.out = &nowhere, .first = SIZE_MAX};
    columns = max_size(columns, strlen(prompt) + TAB_WIDTH);
    rows = max_size(rows, 1);
    struct edit_place place = draw_rows(d, prompt, columns, &all);
    size_t first = place.row >= rows ? place.row - rows + 1 : 0;
    struct drawing some = {.out = out, .first = first, .last = first + rows - 1};
    draw_rows(d, prompt, columns, &some);
    place.row -= first;
    place.n_rows = min_size(place.n_rows - first, rows);
    return place;
}
