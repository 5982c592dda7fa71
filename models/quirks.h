// SPDX-License-Identifier: MIT
// What a row of archs.h cannot say in its fields: functions that it names.
#pragma once

#include "models/model_impl.h"

typedef bool quirk_adjust(struct model *m, struct err *e);
quirk_adjust hrm_adjust, adjust_minicpm3, adjust_deepseek2, adjust_indexed, adjust_baichuan, adjust_exaone4,
    adjust_gemma2, adjust_gemma3, adjust_sections, adjust_hunyuan, adjust_minicpm, adjust_mistral3, adjust_nanbeige,
    adjust_cohere2moe, adjust_modern_bert, adjust_grok, adjust_llama4, adjust_smallthinker, adjust_step35, adjust_t5,
    adjust_t5encoder, adjust_gemma4, altup_adjust;
quirk_adjust rwkv_adjust, hyper_adjust;

typedef bool quirk_layer(struct model *m, uint32_t layer, struct err *e);
quirk_layer one_layer, falcon_h1_layer, deci_layer, gptneox_layer, arctic_layer, talkie_layer, modern_bert_layer,
    jina_layer, t5_layer, gemma4_layer, altup_layer;
quirk_layer rwkv_layer, hyper_layer;

extern const struct block block_activation;

void hrm_emit_layers(struct emitter *em, float *x);
void hyper_emit_layers(struct emitter *em, float *x);
void rwkv7_emit_layers(struct emitter *em, float *x);
void t5_remember(struct emitter *em, const float *encoded);
void altup_emit_layers(struct emitter *em, float *x);
