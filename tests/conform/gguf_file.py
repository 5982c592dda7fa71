# SPDX-License-Identifier: MIT
"""GGUF files taken apart and put together again in other ways, without any package."""
import struct

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def text(s):
    s = s.encode() if isinstance(s, str) else s
    return struct.pack("<Q", len(s)) + s


def array(kind, items):
    """The bytes of an array of strings, float32 or 32-bit numbers."""
    pack = {STRING: text, F32: lambda x: struct.pack("<f", x), I32: lambda x: struct.pack("<i", x)}[kind]
    return struct.pack("<IQ", kind, len(items)) + b"".join(map(pack, items))


class Gguf:
    """A file taken apart: keys (name, type, bytes of the value), tensors (name, dims, type, offset), the data."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.bytes = f.read()
        self.at = 24
        n_tensors, n_keys = struct.unpack_from("<QQ", self.bytes, 8)
        self.keys = [self.key() for _ in range(n_keys)]
        self.tensors = [self.tensor() for _ in range(n_tensors)]
        self.data = self.bytes[-(-self.at // 32) * 32 :]

    def take(self, form):
        v = struct.unpack_from("<" + form, self.bytes, self.at)
        self.at += struct.calcsize("<" + form)
        return v if len(v) > 1 else v[0]

    def text(self):
        n = self.take("Q")
        self.at += n
        return self.bytes[self.at - n : self.at]

    def value(self, kind):
        if kind == STRING:
            self.text()
        elif kind == ARRAY:
            elem, n = self.take("IQ")
            for _ in range(n):
                self.value(elem)
        else:
            self.at += SIZES[kind]

    def key(self):
        name, kind = self.text(), self.take("I")
        begin = self.at
        self.value(kind)
        return name, kind, self.bytes[begin : self.at]

    def tensor(self):
        name, n_dims = self.text(), self.take("I")
        dims = struct.unpack_from(f"<{n_dims}Q", self.bytes, self.at)
        self.at += 8 * n_dims
        return (name, dims, *self.take("IQ"))

    def write(self, path, keys, tensors):
        out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
        out += b"".join(text(name) + struct.pack("<I", kind) + value for name, kind, value in keys)
        for name, dims, kind, offset in tensors:
            out += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)
        with open(path, "wb") as f:
            f.write(out + bytes(-len(out) % 32) + self.data)

    def with_keys(self, new):
        """The keys with others in place of those of the same name, or behind them: name -> (type, bytes)."""
        kept = [k for k in self.keys if k[0].decode() not in new]
        return kept + [(name.encode(), kind, value) for name, (kind, value) in new.items()]
