// SPDX-License-Identifier: MIT
// Streaming of an answer. See cmd/answer.h.
#include "cmd/answer.h"

#include <string.h>

#include "cmd/out.h"

// Room taken before the first token: far longer than any token or usual stop text.
#define PENDING_SIZE 4096

bool answer_open(struct answer *a, const struct tokenizer *t, struct opt_list stops, bool continues, struct err *e) {
    *a = (struct answer){.stream = {.t = t, .continues = continues}, .stops = stops};
    return buf_reserve(&a->pending, PENDING_SIZE) || err_memory(e, PENDING_SIZE, "answer");
}

void answer_free(struct answer *a) {
    buf_free(&a->pending);
}

// Where the first stop text begins; the text's length when there is none.
static size_t find_stop(const struct answer *a) {
    size_t first = a->pending.len;
    for (size_t i = 0; i < a->stops.n; i++) {
        const char *at = memmem(a->pending.ptr, a->pending.len, a->stops.ptr[i], strlen(a->stops.ptr[i]));
        if (at)
            first = min_size(first, (size_t)(at - a->pending.ptr));
    }
    return first;
}

// How many bytes at the end could be the beginning of a stop text.
static size_t held_back(const struct answer *a) {
    size_t most = 0;
    for (size_t i = 0; i < a->stops.n; i++) {
        size_t n = min_size(strlen(a->stops.ptr[i]) - 1, a->pending.len);
        while (n > most && memcmp(a->pending.ptr + a->pending.len - n, a->stops.ptr[i], n) != 0)
            n--;
        most = max_size(most, n);
    }
    return most;
}

static bool print(struct answer *a, size_t n, struct err *e) {
    if (!n)
        return true;
    ERR_FORWARD(out_write(OUT_STDOUT, "standard output", a->pending.ptr, n, e));
    a->printed = true;
    a->last = a->pending.ptr[n - 1];
    a->pending.len -= n;
    memmove(a->pending.ptr, a->pending.ptr + n, a->pending.len);
    return true;
}

// Prints up to a stop text, or all that cannot become one; all of it at the end.
static bool advance(struct answer *a, bool at_end, struct err *e) {
    if (a->pending.failed)
        return err_memory(e, a->pending.len, "answer");
    size_t stop = find_stop(a);
    a->stopped = stop < a->pending.len;
    size_t kept = a->stopped ? a->pending.len - stop : at_end ? 0 : held_back(a);
    ERR_FORWARD(print(a, a->pending.len - kept, e));
    if (a->stopped)
        a->pending.len = 0;
    return true;
}

bool answer_push(struct answer *a, int32_t id, struct err *e) {
    if (a->stopped)
        return true;
    tok_stream_push(&a->stream, id, &a->pending);
    return advance(a, false, e);
}

bool answer_end(struct answer *a, bool newline, struct err *e) {
    if (!a->stopped) {
        tok_stream_end(&a->stream, &a->pending);
        ERR_FORWARD(advance(a, true, e));
    }
    if (newline && (!a->printed || a->last != '\n'))
        return out_write(OUT_STDOUT, "standard output", "\n", 1, e);
    return true;
}
