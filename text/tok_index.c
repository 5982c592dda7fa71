// SPDX-License-Identifier: MIT
// The lists of texts of a vocabulary with their hash tables, and the memory of words within one encoding.
//
// Opening a list is what opening a vocabulary costs, so it is one pass: the texts are hashed as they are walked, and
// slots are fetched some way ahead of being filled.
#include "text/tok_impl.h"

#include <pthread.h>
#include <stdlib.h>

#define THREAD_MIN 16384 // merges from which a thread is worth starting

// Entries on their way into a table, so that the memory of many slots is fetched at once.
struct batch {
    struct tok_index *index;
    uint64_t budget; // steps over taken slots that are left: texts chosen to collide use it up
    uint64_t hashes[64];
    uint32_t numbers[64];
    unsigned n;
};

// A table for n entries with numbers up to `most`.
static bool index_open(struct tok_index *x, struct arena *a, uint32_t n, uint32_t most, struct err *e) {
    uint32_t n_slots = 16;
    while (n_slots / 4 * 3 < n)
        n_slots *= 2;
    x->id_bits = 1;
    while ((most + 1) >> x->id_bits)
        x->id_bits++;
    x->mask = n_slots - 1;
    x->slots = arena_alloc(a, n_slots, sizeof *x->slots);
    return x->slots || err_memory(e, n_slots * sizeof *x->slots, "the tokenizer's tables");
}

// Puts what the batch holds into the first free slots from their hashes on, in order. False: the budget is used up.
static bool batch_flush(struct batch *b) {
    const struct tok_index *x = b->index;
    for (unsigned i = 0; i < b->n; i++) {
        uint32_t at = (uint32_t)b->hashes[i];
        for (; x->slots[at & x->mask]; at++)
            if (--b->budget == 0)
                return false;
        uint32_t tag = (uint32_t)(b->hashes[i] >> 32) >> x->id_bits;
        x->slots[at & x->mask] = tag << x->id_bits | (b->numbers[i] + 1);
    }
    b->n = 0;
    return true;
}

static inline bool batch_put(struct batch *b, uint64_t hash, uint32_t number) {
    __builtin_prefetch(&b->index->slots[(uint32_t)hash & b->index->mask], 1);
    b->hashes[b->n] = hash;
    b->numbers[b->n++] = number;
    return b->n < ARRAY_LEN(b->hashes) || batch_flush(b);
}

// Where the first space behind the first byte stands, or len. Most merges have it among their first 8 bytes, which are
// compared at once; like tok_hash_prefixed this may read 8 bytes before the text.
static inline size_t first_space(const char *text, size_t len) {
    uint64_t x = tok_load8(len < 8 ? text + len - 8 : text) >> (len < 8 ? 64 - 8 * len : 0);
    x ^= 0x2020202020202020;
    uint64_t zeros = (x - 0x0101010101010101) & ~x & 0x8080808080808000;
    if (zeros)
        return (size_t)__builtin_ctzll(zeros) / 8;
    size_t at = min_size(len, 8);
    while (at < len && text[at] != ' ')
        at++;
    return at;
}

static inline uint64_t hash_merge(const char *text, size_t len) {
    size_t left = len > 2 ? first_space(text, len) : len;
    if (left + 1 >= len)
        return 0;
    return tok_hash_pair(tok_hash_prefixed(text, left), tok_hash_prefixed(text + left + 1, len - left - 1));
}

static inline uint64_t next_len(const uint8_t **at) {
    uint64_t len;
    memcpy(&len, *at, 8);
    *at += 8;
    return len;
}

// The array's strings were checked when the file was opened: they fill its bytes exactly.
static bool fill_texts(struct tok_texts *x, const struct gguf_value *v) {
    struct batch batch = {.index = &x->index, .budget = (uint64_t)x->n * 64 + 1024};
    const uint8_t *at = v->data;
    bool fits = true;
    for (uint32_t i = 0; i < x->n && fits; i++) {
        uint64_t len = next_len(&at);
        x->start[i] = (uint32_t)(at - v->data);
        x->max_len = len > x->max_len ? (uint32_t)len : x->max_len;
        fits = !len || batch_put(&batch, tok_hash_prefixed((const char *)at, len), i);
        at += len;
    }
    x->start[x->n] = (uint32_t)v->size + 8;
    return fits && batch_flush(&batch);
}

static bool fill_merges(struct tok_merges *x, const struct gguf_value *v) {
    struct batch batch = {.index = &x->index, .budget = v->count * 64 + 1024};
    const uint8_t *at = v->data;
    bool fits = true;
    for (uint64_t i = 0; i < v->count && fits; i++) {
        uint64_t len = next_len(&at), hash = hash_merge((const char *)at, len);
        fits = !hash || batch_put(&batch, hash, (uint32_t)(at - v->data));
        at += len;
    }
    return fits && batch_flush(&batch);
}

static bool check_size(const struct gguf_value *v, const char *key, struct err *e) {
    ERR_IF(v->count > TOK_MAX_VOCAB, e, ERR_INPUT, "key '%s': %llu entries, at most %u are supported", key,
           (unsigned long long)v->count, TOK_MAX_VOCAB);
    ERR_IF(v->size > INT32_MAX - 8, e, ERR_INPUT, "key '%s': over 2 GB of text", key);
    return true;
}

static bool texts_alloc(struct tok_texts *x, struct arena *a, const struct gguf_value *v, struct err *e) {
    x->n = (uint32_t)v->count;
    x->base = (const char *)v->data;
    x->start = arena_alloc(a, (size_t)x->n + 1, sizeof *x->start);
    if (!x->start)
        return err_memory(e, ((size_t)x->n + 1) * sizeof *x->start, "the vocabulary");
    return index_open(&x->index, a, x->n, x->n, e);
}

// The merges on a thread of their own: both lists take about as long, and opening takes nothing else.
struct merges_job {
    struct tok_merges *x;
    const struct gguf_value *v;
    bool fits;
};

static void *run_merges(void *user) {
    struct merges_job *job = user;
    job->fits = fill_merges(job->x, job->v);
    return NULL;
}

static bool fill_both(struct tok_texts *x, const struct gguf_value *texts, struct merges_job *merges) {
    pthread_t thread;
    bool alone = merges->v->count < THREAD_MIN || pthread_create(&thread, NULL, run_merges, merges) != 0;
    bool fits = fill_texts(x, texts);
    if (alone)
        run_merges(merges);
    else
        pthread_join(thread, NULL);
    return fits;
}

bool tok_lists_open(struct tokenizer *t, const struct gguf_value *texts, const struct gguf_value *merges,
                    struct err *e) {
    static const char texts_key[] = "tokenizer.ggml.tokens", merges_key[] = "tokenizer.ggml.merges";
    struct merges_job job = {&t->merges, merges, false};
    ERR_FORWARD(check_size(texts, texts_key, e) && check_size(merges, merges_key, e));
    ERR_FORWARD(texts_alloc(&t->texts, &t->arena, texts, e));
    t->merges.base = (const char *)merges->data;
    ERR_FORWARD(index_open(&t->merges.index, &t->arena, (uint32_t)merges->count, (uint32_t)merges->size, e));
    ERR_IF(!fill_both(&t->texts, texts, &job), e, ERR_INPUT, "key '%s': too many equal or colliding texts", texts_key);
    ERR_IF(!job.fits, e, ERR_INPUT, "key '%s': too many equal or colliding merges", merges_key);
    return true;
}

bool tok_some_open(struct tok_index *x, struct arena *a, const struct tok_texts *texts, const uint32_t *numbers,
                   uint32_t n, struct err *e) {
    ERR_FORWARD(index_open(x, a, n, texts->n, e));
    struct batch batch = {.index = x, .budget = (uint64_t)n * 64 + 1024};
    bool fits = true;
    for (uint32_t i = 0; i < n && fits; i++) {
        struct str s = tok_text_at(texts, numbers[i]);
        fits = !s.len || batch_put(&batch, tok_hash_prefixed(s.ptr, s.len), numbers[i]);
    }
    return (fits && batch_flush(&batch)) || err_set(e, ERR_INPUT, "special tokens: too many equal or colliding texts");
}

#define WORD_SLOTS 8192
#define WORD_TEXT 22
#define WORD_IDS 10

struct tok_word {
    uint8_t len, n; // len 0: empty
    char text[WORD_TEXT];
    int32_t ids[WORD_IDS];
};

bool tok_words_open(struct tok_work *w) {
    w->words = calloc(WORD_SLOTS, sizeof *w->words);
    return w->words != NULL;
}

void tok_work_free(struct tok_work *w) {
    merge_free(&w->merge);
    buf_free(&w->text);
    buf_free(&w->lattice);
    free(w->words);
}

bool tok_word_find(struct tok_work *w, const char *word, size_t len, struct tok_word **slot) {
    *slot = NULL;
    if (!w->words || len > WORD_TEXT)
        return false;
    *slot = &w->words[tok_hash(word, len) % WORD_SLOTS];
    if ((*slot)->len != len || memcmp((*slot)->text, word, len) != 0)
        return false;
    ids_append(w->out, (*slot)->ids, (*slot)->n);
    return true;
}

void tok_word_keep(struct tok_work *w, struct tok_word *slot, const char *word, size_t len, size_t from) {
    if (!slot || w->out->failed || w->out->len - from > WORD_IDS)
        return;
    slot->len = (uint8_t)len;
    slot->n = (uint8_t)(w->out->len - from);
    memcpy(slot->text, word, len);
    memcpy(slot->ids, w->out->ptr + from, slot->n * sizeof *slot->ids);
}
