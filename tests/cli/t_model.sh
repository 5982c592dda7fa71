# SPDX-License-Identifier: MIT
# Which file is the model, and what is said of files that are none.
. "$(dirname "$0")/lib.sh"

ask() {
    run pith "$@" -n 1 --raw a </dev/null
}

case_ "no model named: usage"
ask
refused 2 'no model'

case_ "a path"
ask -m "$CHAIN"
status 0
out 'b'

case_ "PITH_MODEL names one; -m is stronger"
PITH_MODEL=$CHAIN ask
out 'b'
PITH_MODEL=$T/nowhere.gguf ask -m "$CHAIN"
out 'b'

case_ "a name, and the beginning of one, in PITH_PATH"
mkdir "$T/one" "$T/two"
cp "$CHAIN" "$T/one/Alpha-1B.gguf"
cp "$CHAIN" "$T/two/Alphabet.gguf"
cp "$CHAIN" "$T/two/Beta.gguf"
PITH_PATH=$T/none:$T/one:$T/two
ask -m Beta
out 'b'
ask -m Be
out 'b'
ask -m Alpha-
out 'b'

case_ "an ambiguous name is refused with the candidates"
ask -m Alpha
refused 3 'Alpha: ambiguous'
err_has 'Alphabet.gguf'

case_ "the beginning of a split file's name is not ambiguous"
mkdir "$T/split"
model chain "$T/split/Gamma" parts=3
PITH_PATH=$T/split
ask -m Gam
status 0
out 'b'
ask -m Gamma-00002
status 0
PITH_PATH=$T/none:$T/one:$T/two

case_ "an exact name wins over longer ones"
cp "$CHAIN" "$T/two/Alpha.gguf"
ask -m Alpha
out 'b'

case_ "names are case-sensitive, and a missing one is refused"
ask -m beta
refused 3 'beta'

case_ "the default folders"
PITH_PATH=
mkdir -p "$T/cwd/models" "$T/.local/share/pith"
cp "$CHAIN" "$T/cwd/models/here.gguf"
cp "$CHAIN" "$T/.local/share/pith/home.gguf"
cd "$T/cwd" || exit 4
ask -m here
out 'b'
ask -m home
out 'b'
cd "$T" || exit 4
PITH_PATH=$T

case_ "a missing file"
ask -m "$T/nowhere.gguf"
refused 3 "$T/nowhere.gguf: no such file"

case_ "an empty file"
: >"$T/empty.gguf"
ask -m "$T/empty.gguf"
refused 3 "$T/empty.gguf: the file is empty"

case_ "a directory"
ask -m "$T/one"
refused 3 "$T/one: is a directory"
ask -m one
refused 3 'one: is a directory'

case_ "a file that is no GGUF"
printf 'This is a text, not a model, whatever its name says.\n' >"$T/text.gguf"
ask -m "$T/text.gguf"
refused 3 "$T/text.gguf"

case_ "a truncated file, wherever it is cut"
size=$(wc -c <"$CHAIN")
for n in 3 4 12 23 24 100 2000 9000 20000 $((size / 2)) $((size - 1)); do
    head -c "$n" "$CHAIN" >"$T/cut.gguf"
    ask -m "$T/cut.gguf"
    refused 3 "$T/cut.gguf"
done

case_ "an unknown architecture is named"
model chain "$T/odd.gguf" arch=frobnicator
ask -m "$T/odd.gguf"
refused 3 'frobnicator'

case_ "a file without tensors cannot run, and the first one missing is named"
model chain "$T/vocab.gguf" tensors=0
ask -m "$T/vocab.gguf"
status 3
one_line

case_ "an unreadable SIMD level is refused"
ask -m "$CHAIN" --cpu pentium
check "neither status 2 nor 4" grep -q '^[24]$' "$T/.status"
err_has 'pentium'

case_ "a file that shrinks while it is used: one line and status 4"
cp "$CHAIN" "$T/shrinks.gguf"
mkfifo "$T/stdin"
"$PITH" perplexity -m "$T/shrinks.gguf" <"$T/stdin" >"$T/.out" 2>"$T/.err" &
child=$!
exec 3>"$T/stdin"
sleep 0.5
: >"$T/shrinks.gguf"
printf 'some text' >&3
exec 3>&-
wait $child
got $?
refused 4 'shrinks.gguf'
