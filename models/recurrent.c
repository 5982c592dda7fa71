// SPDX-License-Identifier: MIT
// Parts that the recurrent blocks share. See models/recurrent.h.
#include "models/recurrent.h"

bool conv_bind(struct model *m, const char *name, uint32_t layer, uint32_t channels, uint32_t width, bool bias,
               struct conv *c, struct err *e) {
    *c = (struct conv){.channels = channels, .width = width, .dilation = 1, .silu = true};
    ERR_FORWARD(bind_floats(m, name, "weight", layer, (uint64_t)channels * width, true, &c->w, e));
    return bind_bias(m, name, layer, channels, bias, &c->b, e);
}

size_t conv_state_size(const struct conv *c) {
    return (size_t)(c->width - 1) * c->dilation * c->channels;
}

void conv_emit(struct emitter *em, const struct conv *c, const float *x, uint32_t x_row, float *state, float *y) {
    tape_conv(em->t, (struct tape_conv){x, c->w, c->b, y, state, c->channels, c->width, c->dilation, x_row, c->silu});
}

void emit_act(struct emitter *em, enum activation activation, const float *x, uint32_t n, float *y) {
    tape_act(em->t, (struct tape_act){.activation = activation, .a = x, .y = y, .groups = 1, .len = n, .a_len = n});
}

void emit_gated(struct emitter *em, enum activation activation, const float *gate, const float *x, uint32_t n,
                float *y) {
    tape_act(em->t,
             (struct tape_act){.activation = activation, .a = gate, .b = x, .y = y, .groups = 1, .len = n, .a_len = n});
}

void emit_slice(struct emitter *em, const float *x, uint32_t x_row, uint32_t first, uint32_t n, float *y) {
    tape_copy(em->t, (struct tape_copy){x + first, y, 1, n, x_row, 0, n, 0});
}
