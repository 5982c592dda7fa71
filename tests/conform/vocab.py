# SPDX-License-Identifier: MIT
"""Ids of many texts in many vocabularies against those of the reference data: as plain text, and with special tokens
added and read from the text; and the text that the ids give back. Vocabularies whose kind or pre-tokenizer pith does
not have are skipped. The generated character tables are compared with the Unicode data where that is installed."""
import glob
import json
import os
import subprocess

import lib

UNICODE = "/usr/share/unicode"
# Whose vocabularies lie in whole models.
MODELS = {"SmolLM2-135M-Instruct.Q4_1": "smollm2", "gemma-3-270m-Q4_K_M": "gemma3"}


def lines(values):
    return "".join(json.dumps(v) + "\n" for v in values).encode()


def answers(*args, stdin):
    return [json.loads(line) for line in lib.pith("tokenize", "--json", *args, stdin=stdin).decode().splitlines()]


def first_difference(cases, got, want, what):
    wrong = [i for i in range(len(cases)) if got[i] != want[i]]
    if not wrong:
        return None
    i = wrong[0]
    return f"{what} of {len(wrong)} of {len(cases)} texts differ, first {cases[i]['text'][:60]!r}: {got[i]}, expected {want[i]}"[:400]


def compare(model, cases):
    text = lines(case["text"] for case in cases)
    ids = answers("-m", model, stdin=text)
    special = answers("-m", model, "--special", stdin=text)
    back = answers("-m", model, "--decode", stdin=lines(ids))
    kind = json.loads(lib.pith("info", model, "--json"))["tokenizer"]["kind"]
    keep_text = kind in ("gpt2", "gemma4")
    return (
        first_difference(cases, ids, [case["ids"] for case in cases], "ids")
        or first_difference(cases, special, [case["ids_special"] for case in cases], "special ids")
        or first_difference(cases, back, [case["text" if keep_text else "detok"] for case in cases], "decoded text")
    )


def compare_tables():
    name = "vocab: unicode tables"
    if not os.path.exists(os.path.join(UNICODE, "UnicodeData.txt")):
        lib.skip(name, f"no Unicode data in {UNICODE}")
        return
    script = os.path.join(lib.ROOT, "scripts", "unicode-tables.py")
    made = subprocess.run(["python3", script, "--data", UNICODE], capture_output=True, check=True).stdout
    there = open(os.path.join(lib.ROOT, "text", "unicode_tables.h"), "rb").read()
    lib.report(name, None if made == there else "text/unicode_tables.h is not what scripts/unicode-tables.py writes")


def main():
    compare_tables()
    folder = lib.conformance("vocab", "vocab")
    for path in sorted(glob.glob(os.path.join(folder, "*.jsonl"))):
        name = os.path.basename(path)[: -len(".jsonl")]
        model = os.path.join(folder, name + ".gguf")
        if not os.path.exists(model):
            model = lib.shared("get-models", MODELS[name]) if name in MODELS else None
        if not model:
            lib.skip(f"vocab: {name}", "the model that has this vocabulary is not here")
            continue
        try:
            with open(path, encoding="utf-8") as cases:
                lib.report(f"vocab: {name}", compare(model, [json.loads(line) for line in cases]))
        except RuntimeError as e:
            known = "is not supported" in str(e)
            (lib.skip if known else lib.not_ok)(f"vocab: {name}", str(e))


main()
lib.finish()
