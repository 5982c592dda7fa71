// SPDX-License-Identifier: MIT
// Writing the tape.
#include "backends/tape.h"

bool tape_open(struct tape *t, struct arena *a, size_t cap, struct err *e) {
    *t = (struct tape){.ops = arena_alloc(a, cap, sizeof *t->ops), .cap = cap};
    return t->ops || err_memory(e, cap * sizeof *t->ops, "the tape");
}

void tape_clear(struct tape *t, uint32_t rows) {
    t->n = 0;
    t->rows = rows;
    t->overflow = false;
}

static void emit(struct tape *t, struct tape_op op) {
    if (t->n == t->cap) {
        t->overflow = true;
        return;
    }
    op.rows = t->rows;
    t->ops[t->n++] = op;
}

void tape_embed(struct tape *t, const struct weight *table, const int32_t *ids, float scale, float *y) {
    emit(t, (struct tape_op){TAPE_EMBED, .embed = {table, ids, y, scale}});
}

void tape_angles(struct tape *t, struct tape_angles a) {
    emit(t, (struct tape_op){TAPE_ANGLES, .angles = a});
}

void tape_norm(struct tape *t, const float *x, const float *w, uint32_t groups, uint32_t len, float eps, float *y) {
    emit(t, (struct tape_op){TAPE_NORM, .norm = {x, w, y, groups, len, eps}});
}

void tape_matmul(struct tape *t, const float *x, const struct weight *w, float *y) {
    emit(t, (struct tape_op){TAPE_MATMUL, .matmul = {x, 1, {w}, {y}}});
}

void tape_matmul2(struct tape *t, const float *x, const struct weight *w0, float *y0, const struct weight *w1,
                  float *y1) {
    emit(t, (struct tape_op){TAPE_MATMUL, .matmul = {x, 2, {w0, w1}, {y0, y1}}});
}

void tape_matmul3(struct tape *t, const float *x, const struct weight *w0, float *y0, const struct weight *w1,
                  float *y1, const struct weight *w2, float *y2) {
    emit(t, (struct tape_op){TAPE_MATMUL, .matmul = {x, 3, {w0, w1, w2}, {y0, y1, y2}}});
}

void tape_rope(struct tape *t, float *x, const float *table, uint32_t heads, uint32_t dim, uint32_t rot,
               enum rope_kind kind) {
    emit(t, (struct tape_op){TAPE_ROPE, .rope = {x, table, heads, dim, rot, kind}});
}

void tape_store(struct tape *t, const float *k, const float *v, const struct kv_layer *kv, uint32_t pos) {
    emit(t, (struct tape_op){TAPE_STORE, .store = {k, v, kv, pos}});
}

void tape_attend(struct tape *t, struct tape_attend a) {
    emit(t, (struct tape_op){TAPE_ATTEND, .attend = a});
}

void tape_glu(struct tape *t, const float *gate, const float *up, uint32_t len, enum activation activation, float *y) {
    emit(t, (struct tape_op){TAPE_GLU, .glu = {gate, up, y, len, activation}});
}

void tape_add(struct tape *t, const float *x, uint32_t len, float *y) {
    emit(t, (struct tape_op){TAPE_ADD, .add = {x, y, len}});
}

void tape_softcap(struct tape *t, float *x, uint32_t len, float cap) {
    emit(t, (struct tape_op){TAPE_SOFTCAP, .softcap = {x, len, cap}});
}

size_t kv_page_size(enum kv_type type, uint32_t dim) {
    return (size_t)TAPE_PAGE * dim * (type == KV_F16 ? 2 : 4);
}

const char *tape_name(enum tape_code code) {
    static const char *const names[] = {"embed", "angles", "norm", "matmul", "rope",
                                        "store", "attend", "glu",  "add",    "softcap"};
    return names[code];
}
