# SPDX-License-Identifier: MIT
"""Real models against llama.cpp: ids exactly; mean negative log-likelihood within 0.5 % on texts over 100 tokens and 2 % on
short ones; the most likely token equal at 95 % of all positions; greedy continuations equal up to the first step whose
margin is small. A text and its continuation are one evaluation."""
import json
import math
import os

import lib

MODELS = {
    "smollm2": "SmolLM2-135M-Instruct.Q4_1.jsonl",
    "gemma3": "gemma-3-270m-Q4_K_M.jsonl",
    "qwen15": "qwen15.jsonl",
}
MARGIN = 0.3


def rows_of(model, ids, n_vocab):
    logits = lib.floats(lib.pith("logits", "-m", model, "--ids", ",".join(map(str, ids))))
    assert len(logits) == len(ids) * n_vocab
    return [logits[i * n_vocab : (i + 1) * n_vocab] for i in range(len(ids))]


def surprise(row, target):
    top = max(row)
    return math.log(sum(math.exp(x - top) for x in row)) + top - row[target]


def check_ids(model, case):
    got = [int(x) for x in lib.pith("tokenize", "--special", "-m", model, stdin=case["text"].encode()).split()]
    return None if got == case["ids"] else f"{got} instead of {case['ids']}"


def check_nll(rows, case):
    ids = case["ids"]
    mean = sum(surprise(rows[i], ids[i + 1]) for i in range(len(ids) - 1)) / (len(ids) - 1)
    limit = 0.005 if len(ids) > 100 else 0.02
    error = abs(mean - case["mean_nll"]) / case["mean_nll"]
    return None if error <= limit else f"{mean:.5f} instead of {case['mean_nll']:.5f}, {100 * error:.2f} % off"


def check_greedy(best, case):
    first = len(case["ids"]) - 1
    for i, (want, margin) in enumerate(zip(case["greedy"], case["greedy_margin"])):
        if margin < MARGIN:
            return None
        if best[first + i] != want:
            return f"step {i}: {best[first + i]} instead of {want}, margin {margin:.2f}"
    return None


def check_model(key, model, cases, n_vocab):
    same = total = 0
    for n, case in enumerate(cases, 1):
        name = f"reference: {key} text {n}"
        try:
            lib.report(f"{name}: ids", check_ids(model, case))
            rows = rows_of(model, case["ids"] + case.get("greedy", [])[:-1], n_vocab)
        except RuntimeError as e:
            lib.not_ok(name, e)
            continue
        best = [row.index(max(row)) for row in rows]
        lib.report(f"{name}: nll", check_nll(rows, case))
        if "greedy" in case:
            lib.report(f"{name}: greedy", check_greedy(best, case))
        same += sum(a == b for a, b in zip(best, case["top1"]))
        total += len(case["top1"])
    share = same / max(total, 1)
    lib.report(f"reference: {key}: top-1", None if share >= 0.95 else f"{same} of {total} positions agree")


def main():
    folder = lib.conformance("reference", "reference")
    for key, file in MODELS.items():
        model = lib.shared("get-models", key)
        if not model:
            lib.skip(f"reference: {key}", "no model (../shared/get-models)")
            continue
        with open(os.path.join(folder, file)) as lines:
            cases = [json.loads(line) for line in lines]
        n_vocab = json.loads(lib.pith("info", "--json", model))["tokenizer"]["ids"]
        check_model(key, model, cases, n_vocab)


main()
lib.finish()
