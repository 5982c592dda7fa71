# SPDX-License-Identifier: MIT
# check: sound files, and files with one thing wrong.
. "$(dirname "$0")/lib.sh"

# change FILE PYTHON: runs statements that change the bytearray b of FILE; at(NAME) is the place behind a name in it.
change() {
    python3 -c 'import struct, sys
path = sys.argv[1]
b = bytearray(open(path, "rb").read())
def at(name): return b.index(struct.pack("<Q", len(name)) + name) + 8 + len(name)
def put(where, form, *values): struct.pack_into(form, b, where, *values)
exec(sys.argv[2])
open(path, "wb").write(b)' "$1" "$2"
}

# wrong WHAT WORDS: the check of $F must fail in the row WHAT with these words in the verdict.
wrong() {
    run pith check "$F"
    status 1
    err ''
    [ "$(wc -l <"$T/.out")" -eq 1 ] || fail "the verdict has $(wc -l <"$T/.out") lines"
    grep -qF "failed: $1: $2" "$T/.out" || fail "the verdict is '$(cat "$T/.out")', expected 'failed: $1: $2'"
    run pith check "$F" --json
    status 1
    check "wrong JSON" python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert not d["ok"] and [c for c in d["checks"] if c["name"] == sys.argv[2]][0]["result"] == "failed"' "$T/.out" "$1"
}

F=$T/f.gguf

case_ "check: a sound file"
run pith check "$RANDOM_MODEL"
status 0
err ''
out "$RANDOM_MODEL: ok: 21 tensors, 0.8 M weights\n"
run pith check --json "$RANDOM_MODEL"
status 0
check "wrong JSON" python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert d["ok"] and d["tensors"] == 21 and [c["result"] for c in d["checks"]] == ["passed"] * 5' "$T/.out"

case_ "check: no vocabulary, tensors or known architecture is nothing wrong"
model chain "$F" vocab=0 tensors=0 template=0 arch=frobnicator
run pith check "$F"
status 0
out "$F: ok: 0 tensors, 0.0 M weights; not checked: shapes, weights, vocabulary, template\n"

case_ "check: a file that is cut"
head -c 100000 "$RANDOM_MODEL" >"$F"
wrong structure "tensor '"
printf 'GGUF' >"$F"
wrong structure 'the header is truncated'
printf 'hello' >"$F"
wrong structure 'not a GGUF file'

case_ "check: a file that is not there, a folder, no file at all"
run pith check "$T/none.gguf"
refused 3 'none.gguf'
run pith check "$T/"
refused 3 'is a directory'
run pith check
refused 2 'expected one file'

case_ "check: a tensor that overlaps another"
cp "$RANDOM_MODEL" "$F"
change "$F" 'put(at(b"blk.1.attn_k.weight") + 24, "<Q", struct.unpack_from("<Q", b, at(b"blk.1.attn_q.weight") + 24)[0])'
wrong structure "tensor 'blk.1.attn_"

case_ "check: a shape that does not fit the architecture"
cp "$RANDOM_MODEL" "$F"
change "$F" 'put(at(b"blk.1.attn_k.weight") + 4, "<QQ", 144, 288)'
wrong shapes 'tensor blk.1.attn_k.weight: its shape is [144, 288], expected [288, 144]'

case_ "check: a weight that is not finite"
cp "$RANDOM_MODEL" "$F"
change "$F" 'put(len(b) - 4, "<f", float("inf"))'
wrong weights "tensor 'output.weight': row 262: element 287 is not finite"

for format in Q4_0 Q8_0 Q6_K Q4_K IQ4_XS F16 BF16 MXFP4 NVFP4; do
    case_ "check: a scale of $format that is not finite"
    run pith quantize --tensor "output=$format" "$RANDOM_MODEL" "$F" Q8_0
    status 0
    run pith check "$F"
    status 0
    change "$F" "b[-256:] = b'\\xff' * 256"
    wrong weights "tensor 'output.weight': row 26"
done

case_ "check: the vocabulary"
cp "$RANDOM_MODEL" "$F"
change "$F" 'put(at(b"tokenizer.ggml.eos_token_id") + 4, "<I", 263)'
wrong vocabulary "key 'tokenizer.ggml.eos_token_id' is 263, there are 263 tokens"
cp "$RANDOM_MODEL" "$F"
change "$F" 'i = at(b"lo"); b[i - 2:i] = b"cd"'
wrong vocabulary "tokens 256 and 258 are both 'cd'"

case_ "check: the template"
cp "$RANDOM_MODEL" "$F"
change "$F" 'i = b.index(b"endfor"); b[i:i + 6] = b"endfoo"'
wrong template ''
