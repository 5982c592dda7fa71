// SPDX-License-Identifier: MIT
// Special tokens in a text. Longer ones go before shorter ones wherever they overlap, the leftmost first among those of
// one length; what they leave are the stretches that the kind encodes. User-defined tokens are found everywhere,
// control and unknown ones only inside trusted spans.
//
// Matches that touch no other match are taken as they come. Those that overlap form a cluster, which is settled by a
// heap of its matches, longest first: a match that runs into one already taken gives way to the next shorter one at its
// place. A taken match is never shorter than the one looked at, so it covers the latter's first or last byte or
// nothing.
#include "text/tok_impl.h"

#include <ctype.h>
#include <stdlib.h>

struct cluster {
    size_t begin, end; // bytes of the text
    uint64_t *heap;    // ~length << 32 | place
    size_t n, cap;
    int32_t *owner; // [end - begin]: 0 free, -1 inside a match, id + 1 at its first byte
    size_t owner_cap;
};

// A special token, or a stretch between two.
struct part {
    uint32_t begin, end; // of a stretch
    int32_t id;          // -1: a stretch
    bool first;          // nothing but a special token came directly before
};

// The parts of a long text, which threads share.
struct parts {
    const char *text;
    struct part *ptr;
    size_t n, cap;
};

struct search {
    struct tok_work *w;
    struct parts *parts; // NULL: parts are encoded as they are found
    const struct tok_input *in;
    size_t done; // the text before is encoded
    bool first;  // nothing but a special token came directly before
    bool strip;  // that token takes the white space behind it
    struct cluster c;
};

static bool is_special(uint8_t type) {
    return type == TOK_CONTROL || type == TOK_USER_DEFINED || type == TOK_UNKNOWN;
}

static uint32_t pair_of(const char *text) {
    return (uint32_t)(unsigned char)text[0] << 8 | (unsigned char)text[1];
}

static int descending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void note_special(struct tok_special *s, struct str text) {
    unsigned char first = (unsigned char)text.ptr[0];
    s->max_len = text.len > s->max_len ? (uint32_t)text.len : s->max_len;
    if (text.len >= 2)
        s->pairs[pair_of(text.ptr) / 8] |= (uint8_t)(1 << pair_of(text.ptr) % 8);
    if (text.len >= 2 && text.ptr[1] == text.ptr[0] && memcmp(text.ptr, text.ptr + 1, text.len - 1) != 0)
        s->runs_only[first] = false;
    if (text.len < 64)
        s->short_lens[first] |= (uint64_t)1 << text.len;
    else
        s->long_lens[s->n_long++] = (uint32_t)text.len;
}

static void sort_long_lens(struct tok_special *s) {
    uint32_t kept = 0;
    qsort(s->long_lens, s->n_long, sizeof *s->long_lens, descending);
    for (uint32_t i = 0; i < s->n_long; i++)
        if (!i || s->long_lens[i] != s->long_lens[i - 1])
            s->long_lens[kept++] = s->long_lens[i];
    s->n_long = kept;
}

bool tok_special_open(struct tokenizer *t, struct err *e) {
    struct tok_special *s = &t->special;
    for (uint32_t id = 0; id < t->texts.n; id++)
        s->n += is_special(t->types[id]);
    uint32_t *ids = arena_alloc(&t->arena, s->n, sizeof *ids), n = 0;
    s->long_lens = arena_alloc(&t->arena, s->n, sizeof *s->long_lens);
    s->pairs = arena_alloc(&t->arena, 8192, 1);
    if (!ids || !s->pairs || !s->long_lens)
        return err_memory(e, 8192 + s->n * 2 * sizeof *ids, "special tokens");
    memset(s->runs_only, true, sizeof s->runs_only);
    for (uint32_t id = 0; n < s->n; id++) {
        if (!is_special(t->types[id]))
            continue;
        ids[n++] = id;
        if (tok_text_at(&t->texts, id).len)
            note_special(s, tok_text_at(&t->texts, id));
    }
    sort_long_lens(s);
    return tok_some_open(&s->index, &t->arena, &t->texts, ids, n, e);
}

static bool is_trusted(const struct tok_input *in, size_t begin, size_t end) {
    size_t low = 0, high = in->trusted ? in->n_trusted : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (in->trusted[middle].end < end)
            low = middle + 1;
        else
            high = middle;
    }
    return in->trusted && low < in->n_trusted && in->trusted[low].begin <= begin;
}

static bool contains(const int32_t *ids, size_t n, int32_t id) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

// Whether only those who are trusted may write this token.
static bool is_control(const struct search *s, int32_t id) {
    const struct tokenizer *t = s->w->t;
    return t->types[id] != TOK_USER_DEFINED || contains(t->marks, t->n_marks, id) ||
           (s->in->marks && contains(s->in->marks, s->in->n_marks, id));
}

// The special token of exactly these bytes, if it may be one here; or -1.
static int32_t special_here(const struct search *s, size_t at, size_t len) {
    const struct tokenizer *t = s->w->t;
    const char *text = s->in->text + at;
    int32_t id = tok_find_hashed(t, &t->special.index, text, len, tok_hash(text, len));
    if (id < 0)
        return -1;
    return !is_control(s, id) || is_trusted(s->in, at, at + len) ? id : -1;
}

static size_t run_length(const char *text, size_t most) {
    size_t n = 1;
    while (n < most && text[n] == *text)
        n++;
    return n;
}

// The length of the longest special token of at most `most` bytes at a place, or 0.
static size_t longest(const struct search *s, size_t at, size_t most) {
    const struct tok_special *special = &s->w->t->special;
    const char *text = s->in->text + at;
    most = min_size(min_size(most, special->max_len), s->in->len - at);
    uint64_t lens = special->short_lens[(unsigned char)*text];
    bool more = most >= 2 && special->pairs[pair_of(text) / 8] >> pair_of(text) % 8 & 1;
    if (!more)
        return lens & 2 && most && special_here(s, at, 1) >= 0 ? 1 : 0;
    if (text[0] == text[1] && special->runs_only[(unsigned char)*text])
        most = run_length(text, most);
    for (uint32_t i = 0; i < special->n_long; i++)
        if (special->long_lens[i] <= most && special_here(s, at, special->long_lens[i]) >= 0)
            return special->long_lens[i];
    if (most < 63)
        lens &= ((uint64_t)2 << most) - 1;
    while (lens) {
        unsigned len = 63 - (unsigned)__builtin_clzll(lens);
        if (special_here(s, at, len) >= 0)
            return len;
        lens &= ~((uint64_t)1 << len);
    }
    return 0;
}

static bool encode_part(struct tok_work *w, const char *text, const struct part *p) {
    if (p->id >= 0)
        ids_push(w->out, p->id);
    return p->id >= 0 || w->t->row->encode(w, text + p->begin, p->end - p->begin, p->first);
}

static bool add_part(struct search *s, struct part p) {
    struct parts *all = s->parts;
    if (!all)
        return encode_part(s->w, s->in->text, &p);
    if (all->n == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 1024;
        struct part *ptr = realloc(all->ptr, cap * sizeof *ptr);
        if (!ptr)
            return false;
        all->ptr = ptr;
        all->cap = cap;
    }
    all->ptr[all->n++] = p;
    return true;
}

// Encodes the stretch up to `end`, where a token that takes the white space before it may follow.
static bool encode_stretch(struct search *s, size_t end, bool strip_end) {
    size_t begin = s->done;
    while (s->strip && begin < end && isspace((unsigned char)s->in->text[begin]))
        begin++;
    while (strip_end && end > begin && isspace((unsigned char)s->in->text[end - 1]))
        end--;
    if (begin == end)
        return true;
    if (!add_part(s, (struct part){(uint32_t)begin, (uint32_t)end, -1, s->first}))
        return false;
    s->first = false;
    return true;
}

static bool strips_right(const struct tokenizer *t, int32_t id) {
    bool keeps = id == t->keep_right[0] || id == t->keep_right[1] || id == t->keep_right[2];
    return t->strip_right && !keeps;
}

static bool take(struct search *s, size_t at, size_t len, int32_t id) {
    const struct tokenizer *t = s->w->t;
    if (!encode_stretch(s, at, id == t->strip_left) || !add_part(s, (struct part){.id = id}))
        return false;
    s->done = at + len;
    s->first = true;
    s->strip = strips_right(t, id);
    return true;
}

static void heap_down(struct cluster *c, size_t i) {
    uint64_t x = c->heap[i];
    for (size_t child; (child = 2 * i + 1) < c->n; i = child) {
        child += child + 1 < c->n && c->heap[child + 1] < c->heap[child];
        if (c->heap[child] >= x)
            break;
        c->heap[i] = c->heap[child];
    }
    c->heap[i] = x;
}

static bool add_match(struct cluster *c, size_t at, size_t len) {
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        uint64_t *heap = realloc(c->heap, cap * sizeof *heap);
        if (!heap)
            return false;
        c->heap = heap;
        c->cap = cap;
    }
    c->heap[c->n++] = (uint64_t)(UINT32_MAX - (uint32_t)len) << 32 | (uint32_t)(at - c->begin);
    c->end = max_size(c->end, at + len);
    return true;
}

// Gathers the matches that overlap, beginning with one at `at`.
static bool gather(struct search *s, size_t at, size_t len) {
    struct cluster *c = &s->c;
    c->n = 0;
    c->begin = at;
    c->end = at + len;
    if (!add_match(c, at, len))
        return false;
    for (at++; at < c->end; at++)
        if ((len = longest(s, at, SIZE_MAX)) && !add_match(c, at, len))
            return false;
    return true;
}

static bool settle(struct search *s) {
    struct cluster *c = &s->c;
    size_t size = c->end - c->begin;
    if (size > c->owner_cap) {
        free(c->owner);
        c->owner = malloc(size * sizeof *c->owner);
        c->owner_cap = c->owner ? size : 0;
        if (!c->owner)
            return false;
    }
    memset(c->owner, 0, size * sizeof *c->owner);
    for (size_t i = c->n / 2; i-- > 0;)
        heap_down(c, i);
    while (c->n) {
        size_t at = (uint32_t)c->heap[0], len = UINT32_MAX - (uint32_t)(c->heap[0] >> 32);
        bool blocked = c->owner[at] || c->owner[at + len - 1];
        size_t shorter = c->owner[at] || !blocked ? 0 : longest(s, c->begin + at, len - 1);
        for (size_t i = 0; i < len && !blocked; i++)
            c->owner[at + i] = i ? -1 : special_here(s, c->begin + at, len) + 1;
        c->heap[0] = shorter ? (uint64_t)(UINT32_MAX - (uint32_t)shorter) << 32 | at : c->heap[--c->n];
        if (c->n)
            heap_down(c, 0);
    }
    return true;
}

static bool take_cluster(struct search *s) {
    const struct cluster *c = &s->c;
    for (size_t at = 0, size = c->end - c->begin; at < size;) {
        size_t end = at + 1;
        while (end < size && c->owner[end] == -1)
            end++;
        if (c->owner[at] > 0 && !take(s, c->begin + at, end - at, c->owner[at] - 1))
            return false;
        at = end;
    }
    return true;
}

static bool encode_all(struct search *s) {
    const struct tok_special *special = &s->w->t->special;
    for (size_t at = 0; special->n && at < s->in->len;) {
        bool candidate = special->short_lens[(unsigned char)s->in->text[at]] || special->n_long;
        size_t len = candidate ? longest(s, at, SIZE_MAX) : 0;
        if (!len) {
            at++;
            continue;
        }
        if (!gather(s, at, len))
            return false;
        at = s->c.end;
        bool alone = s->c.n == 1;
        if (!alone && (!settle(s) || !take_cluster(s)))
            return false;
        if (alone && !take(s, s->c.begin, len, special_here(s, s->c.begin, len)))
            return false;
    }
    return encode_stretch(s, s->in->len, false);
}

static bool encode_parts(struct tok_work *w, const void *items, size_t from, size_t to) {
    const struct parts *p = items;
    for (size_t i = from; i < to; i++)
        if (!encode_part(w, p->text, &p->ptr[i]))
            return false;
    return true;
}

// Threads share runs of short parts; a part that is long enough for threads of its own goes alone.
static bool share_parts(struct tok_work *w, const struct parts *all, unsigned n_threads) {
    bool ok = true;
    for (size_t at = 0, end; at < all->n && ok; at = end) {
        size_t len = 0;
        for (end = at; end < all->n && tok_share_threads(w, all->ptr[end].end - all->ptr[end].begin) == 1; end++)
            len += all->ptr[end].end - all->ptr[end].begin;
        struct parts some = {all->text, all->ptr + at, end - at, 0};
        if (end == at)
            ok = encode_part(w, all->text, &all->ptr[end++]);
        else if (tok_share_threads(w, len) == 1)
            ok = encode_parts(w, &some, 0, some.n);
        else
            ok = tok_share(w, n_threads, &some, some.n, encode_parts);
    }
    return ok;
}

bool tok_special_encode(struct tok_work *w, const struct tok_input *in) {
    if (in->len > UINT32_MAX / 2)
        return false;
    struct parts parts = {.text = in->text};
    unsigned n_threads = tok_share_threads(w, in->len);
    struct search s = {.w = w, .in = in, .first = !in->continues, .parts = n_threads > 1 ? &parts : NULL};
    bool ok = encode_all(&s) && (n_threads == 1 || share_parts(w, &parts, n_threads));
    free(s.c.heap);
    free(s.c.owner);
    free(parts.ptr);
    return ok;
}
