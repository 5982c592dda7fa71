# SPDX-License-Identifier: MIT
"""Ids of random texts against those of the Python package tokenizers, on the vocabularies of the reference data that it
can be given: byte-level BPE with the pre-tokenizers whose published expressions stand here, SentencePiece BPE with the
merges that its scores imply, and Unigram. Decoding must give the text back."""
import json
import os
import random
import struct

import lib

SEED = int(os.environ.get("SEED", "4"))
COUNT = int(os.environ.get("COUNT", "400"))

ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?"
LLAMA3 = ENDINGS + r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = ENDINGS + r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35 = ENDINGS + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# vocabulary: (expression or None for GPT-2's own, single digits first, a piece that is a token is taken whole)
BYTE_LEVEL = {"gpt-2": (None, False, False), "mpt": (None, False, False), "starcoder": (None, True, False),
              "llama-bpe": (LLAMA3, False, True), "qwen2": (QWEN2, False, False), "qwen35": (QWEN35, False, False)}  # fmt: skip

SCRIPTS = [(0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0xA1, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x5D0, 0x5EA), (0x621, 0x64A), (0x905, 0x939), (0x93E, 0x94D),
           (0xE01, 0xE3A), (0x1100, 0x1112), (0x3041, 0x3093), (0x30A1, 0x30F6), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0x1F300, 0x1F5FF), (0x2000, 0x206F), (0x300, 0x36F), (0x660, 0x669), (0x2150, 0x218B)]  # fmt: skip
COMMON = [" ", " ", "  ", "\n", "\n\n", "\t", "\r\n", "'s", "'LL", "'t", "123456", "1", "the", " and", "Hello", "...", "!!", "_", "日本語", "don't", "ß", "\u00a0", "\u3000"]


def random_text(rng):
    out = []
    for _ in range(rng.randrange(1, 40)):
        if rng.random() < 0.4:
            out.append(rng.choice(COMMON))
        else:
            low, high = rng.choice(SCRIPTS)
            out.append("".join(chr(rng.randrange(low, high + 1)) for _ in range(rng.randrange(1, 6))))
    return "".join(out)


def read_array(data, key):
    """The array of a key in a GGUF file, found by the key's name."""
    at = data.index(struct.pack("<Q", len(key)) + key.encode() + struct.pack("<I", 9)) + 8 + len(key) + 4
    kind, n = struct.unpack_from("<IQ", data, at)
    at += 12
    if kind != 8:
        return list(struct.unpack_from(f"<{n}{'f' if kind == 6 else 'i'}", data, at))
    out = []
    for _ in range(n):
        (size,) = struct.unpack_from("<Q", data, at)
        out.append(data[at + 8 : at + 8 + size].decode())
        at += 8 + size
    return out


def byte_level(data, how):
    import tokenizers as hf

    expression, digits, whole = how
    tokens = read_array(data, "tokenizer.ggml.tokens")
    merges = [tuple(m.split(" ")) for m in read_array(data, "tokenizer.ggml.merges")]
    t = hf.Tokenizer(hf.models.BPE({x: i for i, x in enumerate(tokens)}, merges, ignore_merges=whole))
    pre = hf.pre_tokenizers
    steps = [pre.Digits(individual_digits=True)] if digits else []
    if expression:
        steps.append(pre.Split(hf.Regex(expression), "isolated"))
    t.pre_tokenizer = pre.Sequence(steps + [pre.ByteLevel(add_prefix_space=False, use_regex=not expression)])
    types = read_array(data, "tokenizer.ggml.token_type")
    t.add_tokens([hf.AddedToken(tokens[i], normalized=False) for i, kind in enumerate(types) if kind == 4])
    return t


def sentencepiece(data):
    import tokenizers as hf

    tokens, scores = read_array(data, "tokenizer.ggml.tokens"), read_array(data, "tokenizer.ggml.scores")
    types = read_array(data, "tokenizer.ggml.token_type")
    ids = {x: i for i, x in enumerate(tokens)}
    merges = []
    for i, x in enumerate(tokens):
        if types[i] == 1:
            merges += [(-scores[i], ids[x[:k]], ids[x[k:]], x[:k], x[k:]) for k in range(1, len(x)) if x[:k] in ids and x[k:] in ids]
    merges.sort()
    t = hf.Tokenizer(hf.models.BPE(ids, [m[3:] for m in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = hf.normalizers.Sequence([hf.normalizers.Prepend("▁"), hf.normalizers.Replace(" ", "▁")])
    return t


def compare(t, model, texts, gives_back):
    lines = "".join(json.dumps(x) + "\n" for x in texts).encode()
    got = [json.loads(x) for x in lib.pith("tokenize", "--json", "-m", model, stdin=lines).splitlines()]
    wrong = [(x, ids, want) for x, ids in zip(texts, got) if ids != (want := t.encode(x, add_special_tokens=False).ids)]
    if wrong:
        return f"{len(wrong)} of {len(texts)} texts differ, first {wrong[0][0]!r}: {wrong[0][1]}, expected {wrong[0][2]}"[:900]
    back = lib.pith("tokenize", "--json", "--decode", "-m", model, stdin="".join(f"{json.dumps(i)}\n" for i in got).encode())
    for x, line in zip(texts, back.splitlines()):
        if gives_back and json.loads(line) != x:
            return f"{x!r} came back as {line.decode()}"
    return None


def main():
    try:
        import tokenizers  # noqa: F401
    except ImportError:
        lib.skip("hf", "the Python package tokenizers is not here")
        lib.finish()
    folder = lib.conformance("vocab", "hf")
    rng = random.Random(SEED)
    texts = [random_text(rng) for _ in range(COUNT)]
    for name in [*BYTE_LEVEL, "llama-spm"]:
        model = os.path.join(folder, name + ".gguf")
        if not os.path.exists(model):
            lib.skip(f"hf: {name}", "no such vocabulary")
            continue
        with open(model, "rb") as f:
            data = f.read()
        t = byte_level(data, BYTE_LEVEL[name]) if name in BYTE_LEVEL else sentencepiece(data)
        lib.report(f"hf: {name}, {COUNT} texts, seed {SEED}", compare(t, model, texts, True))


main()
lib.finish()
