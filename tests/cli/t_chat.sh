# SPDX-License-Identifier: MIT
# Conversations by pipe and in a file. What happens on a terminal is the business of t_terminal.sh.
. "$(dirname "$0")/lib.sh"

ANSWER='OK: \303\251~!'
NOTES=$T/notes.md
model chain "$T/thinker.gguf" thinks=1

case_ "chat: standard input is one turn"
run pith chat -m "$CHAIN" <<'END'
one
two
END
status 0
out "$ANSWER\n"
err ''

case_ "chat --lines: a turn a line"
printf 'one\n\n  two  \n' | run pith chat -m "$CHAIN" --lines
status 0
out "$ANSWER\n\n$ANSWER\n"
err ''

case_ "chat: what is known of a conversation is not evaluated again"
printf 'one\ntwo\n' | run pith chat -m "$CHAIN" --lines -v
# "<|im_start|>user\none<|im_end|>\n<|im_start|>assistant\n" is 22 tokens, the answer 8
err_has 'prompt: 54 tokens, 30 of them known'

case_ "chat: a thought that the template leaves out of earlier turns"
printf 'one\ntwo\n' | run pith chat -m "$T/thinker.gguf" --lines -v --think show
status 0
out "<think>\n12\n</think>\n\n$ANSWER\n\n<think>\n12\n</think>\n\n$ANSWER\n"
err_has 'prompt: 54 tokens, 22 of them known'

case_ "chat FILE: turns are appended, and read again"
printf 'one' | run pith chat -m "$CHAIN" -s 'Be nice.' "$NOTES"
status 0
out "$ANSWER\n"
printf '## system\n\nBe nice.\n\n## user\n\none\n\n## assistant\n\nOK: \303\251~!\n' >"$T/want"
check "the file is $(cat "$NOTES")" cmp "$NOTES" "$T/want"
printf 'two' | run pith chat -m "$CHAIN" -v "$NOTES"
err_has 'prompt: 72 tokens in'
check "no second answer" test "$(grep -c '^## assistant' "$NOTES")" -eq 2

case_ "chat FILE: an unanswered turn is answered, whoever wrote it"
printf 'a title\n\n## user\nhi' >"$T/edited.md"
run pith chat -m "$CHAIN" "$T/edited.md" </dev/null
status 0
out "$ANSWER\n"
printf 'a title\n\n## user\nhi\n\n## assistant\n\nOK: \303\251~!\n' >"$T/want"
check "the file is $(cat "$T/edited.md")" cmp "$T/edited.md" "$T/want"
run pith chat -m "$CHAIN" "$T/edited.md" </dev/null
refused 2 'nothing to answer'

case_ "chat FILE: lines that look like heads are escaped, and come back as they were"
printf '## user\n\\## tool\n\\\\## x\n## userx\n' | run pith chat -m "$CHAIN" "$T/escaped.md"
printf '## user\n\n\\## user\n\\\\## tool\n\\\\## x\n## userx\n\n## assistant\n\nOK: \303\251~!\n' >"$T/want"
check "the file is $(cat "$T/escaped.md")" cmp "$T/escaped.md" "$T/want"
printf '%s' "{% for m in messages %}{{ m.role + '=' + m.content + ';' }}{% endfor %}" >"$T/plain"
printf 'x' | run pith chat -m "$CHAIN" --template "$T/plain" -v -n 1 "$T/escaped.md"
# user=## user\n\## tool\n\\## x\n## userx;assistant=OK: é~!;user=x; in tokens
err_has 'prompt: 64 tokens'

case_ "chat FILE: a file without turns is left alone"
echo 'my diary' >"$T/diary"
printf 'x' | run pith chat -m "$CHAIN" "$T/diary"
refused 3 "$T/diary: it has no turns"
check "it was changed" test "$(cat "$T/diary")" = 'my diary'

case_ "chat FILE: an answer cut by the context is kept, status 5"
printf 'x' | run pith chat -m "$CHAIN" -c 22 "$T/cut.md"
status 5
check "no part of the answer" grep -q '^OK' "$T/cut.md"

case_ "chat FILE: an interrupted answer is kept, status 130"
model chain "$T/long.gguf" context=1000000
printf '%s' "{% for m in messages %}{{ m.content }}{% endfor %}" >"$T/raw"
printf 'a' >"$T/a"
rm -f "$T/.out"
"$PITH" chat -m "$T/long.gguf" --template "$T/raw" "$T/stopped.md" <"$T/a" >"$T/.out" 2>"$T/.err" &
child=$!
n=0
until [ -s "$T/.out" ] || [ $n -gt 100 ]; do sleep 0.1; n=$((n + 1)); done
kill -INT $child
wait $child
got $?
status 130
err ''
tail -n 1 "$T/stopped.md" | grep -q '^bcdef' || fail "the file ends in $(tail -n 1 "$T/stopped.md" | head -c 50)"

case_ "chat: a file that cannot be written is status 4"
printf 'x' | run pith chat -m "$CHAIN" "$T/no/such/folder.md"
refused 4 "$T/no/such/folder.md"

case_ "chat: no template, bad input, too many files"
model chain "$T/base.gguf" template=0
printf 'x' | run pith chat -m "$T/base.gguf"
refused 3 'no chat template'
printf 'x\377' | run pith chat -m "$CHAIN"
refused 3 'standard input: invalid UTF-8 at offset 1'
run pith chat -m "$CHAIN" a b </dev/null
refused 2 'chat: b: expected one file'

case_ "chat --stop cuts the turn too"
printf 'x' | run pith chat -m "$CHAIN" --stop ':' "$T/stop.md"
out 'OK\n'
check "the file has $(tail -n 1 "$T/stop.md")" test "$(tail -n 1 "$T/stop.md")" = OK
