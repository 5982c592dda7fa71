# SPDX-License-Identifier: MIT
"""Decoders that differ in one or two things from the usual: Apertus (xIELU), BitNet (ternary weights, norms inside the
blocks), Step 3.5 (heads by kind of layer, gates per head, experts with clamped activations)."""
import math

import gguf
import torch
import transformers
from transformers import ApertusConfig, ApertusForCausalLM, BitNetConfig, BitNetForCausalLM
from transformers.models.step3p7.configuration_step3p7 import Step3p7TextConfig
from transformers.models.step3p7.modeling_step3p7 import Step3p7TextModel

from case import Case, ids_of, randomize, rounded

ORIGIN = f"transformers {transformers.__version__} "
SLIDING, FULL = "sliding_attention", "full_attention"


def run(case, model, ids):
    model.double().eval()
    with torch.no_grad():
        case.run("logits", ids, model(input_ids=torch.tensor([ids])).logits[0])


def base_keys(case, config, **more):
    case.meta(context_length=config.max_position_embeddings, embedding_length=config.hidden_size,
              block_count=config.num_hidden_layers, feed_forward_length=config.intermediate_size,
              attention__layer_norm_rms_epsilon=config.rms_norm_eps, **more)
    case.vocabulary(config.vocab_size)


def llama3_factors(scaling, base, n_rot):
    """What the frequencies of rope are divided by (Llama 3.1)."""
    old, factor, low, high = (scaling[k] for k in ("original_max_position_embeddings", "factor", "low_freq_factor", "high_freq_factor"))
    factors = []
    for i in range(0, n_rot, 2):
        wave = 2 * math.pi * base ** (i / n_rot)
        smooth = min(max((old / wave - low) / (high - low), 0), 1)
        factors.append(1 / ((1 - smooth) / factor + smooth))
    return torch.tensor(factors)


SCALING = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
           "original_max_position_embeddings": 48}


def apertus():
    config = ApertusConfig(vocab_size=83, hidden_size=48, intermediate_size=100, num_hidden_layers=3, num_attention_heads=4,
                           num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-2, rope_parameters=SCALING,
                           attn_implementation="eager")
    model = randomize(ApertusForCausalLM(config), 60)
    case = Case("apertus", "apertus", ORIGIN + "ApertusForCausalLM")
    base_keys(case, config, attention__head_count=4, attention__head_count_kv=2, rope__dimension_count=12,
              rope__freq_base=10000.0, vocab_size=config.vocab_size)
    for i, layer in enumerate(model.model.layers):  # of one kind in a new model, learnt in real ones
        act = layer.mlp.act_fn
        with torch.no_grad():
            for value, number in ((act.alpha_p, 0.25 + i), (act.alpha_n, -0.5 * i), (act.beta, 0.5 + 0.25 * i), (act.eps, -0.125 * i - 2**-20)):
                value.fill_(number)
    for part in ("alpha_n", "alpha_p", "beta", "eps"):
        case.keys["xielu." + part] = [getattr(layer.mlp.act_fn, part).item() for layer in model.model.layers]
    case.state(model.state_dict(), gguf.MODEL_ARCH.APERTUS, config.num_hidden_layers, drop=("act_fn",))
    case.tensor("rope_freqs.weight", llama3_factors(SCALING, 10000.0, 12))
    run(case, model, ids_of(60, 44, config.vocab_size))
    return case


def bitnet():
    """Weights are -1, 0 or 1 times one scale of their matrix, as the converter makes them."""
    config = BitNetConfig(vocab_size=91, hidden_size=56, intermediate_size=88, num_hidden_layers=2, num_attention_heads=4,
                          num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-2, hidden_act="silu",
                          tie_word_embeddings=True, attn_implementation="eager",
                          rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    model = randomize(BitNetForCausalLM(config), 61)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "_proj" in name:
                scale = rounded(p.abs().mean())
                p.copy_((p / scale).round().clamp(-1, 1) * scale)
    case = Case("bitnet", "bitnet", ORIGIN + "BitNetForCausalLM")
    base_keys(case, config, attention__head_count=4, attention__head_count_kv=2, rope__freq_base=10000.0,
              rope__scaling__type="linear", rope__scaling__factor=1.0)
    names = {"self_attn.attn_sub_norm": "self_attn.inner_attn_ln", "mlp.ffn_sub_norm": "mlp.ffn_layernorm"}
    case.state(model.state_dict(), gguf.MODEL_ARCH.BITNET, config.num_hidden_layers, drop=("lm_head",), change=lambda key, value: [
        (next((key.replace(a, b) for a, b in names.items() if a in key), key), value)])
    run(case, model, ids_of(61, 44, config.vocab_size))
    return case


class Step35(torch.nn.Module):
    """The text model with its output matrix."""

    def __init__(self, config):
        super().__init__()
        self.model = Step3p7TextModel(config)
        self.lm_head = torch.nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(self, input_ids):
        out = self.model(input_ids=input_ids)
        out.logits = self.lm_head(out.last_hidden_state)
        return out


def step35_names(key, value):
    """The class's names -> the published file's, for the experts; norm weights are kept less one there."""
    if "norm" in key:
        value = value + 1
    key = key.replace("mlp.shared_experts", "share_expert").replace("mlp.gate.e_score_correction_bias", "moe.router_bias.bias")
    key = key.replace("mlp.gate.weight", "moe.gate.weight")
    if "experts.gate_up_proj" in key:
        half = value.shape[1] // 2
        return [(key.replace("mlp.experts.gate_up_proj", f"moe.{part}_proj.weight"), v)
                for part, v in (("gate", value[:, :half]), ("up", value[:, half:]))]
    return [(key.replace("mlp.experts.down_proj", "moe.down_proj.weight"), value)]


def step35():
    types = [FULL, SLIDING, SLIDING, FULL]
    limits, shared_limits = [0.0, 0.0, 0.75, 0.0], [0.0, 0.0, 0.0, 0.5]
    config = Step3p7TextConfig(
        vocab_size=73, hidden_size=40, intermediate_size=52, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        num_sliding_attention_heads=6, head_dim=12, max_position_embeddings=128, rms_norm_eps=1e-2, sliding_window=11,
        layer_types=types, mlp_layer_types=["dense", "sparse", "sparse", "sparse"], n_routed_experts=5, num_experts_per_tok=2,
        moe_intermediate_size=20, share_expert_dim=28, moe_router_scaling_factor=1.5, swiglu_limits=limits,
        swiglu_limits_shared=shared_limits, attn_implementation="eager", experts_implementation="eager",
        rope_parameters={FULL: {**SCALING, "partial_rotary_factor": 0.5},
                         SLIDING: {"rope_type": "default", "rope_theta": 5000.0, "partial_rotary_factor": 1.0}})
    model = randomize(Step35(config), 62, norm=0.0, scale={"mlp.gate.weight": 2.0})
    rng = torch.Generator().manual_seed(62)
    with torch.no_grad():
        for name, value in model.named_buffers():
            if "e_score_correction_bias" in name:
                value.copy_(rounded(0.1 * torch.randn(value.shape, generator=rng)))
    case = Case("step35", "step35", ORIGIN + "Step3p7TextModel")
    base_keys(case, config, attention__head_count=[6 if t == SLIDING else 4 for t in types],
              attention__head_count_kv=[2] * 4, attention__key_length=12, attention__value_length=12,
              attention__sliding_window=11, attention__sliding_window_pattern=[t == SLIDING for t in types],
              rope__freq_base=10000.0, rope__freq_base_swa=5000.0, expert_count=5, expert_used_count=2,
              expert_feed_forward_length=20, expert_shared_feed_forward_length=28, expert_weights_scale=1.5,
              expert_weights_norm=True, leading_dense_block_count=1, moe_every_n_layers=1, swiglu_clamp_exp=limits,
              swiglu_clamp_shexp=shared_limits)
    case.state(model.state_dict(), gguf.MODEL_ARCH.STEP35, 4, step35_names)
    factors = llama3_factors(SCALING, 10000.0, 6)
    case.tensor("rope_freqs.weight", torch.cat([factors, torch.ones(3)]))
    run(case, model, ids_of(62, 42, config.vocab_size))
    return case


CASES = {"apertus": apertus, "bitnet": bitnet, "step35": step35}
