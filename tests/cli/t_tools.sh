# SPDX-License-Identifier: MIT
# info, tokenize, perplexity and bench.
. "$(dirname "$0")/lib.sh"

json() { # json FILE EXPRESSION: the expression, of the parsed document d, must be true
    python3 -c 'import json, sys; d = json.loads(open(sys.argv[1]).read()); sys.exit(not eval("(" + sys.argv[2] + ")"))' "$1" "$2"
}

json_lines() { # the same, of the list d of the documents that the lines are
    python3 -c 'import json, sys; d = [json.loads(x) for x in open(sys.argv[1])]; sys.exit(not eval("(" + sys.argv[2] + ")"))' "$1" "$2"
}

case_ "info, as text and as JSON"
run pith info "$CHAIN"
status 0
err ''
check "no architecture" grep -q '^architecture  *llama$' "$T/.out"
run pith info "$CHAIN" --json --tensors
status 0
check "wrong JSON" json "$T/.out" 'd["architecture"] == "llama" and d["supported"] and d["context"] == 8192 and
    d["n_tensors"] == 21 and len(d["tensors"]) == 21 and d["formats"] == {"F32": 21} and d["tokenizer"]["ids"] == 263'

case_ "info says what will happen here before it does"
model random "$T/experts.gguf" experts=8
run pith info "$T/experts.gguf"
status 0
check "no experts" grep -q '^experts  *2 of 8 for each token$' "$T/.out"
check "no memory" grep -Eq '^this machine  *[0-9.]+ MB free, [0-9.]+ MB needed with a context of 4096' "$T/.out"
run pith info "$T/experts.gguf" --json
# Of a token's bytes: one row of the embedding, two of eight experts, all else. Every matrix is f32.
check "wrong JSON" json "$T/.out" 'd["experts"] == 8 and d["experts_used"] == 2 and d["fits_memory"] and
    d["read_bytes_per_token"] == d["weight_bytes"] - 262 * 288 * 4 - 2 * 6 * 3 * 288 * 64 * 4 and
    d["needed_bytes"] > d["weight_bytes"] + 4096 * d["kv_bytes_per_token"]'
rm "$T/experts.gguf"

case_ "info works without tensors, vocabulary and a known architecture"
model chain "$T/bare.gguf" tensors=0 vocab=0 arch=frobnicator
run pith info "$T/bare.gguf" --json
status 0
check "wrong JSON" json "$T/.out" 'd["architecture"] == "frobnicator" and not d["supported"] and d["n_tensors"] == 0'

case_ "info --supported walks the lists"
run pith info --supported
status 0
for word in Q4_K llama scalar tokenize; do
    grep -qw "$word" "$T/.out" || fail "$word is missing"
done
run pith info --supported --json
check "wrong JSON" json "$T/.out" '"gemma3" in d["architectures"] and "Q6_K" in d["formats"]'

case_ "tokenize: one line of ids"
printf 'low' | run pith tokenize -m "$CHAIN"
status 0
out '257\n'
run pith tokenize -m "$CHAIN" </dev/null
status 0
out '\n'

case_ "tokenize takes any bytes, and --decode gives them back"
printf 'a\000\377\303\251 z' >"$T/bytes"
run pith tokenize -m "$CHAIN" <"$T/bytes"
status 0
cp "$T/.out" "$T/ids"
run pith tokenize -m "$CHAIN" --decode <"$T/ids"
status 0
out_is "$T/bytes"

case_ "tokenize --special reads control tokens"
printf '<|im_end|>' | run pith tokenize -m "$CHAIN" --special
out '262\n'
printf '262' | run pith tokenize -m "$CHAIN" --decode
out ''
printf '262' | run pith tokenize -m "$CHAIN" --decode --special
out '<|im_end|>'

case_ "tokenize --json: a string a line, an array a line"
printf '"low"\n"\\u0061\\n"\n""\n' | run pith tokenize -m "$CHAIN" --json
status 0
out '[257]\n[97,10]\n[]\n'
printf '[257]\n[97,10]\n' | run pith tokenize -m "$CHAIN" --json --decode
status 0
out '"low"\n"a\\n"\n'

case_ "tokenize --json: a bad line is named, good lines before it are printed"
printf '"low"\n{\n"a"\n' | run pith tokenize -m "$CHAIN" --json
status 3
out '[257]\n'
err_has 'line 2'
printf '"low"\n5\n' | run pith tokenize -m "$CHAIN" --json
status 3
err_has 'line 2'

case_ "tokenize works without tensors and with an unknown architecture; not without a vocabulary"
model chain "$T/vocab.gguf" tensors=0 arch=frobnicator
printf 'low' | run pith tokenize -m "$T/vocab.gguf"
out '257\n'
printf 'low' | run pith tokenize -m "$T/bare.gguf"
status 3
one_line

case_ "tokenize --decode refuses what is no id"
printf '1 x' | run pith tokenize -m "$CHAIN" --decode
refused 3 'offset 2'
printf '1 263' | run pith tokenize -m "$CHAIN" --decode
refused 3 'id 263'

case_ "perplexity of a text that the model knows, and of one that it does not"
printf 'abcdghijklmnopqrstuvwxyzab' | run pith perplexity -m "$CHAIN" -c 8
status 0
check "wrong JSON" json "$T/.out" 'd["context"] == 8 and d["tokens"] > 15 and 1 <= d["ppl"] < 2000 and d["nll"] > 0'
cp "$T/.out" "$T/known"
printf 'aaaaaaaaaaaaaaaaaaaaaaaaaa' >"$T/text"
run pith perplexity -m "$CHAIN" -c 8 "$T/text"
status 0
check "26 ids in windows of 8 score 7 + 7 + 7 + 1" json "$T/.out" 'd["tokens"] == 22'
check "the unknown text is not harder" python3 -c 'import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
sys.exit(not a["ppl"] < b["ppl"])' "$T/known" "$T/.out"
printf 'a' | run pith perplexity -m "$CHAIN"
refused 3 'too short'

case_ "perplexity agrees with logits"
printf 'hello world' | pith tokenize -m "$RANDOM_MODEL" >"$T/ids"
pith logits -m "$RANDOM_MODEL" --ids "$(cat "$T/ids")" -o "$T/logits"
printf 'hello world' | run pith perplexity -m "$RANDOM_MODEL"
check "another nll" python3 -c 'import array, json, math, sys
ids = [int(x) for x in open(sys.argv[1]).read().split()]
l = array.array("f", open(sys.argv[2], "rb").read())
n = len(l) // len(ids)
nll = 0
for i, target in enumerate(ids[1:]):
    row = l[i * n:(i + 1) * n]
    m = max(row)
    nll += math.log(sum(math.exp(x - m) for x in row)) + m - row[target]
nll /= len(ids) - 1
sys.exit(abs(nll - json.load(open(sys.argv[3]))["nll"]) > 1e-5)' "$T/ids" "$T/logits" "$T/.out"

case_ "bench --sweep: a row for each level and number of threads, the best first"
run pith bench -m "$CHAIN" --sweep -t 3 -p 8 -n 2 --json
status 0
err ''
check "wrong rows" json_lines "$T/.out" '[x["threads"] for x in d] == [3, 2, 1] * (len(d) // 3) and
    d[-1]["cpu"] == "scalar" and len({(x["cpu"], x["threads"]) for x in d}) == len(d)'
run pith bench -m "$CHAIN" --sweep -t 1 --cpu scalar -p 8 -n 2
status 0
check "one row" test "$(wc -l <"$T/.out")" = 3
run pith bench -m "$CHAIN" --sweep --cpu nosuch
status 2
run pith bench --sweep --kernels
status 2

case_ "bench --kernels: a row for each format beside the limits, without a model"
run pith bench --kernels -t 1 --json
status 0
err ''
check "wrong JSON" json "$T/.out" 'd["threads"] == 1 and d["machine_gbps"] > 0 and d["cpu"] and
    len({f["format"] for f in d["formats"]}) >= 27 and
    all(f["decode_gbps"] > 0 and f["panel_gops"] > 0 for f in d["formats"]) and
    all(f["panel_gops"] <= 1.2 * max(d["int_gops"], d["float_gops"]) for f in d["formats"] if d["int_gops"])'

case_ "bench: the promised keys, and no more work claimed than time passed"
run pith bench -m "$CHAIN" -t 1 -p 32 -n 8 --json
status 0
err ''
check "wrong JSON" json "$T/.out" 'd["threads"] == 1 and d["prefill_tps"] > 0 and d["decode_tps"] > 0 and
    d["load_ms"] >= 0 and d["read_gbps"] > 0 and d["machine_gbps"] > 0 and d["bytes"] > 3000000 and d["cpu"]'
run pith bench -m "$CHAIN" -p 8 -n 2
status 0
