# SPDX-License-Identifier: MIT
"""Gemma 3n and Gemma 4: per-layer embeddings, shared keys and values, two kinds of attention layers."""
import gguf
import torch
import transformers
from transformers import (Gemma3nForCausalLM, Gemma3nTextConfig, Gemma4ForCausalLM, Gemma4TextConfig)

from case import Case, ids_of, randomize, rounded

ORIGIN = f"transformers {transformers.__version__} "
SLIDING, FULL = "sliding_attention", "full_attention"


def logits(model, ids):
    model.double().eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0]


def base_keys(case, config, **more):
    case.meta(context_length=config.max_position_embeddings, embedding_length=config.hidden_size,
              block_count=config.num_hidden_layers, attention__head_count=config.num_attention_heads,
              attention__layer_norm_rms_epsilon=config.rms_norm_eps, attention__sliding_window=config.sliding_window,
              attention__sliding_window_pattern=[t == SLIDING for t in config.layer_types],
              attention__shared_kv_layers=config.num_kv_shared_layers, rope__freq_base=1000000.0, rope__freq_base_swa=10000.0,
              embedding_length_per_layer_input=config.hidden_size_per_layer_input, **more)
    case.vocabulary(config.vocab_size)


def gemma3n_of(name, seed, types, shared, sparse, width, per_layer, rank, active):
    n = len(types)
    config = Gemma3nTextConfig(
        vocab_size=67, vocab_size_per_layer_input=67, hidden_size=width, intermediate_size=44, num_hidden_layers=n,
        num_attention_heads=3, num_key_value_heads=1, head_dim=14, max_position_embeddings=96, rms_norm_eps=1e-2,
        sliding_window=9, layer_types=types, num_kv_shared_layers=shared, hidden_size_per_layer_input=per_layer,
        altup_num_inputs=4, altup_active_idx=active, laurel_rank=rank,
        activation_sparsity_pattern=[0.95 if i < sparse else 0.0 for i in range(n)], final_logit_softcapping=30.0,
        attn_implementation="eager")
    model = randomize(Gemma3nForCausalLM(config), seed, scale={"correct_output_scale": 5.0, "modality_router": width**0.5})
    case = Case(name, "gemma3n", ORIGIN + "Gemma3nForCausalLM")
    sparsity = [float(torch.distributions.Normal(0, 1).icdf(torch.tensor(s))) for s in config.activation_sparsity_pattern]
    base_keys(case, config, feed_forward_length=config.intermediate_size, attention__head_count_kv=config.num_key_value_heads,
              attention__key_length=config.head_dim, attention__value_length=config.head_dim, altup__active_idx=active,
              altup__num_inputs=4, activation_sparsity_scale=sparsity, final_logit_softcapping=30.0)
    state = {k: v for k, v in model.state_dict().items() if "lm_head" not in k}
    for part in ("altup_projections", "altup_unembed_projections"):
        stack = [state.pop(f"model.{part}.{i}.weight") for i in range(3)]
        state[f"model.{part}.weight"] = torch.stack(stack)
    case.state(state, gguf.MODEL_ARCH.GEMMA3N, n, lambda k, v: [(k + ".weight" if k.endswith("_scale") else k, v)])
    ids = ids_of(seed, 33, config.vocab_size)
    case.run("logits", ids, logits(model, ids))
    return case


def gemma3n():
    return gemma3n_of("gemma3n", 20, [SLIDING, SLIDING, FULL, SLIDING, FULL], 2, 2, 36, 10, 6, 0)


def gemma4_of(name, seed, types, **more):
    config = Gemma4TextConfig(
        vocab_size=71, vocab_size_per_layer_input=71, hidden_size=40, num_hidden_layers=len(types), num_attention_heads=4,
        head_dim=12, global_head_dim=16, max_position_embeddings=96, rms_norm_eps=1e-2, sliding_window=10,
        layer_types=types, attn_implementation="eager", experts_implementation="eager", **more)
    model = randomize(Gemma4ForCausalLM(config), seed, scale={"router.proj": 6.0})
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():  # scales that are near 1 in real models
        for key, value in [*model.named_buffers(), *model.named_parameters()]:
            if key.endswith(("layer_scalar", "router.scale", "per_expert_scale")):
                value.copy_(rounded(1 + 0.2 * torch.randn(value.shape, generator=rng)))
    case = Case(name, "gemma4", ORIGIN + "Gemma4ForCausalLM")
    n, shared = len(types), config.num_kv_shared_layers
    n_ff = [config.intermediate_size * (1 + (config.use_double_wide_mlp and i >= n - shared)) for i in range(n)]
    base_keys(case, config, feed_forward_length=n_ff if len(set(n_ff)) > 1 else n_ff[0], attention__key_length=16,
              attention__value_length=16, attention__key_length_swa=12, attention__value_length_swa=12,
              rope__dimension_count=16, rope__dimension_count_swa=12)
    kv = [config.per_layer_config[i].num_key_value_heads for i in range(n)]
    case.meta(attention__head_count_kv=kv if len(set(kv)) > 1 else kv[0])
    if config.final_logit_softcapping:
        case.meta(final_logit_softcapping=config.final_logit_softcapping)
    if config.enable_moe_block:
        case.meta(expert_count=config.num_experts, expert_used_count=config.top_k_experts,
                  expert_feed_forward_length=config.moe_intermediate_size)

    def change(key, value):
        layer = key.split(".")[2]
        if key.endswith("router.scale"):
            case.tensor(f"blk.{layer}.ffn_gate_inp.scale", value)
            return []
        if key.endswith("per_expert_scale"):
            case.tensor(f"blk.{layer}.ffn_down_exps.scale", value)
            return []
        return [(key + ".weight" if key.endswith("layer_scalar") or ".experts." in key else key, value)]

    case.state(model.state_dict(), gguf.MODEL_ARCH.GEMMA4, n, change, drop=("lm_head", "rotary"))
    case.tensor("rope_freqs.weight", torch.tensor([1.0] * 2 + [1e30] * 6))  # a quarter of 16 is rotated
    ids = ids_of(seed, 37, config.vocab_size)
    case.run("logits", ids, logits(model, ids))
    return case


def gemma4():
    """As the small ones: per-layer embeddings, the last layers take keys and values of earlier ones and have a wider FFN."""
    return gemma4_of("gemma4", 21, [SLIDING, SLIDING, FULL, SLIDING, FULL], num_key_value_heads=1, intermediate_size=52,
                     hidden_size_per_layer_input=10, num_kv_shared_layers=2, use_double_wide_mlp=True,
                     final_logit_softcapping=30.0)


def gemma4_moe():
    """As the large ones: values are the keys of full layers, which have fewer heads; experts beside a dense FFN."""
    return gemma4_of("gemma4-moe", 22, [SLIDING, SLIDING, FULL], num_key_value_heads=4, num_global_key_value_heads=2,
                     attention_k_eq_v=True, intermediate_size=36, hidden_size_per_layer_input=0, num_kv_shared_layers=0,
                     enable_moe_block=True, num_experts=6, top_k_experts=2, moe_intermediate_size=20, final_logit_softcapping=25.0)


CASES = {"gemma3n": gemma3n, "gemma4": gemma4, "gemma4-moe": gemma4_moe}
