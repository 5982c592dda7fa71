// SPDX-License-Identifier: MIT
// The filters that lay text out in lines of a width: wordwrap and pprint, as Python's textwrap and pprint do it.
#include "text/jinja_seq.h"
#include "text/unicode.h"

#define PPRINT_WIDTH 80

// A line as characters; at[i] is the byte where one begins.
struct wrap {
    const struct jstr *s;
    size_t *at; // [n + 1]
    uint32_t *codes;
    size_t n;
    size_t *ends; // [n_chunks] of the stretches that lines are made of: words, parts of words, white space
    size_t n_chunks, width;
    bool long_words, hyphens; // may be broken, may be broken at
};

static bool is_blank(uint32_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(uint32_t c) {
    return c == '_' || UNI_BIT(uni_class(c)) & (UNI_L | UNI_N);
}

static bool is_letter(const struct wrap *w, size_t i) {
    return i < w->n && is_word(w->codes[i]) && !(UNI_BIT(uni_class(w->codes[i])) & UNI_BIT(UNI_ND));
}

static bool is_hyphen(const struct wrap *w, size_t i) {
    return i < w->n && w->codes[i] == '-';
}

// The end of two or more hyphens at i between words; i where there are none.
static size_t dash_end(const struct wrap *w, size_t i) {
    size_t end = i;
    uint32_t before = i ? w->codes[i - 1] : ' ';
    if (!is_word(before) && !(before && before < 128 && strchr("!\"'&.,?", (int)before)))
        return i;
    while (is_hyphen(w, end))
        end++;
    return end >= i + 2 && end < w->n && is_word(w->codes[end]) ? end : i;
}

// Whether a word may be broken behind its hyphen at p.
static bool breaks_behind(const struct wrap *w, size_t p) {
    bool before = is_hyphen(w, p) && p >= 2 && is_letter(w, p - 1) &&
                  (is_letter(w, p - 2) || (p >= 3 && is_hyphen(w, p - 2) && is_letter(w, p - 3)));
    return before && is_letter(w, p + 1) && (is_letter(w, p + 2) || (is_hyphen(w, p + 2) && is_letter(w, p + 3)));
}

static size_t chunk_end(const struct wrap *w, size_t i) {
    size_t p = i;
    while (p < w->n && is_blank(w->codes[p]))
        p++;
    if (p > i || (w->hyphens && dash_end(w, i) > i))
        return p > i ? p : dash_end(w, i);
    for (p = i + 1; p < w->n && !is_blank(w->codes[p]); p++) {
        if (w->hyphens && breaks_behind(w, p))
            return p + 1;
        if (w->hyphens && dash_end(w, p) > p)
            return p;
    }
    return p;
}

static bool open_line(struct jinja *j, struct wrap *w, size_t from, size_t to) {
    size_t most = to - from;
    w->at = j_alloc(j, most + 1, sizeof *w->at);
    w->codes = j_alloc(j, most + 1, sizeof *w->codes);
    w->ends = j_alloc(j, most + 1, sizeof *w->ends);
    if (!w->at || !w->codes || !w->ends || !j_burn(j, most))
        return false;
    w->n = w->n_chunks = 0;
    while (from < to) {
        struct uni_char c = uni_char_at(w->s->ptr, from, to);
        w->at[w->n] = from;
        w->codes[w->n++] = c.code;
        from += c.len;
    }
    w->at[w->n] = to;
    for (size_t i = 0; i < w->n; i = w->ends[w->n_chunks++])
        w->ends[w->n_chunks] = chunk_end(w, i);
    return true;
}

// How much of a chunk that is wider than a line goes into the `room` that this one has left.
static size_t long_part(const struct wrap *w, size_t begin, size_t end, size_t room) {
    bool other = false;
    size_t part = room;
    for (size_t i = begin; w->hyphens && end - begin > room && i < begin + room; i++) {
        if (w->codes[i] == '-' && other)
            part = i + 1 - begin;
        other |= w->codes[i] != '-';
    }
    return part;
}

// The end of the line that begins with chunk *k at character `begin`; *next is where the one behind it begins.
static size_t line_end(const struct wrap *w, size_t begin, size_t *k, size_t *next) {
    size_t at = begin, last = begin; // last: where the last piece begins
    while (*k < w->n_chunks && w->ends[*k] - begin <= w->width) {
        last = at;
        at = w->ends[(*k)++];
    }
    if (*k < w->n_chunks && w->ends[*k] - at > w->width && (w->long_words || at == begin)) {
        size_t room = w->width - (at - begin);
        size_t part = w->long_words ? long_part(w, at, w->ends[*k], room) : w->ends[*k] - at;
        last = at;
        at += part;
        *k += at == w->ends[*k];
    }
    *next = at;
    return at > last && is_blank(w->codes[last]) ? last : at;
}

static bool wrap_line(struct jinja *j, const struct wrap *w, const struct jstr *between, struct jbuilder *b) {
    bool some = false;
    for (size_t k = 0, begin = 0, next; k < w->n_chunks; begin = next) {
        if (some && is_blank(w->codes[begin])) {
            next = w->ends[k++];
            continue;
        }
        size_t end = line_end(w, begin, &k, &next);
        if (end == begin)
            continue;
        if ((some && !j_add_slice(j, b, between, 0, between->len)) ||
            !j_add_slice(j, b, w->s, w->at[begin], w->at[end]))
            return false;
        some = true;
    }
    return true;
}

static bool is_line_end(char c) {
    return c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

bool j_filter_wordwrap(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jval text, between;
    struct jbuilder b = {0};
    int64_t width;
    const struct jval *longs = ARG(1), *string = ARG(2), *hyphens = ARG(3);
    if (!j_to_str(j, SELF, &text) || !j_filter_int(j, ARG(0), 79, &width) ||
        !j_string(j, "\n", 1, J_TEMPLATE, &between) ||
        (string && string->type != J_NONE && !j_to_str(j, *string, &between)))
        return false;
    if (width <= 0)
        return j_fail(j, "wordwrap: invalid width %lld (must be > 0)", (long long)width);
    const struct jstr *s = text.s;
    struct wrap w = {.s = s,
                     .width = (size_t)width,
                     .long_words = !longs || j_truth(longs),
                     .hyphens = !hyphens || j_truth(hyphens)};
    for (size_t from = 0, to; from < s->len; from = to) {
        for (to = from; to < s->len && !is_line_end(s->ptr[to]);)
            to++;
        if ((from && !j_add_slice(j, &b, between.s, 0, between.s->len)) || !open_line(j, &w, from, to) ||
            !wrap_line(j, &w, between.s, &b))
            return false;
        to += to + 1 < s->len && s->ptr[to] == '\r' && s->ptr[to + 1] == '\n';
        to += to < s->len;
    }
    return j_finish(j, &b, out);
}

// pprint: where a value stands, as Python's PrettyPrinter has it.
struct place {
    size_t indent, allowance; // columns before it, and for what must follow it on its last line
    unsigned level;
};

static bool in_order(struct jinja *j, const struct jval *a, const struct jval *b, bool *yes) {
    int c = strcmp(j_type_name(a), j_type_name(b)); // types that do not compare go by their names
    bool comparable = (j_is_number(a) && j_is_number(b)) || (a->type == J_STR && b->type == J_STR);
    if (comparable && !j_compare(j, a, b, &c))
        return false;
    *yes = c <= 0;
    return true;
}

// The members in the order of their keys, by insertion: dictionaries here are small, and steps count.
static struct jpair *sorted(struct jinja *j, const struct jdict *d) {
    struct jpair *pairs = j_alloc(j, d->n, sizeof *pairs);
    for (size_t i = 0; pairs && i < d->n; i++) {
        size_t at = i;
        for (bool done = false; at > 0; at--) {
            if (!in_order(j, &pairs[at - 1].key, &d->pairs[i].key, &done))
                return NULL;
            if (done)
                break;
            pairs[at] = pairs[at - 1];
        }
        pairs[at] = d->pairs[i];
    }
    return pairs;
}

static bool is_container(const struct jval *v) {
    return v->type == J_LIST || v->type == J_TUPLE || v->type == J_DICT;
}

static const char *brackets(const struct jval *v, bool closing) {
    if (v->type == J_DICT)
        return closing ? "}" : "{";
    if (v->type == J_LIST)
        return closing ? "]" : "[";
    return !closing ? "(" : v->list->n == 1 ? ",)" : ")";
}

// repr() with the keys in order.
static bool add_sorted(struct jinja *j, struct jbuilder *b, const struct jval *v) {
    if (!is_container(v))
        return j_add_repr(j, b, v);
    bool dict = v->type == J_DICT;
    const struct jpair *pairs = dict ? sorted(j, v->dict) : NULL;
    if (dict && !pairs)
        return false;
    if (j->depth >= JINJA_MAX_DEPTH)
        return j_fail(j, "values are nested too deeply");
    j->depth++;
    bool ok = j_burn(j, 1) && j_add_text(j, b, brackets(v, false));
    for (size_t i = 0, n = dict ? v->dict->n : v->list->n; i < n && ok; i++)
        ok = (!i || j_add_text(j, b, ", ")) && (!dict || (add_sorted(j, b, &pairs[i].key) && j_add_text(j, b, ": "))) &&
             add_sorted(j, b, dict ? &pairs[i].value : &v->list->items[i]);
    j->depth--;
    return ok && j_add_text(j, b, brackets(v, true));
}

static bool sorted_repr(struct jinja *j, const struct jval *v, struct jstr **out) {
    struct jbuilder b = {0};
    struct jval text;
    if (!add_sorted(j, &b, v) || !j_finish(j, &b, &text))
        return false;
    *out = text.s;
    return true;
}

static bool new_line(struct jinja *j, struct jbuilder *b, size_t indent) {
    bool ok = j_add_text(j, b, "\n");
    for (size_t i = 0; i < indent && ok; i++)
        ok = j_add_text(j, b, " ");
    return ok;
}

// A text in pieces, each a line with its quotes.
struct pieces {
    struct jinja *j;
    struct jbuilder *b;
    struct place p;
    struct jlist *list; // of finished reprs
};

static bool repr_of(struct pieces *x, const struct jstr *s, size_t from, size_t to, struct jval *out) {
    struct jval part;
    struct jbuilder b = {0};
    return j_substring(x->j, s, from, to, &part) && j_add_repr(x->j, &b, &part) && j_finish(x->j, &b, out);
}

static bool is_space_at(const struct jstr *s, size_t i) {
    struct uni_char c = uni_char_at(s->ptr, i, s->len);
    return c.bit & UNI_SPACE || (c.code >= 0x1C && c.code <= 0x1F);
}

// The end of the words and the white space behind them at `at`.
static size_t part_end(const struct jstr *s, size_t at, size_t end) {
    while (at < end && !is_space_at(s, at))
        at += uni_char_at(s->ptr, at, end).len;
    while (at < end && is_space_at(s, at))
        at += uni_char_at(s->ptr, at, end).len;
    return at;
}

// A line of the text that is too wide: as many of its words as fit go into each piece.
static bool split_line(struct pieces *x, const struct jstr *s, size_t from, size_t to, size_t width) {
    size_t begin = from, last;
    struct jval rep, current = {0};
    for (size_t at = from; at < to; at = last) {
        last = part_end(s, at, to);
        size_t most = width - (last == to && to == s->len ? x->p.allowance : 0);
        if (!repr_of(x, s, begin, last, &rep))
            return false;
        if (j_chars(rep.s) > most) {
            if (at > begin && !j_push(x->j, x->list, current))
                return false;
            begin = at;
            if (!repr_of(x, s, begin, last, &rep))
                return false;
        }
        current = rep;
    }
    return j_push(x->j, x->list, current);
}

static bool split_text(struct pieces *x, const struct jstr *s) {
    const size_t width = PPRINT_WIDTH - min_size(x->p.indent, PPRINT_WIDTH);
    for (size_t from = 0, to; from < s->len; from = to) {
        struct jval rep;
        for (to = from; to < s->len && !is_line_end(s->ptr[to]);)
            to++;
        to += to + 1 < s->len && s->ptr[to] == '\r' && s->ptr[to + 1] == '\n';
        to += to < s->len;
        size_t most = width - min_size(width, to == s->len ? x->p.allowance : 0);
        if (!repr_of(x, s, from, to, &rep))
            return false;
        if (j_chars(rep.s) <= most ? !j_push(x->j, x->list, rep) : !split_line(x, s, from, to, width))
            return false;
    }
    return true;
}

static bool layout_text(struct jinja *j, struct jbuilder *b, const struct jval *v, struct place p) {
    struct jval list;
    bool outer = p.level == 1;
    p.indent += outer;
    p.allowance += outer;
    if (!j_list(j, J_LIST, &list))
        return false;
    struct pieces x = {j, b, p, list.list};
    if (!split_text(&x, v->s))
        return false;
    bool brackets_due = outer && list.list->n > 1;
    bool ok = !brackets_due || j_add_text(j, b, "(");
    for (size_t i = 0; i < list.list->n && ok; i++) {
        const struct jstr *s = list.list->items[i].s;
        ok = (!i || new_line(j, b, p.indent)) && j_add_slice(j, b, s, 0, s->len);
    }
    return ok && (!brackets_due || j_add_text(j, b, ")"));
}

static bool layout(struct jinja *j, struct jbuilder *b, const struct jval *v, struct place p);

static bool layout_items(struct jinja *j, struct jbuilder *b, const struct jval *v, struct place p) {
    bool dict = v->type == J_DICT;
    const struct jpair *pairs = dict ? sorted(j, v->dict) : NULL;
    size_t n = dict ? v->dict->n : v->list->n, allowance = p.allowance + strlen(brackets(v, true));
    bool ok = (!dict || pairs) && j_add_text(j, b, brackets(v, false));
    p.indent++;
    for (size_t i = 0; i < n && ok; i++) {
        struct place item = {p.indent, i + 1 == n ? allowance : 1, p.level};
        struct jstr *key = NULL;
        ok = (!i || (j_add_text(j, b, ",") && new_line(j, b, p.indent))) &&
             (!dict ||
              (sorted_repr(j, &pairs[i].key, &key) && j_add_slice(j, b, key, 0, key->len) && j_add_text(j, b, ": ")));
        item.indent += key ? j_chars(key) + 2 : 0;
        ok = ok && layout(j, b, dict ? &pairs[i].value : &v->list->items[i], item);
    }
    return ok && j_add_text(j, b, brackets(v, true));
}

static bool layout(struct jinja *j, struct jbuilder *b, const struct jval *v, struct place p) {
    struct jstr *rep;
    if (!sorted_repr(j, v, &rep) || !j_burn(j, rep->len))
        return false;
    bool fits = j_chars(rep) + p.indent + p.allowance <= PPRINT_WIDTH;
    p.level++;
    if (!fits && is_container(v) && (v->type == J_DICT ? v->dict->n : v->list->n))
        return layout_items(j, b, v, p);
    if (!fits && v->type == J_STR && v->s->len)
        return layout_text(j, b, v, p);
    return j_add_slice(j, b, rep, 0, rep->len);
}

bool j_filter_pprint(struct jinja *j, struct jval self, const struct jargs *args, struct jval *out) {
    struct jbuilder b = {0};
    (void)args;
    return layout(j, &b, &SELF, (struct place){0}) && j_finish(j, &b, out);
}
