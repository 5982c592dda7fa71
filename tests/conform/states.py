# SPDX-License-Identifier: MIT
"""Saving, loading, forking and going back, for one model of each kind of state (tests/states.c): random ones of make_model,
those of tests/data/beyond, and of the reference models where they are there; all of them with STATES=all."""
import glob
import json
import lzma
import os
import subprocess
import sys
import tempfile

import lib

BUILD = os.environ.get("BUILD", os.path.join(lib.ROOT, "build", "release"))
BEYOND = ("rwkv6", "rwkv7", "gemma3n", "gemma4", "bert")
KINDS = ("llama-dense", "gemma3-dense", "mamba-dense", "mamba2-dense", "qwen35-dense", "deepseek2-moe", "lfm2-dense",
         "falcon-h1-dense", "kimi-linear-moe", "cohere2-dense", "phi3-dense")


def small_models(folder):
    for name, args in (("random", ()), ("window", ("window=70",))):
        path = os.path.join(folder, name + ".gguf")
        subprocess.run([os.path.join(BUILD, "tests", "make_model"), "random", path, *args], check=True)
        yield path
    supported = json.loads(lib.pith("info", "--supported", "--json"))["architectures"]
    for name in BEYOND:
        packed = os.path.join(lib.ROOT, "tests", "data", "beyond", name + ".gguf.xz")
        if name not in supported:
            lib.skip(f"states: {name}", "this architecture is not supported")
            continue
        path = os.path.join(folder, name + ".gguf")
        with lzma.open(packed) as f, open(path, "wb") as out:
            out.write(f.read())
        yield path


def reference_models():
    base = lib.shared("conformance/unpack")
    if not base:
        lib.skip("states: reference models", "no reference data (../shared/conformance/unpack)")
        return []
    paths = sorted(glob.glob(os.path.join(base, "archs", "*.gguf")))
    name = lambda p: os.path.basename(p)[: -len(".gguf")]
    return [p for p in paths if os.environ.get("STATES") == "all" or name(p) in KINDS]


with tempfile.TemporaryDirectory() as folder:
    models = [*small_models(folder), *reference_models()]
    status = subprocess.run([os.path.join(BUILD, "tests", "states"), *models]).returncode
sys.exit(status or lib.failed)
