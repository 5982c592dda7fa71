# SPDX-License-Identifier: MIT
"""Kin of models that other files have, which differ by little: EuroBERT, Jina embeddings 3, Nomic embeddings 2 (experts),
the language model of DeepSeek-OCR 2, PLM (latent attention with a plain feed-forward), and DeepSeek 3.2 and GLM 5 in contexts
so short that their indexers choose all keys."""
import gguf
import torch
import transformers
from transformers import (DeepseekV2Config, DeepseekV2ForCausalLM, DeepseekV32Config, DeepseekV32ForCausalLM, EuroBertConfig,
                          EuroBertModel, GlmMoeDsaConfig, GlmMoeDsaForCausalLM, JinaEmbeddingsV3Config, JinaEmbeddingsV3Model,
                          NomicBertConfig, NomicBertModel)
from transformers.models.deepseek_ocr2.configuration_deepseek_ocr2 import DeepseekOcr2TextConfig
from transformers.models.deepseek_ocr2.modeling_deepseek_ocr2 import DeepseekOcr2TextModel

from case import Case, ids_of, randomize, rounded
from encoders import base_keys as encoder_keys
from encoders import evaluate

ORIGIN = f"transformers {transformers.__version__} "
ROPE = {"rope_type": "default", "rope_theta": 1000.0}


def poolings(case, model, seed, n_vocab, *names):
    ids = ids_of(seed, 39, n_vocab, 3)
    case.poolings(ids, evaluate(model, ids).last_hidden_state[0], *names)
    return case


def eurobert():
    config = EuroBertConfig(vocab_size=93, hidden_size=48, intermediate_size=84, num_hidden_layers=3, num_attention_heads=6,
                            num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-2, pad_token_id=0,
                            bos_token_id=1, eos_token_id=2, mask_token_id=3, attn_implementation="eager", rope_parameters=ROPE)
    model = randomize(EuroBertModel(config), 70)
    case = Case("eurobert", "eurobert", ORIGIN + "EuroBertModel")
    encoder_keys(case, config, attention__head_count_kv=2, attention__layer_norm_rms_epsilon=1e-2, rope__freq_base=1000.0)
    case.vocabulary(config.vocab_size)
    case.state(model.state_dict(), gguf.MODEL_ARCH.EUROBERT, 3, lambda k, v: [("model." + k, v)])
    return poolings(case, model, 70, config.vocab_size, "none", "mean", "cls")


def published(state, parts):
    """Names as the published files have them, with one matrix (and bias) for queries, keys and values."""
    out = {}
    for name, value in state.items():
        name = name.replace("layers.", "encoder.layers.").replace("embeddings.LayerNorm", "emb_ln")
        if ".k_proj." in name or ".v_proj." in name:
            continue
        if ".q_proj." in name:
            layer, end = name.split(".")[2], name.split(".")[-1]
            value = torch.cat([state[f"layers.{layer}.self_attn.{x}_proj.{end}"] for x in "qkv"])
        for a, b in parts.items():
            name = name.replace(a, b)
        out[name] = value
    return out


def encoder_case(name, model_class, config, model, parts, **more):
    case = Case(name, name, ORIGIN + model_class)
    encoder_keys(case, config, attention__layer_norm_epsilon=config.layer_norm_eps, rope__freq_base=1000.0, **more)
    case.vocabulary(config.vocab_size, token_type_count=config.type_vocab_size)
    return case, published(model.state_dict(), {"post_attention_layernorm": "norm1", "post_mlp_layernorm": "norm2", **parts})


def jina_bert_v3():
    config = JinaEmbeddingsV3Config(vocab_size=88, hidden_size=60, intermediate_size=100, num_hidden_layers=2,
                                    num_attention_heads=6, max_position_embeddings=66, layer_norm_eps=1e-2,
                                    attn_implementation="eager", rope_parameters=ROPE)
    model = randomize(JinaEmbeddingsV3Model(config, add_pooling_layer=False), 71)
    case, state = encoder_case("jina-bert-v3", "JinaEmbeddingsV3Model", config, model,
                               {"self_attn.q_proj": "mixer.Wqkv", "self_attn.o_proj": "mixer.out_proj"})
    case.state(state, gguf.MODEL_ARCH.JINA_BERT_V3, 2)
    return poolings(case, model, 71, config.vocab_size, "none", "mean")


class Plain(torch.nn.Module):
    """A feed-forward without gate."""

    def __init__(self, width, inner, activation, bias):
        super().__init__()
        self.fc1, self.fc2 = torch.nn.Linear(width, inner, bias=bias), torch.nn.Linear(inner, width, bias=bias)
        self.activation = activation

    def forward(self, x):
        return self.fc2(self.activation(self.fc1(x)))


class Experts(torch.nn.Module):
    """As published in nomic-bert-2048: weights are the softmax over all experts, not divided by their sum."""

    def __init__(self, width, inner, n, n_used):
        super().__init__()
        self.router, self.n_used = torch.nn.Linear(width, n, bias=False), n_used
        self.up, self.down = (torch.nn.Parameter(torch.empty(n, *shape)) for shape in ((inner, width), (width, inner)))

    def forward(self, x):
        weights, chosen = self.router(x).softmax(-1).topk(self.n_used, -1)
        inner = torch.nn.functional.gelu(torch.einsum("...c,...ekc->...ek", x, self.up[chosen]))
        return torch.einsum("...e,...eck,...ek->...c", weights, self.down[chosen], inner)


def nomic_bert_moe():
    config = NomicBertConfig(vocab_size=85, hidden_size=48, num_hidden_layers=4, num_attention_heads=4, intermediate_size=72,
                             max_position_embeddings=64, type_vocab_size=1, layer_norm_eps=1e-2, attn_implementation="eager",
                             rope_parameters=ROPE)
    model = NomicBertModel(config, add_pooling_layer=False)
    for i, layer in enumerate(model.layers):
        layer.mlp = Experts(48, 72, 5, 2) if i % 2 else Plain(48, 72, torch.nn.functional.gelu, True)
        for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(layer.self_attn, part, torch.nn.Linear(48, 48))
    randomize(model, 72, scale={"router": 3.0})
    case, state = encoder_case("nomic-bert-moe", "NomicBertModel with the experts of nomic-bert-2048", config, model,
                               {"self_attn.q_proj": "attn.Wqkv", "self_attn.o_proj": "attn.out_proj", "mlp.router": "mlp.router.layer",
                                "mlp.up": "mlp.experts.mlp.w1.weight", "mlp.down": "mlp.experts.mlp.w2.weight"},
                               expert_count=5, expert_used_count=2, moe_every_n_layers=2)
    case.state(state, gguf.MODEL_ARCH.NOMIC_BERT_MOE, 4)
    return poolings(case, model, 72, config.vocab_size, "none", "mean")


def decoder_case(name, origin, config, model, head, ids, **keys):
    case = Case(name, name, ORIGIN + origin)
    case.meta(context_length=config.max_position_embeddings, embedding_length=config.hidden_size,
              block_count=config.num_hidden_layers, feed_forward_length=config.intermediate_size,
              attention__head_count=config.num_attention_heads, attention__layer_norm_rms_epsilon=config.rms_norm_eps, **keys)
    case.vocabulary(config.vocab_size)
    model.double().eval()
    with torch.no_grad():
        case.run("logits", ids, model(input_ids=torch.tensor([ids])).last_hidden_state[0] @ head.double().T)
    return case


def experts(key, value):
    """Experts of the class -> of the published file's kind, gates and the others apart."""
    if "experts.gate_up_proj" in key:
        return [(key.replace("gate_up_proj", part + "_proj.weight"), v) for part, v in zip(("gate", "up"), value.chunk(2, 1))]
    return [(key + ".weight" if key.endswith("experts.down_proj") else key, value)]


def deepseek2_ocr():
    config = DeepseekOcr2TextConfig(vocab_size=77, hidden_size=48, intermediate_size=84, num_hidden_layers=3,
                                    num_attention_heads=4, max_position_embeddings=96, rms_norm_eps=1e-2, n_routed_experts=6,
                                    num_experts_per_tok=2, n_shared_experts=2, moe_intermediate_size=20,
                                    routed_scaling_factor=1.5, mlp_layer_types=["dense", "sparse", "sparse"],
                                    attn_implementation="eager", experts_implementation="eager", rope_parameters=ROPE)
    model = randomize(DeepseekOcr2TextModel(config), 73, scale={"gate.weight": 3.0})
    head = randomize(torch.nn.Linear(48, 77, bias=False), 74).weight
    case = decoder_case("deepseek2-ocr", "DeepseekOcr2TextModel", config, model, head, ids_of(73, 41, 77),
                        attention__head_count_kv=4, rope__freq_base=1000.0, rope__dimension_count=12, expert_count=6,
                        expert_used_count=2, expert_shared_count=2, expert_feed_forward_length=20, expert_weights_scale=1.5,
                        leading_dense_block_count=1)
    case.tensor("output.weight", head)

    case.state(model.state_dict(), gguf.MODEL_ARCH.DEEPSEEK2OCR, 3, lambda key, value: experts("model." + key, value))
    return case


def plm():
    config = DeepseekV2Config(vocab_size=79, hidden_size=48, intermediate_size=88, num_hidden_layers=3, num_attention_heads=4,
                              num_key_value_heads=4, max_position_embeddings=96, rms_norm_eps=1e-2, kv_lora_rank=20,
                              q_lora_rank=None, qk_nope_head_dim=10, qk_rope_head_dim=6, v_head_dim=14, first_k_dense_replace=3,
                              tie_word_embeddings=True, attn_implementation="eager", rope_parameters=ROPE)
    model = DeepseekV2ForCausalLM(config).model
    for layer in model.layers:
        layer.mlp = Plain(48, 88, lambda x: torch.relu(x) ** 2, False)
        layer.self_attn.kv_a_layernorm.variance_epsilon = config.rms_norm_eps
    randomize(model, 75)
    case = decoder_case("plm", "DeepseekV2Model with a feed-forward of squared ReLU", config, model,
                        model.embed_tokens.weight.detach(), ids_of(75, 43, 79), attention__head_count_kv=4, attention__key_length=16,
                        attention__value_length=14, attention__kv_lora_rank=20, rope__dimension_count=6, rope__freq_base=1000.0)
    names = {"fc1": "up_proj", "fc2": "down_proj"}
    case.state(model.state_dict(), gguf.MODEL_ARCH.PLM, 3, lambda k, v: [
        ("model." + next((k.replace(a, b) for a, b in names.items() if a in k), k), v.to(torch.float32))])
    return case


def indexed(name, seed, config_class, model_class, arch, **more):
    """kv_b is written head by head, as llama.cpp's converter does; the indexer's weights choose nothing here."""
    heads, nope, rot, dim_v, rank, groups = 4, 10, 6, 14, 20, more.get("n_group", 1)
    config = config_class(vocab_size=75, hidden_size=48, intermediate_size=84, moe_intermediate_size=20, num_hidden_layers=3,
                          num_attention_heads=heads, num_key_value_heads=heads, n_shared_experts=1, n_routed_experts=8,
                          num_experts_per_tok=3, routed_scaling_factor=1.5, kv_lora_rank=rank, q_lora_rank=28,
                          qk_rope_head_dim=rot, v_head_dim=dim_v, qk_nope_head_dim=nope, norm_topk_prob=True,
                          max_position_embeddings=96, rms_norm_eps=1e-2, index_topk=64, index_head_dim=16, index_n_heads=2,
                          first_k_dense_replace=1, attn_implementation="eager", experts_implementation="eager",
                          rope_parameters=ROPE, **more)
    model = randomize(model_class(config), seed, scale={"gate.weight": 3.0})
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, value in model.named_buffers():
            if "e_score_correction_bias" in key:
                value.copy_(rounded(0.1 * torch.randn(value.shape, generator=rng)))
    for layer in model.model.layers:
        layer.self_attn.q_a_layernorm.variance_epsilon = layer.self_attn.kv_a_layernorm.variance_epsilon = config.rms_norm_eps
    case = decoder_case(name, model_class.__name__, config, model.model, model.lm_head.weight, ids_of(seed, 45, 75),
                        attention__head_count_kv=1, attention__key_length=rank + rot, attention__value_length=rank,
                        attention__key_length_mla=nope + rot, attention__value_length_mla=dim_v, attention__kv_lora_rank=rank,
                        attention__q_lora_rank=28, attention__indexer__top_k=64, attention__indexer__head_count=2,
                        attention__indexer__key_length=16, rope__dimension_count=rot, rope__freq_base=1000.0, expert_count=8,
                        expert_used_count=3, expert_shared_count=1, expert_feed_forward_length=20, expert_weights_scale=1.5,
                        expert_weights_norm=True, expert_gating_func=2, leading_dense_block_count=1, expert_group_count=groups,
                        expert_group_used_count=more.get("topk_group", 1))

    def change(key, value):
        if "kv_b_proj" not in key:
            return experts(key.replace("e_score_correction_bias", "e_score_correction.bias"), value)
        k, v = value.view(heads, nope + dim_v, rank).split([nope, dim_v], 1)
        return [(key.replace("kv_b", "k_b"), k.transpose(1, 2)), (key.replace("kv_b", "v_b"), v)]

    case.state(model.state_dict(), arch, 3, change, drop=("indexer",))
    return case


def deepseek32():
    return indexed("deepseek32", 76, DeepseekV32Config, DeepseekV32ForCausalLM, gguf.MODEL_ARCH.DEEPSEEK2, n_group=4, topk_group=2)


def glm_dsa():
    return indexed("glm-dsa", 77, GlmMoeDsaConfig, GlmMoeDsaForCausalLM, gguf.MODEL_ARCH.GLM_DSA, indexer_types=["full", "shared", "full"])


CASES = {"eurobert": eurobert, "jina-bert-v3": jina_bert_v3, "nomic-bert-moe": nomic_bert_moe,
         "deepseek2-ocr": deepseek2_ocr, "plm": plm, "deepseek32": deepseek32, "glm-dsa": glm_dsa}
