# SPDX-License-Identifier: MIT
"""Logits of tiny models of every supported architecture against llama.cpp's: normalised mean square error of the whole
prompt, and the same bits when it is evaluated in chunks, one id at a time, with other threads and at the scalar level.
A model in which every token sees all others takes the prompt whole, and chunks are a usage error."""
import glob
import json
import os
import subprocess

import lib

LIMIT = 1e-9
GELU = 5e-7  # llama.cpp looks GELU up in a half-precision table
GELU_ARCHS = ("bloom", "codeshell", "falcon", "gemma", "gpt2", "gptneox", "grok", "mpt", "phi2", "pockettts", "spark2_5", "starcoder")


def nmse(got, want):
    return sum((a - b) ** 2 for a, b in zip(got, want)) / sum(b * b for b in want)


def arguments(path):
    return ("logits", "-m", path, "--ids", open(path + ".ids").read().strip(), "--kv", "f32")


def reference(path):
    return lib.floats(open(path + ".logits", "rb").read())


def compare(path, arch):
    want, args = reference(path), arguments(path)
    whole = lib.pith(*args)
    got = lib.floats(whole)
    if len(got) != len(want):
        return f"{len(got)} logits, expected {len(want)}"
    error = nmse(got, want)
    limit = GELU if arch.startswith(GELU_ARCHS) and arch != "falcon-h1" else LIMIT
    if not error <= limit:
        return f"NMSE {error:.2e}, expected at most {limit:.0e}"
    chunks = (("--chunk", 7), ("--chunk", 1))
    whole_only = refused(*args, *chunks[0])
    for how in (() if whole_only else chunks) + (("-t", 1), ("-t", 3), ("-t", 5), ("--cpu", "scalar")):
        if lib.pith(*args, *how) != whole:
            return f"other bits with {' '.join(map(str, how))}"
    return None


def refused(*args):
    """Whether that is a usage error which says why."""
    r = subprocess.run([lib.PITH, *map(str, args)], capture_output=True)
    return r.returncode == 2 and b"--chunk" in r.stderr


def main():
    folder = lib.conformance("archs", "archs")
    supported = json.loads(lib.pith("info", "--supported", "--json"))["architectures"]
    for path in sorted(glob.glob(os.path.join(folder, "*.gguf"))):
        name = os.path.basename(path)[: -len(".gguf")]
        arch = json.loads(lib.pith("info", path, "--json"))["architecture"]
        if arch not in supported:
            continue
        try:
            lib.report(f"archs: {name}", compare(path, arch))
        except RuntimeError as e:
            lib.not_ok(f"archs: {name}", e)


if __name__ == "__main__":
    main()
    lib.finish()
