# SPDX-License-Identifier: MIT
"""Encoders: bert and its kin, with pooling, and rank heads."""
import gguf
import torch
import transformers
from transformers import (BertConfig, BertModel, Gemma3TextConfig, Gemma3TextModel, ModernBertConfig,
                          ModernBertForSequenceClassification, ModernBertModel, NomicBertConfig, NomicBertModel, Qwen3Config,
                          Qwen3ForCausalLM, XLMRobertaConfig, XLMRobertaForSequenceClassification)

from case import Case, ids_of, randomize, rounded

ORIGIN = f"transformers {transformers.__version__} "


def evaluate(model, ids, **kwargs):
    model.double().eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), **kwargs)


def base_keys(case, config, **more):
    case.meta(context_length=config.max_position_embeddings, embedding_length=config.hidden_size,
              block_count=config.num_hidden_layers, feed_forward_length=config.intermediate_size,
              attention__head_count=config.num_attention_heads, attention__causal=False, **more)


def bert():
    config = BertConfig(vocab_size=101, hidden_size=60, num_hidden_layers=3, num_attention_heads=5, intermediate_size=116,
                        max_position_embeddings=72, type_vocab_size=2, layer_norm_eps=1e-2, attn_implementation="eager")
    model = randomize(BertModel(config, add_pooling_layer=False), 1)
    case = Case("bert", "bert", ORIGIN + "BertModel")
    base_keys(case, config, attention__layer_norm_epsilon=config.layer_norm_eps, pooling_type=int(gguf.PoolingType.CLS))
    case.vocabulary(config.vocab_size, token_type_count=2)
    case.state(model.state_dict(), gguf.MODEL_ARCH.BERT, config.num_hidden_layers, drop=("position_ids",))
    ids = ids_of(1, 37, config.vocab_size, 1)
    case.poolings(ids, evaluate(model, ids).last_hidden_state[0], "none", "mean", "cls", "last")
    return case


def bert_rank():
    """A reranker of the RoBERTa kind: positions begin after the padding id, and a head of two layers."""
    config = XLMRobertaConfig(vocab_size=90, hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=100,
                              max_position_embeddings=66, type_vocab_size=1, layer_norm_eps=1e-2, pad_token_id=1,
                              num_labels=1, attn_implementation="eager")
    model = randomize(XLMRobertaForSequenceClassification(config), 2)
    case = Case("bert-rank", "bert", ORIGIN + "XLMRobertaForSequenceClassification")
    base_keys(case, config, attention__layer_norm_epsilon=config.layer_norm_eps, classifier__output_labels=["LABEL_0"])
    case.meta(context_length=config.max_position_embeddings - 2)
    case.vocabulary(config.vocab_size, token_type_count=1)

    def change(name, value):
        name = name.removeprefix("roberta.")
        return [(name, value[2:] if name == "embeddings.position_embeddings.weight" else value)]

    case.state(model.state_dict(), gguf.MODEL_ARCH.BERT, config.num_hidden_layers, change)
    for seed in (2, 3):
        ids = ids_of(seed, 33, config.vocab_size, 4)
        case.run("embed", ids, evaluate(model, ids).logits[0], pooling="rank")
    return case


def nomic_bert():
    config = NomicBertConfig(vocab_size=97, hidden_size=60, num_hidden_layers=3, num_attention_heads=6, intermediate_size=92,
                             max_position_embeddings=64, type_vocab_size=2, layer_norm_eps=1e-2, attn_implementation="eager",
                             rope_parameters={"rope_type": "default", "rope_theta": 1000.0})
    model = randomize(NomicBertModel(config, add_pooling_layer=False), 4)
    case = Case("nomic-bert", "nomic-bert", ORIGIN + "NomicBertModel")
    base_keys(case, config, attention__layer_norm_epsilon=config.layer_norm_eps, rope__freq_base=1000.0,
              pooling_type=int(gguf.PoolingType.MEAN))
    case.vocabulary(config.vocab_size, token_type_count=2)
    kinds = {"self_attn.o_proj": "attn.out_proj", "mlp.gate_proj": "mlp.fc12", "mlp.up_proj": "mlp.fc11",
             "mlp.down_proj": "mlp.fc2", "post_attention_layernorm": "norm1", "post_mlp_layernorm": "norm2"}
    state, out = model.state_dict(), {}
    for name, value in state.items():
        name = name.replace("layers.", "encoder.layers.")
        for a, b in kinds.items():
            name = name.replace(a, b)
        if ".q_proj." in name:  # the published file holds one matrix for the three
            value = torch.cat([state[f"layers.{name.split('.')[2]}.self_attn.{x}_proj.weight"] for x in "qkv"])
            name = name.replace("self_attn.q_proj", "attn.Wqkv")
        if "_proj." not in name or "out_proj" in name:
            out[name.replace("embeddings.LayerNorm", "emb_ln")] = value
    case.state(out, gguf.MODEL_ARCH.NOMIC_BERT, config.num_hidden_layers, drop=("position_ids",))
    ids = ids_of(4, 41, config.vocab_size, 1)
    case.poolings(ids, evaluate(model, ids).last_hidden_state[0], "none", "mean")
    return case


def modern_config(**more):
    return ModernBertConfig(vocab_size=89, hidden_size=60, num_hidden_layers=5, num_attention_heads=6, intermediate_size=84,
                            max_position_embeddings=96, local_attention=14, norm_eps=1e-2, pad_token_id=0, bos_token_id=1,
                            eos_token_id=2, cls_token_id=1, sep_token_id=2, attn_implementation="eager", **more)


def modern_case(name, config):
    case = Case(name, "modern-bert", ORIGIN + name)
    base_keys(case, config, attention__layer_norm_epsilon=config.norm_eps, attention__sliding_window=config.local_attention,
              attention__sliding_window_pattern=3, rope__freq_base=160000.0, rope__freq_base_swa=10000.0,
              rope__scaling__type="none", vocab_size=config.vocab_size)
    case.vocabulary(config.vocab_size)
    return case


def modern_bert():
    config = modern_config()
    model = randomize(ModernBertModel(config), 5)
    case = modern_case("modern-bert", config)
    case.origin = ORIGIN + "ModernBertModel"
    case.meta(pooling_type=int(gguf.PoolingType.CLS))
    case.state(model.state_dict(), gguf.MODEL_ARCH.MODERN_BERT, config.num_hidden_layers)
    ids = ids_of(5, 45, config.vocab_size, 3)
    case.poolings(ids, evaluate(model, ids).last_hidden_state[0], "none", "mean", "cls")
    return case


def modern_bert_rank():
    """A reranker whose head reads the mean, with SiLU in the layers."""
    config = modern_config(num_labels=1, classifier_pooling="mean", hidden_activation="silu", classifier_bias=False)
    model = randomize(ModernBertForSequenceClassification(config), 6)
    case = modern_case("modern-bert-rank", config)
    case.origin = ORIGIN + "ModernBertForSequenceClassification"
    case.meta(hidden_activation="silu", classifier__output_labels=["LABEL_0"])
    case.keys["modern-bert.classifier.pooling_type"] = int(gguf.PoolingType.MEAN)

    def change(name, value):
        name = name.removeprefix("model.")
        return [(name.replace("classifier.", "classifier.out_proj."), value)]

    case.state(model.state_dict(), gguf.MODEL_ARCH.MODERN_BERT, config.num_hidden_layers, change)
    for seed in (6, 7):
        ids = ids_of(seed, 39, config.vocab_size, 3)
        case.run("embed", ids, evaluate(model, ids).logits[0], pooling="rank")
    return case


def jina_weights(seed, n_vocab, width, n_ff, n_layers, qk_norm):
    """Tensors by the names of the published files."""
    rng = torch.Generator().manual_seed(seed)
    w = {}

    def norm(name):
        w[name + ".weight"] = rounded(1 + 0.2 * torch.randn(width, generator=rng))
        w[name + ".bias"] = rounded(0.2 * torch.randn(width, generator=rng))

    def linear(name, n_out, n_in, bias=True):
        w[name + ".weight"] = rounded(torch.randn(n_out, n_in, generator=rng) * n_in**-0.5)
        if bias:
            w[name + ".bias"] = rounded(0.2 * torch.randn(n_out, generator=rng))

    for name, n in (("word", n_vocab), ("token_type", 2)):
        w[f"embeddings.{name}_embeddings.weight"] = rounded(0.7 * torch.randn(n, width, generator=rng))
    norm("embeddings.LayerNorm")
    for i in range(n_layers):
        layer = f"encoder.layer.{i}."
        for part in ("query", "key", "value"):
            linear(layer + "attention.self." + part, width, width)
        for part in ("q", "k") if qk_norm else ():
            norm(f"{layer}attention.self.layer_norm_{part}")
        linear(layer + "attention.output.dense", width, width)
        norm(layer + "attention.output.LayerNorm")
        linear(layer + "mlp.gated_layers", 2 * n_ff, width, bias=False)
        linear(layer + "mlp.wo", width, n_ff)
        if qk_norm:
            norm(layer + "layer_norm_1")
        norm(layer + "mlp.layernorm")
    return w


def alibi_slopes(n):
    """Press et al. 2022: 2^(-8/n), its powers; where n is no power of two, every second slope of twice the next lower."""
    low = 2 ** (n.bit_length() - 1)
    slopes = [2.0 ** (-8 * (i + 1) / low) for i in range(low)]
    return slopes if low == n else slopes + alibi_slopes(2 * low)[0::2][: n - low]


def jina_forward(w, ids, n_layers, n_heads, n_ff, eps):
    """The published forward pass (JinaBertModel), in double."""
    w = {k: v.double() for k, v in w.items()}
    f = torch.nn.functional

    def norm(name, x):
        return f.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], eps)

    def linear(name, x):
        return f.linear(x, w[name + ".weight"], w.get(name + ".bias"))

    n, width = len(ids), w["embeddings.word_embeddings.weight"].shape[1]
    place = torch.arange(n)
    distance = (place[:, None] - place[None, :]).abs()
    bias = -torch.tensor(alibi_slopes(n_heads), dtype=torch.float64)[:, None, None] * distance
    x = norm("embeddings.LayerNorm", w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0])
    for i in range(n_layers):
        layer = f"encoder.layer.{i}."
        q, k, v = (linear(layer + "attention.self." + part, x) for part in ("query", "key", "value"))
        if layer + "attention.self.layer_norm_q.weight" in w:
            q, k = norm(layer + "attention.self.layer_norm_q", q), norm(layer + "attention.self.layer_norm_k", k)
        q, k, v = (t.view(n, n_heads, -1).transpose(0, 1) for t in (q, k, v))
        scores = q @ k.transpose(1, 2) * q.shape[-1] ** -0.5 + bias
        a = (torch.softmax(scores, -1) @ v).transpose(0, 1).reshape(n, width)
        a = norm(layer + "attention.output.LayerNorm", linear(layer + "attention.output.dense", a) + x)
        if layer + "layer_norm_1.weight" in w:
            a = norm(layer + "layer_norm_1", a + x)
        gate, up = linear(layer + "mlp.gated_layers", a).split(n_ff, -1)
        x = norm(layer + "mlp.layernorm", linear(layer + "mlp.wo", f.gelu(gate) * up) + a)
    return x


def jina(name, seed, n_heads, qk_norm, split):
    """split: gate and up are tensors of their own, as in files of the first converters; later ones leave them fused."""
    n_vocab, width, n_ff, n_layers, eps = 83, 12 * n_heads, 76, 2, 1e-2
    w = jina_weights(seed, n_vocab, width, n_ff, n_layers, qk_norm)
    case = Case(name, "jina-bert-v2", "forward pass of the published JinaBertModel")
    case.meta(context_length=64, embedding_length=width, block_count=n_layers, feed_forward_length=n_ff,
              attention__head_count=n_heads, attention__layer_norm_epsilon=eps, attention__causal=False,
              pooling_type=int(gguf.PoolingType.MEAN))
    case.vocabulary(n_vocab, token_type_count=2)

    def change(key, value):
        if "gated_layers" not in key or not split:
            return [(key, value)]
        return [(key.replace("gated_layers", "gated_layers_w"), value[:n_ff]),
                (key.replace("gated_layers", "gated_layers_v"), value[n_ff:])]

    case.state(w, gguf.MODEL_ARCH.JINA_BERT_V2, n_layers, change)
    ids = ids_of(seed, 40, n_vocab)
    case.poolings(ids, jina_forward(w, ids, n_layers, n_heads, n_ff, eps), "none", "mean")
    return case


def jina_bert_v2():
    return jina("jina-bert-v2", 8, 5, False, False)


def jina_bert_v2_code():
    return jina("jina-bert-v2-code", 9, 4, True, True)


def gemma_embedding():
    """Sliding windows to both sides, mean pooling, and the two dense layers after it."""
    config = Gemma3TextConfig(vocab_size=87, hidden_size=48, intermediate_size=88, num_hidden_layers=4, num_attention_heads=3,
                              num_key_value_heads=1, head_dim=20, max_position_embeddings=96, rms_norm_eps=1e-2,
                              sliding_window=12, use_bidirectional_attention=True, attn_implementation="eager",
                              layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
                              query_pre_attn_scalar=20,
                              rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
                                               "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})
    model = randomize(Gemma3TextModel(config), 10, norm=0.0)
    case = Case("gemma-embedding", "gemma-embedding", ORIGIN + "Gemma3TextModel")
    base_keys(case, config, attention__head_count_kv=config.num_key_value_heads, attention__key_length=config.head_dim,
              attention__value_length=config.head_dim, attention__layer_norm_rms_epsilon=config.rms_norm_eps,
              attention__sliding_window=12, attention__sliding_window_pattern=3, rope__freq_base=1000000.0,
              rope__freq_base_swa=10000.0, pooling_type=int(gguf.PoolingType.MEAN))
    del case.keys["gemma-embedding.attention.causal"]  # the architecture implies it
    case.vocabulary(config.vocab_size)
    case.state(model.state_dict(), gguf.MODEL_ARCH.GEMMA_EMBEDDING, config.num_hidden_layers,
               lambda key, value: [(key, value + 1 if "norm" in key else value)])
    rng = torch.Generator().manual_seed(10)
    dense = [rounded(torch.randn(shape, generator=rng) * shape[1] ** -0.5) for shape in ((92, 48), (48, 92))]
    for i, value in enumerate(dense):
        case.tensor(f"dense_{i + 2}.weight", value)
        case.meta(**{f"dense_{i + 2}_feat_in": value.shape[1], f"dense_{i + 2}_feat_out": value.shape[0]})
    ids = ids_of(10, 44, config.vocab_size, 3)
    hidden = evaluate(model, ids).last_hidden_state[0]
    for pooling, pooled in (("mean", hidden.mean(0)), ("cls", hidden[0])):
        case.run("embed", ids, dense[1].double() @ (dense[0].double() @ pooled), pooling=pooling)
    return case


def qwen3(name, seed, **more):
    config = Qwen3Config(vocab_size=95, hidden_size=56, intermediate_size=84, num_hidden_layers=2, num_attention_heads=6,
                         num_key_value_heads=2, head_dim=12, max_position_embeddings=96, rms_norm_eps=1e-2,
                         tie_word_embeddings=True, attn_implementation="eager",
                         rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})
    model = randomize(Qwen3ForCausalLM(config), seed)
    case = Case(name, "qwen3", ORIGIN + "Qwen3ForCausalLM")
    base_keys(case, config, attention__head_count_kv=config.num_key_value_heads, attention__key_length=config.head_dim,
              attention__value_length=config.head_dim, attention__layer_norm_rms_epsilon=config.rms_norm_eps,
              rope__freq_base=1000000.0, **more)
    del case.keys["qwen3.attention.causal"]
    case.vocabulary(config.vocab_size)
    case.state(model.state_dict(), gguf.MODEL_ARCH.QWEN3, config.num_hidden_layers, drop=("lm_head",))
    return case, model, config


def qwen3_embedding():
    case, model, config = qwen3("qwen3-embedding", 11, pooling_type=int(gguf.PoolingType.LAST))
    ids = ids_of(11, 36, config.vocab_size)
    case.poolings(ids, evaluate(model.model, ids).last_hidden_state[0], "none", "last")
    return case


def qwen3_reranker():
    """The probabilities of the answers yes and no at the last position: two rows of the output matrix, and softmax."""
    yes, no = 61, 17
    case, model, config = qwen3("qwen3-reranker", 12, pooling_type=int(gguf.PoolingType.RANK),
                                classifier__output_labels=["yes", "no"])
    case.tensor("cls.output.weight", model.lm_head.weight[[yes, no]])
    for seed in (12, 13):
        ids = ids_of(seed, 35, config.vocab_size)
        case.run("embed", ids, torch.softmax(evaluate(model, ids).logits[0, -1, [yes, no]], -1), pooling="rank")
    return case


CASES = {"bert": bert, "bert-rank": bert_rank, "nomic-bert": nomic_bert, "modern-bert": modern_bert,
         "modern-bert-rank": modern_bert_rank, "jina-bert-v2": jina_bert_v2, "jina-bert-v2-code": jina_bert_v2_code,
         "gemma-embedding": gemma_embedding, "qwen3-embedding": qwen3_embedding, "qwen3-reranker": qwen3_reranker}
