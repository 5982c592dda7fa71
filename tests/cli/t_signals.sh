# SPDX-License-Identifier: MIT
# Ctrl-C while the prompt is read and while the answer is made, once and twice.
. "$(dirname "$0")/lib.sh"

# Waits until a condition holds, ten seconds at most.
until_() {
    n=0
    until "$@" 2>/dev/null; do
        n=$((n + 1))
        [ $n -lt 100 ] || { fail "waited in vain: $*"; return; }
        sleep 0.1
    done
}

model chain "$T/long.gguf" context=1000000
head -c 200000 /dev/zero | tr '\0' 'q' >"$T/prompt"

case_ "Ctrl-C during prefill: status 130, no output"
"$PITH" -m "$T/long.gguf" --raw -f "$T/prompt" </dev/null >"$T/.out" 2>"$T/.err" &
child=$!
sleep 0.5
check "it ended by itself" kill -INT $child
wait $child
got $?
status 130
out ''
err ''

case_ "Ctrl-C during decode: status 130, what was printed stays"
"$PITH" -m "$T/long.gguf" --raw a </dev/null >"$T/.out" 2>"$T/.err" &
child=$!
until_ test -s "$T/.out"
kill -INT $child
wait $child
got $?
status 130
err ''
[ "$(head -c 5 "$T/.out")" = bcdef ] || fail "the output begins with '$(head -c 5 "$T/.out")'"

# Commands that read a text: the file they would write stays as it was.
echo before >"$T/m.imatrix"
for command in "imatrix -m $T/long.gguf --fresh -o $T/m.imatrix $T/prompt" "perplexity -m $T/long.gguf $T/prompt" \
    "compare $T/long.gguf $T/long.gguf"; do
    case_ "Ctrl-C during ${command%% *}: status 130, one line"
    "$PITH" $command <"$T/prompt" >"$T/.out" 2>"$T/.err" &
    child=$!
    sleep 0.5
    check "it ended by itself" kill -INT $child
    wait $child
    got $?
    status 130
    out ''
    err 'pith: interrupted\n'
done
check "the file changed" test "$(cat "$T/m.imatrix")" = before

case_ "a second Ctrl-C kills"
mkfifo "$T/pipe"
exec 4<>"$T/pipe"
head -c 65536 /dev/zero >&4
"$PITH" -m "$T/long.gguf" --raw a </dev/null >"$T/pipe" 2>"$T/.err" &
child=$!
sleep 0.5 # the pipe is full and nobody reads: the program blocks in a write
kill -INT $child
sleep 0.3
kill -INT $child
wait $child
got $?
exec 4>&-
status 130

case_ "SIGTERM ends the program"
"$PITH" -m "$T/long.gguf" --raw -f "$T/prompt" </dev/null >"$T/.out" 2>"$T/.err" &
child=$!
sleep 0.3
kill -TERM $child
wait $child
got $?
status 143
