// SPDX-License-Identifier: MIT
// A rendered conversation to ids. The rendering says which of its bytes are the assistant's words; each such range is
// looked for in the text of the turns that were generated, and taken as their ids.
#include "text/dialog.h"

#include <stdlib.h>
#include <string.h>

#define NO_BOUNDARY SIZE_MAX

struct placing {
    const struct tokenizer *t;
    const struct chat_text *c;
    const struct chat_turn *turns;
    size_t n_turns;
    struct ids *out;
    struct tok_span *spans; // [c->trusted.n] for one stretch
    size_t done;            // the rendered text before is encoded
    size_t next_span;       // the first trusted one that may reach beyond `done`
    // the turn looked at
    size_t turn;
    bool mapped;     // text and ends are those of `turn`
    struct buf text; // of its ids, control tokens shown
    size_t *ends;    // [n_ids]: where each id's bytes end in text; NO_BOUNDARY inside a character
    size_t used;     // bytes of the text that are placed
    bool no_space;   // the first id begins with a space that the text leaves out
};

// Encodes the rendered text up to `end`.
static bool encode_stretch(struct placing *p, size_t end, struct err *e) {
    size_t n = 0, begin = p->done;
    if (begin >= end)
        return true;
    for (size_t i = p->next_span; i < p->c->trusted.n && p->c->trusted.ptr[i].begin < end; i++) {
        struct tok_span s = p->c->trusted.ptr[i];
        if (s.end <= begin)
            p->next_span = i + 1;
        else
            p->spans[n++] = (struct tok_span){max_size(s.begin, begin) - begin, min_size(s.end, end) - begin};
    }
    p->done = end;
    struct tok_input in = {.text = p->c->text.ptr + begin,
                           .len = end - begin,
                           .trusted = p->spans,
                           .n_trusted = n,
                           .marks = p->c->marks.ptr,
                           .n_marks = p->c->marks.len,
                           .continues = begin > 0};
    return tok_encode(p->t, &in, p->out, e);
}

// The text of the turn's ids, and where each of them ends in it.
static bool map_turn(struct placing *p, struct err *e) {
    const struct chat_turn *turn = &p->turns[p->turn];
    struct tok_stream stream = {.t = p->t, .special = true};
    struct buf first = {0};
    if (p->mapped)
        return true;
    free(p->ends);
    p->ends = malloc((turn->n_ids + 1) * sizeof *p->ends);
    if (!p->ends)
        return err_memory(e, turn->n_ids * sizeof *p->ends, "the conversation");
    p->text.len = 0;
    for (size_t i = 0; i < turn->n_ids; i++) {
        tok_stream_push(&stream, turn->ids[i], &p->text);
        p->ends[i] = stream.n_tail ? NO_BOUNDARY : p->text.len;
    }
    tok_stream_end(&stream, &p->text);
    tok_piece(p->t, turn->ids[0], true, &first);
    p->no_space = first.len && *first.ptr == ' ' && !(p->text.len && *p->text.ptr == ' ');
    buf_free(&first);
    p->mapped = true;
    return !p->text.failed || err_memory(e, p->text.len, "the conversation");
}

static bool holds(struct str where, const char *what, size_t n) {
    return where.len >= n && memmem(where.ptr, where.len, what, n) != NULL;
}

static void next_turn(struct placing *p) {
    p->turn++;
    p->mapped = false;
    p->used = 0;
}

// Whether the turn at hand said these words, beyond those already placed.
static bool said(struct placing *p, const char *words, size_t n, struct err *e, bool *yes) {
    const struct chat_turn *turn = &p->turns[p->turn];
    *yes = false;
    if (strcmp(turn->role, "assistant") != 0)
        return true;
    if (!turn->n_ids) {
        *yes = holds(turn->text, words, n) || holds(turn->thinking, words, n);
        return true;
    }
    ERR_FORWARD(map_turn(p, e));
    *yes = p->text.len && holds((struct str){p->text.ptr + p->used, p->text.len - p->used}, words, n);
    return true;
}

// Moves to the turn that said these words; stays where it is when none did.
static bool find_turn(struct placing *p, const char *words, size_t n, struct err *e, bool *found) {
    size_t turn = p->turn, used = p->used;
    for (*found = false; p->turn < p->n_turns; next_turn(p)) {
        ERR_FORWARD(said(p, words, n, e, found));
        if (*found)
            return true;
    }
    p->turn = turn;
    p->used = used;
    p->mapped = false;
    return true;
}

// Places the ids of the words text[at, at + n) of the turn, which stand at `begin` of the rendered text.
static bool place(struct placing *p, size_t begin, size_t at, size_t n, struct err *e) {
    const struct chat_turn *turn = &p->turns[p->turn];
    size_t first = 0, from = 0, last, to;
    while (first < turn->n_ids && (from < at || from == NO_BOUNDARY))
        from = p->ends[first++];
    if (from == NO_BOUNDARY)
        return true;
    for (last = first, to = from; last < turn->n_ids; last++) {
        if (p->ends[last] == NO_BOUNDARY)
            continue;
        if (p->ends[last] > at + n)
            break;
        to = p->ends[last];
    }
    while (last > first && p->ends[last - 1] != to)
        last--;
    if (last == first || to > at + n)
        return true;
    // The template may have written the space that the first id stands for as well.
    size_t cut = begin + (from - at);
    bool space = first == 0 && p->no_space && cut > p->done && p->c->text.ptr[cut - 1] == ' ';
    ERR_FORWARD(encode_stretch(p, cut - space, e));
    ids_append(p->out, turn->ids + first, last - first);
    p->done = begin + (to - at);
    p->used = to;
    return true;
}

static bool place_words(struct placing *p, struct tok_span span, struct err *e) {
    const char *words = p->c->text.ptr + span.begin;
    size_t n = span.end - span.begin;
    bool found;
    ERR_FORWARD(find_turn(p, words, n, e, &found));
    if (!found)
        return true;
    if (!p->turns[p->turn].n_ids) {
        if (holds(p->turns[p->turn].text, words, n))
            next_turn(p);
        return true;
    }
    const char *text = p->text.ptr + p->used, *at = p->text.ptr + p->text.len - n;
    if (memcmp(at, words, n) != 0) // the answer is what a turn ends with
        at = memmem(text, p->text.len - p->used, words, n);
    return place(p, span.begin, (size_t)(at - p->text.ptr), n, e);
}

bool chat_encode(const struct tokenizer *t, const struct chat_text *c, const struct chat_turn *turns, size_t n_turns,
                 struct ids *ids, struct err *e) {
    struct placing p = {.t = t, .c = c, .turns = turns, .n_turns = n_turns, .out = ids};
    p.spans = malloc((c->trusted.n + 1) * sizeof *p.spans);
    bool ok = p.spans || err_memory(e, c->trusted.n * sizeof *p.spans, "the conversation");
    for (size_t i = 0; ok && i < c->said.n; i++)
        ok = place_words(&p, c->said.ptr[i], e);
    ok = ok && encode_stretch(&p, c->text.len, e);
    free(p.spans);
    free(p.ends);
    buf_free(&p.text);
    return ok && (!ids->failed || err_memory(e, ids->len * sizeof *ids->ptr, "the conversation"));
}
