// SPDX-License-Identifier: MIT
// Streaming of an answer. See cmd/answer.h.
#include "cmd/answer.h"

#include <string.h>
#include <unistd.h>

#include "base/find.h"
#include "cmd/out.h"

// Room taken before the first token: far longer than any token or usual stop text.
#define PENDING_SIZE 4096

static bool write_out(struct answer *a, const char *bytes, size_t n, struct err *e) {
    if (!n || a->silent)
        return true;
    ERR_FORWARD(a->writer ? a->writer(a->user, bytes, n, e) : out_write(OUT_STDOUT, "standard output", bytes, n, e));
    a->printed = true;
    a->last = bytes[n - 1];
    return true;
}

// Prints up to a stop text, or all that cannot become one; all of it at the end.
static bool advance(struct answer *a, bool at_end, struct err *e) {
    if (a->pending.failed)
        return err_memory(e, a->pending.len, "answer");
    struct str text = {a->pending.ptr, a->pending.len};
    size_t stop = find_word(text, a->stops.ptr, a->stops.n);
    a->stopped = stop < text.len;
    size_t n = a->stopped ? stop : text.len - (at_end ? 0 : find_begun(text, a->stops.ptr, a->stops.n));
    ERR_FORWARD(write_out(a, text.ptr, n, e));
    a->pending.len = a->stopped ? 0 : text.len - n;
    memmove(a->pending.ptr, a->pending.ptr + n, a->pending.len);
    return true;
}

// Thinking on standard error has nobody to complain to.
static bool write_thought(struct answer *a, const char *bytes, size_t n, struct err *e) {
    if (a->where == OPT_THINK_SHOW)
        return write_out(a, bytes, n, e);
    ssize_t written = write(STDERR_FILENO, bytes, n);
    (void)written;
    return true;
}

static bool end_thought(struct answer *a, struct err *e) {
    if (!a->thinking)
        return true;
    a->thinking = false;
    return a->where == OPT_THINK_SHOW ? write_thought(a, "\n</think>\n\n", 11, e) : write_thought(a, "\n", 1, e);
}

static bool show_thought(struct answer *a, const char *bytes, size_t n, struct err *e) {
    if (a->where == OPT_THINK_DROP)
        return true;
    if (!a->thinking) {
        struct str text = find_trim((struct str){bytes, n});
        if (!text.len)
            return true;
        n = (size_t)(bytes + n - text.ptr);
        bytes = text.ptr;
        ERR_FORWARD(advance(a, true, e));
        if (a->where == OPT_THINK_SHOW)
            ERR_FORWARD(write_thought(a, "<think>\n", 8, e));
        a->thinking = true;
    }
    return write_thought(a, bytes, n, e);
}

static bool take(void *user, enum think_part part, const char *bytes, size_t n, struct err *e) {
    struct answer *a = user;
    if (a->stopped || part == THINK_CONTROL || part == THINK_FRAME)
        return true;
    if (part == THINK_THOUGHT)
        return show_thought(a, bytes, n, e);
    ERR_FORWARD(end_thought(a, e));
    buf_append(&a->pending, bytes, n);
    return advance(a, false, e);
}

bool answer_open(struct answer *a, const struct tokenizer *t, const struct settings *o, struct err *e) {
    *a = (struct answer){.stops = o->stops, .where = o->think, .silent = o->tool_calls};
    ERR_FORWARD(think_open(&a->think, t, take, a, e));
    return buf_reserve(&a->pending, PENDING_SIZE) || err_memory(e, PENDING_SIZE, "answer");
}

void answer_free(struct answer *a) {
    think_close(&a->think);
    buf_free(&a->pending);
}

bool answer_begin(struct answer *a, const int32_t *prompt, size_t n_prompt, struct err *e) {
    a->pending.len = 0;
    a->stopped = a->printed = a->thinking = false;
    if (n_prompt)
        return think_begin(&a->think, prompt, n_prompt, e);
    think_begin_text(&a->think);
    return true;
}

bool answer_push(struct answer *a, int32_t id, struct err *e) {
    return a->stopped || think_push(&a->think, id, e);
}

bool answer_end(struct answer *a, bool newline, struct err *e) {
    if (!a->stopped) {
        ERR_FORWARD(think_end(&a->think, e));
        ERR_FORWARD(advance(a, true, e));
    }
    ERR_FORWARD(end_thought(a, e));
    if (newline && !a->silent && (!a->printed || a->last != '\n'))
        return write_out(a, "\n", 1, e);
    return true;
}
