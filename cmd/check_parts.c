// SPDX-License-Identifier: MIT
// The checks of an opened file. See cmd/check_parts.h; the structure itself was checked when it was opened.
#include "cmd/check_parts.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/names.h"
#include "cmd/arch_keys.h"
#include "cmd/signals.h"
#include "models/model.h"
#include "quant/finite.h"
#include "text/dialog.h"
#include "text/jinja.h"

#define PIECE_SIZE ((uint64_t)1 << 20)  // bytes that a thread takes at once
#define SLICE_SIZE ((uint64_t)64 << 20) // bytes between looks at progress and interruptions
#define SHOWN 100                       // bytes of a name in a message

static void add_line(struct check *c, const char *format, va_list args) {
    struct err line; // makes hostile bytes printable
    char text[sizeof line.text];
    vsnprintf(text, sizeof text, format, args);
    err_set(&line, ERR_NONE, "%s", text);
    if (c->n_findings++ < CHECK_MOST)
        buf_printf(&c->findings, "%s\n", line.text);
}

void check_found(struct check *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_line(c, format, args);
    va_end(args);
    c->result = CHECK_FAILED;
}

void check_skip(struct check *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_line(c, format, args);
    va_end(args);
    c->result = CHECK_SKIPPED;
}

// What went wrong, without the name of the file, which the verdict says.
static const char *without_path(const struct check *c, const char *text) {
    size_t n = strlen(c->file->path);
    return strncmp(text, c->file->path, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

static bool is_known(struct str arch) {
    for (const char *const *name = model_archs(); *name; name++)
        if (strlen(*name) == arch.len && memcmp(*name, arch.ptr, arch.len) == 0)
            return true;
    return false;
}

bool check_shapes(struct check *c, struct err *e) {
    struct str arch = arch_name(c->file);
    struct model *model = NULL;
    if (!arch.len) {
        check_skip(c, "the file names no architecture");
    } else if (!is_known(arch)) {
        check_skip(c, "this program does not run the architecture %.*s", (int)min_size(arch.len, SHOWN), arch.ptr);
    } else if (!c->file->n_tensors) {
        check_skip(c, "the file has no tensors");
    } else if (!model_open(&model, c->file, NULL, e)) {
        if (e->class != ERR_INPUT)
            return false;
        check_found(c, "%s", without_path(c, e->text));
    }
    model_close(model);
    return true;
}

// A slice of a tensor, while all threads look at it.
struct search {
    const struct gguf_tensor *t;
    uint64_t first, end, piece; // blocks
    _Atomic uint64_t bad;       // blocks that are
    _Atomic uint64_t lowest;    // of them
};

static void search_piece(void *user, size_t piece, unsigned thread) {
    struct search *s = user;
    uint64_t from = s->first + piece * s->piece, end = s->end - from < s->piece ? s->end : from + s->piece;
    (void)thread;
    while ((from = quant_find_nonfinite(s->t->format, s->t->data, from, end)) < end) {
        uint64_t lowest = atomic_load(&s->lowest);
        while (from < lowest && !atomic_compare_exchange_weak(&s->lowest, &lowest, from))
            continue;
        atomic_fetch_add(&s->bad, 1);
        from++;
    }
}

static void report_block(struct check *c, const struct search *s) {
    const struct gguf_tensor *t = s->t;
    float x[QUANT_MAX_BLOCK];
    uint64_t lowest = s->lowest, element = lowest * t->format->block_len;
    uint32_t i = 0;
    quant_decode(t->format, (const char *)t->data + lowest * t->format->block_size, x, t->format->block_len);
    while (i + 1 < t->format->block_len && x[i] - x[i] == 0) // false for NaN and infinities
        i++;
    bool scale = x[i] - x[i] == 0; // the reader makes something finite of it
    element += scale ? 0 : i;
    check_found(c, "tensor '%.*s': row %llu: %s %llu is not finite, nor are others in %llu of %llu blocks",
                (int)min_size(t->name.len, SHOWN), t->name.ptr, (unsigned long long)(element / t->dims[0]),
                scale ? "a scale at element" : "element", (unsigned long long)(element % t->dims[0]),
                (unsigned long long)s->bad, (unsigned long long)(t->n_elements / t->format->block_len));
}

static bool search_tensor(struct check *c, const struct gguf_tensor *t, uint64_t *done, struct err *e) {
    uint64_t size = t->format->block_size, blocks = t->size / size, slice = SLICE_SIZE / size;
    struct search s = {.t = t, .piece = PIECE_SIZE / size, .lowest = UINT64_MAX};
    for (; s.first < blocks; s.first = s.end) {
        s.end = blocks - s.first < slice ? blocks : s.first + slice;
        const char *data = (const char *)t->data + s.first * size;
        size_t bytes = (size_t)((s.end - s.first) * size);
        file_prefetch(data, bytes);
        pool_each(c->pool, (size_t)((s.end - s.first - 1) / s.piece + 1), search_piece, &s);
        file_release(data, bytes);
        *done += bytes;
        progress_tell(&c->progress, "reading weights", *done, c->file->size);
        ERR_IF(signals_interrupted, e, ERR_INTERRUPT, "interrupted");
    }
    if (s.bad)
        report_block(c, &s);
    return true;
}

bool check_weights(struct check *c, struct err *e) {
    uint64_t done = 0;
    if (!c->file->n_tensors)
        check_skip(c, "the file has no tensors");
    for (uint64_t i = 0; i < c->file->n_tensors; i++)
        ERR_FORWARD(search_tensor(c, &c->file->tensors[i], &done, e));
    return true;
}

// Arrays that go with the texts have as many elements.
static void check_lengths(struct check *c, uint64_t n) {
    static const char *const keys[] = {"tokenizer.ggml.scores", "tokenizer.ggml.token_type"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct gguf_value *v = gguf_find(c->file, keys[i]);
        if (v && (v->type != GGUF_ARRAY || v->count != n))
            check_found(c, "key '%s' has %llu elements, there are %llu tokens", keys[i],
                        (unsigned long long)(v->type == GGUF_ARRAY ? v->count : 1), (unsigned long long)n);
    }
}

static void check_special_ids(struct check *c, uint64_t n) {
    static const char *const suffix = "_token_id";
    for (uint64_t i = 0; i < c->file->n_keys; i++) {
        const struct gguf_key *k = &c->file->keys[i];
        const size_t len = strlen(suffix);
        char name[128] = {0};
        struct err ignored;
        uint64_t id = 0;
        if (k->name.len >= sizeof name || k->name.len < len || memcmp(k->name.ptr, "tokenizer.", 10) != 0 ||
            memcmp(k->name.ptr + k->name.len - len, suffix, len) != 0)
            continue;
        memcpy(name, k->name.ptr, k->name.len);
        if (!gguf_get_u64(c->file, name, true, &id, &ignored))
            check_found(c, "%s", without_path(c, ignored.text));
        else if (id >= n && id != UINT32_MAX) // -1 as an unsigned number: none
            check_found(c, "key '%s' is %llu, there are %llu tokens", name, (unsigned long long)id,
                        (unsigned long long)n);
    }
}

// The embedding has a row for each token; more are padding.
static void check_rows(struct check *c, uint64_t n) {
    const struct gguf_tensor *t = gguf_find_tensor(c->file, "token_embd.weight");
    if (t && t->dims[1] < n)
        check_found(c, "tensor 'token_embd.weight' has %llu rows, there are %llu tokens",
                    (unsigned long long)t->dims[1], (unsigned long long)n);
}

// Tokens with the same text: an id that encoding can never give.
static bool check_twice(struct check *c, const struct gguf_value *tokens, struct err *e) {
    struct str *texts = calloc(max_size((size_t)tokens->count, 1), sizeof *texts);
    const struct str **sorted = NULL;
    uint64_t at = 0;
    for (uint64_t i = 0; texts && i < tokens->count; i++)
        texts[i] = gguf_array_next_str(tokens, &at);
    if (texts)
        sorted = names_sort(texts, (size_t)tokens->count, sizeof *texts);
    for (size_t i = 1; sorted && i < tokens->count; i++)
        if (names_compare(sorted[i - 1], sorted[i]) == 0)
            check_found(c, "tokens %td and %td are both '%.*s'",
                        min_size((size_t)(sorted[i - 1] - texts), (size_t)(sorted[i] - texts)),
                        max_size((size_t)(sorted[i - 1] - texts), (size_t)(sorted[i] - texts)),
                        (int)min_size(sorted[i]->len, SHOWN), sorted[i]->ptr);
    bool ok = sorted != NULL;
    free(texts);
    free(sorted);
    return ok || err_memory(e, (size_t)tokens->count * sizeof *texts, "the vocabulary");
}

bool check_vocabulary(struct check *c, struct err *e) {
    struct gguf_value tokens = {0};
    struct tokenizer *tok = NULL;
    if (!gguf_find(c->file, "tokenizer.ggml.tokens")) {
        check_skip(c, "the file has no vocabulary");
        return true;
    }
    if (!gguf_get_array(c->file, "tokenizer.ggml.tokens", true, GGUF_STR, &tokens, e) || !tok_open(&tok, c->file, e)) {
        if (e->class != ERR_INPUT)
            return false;
        check_found(c, "%s", without_path(c, e->text));
        return true;
    }
    tok_close(tok);
    check_lengths(c, tokens.count);
    check_special_ids(c, tokens.count);
    check_rows(c, tokens.count);
    return check_twice(c, &tokens, e);
}

bool check_template(struct check *c, struct err *e) {
    struct str source = chat_template(c->file);
    if (!source.len) {
        check_skip(c, "the file has no chat template");
    } else if (!jinja_check(source, e)) {
        if (e->class != ERR_INPUT)
            return false;
        check_found(c, "%s", e->text);
    }
    return true;
}
