// SPDX-License-Identifier: MIT
// Saving, loading and forking sessions. A file is checked in full before anything of a session changes.
#include "infer/session_file.h"

#include <string.h>

#include "base/cursor.h"
#include "base/file.h"
#include "base/sum.h"
#include "infer/session_impl.h"

#define MAGIC "pith-ses"
#define VERSION 1
#define SLOT_SIZE 16 // bytes of their entries
#define COPY_SIZE 16
enum { HAS_LOGITS = 1 };

struct saver {
    struct file_writer file;
    struct sum sum;
};

static bool put(void *user, void *bytes, size_t n, struct err *e) {
    struct saver *w = user;
    sum_add(&w->sum, bytes, n);
    return file_writer_put(&w->file, bytes, n, e);
}

static void add_number(struct buf *b, uint64_t value, unsigned size) {
    uint8_t bytes[8];
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buf_append(b, bytes, size);
}

static void add_entries(const struct session *s, struct buf *b) {
    for (uint32_t i = 0; i < s->kv.n_layers; i++) {
        const struct kv_layer *l = &s->kv.layers[i];
        add_number(b, l->n_heads, 4);
        add_number(b, kv_row_size(l, false), 4);
        add_number(b, kv_row_size(l, true), 4);
        add_number(b, kv_first_page(&s->kv, i), 4);
    }
    for (unsigned i = 0; i < s->state.n_copies; i++)
        if (s->state.copies[i].position) {
            add_number(b, s->state.copies[i].position, 8);
            add_number(b, s->state.copies[i].has_logits, 8);
        }
}

// What keys depend on beside the model and the ids: the angles that they are turned by, which options and, in some
// models, the context change. They are read off a pass that is only written down.
static uint64_t sum_of_angles(struct session *s) {
    static const int32_t id;
    struct model_batch batch = session_batch(s, &id, 1);
    batch.pos = 0;
    struct sum sum;
    sum_begin(&sum);
    model_forward(s->en->model, &s->tape, &batch);
    for (size_t i = 0; i < s->tape.n; i++) {
        const struct tape_op *op = &s->tape.ops[i];
        if (op->code == TAPE_ATTEND)
            sum_add(&sum, &op->attend.scale, sizeof op->attend.scale);
        if (op->code != TAPE_ANGLES)
            continue;
        sum_add(&sum, op->angles.theta, op->angles.half * sizeof *op->angles.theta);
        sum_add(&sum, &op->angles.scale, sizeof op->angles.scale);
    }
    return sum_end(&sum);
}

static void add_header(struct session *s, struct buf *b) {
    uint32_t n_copies = 0;
    for (unsigned i = 0; i < s->state.n_copies; i++)
        n_copies += s->state.copies[i].position != 0;
    buf_append(b, MAGIC, strlen(MAGIC));
    add_number(b, VERSION, 4);
    add_number(b, s->params.kv, 4);
    add_number(b, session_fingerprint(s->en), 8);
    add_number(b, sum_of_angles(s), 8);
    add_number(b, s->n, 8);
    add_number(b, s->kv.n_layers, 4);
    add_number(b, session_n_vocab(s), 4);
    add_number(b, s->state.size, 8);
    add_number(b, n_copies, 4);
    add_number(b, s->has_logits ? HAS_LOGITS : 0, 4);
    buf_append(b, s->history, s->n * sizeof *s->history);
    add_entries(s, b);
}

static bool put_state(const struct state *s, struct saver *w, struct err *e) {
    ERR_FORWARD(put(w, s->memory, s->size * sizeof *s->memory, e));
    for (unsigned i = 0; i < s->n_copies; i++) {
        const struct state_copy *c = &s->copies[i];
        size_t n = s->size + (c->has_logits ? s->n_logits : 0);
        if (c->position)
            ERR_FORWARD(put(w, c->memory, n * sizeof *c->memory, e));
    }
    return true;
}

static bool write_all(struct session *s, struct saver *w, struct buf *b, struct err *e) {
    add_header(s, b);
    if (b->failed)
        return err_memory(e, b->len, w->file.path);
    ERR_FORWARD(put(w, b->ptr, b->len, e));
    for (uint32_t i = 0; i < s->kv.n_layers; i++)
        for (int values = 0; values < 2; values++)
            ERR_FORWARD(kv_walk(&s->kv.layers[i], values, kv_first_page(&s->kv, i), s->n, put, w, e));
    ERR_FORWARD(put_state(&s->state, w, e));
    if (s->has_logits)
        ERR_FORWARD(put(w, s->logits, session_n_vocab(s) * sizeof *s->logits, e));
    b->len = 0;
    add_number(b, sum_end(&w->sum), 8);
    return file_writer_put(&w->file, b->ptr, b->len, e) && file_writer_end(&w->file, e);
}

bool session_keeps(const struct session *s) {
    return session_is_causal(s) && model_shape(s->en->model)->decoder_start < 0;
}

bool session_save(struct session *s, const char *path, struct err *e) {
    struct saver w = {0};
    struct buf b = {0};
    ERR_IF(!session_keeps(s), e, ERR_INPUT, "%s: this model takes prompts whole: there is nothing to keep", path);
    sum_begin(&w.sum);
    bool ok = file_writer_open(&w.file, path, e) && write_all(s, &w, &b, e);
    file_writer_close(&w.file);
    buf_free(&b);
    return ok;
}

// A file: its numbers, and where its parts lie.
struct image {
    const char *name;
    struct cursor c; // at the data, once the header is checked
    uint64_t angles, n, state_size;
    enum kv_type kv;
    uint32_t n_slots, n_vocab, n_copies, flags;
    const uint8_t *ids, *slots, *copies;
};

static uint32_t slot_number(const struct image *f, uint32_t slot, unsigned i) {
    return (uint32_t)cursor_load(f->slots + (size_t)slot * SLOT_SIZE + 4 * i, 4);
}

static uint64_t copy_number(const struct image *f, uint32_t copy, unsigned i) {
    return cursor_load_u64(f->copies + (size_t)copy * COPY_SIZE + 8 * i);
}

static bool read_header(const struct session *s, struct image *f, struct err *e) {
    struct str magic = cursor_str(&f->c, strlen(MAGIC));
    ERR_IF(f->c.failed || memcmp(magic.ptr, MAGIC, magic.len) != 0, e, ERR_INPUT, "%s: not a session's state", f->name);
    uint32_t version = cursor_u32(&f->c), kv = cursor_u32(&f->c);
    uint64_t fingerprint = cursor_u64(&f->c);
    f->angles = cursor_u64(&f->c);
    f->n = cursor_u64(&f->c);
    f->n_slots = cursor_u32(&f->c);
    f->n_vocab = cursor_u32(&f->c);
    f->state_size = cursor_u64(&f->c);
    f->n_copies = cursor_u32(&f->c);
    f->flags = cursor_u32(&f->c);
    ERR_IF(f->c.failed, e, ERR_INPUT, "%s: its header is cut short", f->name);
    ERR_IF(version != VERSION, e, ERR_INPUT, "%s: version %u of the format, expected %d", f->name, version, VERSION);
    ERR_IF(fingerprint != session_fingerprint(s->en) || f->n_slots != s->kv.n_layers ||
               f->n_vocab != session_n_vocab(s) || f->state_size != s->state.size,
           e, ERR_INPUT, "%s: is of another model", f->name);
    ERR_IF(kv != s->params.kv, e, ERR_INPUT, "%s: its keys and values are of another type than this run's", f->name);
    f->kv = s->params.kv;
    ERR_IF(f->n > INT32_MAX || f->n_copies > STATE_MAX_COPIES || f->flags > HAS_LOGITS, e, ERR_INPUT,
           "%s: impossible numbers in its header", f->name);
    return true;
}

// Where the tables lie.
static bool read_tables(struct image *f, struct err *e) {
    f->ids = cursor_take(&f->c, f->n * 4);
    f->slots = cursor_take(&f->c, (uint64_t)f->n_slots * SLOT_SIZE);
    f->copies = cursor_take(&f->c, (uint64_t)f->n_copies * COPY_SIZE);
    ERR_IF(f->c.failed, e, ERR_INPUT, "%s: its header is cut short", f->name);
    return true;
}

static bool check_slot(const struct session *s, const struct image *f, uint32_t i, struct err *e) {
    const struct kv_layer *l = &s->kv.layers[i];
    ERR_IF(slot_number(f, i, 0) != l->n_heads || slot_number(f, i, 1) != kv_row_size(l, false) ||
               slot_number(f, i, 2) != kv_row_size(l, true),
           e, ERR_INPUT, "%s: layer %u: keys and values of other sizes than this model's", f->name, i);
    uint64_t reach = s->kv.reach[i], seen = reach && f->n + 1 > reach ? f->n + 1 - reach : 0;
    ERR_IF(slot_number(f, i, 3) > seen / TAPE_PAGE, e, ERR_INPUT, "%s: layer %u: keys that are needed are missing",
           f->name, i);
    return true;
}

static bool check_tables(const struct session *s, const struct image *f, struct err *e) {
    for (uint64_t i = 0; i < f->n; i++)
        ERR_IF(cursor_load(f->ids + 4 * i, 4) >= f->n_vocab, e, ERR_INPUT, "%s: id %llu is none of this model's",
               f->name, (unsigned long long)i);
    for (uint32_t i = 0; i < f->n_slots; i++)
        ERR_FORWARD(check_slot(s, f, i, e));
    for (uint32_t i = 0; i < f->n_copies; i++)
        ERR_IF(copy_number(f, i, 0) == 0 || copy_number(f, i, 0) > f->n || copy_number(f, i, 1) > 1, e, ERR_INPUT,
               "%s: copy %u of the recurrent state: impossible numbers", f->name, i);
    return true;
}

static uint64_t side_size(const struct image *f, uint32_t slot, bool values) {
    uint64_t n = kv_walk_end(f->kv, f->n), positions = n - min_size(n, (uint64_t)slot_number(f, slot, 3) * TAPE_PAGE);
    return positions * slot_number(f, slot, 0) * slot_number(f, slot, values ? 2 : 1);
}

// The tables are checked: their numbers are those of this model, and n is below 2^31. No sum reaches 2^64.
static uint64_t data_size(const struct image *f) {
    uint64_t floats = f->state_size * (1 + f->n_copies), sum = 0;
    for (uint32_t i = 0; i < f->n_slots; i++)
        sum += side_size(f, i, false) + side_size(f, i, true);
    for (uint32_t i = 0; i < f->n_copies; i++)
        floats += copy_number(f, i, 1) * f->n_vocab;
    if (f->flags & HAS_LOGITS)
        floats += f->n_vocab;
    return sum + floats * sizeof(float);
}

static bool check_data(const struct image *f, struct err *e) {
    uint64_t size = f->c.pos + data_size(f) + 8;
    ERR_IF(size != f->c.size, e, ERR_INPUT, "%s: %llu bytes, expected %llu", f->name, (unsigned long long)f->c.size,
           (unsigned long long)size);
    struct sum sum;
    sum_begin(&sum);
    sum_add(&sum, f->c.base, (size_t)size - 8);
    ERR_IF(sum_end(&sum) != cursor_load_u64(f->c.base + size - 8), e, ERR_INPUT, "%s: damaged: its sum is another",
           f->name);
    return true;
}

static bool take(void *user, void *memory, size_t n, struct err *e) {
    (void)e;
    memcpy(memory, cursor_take(user, n), n);
    return true;
}

static void take_floats(struct image *f, float *memory, uint64_t n) {
    take(&f->c, memory, (size_t)n * sizeof *memory, NULL);
}

// The keys or values of the first n positions; those before the layer's first page are passed by.
static void take_side(struct session *s, struct image *f, uint32_t slot, bool values, size_t n) {
    const struct kv_layer *l = &s->kv.layers[slot];
    uint64_t end = f->c.pos + side_size(f, slot, values);
    uint64_t skip = (s->kv.begin[slot] - slot_number(f, slot, 3)) * TAPE_PAGE * l->n_heads * kv_row_size(l, values);
    if (s->kv.begin[slot] * TAPE_PAGE < n) {
        cursor_take(&f->c, skip);
        kv_walk(l, values, s->kv.begin[slot], n, take, &f->c, NULL);
    }
    f->c.pos = end;
}

static void take_kv(struct session *s, struct image *f, size_t n) {
    kv_grow(&s->kv, n);
    for (uint32_t i = 0; i < f->n_slots; i++) {
        s->kv.begin[i] = max_size(kv_first_page(&s->kv, i), slot_number(f, i, 3));
        take_side(s, f, i, false, n);
        take_side(s, f, i, true, n);
    }
}

static void take_state(struct state *s, struct image *f, size_t n) {
    take_floats(f, s->memory, s->size);
    for (uint32_t i = 0; i < f->n_copies; i++) {
        size_t position = (size_t)copy_number(f, i, 0), floats = s->size + copy_number(f, i, 1) * s->n_logits;
        if (position > n || !s->size) {
            cursor_take(&f->c, floats * sizeof(float));
            continue;
        }
        struct state_copy *c = state_make_room(s, position);
        c->has_logits = copy_number(f, i, 1) != 0;
        take_floats(f, c->memory, floats);
    }
}

static void take_all(struct session *s, struct image *f) {
    size_t n = f->n <= s->params.n_ctx ? (size_t)f->n : s->params.n_ctx / TAPE_PAGE * TAPE_PAGE;
    if (!n || f->angles != sum_of_angles(s))
        return;
    memcpy(s->history, f->ids, n * sizeof *s->history);
    take_kv(s, f, n);
    take_state(&s->state, f, n);
    s->n = (size_t)f->n;
    s->has_logits = n == f->n && f->flags & HAS_LOGITS;
    if (s->has_logits)
        take_floats(f, s->logits, f->n_vocab);
    session_rewind(s, n); // to where a cut leaves all that is needed
}

bool session_load_bytes(struct session *s, const void *bytes, size_t size, const char *name, struct err *e) {
    struct image f = {.name = name, .c = {.base = bytes, .size = size}};
    ERR_FORWARD(read_header(s, &f, e) && read_tables(&f, e) && check_tables(s, &f, e) && check_data(&f, e));
    session_rewind(s, 0);
    take_all(s, &f);
    return true;
}

bool session_load(struct session *s, const char *path, struct err *e) {
    struct file_map map;
    ERR_FORWARD(file_map(&map, path, e));
    bool ok = session_load_bytes(s, map.ptr, map.size, path, e);
    file_unmap(&map);
    return ok;
}

struct pair {
    const struct session *from;
    struct session *to;
};

static bool copy_stretch(void *user, void *ptr, size_t size, struct err *e) {
    const struct pair *p = user;
    (void)e;
    memcpy((char *)p->to->kv.memory + ((char *)ptr - (char *)p->from->kv.memory), ptr, size);
    return true;
}

static void copy_kv(struct pair *p) {
    const struct kv *kv = &p->from->kv;
    const size_t n = max_size(p->from->n, p->from->n_encoded); // positions of either kind
    p->to->kv.top = kv->top;
    memcpy(p->to->kv.begin, kv->begin, kv->n_layers * sizeof *kv->begin);
    for (uint32_t i = 0; i < kv->n_layers; i++)
        for (int values = 0; values < 2; values++)
            kv_walk(&kv->layers[i], values, kv_first_page(kv, i), n, copy_stretch, p, NULL);
}

static void copy_state(const struct state *from, struct state *to) {
    memcpy(to->memory, from->memory, from->size * sizeof *from->memory);
    for (unsigned i = 0; i < from->n_copies; i++) {
        const struct state_copy *c = &from->copies[i];
        size_t n = from->size + (c->has_logits ? from->n_logits : 0);
        to->copies[i].position = c->position;
        to->copies[i].has_logits = c->has_logits;
        if (c->position)
            memcpy(to->copies[i].memory, c->memory, n * sizeof *c->memory);
    }
}

bool session_fork(struct session **out, const struct session *s, struct err *e) {
    ERR_FORWARD(session_open(out, s->en, &s->params, e));
    struct pair p = {s, *out};
    copy_kv(&p);
    copy_state(&s->state, &p.to->state);
    memcpy(p.to->history, s->history, s->n * sizeof *s->history);
    p.to->n = s->n;
    p.to->n_encoded = s->n_encoded;
    p.to->has_logits = s->has_logits;
    if (s->has_logits)
        memcpy(p.to->logits, s->logits, session_n_vocab(s) * sizeof *s->logits);
    return true;
}
