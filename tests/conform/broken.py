# SPDX-License-Identifier: MIT
"""Models of the reference data with one thing broken: a tensor removed, a dimension changed, a key removed, of another type
or absurd. pith computes or says in one line what is wrong (status 3); it never crashes. A missing or misshapen tensor that
the architecture needs is named."""
import os
import struct
import subprocess
import tempfile

import lib
from gguf_file import BOOL, SIZES, STRING, Gguf

ABSURD = (0, 1, 3, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1000000)


def complaint(path, name):
    """None, or how pith misbehaves; name: what a refusal must mention, or None."""
    r = subprocess.run([lib.PITH, "logits", "-m", path, "--ids", "1,2,3", "-o", os.devnull, "-t", "1"], capture_output=True,
                       text=True, timeout=120)
    if r.returncode not in (0, 3):
        return f"status {r.returncode}: {r.stderr.strip()[-200:]}"
    if r.returncode == 3 and r.stderr.count("\n") != 1:
        return f"not one line: {r.stderr[:200]}"
    if r.returncode == 3 and name and name not in r.stderr:
        return f"does not name {name}: {r.stderr.strip()}"
    return None


def without(items, i):
    return items[:i] + items[i + 1 :]


def with_item(items, i, item):
    return items[:i] + [item] + items[i + 1 :]


def broken_tensors(g):
    for i, t in enumerate(g.tensors):
        yield t[0].decode(), g.keys, without(g.tensors, i)


def broken_dims(g):
    for i, (name, dims, kind, offset) in enumerate(g.tensors):
        for j, d in enumerate(dims):
            smaller = dims[:j] + (d - 1,) + dims[j + 1 :]
            if d > 1 and name != b"token_embd.weight":  # its rows are the vocabulary's size: the head then disagrees
                yield name.decode(), g.keys, with_item(g.tensors, i, (name, smaller, kind, offset))


def broken_keys(g):
    for i, (name, kind, value) in enumerate(g.keys):
        yield None, without(g.keys, i), g.tensors
        yield None, with_item(g.keys, i, (name, STRING, struct.pack("<Q", 2) + b"xy")), g.tensors
        for v in ABSURD if kind in SIZES and kind != BOOL else ():
            yield None, with_item(g.keys, i, (name, kind, struct.pack("<QQ", v, v)[: SIZES[kind]])), g.tensors


def main():
    folder = lib.conformance("archs", "broken")
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "broken.gguf")
        for arch in ("llama", "qwen2", "gemma3"):
            g = Gguf(os.path.join(folder, f"{arch}-dense.gguf"))
            for what, cases in (("tensors removed", broken_tensors), ("dimensions changed", broken_dims), ("keys", broken_keys)):
                why, n = None, 0
                for name, keys, tensors in cases(g):
                    g.write(path, keys, tensors)
                    why, n = why or complaint(path, name), n + 1
                lib.report(f"broken: {arch}: {what}", why if n > 20 else f"only {n} cases")


main()
lib.finish()
