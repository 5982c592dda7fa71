# SPDX-License-Identifier: MIT
"""A text through an encoder and a decoder: what `pith run` prints is what one gets by taking the likeliest id again and
again from `pith logits`. Commands that have no prompt for an encoder say so."""
import lzma
import os
import struct
import subprocess
import tempfile

import lib
from gguf_file import ARRAY, BOOL, F32, I32, STRING, Gguf, array, text

WORDS = ["<pad>", "</s>", "<unk>", "\u2581"] + [f"\u2581{a}{b}" for a in "bcdfgklmnp" for b in "aeiou"] + list("abcdefghijklmnopqrstuvwxy")
PROMPT = "ba ce di fo gu ka le"
STEPS = 12


def with_vocabulary(packed, path):
    """The reference model with a vocabulary that has texts."""
    with lzma.open(packed) as f, open(path, "wb") as out:
        out.write(f.read())
    g = Gguf(path)
    types = [3, 3, 2] + [1] * (len(WORDS) - 3)
    keys = g.with_keys({
        "tokenizer.ggml.model": (STRING, text("t5")),
        "tokenizer.ggml.tokens": (ARRAY, array(STRING, WORDS)),
        "tokenizer.ggml.scores": (ARRAY, array(F32, [-float(i) / 10 for i in range(len(WORDS))])),
        "tokenizer.ggml.token_type": (ARRAY, array(I32, types)),
        "tokenizer.ggml.add_eos_token": (BOOL, b"\1"),
        "tokenizer.ggml.add_space_prefix": (BOOL, b"\1"),
    })
    g.write(path, keys, g.tensors)


def answer_by_hand(model):
    encoded = lib.pith("tokenize", "-m", model, "--special", stdin=PROMPT.encode()).decode().split()
    ids = ["0"]
    for _ in range(STEPS):
        logits = lib.floats(lib.pith("logits", "-m", model, "--encoder-ids", ",".join(encoded), "--ids", ",".join(ids)))
        last = logits[-len(WORDS) :]
        best = max(range(len(last)), key=lambda i: (last[i], -i))
        if best == 1:
            break
        ids.append(str(best))
    if encoded[-1] != "1" or len(encoded) < 5:
        raise RuntimeError(f"the prompt is {encoded}")
    return lib.pith("tokenize", "-m", model, "--decode", stdin=" ".join(ids[1:]).encode())


def answers(model):
    want = answer_by_hand(model).strip()
    got = lib.pith("run", "-m", model, "--temp", 0, "-n", STEPS, PROMPT)
    if got.strip() != want or got[-1:] != b"\n" or got[:1] == b" ":
        return f"{got!r}, expected {want!r}"
    return None if len(want) > STEPS else f"the answer is only {want!r}"


def refuses(*args, status=3, word="encoder"):
    r = subprocess.run([lib.PITH, *map(str, args)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    line = r.stderr.strip()
    return None if r.returncode == status and word in line and "\n" not in line else f"status {r.returncode}: {line}"


def main():
    data = os.path.join(lib.ROOT, "tests", "data", "beyond")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("t5", "t5-tied"):
            model = os.path.join(folder, name + ".gguf")
            with_vocabulary(os.path.join(data, name + ".gguf.xz"), model)
            try:
                lib.report(f"t5: {name}: run", answers(model))
            except RuntimeError as e:
                lib.not_ok(f"t5: {name}: run", e)
        lib.report("t5: bench", refuses("bench", "-m", model, "-p", 4, "-n", 1))
        lib.report("t5: logits without a prompt", refuses("logits", "-m", model, "--ids", 0, status=2))
        long = ",".join(["5"] * 600)
        lib.report("t5: a prompt too long", refuses("logits", "-m", model, "--ids", 0, "--encoder-ids", long))
        other = os.path.join(folder, "other.gguf")
        with lzma.open(os.path.join(data, "bitnet.gguf.xz")) as packed, open(other, "wb") as f:
            f.write(packed.read())
        lib.report("t5: no encoder", refuses("logits", "-m", other, "--ids", 1, "--encoder-ids", 1, status=2))


main()
lib.finish()
