# SPDX-License-Identifier: MIT
"""Models of about half a billion random weights, to measure the speed of recurrent layers beside that of a llama.
    large.py [-o FOLDER] [-t Q4_0|Q8_0] [llama|mamba|lfm2|qwen35...]      needs numpy and gguf
Writes FOLDER/NAME-TYPE.gguf (by default in ${PITH_CACHE:-~/.cache/pith}/large), prints each path. The architecture's keys are
those of real files and sizes are near theirs, but for a small vocabulary, which would hide the layers."""
import argparse
import os

import gguf
import numpy as np

N_VOCAB = 32000
TYPES = {"Q4_0": gguf.GGMLQuantizationType.Q4_0, "Q8_0": gguf.GGMLQuantizationType.Q8_0}
FILE_TYPES = {"Q4_0": gguf.LlamaFileType.MOSTLY_Q4_0, "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
SPREAD = {"Q4_0": 4.2, "Q8_0": 73.6}  # standard deviation of the integers


class Model:
    def __init__(self, arch, kind, path, **keys):
        self.kind, self.rng, self.count = kind, np.random.default_rng(1), 0
        self.writer = gguf.GGUFWriter(path, arch)
        for key, value in {"vocab_size": N_VOCAB, "context_length": 32768, **keys}.items():
            self.key(f"{arch}.{key.replace('__', '.')}", value)
        self.writer.add_file_type(FILE_TYPES[kind])
        self.writer.add_tokenizer_model("no_vocab")

    def key(self, key, value):
        add = {int: self.writer.add_uint32, float: self.writer.add_float32, list: self.writer.add_array, bool: self.writer.add_bool}
        add[type(value)](key, value)

    def vector(self, name, value, *shape):
        """F32, value being a number or an array that is repeated."""
        self.writer.add_tensor(name, np.broadcast_to(np.asarray(value, np.float32), shape).copy())

    def matrix(self, name, rows, columns):
        """Random integers with one scale, none more likely than its negative: products keep the size of their input."""
        n = rows * columns // 32
        width = 18 if self.kind == "Q4_0" else 34
        blocks = np.frombuffer(self.rng.bytes(n * width), np.uint8).reshape(n, width).copy()
        scale = np.array([columns**-0.5 / SPREAD[self.kind]], "<f2")
        blocks[:, :2] = scale.view(np.uint8)
        codes = blocks[:, 2:]
        if self.kind == "Q8_0":
            codes[codes == 0x80] = 0
        else:
            codes[codes & 0x0F == 0] |= 0x08
            codes[codes & 0xF0 == 0] |= 0x80
        self.writer.add_tensor(name, blocks.reshape(rows, -1), raw_dtype=TYPES[self.kind])
        self.count += rows * columns

    def norms(self, size, *names):
        for name in names:
            self.vector(name + ".weight", 1, size)

    def ffn(self, layer, width, n_ff):
        self.matrix(layer + "ffn_gate.weight", n_ff, width)
        self.matrix(layer + "ffn_up.weight", n_ff, width)
        self.matrix(layer + "ffn_down.weight", width, n_ff)

    def attention(self, layer, width, n_q, n_kv, n_out):
        for part, rows in (("q", n_q), ("k", n_kv), ("v", n_kv)):
            self.matrix(f"{layer}attn_{part}.weight", rows, width)
        self.matrix(layer + "attn_output.weight", width, n_out)

    def save(self):
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def base(width, n_layers, n_ff, **more):
    return {"embedding_length": width, "block_count": n_layers, "feed_forward_length": n_ff,
            "attention__layer_norm_rms_epsilon": 1e-5, **more}


def llama(kind, path):
    width, n_layers, n_ff, head = 1280, 24, 3584, 64
    m = Model("llama", kind, path, **base(width, n_layers, n_ff, attention__head_count=20, attention__head_count_kv=4,
                                          rope__dimension_count=head, rope__freq_base=10000.0))
    m.matrix("token_embd.weight", N_VOCAB, width)
    m.norms(width, "output_norm")
    for i in range(n_layers):
        layer = f"blk.{i}."
        m.norms(width, layer + "attn_norm", layer + "ffn_norm")
        m.attention(layer, width, width, 4 * head, width)
        m.ffn(layer, width, n_ff)
    return m


def mamba(kind, path):
    width, n_layers, n_state, n_conv, rank = 1536, 32, 16, 4, 96
    inner = 2 * width
    m = Model("mamba", kind, path, **base(width, n_layers, 0, attention__head_count=0, ssm__conv_kernel=n_conv,
                                          ssm__inner_size=inner, ssm__state_size=n_state, ssm__time_step_rank=rank,
                                          ssm__dt_b_c_rms=False))
    m.matrix("token_embd.weight", N_VOCAB, width)
    m.norms(width, "output_norm")
    for i in range(n_layers):
        layer = f"blk.{i}."
        m.norms(width, layer + "attn_norm")
        m.matrix(layer + "ssm_in.weight", 2 * inner, width)
        m.matrix(layer + "ssm_x.weight", rank + 2 * n_state, inner)
        m.matrix(layer + "ssm_dt.weight", inner, rank)
        m.matrix(layer + "ssm_out.weight", width, inner)
        m.vector(layer + "ssm_conv1d.weight", 0.5, inner, n_conv)
        m.vector(layer + "ssm_conv1d.bias", 0.1, inner)
        m.vector(layer + "ssm_dt.bias", -3, inner)
        m.vector(layer + "ssm_a", -np.arange(1, n_state + 1), inner, n_state)
        m.vector(layer + "ssm_d", 1, inner)
    return m


def lfm2(kind, path):
    width, n_layers, n_ff, head, n_kv, n_conv = 1280, 18, 4864, 64, 4, 3
    kv = [n_kv if i % 3 == 2 else 0 for i in range(n_layers)]
    m = Model("lfm2", kind, path, **base(width, n_layers, n_ff, attention__head_count=width // head, attention__head_count_kv=kv,
                                         rope__freq_base=1000000.0, shortconv__l_cache=n_conv))
    m.matrix("token_embd.weight", N_VOCAB, width)
    m.norms(width, "token_embd_norm")
    for i in range(n_layers):
        layer = f"blk.{i}."
        m.norms(width, layer + "attn_norm", layer + "ffn_norm")
        if kv[i]:
            m.norms(head, layer + "attn_q_norm", layer + "attn_k_norm")
            m.attention(layer, width, width, n_kv * head, width)
        else:
            m.matrix(layer + "shortconv.in_proj.weight", 3 * width, width)
            m.matrix(layer + "shortconv.out_proj.weight", width, width)
            m.vector(layer + "shortconv.conv.weight", 0.5, width, n_conv)
        m.ffn(layer, width, n_ff)
    return m


def qwen35(kind, path):
    width, n_layers, n_ff, head, n_heads, n_kv = 1024, 24, 3584, 256, 8, 2
    state, groups, ranks, n_conv = 128, 16, 16, 4
    keys, values = groups * state, ranks * state
    m = Model("qwen35", kind, path, **base(width, n_layers, n_ff, attention__head_count=n_heads, attention__head_count_kv=n_kv,
                                           attention__key_length=head, attention__value_length=head, rope__dimension_count=64,
                                           rope__dimension_sections=[11, 11, 10, 0], rope__freq_base=10000000.0,
                                           full_attention_interval=4, ssm__conv_kernel=n_conv, ssm__inner_size=values,
                                           ssm__state_size=state, ssm__time_step_rank=ranks, ssm__group_count=groups))
    m.matrix("token_embd.weight", N_VOCAB, width)
    m.norms(width, "output_norm")
    for i in range(n_layers):
        layer = f"blk.{i}."
        m.norms(width, layer + "attn_norm", layer + "post_attention_norm")
        if (i + 1) % 4 == 0:
            m.norms(head, layer + "attn_q_norm", layer + "attn_k_norm")
            m.attention(layer, width, 2 * n_heads * head, n_kv * head, n_heads * head)
        else:
            m.norms(state, layer + "ssm_norm")
            m.matrix(layer + "attn_qkv.weight", 2 * keys + values, width)
            m.matrix(layer + "attn_gate.weight", values, width)
            m.matrix(layer + "ssm_out.weight", width, values)
            m.matrix(layer + "ssm_alpha.weight", ranks, width)
            m.matrix(layer + "ssm_beta.weight", ranks, width)
            m.vector(layer + "ssm_conv1d.weight", 0.5, 2 * keys + values, n_conv)
            m.vector(layer + "ssm_dt.bias", -3, ranks)
            m.vector(layer + "ssm_a", -np.arange(1, ranks + 1), ranks)
        m.ffn(layer, width, n_ff)
    return m


MODELS = {"llama": llama, "mamba": mamba, "lfm2": lfm2, "qwen35": qwen35}


def main():
    cache = os.environ.get("PITH_CACHE") or os.path.expanduser("~/.cache/pith")
    parser = argparse.ArgumentParser(description="Writes large models with random weights, for speed tests.")
    parser.add_argument("-o", dest="folder", default=os.path.join(cache, "large"))
    parser.add_argument("-t", dest="kind", choices=TYPES, default="Q4_0")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MODELS))
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    for name in args.names or MODELS:
        path = os.path.join(args.folder, f"{name}-{args.kind}.gguf")
        model = MODELS[name](args.kind, path + ".part")
        model.save()
        os.replace(path + ".part", path)
        print(f"{path}\t{model.count / 1e6:.0f} M weights")


main()
