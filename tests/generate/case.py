# SPDX-License-Identifier: MIT
"""A reference case: a tiny model as a GGUF file and what the published code of the model computes with it. A case is
NAME.gguf.xz, NAME.json (the runs: command, ids, where the values begin) and NAME.f32 (the values, float32 little-endian).
Weights are rounded to eight bits of mantissa, so that the files pack well, and used by the reference as they are written."""
import json
import lzma
import os
import tempfile

import gguf
import numpy as np
import torch


def rounded(x):
    """The nearest values that bfloat16 can hold, as float32."""
    return x.detach().to(torch.bfloat16).to(torch.float32)


def randomize(module, seed, scale=None, skip=(), norm=1.0):
    """Norm weights near norm, biases and other vectors near 0 but not 0, matrices so that products keep their size.
    scale: substring of a parameter's name -> factor on its spread; skip: substrings of names left alone."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in module.named_parameters():
            if any(s in name for s in skip):
                continue
            r = torch.randn(p.shape, generator=rng)
            vector = p.dim() < 2
            if vector and "norm" in name.lower() and name.endswith("weight"):
                r = norm + 0.2 * r
            elif vector:
                r = 0.2 * r
            elif "embed" in name and "proj" not in name:
                r = 0.7 * r
            else:
                r = r * p.shape[-1] ** -0.5
            for part, factor in (scale or {}).items():
                if part in name:
                    r = r * factor
            p.copy_(rounded(r))
    return module


def ids_of(seed, n, n_vocab, first=0):
    rng = np.random.default_rng(seed)
    return [int(x) for x in rng.integers(first, n_vocab, n)]


class Case:
    def __init__(self, name, arch, origin):
        self.name, self.arch, self.origin = name, arch, origin
        self.keys, self.tensors, self.runs, self.values = {}, {}, [], []

    def meta(self, **keys):
        """Keys below the architecture's name, dots written as double underscores."""
        for key, value in keys.items():
            self.keys[f"{self.arch}.{key.replace('__', '.')}"] = value

    def vocabulary(self, n_vocab, **keys):
        """A tokenizer without texts: input is ids."""
        self.keys["tokenizer.ggml.model"] = "test"
        self.keys["tokenizer.ggml.tokens"] = [f"tok_{i}" for i in range(n_vocab)]
        self.keys["tokenizer.ggml.token_type"] = [1] * n_vocab
        self.keys["tokenizer.ggml.scores"] = [0.0] * n_vocab
        for key in ("bos", "eos", "sep"):
            self.keys[f"tokenizer.ggml.add_{key}_token"] = False
        for key, value in keys.items():
            self.keys["tokenizer.ggml." + key] = value

    def tensor(self, name, value):
        assert name not in self.tensors, name
        value = value.detach().to(torch.float32).numpy() if isinstance(value, torch.Tensor) else np.asarray(value, np.float32)
        self.tensors[name] = np.ascontiguousarray(value)

    def state(self, state, arch, n_blocks, change=None, drop=()):
        """Adds a state dictionary under the names that the gguf package knows for this architecture. change(name, value)
        gives the list of (name, value) that stand for one entry; names with a part of drop are left out."""
        names = gguf.get_tensor_name_map(arch, n_blocks)
        for key, value in state.items():
            if any(part in key for part in drop):
                continue
            for k, v in change(key, value) if change else [(key, value)]:
                to = names.get_name(k, try_suffixes=(".weight", ".bias"))
                assert to, f"{self.name}: no name for {k}"
                self.tensor(to, v)

    def run(self, command, ids, values, limit=1e-9, **args):
        """values: what `pith COMMAND --ids ids` with the options of args must print."""
        values = values.detach().to(torch.float64).numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
        assert np.isfinite(values).all()
        first = sum(v.size for v in self.values)
        self.runs.append({"command": command, "ids": ids, "args": args, "first": first, "count": int(values.size), "limit": limit})
        self.values.append(values.astype("<f4").ravel())

    def poolings(self, ids, hidden, *names):
        """Runs of embed on a sequence's hidden states, n_ids x n_embd."""
        pooled = {"none": hidden, "mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}
        for name in names:
            self.run("embed", ids, pooled[name], pooling=name)

    def write_gguf(self, path):
        w = gguf.GGUFWriter(path, self.arch)
        for key, v in self.keys.items():
            if isinstance(v, bool):
                w.add_bool(key, v)
            elif isinstance(v, int):
                w.add_uint32(key, v)
            elif isinstance(v, float):
                w.add_float32(key, v)
            elif isinstance(v, str):
                w.add_string(key, v)
            else:
                w.add_array(key, v)
        for name, v in self.tensors.items():
            w.add_tensor(name, v)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        base = os.path.join(folder, self.name)
        with tempfile.TemporaryDirectory() as tmp:
            path = os.path.join(tmp, "model.gguf")
            self.write_gguf(path)
            with open(path, "rb") as f:
                data = f.read()
        with open(base + ".gguf.xz", "wb") as f:
            f.write(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
        with open(base + ".json", "w") as f:
            json.dump({"architecture": self.arch, "origin": self.origin, "runs": self.runs}, f, separators=(",", ":"))
            f.write("\n")
        np.concatenate(self.values).tofile(base + ".f32")
        sizes = [os.path.getsize(base + e) // 1024 for e in (".gguf.xz", ".f32")]
        print(f"{self.name}: {len(self.tensors)} tensors, {len(self.runs)} runs, {sizes[0]} + {sizes[1]} KiB", flush=True)
