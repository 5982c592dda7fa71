# SPDX-License-Identifier: MIT
"""Stretching of rotary positions by options: what the options say gives the same bits as a file that says so, and dynamic
NTK is the base that its formula gives."""
import glob
import os
import struct
import tempfile

import lib
from gguf_file import F32, STRING, U32, Gguf, text

OPTIONS = {
    "rope.scaling.type": "--rope-scaling",
    "rope.scaling.factor": "--rope-scale",
    "rope.scaling.original_context_length": "--yarn-orig-ctx",
    "rope.scaling.attn_factor": "--yarn-attn-factor",
    "rope.scaling.yarn_ext_factor": "--yarn-ext-factor",
    "rope.scaling.yarn_beta_fast": "--yarn-beta-fast",
    "rope.scaling.yarn_beta_slow": "--yarn-beta-slow",
    "rope.freq_base": "--rope-freq-base",
}
KINDS = {F32: "<f", U32: "<I"}


def value_of(kind, value):
    return value[8:].decode() if kind == STRING else repr(struct.unpack(KINDS[kind], value)[0])


def taken_out(g):
    """The keys without those that options stand for, and the options. Zero means absent, in files and here."""
    keys, options = [], []
    for name, kind, value in g.keys:
        option = OPTIONS.get(name.decode().partition(".")[2])
        if option is None:
            keys.append((name, kind, value))
        elif kind == STRING or float(value_of(kind, value)) != 0:
            options += [option, value_of(kind, value)]
    return keys, options


def logits(path, ids, *options):
    return lib.pith("logits", "-m", path, "--ids", ids, "--kv", "f32", "-t", 1, *options)


def same_bits(fixture, path):
    with open(fixture + ".ids") as f:
        ids = f.read().strip()
    g = Gguf(fixture)
    keys, options = taken_out(g)
    g.write(path, keys, g.tensors)
    want, got, plain = logits(fixture, ids), logits(path, ids, *options), logits(path, ids)
    if "--rope-scaling" not in options or plain == want:
        return "the options make no difference"
    return None if got == want else f"other bits with {' '.join(options)}"


def nmse(a, b):
    a, b = lib.floats(a), lib.floats(b)
    return sum((x - y) ** 2 for x, y in zip(a, b)) / sum(y * y for y in b)


def dynamic(fixture, path):
    """48 ids in an original context of 16, stretched by 4: the base of "NTK-aware" scaling, as transformers has it."""
    with open(fixture + ".ids") as f:
        ids = f.read().strip()
    g, factor, original = Gguf(fixture), 4, 16
    numbers = {k[0].decode().partition(".")[2]: value_of(k[1], k[2]) for k in g.keys if k[1] in KINDS}
    base, dim = float(numbers["rope.freq_base"]), float(numbers["rope.dimension_count"])
    longer = base * (factor * 48 / original - (factor - 1)) ** (dim / (dim - 2))
    options = ("--rope-scaling", "dynamic", "--rope-scale", factor, "--yarn-orig-ctx", original)
    got = logits(fixture, ids, *options)
    error, apart = nmse(got, logits(fixture, ids, "--rope-freq-base", longer)), nmse(got, logits(fixture, ids))
    if not error < 1e-9 or not apart > 1e-6:
        return f"NMSE {error:.1e} to the base {longer:.1f}, {apart:.1e} to the base {base:.1f}"
    few = ",".join(ids.split(",")[:original])
    if logits(fixture, few, *options) != logits(fixture, few):
        return "other bits within the original context"
    arch = "llama.rope.scaling."
    g.write(path, g.with_keys({arch + "type": (STRING, text("dynamic")), arch + "factor": (F32, struct.pack("<f", factor)),
                               arch + "original_context_length": (U32, struct.pack("<I", original))}), g.tensors)
    return None if logits(path, ids) == got else "other bits from a file that says so"


def main():
    folder = lib.conformance("archs", "rope")
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "model.gguf")
        for fixture in sorted(glob.glob(os.path.join(folder, "*-linear-*.gguf")) + glob.glob(os.path.join(folder, "*-yarn-*.gguf"))):
            name = os.path.basename(fixture)[: -len(".gguf")]
            if not name.startswith("kimi-linear"):  # that is a model's name
                lib.report(f"rope: {name}", same_bits(fixture, path))
        lib.report("rope: dynamic", dynamic(os.path.join(folder, "llama-dense.gguf"), path))


main()
lib.finish()
