# SPDX-License-Identifier: MIT
"""Tiny models of tests/data/beyond against the published code of each model: logits, hidden states, pooled embeddings and
rank scores, by normalised mean square error; for causal models also the same bits in chunks and with several threads.
`make references` writes the cases."""
import glob
import json
import lzma
import os
import tempfile

import lib

DATA = os.path.join(lib.ROOT, "tests", "data", "beyond")


def nmse(got, want):
    return sum((a - b) ** 2 for a, b in zip(got, want)) / sum(b * b for b in want)


def arguments(model, run):
    args = [run["command"], "-m", model, "--ids", ",".join(map(str, run["ids"]))]
    for name, value in run["args"].items():
        args += [f"--{name}", ",".join(map(str, value)) if isinstance(value, list) else value]
    return args + ["--kv", "f32"] if run["command"] == "logits" else args


def compare(model, run, values, variants):
    want = values[run["first"] : run["first"] + run["count"]]
    args = arguments(model, run)
    whole = lib.pith(*args)
    got = lib.floats(whole)
    if len(got) != len(want):
        return f"{len(got)} values, expected {len(want)}"
    error = nmse(got, want)
    if not error <= run["limit"]:
        return f"NMSE {error:.2e}, expected at most {run['limit']:.0e}"
    for how in variants:
        if lib.pith(*args, *how) != whole:
            return f"other bits with {' '.join(map(str, how))}"
    return None


def variants_of(run):
    """Chunks make no difference to causal models, decoders with an encoder included; an encoder takes its prompt whole."""
    threads = [("-t", 1), ("-t", 3), ("-t", 5)]  # more threads than cores lose them amid a stage
    if run["command"] == "logits":
        return [("--chunk", 7), ("--chunk", 1)] + threads
    return threads


def unpack(path, folder):
    """The model of a case, unpacked, and its values."""
    base = path[: -len(".json")]
    model = os.path.join(folder, os.path.basename(base) + ".gguf")
    with lzma.open(base + ".gguf.xz") as packed, open(model, "wb") as f:
        f.write(packed.read())
    with open(base + ".f32", "rb") as f:
        return model, lib.floats(f.read())


def check(path, commands, supported, folder):
    name = os.path.basename(path)[: -len(".json")]
    with open(path) as f:
        case = json.load(f)
    if case["architecture"] not in supported:
        lib.skip(f"beyond: {name}", f"architecture {case['architecture']} is not supported")
        return
    model, values = unpack(path, folder)
    for n, run in enumerate(case["runs"], 1):
        title = f"beyond: {name}: {run['command']} {run['args'].get('pooling', n)}"
        if run["command"] not in commands:
            lib.skip(title, f"no command {run['command']}")
            continue
        try:
            lib.report(title, compare(model, run, values, variants_of(run)))
        except RuntimeError as e:
            lib.not_ok(title, e)
    os.remove(model)


def main():
    have = json.loads(lib.pith("info", "--supported", "--json"))
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(glob.glob(os.path.join(DATA, "*.json"))):
            check(path, have["commands"], have["architectures"], folder)


if __name__ == "__main__":
    main()
    lib.finish()
