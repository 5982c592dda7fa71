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

void tape_embed(struct tape *t, struct tape_embed o) {
    emit(t, (struct tape_op){TAPE_EMBED, .embed = o});
}

void tape_angles(struct tape *t, struct tape_angles a) {
    emit(t, (struct tape_op){TAPE_ANGLES, .angles = a});
}

void tape_norm(struct tape *t, struct tape_norm o) {
    emit(t, (struct tape_op){TAPE_NORM, .norm = o});
}

void tape_matmuls(struct tape *t, struct tape_matmul o) {
    emit(t, (struct tape_op){TAPE_MATMUL, .matmul = o});
}

void tape_matmul(struct tape *t, const float *x, const struct weight *w, float *y) {
    emit(t, (struct tape_op){TAPE_MATMUL, .matmul = {.x = x, .n = 1, .w = {w}, .y = {y}}});
}

void tape_matmul2(struct tape *t, const float *x, const struct weight *w0, float *y0, const struct weight *w1,
                  float *y1) {
    emit(t, (struct tape_op){TAPE_MATMUL, .matmul = {.x = x, .n = 2, .w = {w0, w1}, .y = {y0, y1}}});
}

void tape_matmul3(struct tape *t, const float *x, const struct weight *w0, float *y0, const struct weight *w1,
                  float *y1, const struct weight *w2, float *y2) {
    emit(t, (struct tape_op){TAPE_MATMUL, .matmul = {.x = x, .n = 3, .w = {w0, w1, w2}, .y = {y0, y1, y2}}});
}

void tape_rope(struct tape *t, struct tape_rope o) {
    emit(t, (struct tape_op){TAPE_ROPE, .rope = o});
}

void tape_store(struct tape *t, const float *k, const float *v, const struct kv_layer *kv, uint32_t pos) {
    emit(t, (struct tape_op){TAPE_STORE, .store = {k, v, kv, pos}});
}

void tape_attend(struct tape *t, struct tape_attend a) {
    emit(t, (struct tape_op){TAPE_ATTEND, .attend = a});
}

void tape_act(struct tape *t, struct tape_act o) {
    emit(t, (struct tape_op){TAPE_ACT, .act = o});
}

void tape_add(struct tape *t, struct tape_add o) {
    emit(t, (struct tape_op){TAPE_ADD, .add = o});
}

void tape_scale(struct tape *t, struct tape_scale o) {
    emit(t, (struct tape_op){TAPE_SCALE, .scale = o});
}

void tape_clamp(struct tape *t, struct tape_clamp o) {
    emit(t, (struct tape_op){TAPE_CLAMP, .clamp = o});
}

void tape_copy(struct tape *t, struct tape_copy o) {
    emit(t, (struct tape_op){TAPE_COPY, .copy = o});
}

void tape_dot(struct tape *t, struct tape_dot o) {
    emit(t, (struct tape_op){TAPE_DOT, .dot = o});
}

void tape_temper(struct tape *t, struct tape_temper o) {
    emit(t, (struct tape_op){TAPE_TEMPER, .temper = o});
}

void tape_softcap(struct tape *t, float *x, uint32_t len, float cap) {
    emit(t, (struct tape_op){TAPE_SOFTCAP, .softcap = {x, len, cap}});
}

void tape_xielu(struct tape *t, struct tape_xielu o) {
    emit(t, (struct tape_op){TAPE_XIELU, .xielu = o});
}

void tape_sparsify(struct tape *t, float *x, uint32_t len, float factor) {
    emit(t, (struct tape_op){TAPE_SPARSIFY, .sparsify = {x, len, factor}});
}

void tape_mix(struct tape *t, struct tape_mix o) {
    emit(t, (struct tape_op){TAPE_MIX, .mix = o});
}

size_t kv_page_size(enum kv_type type, uint32_t dim) {
    static const struct {
        uint32_t len, bytes; // of a block
    } blocks[N_KV_TYPES] = {[KV_F16] = {1, 2}, [KV_F32] = {1, 4}, [KV_Q8_0] = {32, 34}, [KV_Q4_0] = {32, 18}};
    return (size_t)TAPE_PAGE * ((dim + blocks[type].len - 1) / blocks[type].len) * blocks[type].bytes;
}

void tape_route(struct tape *t, struct tape_route o) {
    emit(t, (struct tape_op){TAPE_ROUTE, .route = o});
}

void tape_group(struct tape *t, struct tape_groups groups) {
    emit(t, (struct tape_op){TAPE_GROUP, .group = {groups}});
}

void tape_spread(struct tape *t, struct tape_spread o) {
    emit(t, (struct tape_op){TAPE_SPREAD, .spread = o});
}

void tape_combine(struct tape *t, struct tape_combine o) {
    emit(t, (struct tape_op){TAPE_COMBINE, .combine = o});
}

void tape_ngram(struct tape *t, struct tape_ngram o) {
    emit(t, (struct tape_op){TAPE_NGRAM, .ngram = o});
}

void tape_conv(struct tape *t, struct tape_conv o) {
    emit(t, (struct tape_op){TAPE_CONV, .conv = o});
}

void tape_recur(struct tape *t, struct tape_recur o) {
    emit(t, (struct tape_op){TAPE_RECUR, .recur = o});
}

void tape_rows(struct tape *t, uint32_t rows) {
    t->rows = rows;
}

const char *tape_name(enum tape_code code) {
    static const char *const names[N_TAPE_CODES] = {
        [TAPE_EMBED] = "embed",   [TAPE_ANGLES] = "angles",     [TAPE_NORM] = "norm",     [TAPE_MATMUL] = "matmul",
        [TAPE_ROPE] = "rope",     [TAPE_STORE] = "store",       [TAPE_ATTEND] = "attend", [TAPE_ACT] = "act",
        [TAPE_ADD] = "add",       [TAPE_SCALE] = "scale",       [TAPE_CLAMP] = "clamp",   [TAPE_COPY] = "copy",
        [TAPE_TEMPER] = "temper", [TAPE_SOFTCAP] = "softcap",   [TAPE_ROUTE] = "route",   [TAPE_GROUP] = "group",
        [TAPE_SPREAD] = "spread", [TAPE_COMBINE] = "combine",   [TAPE_CONV] = "conv",     [TAPE_RECUR] = "recur",
        [TAPE_XIELU] = "xielu",   [TAPE_SPARSIFY] = "sparsify", [TAPE_MIX] = "mix",       [TAPE_DOT] = "dot",
        [TAPE_NGRAM] = "ngram",
    };
    return names[code];
}
