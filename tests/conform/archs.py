# SPDX-License-Identifier: MIT
"""Logits of tiny models of every supported architecture against llama.cpp's: normalised mean square error of the whole
prompt, and the same bits when it is evaluated in chunks, one id at a time, and with several threads. Every case of the
folder whose architecture pith has is run; one that it then refuses is a failure unless it needs experts."""
import glob
import json
import os

import lib

LIMIT = 1e-9
GELU = 5e-7  # llama.cpp looks GELU up in a half-precision table
GELU_ARCHS = ("gemma",)
VARIANTS = ("-dense",)  # mixtures of experts are not supported yet
SCALINGS = ("-longrope",)  # nor this way of stretching rope


def nmse(got, want):
    return sum((a - b) ** 2 for a, b in zip(got, want)) / sum(b * b for b in want)


def compare(path, arch):
    ids = open(path + ".ids").read().strip()
    want = lib.floats(open(path + ".logits", "rb").read())
    args = ("logits", "-m", path, "--ids", ids, "--kv", "f32")
    whole = lib.pith(*args)
    got = lib.floats(whole)
    if len(got) != len(want):
        return f"{len(got)} logits, expected {len(want)}"
    error = nmse(got, want)
    limit = GELU if arch.startswith(GELU_ARCHS) else LIMIT
    if not error <= limit:
        return f"NMSE {error:.2e}, expected at most {limit:.0e}"
    for how in (("--chunk", 7), ("--chunk", 1), ("-t", 1), ("-t", 3)):
        if lib.pith(*args, *how) != whole:
            return f"other bits with {' '.join(map(str, how))}"
    return None


def main():
    folder = lib.conformance("archs", "archs")
    supported = json.loads(lib.pith("info", "--supported", "--json"))["architectures"]
    for path in sorted(glob.glob(os.path.join(folder, "*.gguf"))):
        name = os.path.basename(path)[: -len(".gguf")]
        if not name.endswith(VARIANTS) or any(s in name for s in SCALINGS):
            continue
        arch = json.loads(lib.pith("info", path, "--json"))["architecture"]
        if arch not in supported:
            continue
        try:
            lib.report(f"archs: {name}", compare(path, arch))
        except RuntimeError as e:
            lib.not_ok(f"archs: {name}", e)


main()
lib.finish()
