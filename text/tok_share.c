// SPDX-License-Identifier: MIT
// Encoding a long text with several threads: it is cut first into what depends on nothing but its own bytes, pieces of
// one stretch or many stretches between special tokens; then every thread takes parts of that list, and the ids are put
// together in order. The result is that of one thread.
#include "text/tok_impl.h"

#include <stdlib.h>

#include "base/cpu.h"
#include "base/pool.h"

#define SHARE_MIN ((size_t)1 << 20) // bytes of text from which threads are worth starting
#define MAX_THREADS 8
#define PARTS 64

struct share {
    const struct tok_work *w;
    const void *items;
    size_t n;
    tok_part_fn *encode;
    struct tok_work of_thread[MAX_THREADS];
    bool opened[MAX_THREADS];
    struct ids out[PARTS];
    bool failed[PARTS];
};

// The working memory of a thread, which it takes when it first has something to do.
static struct tok_work *work_of(struct share *s, unsigned thread) {
    struct tok_work *mine = &s->of_thread[thread];
    if (!s->opened[thread]) {
        *mine = (struct tok_work){
            .t = s->w->t, .merge.user = s->w->t, .seams = s->w->seams, .bytes_rank = s->w->bytes_rank, .shared = true};
        s->opened[thread] = tok_words_open(mine);
        if (!s->opened[thread])
            tok_work_free(mine);
    }
    return s->opened[thread] ? mine : NULL;
}

static void do_part(void *user, size_t i, unsigned thread) {
    struct share *s = user;
    struct tok_work *mine = work_of(s, thread);
    s->failed[i] = !mine;
    if (!mine)
        return;
    mine->out = &s->out[i];
    s->failed[i] = !s->encode(mine, s->items, s->n * i / PARTS, s->n * (i + 1) / PARTS) || mine->out->failed;
}

unsigned tok_share_threads(const struct tok_work *w, size_t len) {
    unsigned n = w->shared || len < SHARE_MIN ? 1 : cpu_threads();
    return n < MAX_THREADS ? n : MAX_THREADS;
}

bool tok_share(struct tok_work *w, unsigned n_threads, const void *items, size_t n, tok_part_fn *encode) {
    struct share *s = calloc(1, sizeof *s);
    struct pool *pool = NULL;
    bool ok = s && pool_open(&pool, n_threads, w->e);
    if (ok) {
        s->w = w;
        s->items = items;
        s->n = n;
        s->encode = encode;
        pool_each(pool, PARTS, do_part, s);
        pool_close(pool);
    }
    for (size_t i = 0; s && i < MAX_THREADS; i++)
        if (s->opened[i])
            tok_work_free(&s->of_thread[i]);
    for (size_t i = 0; s && i < PARTS; i++) {
        ok = ok && !s->failed[i];
        if (ok)
            ids_append(w->out, s->out[i].ptr, s->out[i].len);
        ids_free(&s->out[i]);
    }
    free(s);
    return ok;
}

struct pieces {
    const char *text;
    pretok_sink *encode;
    uint32_t *ends; // where each ends; the next one begins there
    size_t n, cap;
};

static bool note_piece(void *user, const char *piece, size_t len) {
    struct pieces *p = user;
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 1 << 16;
        uint32_t *ends = realloc(p->ends, cap * sizeof *ends);
        if (!ends)
            return false;
        p->ends = ends;
        p->cap = cap;
    }
    p->ends[p->n++] = (uint32_t)(piece + len - p->text);
    return true;
}

static bool encode_part(struct tok_work *w, const void *items, size_t from, size_t to) {
    const struct pieces *p = items;
    uint32_t begin = from ? p->ends[from - 1] : 0;
    for (size_t i = from; i < to; begin = p->ends[i++])
        if (!p->encode(w, p->text + begin, p->ends[i] - begin))
            return false;
    return true;
}

bool tok_share_pieces(struct tok_work *w, const char *text, size_t len, tok_cut_fn *cut, pretok_sink *encode) {
    unsigned n_threads = tok_share_threads(w, len);
    if (n_threads == 1)
        return cut(w, text, len, encode, w);
    struct pieces p = {.text = text, .encode = encode};
    bool ok = cut(w, text, len, note_piece, &p) && tok_share(w, n_threads, &p, p.n, encode_part);
    free(p.ends);
    return ok;
}
