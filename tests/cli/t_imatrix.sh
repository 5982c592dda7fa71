# SPDX-License-Identifier: MIT
# imatrix, quantize with what it writes, and compare.
. "$(dirname "$0")/lib.sh"

I=$T/m.imatrix
printf 'hello world, this is a text of some length that goes on and on' >"$T/one.txt"
printf 'another one 12345 with other words' >"$T/two.txt"
numbers() { # numbers FILE EXPRESSION: t maps names to arrays, k reads keys
    python3 -c 'import gguf, sys
r = gguf.GGUFReader(sys.argv[1])
t = {x.name: x.data.ravel() for x in r.tensors}
def k(name): return r.fields[name].contents()
sys.exit(not eval("(" + sys.argv[2] + ")"))' "$1" "$2"
}
have_gguf=$(python3 -c 'import gguf, numpy' 2>/dev/null && echo yes)
[ -n "$have_gguf" ] || skip_ "contents of importance matrices: the Python package gguf is not installed"

case_ "imatrix: every matrix, with the tokens that it saw"
run pith imatrix -m "$RANDOM_MODEL" -c 16 -o "$I" "$T/one.txt"
status 0
out ''
err ''
ids=$(pith tokenize -m "$RANDOM_MODEL" <"$T/one.txt" | wc -w)
if [ -n "$have_gguf" ]; then
    check "keys" numbers "$I" 'k("general.type") == "imatrix" and k("imatrix.chunk_size") == 16 and
        k("imatrix.chunk_count") == -(-'$ids' // 16) and len(k("imatrix.datasets")) == 1'
    check "tensors" numbers "$I" 'len(t) == 30 and "output.weight.in_sum2" in t and len(t["blk.0.ffn_down.weight.in_sum2"]) == 64'
    check "counts" numbers "$I" 'all(t[n][0] == '$ids' for n in t if n.endswith(".counts"))'
    check "sums" numbers "$I" 'all((t[n] > 0).any() for n in t) and
        (t["blk.1.attn_q.weight.in_sum2"] == t["blk.1.attn_v.weight.in_sum2"]).all()'
fi

case_ "imatrix: the same for any number of threads"
run pith imatrix -m "$RANDOM_MODEL" -c 16 -t 1 -o "$T/t1" "$T/one.txt"
run pith imatrix -m "$RANDOM_MODEL" -c 16 -t 3 -o "$T/t3" "$T/one.txt"
check "other bytes" cmp "$T/t1" "$T/t3"

case_ "imatrix: an existing file is added to, --fresh starts anew"
cp "$I" "$T/first"
run pith imatrix -m "$RANDOM_MODEL" -c 16 -o "$I" "$T/two.txt"
status 0
run pith imatrix -m "$RANDOM_MODEL" -c 16 -o "$T/both" "$T/one.txt" "$T/two.txt"
if [ -n "$have_gguf" ]; then
    check "not the sum" python3 -c 'import gguf, numpy, sys
a, b = ({x.name: x.data for x in gguf.GGUFReader(f).tensors} for f in sys.argv[1:])
assert a.keys() == b.keys() and all(numpy.allclose(a[n], b[n], rtol=1e-6) for n in a)' "$I" "$T/both"
    check "datasets" numbers "$I" 'len(k("imatrix.datasets")) == 2'
fi
run pith imatrix -m "$RANDOM_MODEL" -c 16 -o "$I" --fresh "$T/one.txt"
status 0
check "not as the first" cmp "$I" "$T/first"

case_ "imatrix: wrong command lines and files"
run pith imatrix -m "$RANDOM_MODEL" "$T/one.txt"
refused 2 'expected -o FILE'
run pith imatrix -m "$RANDOM_MODEL" -o "$I"
refused 2 'at least one text'
run pith imatrix -m "$RANDOM_MODEL" -o "$I" "$T/none.txt"
refused 3 'none.txt'
: >"$T/empty"
run pith imatrix -m "$RANDOM_MODEL" -o "$I" "$T/empty"
refused 3 'empty'
check "the file changed" cmp "$I" "$T/first"

case_ "quantize --imatrix: other bytes, the same size, and the keys that say so"
run pith quantize --imatrix "$I" "$RANDOM_MODEL" "$T/with.gguf" IQ4_NL
status 0
err ''
run pith quantize "$RANDOM_MODEL" "$T/without.gguf" IQ4_NL
check "the same bytes" sh -c '! cmp -s "$1" "$2"' sh "$T/with.gguf" "$T/without.gguf"
[ -z "$have_gguf" ] || check "keys" numbers "$T/with.gguf" 'k("quantize.imatrix.entries_count") == 15 and
    k("quantize.imatrix.dataset").endswith("one.txt") and k("quantize.imatrix.file").endswith("m.imatrix")'

case_ "quantize --imatrix: files that are none"
run pith quantize --imatrix "$T/one.txt" "$RANDOM_MODEL" "$T/o.gguf" Q4_0
refused 3 'one.txt: neither a GGUF file nor'
run pith quantize --imatrix "$RANDOM_MODEL" "$RANDOM_MODEL" "$T/o.gguf" Q4_0
refused 3 'no importance matrix'

case_ "compare: a model with itself"
run pith compare "$RANDOM_MODEL" "$RANDOM_MODEL" -c 16 --json <"$T/one.txt"
status 0
pith perplexity -m "$RANDOM_MODEL" -c 16 "$T/one.txt" >"$T/ppl"
check "wrong JSON" python3 -c 'import json, sys
d, p = (json.load(open(f)) for f in sys.argv[1:])
assert d["kl"] == 0 and d["top1"] == 1 and d["a"]["ppl"] == d["b"]["ppl"] == p["ppl"] and d["tokens"] == p["tokens"]
assert d["a"]["decode_tps"] > 0 and d["b"]["prefill_tps"] > 0 and d["a"]["bytes"] > 3000000' "$T/.out" "$T/ppl"

case_ "compare: with a smaller file of it, as logits say"
pith quantize "$RANDOM_MODEL" "$T/small.gguf" Q4_0
run pith compare "$RANDOM_MODEL" "$T/small.gguf" --json <"$T/one.txt"
status 0
ids=$(pith tokenize -m "$RANDOM_MODEL" <"$T/one.txt" | tr ' ' ',')
pith logits -m "$RANDOM_MODEL" --ids "$ids" -o "$T/la"
pith logits -m "$T/small.gguf" --ids "$ids" -o "$T/lb"
check "another divergence" python3 -c 'import array, json, math, sys
n = len(sys.argv[1].split(","))
a, b = (array.array("f", open(f, "rb").read()) for f in sys.argv[2:4])
v = len(a) // n
def logs(row):
    m = max(row)
    s = m + math.log(sum(math.exp(x - m) for x in row))
    return [x - s for x in row]
kl = same = 0
for i in range(n - 1):
    p, q = logs(a[i * v:i * v + v]), logs(b[i * v:i * v + v])
    kl += sum(math.exp(x) * (x - y) for x, y in zip(p, q))
    same += p.index(max(p)) == q.index(max(q))
d = json.load(open(sys.argv[4]))
assert d["tokens"] == n - 1 and abs(d["kl"] - kl / (n - 1)) < 1e-5 and abs(d["top1"] - same / (n - 1)) < 1e-9' \
    "$ids" "$T/la" "$T/lb" "$T/.out"
run pith compare "$RANDOM_MODEL" "$T/small.gguf" <"$T/one.txt"
status 0
check "no table" grep -q '^mean KL divergence' "$T/.out"

case_ "compare: what it refuses"
run pith compare "$RANDOM_MODEL" <"$T/one.txt"
refused 2 'expected two models'
run pith compare "$RANDOM_MODEL" "$RANDOM_MODEL" </dev/null
refused 3 'too short'
model random "$T/bare.gguf" vocab=0
run pith compare "$RANDOM_MODEL" "$T/bare.gguf" <"$T/one.txt"
refused 3 'another vocabulary'
