# SPDX-License-Identifier: MIT
# quantize, and models in several files.
. "$(dirname "$0")/lib.sh"

read_gguf() { # read_gguf FILE EXPRESSION: the expression, of the file r as the Python package reads it, must be true
    python3 -c 'import gguf, sys
r = gguf.GGUFReader(sys.argv[1])
t = {x.name: x for x in r.tensors}
def key(name): return r.fields[name].contents()
sys.exit(not eval("(" + sys.argv[2] + ")"))' "$1" "$2"
}

O=$T/out.gguf
if ! python3 -c 'import gguf, numpy' 2>/dev/null; then
    skip_ "files that pith writes are read by the Python package gguf: not installed"
else
    case_ "quantize: the Python package reads the file; metadata is kept, version and type are set"
    run pith quantize "$RANDOM_MODEL" "$O" Q4_K_M
    status 0
    out ''
    err ''
    check "metadata" read_gguf "$O" 'key("general.name") == "a test" and key("general.file_type") == 15 and
        key("general.quantization_version") == 2 and len(key("tokenizer.ggml.tokens")) == 263 and len(t) == 21'
    check "types" read_gguf "$O" 't["output.weight"].tensor_type.name == "Q8_0" and
        t["blk.0.attn_q.weight"].tensor_type.name == "Q5_0" and t["output_norm.weight"].tensor_type.name == "F32"'

    # Rows of 512 elements: ordinary, with heavy tails, constant, zero, with a lone spike, tiny, large.
    python3 -c 'import gguf, numpy, sys
r = numpy.random.default_rng(1)
x = numpy.stack([r.normal(0, 0.02, 512), r.laplace(0, 0.02, 512), 0.02 * r.standard_t(2, 512), numpy.full(512, 0.37),
    numpy.full(512, -0.0021), numpy.zeros(512), numpy.eye(1, 512, 77)[0], r.normal(0, 1e-6, 512), r.normal(0, 300, 512)])
w = gguf.GGUFWriter(sys.argv[1], "none")
w.add_tensor("a.weight", x.astype(numpy.float32))
w.add_tensor("b.weight", r.normal(0, 0.02, (3, 2, 512)).astype(numpy.float32))
w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()' "$T/rows.gguf"
    for format in F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S \
        IQ3_XXS IQ3_S IQ4_NL IQ4_XS TQ1_0 TQ2_0 MXFP4 NVFP4; do
        case_ "quantize: $format decodes to the same numbers there"
        run pith quantize --pure "$T/rows.gguf" "$O" $format
        status 0
        run pith quantize "$O" "$T/back.gguf" F32
        status 0
        check "other numbers" python3 -c 'import gguf, numpy, sys
a, b = (gguf.GGUFReader(f).tensors for f in sys.argv[1:3])
assert len(a) == len(b) == 2
for s, t in zip(a, b):
    assert s.tensor_type.name == sys.argv[3] and list(s.shape) == list(t.shape)
    x = gguf.dequantize(s.data, s.tensor_type).astype(numpy.float32).ravel()
    assert x.size == t.data.size and (x == t.data.ravel()).all(), s.name' "$O" "$T/back.gguf" $format
    done
fi

case_ "quantize: the bytes do not depend on the threads"
run pith quantize -t 1 "$RANDOM_MODEL" "$T/one.gguf" Q5_K_M
run pith quantize -t 3 "$RANDOM_MODEL" "$T/three.gguf" Q5_K_M
check "other bytes" cmp "$T/one.gguf" "$T/three.gguf"

case_ "quantize: what it writes runs, and is near the original"
printf 'hello world, hello world' >"$T/text"
run pith perplexity -m "$RANDOM_MODEL" "$T/text"
cp "$T/.out" "$T/before"
run pith perplexity -m "$T/one.gguf" "$T/text"
status 0
check "far from the original" python3 -c 'import json, sys
a, b = (json.load(open(f))["nll"] for f in sys.argv[1:])
sys.exit(abs(a - b) > 0.2)' "$T/before" "$T/.out"

case_ "quantize: F32 decodes everything, and quantizing what was decoded gives the same file"
run pith quantize "$T/one.gguf" "$T/f32.gguf" F32
status 0
run pith info "$T/f32.gguf" --json
check "not all are F32" grep -q '"formats":{"F32":21}' "$T/.out"
run pith quantize "$RANDOM_MODEL" "$T/half.gguf" F16
run pith quantize "$T/half.gguf" "$T/f32.gguf" F32
run pith quantize "$T/f32.gguf" "$T/again.gguf" F16
check "other bytes" cmp "$T/half.gguf" "$T/again.gguf"
pith quantize "$RANDOM_MODEL" "$T/q8.gguf" Q8_0

case_ "quantize --tensor: the last expression that matches counts; one that matches nothing is a warning"
run pith quantize --tensor 'attn_.=Q8_0' --tensor 'blk\.1\.=f16' --tensor 'nothing=Q4_0' --dry-run "$RANDOM_MODEL" "$O" Q4_0
status 0
err_has 'warning: --tensor nothing=Q4_0: no tensor'
check "the first" grep -qE '^blk.0.attn_k.weight +F32 +Q8_0 ' "$T/.out"
check "the second" grep -qE '^blk.1.attn_k.weight +F32 +F16 ' "$T/.out"
check "neither" grep -qE '^blk.0.ffn_up.weight +F32 +Q4_0 ' "$T/.out"
check "a norm" grep -qE '^blk.1.attn_norm.weight +F32 +F32 ' "$T/.out"

case_ "quantize --dry-run tells the sizes and writes nothing"
rm -f "$O"
run pith quantize --dry-run "$RANDOM_MODEL" "$O" Q8_0
status 0
check "a file was written" test ! -e "$O"
pith quantize "$RANDOM_MODEL" "$O" Q8_0
pith info "$O" --json >"$T/info"
check "another size" python3 -c 'import json, sys
total = open(sys.argv[1]).read().split("\n")[-2].split()
sys.exit(int(total[3]) != json.load(open(sys.argv[2]))["weight_bytes"])' "$T/.out" "$T/info"

case_ "quantize: wrong command lines"
run pith quantize "$RANDOM_MODEL" "$O"
refused 2 'expected IN OUT TYPE'
run pith quantize "$RANDOM_MODEL" "$O" Q4_K_XXL
refused 2 'Q4_K_XXL: no such type; expected one of'
run pith quantize --tensor 'a(=Q8_0' "$RANDOM_MODEL" "$O" Q8_0
refused 2 'not a regular expression'
run pith quantize --tensor 'a=Q8_1' "$RANDOM_MODEL" "$O" Q8_0
refused 2 'Q8_1: no such format'
run pith quantize "$T/none.gguf" "$O" Q8_0
refused 3 'none.gguf'

case_ "quantize: the input is never the output"
cp "$RANDOM_MODEL" "$T/same.gguf"
run pith quantize "$T/same.gguf" "$T/same.gguf" Q8_0
refused 2 'is the input too'
ln -s same.gguf "$T/link.gguf"
run pith quantize "$T/same.gguf" "$T/link.gguf" Q8_0
refused 2 'is the input too'
check "the input changed" cmp "$RANDOM_MODEL" "$T/same.gguf"

case_ "quantize: an existing file is replaced; a folder is not"
echo old >"$O"
run pith quantize "$RANDOM_MODEL" "$O" Q8_0
status 0
check "not replaced" cmp "$O" "$T/q8.gguf"
mkdir "$T/folder"
run pith quantize "$RANDOM_MODEL" "$T/folder" Q8_0
refused 3 'is a directory'

case_ "quantize: a full disk is status 4, names the file and leaves nothing"
mkdir "$T/small"
(ulimit -f 64; trap '' XFSZ; run pith quantize "$RANDOM_MODEL" "$T/small/o.gguf" Q8_0)
refused 4 'small/o.gguf'
check "something is left" test -z "$(ls -A "$T/small")"

case_ "quantize: values that are not finite are refused with tensor and row"
python3 - "$RANDOM_MODEL" "$T/nan.gguf" <<'EOF'
import struct, sys
b = bytearray(open(sys.argv[1], "rb").read())
name = b"blk.1.ffn_down.weight"
at = b.index(name) + len(name)
cols, rows, kind, offset = struct.unpack_from("<QQIQ", b, at + 4)
end = b.rindex(b"output.weight") + len(b"output.weight") + 4 + 16 + 4 + 8
data = (end + 31) // 32 * 32
struct.pack_into("<f", b, data + offset + (3 * cols + 5) * 4, float("nan"))
open(sys.argv[2], "wb").write(b)
EOF
run pith quantize -t 2 "$T/nan.gguf" "$T/small/o.gguf" Q4_0
refused 3 "tensor 'blk.1.ffn_down.weight': row 3: element 5 is nan, which Q4_0 cannot hold"
check "something is left" test -z "$(ls -A "$T/small")"

case_ "quantize: an interrupted run leaves nothing"
cat "$RANDOM_MODEL" >"$T/before.gguf"
(
    "$PITH" quantize -t 1 "$RANDOM_MODEL" "$T/small/o.gguf" IQ2_XXS 2>"$T/.err" &
    sleep 0.02
    kill -INT $! 2>/dev/null
    wait $!
    echo $? >"$T/.status"
)
case $(cat "$T/.status") in
130) check "something is left" test -z "$(ls -A "$T/small")" ;;
*) status 0 ;; # it was faster
esac
rm -rf "$T/small"

case_ "a split model: any part, the whole of it"
model random "$T/split" parts=3
seq -s , 1 20 >"$T/ids"
pith logits -m "$RANDOM_MODEL" --ids "$(cat "$T/ids")" -o "$T/want"
for part in 1 2 3; do
    run pith logits -m "$T/split-0000$part-of-00003.gguf" --ids "$(cat "$T/ids")" -o "$T/got"
    status 0
    check "other logits by part $part" cmp "$T/want" "$T/got"
done
run pith info "$T/split-00002-of-00003.gguf" --json
check "info counts all parts" grep -q '"n_tensors":21' "$T/.out"

case_ "a split model is quantized into one file, the same as from the whole"
run pith quantize "$T/split-00003-of-00003.gguf" "$T/joined.gguf" Q8_0
status 0
check "other bytes" cmp "$T/joined.gguf" "$T/q8.gguf"
run pith quantize "$T/split-00003-of-00003.gguf" "$T/split-00001-of-00003.gguf" Q8_0
refused 2 'is the input too'

case_ "a split model: missing parts are named"
rm "$T/split-00002-of-00003.gguf"
run pith info "$T/split-00003-of-00003.gguf"
refused 3 'split-00002-of-00003.gguf'
