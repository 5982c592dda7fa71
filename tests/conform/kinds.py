# SPDX-License-Identifier: MIT
"""Kinds of tokenizers for which the reference data has no vocabulary: vocabularies of random tokens are written here,
and the ids of random texts are compared with those of a plain Python program for each kind, and decoded again."""
import json
import os
import random
import struct
import tempfile

import lib

SEED = int(os.environ.get("SEED", "20"))
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
ALPHABETS = ["abcdeABC ", "aab  \n\t", "日本語中文字", "абвгд é", "👍🏽👨‍👩‍👧 a", "01234567", "\u00a0\u3000\u2028 x\r", "{}()[];= \"'\\"]


def text_of(rng, longest):
    return "".join(rng.choice(rng.choice(ALPHABETS)) for _ in range(rng.randrange(1, longest)))


def string(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def write_gguf(path, keys):
    """keys: name to a str, int, bool, or a list of str or bytes, int, float."""
    out = b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys))
    for name, v in keys.items():
        out += string(name)
        if isinstance(v, bool):
            out += struct.pack("<I?", 7, v)
        elif isinstance(v, int):
            out += struct.pack("<II", 4, v)
        elif isinstance(v, str):
            out += struct.pack("<I", 8) + string(v)
        elif isinstance(v[0], (str, bytes)):
            out += struct.pack("<IIQ", 9, 8, len(v)) + b"".join(map(string, v))
        else:
            whole = isinstance(v[0], int)
            out += struct.pack("<IIQ", 9, 5 if whole else 6, len(v)) + struct.pack(f"<{len(v)}{'i' if whole else 'f'}", *v)
    with open(path, "wb") as f:
        f.write(out)


def vocabulary(kind, tokens, types, **more):
    keys = {"general.architecture": "llama", "tokenizer.ggml.model": kind, "tokenizer.ggml.tokens": tokens}
    keys["tokenizer.ggml.token_type"] = types
    keys.update(("tokenizer.ggml." + k, v) for k, v in more.items())
    return keys


class Rwkv:
    """The longest token at every place, over bytes."""

    name = "rwkv"

    def __init__(self, rng):
        parts = [bytes([b]) for b in range(256)]
        parts += [text_of(rng, 9).encode() for _ in range(3000)]
        parts += [t[: rng.randrange(1, len(t) + 1)] for t in (text_of(rng, 6).encode() for _ in range(500))]
        parts += [b" " * n for n in range(1, 130)] + [b"ab" * n for n in range(30, 60)] + [b"\\", b"\\n", b"'\""]
        self.parts = list(dict.fromkeys(parts))
        self.ids = {p: i + 1 for i, p in enumerate(self.parts)}
        self.longest = max(map(len, self.parts))

    def keys(self):
        tokens = ["<s>"] + [repr(p)[2:-1] for p in self.parts]
        return vocabulary("rwkv", tokens, [CONTROL] + [NORMAL] * len(self.parts))

    def encode(self, text):
        data, out, at = text.encode(), [], 0
        while at < len(data):
            n = next(n for n in range(self.longest, 0, -1) if data[at : at + n] in self.ids and at + n <= len(data))
            out.append(self.ids[data[at : at + n]])
            at += n
        return out


class Plamo2:
    """The way with the greatest sum of scores, from the end, the longer token among equals; bytes for the rest."""

    name = "plamo2"

    def __init__(self, rng):
        words = dict.fromkeys(text_of(rng, 7) for _ in range(4000))
        words.update(dict.fromkeys("abcdeABC \n日本語абв01"))
        self.tokens = ["<|plamo:unk|>", "<|plamo:bos|>", "<|plamo:eos|>", "<|plamo:pad|>"]
        self.types = [UNKNOWN, CONTROL, CONTROL, CONTROL]
        self.scores = [0.0] * 4
        for b in range(256):
            self.tokens.append(f"<0x{b:02X}>")
            self.types.append(BYTE)
            self.scores.append(0.0)
        for w in words:
            self.tokens.append(w)
            self.types.append(NORMAL)
            self.scores.append(rng.choice([-3000.0, -2.5, -1.0, float(-rng.randrange(20)), -rng.random() * 20]))
        exact = [struct.unpack("<f", struct.pack("<f", s))[0] for s in self.scores]
        self.ids = {w: (i, round(exact[i] * 1e4)) for i, w in enumerate(self.tokens) if self.types[i] == NORMAL}
        self.longest = max(map(len, self.ids))

    def keys(self):
        return vocabulary("plamo2", self.tokens, self.types, scores=self.scores)

    def encode(self, text):
        text = text.removeprefix("\ufeff")
        best = [(0, 0, None)] * (len(text) + 1)
        for at in range(len(text) - 1, -1, -1):
            best[at] = (best[at + 1][0] + 10000000, 1, None)
            for n in range(1, min(self.longest, len(text) - at) + 1):
                token, score = self.ids.get(text[at : at + n], (0, -20000000))
                if score > -20000000 and best[at + n][0] - score <= best[at][0]:
                    best[at] = (best[at + n][0] - score, n, token)
        out, at = [], 0
        while at < len(text):
            _, n, token = best[at]
            out += [4 + b for b in text[at].encode()] if token is None else [token]
            at += n
        return out


class Whitespace:
    """Words between white space in lower case, merged by rank; what is no token is left out."""

    name = "whitespace"

    def __init__(self, rng, lower):
        self.lower = lower
        self.tokens = list(dict.fromkeys("abcdeABC日本語中абвгдé0123{}()=" + "ж"))
        self.merges = []
        for _ in range(400):
            a, b = rng.choice(self.tokens), rng.choice(self.tokens)
            if len(a + b) < 12 and a + b not in self.tokens:
                self.tokens.append(a + b)
                self.merges.append((a, b))
        self.tokens += [f"<0x{b:02X}>" for b in range(0xC0, 0x100)]
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.ranks = {m: i for i, m in enumerate(self.merges)}

    def keys(self):
        types = [BYTE if t.startswith("<0x") else NORMAL for t in self.tokens]
        merges = [" ".join(m) for m in self.merges]
        flag = {"normalizer.lowercase": True} if self.lower else {}
        return vocabulary("whitespace", self.tokens, types, pre="whitespace", merges=merges, **flag)

    def encode_word(self, word):
        symbols = list(word)
        while True:
            pairs = [(self.ranks[p], i) for i, p in enumerate(zip(symbols, symbols[1:])) if p in self.ranks]
            if not pairs:
                break
            _, i = min(pairs)
            symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
        out = []
        for s in symbols:
            spelled = [s] if s in self.ids else [f"<0x{b:02X}>" for b in s.encode()]
            out += [self.ids[t] for t in spelled if t in self.ids]
        return out

    def encode(self, text):
        return [i for word in (text.lower() if self.lower else text).split() for i in self.encode_word(word)]


def compare(kind, path, texts):
    lines = "".join(json.dumps(t) + "\n" for t in texts).encode()
    got = [json.loads(x) for x in lib.pith("tokenize", "--json", "-m", path, stdin=lines).splitlines()]
    for text, ids in zip(texts, got):
        want = kind.encode(text)
        if ids != want:
            return f"{text!r}: {ids}, expected {want}"
    if kind.name == "whitespace":
        return None
    back = lib.pith("tokenize", "--json", "--decode", "-m", path, stdin="".join(f"{json.dumps(i)}\n" for i in got).encode())
    for text, line in zip(texts, back.splitlines()):
        if json.loads(line) != text.removeprefix("\ufeff" if kind.name == "plamo2" else ""):
            return f"{text!r} came back as {line.decode()}"
    return None


def main():
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        for kind in (Rwkv(rng), Plamo2(rng), Whitespace(rng, False), Whitespace(rng, True)):
            path = os.path.join(os.environ.get("KEEP", folder), kind.name + ".gguf")
            write_gguf(path, kind.keys())
            texts = ["", "\ufeffab", "<s>", "<|plamo:bos|>a", "x" * 5000, "ab" * 3000] + [text_of(rng, 60) for _ in range(600)]
            lib.report(f"kinds: {kind.name}, seed {SEED}", compare(kind, path, texts))


main()
lib.finish()
