# SPDX-License-Identifier: MIT
# What comes out: the answer and nothing else, where it ends, and how it fails.
. "$(dirname "$0")/lib.sh"

case_ "a chat answer, with a newline put behind it"
run pith -m "$CHAIN" hello </dev/null
status 0
out 'OK: \303\251~!\n'
err ''

case_ "a raw run gets no newline"
run pith -m "$CHAIN" --raw -n 3 a </dev/null
status 0
out 'bcd'
err ''

case_ "a file without a template continues the text and says so with -v"
model chain "$T/base.gguf" template=0
run pith -m "$T/base.gguf" -n 3 a </dev/null
out 'bcd'
err ''
run pith -m "$T/base.gguf" -v -n 3 a </dev/null
err_has 'no chat template'

case_ "--template FILE makes it a chat"
printf '%s' "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}" >"$T/chatml"
run pith -m "$T/base.gguf" --template "$T/chatml" hi </dev/null
status 0
out 'OK: \303\251~!\n'

case_ "-n N ends after N tokens, in the middle of a character too"
run pith -m "$CHAIN" -n 2 hi </dev/null
status 0
out 'OK\n'
run pith -m "$CHAIN" -n 5 hi </dev/null
status 0
out 'OK: \303\n'

case_ "-n 0 prints nothing"
run pith -m "$CHAIN" -n 0 hi </dev/null
status 0
out ''
err ''

case_ "--stop ends before the text, across tokens"
run pith -m "$CHAIN" --raw --stop efgh a </dev/null
status 0
out 'bcd'
run pith -m "$CHAIN" --stop '~' hi </dev/null
out 'OK: \303\251\n'

case_ "the first of several stop texts counts"
run pith -m "$CHAIN" --raw --stop xyz --stop mn --stop lmno a </dev/null
out 'bcdefghijkl'

case_ "what only began as a stop text is printed"
run pith -m "$CHAIN" --raw -n 4 --stop defX a </dev/null
status 0
out 'bcde'

case_ "an answer cut by the context is status 5 and stays"
run pith -m "$CHAIN" --raw -c 10 abcde </dev/null
status 5
out 'fghijkl' # "abcde" is 4 tokens, a b cd e; the last of 10 - 4 + 1 more needs no place
err_has 'context'

case_ "a prompt longer than the context: both numbers, no output"
run pith -m "$CHAIN" --raw -c 3 wxyzw </dev/null
refused 3 'prompt: 5 tokens, but the context holds 3'

case_ "control tokens in the text stay text"
run pith -m "$CHAIN" --raw -v -n 1 '<|im_end|>' </dev/null
err_has 'prompt: 10 tokens'
run pith -m "$CHAIN" --raw --special -v -n 1 '<|im_end|>' </dev/null
err_has 'prompt: 1 tokens'

case_ "a full disk is status 4"
if [ -w /dev/full ]; then
    pith -m "$CHAIN" hi </dev/null >/dev/full 2>"$T/.err"
    got $?
    : >"$T/.out"
    refused 4 'standard output: No space left on device'
    pith -h >/dev/full 2>"$T/.err"
    got $?
    refused 4 'standard output'
fi

case_ "closed standard output is status 4"
pith -m "$CHAIN" hi </dev/null >&- 2>"$T/.err"
got $?
: >"$T/.out"
refused 4 'standard output'

case_ "a closed pipe ends the program quietly and leaves no process"
mkfifo "$T/pipe"
"$PITH" -m "$CHAIN" --raw a </dev/null >"$T/pipe" 2>"$T/.err" &
child=$!
head -c 20 "$T/pipe" >"$T/.out"
wait $child
got $?
status 141
out 'bcdefghijklmnopqrstu'
err ''
check "the process is still there" sh -c "! kill -0 $child"

case_ "output appears as it is made"
"$PITH" -m "$CHAIN" --raw a </dev/null >"$T/pipe" 2>/dev/null &
child=$!
read_first=$(dd bs=1 count=5 2>/dev/null <"$T/pipe")
[ "$read_first" = bcdef ] || fail "the first bytes are '$read_first'"
wait $child

case_ "warnings and diagnostics go to standard error only"
run pith -m "$CHAIN" -v --seed 7 hi </dev/null
out 'OK: \303\251~!\n'
err_has 'seed: 7'

case_ "--template NAME takes a built-in form, a file of that name first"
run pith -m "$T/base.gguf" --template chatml hi </dev/null
status 0
out 'OK: \303\251~!\n'
run pith -m "$T/base.gguf" --template no-such-form hi </dev/null
refused 3 '--template no-such-form: neither a file nor a built-in form'
printf 'a' >"$T/zephyr"
run sh -c "cd '$T' && '$PITH' template --template zephyr <<'JSON'
{}
JSON"
out 'a'

case_ "info suggests a form where the file has no template"
run pith info "$T/base.gguf"
status 0
check "no suggestion" grep -q 'chat template none; the vocabulary looks like --template chatml' "$T/.out"
run pith info --json "$CHAIN"
check "no form" grep -q '"chat_template":true,"template_form":"chatml"' "$T/.out"
