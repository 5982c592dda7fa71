# SPDX-License-Identifier: MIT
# The same bits and the same text: threads, chunks, levels, seeds.
. "$(dirname "$0")/lib.sh"
ids=$(seq 1 97 | tr '\n' ',')
ids=${ids%,}

case_ "logits do not depend on threads and chunks"
run pith logits -m "$RANDOM_MODEL" --ids "$ids" -t 1 -o "$T/want"
status 0
check "wrong size" test "$(wc -c <"$T/want")" -eq $((97 * 263 * 4))
for how in '-t 2' '-t 3' '--chunk 1' '--chunk 7' '--chunk 64 -t 2' '--chunk 1000'; do
    pith logits -m "$RANDOM_MODEL" --ids "$ids" $how >"$T/got" 2>"$T/.err"
    got $?
    status 0
    check "$how: other bits" cmp "$T/want" "$T/got"
done

case_ "logits do not depend on the SIMD level"
for level in $(pith info --supported | sed -n 's/^cpu_levels: //p'); do
    pith logits -m "$RANDOM_MODEL" --ids "$ids" --cpu "$level" >"$T/got" 2>"$T/.err"
    got $?
    [ "$(cat "$T/.status")" -eq 4 ] && continue # this machine lacks it
    status 0
    check "$level: other bits" cmp "$T/want" "$T/got"
done

for kv in f32 q8_0 q4_0; do
    case_ "--kv $kv: other logits than f16's, the same for any threads, chunks and levels"
    run pith logits -m "$RANDOM_MODEL" --ids "$ids" --kv $kv -o "$T/$kv"
    status 0
    check "the KV type changes nothing" sh -c "! cmp -s '$T/$kv' '$T/want'"
    for how in '-t 1' '-t 3 --chunk 1' '--chunk 7' '--cpu scalar' '--cpu scalar --chunk 7'; do
        run pith logits -m "$RANDOM_MODEL" --ids "$ids" --kv $kv $how -o "$T/got"
        status 0
        check "$how: other bits" cmp "$T/$kv" "$T/got"
    done
done

case_ "the same seed gives the same text, another one another"
say() {
    pith -m "$RANDOM_MODEL" --raw -n 24 "$@" hello </dev/null 2>/dev/null
}
say --seed 1 >"$T/a"
say --seed 1 -t 1 >"$T/b"
say --seed 2 >"$T/c"
check "seed 1 twice" cmp "$T/a" "$T/b"
check "seeds 1 and 2 are the same" sh -c "! cmp -s '$T/a' '$T/c'"

case_ "--temp 0 needs no seed"
say --temp 0 >"$T/a"
say --temp 0 >"$T/b"
check "two greedy runs differ" cmp "$T/a" "$T/b"

case_ "without a seed every run has its own, and -v tells it"
run pith -m "$RANDOM_MODEL" --raw -n 24 -v hello </dev/null
cp "$T/.out" "$T/a"
seed=$(grep -o 'seed: [0-9]*' "$T/.err" | grep -o '[0-9]*')
run pith -m "$RANDOM_MODEL" --raw -n 24 -v hello </dev/null
check "two random seeds are equal" test "$seed" != "$(grep -o 'seed: [0-9]*' "$T/.err" | grep -o '[0-9]*')"
run pith -m "$RANDOM_MODEL" --raw -n 24 --seed "$seed" hello </dev/null
out_is "$T/a"

case_ "bad ids are refused"
run pith logits -m "$RANDOM_MODEL" --ids 1,263 -o "$T/x"
refused 3 'id 263'
run pith logits -m "$RANDOM_MODEL" --ids 1,x -o "$T/x"
refused 2 '--ids'
run pith logits -m "$RANDOM_MODEL" -o "$T/x"
refused 2 '--ids'

case_ "logits are not written over the model"
cp "$RANDOM_MODEL" "$T/copy.gguf"
ln -s copy.gguf "$T/link.gguf"
run pith logits -m "$T/copy.gguf" --ids 1 -o "$T/link.gguf"
refused 2 '--output'
check "the model changed" cmp "$RANDOM_MODEL" "$T/copy.gguf"

case_ "an embedding does not depend on threads, and text is its ids"
run pith embed -m "$RANDOM_MODEL" --pooling mean --ids "$ids" -t 1 -o "$T/want"
pith embed -m "$RANDOM_MODEL" --pooling mean --ids "$ids" -t 3 >"$T/got"
check "other bits with -t 3" cmp "$T/want" "$T/got"
of_text=$(printf 'ab ab' | pith tokenize --special -m "$RANDOM_MODEL" | tr ' ' ,)
pith embed -m "$RANDOM_MODEL" --ids "$of_text" >"$T/want"
printf 'ab ab' | pith embed -m "$RANDOM_MODEL" >"$T/got"
check "other bits from text" cmp "$T/want" "$T/got"
run pith embed -m "$RANDOM_MODEL" --pooling rank --ids 1 -o "$T/got"
refused 3 '--pooling rank'
