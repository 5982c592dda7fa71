# SPDX-License-Identifier: MIT
"""Models of the reference data and of tests/data/beyond with one thing broken: a tensor removed, a dimension changed, a key
removed, of another type or absurd. pith computes or says in one line what is wrong (status 3); it never crashes. A missing
or misshapen tensor that the architecture needs is named.
    broken.py            some cases of each kind for every file, chosen by a generator whose seed is SEED (1)
    broken.py all        every case"""
import concurrent.futures
import glob
import json
import lzma
import os
import random
import struct
import subprocess
import sys
import tempfile

import lib
from gguf_file import BOOL, SIZES, STRING, Gguf

ABSURD = (0, 1, 3, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1000000)
# Only the first two say what their common dimension is, so either may be called the wrong one; the others may be several.
SAME = {"laurel_l": "laurel", "laurel_r": "laurel", "ffn_gate_up_exps": "up_exps", "attn_qkv": "attn_q",
        "attn_kv_b": "attn_k_b"}
SAMPLE = {"removed": 2, "reshaped": 1, "key": 2}


def complaint(path, arch, name):
    """None, or how pith misbehaves; name: what a refusal must mention, or None."""
    more = ["--encoder-ids", "4,5"] if arch == "t5" else []
    r = subprocess.run([lib.PITH, "logits", "-m", path, "--ids", "1,2,3", "-o", os.devnull, "-t", "1", *more],
                       capture_output=True, text=True, errors="replace", timeout=120)
    if r.returncode not in (0, 3):
        return f"status {r.returncode}: {r.stderr.strip()[-300:]}"
    if r.returncode == 3 and r.stderr.count("\n") != 1:
        return f"not one line: {r.stderr[:200]}"
    also = SAME.get(name.rsplit(".", 1)[0].split(".")[-1], name) if name else ""
    if r.returncode == 3 and name and name not in r.stderr and also not in r.stderr:
        return f"does not name {name}: {r.stderr.strip()}"
    return None


def without(items, i):
    return items[:i] + items[i + 1 :]


def with_item(items, i, item):
    return items[:i] + [item] + items[i + 1 :]


def removed(g):
    for i, t in enumerate(g.tensors):
        yield t[0].decode(), lambda i=i: (g.keys, without(g.tensors, i))


def reshaped(g):
    for i, (name, dims, kind, offset) in enumerate(g.tensors):
        for j, d in enumerate(dims):
            smaller = dims[:j] + (d - 1,) + dims[j + 1 :]
            if d > 1 and name != b"token_embd.weight":  # its rows are the vocabulary's size: the head then disagrees
                tensor = (name, smaller, kind, offset)
                yield name.decode(), lambda i=i, tensor=tensor: (g.keys, with_item(g.tensors, i, tensor))


def key(g):
    for i, (name, kind, value) in enumerate(g.keys):
        yield None, lambda i=i: (without(g.keys, i), g.tensors)
        others = [(STRING, struct.pack("<Q", 2) + b"xy")]
        if kind in SIZES and kind != BOOL:
            others += [(kind, struct.pack("<QQ", v, v)[: SIZES[kind]]) for v in ABSURD]
        for other in others:
            yield None, lambda i=i, changed=(name, *other): (with_item(g.keys, i, changed), g.tensors)


def chosen(g, rng):
    for kind in (removed, reshaped, key):
        cases = list(kind(g))
        yield from cases if rng is None else rng.sample(cases, min(SAMPLE[kind.__name__], len(cases)))


def arch_of(g):
    return next(value[8:].decode() for name, kind, value in g.keys if name == b"general.architecture")


def check(fixture, rng, folder, supported):
    """What is wrong with the cases of a file, and how many there were."""
    path = os.path.join(folder, "whole.gguf")
    if fixture.endswith(".xz"):
        with lzma.open(fixture) as packed, open(path, "wb") as f:
            f.write(packed.read())
    g = Gguf(path if fixture.endswith(".xz") else fixture)
    arch, n, wrong = arch_of(g), 0, []
    if arch not in supported:
        return [], 0
    for name, make in chosen(g, rng):
        keys, tensors = make()
        broken = os.path.join(folder, "broken.gguf")
        g.write(broken, keys, tensors)
        why = complaint(broken, arch, name)
        if why:
            differs = [k[0].decode() for k, old in zip(keys, g.keys) if k != old][:1]
            wrong.append(f"{name or differs}: {why}")
        n += 1
    return wrong, n


def main():
    everything = sys.argv[1:] == ["all"]
    seed = int(os.environ.get("SEED", "1"))
    fixtures = sorted(glob.glob(os.path.join(lib.ROOT, "tests", "data", "beyond", "*.gguf.xz")))
    base = lib.shared("conformance/unpack")
    fixtures += sorted(glob.glob(os.path.join(base, "archs", "*.gguf"))) if base else []

    supported = json.loads(lib.pith("info", "--supported", "--json"))["architectures"]

    def run(i):
        with tempfile.TemporaryDirectory() as folder:
            return check(fixtures[i], None if everything else random.Random(1000 * seed + i), folder, supported)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for fixture, (wrong, n) in zip(fixtures, pool.map(run, range(len(fixtures)))):
            name = os.path.basename(fixture).split(".gguf")[0]
            if not n:
                lib.skip(f"broken: {name}", "its architecture is not supported")
                continue
            lib.report(f"broken: {name} ({n} cases)", f"{len(wrong)} of {n}, such as {wrong[0]}" if wrong else None)
            for line in wrong[1:] if everything else ():
                print("# ", line)


main()
lib.finish()
