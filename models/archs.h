// SPDX-License-Identifier: MIT
// Architectures, by the name in general.architecture. No include guard: a list, included with ARCH defined. A row says
// how its models differ from a plain llama; what a row cannot say is in the files that it names. Often together: names
// of this list only.
#define NEOX .rope = USE_ROPE_NEOX
#define LAYER_NORM .norm = NORM_LAYER
#define BIASED (ARCH_BIAS_QKV | ARCH_BIAS_O | ARCH_BIAS_FFN | ARCH_BIAS_NORM)
#define ENCODER LAYER_NORM, .norms = NORMS_ADDED
#define ENCODER_FLAGS (ARCH_NON_CAUSAL | ARCH_EMBED_NORM | ARCH_BIAS_NORM)
#define PLAIN(kind) .ffn = FFN_PLAIN, .activation = ACTIVATION_##kind
#define RWKV .rope = USE_ROPE_NONE, .recurrent_where = RECURRENT_ALL, .adjust = rwkv_adjust
#define RWKV_FLAGS (ARCH_EMBED_NORM | ARCH_BIAS_NORM | ARCH_OWN_HEAD)
#define GRANITE_KEYS (KEY_LOGIT_SCALE | KEY_RESIDUAL_SCALE | KEY_EMBED_SCALE | KEY_ATTENTION_SCALE)
#define EXPERT_KEYS (KEY_EXPERT_SCALE | KEY_EXPERT_NORM | KEY_EXPERT_GATING)

// Decoders with dense layers, and those of their families with experts.
ARCH(llama, "llama", .flags = ARCH_ROPE_FREQS | ARCH_FULL_ROPE, .moe = MOE_NORMALIZE)
ARCH(llama_embed, "llama-embed", .flags = ARCH_ROPE_FREQS | ARCH_FULL_ROPE | ARCH_NON_CAUSAL, .moe = MOE_NORMALIZE)
ARCH(apertus, "apertus", NEOX, PLAIN(NONE), .flags = ARCH_ROPE_FREQS | ARCH_OWN_HEAD, .qk = QK_NORM, .keys = KEY_XIELU)
ARCH(arcee, "arcee", PLAIN(RELU2), .flags = ARCH_ROPE_FREQS, .keys = KEY_ATTENTION_SCALE)
ARCH(baichuan, "baichuan", .flags = ARCH_OWN_HEAD, .adjust = adjust_baichuan)
ARCH(bitnet, "bitnet", NEOX, .flags = ARCH_TIED)
ARCH(bloom, "bloom", LAYER_NORM, .rope = USE_ROPE_NONE, PLAIN(GELU), .alibi = 8, .qkv = QKV_FUSED,
     .flags = BIASED | ARCH_EMBED_NORM)
ARCH(chatglm, "chatglm", .ffn = FFN_FUSED)
ARCH(codeshell, "codeshell", LAYER_NORM, NEOX, PLAIN(GELU), .flags = (BIASED & ~ARCH_BIAS_QKV) | ARCH_OWN_HEAD)
ARCH(cogvlm, "cogvlm", NEOX, .qkv = QKV_FUSED_THIRDS)
ARCH(cohere2, "cohere2", LAYER_NORM, .norms = NORMS_PARALLEL, .rope_layers = ROPE_WINDOWED_ONLY, .window_period = 4,
     .flags = ARCH_TIED | ARCH_ROPE_FREQS, .keys = KEY_WINDOW_MUST | KEY_LOGIT_SCALE)
ARCH(command_r, "command-r", LAYER_NORM, .norms = NORMS_PARALLEL, .flags = ARCH_TIED, .qk = QK_NORM_LAYER,
     .keys = KEY_LOGIT_SCALE)
ARCH(deci, "deci", .flags = ARCH_ROPE_FREQS | ARCH_FULL_ROPE, .bind_layer = deci_layer)
ARCH(dream, "dream", NEOX, .flags = ARCH_NON_CAUSAL)
ARCH(ernie45, "ernie4_5", .flags = ARCH_NO_BIASES)
ARCH(exaone, "exaone", NEOX, .flags = ARCH_ROPE_FREQS)
ARCH(exaone4, "exaone4", NEOX, .norms = NORMS_POST, .rope_layers = ROPE_WINDOWED, .window = 4096, .window_period = 4,
     .flags = ARCH_ROPE_FREQS, .qk = QK_NORM, .keys = KEY_WINDOW, .adjust = adjust_exaone4)
ARCH(falcon, "falcon", LAYER_NORM, NEOX, .norms = NORMS_PARALLEL_FALCON, PLAIN(GELU), .qkv = QKV_FUSED,
     .flags = ARCH_BIAS_NORM | ARCH_FULL_ROPE)
ARCH(gemma, "gemma", NEOX, .activation = ACTIVATION_GELU, .flags = ARCH_SCALE_EMBED | ARCH_TIED)
ARCH(gemma2, "gemma2", NEOX, .norms = NORMS_SANDWICH, .activation = ACTIVATION_GELU, .window = 4096, .window_period = 2,
     .attention_softcap = 50, .flags = ARCH_SCALE_EMBED | ARCH_TIED,
     .keys = KEY_WINDOW | KEY_SOFTCAP | KEY_ATTENTION_SOFTCAP, .adjust = adjust_gemma2)
ARCH(gemma3, "gemma3", NEOX, .norms = NORMS_SANDWICH, .activation = ACTIVATION_GELU, .window_period = 6,
     .window_rope_base = 10000, .flags = ARCH_SCALE_EMBED | ARCH_WINDOW_UNSCALED, .qk = QK_NORM,
     .keys = KEY_WINDOW | KEY_SOFTCAP, .adjust = adjust_gemma3)
ARCH(gemma3n, "gemma3n", NEOX, .norms = NORMS_SANDWICH, .activation = ACTIVATION_GELU, .window_period = 5,
     .window_rope_base = 10000, .flags = ARCH_SCALE_EMBED | ARCH_WINDOW_UNSCALED, .qk = QK_NORM | V_NORM,
     .keys = KEY_WINDOW_MUST | KEY_SOFTCAP | KEY_PER_LAYER | KEY_SPARSITY, .adjust = altup_adjust,
     .bind_layer = altup_layer, .emit_layers = altup_emit_layers)
ARCH(gemma4, "gemma4", NEOX, .norms = NORMS_SANDWICH, .activation = ACTIVATION_GELU, .window_period = 6,
     .window_rope_base = 10000, .flags = ARCH_SCALE_EMBED | ARCH_ROPE_FREQS | ARCH_WINDOW_UNSCALED,
     .qk = QK_NORM | V_NORM | V_MAY_BE_K, .moe = MOE_NORMALIZE | MOE_ROUTER_NORM,
     .keys = KEY_WINDOW_MUST | KEY_SOFTCAP | KEY_PER_LAYER, .adjust = adjust_gemma4, .bind_layer = gemma4_layer)
ARCH(glm4, "glm4", .norms = NORMS_SANDWICH, .ffn = FFN_FUSED, .adjust = adjust_sections)
ARCH(gpt2, "gpt2", LAYER_NORM, .rope = USE_ROPE_NONE, PLAIN(GELU), .qkv = QKV_FUSED, .flags = BIASED | ARCH_POSITIONS)
ARCH(gptneox, "gptneox", LAYER_NORM, NEOX, .norms = NORMS_PARALLEL_TWO, PLAIN(GELU), .qkv = QKV_FUSED,
     .flags = BIASED | ARCH_OWN_HEAD, .bind_layer = gptneox_layer)
ARCH(granite, "granite", .flags = ARCH_ROPE_FREQS | ARCH_DIVIDE_LOGITS, .moe = MOE_NORMALIZE,
     .rope_layers = ROPE_FINETUNED, .keys = GRANITE_KEYS)
ARCH(granitemoe, "granitemoe", .flags = ARCH_ROPE_FREQS | ARCH_DIVIDE_LOGITS, .moe = MOE_NORMALIZE,
     .keys = GRANITE_KEYS)
ARCH(granite_swa, "granite_swa", .ffn = FFN_FUSED, .rope_layers = ROPE_PATTERN,
     .flags = ARCH_ROPE_FREQS | ARCH_DIVIDE_LOGITS | ARCH_SINKS, .moe = MOE_NORMALIZE,
     .keys = GRANITE_KEYS | KEY_WINDOW_MUST)
ARCH(hunyuan_dense, "hunyuan-dense", NEOX, .qk = QK_NORM | QK_NORM_LATE, .keys = KEY_ROPE_ALPHA,
     .adjust = adjust_hunyuan)
ARCH(hunyuan_vl, "hunyuan_vl", NEOX, .qk = QK_NORM | QK_NORM_LATE, .keys = KEY_ROPE_ALPHA, .adjust = adjust_hunyuan)
ARCH(internlm2, "internlm2", .flags = ARCH_OWN_HEAD)
ARCH(jais, "jais", LAYER_NORM, .rope = USE_ROPE_NONE, .qkv = QKV_FUSED, .flags = BIASED | ARCH_SCALE_BY_DIM,
     .keys = KEY_ALIBI)
ARCH(jais2, "jais2", LAYER_NORM, NEOX, PLAIN(RELU2), .flags = BIASED)
ARCH(llada, "llada", .flags = ARCH_NO_BIASES | ARCH_NON_CAUSAL)
ARCH(maincoder, "maincoder", .qk = QK_NORM | QK_NORM_LATE)
ARCH(minicpm, "minicpm", .flags = ARCH_ROPE_FREQS | ARCH_DIVIDE_LOGITS, .moe = MOE_NORMALIZE, .keys = GRANITE_KEYS,
     .adjust = adjust_minicpm)
ARCH(mistral3, "mistral3", .flags = ARCH_ROPE_FREQS, .moe = MOE_NORMALIZE, .yarn_unit = 1,
     .keys = KEY_ATTENTION_SCALE | KEY_TEMPER | KEY_EXPERT_SCALE, .adjust = adjust_mistral3)
ARCH(mpt, "mpt", LAYER_NORM, .rope = USE_ROPE_NONE, PLAIN(GELU), .qkv = QKV_FUSED, .qk = QK_NORM_LAYER,
     .keys = KEY_CLAMP_QKV | KEY_ALIBI)
ARCH(muse_glimmer, "muse-glimmer", .flags = ARCH_EMBED_NORM | ARCH_BARE_EMBED_NORM | ARCH_OWN_HEAD,
     .norms = NORMS_SANDWICH, .rope_layers = ROPE_WINDOWED_ONLY, .window_period = 4, .qk = QK_NORM,
     .gate = GATE_SIGMOID, .post_eps = 1e-8f, .keys = KEY_WINDOW_MUST | KEY_LOGIT_SCALE | KEY_SOFTCAP)
ARCH(nanbeige, "nanbeige", .adjust = adjust_nanbeige, .keys = KEY_ATTENTION_SCALE, .flags = ARCH_ROPE_FREQS)
ARCH(nemotron, "nemotron", LAYER_NORM, NEOX, PLAIN(RELU2), .flags = ARCH_BIAS_NORM | ARCH_OWN_HEAD)
ARCH(olmo, "olmo", LAYER_NORM, .norms = NORMS_BARE, .keys = KEY_CLAMP_QKV)
ARCH(olmo2, "olmo2", NEOX, .norms = NORMS_POST, .window_period = 4, .flags = ARCH_WINDOW_UNSCALED | ARCH_OWN_HEAD,
     .qk = QK_NORM, .keys = KEY_WINDOW)
ARCH(openelm, "openelm", NEOX, .qkv = QKV_FUSED, .flags = ARCH_TIED, .qk = QK_NORM)
ARCH(orion, "orion", LAYER_NORM, NEOX, .flags = ARCH_BIAS_NORM | ARCH_OWN_HEAD)
ARCH(paddleocr, "paddleocr", NEOX)
ARCH(pangu, "pangu-embedded", NEOX, .flags = ARCH_BIAS_QKV | ARCH_BIAS_O | ARCH_MAY_BIAS_HEAD)
ARCH(phi2, "phi2", LAYER_NORM, NEOX, .norms = NORMS_PARALLEL, PLAIN(GELU),
     .flags = (BIASED & ~ARCH_BIAS_QKV) | ARCH_BIAS_HEAD | ARCH_OWN_HEAD)
ARCH(phi3, "phi3", NEOX, .ffn = FFN_FUSED, .flags = ARCH_ROPE_FREQS | ARCH_MAY_BIAS_HEAD)
ARCH(phimoe, "phimoe", NEOX, .flags = ARCH_ROPE_FREQS | ARCH_BIAS_NORM | ARCH_BIAS_O | ARCH_BIAS_HEAD | ARCH_OWN_HEAD,
     .moe = MOE_NORMALIZE)
ARCH(plamo, "plamo", NEOX, .norms = NORMS_PARALLEL, .flags = ARCH_OWN_HEAD)
ARCH(plamo3, "plamo3", NEOX, .norms = NORMS_SANDWICH, .ffn = FFN_FUSED, .window_period = 8, .window_rope_base = 10000,
     .qkv = QKV_FUSED, .flags = ARCH_WINDOW_UNSCALED, .qk = QK_NORM, .keys = KEY_WINDOW)
ARCH(pockettts, "pockettts", LAYER_NORM, PLAIN(GELU), .flags = ARCH_BIAS_NORM)
ARCH(qwen, "qwen", NEOX, .qkv = QKV_FUSED_WIDE, .flags = ARCH_BIAS_QKV | ARCH_OWN_HEAD)
ARCH(qwen2, "qwen2", NEOX, .flags = ARCH_MAY_BIAS_HEAD)
ARCH(qwen2vl, "qwen2vl", NEOX)
ARCH(qwen3, "qwen3", NEOX, .qk = QK_NORM, .rank_softmax = true)
ARCH(qwen3tts, "qwen3tts", NEOX, .qk = QK_NORM)
ARCH(qwen3vl, "qwen3vl", NEOX, .qk = QK_NORM, .rank_softmax = true)
ARCH(refact, "refact", .rope = USE_ROPE_NONE, .alibi = 8, .flags = ARCH_NO_BIASES, .experts = &block_activation)
ARCH(seed_oss, "seed_oss", NEOX, .norms = NORMS_PRE_POST, .keys = KEY_ATTENTION_SCALE)
ARCH(smollm3, "smollm3", .rope_layers = ROPE_NOT_LAST_OF_4, .keys = KEY_ATTENTION_SCALE)
ARCH(spark2_5, "spark2_5", NEOX, .activation = ACTIVATION_GELU, .gate = GATE_SIGMOID, .keys = KEY_WINDOW_MUST)
ARCH(stablelm, "stablelm", LAYER_NORM, NEOX, .norms = NORMS_STABLELM, .flags = ARCH_BIAS_NORM | ARCH_OWN_HEAD)
ARCH(starcoder, "starcoder", LAYER_NORM, .rope = USE_ROPE_NONE, PLAIN(GELU), .qkv = QKV_FUSED,
     .flags = BIASED | ARCH_POSITIONS)
ARCH(starcoder2, "starcoder2", LAYER_NORM, NEOX, PLAIN(GELU), .flags = BIASED & ~ARCH_BIAS_QKV)
ARCH(talkie, "talkie", NEOX, .bind_layer = talkie_layer, .norms = NORMS_BARE,
     .flags = ARCH_LAYER_SKIP | ARCH_EMBED_NORM, .qk = QK_NORM_LATE | QK_NORM_BARE, .keys = KEY_LOGIT_SCALE)
ARCH(xverse, "xverse", .flags = ARCH_OWN_HEAD)

// Mixtures of experts.
ARCH(afmoe, "afmoe", NEOX, .norms = NORMS_SANDWICH, .rope_layers = ROPE_NOT_LAST_OF_4, .window_period = 4,
     .flags = ARCH_SCALE_EMBED, .qk = QK_NORM, .gate = GATE_SIGMOID, .keys = KEY_WINDOW | EXPERT_KEYS)
ARCH(arctic, "arctic", .moe = MOE_NORMALIZE, .bind_layer = arctic_layer)
ARCH(bailingmoe, "bailingmoe", .keys = KEY_EXPERT_SCALE | KEY_EXPERT_NORM)
ARCH(bailingmoe2, "bailingmoe2", NEOX, .qkv = QKV_FUSED, .qk = QK_NORM, .keys = EXPERT_KEYS)
ARCH(cohere2moe, "cohere2moe", LAYER_NORM, .norms = NORMS_PARALLEL, .rope_layers = ROPE_WINDOWED_OR_DENSE,
     .window_period = 4, .beside_scale = 0.5f, .flags = ARCH_WINDOW_SECOND,
     .keys = KEY_WINDOW_MUST | KEY_LOGIT_SCALE | EXPERT_KEYS, .adjust = adjust_cohere2moe)
ARCH(dbrx, "dbrx", LAYER_NORM, NEOX, .norms = NORMS_PRE_OUT, .qkv = QKV_FUSED, .flags = ARCH_OWN_HEAD,
     .moe = MOE_NORMALIZE, .keys = KEY_CLAMP_QKV)
ARCH(deepseek, "deepseek", .flags = ARCH_OWN_HEAD, .keys = KEY_EXPERT_SCALE)
ARCH(deepseek2_ocr, "deepseek2-ocr", NEOX, .keys = EXPERT_KEYS)
ARCH(dots1, "dots1", NEOX, .flags = ARCH_OWN_HEAD, .qk = QK_NORM, .keys = EXPERT_KEYS)
ARCH(ernie45_moe, "ernie4_5-moe", .flags = ARCH_NO_BIASES, .moe = MOE_NORMALIZE, .keys = KEY_EXPERT_SCALE)
ARCH(exaone_moe, "exaone-moe", NEOX, .rope_layers = ROPE_WINDOWED_ONLY, .window = 128, .window_period = 4,
     .flags = ARCH_ROPE_FREQS, .qk = QK_NORM, .keys = KEY_WINDOW_MUST | EXPERT_KEYS)
ARCH(glm4moe, "glm4moe", NEOX, .norms = NORMS_PRE_POST, .gating = GATING_SIGMOID, .keys = EXPERT_KEYS)
ARCH(gpt_oss, "gpt-oss", NEOX, .norms = NORMS_PRE_POST, .window_period = 2, .gating = GATING_SOFTMAX_CHOSEN,
     .limit = LIMIT_OAI, .flags = ARCH_SINKS | ARCH_OWN_HEAD, .moe = MOE_BIAS, .keys = KEY_WINDOW_MUST)
ARCH(grok, "grok", NEOX, .norms = NORMS_GROK, .activation = ACTIVATION_GELU, .attention_softcap = 30,
     .embed_scale = 78.38367176906169f, .logit_scale = 0.5773502691896257f, .beside_scale = 0.7071067811865476f,
     .moe = MOE_NORMALIZE | MOE_DENSE, .keys = KEY_LOGIT_SCALE | KEY_EMBED_SCALE | KEY_ATTENTION_SOFTCAP | KEY_SOFTCAP,
     .adjust = adjust_grok)
ARCH(grovemoe, "grovemoe", NEOX, .choose_by = GATING_SIGMOID, .experts = &block_grove, .qk = QK_NORM,
     .moe = MOE_NORMALIZE)
ARCH(hunyuan_moe, "hunyuan-moe", NEOX, .qk = QK_NORM | QK_NORM_LATE, .moe = MOE_NORMALIZE)
ARCH(hy_v3, "hy_v3", NEOX, .qk = QK_NORM, .keys = EXPERT_KEYS)
ARCH(laguna, "laguna", NEOX, .window_period = 4, .flags = ARCH_WINDOW_UNSCALED | ARCH_WINDOW_SECOND, .qk = QK_NORM,
     .gate = GATE_SOFTPLUS, .keys = KEY_WINDOW | EXPERT_KEYS)
ARCH(llada_moe, "llada-moe", NEOX, .flags = ARCH_NON_CAUSAL | ARCH_OWN_HEAD, .qk = QK_NORM)
ARCH(llama4, "llama4", .rope_layers = ROPE_NOT_LAST_OF_4, .window = 8192, .window_period = 4,
     .window_kind = WINDOW_CHUNK, .gating = GATING_SIGMOID, .flags = ARCH_ROPE_FREQS, .qk = QK_NORM_LATE,
     .moe = MOE_WEIGH_FIRST, .adjust = adjust_llama4, .keys = KEY_WINDOW)
ARCH(maple, "maple", NEOX, .rope_layers = ROPE_WINDOWED_ONLY, .limit = LIMIT_BEFORE, .qk = QK_NORM,
     .moe = MOE_NORMALIZE, .keys = KEY_WINDOW_MUST | KEY_LIMITS)
ARCH(mellum, "mellum", NEOX, .window_period = 4, .qk = QK_NORM, .moe = MOE_NORMALIZE, .keys = KEY_WINDOW)
ARCH(mimo2, "mimo2", NEOX, .flags = ARCH_NO_BIAS_QKV, .gating = GATING_SIGMOID, .moe = MOE_NORMALIZE,
     .window_rope_base = 10000, .keys = KEY_WINDOW_MUST | KEY_VALUE_SCALE)
ARCH(minimax_m2, "minimax-m2", NEOX, .qk = QK_NORM, .moe = MOE_NORMALIZE, .keys = KEY_EXPERT_GATING)
ARCH(olmoe, "olmoe", NEOX, .flags = ARCH_OWN_HEAD, .qk = QK_NORM)
ARCH(qwen2moe, "qwen2moe", NEOX)
ARCH(qwen3moe, "qwen3moe", NEOX, .qk = QK_NORM, .moe = MOE_NORMALIZE)
ARCH(qwen3vlmoe, "qwen3vlmoe", NEOX, .qk = QK_NORM, .moe = MOE_NORMALIZE)
ARCH(rnd1, "rnd1", NEOX, .flags = ARCH_NON_CAUSAL, .qk = QK_NORM, .moe = MOE_NORMALIZE)
ARCH(smallthinker, "smallthinker", NEOX, .activation = ACTIVATION_RELU, .rope_layers = ROPE_NOT_FIRST_OF_4,
     .window = 4096, .window_period = 4, .flags = ARCH_WINDOW_SECOND, .moe = MOE_NORMALIZE | MOE_ROUTE_EARLY,
     .keys = KEY_WINDOW | KEY_EXPERT_GATING, .adjust = adjust_smallthinker)
ARCH(step35, "step35", NEOX, .gating = GATING_SIGMOID, .limit = LIMIT_AFTER,
     .flags = ARCH_ROPE_FREQS | ARCH_WINDOW_UNSCALED, .qk = QK_NORM, .gate = GATE_SIGMOID,
     .keys = KEY_WINDOW_MUST | KEY_LIMITS | EXPERT_KEYS, .adjust = adjust_step35)

// Encoders.
ARCH(bert, "bert", ENCODER, .rope = USE_ROPE_NONE, PLAIN(GELU_ERF), .flags = ENCODER_FLAGS | ARCH_POSITIONS)
ARCH(nomic_bert, "nomic-bert", ENCODER, NEOX, .flags = ENCODER_FLAGS)
ARCH(jina_bert_v2, "jina-bert-v2", ENCODER, .rope = USE_ROPE_NONE, .ffn = FFN_FUSED, .activation = ACTIVATION_GELU_ERF,
     .alibi = 8, .flags = ENCODER_FLAGS, .bind_layer = jina_layer)
ARCH(jina_bert_v3, "jina-bert-v3", ENCODER, NEOX, PLAIN(GELU_ERF), .flags = ENCODER_FLAGS)
ARCH(nomic_bert_moe, "nomic-bert-moe", ENCODER, NEOX, PLAIN(GELU_ERF), .flags = ENCODER_FLAGS, .keys = KEY_EXPERT_SCALE)
ARCH(eurobert, "eurobert", NEOX, .flags = ARCH_NON_CAUSAL)
ARCH(gemma_embedding, "gemma-embedding", NEOX, .norms = NORMS_SANDWICH, .activation = ACTIVATION_GELU,
     .window_kind = WINDOW_SYMMETRIC, .window_period = 6, .window_rope_base = 10000,
     .flags = ARCH_SCALE_EMBED | ARCH_WINDOW_UNSCALED | ARCH_NON_CAUSAL, .qk = QK_NORM, .keys = KEY_WINDOW)
ARCH(modern_bert, "modern-bert", LAYER_NORM, NEOX, .ffn = FFN_FUSED, .activation = ACTIVATION_GELU_ERF,
     .window_kind = WINDOW_SYMMETRIC, .window_period = 3, .window_rope_base = 10000,
     .flags = ARCH_EMBED_NORM | ARCH_WINDOW_SECOND | ARCH_NON_CAUSAL, .keys = KEY_WINDOW, .adjust = adjust_modern_bert,
     .bind_layer = modern_bert_layer)
ARCH(t5encoder, "t5encoder", .rope = USE_ROPE_NONE, .last_norm = "enc.output_norm",
     .flags = ARCH_NO_BIASES | ARCH_NON_CAUSAL, .adjust = adjust_t5encoder, .bind_layer = t5_layer)

// An encoder with a decoder.
ARCH(t5, "t5", .rope = USE_ROPE_NONE, .last_norm = "dec.output_norm", .flags = ARCH_NO_BIASES, .adjust = adjust_t5,
     .bind_layer = t5_layer, .remember = t5_remember)

// Latent attention.
ARCH(deepseek2, "deepseek2", .attention = &block_latent, .flags = ARCH_YARN_OWN_MUL, .yarn_unit = 10,
     .keys = EXPERT_KEYS | KEY_TEMPER, .adjust = adjust_deepseek2)
ARCH(deepseek32, "deepseek32", .attention = &block_latent, .flags = ARCH_YARN_OWN_MUL, .yarn_unit = 10,
     .keys = EXPERT_KEYS, .adjust = adjust_indexed)
ARCH(glm_dsa, "glm-dsa", .attention = &block_latent, .gating = GATING_SIGMOID, .keys = EXPERT_KEYS,
     .adjust = adjust_indexed)
ARCH(plm, "plm", PLAIN(RELU2), .attention = &block_latent, .flags = ARCH_TIED)
ARCH(mistral4, "mistral4", .attention = &block_latent, .yarn_unit = 10, .keys = EXPERT_KEYS | KEY_TEMPER,
     .adjust = adjust_deepseek2)
ARCH(minicpm3, "minicpm3", NEOX, .attention = &block_latent, .flags = ARCH_ROPE_FREQS, .adjust = adjust_minicpm3)
ARCH(kimi_linear, "kimi-linear", .rope = USE_ROPE_NONE, .attention = &block_latent, .recurrent = &block_kda,
     .moe = MOE_NORMALIZE, .keys = KEY_EXPERT_SCALE | KEY_EXPERT_GATING)
ARCH(bailingmoe3, "bailingmoe3", .attention = &block_latent, .recurrent = &block_kda, .gate = GATE_SIGMOID,
     .limit = LIMIT_AFTER, .flags = ARCH_SAFE_GATE, .keys = EXPERT_KEYS | KEY_LIMITS, .adjust = adjust_sections)

// State spaces, convolutions, linear attention, and what mixes them with attention.
ARCH(mamba, "mamba", .rope = USE_ROPE_NONE, .norms = NORMS_ONE, .recurrent = &block_mamba,
     .recurrent_where = RECURRENT_ALL, .bind_layer = one_layer)
ARCH(mamba2, "mamba2", .rope = USE_ROPE_NONE, .norms = NORMS_ONE, .recurrent = &block_mamba2,
     .recurrent_where = RECURRENT_ALL, .flags = ARCH_SSM_NORMS | ARCH_CONV_BIAS, .bind_layer = one_layer)
ARCH(jamba, "jamba", .rope = USE_ROPE_NONE, .recurrent = &block_mamba, .flags = ARCH_SSM_NORMS)
ARCH(falcon_h1, "falcon-h1", NEOX, .flags = ARCH_NO_BIAS_O, .bind_layer = falcon_h1_layer)
ARCH(granitehybrid, "granitehybrid", .recurrent = &block_mamba2, .rope_layers = ROPE_FINETUNED, .moe = MOE_NORMALIZE,
     .flags = ARCH_ROPE_FREQS | ARCH_DIVIDE_LOGITS | ARCH_SSM_NORMS, .keys = GRANITE_KEYS)
ARCH(nemotron_h, "nemotron_h", .rope = USE_ROPE_NONE, .norms = NORMS_ONE, PLAIN(RELU2), .recurrent = &block_mamba2,
     .gating = GATING_SIGMOID, .flags = ARCH_SSM_NORMS | ARCH_EITHER_EPS,
     .keys = KEY_EXPERT_SCALE | KEY_EXPERT_NORM | KEY_ATTENTION_SCALE, .recurrent_where = RECURRENT_NO_KV_NO_FFN,
     .bind_layer = one_layer)
ARCH(nemotron_h_moe, "nemotron_h_moe", .rope = USE_ROPE_NONE, .norms = NORMS_ONE, PLAIN(RELU2),
     .recurrent = &block_mamba2, .gating = GATING_SIGMOID, .flags = ARCH_SSM_NORMS | ARCH_EITHER_EPS,
     .keys = KEY_EXPERT_SCALE | KEY_EXPERT_NORM | KEY_ATTENTION_SCALE, .recurrent_where = RECURRENT_NO_KV_NO_FFN,
     .bind_layer = one_layer)
ARCH(plamo2, "plamo2", NEOX, .norms = NORMS_SANDWICH, .ffn = FFN_FUSED, .qkv = QKV_FUSED, .qk = QK_NORM,
     .recurrent = &block_plamo2)
ARCH(lfm2, "lfm2", NEOX, .recurrent = &block_shortconv, .last_norm = "token_embd_norm", .qk = QK_NORM,
     .moe = MOE_NORMALIZE, .keys = KEY_WINDOW)
ARCH(lfm2moe, "lfm2moe", NEOX, .recurrent = &block_shortconv, .last_norm = "token_embd_norm", .qk = QK_NORM,
     .moe = MOE_NORMALIZE, .keys = KEY_WINDOW | KEY_EXPERT_SCALE | KEY_EXPERT_GATING)
ARCH(qwen3next, "qwen3next", NEOX, .norms = NORMS_PRE_POST, .gate = GATE_IN_QUERY, .recurrent = &block_delta,
     .recurrent_where = RECURRENT_3_OF_4, .qk = QK_NORM, .moe = MOE_NORMALIZE)
ARCH(qwen35, "qwen35", NEOX, .norms = NORMS_PRE_POST, .gate = GATE_IN_QUERY, .recurrent = &block_delta,
     .recurrent_where = RECURRENT_3_OF_4, .qk = QK_NORM)
ARCH(qwen35moe, "qwen35moe", NEOX, .norms = NORMS_PRE_POST, .gate = GATE_IN_QUERY, .recurrent = &block_delta,
     .recurrent_where = RECURRENT_3_OF_4, .qk = QK_NORM, .moe = MOE_NORMALIZE)
ARCH(minimax_01, "minimax-01", NEOX, .recurrent = &block_lightning, .recurrent_where = RECURRENT_7_OF_8,
     .flags = ARCH_RESIDUAL_NORMED, .moe = MOE_NORMALIZE, .keys = KEY_RESIDUAL_SCALE | KEY_EXPERT_SCALE)
ARCH(qwen4exp, "qwen4exp", NEOX, .norms = NORMS_NONE, .gate = GATE_IN_QUERY, .recurrent = &block_delta,
     .recurrent_where = RECURRENT_3_OF_4, .delta_gate = ACTIVATION_SIGMOID, .qk = QK_NORM, .moe = MOE_NORMALIZE,
     .flags = ARCH_NO_BIAS_QKV, .adjust = hyper_adjust, .bind_layer = hyper_layer, .emit_layers = hyper_emit_layers)
ARCH(rwkv6, "rwkv6", RWKV, LAYER_NORM, .flags = RWKV_FLAGS, .recurrent = &block_rwkv6, .bind_layer = rwkv_layer)
ARCH(rwkv7, "rwkv7", RWKV, LAYER_NORM, .flags = RWKV_FLAGS, .recurrent = &block_rwkv7, .bind_layer = rwkv_layer,
     .emit_layers = rwkv7_emit_layers)
ARCH(rwkv6qwen2, "rwkv6qwen2", RWKV, .flags = ARCH_OWN_HEAD, .recurrent = &block_rwkv6)
ARCH(arwkv7, "arwkv7", RWKV, .flags = ARCH_OWN_HEAD, .recurrent = &block_rwkv7, .emit_layers = rwkv7_emit_layers)
ARCH(minimax_m3, "minimax-m3", NEOX, .limit = LIMIT_OAI, .qk = QK_NORM, .keys = EXPERT_KEYS, .adjust = adjust_indexed)
ARCH(hrm_text, "hrm_text", NEOX, .norms = NORMS_BARE, .gate = GATE_SIGMOID, .keys = KEY_EMBED_SCALE,
     .adjust = hrm_adjust, .emit_layers = hrm_emit_layers)

#undef NEOX
#undef LAYER_NORM
#undef BIASED
#undef ENCODER
#undef ENCODER_FLAGS
#undef PLAIN
#undef RWKV
#undef RWKV_FLAGS
#undef GRANITE_KEYS
#undef EXPERT_KEYS
#undef ARCH
