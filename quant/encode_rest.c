// SPDX-License-Identifier: MIT
#include "quant/blocks.h"
void quant_encode_iq2_xxs(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_iq2_xxs));
}
void quant_encode_iq2_xs(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_iq2_xs));
}
void quant_encode_iq3_xxs(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_iq3_xxs));
}
void quant_encode_iq1_s(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_iq1_s));
}
void quant_encode_iq3_s(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_iq3_s));
}
void quant_encode_iq2_s(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_iq2_s));
}
void quant_encode_iq1_m(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_iq1_m));
}
void quant_encode_tq1_0(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_tq1_0));
}
void quant_encode_tq2_0(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_tq2_0));
}
void quant_encode_mxfp4(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_mxfp4));
}
void quant_encode_nvfp4(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_nvfp4));
}
void quant_encode_q1_0(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_q1_0));
}
void quant_encode_q2_0(const float *x, const float *w, void *block) {
    (void)x;
    (void)w;
    memset(block, 0, sizeof(struct block_q2_0));
}
