# SPDX-License-Identifier: MIT
"""T5: an encoder, and a decoder that looks at its output."""
import gguf
import torch
import transformers
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration

from case import Case, ids_of, randomize

ORIGIN = f"transformers {transformers.__version__} "


def config_of(**more):
    return T5Config(vocab_size=79, d_model=44, d_kv=10, num_heads=5, relative_attention_num_buckets=12,
                    relative_attention_max_distance=128, layer_norm_epsilon=1e-2, decoder_start_token_id=0, pad_token_id=0,
                    eos_token_id=1, attn_implementation="eager", **more)


def case_of(name, arch, config, origin):
    case = Case(name, arch, ORIGIN + origin)
    case.meta(context_length=512, embedding_length=config.d_model, feed_forward_length=config.d_ff,
              block_count=config.num_layers, attention__head_count=config.num_heads, attention__key_length=config.d_kv,
              attention__value_length=config.d_kv, attention__layer_norm_epsilon=config.layer_norm_epsilon,
              attention__relative_buckets_count=config.relative_attention_num_buckets,
              attention__layer_norm_rms_epsilon=config.layer_norm_epsilon)
    case.vocabulary(config.vocab_size)
    return case


def fill(model, seed):
    return randomize(model, seed, scale={"relative_attention_bias": config_of().num_heads ** 0.5, "lm_head": 2.0})


def state_of(case, model, arch, n_blocks):
    tied = ("embed_tokens", "lm_head") if model.config.scale_decoder_outputs else ("embed_tokens",)
    case.state(model.state_dict(), arch, n_blocks, drop=tied)


def seq2seq(name, seed, **more):
    config = config_of(**more)
    model = T5ForConditionalGeneration(config)
    if not config.scale_decoder_outputs:  # an output matrix of its own, whatever the class makes of that setting
        model.lm_head.weight = torch.nn.Parameter(torch.empty(config.vocab_size, config.d_model))
    fill(model, seed)
    case = case_of(name, "t5", config, "T5ForConditionalGeneration")
    case.meta(decoder_block_count=config.num_decoder_layers, decoder_start_token_id=0)
    state_of(case, model, gguf.MODEL_ARCH.T5, max(config.num_layers, config.num_decoder_layers))
    model.double().eval()
    encoder_ids, ids = ids_of(seed, 43, config.vocab_size, 2), [0] + ids_of(seed + 1, 34, config.vocab_size, 2)
    with torch.no_grad():
        out = model(input_ids=torch.tensor([encoder_ids]), decoder_input_ids=torch.tensor([ids]))
    case.run("logits", ids, out.logits[0], **{"encoder-ids": encoder_ids})
    case.poolings(encoder_ids, out.encoder_last_hidden_state[0], "none", "mean")
    return case


def t5():
    """As the later ones (T5 1.1, Flan): a gated FFN, an output matrix of its own; fewer layers in the decoder."""
    return seq2seq("t5", 40, d_ff=56, num_layers=3, num_decoder_layers=2, feed_forward_proj="gated-gelu",
                   tie_word_embeddings=False)


def t5_tied():
    """As the first ones: ReLU, and the embedding is the output matrix, before which the state is divided by sqrt(width)."""
    return seq2seq("t5-tied", 42, d_ff=70, num_layers=2, num_decoder_layers=1, feed_forward_proj="relu",
                   tie_word_embeddings=True)


def t5encoder():
    config = config_of(d_ff=56, num_layers=2, tie_word_embeddings=True, feed_forward_proj="gated-gelu")
    model = fill(T5EncoderModel(config), 44)
    case = case_of("t5encoder", "t5encoder", config, "T5EncoderModel")
    state_of(case, model, gguf.MODEL_ARCH.T5ENCODER, config.num_layers)
    model.double().eval()
    ids = ids_of(44, 41, config.vocab_size, 2)
    with torch.no_grad():
        case.poolings(ids, model(input_ids=torch.tensor([ids])).last_hidden_state[0], "none", "mean")
    return case


CASES = {"t5": t5, "t5-tied": t5_tied, "t5encoder": t5encoder}
