// SPDX-License-Identifier: MIT
// Thinking and answer. See text/thinking.h.
#include "text/thinking.h"

#include <string.h>

#include "base/find.h"

#define HELD_SIZE 4096 // more than a token's text and a mark
#define HEADER_MAX 512
#define PROMPT_TAIL 24 // ids at the end of a prompt that may hold what opens a thought

struct think_tags {
    const char *open, *close;
    const char *ending; // what a model writes when it stops thinking
    bool label;         // the rest of the line belongs to the opening
};

static const struct think_tags tags[] = {
    {"<think>", "</think>", "\n</think>\n\n", false}, // Qwen3, DeepSeek, GLM, MiniMax-M2, Granite, Nemotron and others
    {"[THINK]", "[/THINK]", "[/THINK]", false},       // Magistral
    {"<|START_THINKING|>", "<|END_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>", false}, // Command A
    {"<seed:think>", "</seed:think>", "</seed:think>", false},
    {"<mm:think>", "</mm:think>", "</mm:think>", false},                 // MiniMax-M3
    {"<|channel>", "<channel|>", "\n<channel|>", true},                  // Gemma 4
    {"<|inner_prefix|>", "<|inner_suffix|>", "<|inner_suffix|>", false}, // Apertus
    {"<thought>", "</thought>", "\n</thought>\n\n", false},              // EXAONE Deep
    {"<thinking>", "</thinking>", "\n</thinking>\n\n", false},
    {"<reasoning>", "</reasoning>", "\n</reasoning>\n\n", false},
    {"\xE2\x97\x81think\xE2\x96\xB7", "\xE2\x97\x81/think\xE2\x96\xB7", "\xE2\x97\x81/think\xE2\x96\xB7",
     false}, // Kimi
};

// Models that speak in messages: a header, then a text. Each of their marks leads to another state; what follows a
// header depends on the name in it.
enum { N_LEADS = 5 };
struct think_messages {
    struct {
        const char *mark;
        enum think_state to;
    } leads[N_LEADS];
    const char *thinks; // in the header of a thought
    const char *ending;
};

static const struct think_messages families[] = {
    {{{"<|start|>", THINK_HEADER},
      {"<|channel|>", THINK_HEADER},
      {"<|constrain|>", THINK_HEADER},
      {"<|message|>", THINK_SAYING},
      {"<|end|>", THINK_HEADER}},
     "<|channel|>analysis",
     "<|end|><|start|>assistant<|channel|>final<|message|>"}, // gpt-oss
    {{{"<|begin|>", THINK_HEADER},
      {"<|think|>", THINK_INSIDE},
      {"<|content|>", THINK_SAYING},
      {"<|tool_calls|>", THINK_SAYING},
      {"<|end|>", THINK_HEADER}},
     "<|think|>",
     "<|end|><|begin|>assistant<|content|>"}, // Solar Open
};

// The marks of all rows are numbered: two for each row of tags, then those of the families.
enum { N_TAG_MARKS = 2 * ARRAY_LEN(tags), N_MARKS = N_TAG_MARKS + N_LEADS * ARRAY_LEN(families) };

static const char *mark_text(size_t i) {
    if (i < N_TAG_MARKS)
        return i % 2 ? tags[i / 2].close : tags[i / 2].open;
    i -= N_TAG_MARKS;
    return families[i / N_LEADS].leads[i % N_LEADS].mark;
}

bool think_open(struct think *k, const struct tokenizer *t, think_sink *sink, void *user, struct err *e) {
    *k = (struct think){.t = t, .sink = sink, .user = user};
    _Static_assert(N_MARKS <= ARRAY_LEN(k->marks), "room for the marks");
    for (size_t i = 0; i < N_MARKS; i++)
        k->marks[i] = tok_find(t, mark_text(i), strlen(mark_text(i)));
    return (buf_reserve(&k->held, HELD_SIZE) && buf_reserve(&k->header, HEADER_MAX)) ||
           err_memory(e, HELD_SIZE, "answer");
}

void think_close(struct think *k) {
    buf_free(&k->held);
    buf_free(&k->header);
}

static void restart(struct think *k, enum think_state state) {
    k->stream = (struct tok_stream){.t = k->t};
    k->state = state;
    k->tags = NULL;
    k->family = NULL;
    k->held.len = k->header.len = k->n_inside = 0;
}

void think_begin_text(struct think *k) {
    restart(k, THINK_SAYING);
    k->stream.continues = true;
}

static void add_header(struct think *k, const char *text, size_t n) {
    buf_append(&k->header, text, min_size(n, HEADER_MAX - min_size(k->header.len, HEADER_MAX)));
}

// The state that a mark of the family leads to.
static void follow(struct think *k, size_t lead) {
    const char *mark = k->family->leads[lead].mark, *thinks = k->family->thinks;
    if (lead == 0 || k->state != THINK_HEADER)
        k->header.len = 0;
    add_header(k, mark, strlen(mark));
    k->state = k->family->leads[lead].to;
    if (k->state == THINK_SAYING && memmem(k->header.ptr, k->header.len, thinks, strlen(thinks)))
        k->state = THINK_INSIDE;
}

// Which mark of a family an id is, or N_LEADS.
static size_t lead_of(const struct think *k, const struct think_messages *family, int32_t id) {
    const int32_t *marks = k->marks + N_TAG_MARKS + (size_t)(family - families) * N_LEADS;
    size_t i = 0;
    while (i < N_LEADS && marks[i] != id)
        i++;
    return i;
}

// The end of the prompt in a family's terms: the header that it leaves open.
static void begin_family(struct think *k, const struct think_messages *family, const int32_t *prompt, size_t n) {
    struct buf piece = {0};
    for (size_t i = n - min_size(n, PROMPT_TAIL); i < n; i++) {
        size_t lead = lead_of(k, family, prompt[i]);
        piece.len = 0;
        tok_piece(k->t, prompt[i], false, &piece);
        if (lead == 0)
            k->family = family;
        if (k->family && lead < N_LEADS)
            follow(k, lead);
        else if (k->family && k->state == THINK_HEADER)
            add_header(k, piece.ptr, piece.len);
    }
    buf_free(&piece);
}

static void open_tags(struct think *k, const struct think_tags *row) {
    k->tags = row;
    k->state = row->label ? THINK_LABEL : THINK_INSIDE;
}

bool think_begin(struct think *k, const int32_t *prompt, size_t n, struct err *e) {
    struct buf tail = {0};
    restart(k, THINK_START);
    for (size_t i = 0; i < ARRAY_LEN(families) && !k->family; i++)
        begin_family(k, &families[i], prompt, n);
    for (size_t i = n - min_size(n, PROMPT_TAIL); i < n; i++)
        tok_piece(k->t, prompt[i], true, &tail);
    struct str text = find_trim((struct str){tail.ptr, tail.len});
    for (size_t i = 0; i < ARRAY_LEN(tags) && !k->family; i++)
        if (find_ends(text, tags[i].open))
            open_tags(k, &tags[i]);
    bool ok = !tail.failed || err_memory(e, tail.len, "answer");
    buf_free(&tail);
    return ok;
}

// Hands on the first n bytes of what is held and forgets them, and `skip` more.
static bool hand_on(struct think *k, enum think_part part, size_t n, size_t skip, struct err *e) {
    if (n)
        ERR_FORWARD(k->sink(k->user, part, k->held.ptr, n, e));
    k->held.len -= n + skip;
    memmove(k->held.ptr, k->held.ptr + n + skip, k->held.len);
    return true;
}

static size_t blanks(const struct buf *b) {
    struct str text = {b->ptr, b->len};
    return b->len - (find_trim(text).len ? (size_t)(b->ptr + b->len - find_trim(text).ptr) : 0);
}

// Each of these looks at what is held in its state; *more: there is something to look at in the next state.
static bool scan_start(struct think *k, bool *more, struct err *e) {
    size_t n = blanks(&k->held);
    struct str rest = {k->held.ptr + n, k->held.len - n};
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (find_starts(rest, tags[i].open)) {
            open_tags(k, &tags[i]);
            *more = true;
            return hand_on(k, THINK_ANSWER, 0, n + strlen(tags[i].open), e);
        }
        if (rest.len < strlen(tags[i].open) && (!rest.len || memcmp(rest.ptr, tags[i].open, rest.len) == 0))
            return true;
    }
    k->state = THINK_SAYING;
    *more = true;
    return true;
}

static bool scan_inside(struct think *k, bool *more, struct err *e) {
    struct str text = {k->held.ptr, k->held.len};
    if (!k->tags)
        return hand_on(k, THINK_THOUGHT, text.len, 0, e);
    size_t at = find_word(text, &k->tags->close, 1);
    if (at == text.len)
        return hand_on(k, THINK_THOUGHT, text.len - find_begun(text, &k->tags->close, 1), 0, e);
    k->state = THINK_AFTER;
    *more = true;
    return hand_on(k, THINK_THOUGHT, at, strlen(k->tags->close), e);
}

static bool scan_label(struct think *k, bool *more, struct err *e) {
    const char *end = memchr(k->held.ptr, '\n', k->held.len);
    k->state = end ? THINK_INSIDE : THINK_LABEL;
    *more = end != NULL;
    return hand_on(k, THINK_THOUGHT, 0, end ? (size_t)(end + 1 - k->held.ptr) : k->held.len, e);
}

static bool scan_after(struct think *k, bool *more, struct err *e) {
    size_t n = blanks(&k->held);
    *more = n < k->held.len;
    k->state = *more ? THINK_SAYING : THINK_AFTER;
    return hand_on(k, THINK_ANSWER, 0, n, e);
}

static bool scan(struct think *k, struct err *e) {
    for (bool more = true; more && k->held.len;) {
        bool ok = true;
        more = false;
        switch (k->state) {
        case THINK_START:
            ok = scan_start(k, &more, e);
            break;
        case THINK_SAYING:
            ok = hand_on(k, THINK_ANSWER, k->held.len, 0, e);
            break;
        case THINK_INSIDE:
            ok = scan_inside(k, &more, e);
            break;
        case THINK_LABEL:
            ok = scan_label(k, &more, e);
            break;
        case THINK_AFTER:
            ok = scan_after(k, &more, e);
            break;
        case THINK_HEADER:
            add_header(k, k->held.ptr, k->held.len);
            k->held.len = 0;
            break;
        }
        ERR_FORWARD(ok);
    }
    return !k->held.failed || err_memory(e, k->held.len, "answer");
}

bool think_end(struct think *k, struct err *e) {
    tok_stream_end(&k->stream, &k->held);
    ERR_FORWARD(scan(k, e));
    return hand_on(k, k->state == THINK_INSIDE ? THINK_THOUGHT : THINK_ANSWER, k->held.len, 0, e);
}

static bool push_lead(struct think *k, size_t lead, struct err *e) {
    ERR_FORWARD(think_end(k, e));
    follow(k, lead);
    if (k->state != THINK_SAYING)
        return true;
    return k->sink(k->user, THINK_FRAME, k->header.ptr, k->header.len, e);
}

// Whether an id is a tag that counts in this state, and then its consequence.
static bool push_tag(struct think *k, int32_t id, bool *taken, struct err *e) {
    bool inside = k->state == THINK_INSIDE || k->state == THINK_LABEL;
    *taken = true;
    if (inside && k->tags && id == k->marks[2 * (k->tags - tags) + 1]) {
        ERR_FORWARD(think_end(k, e));
        k->state = THINK_AFTER;
        return true;
    }
    for (size_t i = 0; !inside && i < ARRAY_LEN(tags); i++) {
        if (k->marks[2 * i] != id)
            continue;
        if (k->state == THINK_START)
            k->held.len = 0; // white space
        ERR_FORWARD(think_end(k, e));
        open_tags(k, &tags[i]);
        return true;
    }
    *taken = false;
    return true;
}

// A control token that marks nothing.
static bool push_control(struct think *k, int32_t id, struct err *e) {
    if (k->state == THINK_INSIDE || k->state == THINK_LABEL || k->state == THINK_HEADER)
        return true;
    enum think_state state = k->state;
    ERR_FORWARD(think_end(k, e));
    k->state = state;
    tok_piece(k->t, id, true, &k->held);
    if (k->held.failed)
        return err_memory(e, k->held.len, "answer");
    return hand_on(k, THINK_CONTROL, k->held.len, 0, e);
}

bool think_push(struct think *k, int32_t id, struct err *e) {
    bool taken = false;
    if (id >= 0 && !k->stream.continues && k->family && lead_of(k, k->family, id) < N_LEADS)
        return push_lead(k, lead_of(k, k->family, id), e);
    if (id >= 0 && !k->stream.continues && !k->family)
        ERR_FORWARD(push_tag(k, id, &taken, e));
    if (taken)
        return true;
    if (tok_type(k->t, id) == TOK_CONTROL)
        return push_control(k, id, e);
    k->n_inside += k->state == THINK_INSIDE;
    tok_stream_push(&k->stream, id, &k->held);
    return scan(k, e);
}

const char *think_ending(const struct think *k) {
    if (k->state != THINK_INSIDE && k->state != THINK_LABEL)
        return NULL;
    return k->tags ? k->tags->ending : k->family->ending;
}

static bool collect(void *user, enum think_part part, const char *bytes, size_t n, struct err *e) {
    struct think_texts *texts = user;
    if (part == THINK_THOUGHT)
        buf_append(&texts->thought, bytes, n);
    else
        buf_append(&texts->framed, bytes, n);
    if (part == THINK_ANSWER || part == THINK_CONTROL)
        buf_append(&texts->answer, bytes, n);
    return !(texts->thought.failed || texts->framed.failed || texts->answer.failed) || err_memory(e, n, "answer");
}

bool think_split(const struct tokenizer *t, const int32_t *prompt, size_t n_prompt, const int32_t *ids, size_t n,
                 struct think_texts *out, struct err *e) {
    struct think k;
    *out = (struct think_texts){0};
    bool ok = think_open(&k, t, collect, out, e) && think_begin(&k, prompt, n_prompt, e);
    for (size_t i = 0; ok && i < n; i++)
        ok = think_push(&k, ids[i], e);
    ok = ok && think_end(&k, e);
    think_close(&k);
    struct str thought = find_trim((struct str){out->thought.ptr, out->thought.len});
    if (thought.len)
        memmove(out->thought.ptr, thought.ptr, thought.len);
    out->thought.len = thought.len;
    return ok;
}

void think_texts_free(struct think_texts *texts) {
    buf_free(&texts->thought);
    buf_free(&texts->answer);
    buf_free(&texts->framed);
}
