# SPDX-License-Identifier: MIT
"""RWKV 6 and 7, by the package rwkv of their author."""
import contextlib
import importlib
import os
import tempfile
from importlib.metadata import version
from unittest import mock

import torch

from case import Case, ids_of, rounded

WIDTH, HEAD, N_FF, N_VOCAB, N_LAYERS, EPS = 48, 16, 84, 77, 3, 1e-2
RESCALE = 2  # RWKV 6 halves its state after every so many layers; kept low so that it is seen


def package(seven):
    """The model code for RWKV 7 or its forerunners, not compiled, and with the epsilon of its layer norms made visible."""
    os.environ.update(RWKV_JIT_ON="0", RWKV_CUDA_ON="0", RWKV_V7_ON=str(int(seven)), RWKV_RESCALE_LAYER=str(RESCALE))
    plain = {"script": lambda f: f, "script_method": lambda f: f, "ScriptModule": torch.nn.Module}
    with contextlib.ExitStack() as stack:
        for name, value in plain.items():
            stack.enter_context(mock.patch.object(torch.jit, name, value))
        import rwkv.model
        code = importlib.reload(rwkv.model)
    layer_norm = torch.nn.functional.layer_norm

    class Functional:
        def __getattr__(self, name):
            return getattr(torch.nn.functional, name)

        def layer_norm(self, x, shape, weight, bias):
            return layer_norm(x, shape, weight, bias, EPS)

    code.F = Functional()
    return code


def weights(seed, shapes):
    """shapes: name -> (shape, centre, spread)"""
    rng = torch.Generator().manual_seed(seed)
    return {name: rounded(centre + spread * torch.randn(shape, generator=rng)) for name, (shape, centre, spread) in shapes.items()}


def norm(name, shapes):
    shapes[name + ".weight"], shapes[name + ".bias"] = ((WIDTH,), 1, 0.2), ((WIDTH,), 0, 0.2)


def matrix(name, rows, columns, shapes, gain=1.0):
    shapes[name] = ((rows, columns), 0, gain * columns**-0.5)


def common_shapes():
    shapes = {"emb.weight": ((N_VOCAB, WIDTH), 0, 0.7)}
    for name in ("blocks.0.ln0", "ln_out", *(f"blocks.{i}.ln{n}" for i in range(N_LAYERS) for n in (1, 2))):
        norm(name, shapes)
    for i in range(N_LAYERS):
        norm(f"blocks.{i}.att.ln_x", shapes)
        for part in ("receptance", "key", "value", "output"):
            matrix(f"blocks.{i}.att.{part}.weight", WIDTH, WIDTH, shapes)
        matrix(f"blocks.{i}.ffn.key.weight", N_FF, WIDTH, shapes)
        matrix(f"blocks.{i}.ffn.value.weight", WIDTH, N_FF, shapes)
    matrix("head.weight", N_VOCAB, WIDTH, shapes, 2.0)
    return shapes


def shapes6(mix, decay):
    shapes = common_shapes()
    for i in range(N_LAYERS):
        att, ffn = f"blocks.{i}.att.", f"blocks.{i}.ffn."
        for part in "xwkvrg":
            shapes[f"{att}time_maa_{part}"] = ((1, 1, WIDTH), 0.5, 0.2)
        shapes[att + "time_maa_w1"] = ((WIDTH, 5 * mix), 0, WIDTH**-0.5)
        shapes[att + "time_maa_w2"] = ((5, mix, WIDTH), 0, 0.5 * mix**-0.5)
        shapes[att + "time_decay"] = ((1, 1, WIDTH), -1, 1)
        shapes[att + "time_decay_w1"] = ((WIDTH, decay), 0, WIDTH**-0.5)
        shapes[att + "time_decay_w2"] = ((decay, WIDTH), 0, decay**-0.5)
        shapes[att + "time_faaaa"] = ((WIDTH // HEAD, HEAD), 0.5, 0.5)
        matrix(att + "gate.weight", WIDTH, WIDTH, shapes)
        for part in "kr":
            shapes[f"{ffn}time_maa_{part}"] = ((1, 1, WIDTH), 0.5, 0.2)
        matrix(ffn + "receptance.weight", WIDTH, WIDTH, shapes)
    return shapes


def shapes7(ranks):
    shapes = common_shapes()
    for i in range(N_LAYERS):
        att = f"blocks.{i}.att."
        for part in "rwkvag":
            shapes[f"{att}x_{part}"] = ((1, 1, WIDTH), 0.5, 0.2)
        for part, rank in ranks.items():
            if part == "v" and i == 0:
                continue
            if part != "g":
                shapes[f"{att}{part}0"] = ((1, 1, WIDTH), 0, 1)
            shapes[f"{att}{part}1"] = ((WIDTH, rank), 0, WIDTH**-0.5)
            shapes[f"{att}{part}2"] = ((rank, WIDTH), 0, 2 * rank**-0.5)
        shapes[att + "k_k"], shapes[att + "k_a"] = ((1, 1, WIDTH), 0.8, 0.2), ((1, 1, WIDTH), 1, 0.2)
        shapes[att + "r_k"] = ((WIDTH // HEAD, HEAD), 0, 0.3)
        shapes[f"blocks.{i}.ffn.x_k"] = ((1, 1, WIDTH), 0.5, 0.2)
    return shapes


def evaluate(kind, w, ids):
    with tempfile.TemporaryDirectory() as folder:
        torch.save(w, os.path.join(folder, "model.pth"))
        model = kind(model=os.path.join(folder, "model"), strategy="cpu fp32")
        with torch.no_grad():
            return model.forward(ids, None, full_output=True)[0]


NAMES = {"emb": "token_embd", "blocks.0.ln0": "token_embd_norm", "ln_out": "output_norm", "head": "output"}
LAYER_NAMES = {"ln1": "attn_norm", "ln2": "attn_norm_2", "att.ln_x": "time_mix_ln", "att.time_maa_x": "time_mix_lerp_x",
               "att.time_maa_w1": "time_mix_w1", "att.time_maa_w2": "time_mix_w2", "att.time_faaaa": "time_mix_first",
               "ffn.time_maa_": "channel_mix_lerp_", "ffn.x_k": "channel_mix_lerp_k", "att.time_": "time_mix_",
               "att.": "time_mix_", "ffn.": "channel_mix_"}


def name_of(key):
    """A published name as the file has it."""
    stem, dot, end = key.rpartition(".")
    if end not in ("weight", "bias"):
        stem, end = key, "weight"
    if stem in NAMES:
        return f"{NAMES[stem]}.{end}"
    _, layer, rest = stem.split(".", 2)
    old = next(old for old in LAYER_NAMES if rest.startswith(old))
    return f"blk.{layer}.{LAYER_NAMES[old]}{rest[len(old):]}.{end}"


def add_tensors(case, w, lerps, transposed):
    """The mixing vectors of a layer become one tensor, low-rank matrices are transposed, the rest is renamed."""
    for key, value in w.items():
        part = key.split(".")[-1]
        if part in lerps and ".att." in key:
            continue
        if part in transposed:
            value = value.transpose(-1, -2)
        elif part not in ("time_faaaa", "weight"):
            value = value.reshape(-1)
        case.tensor(name_of(key), value)
    for i in range(N_LAYERS):
        fused = torch.stack([w[f"blocks.{i}.att.{part}"].reshape(1, 1, WIDTH) for part in lerps])
        case.tensor(f"blk.{i}.time_mix_lerp_fused.weight", fused)


def case_of(name, **keys):
    case = Case(name, name, f"rwkv {version('rwkv')}")
    case.meta(context_length=1048576, embedding_length=WIDTH, block_count=N_LAYERS, attention__layer_norm_epsilon=EPS,
              wkv__head_size=HEAD, feed_forward_length=N_FF, attention__head_count=0, **keys)
    case.vocabulary(N_VOCAB)
    return case


def rwkv6():
    mix, decay = 6, 10
    w = weights(50, shapes6(mix, decay))
    case = case_of("rwkv6", rescale_every_n_layers=RESCALE, time_mix_extra_dim=mix, time_decay_extra_dim=decay)
    written = dict(w)
    for i in range(N_LAYERS):  # the file has these matrices scaled down like the state that they are added to
        for key in (f"blocks.{i}.att.output.weight", f"blocks.{i}.ffn.value.weight"):
            written[key] = w[key] / 2 ** (i // RESCALE)
    add_tensors(case, written, [f"time_maa_{x}" for x in "wkvrg"], ("time_maa_w1", "time_maa_w2", "time_decay_w1", "time_decay_w2"))
    ids = ids_of(50, 40, N_VOCAB)
    case.run("logits", ids, evaluate(package(False).RWKV, w, ids))
    return case


def rwkv7():
    ranks = {"w": 6, "a": 10, "v": 4, "g": 14}
    w = weights(51, shapes7(ranks))
    case = case_of("rwkv7", attention__decay_lora_rank=6, attention__iclr_lora_rank=10,
                   attention__value_residual_mix_lora_rank=4, attention__gate_lora_rank=14)
    add_tensors(case, w, [f"x_{x}" for x in "rwkvag"], [part + n for part in "wavg" for n in "12"])
    for n in "012":  # converted files have these, which nothing reads, as copies
        case.tensor(f"blk.0.time_mix_v{n}.weight", case.tensors[f"blk.0.time_mix_a{n}.weight"])
    ids = ids_of(51, 40, N_VOCAB)
    case.run("logits", ids, evaluate(package(True).RWKV, w, ids))
    return case


CASES = {"rwkv6": rwkv6, "rwkv7": rwkv7}
